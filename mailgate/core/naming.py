"""Whom and what a command names: people, groups, queues, addresses, tags, tickets, keys."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from mailgate.core.mail import Address
from mailgate.core.people import Agent
from mailgate.core.policy import Policy, folded

NOBODY = frozenset({"nobody", "none", "-", "nadie", "personne", "niemand", "nessuno", "ninguém"})
_ADDRESS = re.compile(
    r"[^\s<>@,;:\"()\[\]\\]{1,64}@([a-z0-9](?:[a-z0-9-]{0,62}\.)+[a-z0-9-]{2,63})", re.I
)
_KEY = re.compile(r"[^\W_][\w-]{0,49}")
# An address, or a word; none where it is the name before an address in angle brackets.
_PIECE = re.compile(r"<[^<>]{0,400}>|[^,;\s<>]{1,400}(?![^,;\s<>]|\s{0,9}<)")
_MINUS = ("-", "−", "–", "—")  # phones make the longer ones of the first
_TICKET = re.compile(r"#?([0-9]{1,12})")


class Wrong(Exception):
    """What is wrong with a command's value, in words for the transcript, and what may be meant."""

    def __init__(self, wrong: str, nearest: str = "") -> None:
        """`nearest` is a whole command, "" for the usage of this one."""
        super().__init__(wrong)
        self.nearest = nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Who gets a ticket: one of the three, or nobody."""

    agent: str = ""  # the registered address
    group: str = ""
    queue: str = ""


def whom(written: str, policy: Policy) -> Whom:
    """An agent by address, alias, name or first name; a group; a queue; or nobody.

    `group:NAME` and `queue:NAME` say which, where one name means several. Raises Wrong.
    """
    low = written.casefold().strip()
    if low in NOBODY:
        return Whom()
    kind, _, name = low.partition(":")
    found = [
        *(Whom(agent=a.address) for a in policy.agents if low in _names(a)),
        *(Whom(group=g) for g in policy.groups if g.casefold() in (low, _of("group", kind, name))),
        *(
            Whom(queue=q)
            for q in _queues(policy)
            if q.casefold() in (low, _of("queue", kind, name))
        ),
    ]
    exact = policy.agent_for(written.strip())
    if exact:
        return Whom(agent=exact.address)
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(_unmistakable(one) for one in found)
        raise Wrong(f"{written[:60]!r} may be {names}")
    known = [*(n for a in policy.agents for n in _names(a)), *policy.groups, *_queues(policy)]
    near = get_close_matches(low, known, n=1)
    raise Wrong(
        f"{written[:60]!r} is no agent, group or queue here", f"#assign {near[0]}" if near else ""
    )


def _of(wanted: str, kind: str, name: str) -> str | None:
    return name.strip() if kind == wanted else None


def _queues(policy: Policy) -> tuple[str, ...]:
    return tuple(dict.fromkeys(box.queue for box in policy.mailboxes))


def _names(agent: Agent) -> set[str]:
    """What an agent may be called: name, first name, address, what stands before its @."""
    name = agent.name.casefold()
    spoken = {name, name.partition(" ")[0]} if name else set()
    return spoken | {agent.address.casefold(), agent.address.casefold().partition("@")[0]}


def _unmistakable(one: Whom) -> str:
    return one.agent or (f"group:{one.group}" if one.group else f"queue:{one.queue}")


def addresses(
    written: str, policy: Policy, instead: str = "agents are assigned, not copied"
) -> tuple[Address, ...]:
    """Addresses, with commas or blanks between them; `Name <address>` too. Raises Wrong.

    `instead` says what agents have instead.
    """
    bare = [piece.strip("<>\"'()") for piece in _PIECE.findall(written) if "@" in piece]
    if "<" not in written:
        bare = re.split(r"[,;\s]+", written)
    found: dict[str, Address] = {}
    for one in filter(None, (text.strip().removeprefix("mailto:") for text in bare)):
        if not _ADDRESS.fullmatch(one):
            raise Wrong(f"{one[:100]!r} is no address")
        if policy.own(one):
            raise Wrong(f"{one} is one of our own addresses")
        if policy.agent_for(one):
            raise Wrong(f"{one} is an agent's address; {instead}")
        found[folded(one)] = Address(addr=folded(one))
    if not found:
        raise Wrong("there is no address in it")
    return tuple(found.values())


def tags(written: str, longest: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags to put on and, after a minus sign, to take off. Raises Wrong."""
    words = [word.strip() for word in re.split(r"[,;]+|\s+(?=[-−–—])", written) if word.strip()]
    off = tuple(dict.fromkeys(w[1:].strip() for w in words if w.startswith(_MINUS)))
    on = tuple(dict.fromkeys(w for w in words if not w.startswith(_MINUS)))
    if not (on or off) or "" in off:
        raise Wrong("there is no tag in it")
    if long := [tag for tag in (*on, *off) if len(tag) > longest]:
        raise Wrong(f"a tag has {longest} characters at most, and {long[0][:20]}… has more")
    return on, off


def ticket_number(written: str, ways: Collection[str] = ()) -> tuple[str, int]:
    """A ticket's number with or without `#`, and the word of `ways` before it. Raises Wrong."""
    first, _, rest = written.casefold().partition(" ")
    way, number = (first, rest.strip()) if first in ways else ("", written.strip())
    found = _TICKET.fullmatch(number)
    if found is None:
        raise Wrong(f"{number[:60]!r} is no ticket's number")
    return way, int(found[1])


def custom_key(written: str, policy: Policy, taken: Collection[str]) -> tuple[str, str]:
    """Key and value of a custom field, with a blank or `=` between them. Raises Wrong."""
    key, _, value = re.sub(r"\s*=\s*", " ", written, count=1).partition(" ")
    key = key.casefold()
    if policy.fields:
        known = {name.casefold(): name for name in policy.fields}
        if key not in known:
            near = get_close_matches(key, known, n=1)
            nearest = f"#set {known[near[0]]} VALUE" if near else ""
            raise Wrong(
                f"there is no field {key[:60]!r}; it is one of {', '.join(policy.fields)}", nearest
            )
        return known[key], value.strip()
    if key in taken:
        raise Wrong(f"{key!r} is no custom field", f"#{key} VALUE")
    if not _KEY.fullmatch(key):
        raise Wrong("a field's name has letters, digits, - and _, 50 characters at most")
    return key, value.strip()
