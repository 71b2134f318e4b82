"""A delivery report goes to the copy it is about; it never makes a ticket and is never answered."""

from __future__ import annotations

from mailgate.core.case import Case
from mailgate.core.decision import Decision, Outcome, RecordBounce, Step
from mailgate.core.mail import DeliveryReport


def bounce(case: Case) -> Decision:
    """Match a delivery report with a mail of ours; one about nothing of ours changes nothing."""
    sent = case.facts.sent.get(case.mail.reported_id)
    if sent is None:
        ids = [i for i in case.mail.ancestors() if i in case.facts.sent]
        sent = case.facts.sent[ids[0]] if ids else None
    if sent is None:
        reason = "a delivery report about no mail of ours"
        step = Step(step="bounce", verdict="unmatched", reason=reason)
        return Decision(outcome=Outcome.BOUNCE, reason=reason, trace=(*case.trace, step))
    reason = f"a delivery report about outbox mail {sent.outbox}"
    step = Step(step="bounce", verdict=f"outbox {sent.outbox}", reason=reason)
    return Decision(
        outcome=Outcome.BOUNCE,
        reason=reason,
        target=sent.ticket,
        effects=(RecordBounce(outbox=sent.outbox, reports=case.mail.reports or _told_by(case)),),
        trace=(*case.trace, step),
    )


def _told_by(case: Case) -> tuple[DeliveryReport, ...]:
    """A report that follows no standard: all that is known is its subject."""
    return (DeliveryReport(recipient="", action="failed", diagnostic=case.mail.subject),)
