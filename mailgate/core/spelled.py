"""Dates as mail clients write them into a forwarded mail, in English and five more languages.

"Monday, May 4, 2026 9:00 AM", "lunes, 4 de mayo de 2026 9:00", "04.05.26 um 09:00": clients write
as their user's computer is set, most of them without a time zone.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

MAX_TEXT = 120  # characters looked at

# How the names of each month begin in en, es, fr, de, it and pt, without accents.
_MONTHS = (
    "jan ene gen",
    "feb fev",
    "mar mae",
    "apr abr avr",
    "may mai mag",
    "jun juin giu",
    "jul juil lug",
    "aug ago aou",
    "sep set",
    "oct okt ott out",
    "nov",
    "dec dez dic",
)
_MONTH = {start: number for number, row in enumerate(_MONTHS, 1) for start in row.split()}
_ZONES = {
    **dict.fromkeys(("utc", "gmt", "wet"), 0),
    **dict.fromkeys(("cet", "mez", "bst", "west"), 1),
    **dict.fromkeys(("cest", "mesz"), 2),
    **dict.fromkeys(("est", "cdt"), -5),
    **dict.fromkeys(("cst", "mdt"), -6),
    **dict.fromkeys(("mst", "pdt"), -7),
    "edt": -4,
    "pst": -8,
}
_DAY_FIRST = re.compile(
    r"\b(\d{1,2})(?:\.|er|st|nd|rd|th|º)?\s{1,3}(?:de\s|of\s)?\s{0,3}([a-z]{3,10})\.?,?"
    r"\s{1,3}(?:de\s|del\s)?\s{0,3}(\d{4})\b"
)
_MONTH_FIRST = re.compile(r"\b([a-z]{3,10})\.?\s{1,3}(\d{1,2})(?:st|nd|rd|th)?,?\s{1,3}(\d{4})\b")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})")
_FIGURES = re.compile(r"\b(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})\b")
_CLOCK = re.compile(
    r"\b(\d{1,2})\s?[:.h]\s?(\d{2})(?:[:.](\d{2}))?(?:\s{0,2}([ap])\.?\s?m\b\.?)?", re.ASCII
)
_OFFSET = re.compile(r"(?:gmt|utc)?\s?([+-])(\d{1,2}):?(\d{2})?(?!\d)")


def spelled_date(text: str) -> datetime | None:
    """The date in UTC, or None when it cannot be read.

    Without a zone it is taken as UTC, which is up to 14 hours off. Where figures leave it open
    which one is the day, an hour with AM or PM makes it the second.
    """
    text = " ".join(text[:MAX_TEXT].split())
    try:
        exact = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        exact = None
    if exact is not None and exact.tzinfo is not None:
        return exact.astimezone(UTC)
    low = _plain(text)
    found = _day(low)
    if found is None:
        return None
    (year, month, day), rest = found
    hour, minute, second, behind = _clock(rest)
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=_zone(behind))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(low: str) -> tuple[tuple[int, int, int], str] | None:
    """Year, month and day, and what is left of the text."""
    for found in _DAY_FIRST.finditer(low):
        if month := _month(found[2]):
            return (int(found[3]), month, int(found[1])), _without(low, found)
    for found in _MONTH_FIRST.finditer(low):
        if month := _month(found[1]):
            return (int(found[3]), month, int(found[2])), _without(low, found)
    if iso := _ISO.search(low):
        return (int(iso[1]), int(iso[2]), int(iso[3])), _without(low, iso)
    if figures := _FIGURES.search(low):
        return _in_order(figures, _without(low, figures)), _without(low, figures)
    return None


def _in_order(figures: re.Match[str], rest: str) -> tuple[int, int, int]:
    first, second, year = int(figures[1]), int(figures[3]), int(figures[4])
    clock = _CLOCK.search(rest)
    american = figures[2] == "/" and clock is not None and clock[4] is not None
    month_first = second > 12 or (american and first <= 12)
    day, month = (second, first) if month_first else (first, second)
    return (year if year > 99 else 2000 + year, month, day)


def _month(word: str) -> int:
    return _MONTH.get(word[:4], 0) or _MONTH.get(word[:3], 0)


def _without(low: str, found: re.Match[str]) -> str:
    return f"{low[: found.start()]} {low[found.end() :]}"


def _clock(rest: str) -> tuple[int, int, int, str]:
    """Hour, minute, second, and the text behind; midnight where there is no time."""
    found = _CLOCK.search(rest)
    if found is None:
        return 0, 0, 0, ""
    hour = int(found[1])
    if found[4] and hour <= 12:
        hour = hour % 12 + (12 if found[4] == "p" else 0)
    return hour, int(found[2]), int(found[3] or 0), rest[found.end() :]


def _zone(behind: str) -> timezone:
    if offset := _OFFSET.search(behind):
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if span < timedelta(hours=24):
            return timezone(-span if offset[1] == "-" else span)
    words = re.findall(r"[a-z]{3,4}", behind)
    hours = next((_ZONES[word] for word in words if word in _ZONES), 0)
    return timezone(timedelta(hours=hours))


def _plain(text: str) -> str:
    """In lower case and without accents."""
    folded = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in folded if not unicodedata.combining(c))
