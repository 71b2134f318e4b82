"""What a notice tells beside its message: read in the transaction that queues it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from mailgate.core.ticket import MessageKind
from store.schema import messages, participants, people
from store.ticket_rows import Message, message
from store.wishes import is_wish

_LAST_WORDS = (
    select(messages)
    .where(messages.c.ticket == bindparam("ticket"), messages.c.kind == MessageKind.CUSTOMER.value)
    .where(~is_wish)
    .order_by(messages.c.at.desc(), messages.c.id.desc())
    .limit(1)
)
_NEWCOMERS = (
    select(func.lower(people.c.address))
    .join(participants, participants.c.person == people.c.id)
    .where(participants.c.ticket == bindparam("ticket"), participants.c.added > bindparam("since"))
)


class Background:
    """Reads, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def last_words(self, ticket: int) -> Message | None:
        """The last message of a customer on a ticket, wishes apart, without its attachments."""
        row = self._conn.execute(_LAST_WORDS, {"ticket": ticket}).first()
        return message(row, ()) if row else None

    def newcomers(self, ticket: int, since: datetime) -> frozenset[str]:
        """Addresses in lower case that came to the ticket later than `since`."""
        asked = {"ticket": ticket, "since": since}
        return frozenset(self._conn.execute(_NEWCOMERS, asked).scalars())
