"""D3, D4, D6: full and failing disks, locked and lost databases, blobs apart from their rows."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy

from mailgate import crash
from mailgate.upkeep import Upkeep
from store.database import Database
from tests.faults.load import converse, wait_for
from tests.faults.mails import Mail, Writer
from tests.faults.node import Node
from tests.faults.rig import Rig, later, locked, rig
from tests.peers.postgres import PostgresServer, missing

TAKEN = "250 2.0.0 Taken"
TROUBLE = "451 4.3.0 Temporary trouble, please try again later"
FULL = "452 4.3.1 No room for it now, please try again later"
WRITES = (
    "in.blob_tmp",
    "in.blob_fsync",
    "in.blob_rename",
    "in.blob_folder",
    "in.row_insert",
    "in.before_commit",
)
ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of our own: these tests restart it."""
    if why := missing():
        pytest.skip(why)
    one = PostgresServer()
    try:
        one.start()
        yield one
    finally:
        one.remove()


@pytest.fixture
def own_url(server: PostgresServer) -> str:
    """An empty database on that server."""
    name = f"m{uuid4().hex}"
    run_sql(server.url(), f"CREATE DATABASE {name}")
    return server.url(name)


def run_sql(url: str, *statements: str) -> None:
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        for statement in statements:
            conn.exec_driver_sql(statement)
    engine.dispose()


def send(run: Rig, mail: Mail) -> str:
    """One try, outside of the load client's loop but in its ledger."""
    run.load.ledger.write(uuid=mail.uuid, kind=mail.kind, way="smtp", sha256=mail.sha256)
    answer = converse(run.node.smtp, mail)
    run.load.ledger.write(uuid=mail.uuid, answer=answer)
    return answer


# --- D3 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENGINES)
def test_d3_no_space_and_io_errors_at_each_write_and_sync(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "sqlite" if kind == "sqlite" else request.getfixturevalue("postgres_database_url")
    with rig(tmp_path, url=url) as run:
        run.node.up(",".join(f"{p}:1:enospc,{p}:2:eio" for p in WRITES))
        mail = run.writer.new(size=90_000)
        answers = [send(run, mail) for _ in range(2 * len(WRITES) + 1)]
        assert answers == [FULL, TROUBLE] * len(WRITES) + [TAKEN]
        verdict = run.settle()
    assert verdict.findings == []
    assert verdict.outcomes["ticket"] == 1


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A tmpfs of that size at `folder`; skips where we may not mount."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(words, check=False).returncode:
        pytest.skip("a small disk needs root, to mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


@pytest.mark.parametrize("kind", ENGINES)
def test_d3_a_full_disk_is_452_and_no_restart_is_needed_after_it(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "sqlite" if kind == "sqlite" else request.getfixturevalue("postgres_database_url")
    data = tmp_path / "disk"
    with small_disk(data, "16m"), rig(tmp_path, url=url, data=data / "data") as run:
        run.node.up()
        process = run.node.process
        assert send(run, run.writer.new()) == TAKEN
        wait_for("its confirmation", lambda: run.look() and run.sent, 20)
        ballast = fill(data)
        mail = run.writer.new(size=2_000_000)  # on PostgreSQL only its bytes lie on this disk
        assert [send(run, mail) for _ in range(3)] == [FULL] * 3
        ballast.unlink()
        wait_for("room", lambda: send(run, mail) == TAKEN, 20)
        assert run.node.process is process
        verdict = run.settle()
    assert verdict.findings == []
    assert verdict.outcomes["ticket"] == 2


def test_d3_what_the_relay_took_is_written_down_once_there_is_room(tmp_path: Path) -> None:
    with rig(tmp_path) as run:
        run.node.up("out.before_mark_sent:1:enospc,out.before_mark_sent:2:eio")
        process = run.node.process
        run.load.put("smtp", run.writer.new())
        wait_for("both copies", lambda: run.look() and run.sent and run.notices, 30)
        assert run.node.process is process
        verdict = run.settle()
    assert verdict.findings == []
    assert (verdict.copies, verdict.given_up) == (2, 0)


# --- D4 ----------------------------------------------------------------------------------


def test_d4_a_locked_sqlite_is_waited_for(tmp_path: Path) -> None:
    with rig(tmp_path) as run:
        run.node.up()
        with locked(run.node.data / "mailgate.db"):
            for _ in range(5):
                run.load.put("smtp", run.writer.new())
            time.sleep(4)
            assert run.load.waiting() == 5
        wait_for("answers", lambda: not run.load.waiting(), 20)
        verdict = run.settle()
    assert verdict.findings == []
    assert verdict.outcomes["duplicate"] == 0


@pytest.mark.peer
def test_d4_a_postgresql_that_restarts_in_the_middle_of_commits(
    server: PostgresServer, own_url: str, tmp_path: Path
) -> None:
    with rig(tmp_path, url=own_url) as run:
        run.node.up("in.before_commit:1:sleep,work.before_commit:1:sleep")
        process = run.node.process
        restart = later(1.0, server.restart)
        assert send(run, run.writer.new()) == TAKEN
        restart.join()
        restart = later(1.0, server.restart)
        for _ in range(20):
            run.load.put("smtp", run.writer.new())
        restart.join()
        wait_for("answers", lambda: not run.load.waiting(), 60)
        assert run.node.process is process
        verdict = run.settle()
    assert verdict.findings == []
    assert verdict.answered == 21


@pytest.mark.peer
def test_d4_a_postgresql_that_became_read_only_is_452(own_url: str, tmp_path: Path) -> None:
    name = own_url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
    others = f"{cut} AND pid <> pg_backend_pid()"
    with rig(tmp_path, url=own_url) as run:
        run.node.up()
        process = run.node.process
        run_sql(own_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on", others)
        mail = run.writer.new()
        answers = [send(run, mail) for _ in range(3)]
        assert answers[-1] == FULL  # connections from before the switch just broke
        back = "SET default_transaction_read_only = off"
        run_sql(own_url, back, f"ALTER DATABASE {name} RESET default_transaction_read_only", others)
        wait_for("to be taken", lambda: send(run, mail) == TAKEN, 20)
        assert run.node.process is process
        verdict = run.settle()
    assert verdict.findings == []


# --- D6 ----------------------------------------------------------------------------------


def files(node: Node) -> list[Path]:
    return sorted((node.data / "blobs").glob("??/*"))


def test_d6_a_file_without_a_row_goes_after_a_day_and_not_before(tmp_path: Path) -> None:
    with rig(tmp_path) as run:
        run.node.start("in.row_insert:1:kill")
        kept, stray = run.writer.new(size=90_000), run.writer.new(size=90_000)
        run.load.put("smtp", stray)
        wait_for("death", lambda: not run.node.alive(), 30)
        run.load.close()  # nobody tries again: the file stays without a row
        run.node.up()
        assert converse(run.node.smtp, kept) == TAKEN
        run.node.kill()
        assert len(files(run.node)) == 2
        database = Database("sqlite", run.node.data, step=crash.point)
        try:
            upkeep = Upkeep(database, lambda *_: None)
            assert upkeep.step() == 0  # both are young
            _age(run.node)
            crash.arm({"MAILGATE_CRASH": "gc.delete:1:raise"})
            with pytest.raises(crash.Injected):
                upkeep.step()
            assert upkeep.step() == 1
        finally:
            crash.arm({})
            database.close()
        assert [path.name for path in files(run.node)] == [kept.sha256]


def _age(node: Node) -> None:
    """Two days go by for all files."""
    subprocess.run(["touch", "-d", "2 days ago", *map(str, files(node))], check=True)


def test_d6_a_stray_that_comes_into_use_again_is_kept(sqlite_database: Database) -> None:
    data, now = b"x" * 100_000, datetime.now(UTC)
    digest = hashlib.sha256(data).hexdigest()
    sqlite_database.folder.write(digest, data)  # and then there was a crash
    path = sqlite_database.folder.path(digest)
    subprocess.run(["touch", "-d", "2 days ago", str(path)], check=True)
    before = now - timedelta(days=1)
    with sqlite_database.reading() as tx:
        strays = tx.blobs.strays(before)
    assert strays == [path]
    with sqlite_database.transaction() as tx:
        tx.blobs.put(data, now)
    with sqlite_database.transaction() as tx:
        assert tx.blobs.sweep(strays, before) == 0
        assert tx.blobs.get(digest) == data


@pytest.mark.parametrize("size", [0, 90_000])
def test_d6_one_flipped_bit_is_named_by_the_deep_check_and_quarantined(
    size: int, tmp_path: Path
) -> None:
    node = Node(tmp_path)
    mail = rig_mail(size)
    done = node.cli("deliver", "--from", mail.sender, stdin=mail.raw)
    assert done.returncode == 0, done.stderr
    assert node.cli("ledger", "--check", "--deep").returncode == 0
    flip(node, mail)
    done = node.cli("ledger", "--check", "--deep")
    assert (done.returncode, mail.sha256 in done.stderr.decode()) == (1, True)
    node.up()
    database = node.database()

    def set_aside() -> bool:
        with database.reading() as tx:
            return tx.stats.depths().quarantined == 1

    wait_for("quarantine", set_aside, 20)
    database.close()
    node.kill()


def rig_mail(size: int) -> Mail:
    return Writer(1).new(size=size)


def flip(node: Node, mail: Mail) -> None:
    """Change one bit of a mail where it is stored."""
    path = node.data / "blobs" / mail.sha256[:2] / mail.sha256
    if path.exists():
        data = bytearray(path.read_bytes())
        data[500] ^= 1
        path.write_bytes(data)
        return
    data = bytearray(mail.raw)
    data[50] ^= 1
    database = node.database()
    with database.transaction() as tx:
        tx.conn.execute(
            sqlalchemy.text("UPDATE blobs SET data = :data WHERE digest = :digest"),
            {"data": bytes(data), "digest": mail.sha256},
        )
    database.close()


def test_d6_a_lost_file_is_named_by_the_deep_check(tmp_path: Path) -> None:
    node, mail = Node(tmp_path), rig_mail(90_000)
    assert node.cli("deliver", stdin=mail.raw).returncode == 0
    (node.data / "blobs" / mail.sha256[:2] / mail.sha256).unlink()
    done = node.cli("ledger", "--check", "--deep")
    assert (done.returncode, mail.sha256 in done.stderr.decode()) == (1, True)
