"""The mailer's transactions: take a copy, write what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailgate import bounced, crash, journal, unsent
from mailgate.core.decision import Attempt, CopyState, Fate
from mailgate.core.token import hidden
from mailgate.mailer.route import News
from store.database import Database, Tx
from store.outbox import LOST, PAUSED, Queued
from store.ticket_rows import Event

_KINDS: Mapping[CopyState, str] = {
    CopyState.SENT: "sent",
    CopyState.FAILED: "undeliverable",
    CopyState.DEFERRED: "delayed",
    CopyState.UNCERTAIN: "uncertain",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An attempt with its verdict; None of both: the copy was not tried and goes back."""

    copy: Queued
    attempt: Attempt | None = None
    fate: Fate | None = None


class Copies:
    """Claims are made one copy at a time, right before it is sent.

    So a mailer that is killed leaves no more than the copies on the wire behind, and an automatic
    one among them is given up rather than repeated. Writing a result and taking the next copy is
    one transaction: a mail costs one commit, not two.
    """

    def __init__(self, database: Database, lease: timedelta) -> None:
        self._database = database
        self._lease = lease

    def next_due(self) -> datetime | None:
        """When there is something to do; None for "nothing known" and while paused."""
        with self._database.reading() as tx:
            return None if _paused(tx) else tx.outbox.next_due()

    def take(self, now: datetime) -> Queued | None:
        """Claim the copy that has been due longest."""
        with self._database.transaction() as tx:
            copy = self._claim(tx, now)
        if copy:
            crash.point("out.mark_sending")
        return copy

    def settle(
        self, result: Result, news: Sequence[News], now: datetime, *, take_next: bool
    ) -> Queued | None:
        """Write a result, and claim the next copy in the same transaction."""
        with self._database.transaction() as tx:
            crash.point("out.before_mark_sent")
            for item in news:
                name = f"relay {item.name}"
                tx.sources.report(name, ok=item.ok, detail=item.detail, now=now)
            if result.attempt is None or result.fate is None:
                tx.outbox.release([result.copy], now, now)
            else:
                _record(tx, result.copy, result.attempt, result.fate)
            copy = self._claim(tx, now) if take_next else None
        crash.point("out.after_mark_sent")
        return copy

    def _claim(self, tx: Tx, now: datetime) -> Queued | None:
        claimed = [] if _paused(tx) else tx.outbox.claim_due(now, 1, self._lease)
        for lost in tx.outbox.lost:
            journal.trouble(
                what="outbox", error=LOST, ticket=lost.ticket, outbox=lost.outbox, recipient=lost.id
            )
            _tell(tx, lost, Attempt(at=now, code=0, text=LOST), CopyState.FAILED)
        if claimed:
            crash.point("out.claim")
        return claimed[0] if claimed else None


def _paused(tx: Tx) -> bool:
    return tx.setting(PAUSED) == "1"


def _record(tx: Tx, copy: Queued, attempt: Attempt, fate: Fate) -> None:
    if fate.reason:
        attempt = replace(attempt, text=f"{fate.reason}: {attempt.text}")
    # A relay's words may quote the return path with its token.
    attempt = replace(attempt, text=hidden(attempt.text))
    tx.outbox.record(copy.id, attempt, fate)
    if fate.state is copy.before:
        return  # still deferred: the outbox shows it, the ticket's history need not repeat it
    _tell(tx, copy, attempt, fate.state)
    if fate.state is CopyState.FAILED:
        tx.tickets.record_many(bounced.refused(tx, copy, attempt))
        # An automatic mail that is given up for doubt may have arrived.
        if not attempt.uncertain:
            unsent.remember(tx, copy, attempt.at)


def _tell(tx: Tx, copy: Queued, attempt: Attempt, state: CopyState) -> None:
    """Say on the ticket what became of a copy."""
    event = Event(
        at=attempt.at,
        actor="mailer",
        kind=_KINDS[state],
        data={
            "address": copy.address,
            "role": copy.role,
            "notice": copy.notice,
            "code": attempt.code,
            "text": attempt.text[:500],
            "attempts": copy.attempts,
            "route": attempt.route,
        },
        ticket=copy.ticket,
        outbox=copy.outbox,
    )
    tx.tickets.record(event)
