"""Dead addresses: how many failures it takes, and what brings an address back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from store.database import Database
from store.undeliverable import SOFT_WINDOW, DeadAddress
from tests.store.samples import NOW

DEAD = "dead@example.org"
DAY = timedelta(days=1)


def fail(database: Database, day: float = 0, *, hard: bool = False, address: str = DEAD) -> bool:
    with database.transaction() as tx:
        return tx.undeliverable.failed(address, hard=hard, reason=f"day {day}", now=NOW + day * DAY)


def paused(database: Database, *addresses: str) -> dict[str, str]:
    with database.reading() as tx:
        return tx.undeliverable.paused(addresses)


def test_a_permanent_failure_pauses_at_once(database: Database) -> None:
    assert paused(database, DEAD) == {}
    assert fail(database, hard=True)
    assert not fail(database, 1, hard=True)
    assert paused(database, DEAD, "other@example.org") == {DEAD: "day 0"}
    assert paused(database) == {}


def test_the_case_of_an_address_does_not_matter(database: Database) -> None:
    fail(database, hard=True, address="Dead@Example.org")
    assert paused(database, "DEAD@example.org") == {"DEAD@example.org": "day 0"}


@pytest.mark.parametrize(
    ("days", "fatal"),
    [
        pytest.param((0, 1), None, id="two"),
        pytest.param((0, 0, 0), 2, id="three at once"),
        pytest.param((0, 10, 29.9), 2, id="three within 30 days"),
        pytest.param((0, 1, 30), None, id="the first is 30 days old"),
        pytest.param((0, 20, 31, 49), 3, id="any three in a row"),
        pytest.param((0, 29, 58, 87, 116), None, id="one a month"),
        pytest.param((0, 1, 100, 101, 102), 4, id="old ones are forgotten"),
    ],
)
def test_the_third_passing_failure_within_a_month_pauses_L4(
    database: Database, days: tuple[float, ...], fatal: int | None
) -> None:
    assert timedelta(days=30) == SOFT_WINDOW
    assert [fail(database, day) for day in days] == [n == fatal for n in range(len(days))]
    assert bool(paused(database, DEAD)) == (fatal is not None)


def test_a_permanent_failure_after_a_passing_one_pauses(database: Database) -> None:
    assert not fail(database)
    assert fail(database, 1, hard=True)


def test_it_comes_back_when_it_writes_to_us(database: Database) -> None:
    fail(database, hard=True)
    with database.transaction() as tx:
        assert tx.undeliverable.wrote(DEAD.upper())
        assert not tx.undeliverable.wrote(DEAD)
    assert paused(database, DEAD) == {}
    assert [fail(database, 1), fail(database, 1), fail(database, 1)] == [False, False, True]


def test_writing_forgets_failures_that_paused_nothing(database: Database) -> None:
    fail(database)
    fail(database)
    with database.transaction() as tx:
        assert not tx.undeliverable.wrote(DEAD)
    assert not fail(database)


def test_an_operator_sees_and_clears_them(database: Database) -> None:
    fail(database)
    fail(database, 1, hard=True, address="other@example.org")
    with database.transaction() as tx:
        soft = DeadAddress(address=DEAD, failures=1, reason="day 0", changed=NOW)
        hard = DeadAddress(
            address="other@example.org",
            failures=1,
            reason="day 1",
            changed=NOW + DAY,
            paused=NOW + DAY,
        )
        assert tx.undeliverable.list() == [hard, soft]
        assert tx.undeliverable.get("Other@example.org") == hard
        assert tx.undeliverable.clear("OTHER@example.org")
        assert not tx.undeliverable.clear("other@example.org")
        assert tx.undeliverable.get("other@example.org") is None
        assert tx.undeliverable.list() == [soft]


def test_failures_that_are_told_at_once_are_all_counted(database: Database) -> None:
    together = threading.Barrier(3, timeout=20)

    def tell(_: int) -> bool:
        together.wait()
        return fail(database)

    with ThreadPoolExecutor(3) as nodes:
        assert sorted(nodes.map(tell, range(3))) == [False, False, True]


def test_a_long_reason_is_cut(database: Database) -> None:
    with database.transaction() as tx:
        tx.undeliverable.failed(DEAD, hard=True, reason="x" * 5000, now=NOW)
        assert tx.undeliverable.paused([DEAD]) == {DEAD: "x" * 500}
