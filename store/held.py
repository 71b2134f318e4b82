"""Mails that wait for approval; each is released once, or dropped, or its time runs out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, bindparam, func, select, update

from mailgate.core.decision import HeldMail
from mailgate.core.policy import folded
from store.schema import held, inbox, messages

WAITING, DROPPED, EXPIRED = "waiting", "dropped", "expired"
APPROVED = "approved"  # somebody said so; it takes effect with the worker's next step
AS_NOTE = "as-note"  # the same, but as an internal note
RELEASED = "released"
_ADD = held.insert()
_GET = select(held).where(held.c.id == bindparam("which"))
_CHALLENGES = (
    select(func.count())
    .select_from(held)
    .where(held.c.owner == bindparam("who"), held.c.created >= bindparam("since"))
)


class Holding(TypedDict):
    """What is said of a mail when it is held."""

    ticket: int
    message: int
    inbox: int
    author: str  # the address in its From
    owner: str  # the registered address that may release it by mail; "" the queue's agents
    why: str
    created: datetime
    expires: datetime


class Held:
    """Rows of `held`, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, **mail: Unpack[Holding]) -> int:
        """Hold a message; returns the id that a release address names."""
        row = {**mail, "owner": folded(mail["owner"]), "changed": mail["created"]}
        key = self._conn.execute(_ADD, row).inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave no id for a held mail")
        return int(key[0])

    def get(self, held_id: int) -> HeldMail | None:
        """A held mail, whatever its state."""
        row = self._conn.execute(_GET, {"which": held_id}).first()
        return _mail(row) if row else None

    def list(self, state: str = WAITING, limit: int = 100) -> list[HeldMail]:
        """Held mails in a state, "" for all, oldest first of the newest `limit`."""
        query = select(held).order_by(held.c.id.desc()).limit(limit)
        if state:
            query = query.where(held.c.state == state)
        return [_mail(row) for row in reversed(self._conn.execute(query).all())]

    def settle(self, held_id: int, state: str, by: str, now: datetime) -> bool:
        """End its waiting; False when it did not wait any more, or its time is over.

        Of two that release it at once one gets True. Dropping asks for no time.
        """
        row = update(held).where(held.c.id == held_id, held.c.state == WAITING)
        if state in (APPROVED, AS_NOTE, RELEASED):
            row = row.where(held.c.expires > now)
        return self._conn.execute(row.values(state=state, by=by, changed=now)).rowcount == 1

    def finish(self, held_id: int, now: datetime) -> bool:
        """An approved one takes effect; True for the one caller who may carry it out."""
        row = update(held).where(held.c.id == held_id, held.c.state.in_((APPROVED, AS_NOTE)))
        return self._conn.execute(row.values(state=RELEASED, changed=now)).rowcount == 1

    def hand_back(self, held_id: int, now: datetime) -> bool:
        """An approved one that cannot take effect waits again; False when it is not approved."""
        row = update(held).where(held.c.id == held_id, held.c.state.in_((APPROVED, AS_NOTE)))
        return self._conn.execute(row.values(state=WAITING, by="", changed=now)).rowcount == 1

    def move(self, held_id: int, ticket: int) -> None:
        """Put a held mail on another ticket, with its message and its row of the inbox."""
        row = self._conn.execute(select(held).where(held.c.id == held_id)).one()
        self._conn.execute(update(held).where(held.c.id == held_id).values(ticket=ticket))
        for table, which in ((messages, row.message), (inbox, row.inbox)):
            self._conn.execute(update(table).where(table.c.id == which).values(ticket=ticket))

    def expire(self, now: datetime) -> int:
        """End the waiting of those whose time is over; returns how many."""
        row = update(held).where(held.c.state == WAITING, held.c.expires <= now)
        return int(self._conn.execute(row.values(state=EXPIRED, changed=now)).rowcount)

    def challenges_since(self, owner: str, since: datetime) -> int:
        """How many mails were held for this address to approve since then."""
        asked = {"who": folded(owner), "since": since}
        return int(self._conn.execute(_CHALLENGES, asked).scalar_one())


def _mail(row: Row[Any]) -> HeldMail:
    return HeldMail(
        id=row.id,
        ticket=row.ticket,
        message=row.message,
        inbox=row.inbox,
        author=row.author,
        owner=row.owner,
        why=row.why,
        created=row.created,
        expires=row.expires,
        state=row.state,
        by=row.by,
    )
