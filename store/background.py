"""What a notice tells beside its message: read in the transaction that queues it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, select

from mailgate.core.ticket import MessageKind
from store.columns import Folded
from store.schema import events, messages, participants, people, tickets
from store.ticket_rows import Message, message
from store.wishes import is_wish

# Said on this very ticket: what came with a merged one went to other people. Events do not move.
_said_here = exists().where(
    events.c.ticket == messages.c.ticket,
    events.c.inbox == messages.c.inbox,
    events.c.kind == "message",
)
_LAST_WORDS = (
    select(messages)
    .where(messages.c.ticket == bindparam("ticket"), messages.c.kind == MessageKind.CUSTOMER.value)
    .where(_said_here, ~is_wish)
    .order_by(messages.c.at.desc(), messages.c.id.desc())
    .limit(1)
)
_NEWCOMERS = (
    select(Folded(people.c.address))
    .join(participants, participants.c.person == people.c.id)
    .where(participants.c.ticket == bindparam("ticket"), participants.c.added > bindparam("since"))
)
_TICKETS_OF = (
    select(
        tickets.c.number, tickets.c.subject, tickets.c.status, tickets.c.queue, tickets.c.created
    )
    .join(people, people.c.id == tickets.c.requester)
    .where(
        people.c.address == bindparam("requester"),
        tickets.c.number != bindparam("besides"),
        tickets.c.merged_into.is_(None),
    )
    .order_by(tickets.c.created.desc(), tickets.c.number.desc())
    .limit(10)  # some may be of queues that an agent does not see
)


class Background:
    """Reads, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def last_words(self, ticket: int) -> Message | None:
        """The last message of a customer on a ticket, wishes apart, without its attachments.

        None of those that came with a merged ticket: people here never got them.
        """
        row = self._conn.execute(_LAST_WORDS, {"ticket": ticket}).first()
        return message(row, ()) if row else None

    def message(self, message_id: int) -> Message:
        """A message without its attachments. Raises sqlalchemy's NoResultFound for none."""
        found = select(messages).where(messages.c.id == message_id)
        return message(self._conn.execute(found).one(), ())

    def newcomers(self, ticket: int, since: datetime) -> frozenset[str]:
        """Addresses in lower case that came to the ticket later than `since`."""
        asked = {"ticket": ticket, "since": since}
        return frozenset(self._conn.execute(_NEWCOMERS, asked).scalars())

    def tickets_of(self, requester: str, besides: int) -> list[Row[Any]]:
        """Number, subject, status, queue and time of a requester's last tickets but one."""
        asked = {"requester": requester, "besides": besides}
        return list(self._conn.execute(_TICKETS_OF, asked))
