"""The one way in: many deliveries share a commit, and none is acknowledged that was not taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import event

from mailgate import intake as intake_module
from mailgate import journal
from mailgate.core.mail import Envelope
from mailgate.intake import MAX_GROUP, Closed, Intake, commit
from store.database import Database, Unavailable
from tests.peers.postgres import PostgresServer
from tests.shell.intake_rig import delivery, held_up


@pytest.fixture
def intake(database: Database) -> Iterator[Intake]:
    found = Intake(database)
    yield found
    found.close()


def keys(database: Database) -> list[str]:
    """The source keys in the inbox, in order."""
    with database.reading() as tx:
        rows = tx.conn.execute(sqlalchemy.text("SELECT source_key FROM inbox ORDER BY id"))
        return [row.source_key for row in rows]


def test_what_piles_up_behind_one_commit_goes_into_the_next(
    database: Database, intake: Intake
) -> None:
    with held_up(database) as commits:
        first = intake.submit(delivery("first"))
        assert commits.begun.wait(10)
        others = [intake.submit(delivery(f"mail-{n:03}")) for n in range(100)]
        assert not any(one.done() for one in (first, *others))
        commits.go()
        assert len({one.result(10) for one in (first, *others)}) == 101
    assert commits.count == 2
    assert keys(database) == ["first", *(f"mail-{n:03}" for n in range(100))]


def test_a_commit_has_an_upper_bound(database: Database, intake: Intake) -> None:
    with held_up(database) as commits:
        first = intake.submit(delivery("first"))
        assert commits.begun.wait(10)
        others = [intake.submit(delivery(f"{n}")) for n in range(2 * MAX_GROUP + 1)]
        commits.go()
        wait([first, *others], 30)
    assert commits.count == 1 + 3


def test_a_commit_has_an_upper_bound_in_octets(
    database: Database, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_GROUP_BYTES", 1000)
    with held_up(database) as commits:
        first = intake.submit(delivery("first"))
        assert commits.begun.wait(10)
        others = [intake.submit(delivery(f"{n}", raw=bytes([65 + n]) * 600)) for n in range(4)]
        commits.go()
        wait([first, *others], 30)
    assert commits.count == 1 + 2


def test_the_same_delivery_twice_is_one_row(database: Database, intake: Intake) -> None:
    before = journal.COUNTS["accepted", "smtp"]
    one = intake.accept(delivery("twice"))
    assert intake.accept(delivery("twice")) == one
    assert keys(database) == ["twice"]
    assert journal.COUNTS["accepted", "smtp"] == before + 1


def test_everything_is_kept_as_it_came(database: Database, intake: Intake) -> None:
    raw = b"Message-ID: <a@b>\nSubject: \xff\0\n\nbare LF, NUL \0 and no end of line"
    envelope = Envelope(
        mail_from="a\0b@x.test",
        rcpt_tos=("su\ud800pport@example.org",),
        peer="192.0.2.1",
        helo="h\0",
        login="ana@example.org",
    )
    inbox_id = intake.accept(delivery("odd", raw=raw, envelope=envelope))
    with database.reading() as tx:
        row = tx.inbox.get(inbox_id)
        assert row is not None
        assert tx.blobs.get(row.digest) == raw
    # No database takes NUL and lone surrogates in text.
    assert row.envelope.mail_from == "a\ufffdb@x.test"
    assert row.envelope.rcpt_tos == ("su?pport@example.org",)
    assert (row.envelope.helo, row.envelope.login) == ("h\ufffd", "ana@example.org")
    assert (row.message_id, row.outcome) == ("<a@b>", None)


def test_a_source_without_envelope_stays_without(database: Database, intake: Intake) -> None:
    inbox_id = intake.accept(delivery("file", envelope=Envelope()))
    with database.reading() as tx:
        row = tx.inbox.get(inbox_id)
    assert row is not None
    assert row.envelope.mail_from is None


ALARM = (
    b"Received: from ups by mx.example.org; %b\r\n"
    b"From: ups@plant.test\r\nSubject: UPS on battery\r\n%b\r\nInput power lost\r\n"
    b"Date: of the last test\r\n"
)


@pytest.mark.parametrize(
    ("named", "same"),
    [
        pytest.param(b"", False, id="neither"),
        pytest.param(b"Date:\r\n", False, id="an empty date"),
        pytest.param(b"DATE :\r\n Mon, 4 May 2026 09:00:00 +0000\r\n", True, id="a date"),
        pytest.param(b"Message-ID: <1@plant.test>\r\n", True, id="a Message-ID"),
    ],
)
def test_the_second_alarm_of_a_device_without_date_and_message_id_is_another_mail(
    sqlite_database: Database, named: bytes, same: bool
) -> None:
    days = [b"Mon, 4 May", b"Wed, 3 Jun", b"Wed, 3 Jun"]
    mails = [delivery(f"{n}", raw=ALARM % (day, named)) for n, day in enumerate(days)]
    commit(sqlite_database, mails)
    with sqlite_database.reading() as tx:
        found = tx.conn.execute(sqlalchemy.text("SELECT fingerprint FROM inbox ORDER BY id"))
        first, second, again = found.scalars()
    assert second == again
    assert (first == second) is same


def test_the_worker_is_woken_after_the_commit(database: Database) -> None:
    found: list[list[str]] = []
    intake = Intake(database, lambda: found.append(keys(database)))
    intake.accept(delivery("one"))
    intake.close()
    assert found == [["one"]]


def test_a_live_source_reports_its_health(database: Database) -> None:
    commit(database, [delivery("a"), delivery("b", source="import mbox", live=False)])
    with database.reading() as tx:
        names = [row.name for row in tx.conn.execute(sqlalchemy.text("SELECT name FROM sources"))]
    assert names == ["smtp 127.0.0.1:25"]


def test_one_poisonous_delivery_does_not_cost_the_others_theirs(
    database: Database, intake: Intake
) -> None:
    """A source's name that no column holds; SQLite would take it, so a trigger refuses it there."""
    if database.sqlite:
        with database.transaction() as tx:
            tx.conn.exec_driver_sql(
                "CREATE TRIGGER poison BEFORE INSERT ON inbox WHEN length(NEW.source) > 200"
                " BEGIN SELECT RAISE(ABORT, 'value too long'); END"
            )
    with held_up(database) as commits:
        first = intake.submit(delivery("first"))
        assert commits.begun.wait(10)
        good = [intake.submit(delivery(f"good-{n}")) for n in range(3)]
        bad = intake.submit(delivery("bad", source="smtp " + "x" * 300, live=False))
        good += [intake.submit(delivery(f"good-{n}")) for n in range(3, 6)]
        commits.go()
        assert len({one.result(10) for one in (first, *good)}) == 7
        error = bad.exception(10)
    assert error is not None
    assert not isinstance(error, Unavailable)
    assert keys(database) == ["first", *(f"good-{n}" for n in range(6))]


def test_refused_while_sqlite_is_locked(sqlite_database: Database, tmp_path: Path) -> None:
    database = sqlite_database
    event.listen(database.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=50"))
    other = Database("sqlite", tmp_path / "data")
    intake = Intake(database)
    before = journal.COUNTS["trouble", "intake"]
    try:
        with other.transaction():
            refused = [intake.submit(delivery("while locked")), intake.submit(delivery("too"))]
            assert all(isinstance(one.exception(30), Unavailable) for one in refused)
        assert intake.accept(delivery("afterwards"))
    finally:
        intake.close()
        other.close()
    assert keys(database) == ["afterwards"]
    assert journal.COUNTS["trouble", "intake"] > before


@pytest.mark.peer
def test_refused_while_postgresql_is_away(postgres: PostgresServer, tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(postgres.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.exec_driver_sql("DROP DATABASE IF EXISTS away")
        conn.exec_driver_sql("CREATE DATABASE away")
    engine.dispose()
    database = Database(postgres.url("away"), tmp_path / "data")
    database.migrate()
    intake = Intake(database)
    try:
        assert intake.accept(delivery("before"))
        postgres.stop()
        try:
            with pytest.raises(Unavailable):
                intake.accept(delivery("while away"))
        finally:
            postgres.start()
        assert intake.accept(delivery("afterwards"))
        assert keys(database) == ["before", "afterwards"]
    finally:
        intake.close()
        database.close()


def test_bytes_that_cannot_be_stored_are_not_taken(sqlite_database: Database) -> None:
    """The folder of large blobs is a file: OSError, and the source must not acknowledge."""
    sqlite_database.folder.root.write_bytes(b"in the way")
    intake = Intake(sqlite_database)
    with pytest.raises(NotADirectoryError):
        intake.accept(delivery("large", raw=b"x" * 100_000))
    assert intake.accept(delivery("small"))
    intake.close()
    assert keys(sqlite_database) == ["small"]


def test_close_commits_what_is_queued(database: Database) -> None:
    intake = Intake(database)
    with held_up(database) as commits:
        intake.submit(delivery("first"))
        assert commits.begun.wait(10)
        queued = [intake.submit(delivery(f"mail-{n}")) for n in range(5)]
        closing = threading.Thread(target=intake.close)
        closing.start()
        commits.go()
        closing.join(30)
        assert not closing.is_alive()
    assert all(one.done() for one in queued)
    assert keys(database) == ["first", *(f"mail-{n}" for n in range(5))]


def test_close_refuses_what_a_locked_database_keeps_from_being_committed(
    sqlite_database: Database, tmp_path: Path
) -> None:
    other = Database("sqlite", tmp_path / "data")
    intake = Intake(sqlite_database)
    try:
        with other.transaction():
            left = [intake.submit(delivery(f"{n}")) for n in range(3)]
            assert not intake.close(0.1)
            assert all(isinstance(one.exception(0), Closed) for one in left)
            sqlite_database.hurry()
            intake.close()
        assert keys(sqlite_database) == []
    finally:
        other.close()


def test_after_close_nothing_is_taken(database: Database) -> None:
    intake = Intake(database)
    intake.close()
    with pytest.raises(Closed):
        intake.accept(delivery("late"))
    assert keys(database) == []
