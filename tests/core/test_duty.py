"""The words that answer a duty list: what is an order, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core import duty
from mailgate.core.duty import Order, Verb, mentions, read

WRITTEN = [
    ("3 accept", ["3 accept"]),
    ("3. Accept", ["3 accept"]),
    ("3) ACCEPT.", ["3 accept"]),
    ("4 ticket 812", ["4 ticket 812"]),
    ("4: ticket #812", ["4 ticket 812"]),
    ("5 drop", ["5 drop"]),
    ("5 drop  sender", ["5 drop sender"]),
    ("3 accept, 4 ticket 812, 5 drop sender", ["3 accept", "4 ticket 812", "5 drop sender"]),
    ("1 drop; 2 accept", ["1 drop", "2 accept"]),
    ("1-3 drop", ["1 drop", "2 drop", "3 drop"]),
    ("1–2, 5 accept", ["1 accept", "2 accept", "5 accept"]),
    ("1 accept, 2, 5 drop", ["1 accept", "2 drop", "5 drop"]),
    ("3 accept" + " " * 300, ["3 accept"]),
    ("\n1 accept\n\n  2 drop \n", ["1 accept", "2 drop"]),
]


@pytest.mark.parametrize(("written", "meant"), WRITTEN)
def test_orders_as_people_write_them(written: str, meant: list[str]) -> None:
    orders, problems = read(written, 6)
    assert ([str(order) for order in orders], problems) == (meant, ())


UNCLEAR = [
    "accept",
    "3",
    "three accept",
    "3 accept please",
    "3 acceptable",
    "3 drop senders",
    "3 ticket",
    "3 ticket TONER",
    "3 ticket 8128128128128",
    "5-3 drop",
    "- 3 accept",
    "> 3 accept",
    "#3 accept",
    "3 accept " + "x" * 300,
]


@pytest.mark.parametrize("line", UNCLEAR)
def test_a_line_that_is_anything_else_is_told(line: str) -> None:
    orders, problems = read(f"1 drop\n{line}\n2 accept", 6)
    assert ([order.number for order in orders], len(problems)) == ([1, 2], 1)
    assert problems[0].startswith(line[:100])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "There is no order in it"),
        (" \n\n", "There is no order in it"),
        ("0 drop", "0: the list goes from 1 to 2"),
        ("3 drop", "3: the list goes from 1 to 2"),
        ("1-3 drop", "3: the list goes from 1 to 2"),
        ("1 drop\n1 accept", "1 is named twice"),
        ("1 drop\n1 drop", "1 is named twice"),
        ("1-999 drop", "It names more than 200 mails"),
        ("1 drop\n" * 300, "It names more than 200 mails"),
        (", ".join(["1-100"] * 30) + " drop", "It names more than 200 mails"),
    ],
)
def test_impossible_numbers_are_told(words: str, told: str) -> None:
    _, problems = read(words, 2)
    assert len(problems) == 1
    assert problems[0].startswith(told)


@given(st.text(alphabet="0123456789 -,#acdeiknoprst\n", max_size=300), st.integers(0, 60))
def test_whatever_is_clear_names_each_mail_of_the_list_once(words: str, size: int) -> None:
    orders, problems = read(words, size)
    numbers = [order.number for order in orders]
    if not problems:
        assert numbers
        assert len(set(numbers)) == len(numbers)
        assert all(1 <= number <= size for number in numbers)
    assert all((order.verb is Verb.TICKET) == (order.ticket is not None) for order in orders)


@given(st.lists(st.tuples(st.integers(1, 99), st.sampled_from(Verb)), min_size=1, max_size=50))
def test_an_order_reads_as_it_is_written(said: list[tuple[int, Verb]]) -> None:
    orders = [
        Order(number=n, verb=verb, ticket=1000 + n if verb is Verb.TICKET else None)
        for n, verb in dict(said).items()
    ]
    assert read("\n".join(map(str, orders)), 99) == (tuple(orders), ())
    assert read(", ".join(map(str, orders[:8])), 99) == (tuple(orders[:8]), ())


def test_the_tickets_that_orders_speak_of() -> None:
    assert mentions("1 ticket 7, 2 accept\n3 ticket #8\n4 ticket 7\nticket 9") == (7, 8)
    many = "\n".join(f"{n} ticket {n}" for n in range(1, 40))
    assert len(mentions(many)) == 20


def test_a_line_of_spans_makes_few_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read for tickets before anybody is believed."""
    made: list[Order] = []

    def order(*, number: int, verb: Verb, ticket: int | None = None) -> Order:
        made.append(Order(number=number, verb=verb, ticket=ticket))
        return made[-1]

    monkeypatch.setattr(duty, "Order", order)
    assert mentions(",".join(["1-200"] * 40) + " ticket 812") == (812,)
    assert len(made) < 500
