"""What becomes of a mail: outcome, ticket, effects and who is told, story by story."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mailgate.core.decision import (
    Facts,
    New,
)
from mailgate.core.mail import ParsedMail
from mailgate.core.policy import Policy
from tests.core.decisions import AUTOMATIC, LIST, NOTHING, REPORTS, decided, fields, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
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
