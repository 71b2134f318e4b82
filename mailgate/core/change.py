"""What an agent's or the command line's change to a ticket means: effects, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailgate.core.consequences import after, changes
from mailgate.core.decision import Effect, SetField
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The effects of a change, or what is wrong with it (then nothing may be applied)."""

    effects: tuple[Effect, ...] = ()
    problems: tuple[str, ...] = ()


def plan_change(
    ticket: TicketView, wanted: Mapping[str, str], policy: Policy, *, actor: str
) -> Change:
    """Check `field=value` pairs against the policy; all mistakes are reported at once."""
    problems = [
        p for field, value in wanted.items() if (p := _problem(ticket, field, value, policy))
    ]
    if problems:
        return Change(problems=tuple(problems))
    because = f"set by {actor}"
    effects: list[Effect] = []
    for field, value in wanted.items():
        for name, new in _fields(field, value, policy).items():
            if getattr(ticket, name, None) != new:
                effects.append(SetField(field=name, value=new, because=because))
    told = changes(ticket, after(ticket, [e for e in effects if _in_view(ticket, e)]), policy)
    return Change(effects=(*effects, *told))


def _in_view(ticket: TicketView, effect: Effect) -> bool:
    return isinstance(effect, SetField) and hasattr(ticket, effect.field)


def _fields(field: str, value: str, policy: Policy) -> dict[str, str]:
    """`assign` means an agent or a group; one replaces the other."""
    if field != "assign":
        return {field: value}
    if value in policy.groups:
        return {"assignee": "", "group": value}
    agent = policy.agent_for(value)
    return {"assignee": agent.address if agent else "", "group": ""}


def _problem(ticket: TicketView, field: str, value: str, policy: Policy) -> str:
    choices = _choices(field, policy)
    if choices is None:
        return f"{field}: no such field; it is one of {', '.join(FIELDS)}"
    if len(value) > LONGEST[field]:
        return f"{field}: {len(value)} characters are too long, {LONGEST[field]} are the most"
    if choices and value not in choices:
        return f"{field}: {value!r} is not one of {', '.join(c for c in choices if c)}"
    if field == "status" and not policy.life.may(ticket.status, value):
        ways = ", ".join(policy.life.transitions.get(ticket.status, ())) or "nothing"
        return f"status: a ticket that is {ticket.status} may become {ways}, not {value}"
    return ""


FIELDS = ("status", "priority", "category", "queue", "assign", "subject", "resolution")

# Characters at most. A subject has to stand in one header line of every notice (RFC 5322, 2.1.1:
# 998 octets with its name); the others have the room that a database gives them.
LONGEST = {
    "status": 50,
    "priority": 50,
    "category": 100,
    "queue": 100,
    "assign": 320,
    "subject": 900,
    "resolution": 100_000,
}


def _choices(field: str, policy: Policy) -> tuple[str, ...] | None:
    """What a field may be; () for anything; None for a field that does not exist."""
    if field not in FIELDS:
        return None
    queues = tuple(dict.fromkeys(box.queue for box in policy.mailboxes))
    addresses = tuple(a.address for a in policy.agents)
    return {
        "status": policy.life.statuses,
        "priority": policy.priorities,
        "category": ("", *policy.categories) if policy.categories else (),
        "queue": queues,
        "assign": ("", *addresses, *policy.groups),
    }.get(field, ())
