"""Commands that say something of the ticket itself: its fields, tags, clocks and time spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches

from mailgate.core import moments
from mailgate.core.asked import Asked, Means
from mailgate.core.commands import COMMANDS
from mailgate.core.decision import AddTag, AddTime, Effect, RemoveTag, SetClock, SetCustom, SetField
from mailgate.core.naming import Wrong, custom_key, tags

LONGEST_TEXT = 10_000  # characters of a resolution
LONGEST_VALUE = 1000  # of a custom field
LONGEST_TAG = 100


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


MEANINGS: Mapping[str, Callable[[str, Asked], Means]] = {
    "status": _status,
    "close": _close,
    "priority": _priority,
    "category": _category,
    "tag": _tag,
    "snooze": _snooze,
    "due": _due,
    "time": _time,
    "resolution": _resolution,
    "set": _set,
}
