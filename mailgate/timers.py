"""Due clocks -> effects -> apply. So far one kind: a resolved ticket closes after a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailgate import journal
from mailgate.apply import AUTOCLOSE, Cause, Desk, apply
from mailgate.core.change import plan_change
from store.clocks import Due
from store.database import Database, Unavailable

LEASE = timedelta(minutes=1)
TICK = 5.0  # seconds between two looks


class Timers:
    """Rings due clocks; one instance runs in one thread."""

    def __init__(
        self,
        database: Database,
        desk: Desk,
        *,
        rung: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`rung` is called after a clock had an effect, e.g. to wake the mailer."""
        self._database = database
        self._desk = desk
        self._rung = rung
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Look for due clocks until `stop` is set."""
        while not stop.is_set():
            try:
                self.step()
            except Unavailable as error:
                journal.trouble(what="timers", error=error)
            stop.wait(TICK)

    def step(self) -> int:
        """Ring what is due; returns how many clocks rang. Raises Unavailable."""
        with self._database.transaction() as tx:
            tx.held.expire(self._clock())
            due = tx.clocks.claim_due(self._clock(), 50, LEASE)
        for clock in due:
            self._ring(clock)
        return len(due)

    def _ring(self, due: Due) -> None:
        now, policy = self._clock(), self._desk.policy
        with self._database.transaction() as tx:
            tx.clocks.stop(due.ticket, due.kind)
            ticket = tx.tickets.views([due.ticket], lock=True).get(due.ticket)
            if due.kind != AUTOCLOSE or ticket is None or ticket.status != policy.life.resolved:
                return
            change = plan_change(ticket, {"status": policy.life.closed}, policy, actor="timer")
            apply(tx, change.effects, Cause(now=now, actor="timer"), self._desk, due.ticket)
        self._rung()
