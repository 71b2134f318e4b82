"""What a third party may: be heard by agents, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgate.core.decision import (
    Facts,
    HeldMail,
    Notify,
    Outcome,
    SentCopy,
    SetField,
    aside_to,
)
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Power, Role
from mailgate.core.proofs import claims
from mailgate.core.token import Purpose, holder_of, pair_of
from tests.core.decisions import AUTOMATIC, LIST, copied, decided, fields, kinds, standings, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    ENVELOPE,
    KEY,
    NOW,
    OURS,
    PINNED,
    POLICY,
    STRICT,
    facts,
    mail,
    reply_to,
    stamped,
    ticket,
)
from tests.core.side_talk import (
    AT_SAM,
    KIM,
    RITA,
    SAM,
    TAKEN,
    TALK,
    TO_SAM,
    aside,
    by_ana,
    by_sam,
    on_seven,
)


def test_a_third_party_is_heard_by_agents_alone() -> None:
    found = decided(by_sam(cc=(RITA, "new@customer.test")), TAKEN)
    assert found.outcome is Outcome.NOTE
    assert told(found) == {BEN.address: "agent-side"}
    assert kinds(found) == ["note"]
    assert aside(found) == [(SAM,)]
    assert copied(found) == []
    assert fields(found) == {}
    [notify] = [e for e in found.effects if isinstance(e, Notify)]
    assert (notify.ears, notify.subject) == (aside_to(SAM), "Fuser")


def test_nobody_assigned_means_that_the_queue_hears() -> None:
    assert told(decided(by_sam(), TALK)) == {ANA.address: "agent-side"}


@pytest.mark.parametrize("status", ["waiting", "resolved", "closed"])
def test_it_wakes_nothing_and_opens_nothing(status: str) -> None:
    old = ticket(sides=(SAM,), status=status, closed=NOW - 99 * DAY)
    found = decided(by_sam(), facts(old))
    assert found.target == 7
    assert not [e for e in found.effects if isinstance(e, SetField)]


@pytest.mark.parametrize("words", ["stop", "close", "5", "status?", "thanks"])
def test_wishes_are_words(words: str) -> None:
    found = decided(by_sam(words), TALK)
    assert kinds(found) == ["note"]
    assert told(found) == {ANA.address: "agent-side"}


def test_the_customers_token_beside_it_makes_it_no_more_public() -> None:
    for other in (reply_to(RITA), reply_to("carl@customer.test", role=Role.CC)):
        for to in ((TO_SAM, other), (other, TO_SAM)):
            assert told(decided(by_sam(to=to), TALK)) == {ANA.address: "agent-side"}
    found = decided(by_sam(in_reply_to=(OURS,)), TALK)
    assert told(found) == {ANA.address: "agent-side"}


def test_who_is_on_cc_as_well_speaks_aside_where_they_answer_aside() -> None:
    known = facts(ticket(sides=(SAM,), cc=(SAM,)))
    both = (TO_SAM, reply_to(SAM, role=Role.CC))
    assert told(decided(by_sam(to=both), known)) == {ANA.address: "agent-side"}
    assert decided(by_sam(to=both[1:]), known).outcome is Outcome.REPLY


@pytest.mark.parametrize(
    ("given", "known", "policy", "want"),
    [
        pytest.param(by_sam(), TALK, POLICY, (Role.SIDE, Power.ACT, 1), id="a token"),
        pytest.param(by_sam(), facts(), PINNED, (Role.SIDE, Power.ACT, 1), id="pinned, a token"),
        pytest.param(by_sam(), facts(), STRICT, (Role.SIDE, Power.ACT, 1), id="strict, a token"),
        pytest.param(
            by_sam(**stamped(domain="supplier.test")), TALK, PINNED, (Role.SIDE, Power.ACT, 2),
            id="a token and a stamp",
        ),
        pytest.param(
            by_sam(to=("support@help.test",), **stamped(domain="supplier.test")), TALK, PINNED,
            (Role.SIDE, Power.ACT, 1), id="a stamp, and known here",
        ),
        pytest.param(
            by_sam(to=("support@help.test",), **stamped(domain="supplier.test")), facts(), PINNED,
            (Role.STRANGER, Power.LINK, 0), id="a stamp, and unknown here",
        ),
        pytest.param(
            by_sam(to=("support@help.test",)), TALK, POLICY, (Role.STRANGER, Power.LINK, 0),
            id="From alone",
        ),
        pytest.param(
            mail("mallory@evil.test", to=(TO_SAM,)), TALK, POLICY, (Role.STRANGER, Power.HOLD, 1),
            id="somebody else with the token",
        ),
        pytest.param(
            by_sam(to=(reply_to(SAM, role=Role.SIDE, purpose=Purpose.SIDE, days=-1),)), TALK,
            POLICY, (Role.STRANGER, Power.LINK, 0), id="an expired token",
        ),
        pytest.param(
            by_sam(
                to=(
                    reply_to(
                        SAM, role=Role.SIDE, purpose=Purpose.SIDE,
                        key=replace(KEY, secret=b"a guess" * 5),
                    ),
                )
            ),
            TALK, POLICY, (Role.STRANGER, Power.LINK, 0), id="a forged token",
        ),
        pytest.param(
            mail(RITA, to=(TO_SAM,)), TALK, PINNED, (Role.STRANGER, Power.HOLD, 1),
            id="it proves no customer",
        ),
        pytest.param(
            mail(ANA.address, to=(TO_SAM,)), TALK, POLICY, (Role.STRANGER, Power.HOLD, 1),
            id="nor an agent",
        ),
        pytest.param(
            by_sam(to=(AT_SAM,)), TALK, POLICY, (Role.STRANGER, Power.HOLD, 1),
            id="an agent's proves no third party",
        ),
    ],
)  # fmt: skip
def test_what_a_side_token_is_worth(
    given: ParsedMail, known: Facts, policy: Any, want: tuple[Role, Power, int]
) -> None:
    assert on_seven(given, known, policy=policy) == want


def test_an_agents_token_is_the_agents_and_leads_to_one_third_party() -> None:
    assert on_seven(by_ana()) == (Role.AGENT, Power.ACT, 1)
    assert on_seven(by_ana(), policy=PINNED) == (Role.AGENT, Power.HOLD, 1)
    ben = mail(BEN.address, to=(AT_SAM,))
    here = standings(ben, TALK)[7]
    assert (here.power, here.owner) == (Power.HOLD, ANA.address)
    [claim] = claims(by_ana(), ENVELOPE, POLICY)
    assert claim.sealed.token.holder == pair_of(ANA.address.upper(), SAM) != holder_of(SAM)


def test_tokens_that_were_called_back_lead_nowhere() -> None:
    back = replace(TALK, generations={(7, ANA.address): 1})
    assert on_seven(by_ana(), back)[1] is Power.LINK
    gone = replace(TALK, generations={(7, SAM): 1})
    assert on_seven(by_sam(), gone)[1] is Power.LINK


def test_what_somebody_else_sends_is_held_and_never_made_public() -> None:
    kim = mail(KIM, to=(TO_SAM,), cc=(RITA,))
    found = decided(kim, TALK)
    assert (found.outcome, told(found)) == (Outcome.HELD, {ANA.address: "agent-held"})
    waits = HeldMail(
        id=1, ticket=7, message=3, inbox=2, author=KIM, owner="", why="a token",
        created=NOW, expires=NOW + DAY,
    )  # fmt: skip
    done = decided(kim, replace(TALK, held=waits), approved_by=ANA.address)
    assert (done.outcome, told(done)) == (Outcome.NOTE, {ANA.address: "agent-side"})
    assert (kinds(done), aside(done), copied(done)) == (["note"], [(KIM,)], [])
    rita = replace(waits, author=RITA)
    customer = decided(
        mail(RITA, to=(TO_SAM,)), replace(TALK, held=rita), PINNED, approved_by=ANA.address
    )
    assert kinds(customer) == ["customer"]


def test_machines_of_third_parties_are_treated_as_any() -> None:
    found = decided(by_sam(headers=AUTOMATIC), TALK)
    assert (found.outcome, kinds(found), told(found)) == (Outcome.NOTE, ["system"], {})
    assert decided(by_sam(headers=LIST), TALK).outcome is Outcome.NOTE


def test_a_client_that_answers_at_the_return_path_is_read() -> None:
    path = reply_to(SAM, 5, role=Role.SIDE, purpose=Purpose.BOUNCE)
    copy = SentCopy(outbox=9, recipient=9, ticket=7, address=SAM, role="side", notice="side")
    found = decided(by_sam(to=(path,)), replace(TALK, copy=copy))
    assert (found.outcome, kinds(found), aside(found)) == (Outcome.NOTE, ["system"], [(SAM,)])
    assert told(found) == {ANA.address: "agent-side"}


def test_a_merged_ticket_hears_in_its_survivor() -> None:
    known = facts(ticket(8, sides=(SAM,)), merged={7: 8})
    assert decided(by_sam(), known).target == 8
    found = decided(by_ana(), known)
    assert (found.target, told(found)) == (8, {SAM: "side"})


PAST = replace(TALK, seen={"<fuser@supplier.test>": (7,)})
AT_DESK = ("support@help.test",)


@pytest.mark.parametrize("to", [AT_DESK, (TO_SAM,)], ids=["without a token", "with one"])
@pytest.mark.parametrize("cc", [(), (SAM,)], ids=["a third party", "on CC as well"])
def test_accepted_for_a_ticket_it_is_heard_aside_there(
    to: tuple[str, ...], cc: tuple[str, ...]
) -> None:
    known = facts(ticket(sides=("Sam@supplier.test",), cc=cc))
    found = decided(by_sam(to=to), known, approved_by=BEN.address, approved_for=7)
    if cc and to == AT_DESK:
        assert kinds(found) == ["customer"]
        return
    assert (kinds(found), aside(found), copied(found)) == (["note"], [(SAM,)], [])
    assert told(found) == {ANA.address: "agent-side"}


def test_an_agents_mail_accepted_for_a_ticket_is_no_customers() -> None:
    found = decided(mail(ANA.address), TALK, approved_by=BEN.address, approved_for=7)
    assert (found.target == 7, copied(found)) == (False, [])


@pytest.mark.parametrize("days", [None, -1, 30], ids=["no token", "an old one", "a good one"])
@pytest.mark.parametrize("who", [SAM, KIM])
def test_in_an_import_it_is_no_customers_message(who: str, days: int | None) -> None:
    if who == KIM and days is None:
        return  # nothing tells
    token = reply_to(SAM, role=Role.SIDE, purpose=Purpose.SIDE, days=days or 30)
    to = AT_DESK if days is None else (token,)
    past = mail(who, to=to, in_reply_to=("<fuser@supplier.test>",))
    found = decided(past, PAST, live=False)
    assert (found.target, kinds(found), aside(found)) == (7, ["note"], [(who,)])
    assert told(found) == {}


def test_where_nobody_can_tell_who_wrote_the_answer_goes_to_the_third_party() -> None:
    nobody = replace(by_sam(), sender=None)
    waits = HeldMail(
        id=1, ticket=7, message=3, inbox=2, author="", owner="", why="a token",
        created=NOW, expires=NOW + DAY,
    )  # fmt: skip
    found = decided(nobody, replace(TALK, held=waits), approved_by=ANA.address)
    assert (kinds(found), aside(found)) == (["note"], [(SAM,)])
    [notify] = [e for e in found.effects if isinstance(e, Notify)]
    assert notify.ears == aside_to(SAM)


def test_a_return_path_knows_an_address_that_was_written_in_capitals() -> None:
    path = reply_to(SAM, 5, role=Role.SIDE, purpose=Purpose.BOUNCE)
    copy = SentCopy(outbox=9, recipient=9, ticket=7, address=SAM, role="side", notice="side")
    known = replace(facts(ticket(sides=("Sam@supplier.test",))), copy=copy)
    assert told(decided(by_sam(to=(path,)), known)) == {ANA.address: "agent-side"}


@pytest.mark.parametrize(
    ("role", "want"), [("side", "agent-side"), ("cc", "agent-message")], ids=["aside", "public"]
)
def test_who_is_on_cc_as_well_is_read_by_what_they_answer(role: str, want: str) -> None:
    path = reply_to(SAM, 5, role=Role(role), purpose=Purpose.BOUNCE)
    copy = SentCopy(outbox=9, recipient=9, ticket=7, address=SAM, role=role, notice="side")
    known = replace(facts(ticket(sides=(SAM,), cc=(SAM,))), copy=copy)
    found = decided(by_sam(to=(path,)), known)
    assert told(found) == {ANA.address: want}
    assert aside(found) == [(SAM,) if role == "side" else ()]
