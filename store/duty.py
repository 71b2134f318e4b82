"""Duty lists: which mail a number stands for; and senders whose mail is ignored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from mailgate.core.decision import Outcome
from mailgate.core.duty import WAITING, Blocked, DutyItem, DutyList, Order, Verb
from mailgate.core.policy import folded
from store.dialects import on, spelled
from store.schema import held, inbox
from store.schema_duty import blocked, duty_items, duty_lists

KEPT = timedelta(days=30)  # how long a list is remembered that nobody can answer any more
LONGEST = 320  # characters of an address that can be blocked

_ITEMS = (
    select(duty_items, inbox.c.outcome, inbox.c.vouched_by, held.c.state, held.c.by)
    .add_columns(held.c.ticket, held.c.owner, held.c.expires)
    .join_from(duty_items, inbox, inbox.c.id == duty_items.c.inbox)
    .join(held, held.c.id == duty_items.c.held, isouter=True)
    .where(duty_items.c.list == bindparam("which"))
    .order_by(duty_items.c.number)
)
_PENDING = (
    select(func.count())
    .select_from(duty_lists)
    .where(duty_lists.c.parent == bindparam("which"), duty_lists.c.settled.is_(None))
)
_BLOCK = spelled(
    lambda insert: (
        insert(blocked)
        .on_conflict_do_nothing(index_elements=["address"])
        .returning(blocked.c.address)
    )
)


class Duty:
    """Rows of `duty_lists`, `duty_items` and `blocked`, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def make(self, agent: str, items: Sequence[DutyItem], now: datetime, expires: datetime) -> int:
        """Remember a list that is sent to an agent; returns the id that its token names."""
        self._forget(now - KEPT)
        made = self._add(agent=agent, created=now, expires=expires)
        rows = [
            {"list": made, "number": i.number, "inbox": i.inbox, "held": i.held, "sender": i.sender}
            for i in items
        ]
        if rows:
            self._conn.execute(duty_items.insert(), rows)
        return made

    def ask(self, which: int, orders: Sequence[Order], now: datetime, expires: datetime) -> int:
        """Remember orders to a list until their agent confirms them; returns the id to do so."""
        agent = self._row(which).agent
        written = [[o.number, o.verb.value, o.ticket] for o in orders]
        return self._add(agent=agent, created=now, expires=expires, parent=which, orders=written)

    def _add(self, **values: Any) -> int:
        key = self._conn.execute(duty_lists.insert(), values).inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave no id for a duty list")
        return int(key[0])

    def _row(self, which: int) -> Row[Any]:
        return self._conn.execute(select(duty_lists).where(duty_lists.c.id == which)).one()

    def get(self, which: int) -> DutyList | None:
        """A list with what became of its mails until now; None when there is none.

        Of two answers at a time the second one waits here until the first is settled.
        """
        locked = select(duty_lists).where(duty_lists.c.id == which).with_for_update()
        row = self._conn.execute(locked).first()
        if row is None:
            return None
        whole = row.parent or row.id
        return DutyList(
            id=row.id,
            agent=row.agent,
            expires=row.expires,
            items=tuple(_item(i) for i in self._conn.execute(_ITEMS, {"which": whole})),
            asks=tuple(Order(number=n, verb=Verb(v), ticket=t) for n, v, t in row.orders),
            settled=row.settled is not None,
            pending=int(self._conn.execute(_PENDING, {"which": row.id}).scalar_one()),
        )

    def settle(self, which: int, now: datetime) -> bool:
        """The orders asked about are done; False when they were done before."""
        row = update(duty_lists).where(duty_lists.c.id == which, duty_lists.c.settled.is_(None))
        return self._conn.execute(row.values(settled=now)).rowcount == 1

    def _forget(self, before: datetime) -> None:
        old = select(duty_lists.c.id).where(duty_lists.c.expires < before)
        # A question lives no longer than the list that it is about.
        self._conn.execute(delete(duty_lists).where(duty_lists.c.parent.in_(old)))
        self._conn.execute(delete(duty_items).where(duty_items.c.list.in_(old)))
        self._conn.execute(delete(duty_lists).where(duty_lists.c.expires < before))

    def block(self, address: str, by: str, now: datetime) -> bool:
        """Ignore what comes from an address; False when it is ignored already, or too long."""
        low = folded(address)
        row = {"address": low, "by": by, "at": now}
        if not low or len(low) > LONGEST:
            return False
        return self._conn.execute(on(self._conn, _BLOCK), row).first() is not None

    def unblock(self, address: str) -> bool:
        """Take what comes from an address again; False when it is taken already."""
        row = delete(blocked).where(blocked.c.address == folded(address))
        return self._conn.execute(row).rowcount == 1

    def blocked(self) -> list[Blocked]:
        """All senders whose mail is ignored, by address."""
        rows = self._conn.execute(select(blocked).order_by(blocked.c.address))
        return [Blocked(address=row.address, by=row.by, at=row.at) for row in rows]


def _item(row: Row[Any]) -> DutyItem:
    """What became of a mail: of one in quarantine its outcome tells."""
    if row.held is not None:
        state, by = row.state, row.by
    elif row.outcome == Outcome.QUARANTINED.value:
        state, by = WAITING, ""
    else:
        state = "accepted" if row.outcome is None or row.vouched_by else row.outcome
        by = row.vouched_by
    return DutyItem(
        number=row.number,
        inbox=row.inbox,
        held=row.held,
        ticket=row.ticket,
        sender=row.sender,
        owner=row.owner or "",
        state=state,
        by=by,
        expires=row.expires,
    )
