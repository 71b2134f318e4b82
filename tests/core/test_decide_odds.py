"""Odds and ends of a decision: history, logins, duplicates, quarantine, and what a trace says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.core.decide import quarantine
from mailgate.core.decision import (
    Facts,
    Outcome,
    RecordBounce,
)
from mailgate.core.mail import ParsedMail
from mailgate.core.ticket import TicketView
from tests.core.decisions import AUTOMATIC, NOTHING, REPORTS, decided, kinds, told
from tests.core.samples import (
    ANA,
    DAY,
    ENVELOPE,
    FIRST,
    NOW,
    OURS,
    TO_ANA,
    facts,
    mail,
    ticket,
)

# --- one row per story -------------------------------------------------------------------


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
