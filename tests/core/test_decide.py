"""What becomes of a mail: outcome, ticket, effects and who is told, story by story."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from mailgate.core.decide import quarantine
from mailgate.core.decision import (
    Facts,
    New,
    Outcome,
    RecordBounce,
)
from mailgate.core.mail import ParsedMail
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView
from tests.core.decisions import AUTOMATIC, LIST, NOTHING, REPORTS, decided, fields, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    ENVELOPE,
    FIRST,
    NOW,
    OURS,
    PINNED,
    POLICY,
    TO_ANA,
    facts,
    headers,
    mail,
    reply_to,
    stamped,
    ticket,
)

# --- one row per story -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Story:
    """A mail, what is known, and what has to come of it."""

    given: ParsedMail
    outcome: str
    known: Facts = NOTHING
    target: int | None = None  # of a ticket that is there
    kind: str = ""  # of the message that is kept, "" none
    fields: dict[str, str] | None = None
    told: dict[str, str] | None = None
    policy: Policy = POLICY


STORIES = {
    "a new matter": Story(
        given=mail(),
        outcome="ticket",
        kind="customer",
        told={"rita@customer.test": "confirmation", ANA.address: "agent-new"},
    ),
    "nobody knows who wrote it": Story(
        given=mail(""), outcome="ticket", kind="customer", told={ANA.address: "agent-new"}
    ),
    "the requester writes again": Story(
        given=mail(in_reply_to=(OURS,)),
        known=facts(ticket(status="waiting")),
        outcome="reply",
        target=7,
        kind="customer",
        fields={"status": "open"},
        told={"carl@customer.test": "copy", ANA.address: "agent-message"},
    ),
    "somebody on CC writes": Story(
        given=mail("carl@customer.test", in_reply_to=(OURS,)),
        known=facts(ticket(assignee=BEN.address)),
        outcome="reply",
        target=7,
        kind="customer",
        told={"rita@customer.test": "copy", BEN.address: "agent-message"},
    ),
    "a reply to all": Story(
        given=mail(
            in_reply_to=(OURS,), to=("support@help.test", "Carl@customer.test"), cc=(ANA.address,)
        ),
        known=facts(ticket(assignee=ANA.address)),
        outcome="reply",
        target=7,
        kind="customer",
        told={},
    ),
    "a new ticket stays new when the customer adds something": Story(
        given=mail(in_reply_to=(OURS,)),
        known=facts(ticket(status="new")),
        outcome="reply",
        target=7,
        kind="customer",
        fields={},
        told={"carl@customer.test": "copy", ANA.address: "agent-message"},
    ),
    "a closed ticket opens again in time": Story(
        given=mail(in_reply_to=(OURS,)),
        known=facts(ticket(status="closed", closed=NOW - DAY)),
        outcome="reply",
        target=7,
        kind="customer",
        fields={"status": "open"},
        told={"carl@customer.test": "copy", ANA.address: "agent-message"},
    ),
    "a closed ticket stays closed after the window": Story(
        given=mail(in_reply_to=(OURS,)),
        known=facts(ticket(status="closed", closed=NOW - 15 * DAY)),
        outcome="ticket",
        kind="customer",
        told={"rita@customer.test": "confirmation", ANA.address: "agent-new"},
    ),
    "a stranger with a token of ours (T4)": Story(
        given=mail("mallory@evil.test", in_reply_to=(OURS,)),
        known=facts(ticket(status="waiting", assignee=ANA.address)),
        outcome="held",
        target=7,
        told={ANA.address: "agent-held"},
    ),
    "a robot writes to a customer's reply address (T5)": Story(
        given=mail("no-reply@shop.test", to=(reply_to("rita@customer.test"),)),
        known=facts(),
        outcome="held",
        target=7,
        told={ANA.address: "agent-held"},
    ),
    "an agent's token from another account (A10)": Story(
        given=mail("ana@home.test", in_reply_to=(TO_ANA,), visible="Try again."),
        known=facts(),
        outcome="held",
        target=7,
        told={ANA.address: "challenge"},
    ),
    "an agent without a token, where a stamp is pinned (C3)": Story(
        given=mail(ANA.address, subject="[#7] x", **stamped()),
        known=facts(),
        policy=PINNED,
        outcome="held",
        target=7,
        told={ANA.address: "challenge"},
    ),
    "a forged agent with a leaked token (C2)": Story(
        given=mail(ANA.address, in_reply_to=(TO_ANA,), **stamped("dmarc=fail")),
        known=facts(),
        policy=PINNED,
        outcome="held",
        target=7,
        told={ANA.address: "challenge"},
    ),
    "an automatic mail with somebody else's token": Story(
        given=mail("no-reply@shop.test", in_reply_to=(OURS,), headers=AUTOMATIC),
        known=facts(),
        outcome="note",
        target=7,
        kind="system",
    ),
    "nothing but thanks on a resolved ticket": Story(
        given=mail(in_reply_to=(OURS,), visible="Thank you!"),
        known=facts(ticket(status="resolved")),
        outcome="reply",
        target=7,
        kind="customer",
        told={"carl@customer.test": "copy", ANA.address: "agent-message"},
    ),
    "an agent answers": Story(
        given=mail(ANA.address, in_reply_to=(TO_ANA,)),
        known=facts(),
        outcome="reply",
        target=7,
        kind="agent",
        fields={"status": "waiting", "assignee": ANA.address},
        told={"rita@customer.test": "answer", "carl@customer.test": "answer"},
    ),
    "another agent answers": Story(
        given=mail(ANA.address, in_reply_to=(TO_ANA,), cc=("carl@customer.test",)),
        known=facts(ticket(assignee=BEN.address)),
        outcome="reply",
        target=7,
        kind="agent",
        fields={"status": "waiting"},
        told={"rita@customer.test": "answer", BEN.address: "agent-message"},
    ),
    "an agent answers twice": Story(
        given=mail(ANA.address, in_reply_to=(TO_ANA,)),
        known=facts(ticket(status="waiting", assignee=ANA.address)),
        outcome="reply",
        target=7,
        kind="agent",
        fields={},
        told={"rita@customer.test": "answer", "carl@customer.test": "answer"},
    ),
    "an agent answers on a closed ticket, however old": Story(
        given=mail(ANA.address, in_reply_to=(TO_ANA,)),
        known=facts(ticket(status="closed", closed=NOW - 99 * DAY, assignee=ANA.address)),
        outcome="reply",
        target=7,
        kind="agent",
        fields={},
        told={"rita@customer.test": "answer", "carl@customer.test": "answer"},
    ),
    "an agent without a proof is an outsider (C1)": Story(
        given=mail(ANA.address, subject="[#7] #close"),
        known=facts(),
        outcome="ticket",
        kind="customer",
        fields={},
        told={ANA.address: "agent-new"},
    ),
    "an agent on CC without a proof is a customer": Story(
        given=mail(ANA.address, subject="[#7] Printer"),
        known=facts(ticket(cc=(ANA.address,))),
        outcome="reply",
        target=7,
        kind="customer",
        told={"rita@customer.test": "copy"},
    ),
    "a customer's vacation responder": Story(
        given=mail(in_reply_to=(OURS,), headers=AUTOMATIC),
        known=facts(ticket(status="waiting")),
        outcome="note",
        target=7,
        kind="system",
    ),
    "an agent's vacation responder (C7)": Story(
        given=mail(ANA.address, in_reply_to=(TO_ANA,), headers=AUTOMATIC),
        known=facts(),
        outcome="ignored",
    ),
    "an agent's vacation responder that gives no proof (C7)": Story(
        given=mail(ANA.address, subject="Automatic reply: [#7] Printer"),
        known=facts(),
        outcome="ignored",
    ),
    "an agent's vacation responder, the agent being on CC (C7)": Story(
        given=mail(ANA.address, subject="[#7] Printer", headers=AUTOMATIC),
        known=facts(ticket(cc=(ANA.address,))),
        outcome="ignored",
    ),
    "a machine of an agent's opens a ticket": Story(
        given=mail(ANA.address, subject="Disk full", headers=AUTOMATIC),
        known=facts(),
        outcome="ticket",
        kind="customer",
    ),
    "a real request under the cloak of a machine (L3)": Story(
        given=mail(headers=AUTOMATIC), outcome="ticket", kind="customer"
    ),
    "a list is never answered": Story(
        given=mail(headers=LIST), outcome="ticket", kind="customer", told={ANA.address: "agent-new"}
    ),
    "a participant writes through a list": Story(
        given=mail(in_reply_to=(OURS,), headers=LIST),
        known=facts(ticket(status="waiting")),
        outcome="reply",
        target=7,
        kind="customer",
        fields={"status": "open"},
        told={ANA.address: "agent-message"},
    ),
    "our own mail comes back (L8)": Story(
        given=mail(headers=headers(x_mailgate_loop="house-1")), outcome="ignored"
    ),
    "from our own address (A9)": Story(given=mail("support@help.test"), outcome="ignored"),
    "a report about a mail of ours (L4)": Story(
        given=mail("mailer-daemon@relay.test", reported_id=OURS, reports=REPORTS),
        known=facts(),
        outcome="bounce",
        target=7,
        told={ANA.address: "agent-bounce"},
    ),
    "a report that answers a mail of ours": Story(
        given=mail("mailer-daemon@relay.test", in_reply_to=(FIRST, OURS)),
        known=facts(),
        outcome="bounce",
        target=7,
        told={ANA.address: "agent-bounce"},
    ),
    "a report about who knows what (L5)": Story(
        given=mail("mailer-daemon@relay.test", reported_id="<x@y>", in_reply_to=(FIRST,)),
        known=facts(),
        outcome="bounce",
    ),
    "a report with a subject token": Story(
        given=mail("mailer-daemon@relay.test", subject="[#7]"), known=facts(), outcome="bounce"
    ),
    "too complex to read": Story(given=mail(defects=("too-complex",)), outcome="quarantined"),
    "a mail the parser failed on": Story(
        given=mail(defects=("parser-failed: KeyError",)), outcome="quarantined"
    ),
    "a mail we had already": Story(given=mail(), known=Facts(duplicate_of=3), outcome="duplicate"),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(story: Story) -> None:
    found = decided(story.given, story.known, story.policy)
    assert found.outcome.value == story.outcome
    assert found.target == (New() if story.outcome == "ticket" else story.target)
    assert kinds(found) == ([story.kind] if story.kind else [])
    assert fields(found) == (story.fields or {})
    assert told(found) == (story.told or {})
    assert found.trace


# --- history, login, odds and ends -------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "known", "outcome"),
    [
        pytest.param(mail(), NOTHING, "ticket", id="a new matter"),
        pytest.param(mail(in_reply_to=(OURS,)), facts(), "reply", id="a participant"),
        pytest.param(
            mail("olga@customer.test", references=(FIRST,)),
            facts(),
            "reply",
            id="ids at their word",
        ),
        pytest.param(mail(ANA.address, in_reply_to=(TO_ANA,)), facts(), "reply", id="an agent"),
        pytest.param(
            mail(ANA.address, in_reply_to=(OURS,)), facts(), "reply", id="an agent at their word"
        ),
    ],
)
def test_history_is_silent(given: ParsedMail, known: Facts, outcome: str) -> None:
    found = decided(given, known, live=False)
    assert found.outcome.value == outcome
    assert told(found) == {}
    assert found.trace[-1].reason == "history is silent"


@pytest.mark.parametrize(
    ("sender", "on", "kind"),
    [
        pytest.param(ANA.address, ticket(), "agent", id="an agent answered"),
        pytest.param(ANA.address, ticket(requester=ANA.address), "customer", id="an agent asked"),
        pytest.param("olga@customer.test", ticket(), "customer", id="somebody else wrote"),
    ],
)
def test_whose_words_history_holds(sender: str, on: TicketView, kind: str) -> None:
    assert kinds(decided(mail(sender, in_reply_to=(OURS,)), facts(on), live=False)) == [kind]


def test_a_login_proves_an_agent_without_any_token() -> None:
    envelope = replace(ENVELOPE, login=ANA.address)
    found = decided(mail(ANA.address, subject="[#7]"), facts(), envelope=envelope)
    assert (found.outcome, found.target) == (Outcome.REPLY, 7)
    assert found.reason == "an agent's answer: subject token #7"


def test_a_duplicate_names_the_first() -> None:
    found = decided(mail(), Facts(duplicate_of=3))
    assert (found.duplicate_of, found.effects) == (3, ())


def test_a_bounce_is_recorded_on_its_outbox_row() -> None:
    given = mail("mailer-daemon@relay.test", reported_id=OURS, reports=REPORTS)
    assert decided(given, facts()).effects[0] == RecordBounce(outbox=1, reports=REPORTS)


def test_quarantine_keeps_the_trace() -> None:
    trace = decided(mail()).trace
    found = quarantine("it broke the parser", trace)
    assert found.outcome is Outcome.QUARANTINED
    assert found.trace[:-1] == trace


UNKNOWN = "no proof; no authserv_id is pinned, so no Authentication-Results counts"


@pytest.mark.parametrize(
    ("given", "who", "reason"),
    [
        pytest.param(
            mail(), "rita@customer.test", f"the address in From; {UNKNOWN}", id="customer"
        ),
            mail(), "rita@customer.test", f"the address in From; {UNKNOWN}", id="customer"
        ),
        pytest.param(mail(ANA.address), ANA.address, f"an agent's address; {UNKNOWN}", id="agent"),
        pytest.param(
            mail("", defects=("date-invalid", "from-several")),
            "nobody",
            "from-several",
            id="several",
        ),
        pytest.param(mail(""), "nobody", "no single author", id="nobody"),
    ],
)
def test_the_trace_says_who_wrote(given: ParsedMail, who: str, reason: str) -> None:
    step = next(s for s in decided(given).trace if s.step == "identify")
    assert (step.verdict, step.reason) == (who, reason)


def test_the_trace_says_who_is_told_and_who_is_not() -> None:
    given = mail(in_reply_to=(OURS,), cc=("carl@customer.test",))
    steps = [s for s in decided(given, facts()).trace if s.step == "audience"]
    assert [(s.verdict, s.reason) for s in steps] == [
        ("no copy to rita@customer.test", "wrote it"),
        ("no copy to carl@customer.test", "already in To or CC of the mail"),
        (f"agent-message to {ANA.address}", "queue support"),
    ]


def test_the_trace_of_a_machines_mail_says_why_nobody_is_told() -> None:
    step = decided(mail(headers=AUTOMATIC)).trace[-1]
    assert (step.verdict, step.reason) == ("nobody", "Auto-Submitted: auto-replied")


@pytest.mark.parametrize(
    ("waited", "told_to_sender"), [(DAY, True), (DAY + timedelta(seconds=1), False), (None, True)]
)
def test_d7_who_wrote_long_ago_gets_no_confirmation(
    waited: timedelta | None, told_to_sender: bool
) -> None:
    found = decided(mail(), now=None if waited is None else NOW + waited)
    assert found.outcome is Outcome.TICKET
    everybody = {"rita@customer.test": "confirmation", ANA.address: "agent-new"}
    agents = {ANA.address: "agent-new"}
    assert told(found) == (everybody if told_to_sender else agents)
    said = [(s.verdict, s.reason) for s in found.trace if s.step == "audience"]
    late = ("no confirmation to rita@customer.test", "too late for a confirmation")
    assert (late in said) is not told_to_sender


def test_d7_a_copy_of_old_words_is_passed_on() -> None:
    given = mail(in_reply_to=(OURS,))
    assert told(decided(given, facts(), now=NOW + 9 * DAY)) == told(decided(given, facts()))
