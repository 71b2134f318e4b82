"""Marks of the gate, and how its counts are read; tests/shell/test_gate.py says what for."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

from sqlalchemy import event, text

from mailgate.core.decision import Notice
from store.counting import Mark, ToAgent
from store.database import Database
from tests.store.samples import NOW, queue

A, B = "a@customer.test", "b@customer.test"
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_a_mark_is_set_once_while_it_holds(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.counting.marked("storm") is None
        assert tx.counting.mark("storm", NOW, NOW + HOUR, "why")
    with database.transaction() as tx:
        assert not tx.counting.mark("storm", NOW + HOUR - SECOND, NOW + 9 * HOUR, "other")
        assert tx.counting.marked("storm") == Mark(until=NOW + HOUR, why="why")
        assert tx.counting.mark("storm", NOW + HOUR, NOW + 2 * HOUR, "again")
        assert tx.counting.marked("storm") == Mark(until=NOW + 2 * HOUR, why="again")
        assert tx.counting.mark("else", NOW, NOW + HOUR)


def test_marks_of_long_ago_are_forgotten(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(3):
            tx.counting.mark(f"address {number}", NOW, NOW + HOUR)
        later = NOW + HOUR + timedelta(days=7, seconds=1)
        tx.counting.mark("address x", later, later + HOUR)
        assert tx.conn.execute(text("SELECT name FROM marks")).scalars().all() == ["address x"]


def test_a_name_may_be_as_long_as_an_address(database: Database) -> None:
    name = f"address {'x' * 320}"
    with database.transaction() as tx:
        assert tx.counting.mark(name, NOW, NOW + HOUR)
        assert not tx.counting.mark(name, NOW, NOW + HOUR)
        assert tx.counting.marked(name)


def test_of_many_who_set_a_mark_one_sees_it(database: Database) -> None:
    seen: list[bool] = []
    start = threading.Barrier(4)

    def set_it() -> None:
        start.wait()
        with database.transaction() as tx:
            seen.append(tx.counting.mark("storm", NOW, NOW + HOUR))

    threads = [threading.Thread(target=set_it) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(seen) == [False, False, False, True]


def test_counts_end_where_no_cap_needs_more(database: Database) -> None:
    number, _ = queue(database, A, B, message_id="<1@mailgate.test>")
    queue(database, A, message_id="<2@mailgate.test>", automatic=False)
    with database.reading() as tx:
        count = tx.counting
        assert [count.total(NOW, most) for most in (1, 9)] == [1, 2]
        assert count.total(NOW + SECOND, 9) == 0
        assert [count.on_ticket(number, NOW, most) for most in (1, 9)] == [1, 2]
        assert [count.of_kind(Notice.CONFIRMATION, NOW, most) for most in (1, 9)] == [1, 2]
        # Nobody's mail set these off.
        assert count.in_domain("customer.test", NOW, 9) == 0
        people = count.to_people([A, B, "c@x.test"], hour=NOW, day=NOW - HOUR, by_mail=False)
        assert people == {A: (1, 1), B: (1, 1)}
        assert count.to_people([A], hour=NOW, day=NOW, by_mail=True) == {}
        assert count.to_agents([A], number, NOW) == {}
        assert count.words(number, [A], hour=NOW, day=NOW) == {}
        assert ToAgent() == ToAgent(notices=0, on_ticket=0, alerts=0)


def test_sqlite_counts_by_an_index(sqlite_database: Database) -> None:
    number, _ = queue(sqlite_database, A)
    ran: list[tuple[str, Any]] = []

    def note(_conn: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            ran.append((statement, values))

    with sqlite_database.reading() as tx:
        event.listen(tx.conn, "before_cursor_execute", note)
        tx.counting.total(NOW, 9)
        tx.counting.on_ticket(number, NOW, 9)
        tx.counting.of_kind(Notice.STATUS, NOW, 9)
        tx.counting.in_domain("customer.test", NOW, 9)
        tx.counting.to_people([A], hour=NOW, day=NOW, by_mail=True)
        tx.counting.to_agents([A], number, NOW)
        tx.counting.words(number, [A], hour=NOW, day=NOW)
        event.remove(tx.conn, "before_cursor_execute", note)
        assert len(ran) == 7
        for statement, values in ran:
            plan = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            assert not [row for row in plan if str(row[3]).startswith("SCAN outbox")], statement
