"""The morning of a desk: its own time zone, its working days, and not in the afternoon."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from mailgate.core.mornings import day
from mailgate.core.policy import Policy

MADRID = Policy(digest="08:00", zone=ZoneInfo("Europe/Madrid"), workdays=frozenset(range(5)))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param((2026, 5, 4, 5, 59), None, id="a minute early"),
        pytest.param((2026, 5, 4, 6, 0), date(2026, 5, 4), id="eight in summer"),
        pytest.param((2026, 1, 5, 6, 30), None, id="half past seven in winter"),
        pytest.param((2026, 1, 5, 7, 0), date(2026, 1, 5), id="eight in winter"),
        pytest.param((2026, 5, 4, 11, 59), date(2026, 5, 4), id="late, after a stop"),
        pytest.param((2026, 5, 4, 12, 0), None, id="no morning any more"),
        pytest.param((2026, 5, 9, 7, 0), None, id="a Saturday"),
    ],
)
def test_when_it_is_morning(now: tuple[int, int, int, int, int], expected: date | None) -> None:
    assert day(datetime(*now, tzinfo=UTC), MADRID) == expected


def test_a_desk_without_an_hour_has_no_mornings() -> None:
    assert day(datetime(2026, 5, 4, 6, 0, tzinfo=UTC), Policy()) is None


def test_without_working_days_every_day_is_one() -> None:
    assert day(datetime(2026, 5, 9, 8, 0, tzinfo=UTC), Policy(digest="08:00")) == date(2026, 5, 9)
