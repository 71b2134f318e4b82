"""Dates as clients spell them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core.spelled import spelled_date

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
    " diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
    " dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro"
    " dezembro",
}
EVERY = [(name, at) for row in MONTHS.values() for at, name in enumerate(row.split(), 1)]


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_each_month_in_six_languages(name: str, number: int) -> None:
    at = datetime(2026, number, 7, 21, 5, tzinfo=UTC)
    assert spelled_date(f"7 {name} 2026 21:05") == at
    assert spelled_date(f"7. {name} 2026 um 21:05") == at
    assert spelled_date(f"7 de {name} de 2026, 21:05") == at
    assert spelled_date(f"{name} 7, 2026 9:05 PM") == at
    assert spelled_date(f"martes, 7 {name[:4]}. 2026 21:05") == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Mon, 4 May 2026 11:30:00 +0200", (9, 30)),
        ("2026-05-04 09:30", (9, 30)),
        ("04.05.2026 09:30", (9, 30)),
        ("04.05.26 um 09.30", (9, 30)),
        ("04/05/2026 09:30", (9, 30)),
        ("5/4/2026 9:30 AM", (9, 30)),
        ("5/4/26 12:05 PM", (12, 5)),
        ("5/4/26 12:05 AM", (0, 5)),
        ("4 mai 2026 à 9h30", (9, 30)),
        ("May 4, 2026 at 5:30:00 AM EDT", (9, 30)),
        ("May 4, 2026 at 11:30:00 GMT+2", (9, 30)),
        ("4 May 2026", (0, 0)),
    ],
)
def test_forms(text: str, at: tuple[int, int]) -> None:
    assert spelled_date(text) == datetime(2026, 5, 4, *at, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "9:30", "31 February 2026", "4 foo 2026", "99/99/2026", "2026"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert spelled_date(text) is None


@given(st.text(max_size=150))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    found = spelled_date(text)
    assert found is None or found.tzinfo is UTC


@given(st.from_regex(r"[0-9 ./:+-]{0,30}(gmt|pm|may)?[0-9 ./:+-]{0,30}", fullmatch=True))
def test_any_figures_are_read_without_a_fault(text: str) -> None:
    found = spelled_date(text)
    assert found is None or found.tzinfo is UTC
