"""Mail of an agent that opens a ticket for a customer: what acts, what waits, what is as ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mailgate.core.decision import (
    AddParticipant,
    AppendMessage,
    Decision,
    HeldMail,
    Hold,
    New,
    Notice,
    Notify,
    OpenTicket,
    Outcome,
    SetField,
    SetRequester,
)
from mailgate.core.mail import Address, Attachment, Envelope, ParsedMail
from mailgate.core.onbehalf import WAITS
from mailgate.core.people import Stamp
from mailgate.core.policy import Policy
from mailgate.core.ticket import MessageKind
from tests.core.decisions import decided, kinds
from tests.core.samples import ANA, FACTS, NOW, PINNED, POLICY, STRICT, mail, ticket

LOGIN = Envelope(mail_from=ANA.address, rcpt_tos=("support@help.test",), login=ANA.address)
RITA = Address(addr="rita@customer.test", name="Rita Vega")
THEIRS = """---------- Forwarded message ---------
From: Rita Vega <rita@customer.test>
Date: Fri, 1 May 2026 16:20:00 +0200
Subject: Printer
To: Ana <ana@agents.test>
Cc: Max <max@customer.test>, <hilfe@help.test>, Nobody <no-reply@customer.test>

It does not print.
#close
"""
ALIGNED = (Stamp.ALIGNED, "dmarc=pass")


def forward(above: str = "She called.", subject: str = "Fwd: Printer", **more: Any) -> ParsedMail:
    """Ana's forward of Rita's mail."""
    text = f"{above}\n\n{THEIRS}" if above else THEIRS
    return mail(ANA.address, subject, **{"text": text, "visible": text, **more})


def only(decision: Decision, kind: type[Any]) -> Any:
    [found] = [effect for effect in decision.effects if isinstance(effect, kind)]
    return found


def messages(decision: Decision) -> dict[MessageKind, AppendMessage]:
    return {e.kind: e for e in decision.effects if isinstance(e, AppendMessage)}


def told(decision: Decision, notice: Notice) -> list[str]:
    notices = (e for e in decision.effects if isinstance(e, Notify) and e.notice is notice)
    return [person.address for notify in notices for person in notify.to]


# --- what a forward becomes ----------------------------------------------------------------


def test_the_customer_becomes_the_requester_and_the_agents_words_a_note() -> None:
    made = decided(forward(), envelope=LOGIN)
    opened, said = only(made, OpenTicket), messages(made)
    assert (opened.requester, opened.subject) == (RITA, "Printer")
    theirs, ours = said[MessageKind.CUSTOMER].mail, said[MessageKind.NOTE].mail
    assert theirs is not None
    assert ours is not None
    assert theirs.date == datetime(2026, 5, 1, 14, 20, tzinfo=UTC)
    assert theirs.visible.strip() == "It does not print.\n#close"
    assert ours.visible == "She called."
    assert said[MessageKind.CUSTOMER].author == RITA
    assert said[MessageKind.NOTE].author == Address(addr=ANA.address, name=ANA.name)


def test_people_on_cc_are_checked_as_those_of_any_mail() -> None:
    made = decided(forward(), envelope=LOGIN)
    assert only(made, AddParticipant).address.addr == "max@customer.test"
    left = {step.verdict for step in made.trace if step.step == "cc"}
    assert "no-reply@customer.test not added" in left


def test_commands_in_the_forwarded_mail_are_the_customers_words() -> None:
    made = decided(forward("#priority high"), envelope=LOGIN)
    fields = [(e.field, e.value) for e in made.effects if isinstance(e, SetField)]
    assert fields == [("priority", "high")]
    assert set(messages(made)) == {MessageKind.CUSTOMER}


def test_an_attached_mail_is_the_message_with_its_own_attachments() -> None:
    file = Attachment(part=2001, filename="a.log", content_type="text/plain", size=3, digest="d")
    outer = Attachment(part=1, filename="x", content_type="message/rfc822", size=9, digest="e")
    plan = Attachment(
        part=2, filename="plan.pdf", content_type="application/pdf", size=1, digest="f"
    )
    inside = mail(RITA.addr, "Printer", text="Hi", visible="Hi", attachments=(file,))
    made = decided(
        mail(ANA.address, "Fwd: x", text="", enclosed=(inside,), attachments=(outer, plan)),
        envelope=LOGIN,
    )
    said = messages(made)
    theirs, ours = said[MessageKind.CUSTOMER].mail, said[MessageKind.NOTE].mail
    assert theirs is not None
    assert ours is not None
    assert (theirs.attachments, theirs.message_id) == ((file,), inside.message_id)
    assert ours.attachments == (plan,)


def test_customers_are_not_shown_the_id_of_the_agents_mail() -> None:
    words = "#requester rita@customer.test\n\nToner"
    for one in (forward(), mail(ANA.address, "Toner", text=words, visible=words)):
        shown = [e.mail for e in messages(decided(one, envelope=LOGIN)).values()]
        assert not any(m is None or m.has_message_id for m in shown)


def test_a_named_requester_counts_more_than_the_author_of_the_forwarded_mail() -> None:
    made = decided(forward("#requester max@customer.test"), envelope=LOGIN)
    assert only(made, OpenTicket).requester.addr == "max@customer.test"


def test_a_ticket_for_a_customer_who_called() -> None:
    words = "#requester rita@customer.test\n#note\n\nShe called."
    made = decided(mail(ANA.address, "Toner", text=words, visible=words), envelope=LOGIN)
    assert only(made, OpenTicket).requester.addr == RITA.addr
    assert set(messages(made)) == {MessageKind.NOTE}
    assert told(made, Notice.CONFIRMATION) == [RITA.addr]
    assert told(made, Notice.TRANSCRIPT) == [ANA.address]


# --- what acts and what waits ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "stamp"),
    [
        pytest.param(POLICY, None, id="nothing pinned"),
        pytest.param(STRICT, None, id="strict"),
        pytest.param(POLICY, ALIGNED, id="stamp"),
        pytest.param(PINNED, ALIGNED, id="pinned and stamped"),
    ],
)
@pytest.mark.parametrize("words", ["forward", "#requester rita@customer.test\n\nToner"])
def test_less_than_a_login_is_held_and_the_agent_is_asked(
    policy: Policy, stamp: Any, words: str
) -> None:
    one = forward() if words == "forward" else mail(ANA.address, text=words, visible=words)
    made = decided(one, policy=policy, stamp=stamp)
    held = only(made, Hold)
    assert (made.outcome, made.target, held.owner) == (Outcome.HELD, New(), ANA.address)
    assert held.why.startswith(WAITS)
    assert only(made, OpenTicket).requester.addr == ANA.address
    assert told(made, Notice.CHALLENGE) == [ANA.address]
    assert not told(made, Notice.CONFIRMATION)
    assert RITA.addr not in str([e for e in made.effects if isinstance(e, Notify)])


@pytest.mark.parametrize(
    ("policy", "how"),
    [
        pytest.param(PINNED, {}, id="pinned, without a stamp"),
        pytest.param(POLICY, {"stamp": (Stamp.FAILED, "dmarc=fail")}, id="forged"),
        pytest.param(POLICY, {"live": False}, id="history"),
        pytest.param(POLICY, {"live": False, "envelope": LOGIN}, id="history, logged in"),
    ],
)
def test_from_alone_is_a_mail_like_any_other(policy: Policy, how: dict[str, Any]) -> None:
    made = decided(forward(), policy=policy, **how)
    assert kinds(made) == ["customer"]
    assert only(made, OpenTicket).requester.addr == ANA.address
    assert only(made, AppendMessage).mail is None


@pytest.mark.parametrize("words", [THEIRS, "#requester max@customer.test\n\nToner"])
def test_customers_open_tickets_of_their_own(words: str) -> None:
    login = replace(LOGIN, login="rita@customer.test")
    made = decided(mail(RITA.addr, "Fwd: Printer", text=words, visible=words), envelope=login)
    assert only(made, OpenTicket).requester.addr == RITA.addr
    assert only(made, AppendMessage).mail is None


@pytest.mark.parametrize(
    "author",
    ["ben@agents.test", "support@help.test", "no-reply@customer.test", "MAILER-DAEMON@x.test"],
)
def test_nobody_becomes_a_requester_who_must_not(author: str) -> None:
    text = THEIRS.replace("rita@customer.test", author)
    made = decided(forward(text=text, visible=text), envelope=LOGIN)
    assert only(made, OpenTicket).requester.addr == ANA.address
    assert [step.verdict for step in made.trace if step.step == "forward"] == ["taken as it came"]


@pytest.mark.parametrize(
    "line", ["#merge 7", "#undo", "#show", "#mine", "#priorty high", "#requester support@help.test"]
)
def test_mistakes_hold_the_mail_C5(line: str) -> None:
    made = decided(forward(f"{line}\n\nShe called."), envelope=LOGIN)
    assert (made.outcome, only(made, Hold).owner) == (Outcome.HELD, ANA.address)
    assert told(made, Notice.TRANSCRIPT) == [ANA.address]
    assert not told(made, Notice.CONFIRMATION)


# --- after the agent said yes ---------------------------------------------------------------


def released(one: ParsedMail, policy: Policy = POLICY) -> Decision:
    held = HeldMail(
        id=1,
        ticket=7,
        message=2,
        inbox=3,
        author=ANA.address,
        owner=ANA.address,
        why=f"{WAITS}, which asks for more",
        created=NOW,
        expires=NOW,
        state="released",
        by=ANA.address,
    )
    there = ticket(subject="Fwd: Printer", requester=ANA.address, cc=())
    known = replace(FACTS, tickets={7: there}, held=held)
    return decided(one, known, policy, approved_by=ANA.address)


def test_what_was_held_becomes_the_customers_ticket() -> None:
    made = released(forward())
    assert made.target == 7
    assert only(made, SetRequester).address == RITA
    assert ("subject", "Printer") in [
        (e.field, e.value) for e in made.effects if isinstance(e, SetField)
    ]
    assert list(messages(made)) == [MessageKind.CUSTOMER, MessageKind.NOTE]
    assert not [e for e in made.effects if isinstance(e, OpenTicket)]
    assert set(told(made, Notice.CONFIRMATION)) == {RITA.addr, "max@customer.test"}


def test_what_cannot_be_read_any_more_is_a_note() -> None:
    made = released(mail(ANA.address, "Hello", text="Hello", visible="Hello"))
    assert (made.outcome, kinds(made)) == (Outcome.NOTE, ["note"])
