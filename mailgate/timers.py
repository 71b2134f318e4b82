"""Due clocks -> effects -> apply: tickets close or open, agents hear what is due or did not leave.

And once on each working day every agent's morning digest and duty list (`mailgate.mornings`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from mailgate import journal, unsent
from mailgate.apply import AUTOCLOSE, SNOOZE, Cause, Desk, apply
from mailgate.core import audience, mornings
from mailgate.core.audience import Happening
from mailgate.core.change import plan_change
from mailgate.core.decision import Effect, SetField
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView
from mailgate.mornings import send, send_duty
from store.clocks import UNSENT, Due
from store.database import Database, Tx, Unavailable
from store.ticket_rows import Event

LEASE = timedelta(minutes=1)
DUE = "due"  # the clock that an agent set by `#due`
SNOOZED = "the ticket was snoozed until now, and is open again"
OVERDUE = "overdue"  # the event that such a clock leaves
ACTOR = "timer"  # for the audit trail
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
        self._told: date | None = None  # the day whose digests were seen to

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
        self._mornings()
        return len(due)

    def _mornings(self) -> None:
        now = self._clock()
        day = mornings.day(now, self._desk.policy)
        if day is None or day == self._told:
            return
        for agent in self._desk.policy.agents:
            with self._database.transaction() as tx:
                sent = send(tx, agent, day, now, self._desk)
                sent |= send_duty(tx, agent, day, now, self._desk)
            if sent:
                self._rung()
        self._told = day

    def _ring(self, due: Due) -> None:
        now = self._clock()
        with self._database.transaction() as tx:
            tx.clocks.stop(due.ticket, due.kind)
            number = due.ticket
            if due.kind.startswith(UNSENT):  # the others stop where a ticket is merged
                number = tx.tickets.survivor_of([number]).get(number, number)
            ticket = tx.tickets.views([number], lock=True).get(number)
            effects = self._effects(tx, due.kind, ticket, now) if ticket else ()
            if not effects:
                return
            apply(tx, effects, Cause(now=now, actor=ACTOR), self._desk, number)
        self._rung()

    def _effects(self, tx: Tx, kind: str, ticket: TicketView, now: datetime) -> tuple[Effect, ...]:
        policy = self._desk.policy
        if kind == DUE:
            return _overdue(tx, ticket, policy, now)
        if kind.startswith(UNSENT):
            return unsent.tell(tx, kind, ticket, policy)
        return _meaning(kind, ticket, policy)


def _meaning(kind: str, ticket: TicketView, policy: Policy) -> tuple[Effect, ...]:
    """What a clock that has rung changes, and who is told."""
    life = policy.life
    if kind == AUTOCLOSE and ticket.status == life.resolved:
        return plan_change(ticket, {"status": life.closed}, policy, actor=ACTOR).effects
    if kind == SNOOZE and ticket.status == life.pending:
        opened = SetField(field="status", value=life.active, because="the snooze is over")
        told = audience.tell(Happening.REMINDED, replace(ticket, status=life.active), policy)
        return (opened, *(replace(notify, note=SNOOZED) for notify in told))
    return ()


def _overdue(tx: Tx, ticket: TicketView, policy: Policy, now: datetime) -> tuple[Effect, ...]:
    """The notice that a date has passed, with the customer's last words.

    None where nobody needs it: what is solved, or was put off beyond that date.
    """
    life, number = policy.life, ticket.number
    if ticket.status in (life.resolved, life.closed):
        return ()
    if ticket.status == life.pending and tx.reshaping.clock(number, SNOOZE):
        return ()
    due = tx.lists.due([number]).get(number) or now
    event = Event(
        at=now, actor=ACTOR, kind=OVERDUE, data={"due": due.isoformat()}, ticket=number, inbox=None
    )
    tx.tickets.record(event)
    last = tx.background.last_words(number)
    told = audience.tell(Happening.OVERDUE, ticket, policy)
    return tuple(replace(one, due=due, beside=last.id if last else None) for one in told)
