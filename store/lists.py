"""Agents' work lists: tickets as one line each, and held mail that waits for somebody."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, or_, select

from mailgate.core.policy import folded
from store.columns import Folded
from store.schema import events, people, tickets

MOST = 100  # tickets of one list


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A ticket as a list shows it."""

    number: int
    subject: str
    status: str
    priority: str
    queue: str
    assignee: str
    group: str
    requester: str
    updated: datetime
    due: datetime | None = None  # when an agent wanted it to be done, past or to come


class Lists:
    """Reads the lists, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def of_agent(
        self, address: str, groups: Collection[str], over: Collection[str]
    ) -> list[Listed]:
        """Tickets of an agent or of these groups, but for those with a status of `over`.

        The latest change first, MOST at most.
        """
        t = tickets.c
        mine = or_(Folded(t.assignee) == folded(address), t.group_name.in_(list(groups)))
        query = _select().where(mine, t.status.not_in(list(over)), t.merged_into.is_(None))
        return self._read(query)

    def of(self, numbers: Collection[int]) -> list[Listed]:
        """These tickets, in the order of the numbers given."""
        wanted = list(numbers)
        found = {one.number: one for one in self._read(_select().where(_NUMBER.in_(wanted)))}
        return [found[number] for number in wanted if number in found]

    def _read(self, query: Select[Any]) -> list[Listed]:
        rows = self._conn.execute(query.order_by(tickets.c.updated.desc(), _NUMBER).limit(MOST))
        found = [_listed(row) for row in rows]
        due = self.due([one.number for one in found])
        return [replace(one, due=due.get(one.number)) for one in found]

    def due(self, numbers: Collection[int]) -> dict[int, datetime | None]:
        """By when each of these is to be done, as was said last: a clock that has rung is empty."""
        rows = self._conn.execute(_DUE, {"numbers": list(numbers)}) if numbers else ()
        told = {row.ticket: str(row.data.get("until", "")) for row in rows}
        return {n: datetime.fromisoformat(said) if said else None for n, said in told.items()}


_NUMBER = tickets.c.number
_DUE = (
    select(events.c.ticket, events.c.data)
    .where(events.c.ticket.in_(bindparam("numbers", expanding=True)), events.c.kind == "due")
    .order_by(events.c.id)
)


def _select() -> Select[Any]:
    joined = tickets.outerjoin(people, people.c.id == tickets.c.requester)
    return select(tickets, people.c.address).select_from(joined)


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        number=row.number,
        subject=row.subject,
        status=row.status,
        priority=row.priority,
        queue=row.queue,
        assignee=row.assignee,
        group=row.group_name,
        requester=row.address or "",
        updated=row.updated,
    )
