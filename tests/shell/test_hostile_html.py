"""HTML that takes long to clean becomes plain text, found by a look at its tags and not by time."""

from __future__ import annotations

import pytest

from mailgate.render import PLAIN_OPEN, safe_html
from mailgate.render.html import MAX_HTML, MAX_NESTING


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * (MAX_HTML // 5),
        "<ul><li>" * (MAX_HTML // 8),
        "<b><p>" * (MAX_HTML // 6),
        "<div></x>" * (MAX_HTML // 9),
        "<blockquote>" * (MAX_HTML // 12),
        "<p " + " ".join(f"a{i}=b" for i in range(9000)) + ">",
    ],
    ids=["open", "lists", "formatting", "closing-another", "quotes", "attributes"],
)
def test_html_that_cleaning_would_take_minutes_for_is_shown_as_text(html: str) -> None:
    # Found by fuzzing: bleach is quadratic in open elements and in the attributes of a tag.
    assert safe_html(html + "Hello").startswith(PLAIN_OPEN)


@pytest.mark.parametrize(
    "html",
    [
        "<p>one<br>two" * 500,
        "<table><tr><td>x</td></tr></table>" * 300,
        "<div>" * 500 + "deep" + "</div>" * 500,
        f'<img src="data:image/png;base64,{"A" * 76} {"A" * 76}">Hello',
    ],
    ids=["unclosed", "tables", "nested", "picture"],
)
def test_ordinary_html_is_cleaned(html: str) -> None:
    assert not safe_html(html).startswith(PLAIN_OPEN)


def test_the_limit_is_the_limit() -> None:
    assert not safe_html("<i>" * MAX_NESTING + "x").startswith(PLAIN_OPEN)
    assert safe_html("<i>" * (MAX_NESTING + 1) + "x").startswith(PLAIN_OPEN)
