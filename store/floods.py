"""New matters that one sender, and one domain, brought lately: opened as tickets, or gathered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal, select

from mailgate.core.decision import Flood
from store.schema import messages, people, tags, tickets

TAG = "flood"  # on the ticket that a flood is gathered on
MOST = 10_000  # gathered mails that are counted

_PERSON = select(people.c.id).where(people.c.address == bindparam("who")).scalar_subquery()


def _opened(*whose: Any) -> Any:
    lately = tickets.c.created >= bindparam("since")
    return select(func.count()).select_from(tickets).where(*whose, lately).scalar_subquery()


def _ticket(*whose: Any) -> Any:
    """The newest flood ticket that got mail lately. Flood tickets are few: look at them first.

    Nobody would see what is gathered on one that somebody has closed.
    """
    return (
        select(func.max(tags.c.ticket))
        .join(tickets, tickets.c.number == tags.c.ticket)
        .where(
            tags.c.tag == TAG,
            *whose,
            tickets.c.updated >= bindparam("since"),
            tickets.c.merged_into.is_(None),
            tickets.c.closed.is_(None),
        )
        .scalar_subquery()
    )


# "+ 0": SQLite shall not walk through all tickets of a person or domain for it.
_FLOOD = select(
    _opened(tickets.c.requester == _PERSON),
    _opened(tickets.c.domain == bindparam("domain")),
    _ticket(tickets.c.requester + 0 == _PERSON),
    _ticket(tickets.c.requester.is_(None), tickets.c.domain + "" == bindparam("domain")),
)
_GATHERED = select(func.count()).select_from(
    select(literal(1))
    .where(messages.c.ticket == bindparam("number"), messages.c.at >= bindparam("since"))
    .limit(MOST)
    .subquery()
)


def lately(conn: Connection, sender: str, since: datetime) -> Flood:
    """What the sender of this address, and everybody in its domain, brought since then."""
    domain = sender.rpartition("@")[2]
    asked = {"who": sender, "domain": domain, "since": since}
    of_sender, of_domain, ticket, domain_ticket = conn.execute(_FLOOD, asked).one()
    return Flood(
        of_sender=of_sender + _gathered(conn, ticket, since),
        of_domain=of_domain + _gathered(conn, domain_ticket, since),
        ticket=ticket,
        domain_ticket=domain_ticket,
    )


def _gathered(conn: Connection, number: int | None, since: datetime) -> int:
    if number is None:
        return 0
    return int(conn.execute(_GATHERED, {"number": number, "since": since}).scalar_one())
