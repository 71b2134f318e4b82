"""Times as agents write them: `15m`, `1h30`, `3d`, `tomorrow`, `friday 14:00`, `2026-05-20`."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

MORNING = time(9, 0)  # where a day is named without an hour
MOST_MINUTES = 60 * 24 * 31
_MINUTES = {"m": 1, "min": 1, "mins": 1, "minutes": 1, "minute": 1}
_HOURS = {"h": 60, "hour": 60, "hours": 60, "hr": 60, "hrs": 60}
_DAYS = {"d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7}
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"([0-9]{1,4})\s?([a-z]{1,7})")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_MIXED = re.compile(r"([0-9]{1,3})\s?h\s?([0-5]?[0-9])\s?m?")
_PART = re.compile(r"([0-9]{1,4})[.,]([0-9]{1,2})\s?h(?:ours?)?")


def minutes(written: str) -> int | None:
    """A duration in minutes, below zero after a minus sign; None when it is none."""
    low = written.strip().lower()
    sign = -1 if low[:1] in ("-", "−", "–", "—") else 1
    found = _minutes(low.lstrip("-−–—+ "))
    return sign * found if found and found <= MOST_MINUTES else None


def _minutes(low: str) -> int | None:
    if low.isascii() and low.isdigit():
        return int(low[:6])
    if clock := re.fullmatch(r"([0-9]{1,3}):([0-5][0-9])", low):
        return 60 * int(clock[1]) + int(clock[2])
    if mixed := _MIXED.fullmatch(low):
        return 60 * int(mixed[1]) + int(mixed[2])
    if part := _PART.fullmatch(low):
        return round(60 * float(f"{part[1]}.{part[2]}"))
    span = _SPAN.fullmatch(low)
    each = (_MINUTES | _HOURS).get(span[2], 0) if span else 0
    return int(span[1]) * each or None if span else None


def moment(written: str, now: datetime, zone: tzinfo) -> datetime | None:
    """A moment after `now`, in UTC; None when it is none or lies in the past.

    A day without an hour is its morning in `zone`; `3d` is that many days from now, to the minute.
    """
    low = " ".join(written.lower().split())
    if low.startswith("in "):
        low = low.removeprefix("in ")
    here = now.astimezone(zone)
    found = _after(low, here) or _at(low, here)
    if found is None or found <= now:
        return None
    return found.astimezone(now.tzinfo)


def _after(low: str, here: datetime) -> datetime | None:
    span = _SPAN.fullmatch(low)
    if span is None:
        return None
    count, unit = int(span[1]), span[2]
    if unit in _DAYS:
        return here + timedelta(days=count * _DAYS[unit])
    each = (_MINUTES | _HOURS).get(unit)
    return here + timedelta(minutes=count * each) if each else None


def _at(low: str, here: datetime) -> datetime | None:
    day, _, hour = low.replace("t", " ", 1).partition(" ") if low[:1].isdigit() else _split(low)
    clock = _CLOCK.fullmatch(hour.strip()) if hour else None
    if hour and clock is None:
        return None
    on = _day(day, here.date())
    if on is None:
        return None
    at = time(int(clock[1]), int(clock[2])) if clock else MORNING
    return datetime.combine(on, at, tzinfo=here.tzinfo)


def _split(low: str) -> tuple[str, str, str]:
    return low.partition(" ")


def _day(written: str, today: date) -> date | None:
    if written in ("today", "tomorrow"):
        return today + timedelta(days=written == "tomorrow")
    named = [i for i, name in enumerate(_WEEK) if len(written) >= 3 and name.startswith(written)]
    if named:
        return today + timedelta(days=(named[0] - today.weekday() - 1) % 7 + 1)
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None
