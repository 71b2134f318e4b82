"""What an agent's commands mean for one ticket: effects and what is said of each, or the mistakes.

All mistakes are found at once, and with one of them nothing is done at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches

from mailgate.core import authorise, moments
from mailgate.core.commands import COMMANDS, Script, Slip
from mailgate.core.consequences import after
from mailgate.core.decision import (
    AddParticipant,
    AddTag,
    AddTime,
    Effect,
    LinkTicket,
    Merge,
    RemoveParticipant,
    RemoveTag,
    SetClock,
    SetCustom,
    SetField,
    SetRequester,
    Undo,
    Undoable,
)
from mailgate.core.naming import Wrong, addresses, custom_key, tags, ticket_number, whom
from mailgate.core.people import Agent, Power
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView

LONGEST_TEXT = 10_000  # characters of a resolution
LONGEST_VALUE = 1000  # of a custom field
LONGEST_TAG = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for what, on which ticket, and what there is to know."""

    script: Script
    ticket: TicketView
    policy: Policy
    now: datetime
    agent: Agent | None  # None: at the command line, in nobody's name
    others: Mapping[int, TicketView] = field(default_factory=dict)  # as far as they were looked up
    merged: Mapping[int, int] = field(default_factory=dict)  # ticket -> the one it lives on in
    away: Mapping[str, datetime] = field(default_factory=dict)
    undoable: Sequence[Undoable] = ()

    @property
    def because(self) -> str:
        """For the audit trail."""
        return f"command of {self.agent.address}" if self.agent else "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the commands come to. With `problems` there are no effects."""

    effects: tuple[Effect, ...] = ()
    last: tuple[Effect, ...] = ()  # after the mail's own words: they may change the target
    said: tuple[str, ...] = ()  # lines of the transcript
    problems: tuple[Slip, ...] = ()
    shows: tuple[int, ...] = ()  # tickets to be shown
    wants_help: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What one command comes to."""

    effects: tuple[Effect, ...] = ()
    said: str = ""
    last: tuple[Effect, ...] = ()
    shows: tuple[int, ...] = ()
    wants_help: bool = False


def widening(script: Script) -> tuple[str, ...]:
    """Those of the commands that change who sees the ticket or decides on it."""
    return tuple(f"#{x.name}" for x in script.lines if COMMANDS[x.name].power is Power.WIDEN)


def plan(asked: Asked) -> Plan:
    """Read every line; each sees the ticket as the lines above it leave it."""
    slips = list(asked.script.problems)
    done: list[Means] = []
    said: list[str] = []
    for line in asked.script.lines:
        try:
            means = _MEANINGS[line.name](line.value, asked)
        except Wrong as wrong:
            usage = wrong.nearest or COMMANDS[line.name].usage
            slips.append(Slip(at=line.at, text=line.text, wrong=str(wrong), nearest=usage))
            continue
        done.append(means)
        asked = replace(asked, ticket=after(asked.ticket, means.effects))
        if means.said:
            said.append(f"{line.text[:100]}: {means.said}")
    if slips:
        return Plan(problems=tuple(sorted(slips, key=lambda slip: slip.at)))
    return Plan(
        effects=tuple(e for means in done for e in means.effects),
        last=tuple(e for means in done for e in means.last),
        said=tuple(said),
        shows=tuple(n for means in done for n in means.shows),
        wants_help=any(means.wants_help for means in done),
    )


# --- one function per command ----------------------------------------------------------------


def _take(_value: str, asked: Asked) -> Means:
    if asked.agent is None:
        raise Wrong("somebody has to take it: say in whose name, with --as ADDRESS")
    return _assigned(asked.agent.address, "", asked)


def _assign(value: str, asked: Asked) -> Means:
    meant = whom(value, asked.policy)
    if meant.queue:
        queue = SetField(field="queue", value=meant.queue, because=asked.because)
        given = _given("", "", asked)
        said = f"in queue {meant.queue}, assigned to nobody yet"
        return Means(effects=(queue, *given), said=said)
    return _assigned(meant.agent, meant.group, asked)


def _assigned(address: str, group: str, asked: Asked) -> Means:
    agent = asked.policy.agent_for(address)
    if agent and not authorise.has_access(agent, asked.ticket, asked.policy):
        raise Wrong(f"{agent.name or address} does not work in queue {asked.ticket.queue}")
    before = asked.ticket.assignee or asked.ticket.group
    known = asked.policy.agent_for(before)
    had = f", was {known.name if known and known.name else before}" if before else ""
    name = (agent.name or agent.address) if agent else group or "nobody"
    since = asked.away.get(address.lower())
    away = f"; {name} is away since {since:%Y-%m-%d}" if since else ""
    return Means(effects=_given(address, group, asked), said=f"assigned to {name}{had}{away}")


def _given(address: str, group: str, asked: Asked) -> tuple[SetField, ...]:
    wanted = {"assignee": address, "group": group}
    return tuple(
        SetField(field=name, value=value, because=asked.because)
        for name, value in wanted.items()
        if getattr(asked.ticket, name) != value
    )


def _status(value: str, asked: Asked) -> Means:
    life = asked.policy.life
    return _became("status", _choice(value, life.statuses, "status"), asked)


def _close(value: str, asked: Asked) -> Means:
    done = _became("status", asked.policy.life.closed, asked)
    solved = _resolution(value, asked).effects if value else ()
    noted = "; its resolution is noted" if solved else ""
    return replace(done, effects=(*solved, *done.effects), said=f"{done.said}{noted}")


def _became(name: str, new: str, asked: Asked) -> Means:
    old = getattr(asked.ticket, name)
    life = asked.policy.life
    if name == "status" and not life.may(old, new):
        ways = ", ".join(life.transitions.get(old, ())) or "nothing"
        raise Wrong(f"a ticket that is {old} may become {ways}, not {new}")
    if old == new:
        return Means(said=f"{name} is {new} already")
    change = SetField(field=name, value=new, because=asked.because)
    return Means(effects=(change,), said=f"{name} is {new}, was {old or 'empty'}")


def _priority(value: str, asked: Asked) -> Means:
    return _became("priority", _choice(value, asked.policy.priorities, "priority"), asked)


def _category(value: str, asked: Asked) -> Means:
    known = asked.policy.categories
    if not known and len(value) > LONGEST_TAG:
        raise Wrong(f"a category has {LONGEST_TAG} characters at most")
    return _became("category", _choice(value, known, "category") if known else value, asked)


def _choice(value: str, known: Sequence[str], what: str) -> str:
    """The one that is meant, whatever the case of its letters."""
    found = [one for one in known if one.casefold() == value.casefold()]
    if found:
        return found[0]
    near = get_close_matches(value.casefold(), [one.casefold() for one in known], n=1)
    nearest = next((one for one in known if near and one.casefold() == near[0]), "")
    names = ", ".join(known)
    raise Wrong(
        f"there is no {what} {value[:60]!r}; it is one of {names}",
        f"#{what} {nearest}" if nearest else "",
    )


def _tag(value: str, asked: Asked) -> Means:
    on, off = tags(value, LONGEST_TAG)
    if missing := [tag for tag in off if tag not in asked.ticket.tags]:
        raise Wrong(f"it has no tag {', '.join(missing)}")
    effects: list[Effect] = [AddTag(tag=tag, because=asked.because) for tag in on]
    effects += [RemoveTag(tag=tag, because=asked.because) for tag in off]
    words = [f"tagged {', '.join(on)}"] if on else []
    words += [f"tag {', '.join(off)} taken off"] if off else []
    return Means(effects=tuple(effects), said="; ".join(words))


def _cc(value: str, asked: Asked) -> Means:
    people = addresses(value, asked.policy)
    by = asked.agent.address if asked.agent else "command line"
    new = [a for a in people if a.addr not in asked.ticket.participants]
    effects = tuple(AddParticipant(address=a, added_by=by, again=True) for a in new)
    known = [a.addr for a in people if a not in new]
    words = [f"{', '.join(a.addr for a in new)} on CC"] if new else []
    words += [f"{', '.join(known)} on the ticket already"] if known else []
    return Means(effects=effects, said="; ".join(words))


def _uncc(value: str, asked: Asked) -> Means:
    people = [a.addr for a in addresses(value, asked.policy)]
    if strangers := [a for a in people if a not in asked.ticket.cc]:
        raise Wrong(f"{', '.join(strangers)} is not on CC")
    effects = tuple(RemoveParticipant(address=a, because=asked.because) for a in people)
    return Means(effects=effects, said=f"{', '.join(people)} off the CC list")


def _requester(value: str, asked: Asked) -> Means:
    people = addresses(value, asked.policy)
    if len(people) != 1:
        raise Wrong("a ticket has one requester: name one address")
    new, old = people[0], asked.ticket.requester
    if new.addr == old:
        return Means(said=f"{old} is the requester already")
    change = SetRequester(address=new, because=asked.because)
    left = f"; {old} gets nothing any more" if old else ""
    return Means(effects=(change,), said=f"the requester is {new.addr}{left}")


def _merge(value: str, asked: Asked) -> Means:
    way, number = ticket_number(value, ("into", "from"))
    other = _other(number, asked)
    here = asked.ticket.number
    into = {"into": other.number, "from": here}.get(way, min(other.number, here))
    merged = other.number if into == here else here
    change = Merge(merged=merged, because=asked.because, into=into if merged == here else None)
    return Means(last=(change,), said=f"#{merged} lives on in #{into}")


def _link(value: str, asked: Asked) -> Means:
    _, number = ticket_number(value)
    other = _other(number, asked)
    change = LinkTicket(other=other.number, why="linked-by-agent")
    return Means(effects=(change,), said=f"linked with #{other.number}")


def _other(number: int, asked: Asked) -> TicketView:
    """Another ticket, which the agent must be able to see. A merged one is its survivor."""
    other = asked.others.get(asked.merged.get(number, number))
    allowed = other is not None and (
        asked.agent is None or authorise.has_access(asked.agent, other, asked.policy)
    )
    if other is None or not allowed:
        raise Wrong(f"there is no ticket #{number} that you work on")
    if other.number == asked.ticket.number:
        raise Wrong(f"#{number} is this ticket")
    return other


def _snooze(value: str, asked: Asked) -> Means:
    due = _when(value, asked)
    pending = _became("status", asked.policy.life.pending, asked)
    clock = SetClock(kind="snooze", due=due, because=asked.because)
    return Means(effects=(*pending.effects, clock), said=f"waits until {_said(due, asked)}")


def _due(value: str, asked: Asked) -> Means:
    if value.casefold() == "never":
        clock = SetClock(kind="due", due=None, because=asked.because)
        return Means(effects=(clock,), said="it is not due any more")
    due = _when(value, asked)
    clock = SetClock(kind="due", due=due, because=asked.because)
    return Means(effects=(clock,), said=f"due {_said(due, asked)}")


def _when(value: str, asked: Asked) -> datetime:
    found = moments.moment(value, asked.now, asked.policy.zone)
    if found is None:
        raise Wrong("that is no moment to come; write `3d`, `tomorrow`, `friday 14:00` or a date")
    return found


def _said(at: datetime, asked: Asked) -> str:
    return f"{at.astimezone(asked.policy.zone):%Y-%m-%d %H:%M %Z}"


def _time(value: str, asked: Asked) -> Means:
    minutes = moments.minutes(value)
    if minutes is None:
        raise Wrong("that is no duration; write `15m`, `1h30` or `-5m`")
    total = max(0, asked.ticket.time_spent + minutes)
    change = AddTime(minutes=minutes, because=asked.because)
    return Means(effects=(change,), said=f"{total} minutes spent")


def _resolution(value: str, asked: Asked) -> Means:
    if len(value) > LONGEST_TEXT:
        raise Wrong(f"a resolution has {LONGEST_TEXT} characters at most")
    if value == asked.ticket.resolution:
        return Means(said="it says so already")
    change = SetField(field="resolution", value=value, because=asked.because)
    return Means(effects=(change,), said="noted")


def _set(value: str, asked: Asked) -> Means:
    key, new = custom_key(value, asked.policy, (*COMMANDS, "queue", "group", "subject"))
    if len(new) > LONGEST_VALUE:
        raise Wrong(f"a value has {LONGEST_VALUE} characters at most")
    old = asked.ticket.fields.get(key, "")
    if new == old:
        return Means(said=f"{key} is {new or 'empty'} already")
    change = SetCustom(key=key, value=new, because=asked.because)
    return Means(effects=(change,), said=f"{key} is {new or 'empty'}, was {old or 'empty'}")


def _undo(_value: str, asked: Asked) -> Means:
    within = asked.policy.undo_within
    if not within:
        raise Wrong("nothing can be taken back here: [agents].undo_seconds is 0")
    if len(asked.script.lines) > 1 or asked.script.rest:
        raise Wrong("`#undo` stands alone in its mail")
    mine = [u for u in asked.undoable if _theirs(u, asked) and asked.now - u.at <= within]
    if not mine:
        seconds = int(within.total_seconds())
        raise Wrong(f"you did nothing here in the last {seconds} seconds that can be taken back")
    one = mine[0]
    what = "; ".join(one.lines) or "your answer"
    back = Undo(event=one.event, inbox=one.inbox, because=f"undone by {asked.because}")
    return Means(effects=(back,), said=f"taken back: {what}")


def _theirs(one: Undoable, asked: Asked) -> bool:
    """Everybody takes back what they did; leads, and the command line, what anybody did."""
    return asked.agent is None or asked.agent.lead or one.agent == asked.agent.address


def _show(value: str, asked: Asked) -> Means:
    if not value:
        return Means(shows=(asked.ticket.number,), said="below")
    _, number = ticket_number(value)
    here = asked.merged.get(number, number) == asked.ticket.number
    shown = asked.ticket.number if here else _other(number, asked).number
    return Means(shows=(shown,), said="below")


def _nothing(_value: str, _asked: Asked) -> Means:
    return Means()


def _help(_value: str, _asked: Asked) -> Means:
    return Means(wants_help=True)


_MEANINGS: Mapping[str, Callable[[str, Asked], Means]] = {
    "take": _take,
    "assign": _assign,
    "status": _status,
    "close": _close,
    "priority": _priority,
    "category": _category,
    "tag": _tag,
    "cc": _cc,
    "uncc": _uncc,
    "requester": _requester,
    "note": _nothing,  # it says where the words go, not what becomes of the ticket
    "merge": _merge,
    "link": _link,
    "snooze": _snooze,
    "due": _due,
    "time": _time,
    "resolution": _resolution,
    "set": _set,
    "send": _nothing,
    "undo": _undo,
    "show": _show,
    "mine": _nothing,  # what they bring is no part of the ticket: `core.lists`
    "find": _nothing,
    "help": _help,
}
