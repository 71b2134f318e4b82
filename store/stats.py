"""Plain SELECTs for people and machines that watch: the ledger, depths and counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, String, cast, func, select

from store.schema import blobs, inbox, messages, outbox, outbox_recipients, people, tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """What one source took on one day (UTC), and how it ended."""

    day: str
    source: str
    accepted: int
    waiting: int
    outcomes: dict[str, int]

    @property
    def balanced(self) -> bool:
        """Whether every accepted mail has an outcome or still waits."""
        return self.accepted == self.waiting + sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How much waits, and since when."""

    inbox: int
    inbox_oldest: datetime | None
    outbox: int
    outbox_oldest: datetime | None
    outbox_failed: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imbalance:
    """Something in the books that does not add up."""

    what: str
    detail: str


class Stats:
    """Reads for the ledger, the status page and the metrics."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def _day(self) -> object:
        if self._conn.dialect.name == "sqlite":
            return func.substr(cast(inbox.c.received, String), 1, 10)
        return func.to_char(func.timezone("UTC", inbox.c.received), "YYYY-MM-DD")

    def ledger(self) -> list[LedgerLine]:
        """Per day and source: accepted, waiting and each outcome.

        `accepted` is counted apart from the outcomes, so that a sum that differs can be seen.
        """
        day = self._day()
        total = select(day, inbox.c.source, func.count()).group_by(day, inbox.c.source)  # type: ignore[call-overload]
        accepted = {(row[0], row[1]): row[2] for row in self._conn.execute(total)}
        split = select(day, inbox.c.source, inbox.c.outcome, func.count())  # type: ignore[call-overload]
        split = split.group_by(day, inbox.c.source, inbox.c.outcome)
        parts: dict[tuple[str, str], dict[str | None, int]] = {}
        for row in self._conn.execute(split):
            parts.setdefault((row[0], row[1]), {})[row[2]] = row[3]
        return [
            LedgerLine(
                day=key[0],
                source=key[1],
                accepted=count,
                waiting=parts.get(key, {}).get(None, 0),
                outcomes={k: v for k, v in sorted(parts[key].items(), key=str) if k is not None},
            )
            for key, count in sorted(accepted.items())
        ]

    def imbalances(self) -> list[Imbalance]:
        """All that is wrong: sums that differ, outcomes without what they claim to have made."""
        found = [
            Imbalance(what="sum", detail=f"{line.day} {line.source}: {line.accepted} accepted")
            for line in self.ledger()
            if not line.balanced
        ]
        for what, query in _claims().items():
            found += [Imbalance(what=what, detail=f"mail {i}") for i in self._conn.scalars(query)]
        return found

    def tickets_by(self, column: str) -> dict[str, int]:
        """Counts of tickets by status, priority, queue or category."""
        by = tickets.c[column]
        rows = self._conn.execute(select(by, func.count()).group_by(by).order_by(by))
        return {row[0]: row[1] for row in rows}

    def people_known(self) -> int:
        """How many addresses we know."""
        return int(self._conn.execute(select(func.count()).select_from(people)).scalar_one())

    def outbox_states(self) -> dict[str, int]:
        """Counts of recipients' copies by state."""
        r = outbox_recipients.c
        rows = self._conn.execute(select(r.state, func.count()).group_by(r.state))
        return {row[0]: row[1] for row in rows}

    def notices(self) -> dict[str, int]:
        """Counts of outgoing mails by notice."""
        rows = self._conn.execute(select(outbox.c.notice, func.count()).group_by(outbox.c.notice))
        return {row[0]: row[1] for row in rows}

    def depths(self) -> Depths:
        """How much waits in inbox and outbox."""
        waiting = select(func.count(), func.min(inbox.c.received)).where(inbox.c.outcome.is_(None))
        count, oldest = self._conn.execute(waiting).one()
        r = outbox_recipients.c
        queued = select(func.count(), func.min(r.queued)).where(r.due.is_not(None))
        out, out_oldest = self._conn.execute(queued).one()
        states = self.outbox_states()
        held = select(func.count()).where(inbox.c.outcome == "quarantined")
        return Depths(
            inbox=count,
            inbox_oldest=oldest,
            outbox=out,
            outbox_oldest=out_oldest,
            outbox_failed=states.get("failed", 0),
            quarantined=int(self._conn.execute(held).scalar_one()),
        )


def _claims() -> dict[str, Select[int]]:
    """Inbox rows whose outcome says more than the tables hold."""
    i, m = inbox.c, messages.c
    appended = ("ticket", "reply", "note", "held")
    stored = select(m.inbox).where(m.inbox == i.id)
    doubled = select(m.inbox).group_by(m.inbox).having(func.count() > 1)
    return {
        "no message on a ticket": select(i.id).where(i.outcome.in_(appended), ~stored.exists()),
        "no ticket": select(i.id).where(i.outcome.in_(appended), i.ticket.is_(None)),
        "two messages": select(i.id).where(i.id.in_(doubled)),
        "a message without that outcome": select(i.id).where(
            i.outcome.not_in(appended), stored.exists()
        ),
        "a duplicate of nothing": select(i.id).where(
            i.outcome == "duplicate", i.duplicate_of.is_(None)
        ),
        "no bytes": select(i.id).where(i.digest.not_in(select(blobs.c.digest))),
    }
