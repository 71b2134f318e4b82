"""Durations and moments as agents write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core.moments import MOST_MINUTES, minutes, moment

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)  # a Monday
MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("15", 15),
        ("15m", 15),
        ("15 min", 15),
        ("2h", 120),
        ("1h30", 90),
        ("1h 30m", 90),
        ("1:30", 90),
        ("1.5h", 90),
        ("1,5 h", 90),
        ("-5m", -5),
        ("soon", None),
        ("0", None),
        ("", None),
        ("99999h", None),
        ("2 weeks", None),
    ],
)
def test_minutes(written: str, found: int | None) -> None:
    assert minutes(written) == found


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("2h", "2026-05-04 11:30"),
        ("in 2 h", "2026-05-04 11:30"),
        ("3d", "2026-05-07 09:30"),
        ("1 week", "2026-05-11 09:30"),
        ("tomorrow", "2026-05-05 07:00"),
        ("Tomorrow 14:00", "2026-05-05 12:00"),
        ("today 23:00", "2026-05-04 21:00"),
        ("friday", "2026-05-08 07:00"),
        ("mon 8:00", "2026-05-11 06:00"),
        ("2026-05-20", "2026-05-20 07:00"),
        ("2026-05-20T14:00", "2026-05-20 12:00"),
        ("2026-12-20 14:00", "2026-12-20 13:00"),
        ("today", None),
        ("2026-05-01", None),
        ("2026-13-01", None),
        ("soon", None),
        ("tomorrow noon", None),
        ("", None),
        ("9999d", "2053-09-18 09:30"),
    ],
)
def test_moments_of_madrid(written: str, found: str | None) -> None:
    at = moment(written, NOW, MADRID)
    assert (f"{at:%Y-%m-%d %H:%M}" if at else None) == found


@given(st.text(alphabet="0123456789 :-tdhmwnaoyr.,", max_size=20))
def test_nothing_ends_it_and_nothing_lies_in_the_past(written: str) -> None:
    at = moment(written, NOW, MADRID)
    assert at is None or (at > NOW and at.utcoffset() == timedelta(0))
    found = minutes(written)
    assert found is None or 0 < abs(found) <= MOST_MINUTES
