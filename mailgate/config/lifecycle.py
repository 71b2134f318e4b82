"""Checks of [tickets]: statuses, what they mean, which change is legal, and who is in a group."""

from __future__ import annotations

from collections.abc import Iterator

from mailgate.config.models import Config, TicketsSection
from mailgate.config.positions import Loc
from mailgate.config.problems import Problem, nearest
from mailgate.config.site import Site

MEANINGS = ("initial", "active", "pending", "resolved", "closed")


def life_cycle(config: Config, site: Site) -> Iterator[Problem]:
    """Statuses against transitions and meanings, and the default priority."""
    tickets = config.tickets
    if not site.whole("tickets"):
        return
    yield from _repeats(tickets, site)
    yield from _unknown(tickets, site)
    yield from _automatic(tickets, site)
    if tickets.default_priority not in tickets.priorities:
        message = f"{tickets.default_priority!r} is not among the priorities"
        remedy = nearest(tickets.default_priority, tickets.priorities)
        yield site.problem(("tickets", "default_priority"), message, remedy)


def _repeats(tickets: TicketsSection, site: Site) -> Iterator[Problem]:
    for key in ("statuses", "priorities", "categories"):
        words: tuple[str, ...] = getattr(tickets, key)
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            yield site.problem(("tickets", key), f"{twice[0]!r} stands twice", "remove one of them")


def _unknown(tickets: TicketsSection, site: Site) -> Iterator[Problem]:
    known = tickets.statuses
    named: list[tuple[Loc, str]] = [(("tickets", key), getattr(tickets, key)) for key in MEANINGS]
    for old, news in tickets.transitions.items():
        loc: Loc = ("tickets", "transitions", old)
        named += [(loc, status) for status in (old, *news)]
    for loc, status in named:
        if status not in known:
            message = f"{status!r} is not among the statuses"
            yield site.problem(loc, message, nearest(status, known))


def _automatic(tickets: TicketsSection, site: Site) -> Iterator[Problem]:
    """Changes that mail causes by itself must be legal, else that mail could not be settled."""
    changes = [
        (tickets.initial, tickets.pending, "an agent answers a new ticket"),
        (tickets.active, tickets.pending, "an agent answers"),
        (tickets.pending, tickets.active, "a customer writes again"),
        (tickets.resolved, tickets.active, "a customer writes again"),
    ]
    if tickets.reopen_days:
        changes.append((tickets.closed, tickets.active, "a customer reopens a ticket"))
    if tickets.autoclose_days:
        changes.append((tickets.resolved, tickets.closed, "autoclose_days are over"))
    table = tickets.table()
    known = set(tickets.statuses)
    for old, new, when in changes:
        if old != new and {old, new} <= known and new not in table.get(old, ()):
            loc = ("tickets", "transitions", old)
            message = f"{old!r} may not become {new!r}, but does when {when}"
            yield site.problem(loc, message, f"add {new!r} to the list of {old!r}")


def groups(config: Config, site: Site) -> Iterator[Problem]:
    """Members of [tickets.groups] are agents; no group bears the name of an address."""
    known = {agent.address.lower(): agent.address for agent in config.agent}
    for name, members in config.tickets.groups.items():
        loc = ("tickets", "groups", name)
        if "@" in name or not name.strip():
            yield site.problem(loc, "is no name for a group", "write a word without @")
        for member in members if site.whole("agent") else ():
            if member.lower() not in known:
                message = f"{member} is not the address of an agent"
                yield site.problem(
                    loc, message, nearest(member, known.values(), "write an [[agent]] for it")
                )
