"""What agents' commands do to a ticket beyond its fields, who is away, and what can be undone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from mailgate.core.decision import Undoable
from mailgate.core.mail import Address, ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import folded
from mailgate.core.ticket import MessageKind
from store.dialects import on, spelled
from store.people import People
from store.schema import (
    attachments,
    clocks,
    events,
    links,
    marks,
    messages,
    participants,
    people,
    tags,
    tickets,
)
from store.ticket_rows import attachment_row

ACTED, UNDONE = "acted", "undone"  # kinds of events
AWAY_DAYS = 30  # an agent whose machine has not answered for so long is back
_AWAY = "away "
_ACTS = (
    select(events)
    .where(
        events.c.ticket.in_(bindparam("numbers", expanding=True)),
        events.c.kind.in_((ACTED, UNDONE)),
    )
    .order_by(events.c.id.desc())
    .limit(50)
)
_ABSENT = select(marks.c.name, marks.c.why).where(
    marks.c.name.startswith(_AWAY), marks.c.until > bindparam("at")
)
_LEAVE = spelled(
    lambda insert: (row := insert(marks)).on_conflict_do_update(
        index_elements=["name"], set_={"until": row.excluded.until}
    )
)


class Reshaping:
    """Changes to a ticket's children, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def remove_tag(self, number: int, tag: str) -> bool:
        """Take a tag off; False when it was not there."""
        row = delete(tags).where(tags.c.ticket == number, tags.c.tag == tag)
        return self._conn.execute(row).rowcount == 1

    def unlink(self, number: int, other: int) -> None:
        """Take back a link, from both sides."""
        for one, two in ((number, other), (other, number)):
            row = delete(links).where(links.c.ticket == one, links.c.other == two)
            self._conn.execute(row)

    def linked(self, number: int, other: int) -> bool:
        """Whether agents see these two as belonging together."""
        row = select(links.c.why).where(links.c.ticket == number, links.c.other == other)
        return self._conn.execute(row).first() is not None

    def return_participant(self, number: int, address: str, now: datetime) -> bool:
        """Put somebody who was taken off on the CC list again, who is new there once more."""
        row = self._participant(number, address).where(participants.c.active.is_(False))
        back = {"active": True, "role": Role.CC.value, "added": now}
        return self._conn.execute(row.values(back)).rowcount == 1

    def set_requester(self, number: int, address: Address, by: str, now: datetime) -> str:
        """Give the ticket to somebody else; returns the requester before, who is taken off."""
        before = (
            select(people.c.address)
            .join(tickets, tickets.c.requester == people.c.id)
            .where(tickets.c.number == number)
        )
        old = self._conn.execute(before).scalar() or ""
        if old:
            row = self._participant(number, old)
            self._conn.execute(row.values(role=Role.CC.value, active=False))
        person = People(self._conn).ensure(address, now)
        there = self._participant(number, address.addr)
        role = Role.REQUESTER.value
        self.return_participant(number, address.addr, now)
        if not self._conn.execute(there.values(role=role)).rowcount:
            joined = {"ticket": number, "person": person, "role": role}
            self._conn.execute(participants.insert(), {**joined, "added_by": by, "added": now})
        self._change(number, requester=person, updated=now)
        return str(old)

    def _participant(self, number: int, address: str) -> Any:
        person = select(people.c.id).where(people.c.address == address).scalar_subquery()
        there = (participants.c.ticket == number, participants.c.person == person)
        return update(participants).where(*there)

    def set_custom(self, number: int, key: str, value: str) -> str:
        """Set a custom field, "" to empty it; returns the value before."""
        row = select(tickets.c.fields).where(tickets.c.number == number)
        fields = dict(self._conn.execute(row).scalar_one())
        old = str(fields.pop(key, ""))
        self._change(number, fields={**fields, key: value} if value else fields)
        return old

    def add_time(self, number: int, minutes: int) -> int:
        """Add to the time spent, which is never below zero; returns what was really added."""
        row = select(tickets.c.time_spent).where(tickets.c.number == number)
        before = int(self._conn.execute(row).scalar_one())
        after = max(0, before + minutes)
        self._change(number, time_spent=after)
        return after - before

    def _change(self, number: int, **columns: Any) -> None:
        self._conn.execute(update(tickets).where(tickets.c.number == number).values(columns))

    def clock(self, number: int, kind: str) -> datetime | None:
        """When a clock of the ticket rings, None when it does not run."""
        row = select(clocks.c.due).where(clocks.c.ticket == number, clocks.c.kind == kind)
        return self._conn.execute(row).scalar()

    def never_sent(self, inbox: int) -> None:
        """What an agent said did not leave: it is a note."""
        kinds = (MessageKind.AGENT.value, MessageKind.NOTE.value)
        said = (messages.c.inbox == inbox, messages.c.kind.in_(kinds))
        row = update(messages).where(*said)
        self._conn.execute(row.values(kind=MessageKind.NOTE.value, aside=""))

    def rewrite(
        self,
        message: int,
        mail: ParsedMail,
        kind: MessageKind,
        *,
        author: Address | None,
        at: datetime,
    ) -> None:
        """Make a message what another mail says: a held forward becomes the mail in it."""
        row = update(messages).where(messages.c.id == message)
        self._conn.execute(
            row.values(
                kind=kind.value,
                author=author.addr if author else "",
                author_name=author.name if author else "",
                message_id=mail.message_id,
                subject=mail.subject,
                at=at,
                text=mail.text,
                visible=mail.visible,
                defects=list(mail.defects),
            )
        )
        self._conn.execute(delete(attachments).where(attachments.c.message == message))
        if mail.attachments:
            rows = [attachment_row(message, one) for one in mail.attachments]
            self._conn.execute(attachments.insert(), rows)

    # --- what can be undone ----------------------------------------------------------------

    def act(self, event: int) -> list[list[Any]]:
        """The inverse of what an agent's mail did. Raises LookupError."""
        row = select(events.c.data).where(events.c.id == event, events.c.kind == ACTED)
        data = self._conn.execute(row).scalar()
        if data is None:
            raise LookupError(f"no event {event}")
        return list(data.get("inverse", ()))

    def acts(self, numbers: Collection[int]) -> dict[int, tuple[Undoable, ...]]:
        """What agents' mails did to these tickets and has not been undone, newest first."""
        found: dict[int, tuple[Undoable, ...]] = {}
        undone: set[int] = set()
        for row in self._conn.execute(_ACTS, {"numbers": list(numbers)}) if numbers else ():
            if row.kind == UNDONE:
                undone.add(int(row.data.get("event", 0)))
            elif row.id not in undone:
                one = Undoable(
                    event=row.id,
                    inbox=row.inbox,
                    agent=str(row.data.get("agent", "")),
                    at=row.at,
                    lines=tuple(row.data.get("lines", ())),
                )
                found[row.ticket] = (*found.get(row.ticket, ()), one)
        return found

    # --- who is away -----------------------------------------------------------------------

    def leave(self, agent: str, now: datetime) -> bool:
        """Note that an agent's answering machine wrote; False when that was known."""
        name = f"{_AWAY}{folded(agent)}"
        known = folded(agent) in self.away(now)
        row = {"name": name, "until": now + timedelta(days=AWAY_DAYS), "why": now.isoformat()}
        if not known:
            self._conn.execute(delete(marks).where(marks.c.name == name))
        self._conn.execute(on(self._conn, _LEAVE), row)
        return not known

    def come_back(self, agent: str) -> bool:
        """Note that an agent wrote; False when they were not away."""
        row = delete(marks).where(marks.c.name == f"{_AWAY}{folded(agent)}")
        return self._conn.execute(row).rowcount == 1

    def away(self, now: datetime) -> dict[str, datetime]:
        """Agents who are away (addresses in lower case), and since when."""
        return {
            row.name.removeprefix(_AWAY): datetime.fromisoformat(row.why)
            for row in self._conn.execute(_ABSENT, {"at": now})
        }
