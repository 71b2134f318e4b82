"""The engine: transactions, pragmas, times, and what happens when the database goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import event, exc

from mailgate.assembly import instance_of
from mailgate.core.mail import Address
from store.database import Database, Unavailable
from store.schema import people
from tests.peers.postgres import PostgresServer, missing
from tests.store.samples import MINUTE, NOW, accept, ticket


def test_settings_keep_the_last_value(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.setting("instance", "none") == "none"
        tx.set_setting("instance", "one")
        tx.set_setting("instance", "two")
    with database.reading() as tx:
        assert tx.setting("instance") == "two"


def test_two_nodes_that_keep_the_same_new_setting_at_once_both_succeed(database: Database) -> None:
    together = threading.Barrier(4, timeout=20)

    def keep(value: str) -> None:
        together.wait()
        for _ in range(5):
            with database.transaction() as tx:
                tx.set_setting("paused", value)

    with ThreadPoolExecutor(4) as nodes:
        assert list(nodes.map(keep, "abcd")) == [None] * 4
    with database.reading() as tx:
        assert tx.setting("paused") in set("abcd")


def test_nodes_that_start_at_once_agree_on_their_instance(database: Database) -> None:
    together = threading.Barrier(4, timeout=20)

    def start(_: int) -> str:
        together.wait()
        return instance_of(database)

    with ThreadPoolExecutor(4) as nodes:
        (instance,) = set(nodes.map(start, range(4)))
    assert instance == instance_of(database) != ""


def test_an_exception_rolls_everything_back(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as tx:
            tx.set_setting("instance", "one")
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        fail()
    with database.reading() as tx:
        assert tx.setting("instance") == ""


def test_no_read_modify_write_is_lost(database: Database) -> None:
    number = ticket(database)

    def count() -> None:
        for _ in range(100):
            with database.transaction() as tx:
                row = tx.tickets.get(number, lock=True)
                assert row is not None
                value = int(row.resolution or 0) + 1
                tx.tickets.set_field(number, "resolution", str(value), NOW)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(count) for _ in range(4)]:
            done.result()
    with database.reading() as tx:
        row = tx.tickets.get(number)
    assert row is not None
    assert row.resolution == "400"


def test_a_read_sees_one_state_to_its_end(database: Database) -> None:
    with database.reading() as before:
        assert before.stats.people_known() == 0
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ticket, database).result()
        assert before.stats.people_known() == 0
    with database.reading() as after:
        assert after.stats.people_known() == 1


# --- times -------------------------------------------------------------------------------


def test_a_naive_datetime_is_refused(database: Database) -> None:
    naive = NOW.replace(tzinfo=None)
    with (
        database.transaction() as tx,
        pytest.raises(exc.StatementError, match="naive datetime refused") as refused,
    ):
        tx.people.ensure(Address(addr="x@example.org"), naive)
    assert isinstance(refused.value.orig, ValueError)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC), id="microseconds"),
        pytest.param(
            datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))), id="summer time"
        ),
        pytest.param(
            datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1))), id="winter time"
        ),
        pytest.param(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-9.5))), id="west"),
    ],
)
def test_times_come_back_in_utc(database: Database, written: datetime) -> None:
    with database.transaction() as tx:
        tx.people.ensure(Address(addr="x@example.org"), written)
    with database.reading() as tx:
        read = tx.conn.execute(people.select()).one().created
    assert read == written
    assert read.utcoffset() == timedelta(0)


# --- SQLite ------------------------------------------------------------------------------


def test_every_pooled_connection_is_durable_and_strict(sqlite_database: Database) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            tx = stack.enter_context(sqlite_database.reading())
            pragmas = [
                tx.conn.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
            assert pragmas == ["wal", 2, 1]  # 2 is FULL


def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(exc.IntegrityError), database.transaction() as tx:
        tx.tickets.add_tag(4711, "no such ticket")


def test_a_statement_that_cannot_run_is_not_waited_for(database: Database) -> None:
    with pytest.raises(exc.DBAPIError) as caught, database.reading() as tx:
        tx.conn.exec_driver_sql("SELECT 1 UNION SELECT")
    assert not isinstance(caught.value, Unavailable)


def test_a_table_that_is_not_there_yet_is_waited_for(sqlite_database: Database) -> None:
    with pytest.raises(Unavailable, match="no such table"), sqlite_database.reading() as tx:
        tx.conn.exec_driver_sql("SELECT 1 FROM nowhere")


def test_a_writer_does_not_stop_readers(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as writer:
        writer.set_setting("a", "1")
        with sqlite_database.reading() as reader:
            assert reader.setting("a") == ""


def test_a_second_process_that_holds_the_lock_makes_it_unavailable(
    sqlite_database: Database, tmp_path: Path
) -> None:
    other = Database("sqlite", tmp_path / "data")
    event.listen(other.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=0"))
    with (
        sqlite_database.transaction(),
        pytest.raises(Unavailable, match="locked"),
        other.transaction(),
    ):
        pass
    other.close()


def test_a_full_disk_is_unavailable_and_loses_nothing(sqlite_database: Database) -> None:
    def write(key: str, value: str, *, pages: int | None = None) -> None:
        with sqlite_database.transaction() as tx:
            if pages:
                tx.conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            tx.set_setting(key, value)

    write("a", "kept")
    with pytest.raises(Unavailable, match="full"):
        write("b", "x" * 1_000_000, pages=100)
    sqlite_database.close()  # max_page_count belongs to the connection
    write("b", "fits")
    with sqlite_database.reading() as tx:
        assert (tx.setting("a"), tx.setting("b")) == ("kept", "fits")


# --- PostgreSQL --------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A running server that a test may stop."""
    if why := missing():
        pytest.skip(why)
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.mark.peer
def test_a_stopped_postgresql_is_unavailable_and_comes_back(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    database = Database(own_server.url(), tmp_path)

    def write_while_it_stops() -> None:
        with database.transaction() as tx:
            tx.set_setting("cut", "off")
            own_server.stop()
            tx.set_setting("cut", "never committed")

    try:
        database.migrate()
        accept(database, "before")
        with pytest.raises(Unavailable):
            write_while_it_stops()
        with pytest.raises(Unavailable), database.transaction():
            pass
        with pytest.raises(Unavailable), database.reading() as tx:
            tx.setting("cut")
        with pytest.raises(Unavailable):
            database.ready()
        own_server.start()
        accept(database, "after")
        own_server.kill()
        own_server.start()
        with database.transaction() as tx:
            assert tx.setting("cut") == ""
            claimed = tx.inbox.claim(NOW, 10, MINUTE)
        assert [w.id for w in claimed] == [1, 2]
    finally:
        database.close()


def test_an_exhausted_pool_is_unavailable(postgres_database: Database) -> None:
    pool = postgres_database.engine.pool
    pool._timeout = 0.05  # type: ignore[attr-defined]
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(postgres_database.reading())
        with pytest.raises(Unavailable), postgres_database.reading():
            pass


def test_two_threads_meet_a_new_person_at_once(database: Database) -> None:
    together = threading.Barrier(2)

    def meet(name: str) -> int:
        together.wait(timeout=10)
        with database.transaction() as tx:
            return tx.people.ensure(Address(addr="new@example.org", name=name), NOW)

    for _ in range(10):
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(meet, ["A", "B"])
        assert first == second
        with database.transaction() as tx:
            tx.conn.execute(people.delete())
