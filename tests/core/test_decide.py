"""What becomes of a mail: outcome, ticket, effects and who is told, story by story."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from mailgate.core.decide import NO_SUBJECT, Delivery, decide, quarantine
from mailgate.core.decision import (
    AddParticipant,
    AppendMessage,
    Decision,
    Facts,
    LinkTicket,
    New,
    Notify,
    OpenTicket,
    Outcome,
    RecordBounce,
    SetField,
)
from mailgate.core.mail import Address, DeliveryReport, Envelope, ParsedMail
from mailgate.core.policy import Policy
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    ENVELOPE,
    FIRST,
    NOW,
    OURS,
    POLICY,
    TO_ANA,
    facts,
    headers,
    mail,
    rule,
    ticket,
)

AUTOMATIC = headers(auto_submitted="auto-replied")
LIST = headers(list_id="<users.lists.test>")
NOTHING = Facts()
REPORTS = (DeliveryReport(recipient="carl@customer.test", action="failed", status="5.1.1"),)


def delivery(**more: Any) -> Delivery:
    return Delivery(**{"envelope": ENVELOPE, "received": NOW, **more})


def decided(
    given: ParsedMail, known: Facts = NOTHING, policy: Policy = POLICY, **how: Any
) -> Decision:
    found = decide(given, delivery(**how), known, policy)
    assert found.reason
    return found


def told(decision: Decision) -> dict[str, str]:
    """Address -> the notice it gets."""
    return {
        person.address: effect.notice.value
        for effect in decision.effects
        if isinstance(effect, Notify)
        for person in effect.to
    }


def fields(decision: Decision) -> dict[str, str]:
    return {e.field: e.value for e in decision.effects if isinstance(e, SetField)}


def copied(decision: Decision) -> list[str]:
    return [e.address.addr for e in decision.effects if isinstance(e, AddParticipant)]


def kinds(decision: Decision) -> list[str]:
    return [e.kind.value for e in decision.effects if isinstance(e, AppendMessage)]


def opened(decision: Decision) -> OpenTicket:
    assert decision.target == New()
    first = decision.effects[0]
    assert isinstance(first, OpenTicket)
    return first


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
    "a stranger with our Message-ID": Story(
        given=mail("mallory@evil.test", in_reply_to=(OURS,)),
        known=facts(),
        outcome="ticket",
        kind="customer",
        told={"mallory@evil.test": "confirmation", ANA.address: "agent-new"},
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
        told={ANA.address: "confirmation"},
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
    ),
    "a report that answers a mail of ours": Story(
        given=mail("mailer-daemon@relay.test", in_reply_to=(FIRST, OURS)),
        known=facts(),
        outcome="bounce",
        target=7,
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
    found = decided(story.given, story.known)
    assert found.outcome.value == story.outcome
    assert found.target == (New() if story.outcome == "ticket" else story.target)
    assert kinds(found) == ([story.kind] if story.kind else [])
    assert fields(found) == (story.fields or {})
    assert told(found) == (story.told or {})
    assert found.trace


# --- new tickets -------------------------------------------------------------------------


def test_what_a_new_ticket_says() -> None:
    given = mail(language="fr")
    assert opened(decided(given, source="pipe")) == OpenTicket(
        subject="Printer",
        requester=Address(addr="rita@customer.test", name="Rita"),
        queue="support",
        status="new",
        priority="normal",
        language="fr",
        source="pipe",
    )


def test_a_ticket_without_subject() -> None:
    assert opened(decided(mail(subject=""))).subject == NO_SUBJECT


@pytest.mark.parametrize(
    ("rcpt_tos", "to", "cc", "queue"),
    [
        pytest.param(
            ("sales@help.test",), ("support@help.test",), (), "sales", id="envelope first"
        ),
        pytest.param(
            ("a@b.test", "sales+x@help.test"), ("support@help.test",), (), "sales", id="with a tag"
        ),
        pytest.param((), ("a@b.test", "sales@help.test"), (), "sales", id="then To"),
        pytest.param((), ("a@b.test",), ("sales@help.test",), "sales", id="then Cc"),
        pytest.param(
            (), ("sales@help.test",), ("support@help.test",), "sales", id="two of ours: the first"
        ),
        pytest.param(("a@b.test",), (), (), "support", id="else our first"),
    ],
)
def test_queue(
    rcpt_tos: tuple[str, ...], to: tuple[str, ...], cc: tuple[str, ...], queue: str
) -> None:
    found = decided(mail(to=to, cc=cc), envelope=Envelope(rcpt_tos=rcpt_tos))
    assert opened(found).queue == queue


def test_a_house_without_mailboxes() -> None:
    found = opened(decided(mail(), policy=Policy(language="en")))
    assert (found.queue, found.language) == ("support", "en")


@pytest.mark.parametrize(
    ("written", "stored", "to", "language"),
    [
        pytest.param("fr", "es", "support", "fr", id="of the mail"),
        pytest.param("de", "fr", "support", "fr", id="no templates for it: what they wrote before"),
        pytest.param("", "de", "support", "es", id="neither: the mailbox's"),
        pytest.param("", "", "sales", "fr", id="each mailbox has its own"),
    ],
)
def test_language(written: str, stored: str, to: str, language: str) -> None:
    envelope = Envelope(rcpt_tos=(f"{to}@help.test",))
    known = Facts(sender_language=stored)
    found = decided(mail(language=written), known, envelope=envelope)
    assert opened(found).language == language


def test_language_of_the_house() -> None:
    spanish = replace(POLICY, language="en", languages=("en",))
    assert opened(decided(mail(language="fr"), policy=spanish)).language == "en"


@pytest.mark.parametrize(
    ("given", "known", "reason", "links"),
    [
        pytest.param(mail(), NOTHING, "a new matter", [], id="new"),
        pytest.param(
            mail("mallory@evil.test", in_reply_to=(OURS,), subject="[#8]"),
            facts(ticket(), ticket(8)),
            "refers to #7, but the sender is no participant there",
            [(7, "claimed-by-stranger"), (8, "claimed-by-stranger")],
            id="a stranger's claims (T1, T2)",
        ),
        pytest.param(
            mail(in_reply_to=(OURS,)),
            facts(ticket(status="closed", closed=NOW - 15 * DAY)),
            "follows #7, which was closed too long ago",
            [(7, "follow-up-of-closed")],
            id="a late answer (T7)",
        ),
    ],
)
def test_links(given: ParsedMail, known: Facts, reason: str, links: list[tuple[int, str]]) -> None:
    found = decided(given, known)
    assert found.reason == reason
    assert [(e.other, e.why) for e in found.effects if isinstance(e, LinkTicket)] == links


def test_a_stranger_is_told_nothing_of_a_ticket_that_exists() -> None:
    """T1: the same mail gets the same answer whether there is a ticket 7 or not."""
    given = mail("mallory@evil.test", subject="[#7] x", in_reply_to=(OURS,))
    there, gone = decided(given, facts()), decided(given, NOTHING)
    assert told(there) == told(gone)
    assert opened(there) == opened(gone)


def test_a_stranger_changes_nobody_elses_ticket() -> None:
    """T6: whoever a stranger copies is on the stranger's own ticket."""
    given = mail("mallory@evil.test", subject="[#7]", cc=("eve@evil.test",))
    found = decided(given, facts())
    assert found.target == New()
    assert copied(found) == ["eve@evil.test"]


# --- CC ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "added"),
    [
        pytest.param(
            mail(to=("support@help.test", "carl@customer.test"), cc=("dora@customer.test",)),
            ["carl@customer.test", "dora@customer.test"],
            id="To and Cc",
        ),
        pytest.param(
            mail(to=("support@help.test", "sales+1@help.test", "hilfe@help.test")),
            [],
            id="ourselves",
        ),
        pytest.param(mail(cc=(ANA.address, "ana@phone.test")), [], id="agents"),
        pytest.param(mail(cc=("rita@customer.test",)), [], id="the author"),
        pytest.param(
            mail(to=("carl@customer.test",), cc=("carl@customer.test",)),
            ["carl@customer.test"],
            id="twice",
        ),
        pytest.param(mail(cc=("undisclosed-recipients",)), [], id="no address"),
        pytest.param(mail("", cc=("carl@customer.test",)), [], id="nobody adds nobody"),
        pytest.param(mail(cc=("carl@customer.test",), headers=AUTOMATIC), [], id="a machine"),
        pytest.param(
            mail(to=("users@lists.test", "support@help.test"), headers=LIST),
            [],
            id="a list is not put on CC, or later notices would go to it",
        ),
        pytest.param(
            mail(cc=tuple(f"p{n}@crowd.test" for n in range(200))),
            [f"p{n}@crowd.test" for n in range(10)],
            id="a crowd (L7)",
        ),
    ],
)
def test_copied_on_a_new_ticket(given: ParsedMail, added: list[str]) -> None:
    assert copied(decided(given)) == added


def test_history_keeps_the_people_of_a_list() -> None:
    given = mail(cc=("carl@customer.test",), headers=LIST)
    assert copied(decided(given, live=False)) == ["carl@customer.test"]


def test_copied_on_a_reply() -> None:
    """T7: whoever was taken off stays off; whoever is on is not added again."""
    on = ticket(cc=("carl@customer.test",), removed=("dora@customer.test",))
    given = mail(
        "carl@customer.test",
        in_reply_to=(OURS,),
        cc=("rita@customer.test", "dora@customer.test", "emil@customer.test"),
    )
    found = decided(given, facts(on))
    assert copied(found) == ["emil@customer.test"]
    assert "emil@customer.test" not in told(found)  # the mail is in Emil's box already


def test_an_agents_answer_puts_nobody_on_cc() -> None:
    given = mail(ANA.address, in_reply_to=(TO_ANA,), cc=("dora@customer.test",))
    assert copied(decided(given, facts())) == []


# --- rules -------------------------------------------------------------------------------


def test_rules_on_a_new_ticket() -> None:
    rules = (
        rule(category="billing", priority="high", tag="money"),
        rule(assign="night", cc="boss@customer.test", status="waiting"),
    )
    found = decided(mail(), policy=replace(POLICY, rules=rules))
    wanted = {"category": "billing", "priority": "high", "group": "night", "status": "waiting"}
    assert fields(found) == wanted
    assert told(found) == {
        "rita@customer.test": "confirmation",
        "boss@customer.test": "confirmation",
        ANA.address: "agent-assigned",
        BEN.address: "agent-assigned",
    }


def test_rules_on_a_reply() -> None:
    rules = (rule(on="reply", status="resolved", assign=ANA.address),)
    given = mail(in_reply_to=(OURS,))
    found = decided(given, facts(ticket(status="waiting")), replace(POLICY, rules=rules))
    assert fields(found) == {"status": "resolved", "assignee": ANA.address}
    notices = [e.notice.value for e in found.effects if isinstance(e, Notify)]
    assert notices == ["copy", "agent-message", "assignment", "agent-assigned", "status"]


def test_who_a_rule_puts_on_cc_gets_the_reply() -> None:
    """Whom the mail itself adds has it; whom a rule adds has not."""
    rules = (rule(on="reply", cc="boss@customer.test"),)
    given = mail(in_reply_to=(OURS,), cc=("emil@customer.test",))
    found = decided(given, facts(), replace(POLICY, rules=rules))
    assert told(found) == {
        "carl@customer.test": "copy",
        "boss@customer.test": "copy",
        ANA.address: "agent-message",
    }


@pytest.mark.parametrize("known", [NOTHING, facts()], ids=["new", "reply"])
def test_an_illegal_status_of_a_rule_is_skipped_and_the_rest_done(known: Facts) -> None:
    life = replace(POLICY.life, transitions={"new": ("open",), "open": ("closed",)})
    rules = (rule(status="waiting", tag="money", priority="high", cc="hilfe@help.test"),)
    given = mail(in_reply_to=(OURS,))
    found = decided(given, known, replace(POLICY, rules=rules, life=life))
    assert fields(found) == {"priority": "high"}
    assert copied(found) == []
    skipped = [s.reason for s in found.trace if (s.step, s.verdict) == ("rules", "skipped")]
    assert len(skipped) == 2
    assert skipped[0].endswith("-> waiting is not a legal change")


@pytest.mark.parametrize("known", [NOTHING, facts()], ids=["new", "reply"])
def test_a_rule_ignores_a_mail(known: Facts) -> None:
    rules = (rule(subject="Printer", ignore="newsletter"),)
    found = decided(mail(in_reply_to=(OURS,)), known, replace(POLICY, rules=rules))
    assert (found.outcome, found.reason) == (Outcome.IGNORED, "newsletter")
    assert (found.target, found.effects) == (None, ())
    assert found.trace[-1].verdict == "matched"


def test_rules_have_no_say_over_an_agents_answer() -> None:
    rules = (rule(ignore="all of it", subject=""),)
    given = mail(ANA.address, in_reply_to=(TO_ANA,))
    found = decided(given, facts(), replace(POLICY, rules=rules))
    assert found.outcome is Outcome.REPLY


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
    assert decided(given, facts()).effects == (RecordBounce(outbox=1, reports=REPORTS),)


def test_quarantine_keeps_the_trace() -> None:
    trace = decided(mail()).trace
    found = quarantine("it broke the parser", trace)
    assert found.outcome is Outcome.QUARANTINED
    assert found.trace[:-1] == trace


@pytest.mark.parametrize(
    ("given", "who", "reason"),
    [
        pytest.param(mail(), "rita@customer.test", "the address in From", id="customer"),
        pytest.param(
            mail(ANA.address), ANA.address, "an agent's address, proofs: none", id="agent"
        ),
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
