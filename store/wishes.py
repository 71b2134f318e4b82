"""What customers can have by answering with a word: silence, a rating, and when somebody wrote."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, func, select, update

from mailgate.core.ticket import MessageKind
from store.schema import events, messages, participants, people, tickets
from store.ticket_rows import RATING, rating_of

WISH = "wish"  # the event that a mail leaves which was one
THANKS = "thanks"  # that of a mail which said nothing but thanks
_left = exists().where(
    events.c.ticket == messages.c.ticket,
    events.c.inbox == messages.c.inbox,
)
is_wish = _left.where(events.c.kind == WISH)
asks_nothing = _left.where(events.c.kind.in_([WISH, THANKS]))
_MUTE = update(participants).where(
    participants.c.ticket == bindparam("which"),
    participants.c.person
    == select(people.c.id).where(people.c.address == bindparam("who")).scalar_subquery(),
    participants.c.muted != bindparam("silent"),
)
_FIELDS = select(tickets.c.fields).where(tickets.c.number == bindparam("which")).with_for_update()
_LAST = select(func.max(messages.c.at)).where(
    messages.c.ticket == bindparam("which"),
    messages.c.kind.in_([MessageKind.CUSTOMER.value, MessageKind.AGENT.value]),
    ~is_wish,
    func.coalesce(messages.c.inbox, 0) != bindparam("besides"),
)


class Wishes:
    """Rows that a wish reads or changes, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def mute(self, number: int, address: str, *, muted: bool) -> bool:
        """Send a participant nothing more of a ticket, or everything; False: no change."""
        asked = {"which": number, "who": address, "silent": muted}
        return self._conn.execute(_MUTE.values(muted=muted), asked).rowcount == 1

    def rate(self, number: int, rating: int) -> int:
        """Note a rating from 1 to 5; returns the one before, 0 if there was none."""
        fields = dict(self._conn.execute(_FIELDS, {"which": number}).scalar_one())
        changed = update(tickets).where(tickets.c.number == number)
        self._conn.execute(changed.values(fields={**fields, RATING: str(rating)}))
        return rating_of(fields)

    def last_public(self, number: int, besides: int | None) -> datetime | None:
        """When the last public message came; wishes, and what `besides` brought, do not count."""
        asked = {"which": number, "besides": besides or -1}
        last: datetime | None = self._conn.execute(_LAST, asked).scalar_one()
        return last
