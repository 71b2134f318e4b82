"""What a mail that did not arrive means: a note on its copy, and in the end a paused address."""

from __future__ import annotations

from collections.abc import Sequence

from mailgate import journal
from mailgate.core.bounces import Severity, names, no_such_address, severity
from mailgate.core.decision import Attempt, RecordBounce
from mailgate.core.mail import DeliveryReport
from mailgate.core.retry import is_permanent
from mailgate.core.token import hidden
from mailgate.desk import Cause
from store.database import Tx
from store.outbox import Queued, RecipientRow
from store.ticket_rows import Event

_WORDS = {
    Severity.HARD: "bounced",
    Severity.SOFT: "bounced",
    Severity.DELAY: "delayed",
    Severity.SUCCESS: "delivered",
}
_BAD = (Severity.SOFT, Severity.HARD)  # from bad to worse


def record(tx: Tx, effect: RecordBounce, cause: Cause, ticket: int | None) -> list[Event]:
    """Note reports that were matched with a mail of ours (`core.bounces`); returns the events.

    An address that does not exist is paused at once, one that fails for other reasons the third
    time within 30 days; however many reports one mail holds, it counts once. What was imported as
    history is noted only.
    """
    rows = tx.outbox.list(ids=[effect.outbox])
    copies = rows[0].recipients if rows else ()
    events: list[Event] = []
    worst: dict[int, tuple[Severity, str]] = {}
    for report in effect.reports:
        copy, judged = _judged(report, effect, copies)
        _note(tx, effect, report, copy)
        events.append(_event(effect, report, judged, cause, ticket))
        if copy and judged in _BAD and _worse(judged, worst.get(copy.id)):
            worst[copy.id] = (judged, _said(report))
    for copy in copies:
        if copy.id in worst and cause.live:
            judged, reason = worst[copy.id]
            hard = judged is Severity.HARD
            if tx.undeliverable.failed(copy.address, hard=hard, reason=reason, now=cause.now):
                events.append(_paused(cause, copy.address, reason, ticket, effect.outbox))
    return events


def refused(tx: Tx, copy: Queued, attempt: Attempt) -> list[Event]:
    """A relay's permanent answer that there is no such recipient pauses the address, too.

    Other refusals, and those that judge our set-up, may be about us, and do not count.
    """
    about_them = is_permanent(attempt) and not attempt.about_us
    if not about_them or not no_such_address("", attempt.text):
        return []
    reason = f"{attempt.code} {attempt.text}"
    if not tx.undeliverable.failed(copy.address, hard=True, reason=reason, now=attempt.at):
        return []
    return [
        _paused(
            Cause(now=attempt.at, actor="mailer"), copy.address, reason, copy.ticket, copy.outbox
        )
    ]


def _judged(
    report: DeliveryReport, effect: RecordBounce, copies: Sequence[RecipientRow]
) -> tuple[RecipientRow | None, Severity]:
    """The copy that a report is about, None when it may be one of several; and how bad it is.

    Where somebody forwards their mail and that address fails, theirs may have others behind it.
    """
    named, judged = names(report), severity(report)
    if effect.recipient is not None:
        own = next((c for c in copies if c.id == effect.recipient), None)
        elsewhere = own is not None and named and own.address.casefold() not in named
        return own, Severity.SOFT if elsewhere and judged is Severity.HARD else judged
    # A copy with a return path of its own gets its reports there. One that names the Message-ID
    # alone may be forged by whoever saw it in somebody's answer: it pauses nobody by itself.
    if judged is Severity.HARD and any(c.number is not None for c in copies):
        judged = Severity.SOFT
    meant = [c for c in copies if not named or c.address.casefold() in named]
    return (meant[0] if len(meant) == 1 else None), judged


def _worse(judged: Severity, before: tuple[Severity, str] | None) -> bool:
    return before is None or _BAD.index(judged) > _BAD.index(before[0])


def _said(report: DeliveryReport) -> str:
    # Many servers repeat the status in their words.
    status = "" if report.status in report.diagnostic else report.status
    said = hidden(f"{status} {report.diagnostic}".strip())  # it may quote the return path
    return said or "it bounced, and nothing says why"


def _note(tx: Tx, effect: RecordBounce, report: DeliveryReport, copy: RecipientRow | None) -> None:
    if copy is None and names(report):
        return
    text = f"{_WORDS[severity(report)]}: {_said(report)}"
    tx.outbox.note_bounce(effect.outbox, "", text, recipient=copy.id if copy else None)


def _event(
    effect: RecordBounce,
    report: DeliveryReport,
    judged: Severity,
    cause: Cause,
    ticket: int | None,
) -> Event:
    journal.bounced(outbox=effect.outbox, severity=judged, status=report.status)
    return Event(
        at=cause.now,
        actor=cause.actor,
        kind="bounce",
        data={
            "recipient": report.recipient,
            "action": report.action,
            "severity": judged.value,
            "status": report.status,
            "diagnostic": hidden(report.diagnostic)[:500],
        },
        ticket=ticket,
        inbox=cause.inbox,
        outbox=effect.outbox,
    )


def _paused(cause: Cause, address: str, reason: str, ticket: int | None, outbox: int) -> Event:
    journal.paused(outbox=outbox, why=reason)
    return Event(
        at=cause.now,
        actor=cause.actor,
        kind="paused",
        data={"address": address, "because": reason[:500]},
        ticket=ticket,
        inbox=cause.inbox,
        outbox=outbox,
    )
