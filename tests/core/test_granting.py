"""What comes of a wish: the ticket, the notices, and who may have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mailgate.core.decision import (
    AppendMessage,
    Decision,
    Facts,
    Mute,
    Notice,
    Notify,
    Outcome,
    Rate,
    SentMail,
)
from mailgate.core.mail import Attachment, ParsedMail
from mailgate.core.policy import Customers
from mailgate.core.ticket import LifeCycle, MessageKind
from tests.core.decisions import AUTOMATIC, LIST, decided, fields, told
from tests.core.samples import (
    ANA,
    DAY,
    FACTS,
    NOW,
    OURS,
    PINNED,
    POLICY,
    facts,
    headers,
    mail,
    our_id,
    rule,
    ticket,
)

RITA, CARL = "rita@customer.test", "carl@customer.test"


def said(words: str, sender: str = RITA, **more: Any) -> ParsedMail:
    """An answer with these words to our mail to Rita or Carl."""
    ours = OURS if sender == RITA else our_id(sender)
    subject = "Re: [HELP#7] Printer"
    plain = mail(sender, subject, visible=words, text=words, in_reply_to=(ours,))
    return replace(plain, **more)


def on(status: str = "open", **more: Any) -> Facts:
    return facts(ticket(status=status, **more))


def only(decision: Decision, kind: type) -> list[Any]:
    return [effect for effect in decision.effects if isinstance(effect, kind)]


def notice(decision: Decision, wanted: Notice) -> Notify:
    [found] = [n for n in only(decision, Notify) if n.notice is wanted]
    assert isinstance(found, Notify)
    return found


def is_plain(decision: Decision) -> bool:
    """Whether the mail was taken for a message and nothing else."""
    steps = {step.step for step in decision.trace}
    done = only(decision, Rate) + [m for m in only(decision, Mute) if m.muted]
    return (
        not done and "wish" not in steps and not ({"state", "rated", "muted"} & notices(decision))
    )


def notices(decision: Decision) -> set[str]:
    return set(told(decision).values())


# --- each wish ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["new", "open", "waiting", "resolved", "closed"])
def test_the_state_goes_to_whoever_asked_and_changes_nothing(status: str) -> None:
    known = on(status, closed=NOW - 99 * DAY if status == "closed" else None)
    found = decided(said("Status?"), known)
    assert (found.outcome, found.target, fields(found)) == (Outcome.REPLY, 7, {})
    assert told(found) == {ANA.address: "agent-message", RITA: "state"}
    assert [e.kind for e in only(found, AppendMessage)] == [MessageKind.CUSTOMER]
    assert ("wish", "state") in {(step.step, step.verdict) for step in found.trace}


def test_somebody_on_the_cc_list_may_ask_as_well() -> None:
    found = decided(said("status", CARL), on())
    assert told(found) == {ANA.address: "agent-message", CARL: "state"}


@pytest.mark.parametrize("status", ["new", "open", "waiting"])
def test_close_resolves_and_says_how_to_take_it_back(status: str) -> None:
    found = decided(said("Close"), on(status))
    assert fields(found) == {"status": "resolved"}
    assert told(found) == {ANA.address: "agent-message", RITA: "status", CARL: "status"}
    assert notice(found, Notice.STATUS).wished


def test_close_closes_where_nothing_can_be_resolved() -> None:
    policy = replace(POLICY, life=LifeCycle(transitions={"open": ("closed",)}))
    found = decided(said("Close"), on(), policy)
    assert fields(found) == {"status": "closed"}
    assert notice(found, Notice.CLOSURE).wished


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_closing_what_is_over_is_answered_with_the_state(status: str) -> None:
    found = decided(said("Close"), on(status, closed=NOW))
    assert fields(found) == {}
    assert told(found)[RITA] == "state"


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_a_rating_is_kept_and_wakes_nothing(status: str) -> None:
    found = decided(said("4"), facts(ticket(status=status, closed=NOW - 99 * DAY), sent={}))
    assert found.target == 7
    assert only(found, Rate) == [Rate(rating=4, by=RITA)]
    assert fields(found) == {}
    assert told(found) == {ANA.address: "agent-message", RITA: "rated"}


@pytest.mark.parametrize("asked", ["status", "closure", "state", "rated"])
def test_a_rating_answers_a_mail_that_may_ask_for_it(asked: str) -> None:
    assert only(decided(said("4"), answering(asked)), Rate) == [Rate(rating=4, by=RITA)]


@pytest.mark.parametrize("asked", ["answer", "copy", "confirmation", "assignment"])
def test_a_digit_that_answers_any_other_mail_is_an_answer(asked: str) -> None:
    found = decided(said("4"), answering(asked))
    assert is_plain(found)
    assert fields(found) == {"status": "open"}


def answering(asked: str) -> Facts:
    """A resolved ticket, and our mail that is answered."""
    sent: Mapping[str, SentMail] = {OURS: replace(FACTS.sent[OURS], notice=asked)}
    return facts(ticket(status="resolved"), sent=sent)


def test_stop_mutes_and_the_last_mail_says_so() -> None:
    found = decided(said("stop"), on("resolved"))
    assert only(found, Mute) == [Mute(address=RITA, muted=True, because="asked for by reply")]
    assert fields(found) == {}
    assert told(found) == {ANA.address: "agent-message", RITA: "muted"}
    assert "nothing more" in notice(found, Notice.AGENT_MESSAGE).note


@pytest.mark.parametrize("words", ["It is broken again.", "Thanks!", "Status?", "Close"])
def test_whoever_writes_again_is_unmuted_and_hears_of_it(words: str) -> None:
    found = decided(said(words), on(muted=(RITA,)))
    assert [(m.address, m.muted) for m in only(found, Mute)] == [(RITA, False)]
    if words == "Close":
        assert told(found)[RITA] == "status"


def test_others_stay_muted() -> None:
    found = decided(said("It is broken again.", CARL), on(muted=(RITA,)))
    assert only(found, Mute) == []
    assert RITA not in told(found)


def test_a_vacation_notice_unmutes_nobody() -> None:
    found = decided(said("I am away.", headers=AUTOMATIC), on(muted=(RITA,)))
    assert only(found, Mute) == []


# --- who, and how ------------------------------------------------------------------------

NEITHER = [
    pytest.param({"headers": AUTOMATIC}, id="automatic"),
    pytest.param({"headers": LIST}, id="list"),
    pytest.param({"headers": headers(precedence="bulk")}, id="bulk"),
    pytest.param(
        {
            "attachments": (
                Attachment(part=1, filename="x", content_type="a/b", size=1, digest="0" * 64),
            )
        },
        id="file",
    ),
    pytest.param({"visible": "", "text": "> stop"}, id="quoted"),
]


@pytest.mark.parametrize("how", NEITHER)
@pytest.mark.parametrize("words", ["Status?", "Close", "4", "stop"])
def test_only_what_a_person_says_with_words_is_a_wish(words: str, how: Mapping[str, Any]) -> None:
    assert is_plain(decided(said(words, **how), on("resolved")))


def test_a_picture_in_the_signature_is_no_file() -> None:
    logo = Attachment(
        part=1, filename="logo.png", content_type="image/png", size=1, digest="0" * 64, inline=True
    )
    assert only(decided(said("stop", attachments=(logo,)), on()), Mute)


@pytest.mark.parametrize("words", ["Status?", "Close", "4", "stop"])
def test_a_stranger_and_an_unproven_sender_have_no_wish(words: str) -> None:
    known = on("resolved")
    stranger = decided(mail("m@evil.test", "[HELP#7]", visible=words, text=words), known)
    assert stranger.outcome is Outcome.TICKET
    assert is_plain(stranger)
    unproven = mail(RITA, "Re: [HELP#7]", visible=words, text=words, in_reply_to=("<x@y.test>",))
    held = decided(unproven, known, PINNED)
    assert held.outcome is Outcome.HELD
    assert is_plain(held)


@pytest.mark.parametrize("words", ["Status?", "Close", "4", "stop"])
def test_history_holds_no_wishes(words: str) -> None:
    found = decided(said(words), on("resolved"), live=False)
    assert is_plain(found)
    assert told(found) == {}


@pytest.mark.parametrize("words", ["Status?", "Close", "stop"])
def test_an_agents_word_is_an_answer(words: str) -> None:
    answer = mail(ANA.address, "Re: [HELP#7]", visible=words, text=words, in_reply_to=(OURS,))
    assert is_plain(decided(answer, on()))


def test_switched_off_it_is_a_message() -> None:
    off = Customers(status=False, close=False, rating=False, stop=False)
    for words in ("Status?", "Close", "4", "stop"):
        found = decided(said(words), on("resolved"), replace(POLICY, customers=off))
        assert is_plain(found)
        assert fields(found) == {"status": "open"}


def test_rules_still_apply() -> None:
    policy = replace(POLICY, rules=(rule(on="reply", tag="asked"),))
    found = decided(said("Status?"), on(), policy)
    assert "asked" in repr(found.effects)
    assert told(found)[RITA] == "state"


def test_what_is_no_wish_on_a_ticket_long_closed_opens_a_new_one() -> None:
    long_ago = on("closed", closed=NOW - 99 * DAY)
    assert decided(said("It is broken again."), long_ago).outcome is Outcome.TICKET
    assert decided(said("stop"), long_ago).target == 7
