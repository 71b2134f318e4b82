"""Tickets that live on in another one, and tokens that were called back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, literal, select, update

from mailgate.core.people import Role
from mailgate.core.policy import folded
from store.clocks import UNSENT
from store.dialects import on, spelled
from store.schema import (
    clocks,
    generations,
    held,
    links,
    mail_ids,
    messages,
    outbox,
    participants,
    tags,
    tickets,
)

MERGED = "merged"  # why two tickets are linked
_NEXT = select(tickets.c.number, tickets.c.merged_into).where(
    tickets.c.number.in_(bindparam("numbers", expanding=True)), tickets.c.merged_into.is_not(None)
)
_BEFORE = select(tickets.c.number).where(
    tickets.c.merged_into.in_(bindparam("numbers", expanding=True))
)
_BOTH = (
    select(tickets.c.number, tickets.c.merged_into)
    .where(tickets.c.number.in_(bindparam("numbers", expanding=True)))
    .order_by(tickets.c.number)
    .with_for_update()
)
_GENERATIONS = select(generations).where(
    generations.c.ticket.in_(bindparam("numbers", expanding=True))
)
_REVOKE = spelled(
    lambda insert: insert(generations).on_conflict_do_update(
        index_elements=["ticket", "address"],
        set_={"generation": generations.c.generation + 1},
    )
)
_LINK = spelled(lambda insert: insert(links).on_conflict_do_nothing())


class CannotMerge(Exception):
    """The two tickets cannot become one; the text says why."""


def survivors(conn: Connection, numbers: Collection[int]) -> dict[int, int]:
    """For each of these tickets that was merged: the one it lives on in."""
    onward: dict[int, int] = {}
    ask = set(numbers)
    while ask:
        found = {row.number: row.merged_into for row in conn.execute(_NEXT, {"numbers": ask})}
        onward.update(found)
        ask = set(found.values()) - onward.keys()
    return {number: _end(number, onward) for number in numbers if number in onward}


def _end(number: int, onward: Mapping[int, int]) -> int:
    passed: list[int] = []
    while number in onward and number not in passed:
        passed.append(number)
        number = onward[number]
    # A ring cannot be made by `merge`; were there one, all on it lead to the same ticket.
    return min(passed[passed.index(number) :]) if number in passed else number


def merged_before(conn: Connection, number: int) -> list[int]:
    """All tickets that live on in this one, the later merged ones' own included."""
    found: list[int] = []
    ask = [number]
    while ask:
        rows = conn.execute(_BEFORE, {"numbers": ask}).scalars().all()
        ask = [n for n in rows if n not in found and n != number]
        found += ask
    return sorted(found)


def generations_of(
    conn: Connection, numbers: Collection[int], addresses: Collection[str] | None = None
) -> dict[tuple[int, str], int]:
    """(ticket, address in lower case) -> the generation of tokens still good; 0 is left out."""
    if not numbers:
        return {}
    wanted = None if addresses is None else {folded(address) for address in addresses}
    return {
        (row.ticket, row.address): row.generation
        for row in conn.execute(_GENERATIONS, {"numbers": list(numbers)})
        if wanted is None or row.address in wanted
    }


def revoke_tokens(conn: Connection, number: int, address: str) -> None:
    """Call back what this address holds for the ticket, and for those that live on in it."""
    rows = [
        {"ticket": n, "address": folded(address), "generation": 1}
        for n in (number, *merged_before(conn, number))
    ]
    conn.execute(on(conn, _REVOKE), rows)


def merge(conn: Connection, number: int, into: int, now: datetime, *, closed: str) -> int:
    """Let a ticket live on in another one; returns the number of that, which may be merged, too.

    Messages, mails out and held, ids, tags and links move; the people stay off the survivor until
    an agent puts them on; clocks stop. The audit trail stays where it is. Raises CannotMerge.
    """
    survivor = survivors(conn, [into]).get(into, into)
    found = {r.number: r.merged_into for r in conn.execute(_BOTH, {"numbers": [number, survivor]})}
    for asked in (number, survivor):
        if asked not in found:
            raise CannotMerge(f"there is no ticket {asked}")
    if number == survivor:
        raise CannotMerge(f"ticket {into} is ticket {number}, or lives on in it")
    for asked in (number, survivor):
        if found[asked] is not None:
            raise CannotMerge(f"ticket {asked} lives on in {found[asked]} already")
    _move(conn, number, survivor)
    _move_ids(conn, number, survivor)
    _move_people(conn, number, survivor)
    _move_marks(conn, number, survivor)
    _stop(conn, number, survivor, now, closed)
    return survivor


def _move(conn: Connection, number: int, into: int) -> None:
    for table in (messages, outbox, held):
        conn.execute(update(table).where(table.c.ticket == number).values(ticket=into))


def _move_ids(conn: Connection, number: int, into: int) -> None:
    there = mail_ids.alias()
    twice = select(there.c.message_id).where(there.c.ticket == into)
    here = mail_ids.c.ticket == number
    # An id that the survivor only knows from a reference has come, if it came here.
    came = select(there.c.message_id).where(
        there.c.ticket == number, there.c.referenced_only.is_(False)
    )
    conn.execute(
        update(mail_ids)
        .where(mail_ids.c.ticket == into, mail_ids.c.message_id.in_(came))
        .values(referenced_only=False)
    )
    conn.execute(delete(mail_ids).where(here, mail_ids.c.message_id.in_(twice)))
    conn.execute(update(mail_ids).where(here).values(ticket=into))


def _move_people(conn: Connection, number: int, into: int) -> None:
    p = participants.c
    there = participants.alias()
    known = select(there.c.person).where(there.c.ticket == into)
    rows = select(
        literal(into), p.person, literal(Role.CC.value), literal(value=False), p.muted, p.added
    )
    columns = ["ticket", "person", "role", "active", "muted", "added"]
    rows = rows.where(p.ticket == number, p.person.not_in(known))
    conn.execute(participants.insert().from_select(columns, rows))


def _move_marks(conn: Connection, number: int, into: int) -> None:
    there = tags.alias()
    known = select(there.c.tag).where(there.c.ticket == into)
    rows = select(literal(into), tags.c.tag).where(
        tags.c.ticket == number, tags.c.tag.not_in(known)
    )
    conn.execute(tags.insert().from_select(["ticket", "tag"], rows))
    near = select(links.c.other, links.c.why).where(links.c.ticket == number, links.c.other != into)
    far = select(links.c.ticket, links.c.why).where(links.c.other == number, links.c.ticket != into)
    ways = [(into, row.other, row.why) for row in conn.execute(near)]
    ways += [(row.ticket, into, row.why) for row in conn.execute(far)]
    ways += [(number, into, MERGED), (into, number, MERGED)]
    rows_both_ways = [{"ticket": one, "other": other, "why": why} for one, other, why in ways]
    conn.execute(on(conn, _LINK), rows_both_ways)


def _stop(conn: Connection, number: int, into: int, now: datetime, closed: str) -> None:
    running = update(clocks).where(clocks.c.ticket == number, ~clocks.c.kind.startswith(UNSENT))
    conn.execute(running.values(due=None))
    end = {"merged_into": into, "status": closed, "closed": now, "updated": now}
    conn.execute(update(tickets).where(tickets.c.number == number).values(end))
    conn.execute(update(tickets).where(tickets.c.number == into).values(updated=now))
