"""The duty list: what waits for somebody to decide, numbered, and the orders that answer it.

3 accept            it takes effect
4 ticket 812        it becomes a message of its sender on that ticket
5 drop              it never takes effect
5 drop sender       the same, and what comes from that address later is ignored
1-3, 6 drop; 2 accept
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

WAITING = "waiting"
_MOST = 200  # lines of an answer, and mails that it names
_MOST_TICKETS = 20
_LINE = 300  # characters of a line: a longer one is no order
_SPAN = r"[0-9]{1,3}(?:[ \t]?[-–—][ \t]?[0-9]{1,3})?"
_ORDER = re.compile(
    rf"(?P<numbers>{_SPAN}(?:[ \t]?,[ \t]?{_SPAN})*)[.:)]?[ \t]+"
    r"(?:(?P<accept>accept)|ticket[ \t]+#?(?P<ticket>[0-9]{1,12})"
    r"|drop[ \t]+(?P<block>sender)|drop)(?![\w-])[ \t,;.]*",
    re.IGNORECASE,
)
USAGE = "write `3 accept`, `4 ticket 812`, `5 drop` or `5 drop sender`"


class Verb(StrEnum):
    """What is to become of a mail on the list."""

    ACCEPT = "accept"
    TICKET = "ticket"
    DROP = "drop"
    BLOCK = "drop sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One verb for one number of a list; `ticket` with TICKET alone."""

    number: int
    verb: Verb
    ticket: int | None = None

    def __str__(self) -> str:
        """As somebody would write it."""
        return f"{self.number} {self.verb}{f' {self.ticket}' if self.ticket else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyItem:
    """One mail of a list: in quarantine, or held on a ticket."""

    number: int
    inbox: int
    held: int | None = None  # None: it is in quarantine
    ticket: int | None = None  # it is held on
    sender: str = ""  # as the list named it; "" nobody knows
    owner: str = ""  # who alone may release it
    state: str = WAITING  # else what became of it
    by: str = ""  # whose doing that was
    expires: datetime | None = None  # of a held one


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyList:
    """A list as it was sent to one agent; or the question whether `asks` is really theirs."""

    id: int
    agent: str  # the registered address it went to
    expires: datetime
    items: tuple[DutyItem, ...] = ()
    asks: tuple[Order, ...] = ()  # what waits for the agent's word
    settled: bool = False  # the word was given
    pending: int = 0  # questions about this list that wait for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A sender whose mail is ignored."""

    address: str  # in lower case
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMail:
    """A mail as a new list is to show it, in the words of whoever wrote it: not yet made safe."""

    number: int
    inbox: int
    held: int | None
    ticket: int | None
    sender: str
    subject: str
    received: datetime
    size: int  # octets
    reason: str
    words: str  # the first of them


def read(words: str, size: int) -> tuple[tuple[Order, ...], tuple[str, ...]]:
    """The orders of an answer to a list of `size` mails, and what is wrong with its lines."""
    lines = [line.strip() for line in words.split("\n") if line.strip()]
    if not lines:
        return (), (f"There is no order in it: {USAGE}",)
    orders: list[Order] = []
    problems: list[str] = []
    for line in lines[:_MOST]:
        found = _of_line(line)
        orders += found
        if not found:
            problems.append(f"{line[:100]}: that is no order; {USAGE}")
    if len(lines) > _MOST or len(orders) > _MOST:
        return (), (f"It names more than {_MOST} mails",)
    return tuple(orders), (*problems, *_impossible(orders, size))


def mentions(words: str) -> tuple[int, ...]:
    """Tickets that orders speak of: what has to be looked up before they can be judged."""
    lines = [line.strip() for line in words.split("\n")[:_MOST]]
    found = (order.ticket for line in lines for order in _of_line(line))
    return tuple(dict.fromkeys(n for n in found if n))[:_MOST_TICKETS]


def is_order(line: str) -> bool:
    """Whether a line is made of orders alone."""
    return bool(_of_line(line.strip()))


def _of_line(line: str) -> list[Order]:
    """Its orders; none where any of it is something else."""
    at = 0
    orders: list[Order] = []
    while at < len(line):
        match = _ORDER.match(line, at) if len(line) <= _LINE else None
        if match is None:
            return []
        found = _orders(match)
        if not found:
            return []
        orders += found
        at = match.end()
        if len(orders) > _MOST:
            break
    return orders


def _orders(match: re.Match[str]) -> list[Order]:
    ticket = int(match["ticket"]) if match["ticket"] else None
    verb = Verb.TICKET if ticket is not None else Verb.DROP
    verb = Verb.ACCEPT if match["accept"] else Verb.BLOCK if match["block"] else verb
    return [Order(number=n, verb=verb, ticket=ticket) for n in _numbers(match["numbers"])]


def _numbers(written: str) -> list[int]:
    """What `2, 5-7` names; nothing where a span runs backwards."""
    numbers: list[int] = []
    for span in written.split(","):
        first, *rest = (int(n) for n in re.findall(r"[0-9]+", span))
        last = rest[0] if rest else first
        if last < first:
            return []
        # One beyond what may be named is enough to see that it is too much.
        numbers += range(first, min(last, first + _MOST) + 1)
        if len(numbers) > _MOST:
            break
    return numbers


def _impossible(orders: list[Order], size: int) -> Iterator[str]:
    for number, times in sorted(Counter(order.number for order in orders).items()):
        if not 1 <= number <= size:
            yield f"{number}: the list goes from 1 to {size}"
        elif times > 1:
            yield f"{number} is named twice"
