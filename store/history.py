"""Messages as they were stored, a batch at a time, for reading their mails anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from mailgate.core.ticket import MessageKind
from store.schema import inbox, messages

# What an agent wrote is kept as it was sent to people.
KINDS = (MessageKind.CUSTOMER, MessageKind.HELD)
BATCH = 50  # a text may have 4 million characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A message that came by mail, and where the bytes of that are."""

    id: int
    ticket: int
    inbox: int
    digest: str
    text: str
    visible: str


class History:
    """Messages by id, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def batch(
        self, after: int, *, ticket: int | None = None, since: datetime | None = None
    ) -> list[Stored]:
        """The next messages of customers behind message `after`, oldest first, BATCH at most."""
        m = messages.c
        query = (
            select(m.id, m.ticket, m.inbox, inbox.c.digest, m.text, m.visible)
            .join(inbox, inbox.c.id == m.inbox)
            .where(m.id > after, m.kind.in_([kind.value for kind in KINDS]))
            .order_by(m.id)
            .limit(BATCH)
        )
        if ticket is not None:
            query = query.where(m.ticket == ticket)
        if since is not None:
            query = query.where(m.at >= since)
        return list(self._stored(query))

    def _stored(self, query: object) -> Iterator[Stored]:
        for row in self._conn.execute(query):  # type: ignore[call-overload]
            yield Stored(**row._mapping)

    def reword(self, message: Stored, visible: str) -> bool:
        """Store other new words; False where somebody changed the message in the meantime."""
        m = messages.c
        row = update(messages).where(m.id == message.id, m.visible == message.visible)
        return self._conn.execute(row.values(visible=visible)).rowcount == 1
