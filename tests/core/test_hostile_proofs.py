"""Proofs that are somebody else's, or of another mail: none of them is worth what it looks like."""

from __future__ import annotations

from typing import Any

import pytest

from mailgate.core import token
from mailgate.core.decision import (
    Approve,
    Decision,
    Facts,
    Flood,
    HeldMail,
    Merge,
    Notice,
    Notify,
    Outcome,
    Prove,
)
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Power, Role, Standing
from mailgate.core.policy import Policy
from tests.core.decisions import copied, decided, standings
from tests.core.samples import (
    ANA,
    DAY,
    FIRST,
    KEY,
    NOW,
    OURS,
    PINNED,
    POLICY,
    TO_ANA,
    facts,
    headers,
    mail,
    our_id,
    reply_to,
    sealed,
    stamped,
    ticket,
)

THIEF = "thief@evil.test"
THIEFS_ID = our_id(THIEF, role=Role.CC)
CARLS_ID = our_id("carl@customer.test", role=Role.CC)
GOOD = stamped(domain="customer.test")
FORGED = stamped("dmarc=fail", "customer.test")
HELD: dict[str, Any] = {
    "id": 5,
    "ticket": 7,
    "message": 1,
    "inbox": 1,
    "author": ANA.address,
    "owner": ANA.address,
    "why": "x",
    "created": NOW,
    "expires": NOW + DAY,
}
TO_ANA_AT = reply_to(ANA.address, role=Role.AGENT)


def on_seven(given: ParsedMail, known: Facts, policy: Policy = PINNED) -> Standing:
    return standings(given, known, policy)[7]


def test_the_token_of_somebody_taken_off_does_not_speak_for_who_is_left_T7() -> None:
    known = facts(ticket(removed=(THIEF,)))
    given = mail(in_reply_to=(THIEFS_ID,), cc=("new@evil.test",), **FORGED)
    assert on_seven(given, known).power is Power.HOLD
    assert decided(given, known, PINNED).outcome is Outcome.HELD
    # Where nothing is pinned it counts as if it had come without: it widens nothing.
    assert on_seven(given, known, POLICY).power is Power.ACT


def test_the_token_of_a_merged_tickets_requester_does_not_speak_for_the_survivors_T7() -> None:
    elsewhere = our_id(THIEF, 8)
    known = facts(ticket(removed=(THIEF,)), merged={8: 7})
    assert on_seven(mail(in_reply_to=(elsewhere,), **FORGED), known).power is Power.HOLD


def test_a_forged_address_is_not_saved_by_the_token_of_another_participant() -> None:
    assert on_seven(mail(in_reply_to=(CARLS_ID,), **FORGED), facts()).power is Power.HOLD
    # Their own is believed: lists and forwarders spoil stamps.
    assert on_seven(mail(in_reply_to=(OURS,), **FORGED), facts()).power is Power.WIDEN


@pytest.mark.parametrize(
    ("given", "proven"),
    [
        pytest.param(mail(in_reply_to=(OURS,)), True, id="their own token"),
        pytest.param(mail(in_reply_to=(CARLS_ID,)), False, id="the token of somebody else on it"),
        pytest.param(mail(in_reply_to=(CARLS_ID,), date=NOW, **GOOD), True, id="that and a stamp"),
    ],
)
def test_nobody_is_proven_for_ever_by_the_token_of_another(given: ParsedMail, proven: bool) -> None:
    effects = decided(given, facts(), PINNED).effects
    assert [e.proven for e in effects if isinstance(e, Prove)] == ([True] if proven else [])


@pytest.mark.parametrize(
    "when",
    [
        pytest.param({"date": NOW - 6 * DAY}, id="an old mail"),
        pytest.param({}, id="a mail without a date"),
    ],
)
def test_an_old_signed_mail_with_a_new_cc_brings_nobody_onto_the_ticket_C9(
    when: dict[str, Any],
) -> None:
    given = mail(in_reply_to=(FIRST,), cc=(THIEF,), **GOOD, **when)
    assert on_seven(given, facts()).power is Power.ACT
    assert copied(decided(given, facts(), PINNED)) == []


@pytest.mark.parametrize(
    "put_on",
    [
        pytest.param({"to": ("friend@else.test",), "in_reply_to": (TO_ANA,)}, id="In-Reply-To"),
        pytest.param({"to": ("friend@else.test",), "references": (TO_ANA,)}, id="References"),
        pytest.param(
            {"to": (TO_ANA_AT, "friend@else.test"), "twice": ("to", TO_ANA_AT)}, id="a second To"
        ),
    ],
)
def test_a_header_put_on_an_agents_signed_mail_is_no_proof_C9(put_on: dict[str, Any]) -> None:
    name, value = put_on.pop("twice", ("", ""))
    stamp = stamped()
    if name:
        stamp = {**stamp, "headers": {**headers(), name: (value, "friend@else.test")}}
    given = mail(ANA.address, date=NOW, **stamp, **put_on)
    found = on_seven(given, facts())
    assert (found.power, found.owner) == (Power.HOLD, ANA.address)


def test_whoever_a_forger_names_in_cc_does_not_get_the_answer() -> None:
    forged = decided(mail(cc=(THIEF,), **FORGED), policy=PINNED)
    assert copied(forged) == []
    (notice,) = [
        e for e in forged.effects if isinstance(e, Notify) and e.notice is Notice.AGENT_NEW
    ]
    assert "forged" in notice.note
    assert copied(decided(mail(cc=(THIEF,), **GOOD), policy=PINNED)) == [THIEF]


def test_a_stranger_in_an_archive_brings_nobody_onto_the_ticket() -> None:
    given = mail("mallory@evil.test", in_reply_to=(FIRST,), cc=(THIEF,))
    assert copied(decided(given, facts(), live=False)) == []
    people = mail("carl@customer.test", in_reply_to=(FIRST,), cc=("dora@customer.test",))
    assert copied(decided(people, facts(), live=False)) == ["dora@customer.test"]


def test_an_answer_further_down_a_challenges_thread_is_not_lost_as_a_release() -> None:
    made = token.Token(
        purpose=token.Purpose.RELEASE,
        role=Role.AGENT,
        key=KEY.id,
        last_day=NOW.date(),
        number=5,
        holder=token.holder_of(ANA.address),
        nonce=b"nonce.",
    )
    challenge = token.message_id(token.seal(made, KEY), POLICY.domain)
    known = facts(held=HeldMail(**HELD, state="released"))
    later = mail(ANA.address, in_reply_to=(TO_ANA,), references=(challenge, TO_ANA))
    assert decided(later, known).outcome is Outcome.REPLY
    assert decided(mail(ANA.address, in_reply_to=(challenge,)), known).outcome is Outcome.COMMAND


def test_guessed_ids_in_an_archive_join_no_tickets_that_are_alive_T1() -> None:
    root, other = "<mg.7@help.test>", "<mg.8@help.test>"
    known = facts(ticket(), ticket(8), seen={root: (7,), other: (8,)})
    given = mail("mallory@evil.test", references=(root, other))
    found = decided(given, known, live=False)
    assert found.outcome is Outcome.TICKET
    assert not [e for e in found.effects if isinstance(e, Merge)]


def test_a_flood_in_a_providers_name_does_not_hide_people_whom_we_know_L9() -> None:
    flood = Flood(of_sender=1, of_domain=10_000, domain_ticket=7)
    proven = mail(**GOOD)
    assert decided(proven, facts(flood=flood, sender_proven=True), PINNED).target != 7
    for given, known in ((proven, False), (mail(), True)):
        assert decided(given, facts(flood=flood, sender_proven=known), PINNED).target == 7


@pytest.mark.parametrize("plus", ["+", "%2B", "%2b", "=2B", "+2B"])
def test_a_token_is_blotted_out_however_its_plus_is_written_C8(plus: str) -> None:
    secret = sealed("rita@customer.test", purpose=token.Purpose.REPLY)
    text = f"see mailto:support{plus}{secret}@help.test."
    assert secret not in token.scrubbed(text, (KEY,))
    assert secret not in token.hidden(text)


@pytest.mark.parametrize("before", ["/", "%2F", "%2f", "=2F", "%252F", "?u=", "%25/"])
def test_a_link_is_blotted_out_however_it_is_wrapped_C8(before: str) -> None:
    secret = sealed(ANA.address, purpose=token.Purpose.FILE, role=Role.AGENT, nonce=b"digest")
    text = f"see https://help.test{before}file{before}{secret}&data=05%7C"
    assert secret not in token.scrubbed(text, (KEY,))
    assert secret not in token.hidden(text)


def test_a_link_to_a_file_is_no_proof_of_anything() -> None:
    secret = sealed(ANA.address, purpose=token.Purpose.FILE, role=Role.AGENT, nonce=b"digest")
    assert token.in_link(secret) is not None
    assert token.in_address(f"support+{secret}@help.test") is None
    assert token.in_id(f"<mg.{secret}@help.test>") is None
    for purpose in set(token.Purpose) - {token.Purpose.FILE}:
        assert token.in_link(sealed(ANA.address, purpose=purpose, nonce=b"digest")) is None
    assert token.in_link(sealed(ANA.address, purpose=token.Purpose.FILE)) is None


def _released(words: str) -> Decision:
    made = token.Token(
        purpose=token.Purpose.RELEASE,
        role=Role.AGENT,
        key=KEY.id,
        last_day=NOW.date(),
        number=5,
        holder=token.holder_of(ANA.address),
        nonce=b"nonce.",
    )
    challenge = token.message_id(token.seal(made, KEY), POLICY.domain)
    known = facts(held=HeldMail(**HELD, state="waiting"))
    given = mail(ANA.address, in_reply_to=(challenge,), text=words, visible=words)
    return decided(given, known)


@pytest.mark.parametrize(
    "words",
    [
        "No!",
        "No, I did not write this.",
        "Hi,\n\nthat wasn’t me.",
        "Nein, das war ich nicht",
        "Non, ce n'est pas moi.",
        "No he sido yo",
        "Não fui eu.",
        "Phishing?",
        "drop",
    ],
)
def test_an_agent_who_said_no_to_a_challenge_released_the_forged_mail(words: str) -> None:
    denied = _released(words)
    assert denied.outcome is Outcome.COMMAND
    [told] = denied.effects
    assert isinstance(told, Notify)
    assert (told.notice, [p.address for p in told.to]) == (Notice.TRANSCRIPT, [ANA.address])
    assert "seems to say no" in told.note


@pytest.mark.parametrize(
    "words", ["", "Yes", "Yes, no doubt", "Sí, no hay duda", "That was me", "ok"]
)
def test_any_other_words_release_it(words: str) -> None:
    assert [type(effect) for effect in _released(words).effects] == [Approve]
