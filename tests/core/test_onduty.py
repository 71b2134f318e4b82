"""Who may answer a duty list, with what proof, and what comes of each order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailgate.core.decision import (
    AskDuty,
    CarryOut,
    Decision,
    Facts,
    New,
    Notice,
    Notify,
    Outcome,
    SettleDuty,
)
from mailgate.core.duty import Blocked, DutyItem, DutyList, Order, Verb
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Agent, Role
from mailgate.core.policy import Policy
from mailgate.core.token import Purpose
from tests.core.decisions import decided, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    ENVELOPE,
    NOW,
    PINNED,
    POLICY,
    facts,
    headers,
    mail,
    reply_to,
    sealed,
    stamped,
    ticket,
)

DUTY = replace(PINNED, duty=(ANA.address,))
OPEN = replace(POLICY, duty=(ANA.address,))  # nothing is pinned
GOOD = stamped()
FORGED = stamped("dmarc=fail")
HELD: dict[str, Any] = {"held": 5, "ticket": 7, "expires": NOW + DAY}
ITEMS = (
    DutyItem(number=1, inbox=11, sender="emil@customer.test"),
    DutyItem(number=2, inbox=12, sender="sol@other.test", **HELD),
    DutyItem(number=3, inbox=13),
    DutyItem(number=4, inbox=14, sender=BEN.address, **HELD),
    DutyItem(number=5, inbox=15, sender="x@y.test", owner=ANA.address, **HELD),
    DutyItem(number=6, inbox=16, sender="support@help.test"),
    DutyItem(number=7, inbox=17, sender="mailer-daemon@isp.test"),
)
LIST = DutyList(id=3, agent=ANA.address, expires=NOW + DAY, items=ITEMS)
ASKED = replace(LIST, id=4, asks=(Order(number=1, verb=Verb.DROP),))


def at(address: str = ANA.address, number: int = 3, **more: Any) -> str:
    """Where a duty list is answered."""
    return reply_to(address, number, Role.AGENT, **{"purpose": Purpose.DUTY, **more})


def answer(words: str, sender: str = ANA.address, to: str = "", **more: Any) -> ParsedMail:
    """A mail with these words to the address of the list."""
    given: dict[str, Any] = {"to": (to or at(),), "date": NOW, "text": words, "visible": words}
    return mail(sender, "Re: What waits", **{**given, **more})


def known(duty: DutyList | None = LIST, **more: Any) -> Facts:
    return facts(ticket(7), ticket(8, queue="sales"), duty=duty, **more)


def worked(given: ParsedMail, about: Facts, policy: Policy = DUTY, **how: Any) -> Decision:
    return decided(given, about, policy, **how)


def done(decision: Decision) -> list[tuple[int, str, str]]:
    return [
        (e.item.number, str(e.order), e.by) for e in decision.effects if isinstance(e, CarryOut)
    ]


def lines(decision: Decision) -> list[str]:
    """What the agent is told."""
    [one] = [e for e in decision.effects if isinstance(e, Notify)]
    assert (one.notice, [p.address for p in one.to]) == (Notice.DUTY_ANSWER, [ANA.address])
    return (one.words or "").split("\n")


def test_with_two_proofs_each_order_is_done() -> None:
    orders = "1 accept\n2 ticket 7\n3 drop\n\nRegards,\nAna"
    decision = worked(answer(orders, **GOOD), known())
    assert decision.outcome is Outcome.COMMAND
    assert decision.target is None
    assert done(decision) == [
        (1, "1 accept", ANA.address),
        (2, "2 ticket 7", ANA.address),
        (3, "3 drop", ANA.address),
    ]
    assert lines(decision)[2] == "3 drop: dropped"
    assert told(decision) == {ANA.address: "duty-answer"}


def test_an_alias_and_a_login_work_too() -> None:
    by_alias = answer("1 drop", sender=ANA.aliases[0], **stamped(domain="phone.test"))
    assert len(done(worked(by_alias, known()))) == 1
    login = Envelope(mail_from=ANA.address, rcpt_tos=(at(),), login=ANA.address)
    assert len(done(worked(answer("1 drop"), known(), OPEN, envelope=login))) == 1


def test_a_message_id_alone_says_what_it_answers() -> None:
    made = sealed(ANA.address, 3, Role.AGENT, purpose=Purpose.DUTY, nonce=b"nonce.")
    by_id = {"to": "support@help.test", **GOOD}
    near = answer("1 drop", in_reply_to=(f"<mg.{made}@help.test>",), **by_id)
    assert len(done(worked(near, known()))) == 1
    far = answer("1 drop", references=(f"<mg.{made}@help.test>", "<x@y>"), **by_id)
    assert done(worked(far, known())) == []


@pytest.mark.parametrize(
    ("policy", "stamp"),
    [(OPEN, {}), (DUTY, {}), (DUTY, FORGED), (replace(OPEN, trust=DUTY.trust), {})],
)
def test_with_fewer_the_agent_is_asked_once(policy: Policy, stamp: dict[str, Any]) -> None:
    decision = worked(answer("1 drop\n2 accept", **stamp), known(), policy)
    assert decision.outcome is Outcome.IGNORED
    assert done(decision) == []
    assert decision.effects[0] == AskDuty(
        duty=3, orders=(Order(number=1, verb=Verb.DROP), Order(number=2, verb=Verb.ACCEPT))
    )
    asked = decision.effects[1]
    assert isinstance(asked, Notify)
    assert asked.asks
    assert lines(decision) == ["1 drop", "2 accept"]
    full = known(replace(LIST, pending=5))
    assert worked(answer("1 drop\n2 accept", **stamp), full, policy).effects == ()


def test_an_old_mail_that_is_sent_again_is_asked_about() -> None:
    old = answer("1 drop", **{**GOOD, "date": NOW - 30 * DAY})
    assert isinstance(worked(old, known()).effects[0], AskDuty)
    in_envelope = answer("1 drop", to="support@help.test", **GOOD)
    there = replace(ENVELOPE, rcpt_tos=(at(),))
    assert isinstance(worked(in_envelope, known(), envelope=there).effects[0], AskDuty)


def test_the_answer_to_the_question_does_it_once() -> None:
    confirmed = worked(answer("Yes.", to=at(number=4)), known(ASKED), OPEN)
    assert confirmed.outcome is Outcome.COMMAND
    assert confirmed.effects[0] == SettleDuty(duty=4)
    assert done(confirmed) == [(1, "1 drop", ANA.address)]
    again = worked(answer("Yes.", to=at(number=4)), known(replace(ASKED, settled=True)), OPEN)
    assert (done(again), lines(again)) == (
        [],
        ["Nothing was done: they were carried out already"],
    )
    late = known(replace(ASKED, expires=NOW - DAY))
    assert lines(worked(answer("Yes."), late, OPEN)) == [
        "Nothing was done: the time for it is over"
    ]
    assert done(worked(answer("Yes.", **FORGED), known(ASKED), DUTY)) == []


def test_a_no_to_the_question_did_it() -> None:
    denied = worked(answer("No, that was not me.", to=at(number=4)), known(ASKED), OPEN)
    assert done(denied) == []
    assert SettleDuty(duty=4) not in denied.effects
    assert lines(denied)[0].startswith("Nothing was done: your answer seems to say no.")


def nothing_of_it(decision: Decision) -> bool:
    """It is a mail like any other."""
    duty = any(isinstance(e, CarryOut | AskDuty | SettleDuty) for e in decision.effects)
    return not duty and "duty-answer" not in told(decision).values()


@pytest.mark.parametrize("sender", ["rita@customer.test", "thief@evil.test", BEN.address])
@pytest.mark.parametrize("about", [LIST, ASKED])
def test_whoever_was_forwarded_the_list_can_do_nothing_with_it(
    sender: str, about: DutyList
) -> None:
    proven = stamped(domain=sender.rpartition("@")[2])
    for policy in (DUTY, OPEN):
        decision = worked(answer("1 drop sender", sender, **proven), known(about), policy)
        assert nothing_of_it(decision)
        assert decision.target == New()
        steps = [s for s in decision.trace if s.step == "duty"]
        assert [s.verdict for s in steps] == ["no evidence"]


@pytest.mark.parametrize(
    "to",
    [
        at(days=-1),
        at(BEN.address),
        reply_to(ANA.address, 3, Role.AGENT),
        reply_to(ANA.address, 3, Role.AGENT, purpose=Purpose.RELEASE),
        reply_to(ANA.address, 3, Role.AGENT, purpose=Purpose.NOTE),
        at()[:-20] + "a" + at()[-19:],
    ],
)
def test_no_other_token_answers_a_list(to: str) -> None:
    assert nothing_of_it(worked(answer("1 drop", to=to, **GOOD), known()))


def test_who_is_on_duty_no_more_and_machines_and_history_do_nothing() -> None:
    assert nothing_of_it(worked(answer("1 drop", **GOOD), known(), PINNED))
    away = answer("1 drop", headers=headers(auto_submitted="auto-replied"), **GOOD)
    assert nothing_of_it(worked(away, known()))
    assert nothing_of_it(worked(answer("1 drop", **GOOD), known(), live=False))
    assert nothing_of_it(worked(answer("1 drop", **GOOD), known(None)))


def test_leads_are_on_duty_where_nobody_is_named() -> None:
    lead = Agent(address="lea@agents.test", lead=True)
    policy = replace(POLICY, agents=(ANA, lead))
    assert policy.on_duty == (lead,)
    assert POLICY.on_duty == ()
    assert replace(policy, duty=("ANA@agents.test",)).on_duty == (ANA,)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("2 ticket 99", "2 ticket 99: there is no ticket #99 that you work on"),
        ("8 drop", "8: the list goes from 1 to 7"),
        ("3 drop sender", "3 drop sender: nobody knows who sent it"),
        ("4 drop sender", "4 drop sender: ben@agents.test is an agent's address"),
        ("4 ticket 7", "4 ticket 7: it is no customer's mail"),
        ("5 ticket 7", "5 ticket 7: it is no customer's mail"),
        ("6 drop sender", "6 drop sender: support@help.test is an address of this desk"),
        (
            "7 drop sender",
            "7 drop sender: mailer-daemon@isp.test sends reports of mail that failed",
        ),
        ("Please do", "Please do: that is no order"),
    ],
)
def test_one_mistake_keeps_all_orders_from_being_done(order: str, why: str) -> None:
    decision = worked(answer(f"1 accept\n{order}", **GOOD), known())
    assert decision.outcome is Outcome.COMMAND
    assert done(decision) == []
    assert lines(decision)[0].startswith(why)
    assert lines(decision)[-1].startswith("Nothing was done.")


def test_a_ticket_of_another_queue_is_none_for_this_agent() -> None:
    policy = replace(DUTY, duty=(BEN.address,))
    theirs = {"sender": BEN.address, "to": at(BEN.address), **GOOD}
    about = known(replace(LIST, agent=BEN.address))
    [word] = [
        e.words
        for e in worked(answer("1 ticket 7", **theirs), about, policy).effects
        if isinstance(e, Notify)
    ]
    assert str(word).startswith("1 ticket 7: there is no ticket #7 that you work on")
    assert len(done(worked(answer("1 ticket 8", **theirs), about, policy))) == 1


@pytest.mark.parametrize("order", ["2 accept", "2 drop", "2 drop sender", "2 ticket 8"])
def test_an_old_list_is_no_key_to_a_queue_that_its_agent_has_left(order: str) -> None:
    policy = replace(DUTY, duty=(BEN.address,))
    theirs = {"sender": BEN.address, "to": at(BEN.address), **GOOD}
    about = known(replace(LIST, agent=BEN.address))
    decision = worked(answer(f"1 accept\n{order}", **theirs), about, policy)
    assert done(decision) == []
    [word] = [e.words for e in decision.effects if isinstance(e, Notify)]
    why = "it is held on a ticket that you do not work on any more"
    assert str(word).startswith(f"{order}: {why}\n")
    assert len(done(worked(answer("1 accept", **theirs), about, policy))) == 1


def test_what_was_dealt_with_meanwhile_says_so() -> None:
    gone = replace(ITEMS[1], state="released", by="ben@agents.test")
    late = replace(ITEMS[1], number=3, expires=NOW)
    about = known(replace(LIST, items=(ITEMS[0], gone, late)))
    decision = worked(answer("1-3 drop", **GOOD), about)
    assert [number for number, _, _ in done(decision)] == [1]
    assert lines(decision)[1:] == [
        "2 drop: nothing was done: released already, by ben@agents.test",
        "3 drop: nothing was done: the time for it is over",
    ]
    # There is nothing to ask about either.
    unproven = worked(answer("2-3 drop"), about, OPEN)
    assert (unproven.outcome, done(unproven)) == (Outcome.COMMAND, [])


BLOCKED = Blocked(address="rita@customer.test", by="ana@agents.test", at=NOW)


def test_mail_of_a_blocked_sender_is_ignored_with_the_reason() -> None:
    decision = decided(mail(), facts(blocked=BLOCKED))
    assert decision.outcome is Outcome.IGNORED
    assert decision.reason == "sender blocked by ana@agents.test on 2026-05-04"
    assert decision.effects == ()


def test_what_somebody_let_through_and_history_are_not() -> None:
    for how in ({"accepted_by": "command line"}, {"live": False}):
        assert decided(mail(), facts(blocked=BLOCKED), **how).target == New()


def test_an_agent_or_an_address_of_ours_is_never_blocked() -> None:
    mine = replace(BLOCKED, address=ANA.address)
    given = mail(ANA.address, in_reply_to=(reply_to(ANA.address),))
    assert "blocked" not in decided(given, facts(blocked=mine)).reason


def test_an_accepted_mail_goes_where_it_was_wanted() -> None:
    decision = decided(
        mail("sol@other.test"),
        facts(),
        accepted_by=ANA.address,
        approved_by=ANA.address,
        approved_for=7,
        now=NOW + timedelta(hours=1),
    )
    assert (decision.outcome, decision.target) == (Outcome.REPLY, 7)
