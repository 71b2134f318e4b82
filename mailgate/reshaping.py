"""What agents' commands do beyond a ticket's fields, and the effects that take something back.

An inverse is kept in the event of the mail as `[effect, fields]`, so that it can be read years
later, by whichever version of this program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mailgate.core.decision import (
    AddParticipant,
    AddTag,
    AddTime,
    CopyState,
    Effect,
    NoteAbsence,
    Notice,
    RemoveParticipant,
    RemoveTag,
    Reshape,
    SetClock,
    SetCustom,
    SetField,
    SetRequester,
)
from mailgate.core.mail import Address
from mailgate.core.ticket import TicketView
from store.database import Tx

Inverse = list[Any]  # name of an effect, and its fields
UNLINK = "unlink"  # has no effect of its own: only undoing takes a link back


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an effect did: an event to be told, "" for nothing, and how to take it back."""

    event: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    inverse: tuple[Inverse, ...] = ()


NOTHING = Done()


def reshape(tx: Tx, number: int, effect: Reshape, actor: str, now: datetime) -> Done:  # noqa: C901 - one arm per effect
    """Carry out one effect of a command."""
    match effect:
        case RemoveTag():
            if not tx.reshaping.remove_tag(number, effect.tag):
                return NOTHING
            data = {"tag": effect.tag, "because": effect.because}
            return Done(event="untagged", data=data, inverse=(["tag", {"tag": effect.tag}],))
        case RemoveParticipant():
            return _removed(tx, number, effect)
        case SetRequester():
            return _given(tx, number, effect, actor, now)
        case SetCustom():
            old = tx.reshaping.set_custom(number, effect.key, effect.value)
            data = {"field": effect.key, "old": old, "new": effect.value}
            return Done(
                event="field",
                data=data,
                inverse=(["custom", {"key": effect.key, "value": old, "new": effect.value}],),
            )
        case AddTime():
            added = tx.reshaping.add_time(number, effect.minutes)
            return Done(
                event="time",
                data={"minutes": added, "because": effect.because},
                inverse=(["time", {"minutes": -added}],),
            )
        case SetClock():
            return _wound(tx, number, effect, now)
        case NoteAbsence():
            return _absence(tx, effect, now)


def _removed(tx: Tx, number: int, effect: RemoveParticipant) -> Done:
    if not tx.tickets.remove_participant(number, effect.address):
        return NOTHING
    data = {"address": effect.address, "because": effect.because}
    return Done(event="cc-removed", data=data, inverse=(["cc", {"address": effect.address}],))


def _given(tx: Tx, number: int, effect: SetRequester, actor: str, now: datetime) -> Done:
    new = effect.address
    before = tx.tickets.views([number])[number]
    old = tx.reshaping.set_requester(number, new, actor, now)
    # Whoever was on CC before goes back when it is undone: what is last is taken back first.
    again = ["cc", {"address": new.addr}] if new.addr in before.cc else None
    inverse: list[Inverse] = [["requester", {"address": old, "new": new.addr}]] if old else []
    return Done(
        event="requester",
        data={"old": old, "new": new.addr, "because": effect.because},
        inverse=(*([again] if again else []), *inverse),
    )


def _wound(tx: Tx, number: int, effect: SetClock, now: datetime) -> Done:
    old = tx.reshaping.clock(number, effect.kind)
    if effect.due is None:
        tx.clocks.stop(number, effect.kind)
    else:
        tx.clocks.start(number, effect.kind, effect.due, now)
    said = effect.due.isoformat() if effect.due else ""
    before = old.isoformat() if old else ""
    return Done(
        event=effect.kind,
        data={"until": said, "because": effect.because},
        inverse=(["clock", {"kind": effect.kind, "due": before, "new": said}],)
        if said != before
        else (),
    )


def _absence(tx: Tx, effect: NoteAbsence, now: datetime) -> Done:
    if effect.away:
        news = tx.reshaping.leave(effect.agent, now)
    else:
        news = tx.reshaping.come_back(effect.agent)
    if not news:
        return NOTHING
    return Done(event="away" if effect.away else "back", data={"agent": effect.agent})


# --- taking back -----------------------------------------------------------------------------


def _field(fields: Mapping[str, Any], because: str) -> Effect:
    return SetField(field=fields["field"], value=fields["value"], because=because)


def _clock(fields: Mapping[str, Any], because: str) -> Effect:
    due = datetime.fromisoformat(fields["due"]) if fields["due"] else None
    return SetClock(kind=fields["kind"], due=due, because=because)


_EFFECTS: Mapping[str, Callable[[Mapping[str, Any], str], Effect]] = {
    "field": _field,
    "clock": _clock,
    "tag": lambda f, why: AddTag(tag=f["tag"], because=why),
    "untag": lambda f, why: RemoveTag(tag=f["tag"], because=why),
    "cc": lambda f, why: AddParticipant(
        address=Address(addr=f["address"]), added_by=why, again=True
    ),
    "uncc": lambda f, why: RemoveParticipant(address=f["address"], because=why),
    "requester": lambda f, why: SetRequester(address=Address(addr=f["address"]), because=why),
    "custom": lambda f, why: SetCustom(key=f["key"], value=f["value"], because=why),
    "time": lambda f, why: AddTime(minutes=f["minutes"], because=why),
}


def unchanged(
    tx: Tx, ticket: TicketView, back: Sequence[Inverse]
) -> tuple[list[Inverse], list[str]]:
    """What is still as that mail left it, the last thing first, and a line for each that is not.

    What others have changed since stays as they left it.
    """
    kept: list[Inverse] = []
    said: list[str] = []
    then: dict[str, str] = {}  # what taking back the later things leaves
    for name, fields in reversed(back):
        what, now = _stands(tx, ticket, name, fields)
        now = then.get(what, now)
        if what and now != fields.get("new", now):
            said.append(f"{what} is {now or 'empty'} by now and stays so")
            continue
        then[what] = str(next((fields[key] for key in _BEFORE if key in fields), ""))
        kept.append([name, fields])
    return kept, said


_BEFORE = ("value", "due", "address")  # where an inverse keeps what was before


def _stands(tx: Tx, ticket: TicketView, name: str, fields: Mapping[str, Any]) -> tuple[str, str]:
    """What would be set back, and how it stands now; "" for what only adds or takes off."""
    match name:
        case "field":
            return fields["field"], str(getattr(ticket, fields["field"], ""))
        case "custom":
            return fields["key"], ticket.fields.get(fields["key"], "")
        case "requester":
            return "requester", ticket.requester
        case "clock":
            due = tx.reshaping.clock(ticket.number, fields["kind"])
            return fields["kind"], due.isoformat() if due else ""
        case _:
            return "", ""


def taken_back(inverse: Iterable[Inverse], because: str) -> list[Effect]:
    """The effects that take something back, in the order given."""
    return [_EFFECTS[name](fields, because) for name, fields in inverse if name in _EFFECTS]


_SAID = (Notice.ANSWER.value, Notice.SIDE.value)  # what carries an agent's words


def unsaid(tx: Tx, inbox: int) -> list[str]:
    """Where nobody got an agent's answer it becomes a note; else says who has it."""
    mails = [mail for mail in tx.outbox.list(inbox=inbox) if mail.notice in _SAID]
    people = [person for mail in mails for person in mail.recipients]
    left = [p.address for p in people if p.state is not CopyState.CANCELLED]
    if left:
        return [f"too late for the answer to {', '.join(left)}"]
    if not mails:
        return []
    tx.reshaping.never_sent(inbox)
    return ["the answer is an internal note now"]
