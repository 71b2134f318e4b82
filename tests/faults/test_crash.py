"""What arms the points, commands that are killed at theirs, and databases too weak to use."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import sqlalchemy

from mailgate import crash
from store.database import Database, WeakDurability
from tests.faults.load import wait_for
from tests.faults.mails import Writer
from tests.faults.node import Node


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    crash.arm({})


@pytest.mark.parametrize(
    "plan",
    ["nowhere:1:kill", "in.row_insert", "in.row_insert:0:kill", "in.row_insert:x:kill",
     "in.row_insert:1:vanish", "in.row_insert:1:kill:", ",", "in.row_insert:-1:kill"],
)  # fmt: skip
def test_a_plan_that_cannot_be_read_is_refused(plan: str) -> None:
    with pytest.raises(crash.BadPlan, match="MAILGATE_CRASH"):
        crash.arm({"MAILGATE_CRASH": plan})


def test_weakening_needs_the_other_variable_and_a_known_word() -> None:
    with pytest.raises(crash.BadPlan, match="needs MAILGATE_CRASH"):
        crash.arm({"MAILGATE_WEAKEN": "fsync"})
    with pytest.raises(crash.BadPlan, match="'luck' is none of"):
        crash.arm({"MAILGATE_WEAKEN": "luck", "MAILGATE_CRASH": ""})
    assert not crash.weakened("fsync")
    crash.arm({"MAILGATE_WEAKEN": "fsync,dedupe", "MAILGATE_CRASH": ""})
    assert [crash.weakened(word) for word in ("fsync", "shield", "dedupe")] == [True, False, True]


def test_a_point_acts_at_the_nth_time_and_no_other() -> None:
    crash.arm({"MAILGATE_CRASH": "work.rules:2:raise,work.rules:4:eio,out.claim:1:enospc"})
    crash.point("work.rules")
    with pytest.raises(crash.Injected, match=r"work\.rules"):
        crash.point("work.rules")
    crash.point("work.rules")
    with pytest.raises(OSError, match="asked for") as failed:
        crash.point("work.rules")
    assert failed.value.errno == errno.EIO
    with pytest.raises(OSError, match="asked for") as full:
        crash.point("out.claim")
    assert full.value.errno == errno.ENOSPC
    crash.arm({})
    crash.point("work.rules")


def test_the_command_line_refuses_a_bad_plan(tmp_path: Path) -> None:
    node = Node(tmp_path)
    done = node.cli("status", crash="nowhere:1:kill")
    assert done.returncode == 1
    assert b"there is no point 'nowhere'" in done.stderr
    assert b"Traceback" not in done.stderr


ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)]


@pytest.mark.parametrize("kind", ENGINES)
def test_d8_killed_in_a_migration_the_next_one_does_it(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "sqlite" if kind == "sqlite" else request.getfixturevalue("empty_postgres")
    node = Node(tmp_path, url=url)
    assert node.cli("migrate", crash="migrate.step:1:kill").returncode == -9
    assert node.cli("migrate").returncode == 0
    assert node.cli("check").returncode == 0


def test_e2_deliver_killed_before_its_exit_is_absorbed_when_it_comes_again(tmp_path: Path) -> None:
    node, mail = Node(tmp_path), Writer(3).new()
    assert node.cli("deliver", stdin=mail.raw, crash="pipe.before_exit:1:kill").returncode == -9
    assert node.cli("deliver", stdin=mail.raw).returncode == 0
    node.up()
    database = node.database()

    def outcomes() -> list[str]:
        with database.reading() as tx:
            return sorted(str(row.outcome) for row in tx.inbox.find())

    wait_for("one ticket", lambda: outcomes() == ["duplicate", "ticket"], 20)
    database.close()
    assert node.stop() == 0


# --- D2: weaker durability is refused ----------------------------------------------------


def test_d2_sqlite_in_memory_is_refused(tmp_path: Path) -> None:
    database = Database("sqlite://", tmp_path)
    with pytest.raises(WeakDurability, match="journal_mode=memory"):
        database.ready()


def test_d2_every_sqlite_connection_syncs_in_full(sqlite_database: Database) -> None:
    levels = set()
    with sqlite_database.reading() as one, sqlite_database.reading() as two:
        for tx in (one, two):
            levels.add(tx.conn.exec_driver_sql("PRAGMA synchronous").scalar())
    assert levels == {2}


def test_d2_a_sqlite_that_cannot_sync_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build of SQLite may ignore the pragma: what counts is what the connection says then."""

    class Deaf(sqlite3.Cursor):
        def execute(self, sql: str, *args: object) -> Self:
            ignored = sql.replace("synchronous=FULL", "synchronous=NORMAL")
            return super().execute(ignored, *args)  # type: ignore[arg-type]

    class Connection(sqlite3.Connection):
        def cursor(self, *_args: object) -> sqlite3.Cursor:  # type: ignore[override]
            return super().cursor(Deaf)

    plain = sqlite3.connect
    monkeypatch.setattr(
        sqlite3.dbapi2, "connect", lambda *a, **k: plain(*a, **{**k, "factory": Connection})
    )
    with pytest.raises(WeakDurability, match="synchronous=1"):
        Database("sqlite", tmp_path).ready()


@pytest.mark.peer
def test_d2_postgresql_with_synchronous_commit_off_is_refused(
    postgres_database_url: str, tmp_path: Path
) -> None:
    name = postgres_database_url.rpartition("/")[2]
    admin = sqlalchemy.create_engine(postgres_database_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
        try:
            done = Node(tmp_path, url=postgres_database_url).cli("check")
        finally:
            conn.exec_driver_sql(f"ALTER DATABASE {name} RESET synchronous_commit")
    admin.dispose()
    assert done.returncode == 1
    assert b"synchronous_commit=off" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.peer
def test_d2_postgresql_with_fsync_off_is_refused(
    postgres_database_url: str, tmp_path: Path
) -> None:
    admin = sqlalchemy.create_engine(postgres_database_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        conn.exec_driver_sql("SELECT pg_reload_conf()")
        try:
            node = Node(tmp_path, url=postgres_database_url)
            done = node.cli("deliver", stdin=Writer(1).new().raw)
            said = node.cli("check")
        finally:
            conn.exec_driver_sql("ALTER SYSTEM RESET fsync")
            conn.exec_driver_sql("SELECT pg_reload_conf()")
    admin.dispose()
    assert (done.returncode, said.returncode) == (75, 1)
    assert b"fsync=off" in said.stderr
