"""What an agent's commands mean for one ticket: effects and what is said of each, or the mistakes.

All mistakes are found at once, and with one of them nothing is done at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mailgate.core import asides, authorise, fielding, parting
from mailgate.core.asked import Asked, Means, Part, other_ticket
from mailgate.core.commands import COMMANDS, Script, Slip
from mailgate.core.consequences import after
from mailgate.core.decision import (
    AddParticipant,
    Effect,
    LinkTicket,
    Merge,
    RemoveParticipant,
    SetField,
    SetRequester,
    Split,
    Undo,
    Undoable,
)
from mailgate.core.naming import Wrong, addresses, ticket_number, whom
from mailgate.core.people import Power


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the commands come to. With `problems` there are no effects."""

    effects: tuple[Effect, ...] = ()
    last: tuple[Effect, ...] = ()  # after the mail's own words: they may change the target
    said: tuple[str, ...] = ()  # lines of the transcript
    problems: tuple[Slip, ...] = ()
    shows: tuple[int, ...] = ()  # tickets to be shown
    wants_help: bool = False
    part: Part | None = None  # what becomes a new ticket; the effects are on that
    sides: tuple[str, ...] = ()  # third parties whom the words go to, and nobody else

    @property
    def off(self) -> tuple[Split, ...]:
        """What goes before all effects."""
        return (self.part.split,) if self.part else ()


def widening(script: Script) -> tuple[str, ...]:
    """Those of the commands that change who sees the ticket or decides on it."""
    return tuple(f"#{x.name}" for x in script.lines if COMMANDS[x.name].power is Power.WIDEN)


def plan(asked: Asked) -> Plan:
    """Read every line; each sees the ticket as the lines above it leave it.

    With `#split` all others are about the new ticket, wherever they stand.
    """
    slips = list(asked.script.problems)
    done: list[Means] = []
    said: list[str] = []
    part: Part | None = None
    for line in sorted(asked.script.lines, key=lambda line: line.name != "split"):
        try:
            means = _MEANINGS[line.name](line.value, asked)
        except Wrong as wrong:
            usage = wrong.nearest or COMMANDS[line.name].usage
            slips.append(Slip(at=line.at, text=line.text, wrong=str(wrong), nearest=usage))
            continue
        done.append(means)
        part = part or means.part
        now = means.part.view if means.part else after(asked.ticket, means.effects)
        asked = replace(asked, ticket=now)
        if means.said:
            said.append(f"{line.text[:100]}: {means.said}")
    slips += _not_aside(done, asked)
    if slips:
        return Plan(problems=tuple(sorted(slips, key=lambda slip: slip.at)))
    return Plan(
        effects=tuple(e for means in done for e in means.effects),
        last=tuple(e for means in done for e in means.last),
        said=tuple(said),
        shows=tuple(n for means in done for n in means.shows),
        wants_help=any(means.wants_help for means in done),
        part=part,
        sides=tuple(a for means in done for a in means.sides),
    )


def _not_aside(done: list[Means], asked: Asked) -> list[Slip]:
    """Whom another line of the mail puts on the ticket: nobody is both by one mail."""
    sides = tuple(address for means in done for address in means.sides)
    line = next((line for line in asked.script.lines if line.name == "side"), None)
    why = asides.on_ticket(sides, asked.ticket)
    return [Slip(at=line.at, text=line.text, wrong=why)] if line and why else []


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


def _cc(value: str, asked: Asked) -> Means:
    people = addresses(value, asked.policy)
    by = asked.agent.address if asked.agent else "command line"
    new = [a for a in people if a.addr not in asked.ticket.participants]
    effects = tuple(AddParticipant(address=a, added_by=by, again=True) for a in new)
    known = [a.addr for a in people if a not in new]
    words = [f"{', '.join(a.addr for a in new)} on CC"] if new else []
    words += [f"{', '.join(known)} on the ticket already"] if known else []
    silent = [a.addr for a in people if a.addr in asked.ticket.muted]
    words += [f"{', '.join(silent)} asked for no more mail of it"] if silent else []
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


def _side(value: str, asked: Asked) -> Means:
    people = asides.third_parties(value, asked.ticket, asked.policy)
    if asked.script.has("note"):
        raise Wrong(asides.NOTED)
    if not asked.script.rest.strip():
        raise Wrong("there are no words below it")
    return Means(sides=people)  # what becomes of the words is said of them


def _merge(value: str, asked: Asked) -> Means:
    way, number = ticket_number(value, ("into", "from"))
    other = other_ticket(number, asked)
    here = asked.ticket.number
    into = {"into": other.number, "from": here}.get(way, min(other.number, here))
    merged = other.number if into == here else here
    change = Merge(merged=merged, because=asked.because, into=into if merged == here else None)
    return Means(last=(change,), said=f"#{merged} lives on in #{into}")


def _link(value: str, asked: Asked) -> Means:
    _, number = ticket_number(value)
    other = other_ticket(number, asked)
    change = LinkTicket(other=other.number, why="linked-by-agent")
    return Means(effects=(change,), said=f"linked with #{other.number}")


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
    if any(line.lower().startswith(("#split", "#merge")) for line in one.lines):
        what += " (what was split or merged stays so)"
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
    shown = asked.ticket.number if here else other_ticket(number, asked).number
    return Means(shows=(shown,), said="below")


def _nothing(_value: str, _asked: Asked) -> Means:
    return Means()


def _help(_value: str, _asked: Asked) -> Means:
    return Means(wants_help=True)


_MEANINGS: Mapping[str, Callable[[str, Asked], Means]] = {
    **fielding.MEANINGS,
    "take": _take,
    "assign": _assign,
    "cc": _cc,
    "uncc": _uncc,
    "requester": _requester,
    "note": _nothing,  # it says where the words go, not what becomes of the ticket
    "side": _side,
    "merge": _merge,
    "split": parting.split,
    "link": _link,
    "send": _nothing,
    "undo": _undo,
    "show": _show,
    "mine": _nothing,  # what they bring is no part of the ticket: `core.lists`
    "find": _nothing,
    "help": _help,
}
