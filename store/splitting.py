"""Messages that become tickets of their own, and what was split off what."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from mailgate.core.decision import StoredMessage
from mailgate.core.mail import Address, Envelope
from mailgate.core.ticket import MessageKind
from store.dialects import on, spelled
from store.schema import held, id_key, inbox, links, mail_ids, messages, participants, tickets

SPLIT_OFF, SPLIT_FROM = "split-off", "split-from"  # why two tickets are linked, seen from each
_CUSTOMER = MessageKind.CUSTOMER.value
_beside = messages.alias("beside")
_OTHERS = (
    select(func.count())
    .where(
        _beside.c.ticket == messages.c.ticket,
        _beside.c.kind == _CUSTOMER,
        _beside.c.id != messages.c.id,
    )
    .scalar_subquery()
    .label("others")
)
_NAMED = (
    select(
        messages.c.id,
        messages.c.ticket,
        messages.c.inbox,
        messages.c.kind,
        messages.c.author,
        messages.c.author_name,
        messages.c.at,
        _OTHERS,
        inbox.c.mail_from,
        inbox.c.rcpt_tos,
        inbox.c.peer,
        inbox.c.helo,
        inbox.c.login,
    )
    .join_from(messages, inbox, inbox.c.id == messages.c.inbox, isouter=True)
    .where(
        or_(
            messages.c.id.in_(bindparam("ids", expanding=True)),
            messages.c.inbox.in_(bindparam("inboxes", expanding=True)),
        )
    )
    .order_by(messages.c.id)
)
_PARTED = (
    select(links.c.ticket, links.c.other)
    .where(links.c.ticket.in_(bindparam("numbers", expanding=True)), links.c.why == SPLIT_FROM)
    .order_by(links.c.other)
)
_LINK = spelled(lambda insert: insert(links).on_conflict_do_nothing())
_KNOWN = spelled(
    lambda insert: insert(mail_ids).on_conflict_do_update(
        index_elements=["message_id", "ticket"], set_={"referenced_only": False}
    )
)
_BY_MAIL = (
    select(messages.c.id, messages.c.ticket)
    .where(messages.c.inbox == bindparam("which"))
    .order_by(messages.c.id)
)


class CannotSplit(Exception):
    """The message is not on that ticket any more."""


class Splitting:
    """Messages on their way to another ticket, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def named(self, ids: Collection[int], inboxes: Collection[int]) -> dict[int, StoredMessage]:
        """Messages by their numbers, and those that came as these mails; without their mails."""
        if not (ids or inboxes):
            return {}
        rows = self._conn.execute(_NAMED, {"ids": list(ids), "inboxes": list(inboxes)})
        return {row.id: _stored(row) for row in rows}

    def move(self, message: int, number: int, into: int, now: datetime) -> None:
        """Take a customer's message from ticket `number` to the new one, with its Message-ID.

        What it is attached, its words and its bytes hang on the message and go along; the ids that
        it refers to stay. The two tickets are linked. Raises CannotSplit.
        """
        there = (messages.c.id == message, messages.c.ticket == number)
        row = update(messages).where(*there, messages.c.kind == _CUSTOMER).values(ticket=into)
        if self._conn.execute(row).rowcount != 1:
            raise CannotSplit(f"message {message} is no customer's message on #{number} any more")
        self._conn.execute(update(held).where(held.c.message == message).values(ticket=into))
        self._move_id(message, number, into)
        self._had(message, into)
        ways = ((number, into, SPLIT_OFF), (into, number, SPLIT_FROM))
        rows = [{"ticket": one, "other": other, "why": why} for one, other, why in ways]
        self._conn.execute(on(self._conn, _LINK), rows)
        both = update(tickets).where(tickets.c.number.in_((number, into)))
        self._conn.execute(both.values(updated=now))

    def bring(self, message: int, into: int) -> None:
        """Put an agent's mail that was held where its words are said now."""
        self._conn.execute(update(messages).where(messages.c.id == message).values(ticket=into))
        self._conn.execute(update(held).where(held.c.message == message).values(ticket=into))

    def _had(self, message: int, into: int) -> None:
        """Whoever wrote the message is no newcomer to it."""
        came = select(messages.c.at).where(messages.c.id == message).scalar_subquery()
        p = participants.c
        self._conn.execute(update(participants).where(p.ticket == into).values(added=came))

    def _move_id(self, message: int, number: int, into: int) -> None:
        """Answers to the message find the new ticket first.

        Where another message of the old ticket has the same id, it is known on both.
        """
        own = select(messages.c.message_id).where(messages.c.id == message)
        message_id = str(self._conn.execute(own).scalar_one())
        key = id_key(message_id)
        m, i = messages.c, mail_ids.c
        again = select(m.id).where(m.ticket == number, m.message_id == message_id)
        known = select(i.message_id).where(i.ticket == number, i.message_id == key)
        if not message_id or self._conn.execute(known).first() is None:
            return
        if self._conn.execute(again).first() is None:
            gone = update(mail_ids).where(i.ticket == number, i.message_id == key)
            self._conn.execute(gone.values(ticket=into, referenced_only=False))
            return
        row = {"message_id": key, "ticket": into, "referenced_only": False}
        self._conn.execute(on(self._conn, _KNOWN), row)

    def parted(self, numbers: Collection[int]) -> dict[int, tuple[int, ...]]:
        """For those of the tickets that were split off: the tickets they were split off."""
        found: dict[int, tuple[int, ...]] = {}
        for row in self._conn.execute(_PARTED, {"numbers": list(numbers)}) if numbers else ():
            found[row.ticket] = (*found.get(row.ticket, ()), row.other)
        return found

    def places(self, inbox_id: int) -> list[tuple[int, int]]:
        """Where the messages are now that came as this mail: (message, ticket)."""
        return [(row.id, row.ticket) for row in self._conn.execute(_BY_MAIL, {"which": inbox_id})]


def _stored(row: Any) -> StoredMessage:
    author = Address(addr=row.author, name=row.author_name) if row.author else None
    envelope = Envelope(
        mail_from=row.mail_from,
        rcpt_tos=tuple(row.rcpt_tos or ()),
        peer=row.peer or "",
        helo=row.helo or "",
        login=row.login or "",
    )
    return StoredMessage(
        id=row.id,
        ticket=row.ticket,
        inbox=row.inbox,
        kind=MessageKind(row.kind),
        author=author,
        at=row.at,
        others=row.others,
        envelope=envelope,
    )
