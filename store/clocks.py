"""Dates on which something falls due on a ticket; waits that outlive a restart live here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from store.schema import clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A clock that has rung."""

    id: int
    ticket: int
    kind: str


UNSENT = "unsent "  # so begins the kind of a clock that tells of a copy, whatever its ticket does


class Clocks:
    """Rows of `clocks`, inside one transaction; one clock per ticket and kind."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def start(self, ticket: int, kind: str, due: datetime, now: datetime) -> None:
        """Start or wind up a clock."""
        dialect = postgresql if self._conn.dialect.name == "postgresql" else sqlite
        row = dialect.insert(clocks).values(ticket=ticket, kind=kind, due=due, started=now)
        self._conn.execute(
            row.on_conflict_do_update(
                index_elements=["ticket", "kind"], set_={"due": due, "started": now}
            )
        )

    def stop(self, ticket: int, kind: str) -> None:
        """Stop a clock; harmless when it does not run."""
        where = (clocks.c.ticket == ticket, clocks.c.kind == kind)
        self._conn.execute(update(clocks).where(*where).values(due=None))

    def claim_due(self, now: datetime, limit: int, lease: timedelta) -> list[Due]:
        """Take clocks that have rung and hide them until now + lease; `stop` ends them."""
        c = clocks.c
        due = select(c.id).where(c.due <= now).order_by(c.due, c.id).limit(limit)
        due = due.with_for_update(skip_locked=True)
        # A CTE with a lock is run once; PostgreSQL may run a subquery again and take too many.
        chosen = select(due.cte("claimable").c.id)
        claim = update(clocks).where(c.id.in_(chosen)).values(due=now + lease)
        rows = self._conn.execute(claim.returning(c.id, c.ticket, c.kind))
        return sorted((Due(id=r.id, ticket=r.ticket, kind=r.kind) for r in rows), key=_by_id)

    def next_due(self) -> datetime | None:
        """When the next clock rings."""
        return self._conn.execute(select(func.min(clocks.c.due))).scalar()


def _by_id(due: Due) -> int:
    return due.id
