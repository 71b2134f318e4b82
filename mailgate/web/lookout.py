"""The only place where the web reads the store: vitals for /healthz, a picture for the page.

What leaves this module is public. Subjects, names and addresses are dropped here, so that no page
can show them by mistake.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from mailgate import storm
from mailgate.core.policy import Policy
from mailgate.core.ticket import TRANSITIONS
from mailgate.web.health import Source, judge, problems
from mailgate.web.stamps import unstamped
from store.database import Database, Tx
from store.stats import Depths, LedgerLine

RECENT = 12  # tickets on the page

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What /healthz judges."""

    at: datetime
    depths: Depths
    sources: tuple[Source, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What /metrics needs besides the counts of this process."""

    vitals: Vitals
    tickets: Mapping[str, int]  # by status
    copies: Mapping[str, int]  # recipients' copies by state


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The ledger of one day (UTC), over all sources."""

    day: str
    accepted: int
    waiting: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTicket:
    """All that a stranger may know of a ticket."""

    number: int
    status: str
    priority: str
    queue: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything on the status page."""

    vitals: Vitals
    status: Mapping[str, int]
    priority: Mapping[str, int]
    queue: Mapping[str, int]
    today: Today
    recent: tuple[RecentTicket, ...]


class Shared(Generic[T]):
    """One read at a time, and one answer for all who asked before it began.

    A flood of requests costs a reading each time the last one ends, on one connection, and takes
    none of those that carry mail. Nobody gets an answer older than the question.
    """

    def __init__(self, read: Callable[[], T], ticks: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._ticks = ticks
        self._lock = threading.Lock()
        self._last: tuple[float, T] | None = None

    def __call__(self) -> T:
        """The answer; raises what the read raises."""
        asked = self._ticks()
        with self._lock:
            if self._last is not None and self._last[0] >= asked:
                return self._last[1]
            begun = self._ticks()
            answer = self._read()
            self._last = (begun, answer)
            return answer


class Lookout:
    """Reads the store for the pages. Every method raises store.database.Unavailable."""

    def __init__(
        self,
        database: Database,
        *,
        started: datetime,
        sources: Collection[str] | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._started = started
        self._sources = sources
        self._clock = clock
        self.vitals: Shared[Vitals] = Shared(self._read_vitals)
        self.gauges: Shared[Gauges] = Shared(self._read_gauges)
        self.picture: Shared[Picture] = Shared(self._read_picture)

    def _vitals(self, tx: Tx) -> Vitals:
        depths = tx.stats.depths()
        now = self._clock()
        sources = judge(tx.sources.health(), self._sources, self._started, now)
        found = (*problems(depths, sources, now), *_storm(tx, now), *unstamped(tx))
        return Vitals(at=now, depths=depths, sources=sources, problems=found)

    def _read_vitals(self) -> Vitals:
        with self._database.reading() as tx:
            return self._vitals(tx)

    def _read_gauges(self) -> Gauges:
        with self._database.reading() as tx:
            return Gauges(
                vitals=self._vitals(tx),
                tickets=tx.stats.tickets_by("status"),
                copies=tx.stats.outbox_states(),
            )

    def _read_picture(self) -> Picture:
        with self._database.reading() as tx:
            vitals = self._vitals(tx)
            return Picture(
                vitals=vitals,
                status=_ordered(tx.stats.tickets_by("status"), tuple(TRANSITIONS)),
                priority=_ordered(tx.stats.tickets_by("priority"), Policy().priorities[::-1]),
                queue=_ordered(tx.stats.tickets_by("queue"), ()),
                today=_today(tx.stats.ledger(), vitals.at),
                recent=_recent(tx),
            )


def _storm(tx: Tx, now: datetime) -> tuple[str, ...]:
    mark = storm.blowing(tx, now)
    if mark is None:
        return ()
    sentence = storm.sentence(mark)
    return (f"{sentence[0].upper()}{sentence[1:]}.",)


def _ordered(counts: Mapping[str, int], known: tuple[str, ...]) -> dict[str, int]:
    """Known names in their order, then the operator's own, the most frequent first."""
    place = {name: at for at, name in enumerate(known)}
    names = sorted(counts, key=lambda name: (place.get(name, len(known)), -counts[name], name))
    return {name: counts[name] for name in names}


def _today(ledger: list[LedgerLine], now: datetime) -> Today:
    day = now.astimezone(UTC).date().isoformat()
    lines = [line for line in ledger if line.day == day]
    outcomes: dict[str, int] = {}
    for line in lines:
        for outcome, number in line.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + number
    return Today(
        day=day,
        accepted=sum(line.accepted for line in lines),
        waiting=sum(line.waiting for line in lines),
        outcomes=_ordered(outcomes, ()),
    )


def _recent(tx: Tx) -> tuple[RecentTicket, ...]:
    return tuple(
        RecentTicket(
            number=row.view.number,
            status=row.view.status,
            priority=row.view.priority,
            queue=row.view.queue,
            created=row.created,
        )
        for row in tx.tickets.find(limit=RECENT)
    )
