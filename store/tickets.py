"""Tickets and what hangs on them: participants, messages, attachments, tags, links, events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, desc, literal, select, union_all, update

from mailgate.core.decision import HUMAN, Notice, OpenTicket
from mailgate.core.mail import Address, Attachment, ParsedMail
from mailgate.core.people import Role
from mailgate.core.ticket import MessageKind, TicketView
from store import merging
from store.asides import SIDES
from store.dialects import on, spelled
from store.outbox_rows import COPY_ID
from store.people import People
from store.schema import (
    attachments,
    events,
    id_key,
    links,
    mail_ids,
    messages,
    outbox,
    outbox_recipients,
    participants,
    people,
    tags,
    tickets,
)
from store.ticket_rows import (
    Event,
    Message,
    TicketRow,
    attachment,
    attachment_row,
    message,
    ticket_row,
)

# SetField's names -> columns; the only fields a decision may change.
COLUMNS: Mapping[str, str] = {
    "status": "status",
    "priority": "priority",
    "category": "category",
    "queue": "queue",
    "assignee": "assignee",
    "group": "group_name",
    "subject": "subject",
    "language": "language",
    "resolution": "resolution",
}

_OPEN = tickets.insert()
# RETURNING, because psycopg tells no row count of an INSERT.
_JOIN = spelled(
    lambda insert: insert(participants).on_conflict_do_nothing().returning(participants.c.person)
)
_ADD_MESSAGE = messages.insert()
_ADD_ATTACHMENT = attachments.insert()
_REFER = spelled(lambda insert: insert(mail_ids).on_conflict_do_nothing())
_REMEMBER = spelled(
    lambda insert: insert(mail_ids).on_conflict_do_update(
        index_elements=["message_id", "ticket"], set_={"referenced_only": False}
    )
)
_CHANGE = update(tickets).where(tickets.c.number == bindparam("which"))
_KIND = update(messages).where(messages.c.id == bindparam("which"))
_TAG = spelled(lambda insert: insert(tags).on_conflict_do_nothing())
_LINK = spelled(lambda insert: insert(links).on_conflict_do_nothing())
_RECORD = events.insert()

_TICKETS = (
    select(tickets, people.c.address)
    .outerjoin(people, people.c.id == tickets.c.requester)
    .where(tickets.c.number.in_(bindparam("numbers", expanding=True)))
    .order_by(tickets.c.number)  # one order for all, so that two workers never deadlock
)
_TICKETS_LOCKED = _TICKETS.with_for_update(of=tickets)
_PARTICIPANTS = union_all(
    select(
        participants.c.ticket,
        participants.c.role,
        participants.c.active,
        participants.c.muted,
        people.c.address,
        participants.c.added,
        participants.c.person,
    )
    .join(people, people.c.id == participants.c.person)
    .where(participants.c.ticket.in_(bindparam("numbers", expanding=True))),
    SIDES,
).order_by("added", "person")
_TAGS = (
    select(tags).where(tags.c.ticket.in_(bindparam("numbers", expanding=True))).order_by(tags.c.tag)
)
# An agent's answer counts by the id under which we sent it on: the one that the agent's own
# client gave it was never seen by a customer, and holds the name of a private machine.
_TALK = (*HUMAN - {Notice.SIDE}, Notice.AGENT_NEW, Notice.AGENT_ASSIGNED, Notice.AGENT_MESSAGE)
_THREAD = (
    union_all(
        select(messages.c.message_id.label("sent"), messages.c.at, literal(0).label("after"))
        .add_columns(messages.c.id)
        .where(
            messages.c.ticket == bindparam("number"),
            messages.c.kind == MessageKind.CUSTOMER.value,
            messages.c.message_id != "",
        ),
        # Later than the mail that it carries on, and the one that its reader has.
        select(COPY_ID.label("sent"), outbox.c.created.label("at"), literal(1).label("after"))
        .add_columns(outbox_recipients.c.id)
        .select_from(outbox.join(outbox_recipients))
        .where(
            outbox.c.ticket == bindparam("number"),
            outbox.c.notice.in_([notice.value for notice in _TALK]),
            # Not by its index: an agent has read much elsewhere, and a ticket is short.
            outbox_recipients.c.address + "" == bindparam("reader"),
        ),
    )
    .order_by(desc("at"), desc("after"), desc("id"))
    .limit(bindparam("most"))
)


class Tickets:
    """Rows of `tickets` and its children, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._people = People(conn)

    # --- writing -------------------------------------------------------------------------

    def open(self, effect: OpenTicket, now: datetime) -> int:
        """Make a ticket; returns its number."""
        person = None
        if effect.requester:
            person = self._people.ensure(effect.requester, now, language=effect.language)
        row: dict[str, Any] = {
            "subject": effect.subject,
            "status": effect.status,
            "priority": effect.priority,
            "queue": effect.queue,
            "requester": person,
            "domain": effect.domain or _domain(effect.requester),
            "language": effect.language,
            "source": effect.source,
            "created": now,
            "updated": now,
            "fields": {},
        }
        key = self._conn.execute(_OPEN, row).inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave no ticket number")
        number = int(key[0])
        if person is not None:
            self._join(number, person, Role.REQUESTER, "", now)
        return number

    def agents_ids(self, number: int, ids: Sequence[str]) -> set[str]:
        """Those of the Message-IDs that agents' own clients gave to mail on a ticket."""
        if not ids:
            return set()
        theirs = select(messages.c.message_id).where(
            messages.c.ticket == number,
            messages.c.kind != MessageKind.CUSTOMER.value,
            messages.c.message_id.in_(ids),
        )
        return set(self._conn.execute(theirs).scalars())

    def add_participant(self, number: int, address: Address, by: str, now: datetime) -> bool:
        """Put an address on the CC list; False when it is on the ticket already."""
        return self._join(number, self._people.ensure(address, now), Role.CC, by, now)

    def remove_participant(self, number: int, address: str) -> bool:
        """Take an address off the CC list; it stays known so that it cannot slip back in."""
        person = select(people.c.id).where(people.c.address == address).scalar_subquery()
        row = update(participants).where(
            participants.c.ticket == number,
            participants.c.person == person,
            participants.c.role == Role.CC.value,
            participants.c.active.is_(True),
        )
        return self._conn.execute(row.values(active=False)).rowcount == 1

    def _join(self, number: int, person: int, role: Role, by: str, now: datetime) -> bool:
        row = {"ticket": number, "person": person, "role": role.value, "added_by": by, "added": now}
        return self._conn.execute(on(self._conn, _JOIN), row).first() is not None

    def add_message(
        self, number: int, mail: ParsedMail, kind: MessageKind, author: Address | None, **at: Any
    ) -> int:
        """Store a parsed mail as a message; `at` takes `now` and `inbox`. Returns its id."""
        row = {
            "ticket": number,
            "inbox": at.get("inbox"),
            "kind": kind.value,
            "author": author.addr if author else "",
            "author_name": author.name if author else "",
            "message_id": mail.message_id,
            "subject": mail.subject,
            "at": at["now"],
            "text": mail.text,
            "visible": mail.visible,
            "defects": list(mail.defects),
        }
        key = self._conn.execute(_ADD_MESSAGE, row).inserted_primary_key
        message = int(key[0]) if key else 0
        if mail.attachments:
            rows = [attachment_row(message, a) for a in mail.attachments]
            self._conn.execute(_ADD_ATTACHMENT, rows)
        return message

    def set_message_kind(self, message: int, kind: MessageKind) -> None:
        """Make a message something else: a held one that was released."""
        self._conn.execute(_KIND, {"which": message, "kind": kind.value})

    def remember_ids(self, number: int, own: str, others: Sequence[str]) -> None:
        """Keep a mail's id, and the ids it refers to, as belonging to the ticket."""
        rows = [
            {"message_id": id_key(other), "ticket": number, "referenced_only": True}
            for other in dict.fromkeys(others)
            if id_key(other) != id_key(own)
        ]
        if rows:
            self._conn.execute(on(self._conn, _REFER), rows)
        mine = {"message_id": id_key(own), "ticket": number, "referenced_only": False}
        self._conn.execute(on(self._conn, _REMEMBER), mine)

    def set_field(self, number: int, field: str, value: str, now: datetime) -> None:
        """Change a field named in COLUMNS."""
        self._conn.execute(_CHANGE, {"which": number, COLUMNS[field]: value, "updated": now})

    def set_closed(self, number: int, closed: datetime | None) -> None:
        """Note when the ticket was closed, or that it is open again."""
        self._conn.execute(_CHANGE, {"which": number, "closed": closed})

    def touch(self, number: int, now: datetime) -> None:
        """Something happened on the ticket."""
        self._conn.execute(_CHANGE, {"which": number, "updated": now})

    def add_tag(self, number: int, tag: str) -> None:
        """Put a tag on; once is enough."""
        self._conn.execute(on(self._conn, _TAG), {"ticket": number, "tag": tag})

    def link(self, number: int, other: int, why: str) -> None:
        """Link two tickets, seen from both sides."""
        rows = [
            {"ticket": number, "other": other, "why": why},
            {"ticket": other, "other": number, "why": why},
        ]
        self._conn.execute(on(self._conn, _LINK), rows)

    def merge(self, number: int, into: int, now: datetime, *, closed: str = "closed") -> int:
        """Let a ticket live on in another: `merging.merge`. Raises merging.CannotMerge."""
        return merging.merge(self._conn, number, into, now, closed=closed)

    def revoke_tokens(self, number: int, address: str) -> None:
        """What tokens this address holds for the ticket prove nothing from now on."""
        merging.revoke_tokens(self._conn, number, address)

    def record(self, event: Event) -> None:
        """Add a line to the audit trail."""
        self.record_many([event])

    def record_many(self, many: Sequence[Event]) -> None:
        """Add lines to the audit trail with one statement."""
        if many:
            rows = [
                {
                    "ticket": e.ticket,
                    "inbox": e.inbox,
                    "outbox": e.outbox,
                    "at": e.at,
                    "actor": e.actor,
                    "kind": e.kind,
                    "data": dict(e.data),
                }
                for e in many
            ]
            self._conn.execute(_RECORD, rows)

    # --- reading -------------------------------------------------------------------------

    def views(self, numbers: Collection[int], *, lock: bool = False) -> dict[int, TicketView]:
        """Tickets as facts; `lock` keeps others from changing them until the end (PostgreSQL)."""
        return {number: row.view for number, row in self.rows(numbers, lock=lock).items()}

    def get(self, number: int, *, lock: bool = False) -> TicketRow | None:
        """One ticket, with its links."""
        row = self.rows([number], lock=lock).get(number)
        if row is None:
            return None
        query = select(links.c.other, links.c.why).where(links.c.ticket == number)
        found = tuple((r.other, r.why) for r in self._conn.execute(query.order_by(links.c.other)))
        return replace(row, links=found)

    def find(
        self, *, status: str = "", queue: str = "", assignee: str = "", limit: int = 100
    ) -> list[TicketRow]:
        """Tickets, the last changed first."""
        query = select(tickets.c.number)
        for column, value in (("status", status), ("queue", queue), ("assignee", assignee)):
            if value:
                query = query.where(tickets.c[column] == value)
        query = query.order_by(tickets.c.updated.desc(), tickets.c.number.desc()).limit(limit)
        numbers = list(self._conn.execute(query).scalars())
        rows = self.rows(numbers)
        return [rows[n] for n in numbers]

    def survivor_of(self, numbers: Collection[int]) -> dict[int, int]:
        """For each of these tickets that was merged: the one it lives on in."""
        return merging.survivors(self._conn, numbers)

    def generations(
        self, numbers: Collection[int], addresses: Collection[str] | None = None
    ) -> dict[tuple[int, str], int]:
        """(ticket, address in lower case) -> generation of tokens still good; 0 is left out."""
        return merging.generations_of(self._conn, numbers, addresses)

    def rows(self, numbers: Collection[int], *, lock: bool = False) -> dict[int, TicketRow]:
        """Tickets by number; `lock` keeps others from changing them until the end (PostgreSQL)."""
        if not numbers:
            return {}
        query = _TICKETS_LOCKED if lock else _TICKETS
        found = self._conn.execute(query, {"numbers": list(numbers)}).all()
        on_them = self._participants([row.number for row in found])
        tagged = self._tags([row.number for row in found])
        return {
            row.number: ticket_row(row, on_them.get(row.number, []), tagged.get(row.number, ()))
            for row in found
        }

    def _participants(self, numbers: list[int]) -> dict[int, list[Any]]:
        result: dict[int, list[Any]] = {}
        for row in self._conn.execute(_PARTICIPANTS, {"numbers": numbers}) if numbers else ():
            result.setdefault(row.ticket, []).append(row)
        return result

    def _tags(self, numbers: list[int]) -> dict[int, tuple[str, ...]]:
        result: dict[int, tuple[str, ...]] = {}
        for row in self._conn.execute(_TAGS, {"numbers": numbers}) if numbers else ():
            result[row.ticket] = (*result.get(row.ticket, ()), row.tag)
        return result

    def messages(self, number: int) -> list[Message]:
        """All messages of a ticket in order of arrival."""
        query = select(messages).where(messages.c.ticket == number).order_by(messages.c.id)
        rows = self._conn.execute(query).all()
        files = self._attachments([row.id for row in rows])
        return [message(row, files.get(row.id, ())) for row in rows]

    def _attachments(self, ids: list[int]) -> dict[int, tuple[Attachment, ...]]:
        result: dict[int, tuple[Attachment, ...]] = {}
        query = select(attachments).where(attachments.c.message.in_(ids))
        for row in self._conn.execute(query.order_by(attachments.c.id)) if ids else ():
            result[row.message] = (*result.get(row.message, ()), attachment(row))
        return result

    def events(self, number: int) -> list[Event]:
        """The audit trail of a ticket."""
        query = select(events).where(events.c.ticket == number).order_by(events.c.id)
        return [
            Event(
                at=row.at,
                actor=row.actor,
                kind=row.kind,
                data=row.data,
                ticket=row.ticket,
                inbox=row.inbox,
                outbox=row.outbox,
            )
            for row in self._conn.execute(query)
        ]

    def thread_ids(self, number: int, reader: str, limit: int = 20) -> list[str]:
        """Message-IDs of the public talk, oldest first, the last `limit` of them.

        Our own mails count with the id that this reader's copy has: another's is their token.
        """
        asked = {"number": number, "reader": reader, "most": limit}
        found = self._conn.execute(_THREAD, asked)
        return list(reversed(found.scalars().all()))


def _domain(address: Address | None) -> str:
    return address.addr.rpartition("@")[2] if address else ""
