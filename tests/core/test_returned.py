"""A customer's new words, told from our own mail that came back with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core import between
from mailgate.core.mail import ParsedMail
from mailgate.core.parse import parse
from mailgate.core.returned import told_apart, unclear
from mailgate.core.strip import strip

OURS = (
    "Hello Rita,\n\nthank you for your message.\nWhich paper does it take?\n"
    "Which colour is the lamp?\n\nAna Torres\nSupport\n\nRequest #1001 · Reply to this message.\n"
)
HEADING = (
    "From: Ana Torres (Support) <support@example.org>\nSent: Monday, May 4, 2026 9:01 AM\n"
    "To: Rita Vega <rita@customer.example>\nSubject: Re: [#1001] Printer\n\n"
)
BELOW = "Hello,\n\nA4 paper.\nIt blinks red."


def mail(text: str) -> ParsedMail:
    """A customer's mail, told apart by itself."""
    parts = strip(text)
    return replace(
        parse(b"From: rita@customer.example\r\n\r\n"),
        text=text,
        visible=parts.visible,
        quoted=parts.quoted,
        signature=parts.signature,
        cuts=tuple(map(str, parts.cuts)),
    )


def lines(*parts: str) -> Counter[str]:
    return Counter(line for part in parts for line in part.split("\n") if line.strip())


def test_answers_typed_into_an_unmarked_copy_were_folded_with_it() -> None:
    question = "Which paper does it take?\n"
    copied = OURS.replace(question, f"{question}\nA4 paper.\n\n")
    copied = copied.replace("the lamp?\n", "the lamp?\n\nIt blinks red.\n\n")
    read = mail(f"Hello,\n\n{HEADING}{copied}")
    assert read.visible.strip() == "Hello,"
    told = told_apart(read, (OURS, ""))
    assert told.visible.strip().endswith("Which colour is the lamp?\n\nIt blinks red.")
    assert "Which paper does it take?\n\nA4 paper." in told.visible
    assert told.quoted.strip().startswith("Ana Torres\nSupport")
    assert told.cuts[-1] == "kept: words that our mail does not hold stand in the quote at line 13"


def test_answers_typed_into_marked_lines_were_folded_with_them() -> None:
    copied = OURS.replace("the lamp?\n", "the lamp?\n\nIt blinks red.\n\n")
    marked = "\n".join(f"> {line}" for line in copied.splitlines())
    read = mail(f"Hello,\n\nOn Mon, 4 May 2026 at 09:01, Support wrote:\n{marked}\n")
    assert "red" not in read.visible
    assert told_apart(read, (OURS, "")).visible.endswith("> It blinks red.")


def test_words_below_a_quote_stay_when_there_are_some_in_it() -> None:
    copied = OURS.replace("take?\n", "take?\nIt takes A4.\n")
    marked = "\n".join(f"> {line}" for line in copied.splitlines())
    read = mail(f"On Mon, 4 May 2026 at 09:01, Support wrote:\n{marked}\n\n{BELOW}\n")
    assert read.visible.strip() == BELOW
    told = told_apart(read, (OURS, ""))
    assert "> It takes A4." in told.visible
    assert told.visible.endswith(f"{BELOW}\n")
    assert "> Ana Torres" in told.quoted


def test_a_copy_of_our_mail_above_the_answer_was_shown_as_new_words() -> None:
    read = mail(f"{HEADING}{OURS}\n{BELOW}\n\n-- \nRita Vega\n")
    assert "thank you for your message" in read.visible
    told = told_apart(read, (OURS, ""))
    assert told.visible.strip() == BELOW
    assert told.signature.strip() == "-- \nRita Vega"
    assert lines(told.visible, told.quoted, told.signature) == lines(read.text)
    assert told.cuts == ("quote: our own mail, above the answer at line 1",)


def test_what_our_mail_says_is_read_from_its_html_too() -> None:
    page = "<p>" + OURS.replace("\n", "</p><p>") + "</p>"
    told = told_apart(mail(f"{HEADING}{OURS}\n{BELOW}\n"), ("", page))
    assert told.visible.strip() == BELOW


def test_a_line_that_ends_in_a_number_was_taken_for_somebody_elses() -> None:
    ours = "Your message has reached Support and now has the number #1001.\n\nWe will answer you.\n"
    copied = ours.replace("the number", "the\nnumber")
    assert between.lost(f"Hello,\n\n{copied}", "Hello,", "", (ours, "")) == []


@pytest.mark.parametrize(
    "text",
    [
        f"Hello,\n\nA4 paper, and it blinks red.\n\n{HEADING}{OURS}",  # nothing new below
        f"Hello,\n\n{HEADING}{OURS}",
        f"{HEADING}Another mail of theirs.\nIt has two lines.\n\n{BELOW}\n",  # not a copy of ours
        f"{HEADING}{OURS[:60]}\n\n{BELOW}\n",  # a piece of it: it may be what they mean
        f"{HEADING}{OURS}",  # nothing but a copy
        f"Look here:\n{OURS}\n{BELOW}\n",  # no client wrote this above it
        f"{BELOW}\n",
        f"{HEADING}{OURS}\n{BELOW}\n{'long ' * 40_000}",  # too much to look through
    ],
)
def test_where_nothing_can_be_told_the_mail_stays_as_it_is(text: str) -> None:
    read = mail(text)
    assert told_apart(read, (OURS, "")) == read
    assert told_apart(read, ()) == read


def test_a_mail_of_ours_that_is_too_long_is_not_looked_through() -> None:
    read = mail(f"{HEADING}{OURS}\n{BELOW}\n")
    assert told_apart(read, (OURS, f"<p>{OURS}</p>")) != read
    assert told_apart(read, (OURS, "<p></p>" * 30_000)) == read


def test_a_mail_without_a_quote_is_not_compared() -> None:
    assert not unclear(mail(f"{BELOW}\n"))
    assert unclear(mail(f"{HEADING}{OURS}\n{BELOW}\n"))
    assert unclear(mail(f"{BELOW}\n\n{HEADING}{OURS}"))


_PIECES = st.sampled_from([*OURS.splitlines(), *HEADING.splitlines(), "A4.", "> A4", "-- ", "##-"])


@given(st.lists(_PIECES, max_size=30))
def test_no_line_is_lost_or_said_twice(pieces: list[str]) -> None:
    read = mail("\n".join(pieces))
    told = told_apart(read, (OURS, f"<p>{OURS}</p>"))
    assert lines(told.visible, told.quoted, told.signature) == lines(read.text)
