"""E2: `deliver` ends in 0 for a mail that is committed and in 75 for everything else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy

from store.database import Database
from tests.peers.daemon_rig import ROOT, run_cli
from tests.shell.cli_rig import Cli, letter

TEMPFAIL = 75
FULL = os.environ.get("MAILGATE_TEST_FULL") == "1"


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


def count(folder: Path) -> int:
    """How many mails the database holds."""
    database = Database("sqlite", folder / "data")
    try:
        with database.reading() as tx:
            return len(tx.inbox.find())
    finally:
        database.close()


def patched(config: Path, patch: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """`deliver` in a process of its own, after a line of Python."""
    script = f"import sys\nfrom mailgate.cli import main\n{patch}\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", script, "deliver", "--config", str(config), *words],
        input=letter(),
        capture_output=True,
        check=False,
        cwd=ROOT,
    )


def test_a_committed_mail_is_0_and_its_json_line_is_the_contracts(cli: Cli, tmp_path: Path) -> None:
    done = run_cli(cli.config, "deliver", "--json", "--from", "carmen@example.com", stdin=letter())
    assert (done.returncode, done.stderr) == (0, b"")
    line = cli.ok("explain", "1", "--json").lines[0]
    assert line["mail_from"] == "carmen@example.com"
    keys = ["inbound", "digest", "message_id", "outcome", "ticket", "reason"]
    again = cli.take(letter())[0]
    assert list(again) == keys
    assert (again["inbound"], again["outcome"], again["ticket"]) == (2, "duplicate", None)
    assert count(tmp_path) == 2


def test_without_json_nothing_is_printed_and_the_mail_waits(cli: Cli) -> None:
    done = cli.ok("deliver", "--rcpt", "<support@example.org>", "--from", "<>", stdin=letter())
    assert (done.out, done.err) == ("", "")
    line = cli.ok("explain", "1", "--json").lines[0]
    assert (line["outcome"], line["mail_from"], line["rcpt_tos"]) == (
        None,
        "",
        ["support@example.org"],
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["deliver", "--bogus"], id="an option that is none"),
        pytest.param(["--bogus", "deliver"], id="one before the command"),
        pytest.param(["deliver", "--from"], id="an option without its value"),
        pytest.param(["deliver", "word"], id="an argument too many"),
        pytest.param(["deliver", "--config"], id="--config without a file"),
        pytest.param(["deliver", "--config", "/nonexistent/config.toml"], id="no such file"),
        pytest.param(["--json", "--config", "/nonexistent/config.toml", "deliver"], id="in front"),
        pytest.param(["deliver", "--config=/nonexistent/config.toml"], id="with ="),
    ],
)
def test_e2_wrong_words_are_75_and_say_what_is_wrong(cli: Cli, words: Sequence[str]) -> None:
    done = cli(*words, stdin=letter(), config=False)
    assert done.status == TEMPFAIL
    assert done.err


@pytest.mark.parametrize("stdin", [b"", b"\n", b" \r\n\r\n"])
def test_e2_an_empty_stdin_is_75(cli: Cli, stdin: bytes) -> None:
    done = cli("deliver", stdin=stdin)
    assert (done.status, done.err) == (TEMPFAIL, "there is no mail on stdin\n")


def test_e2_a_broken_configuration_is_75_with_every_mistake(cli: Cli, tmp_path: Path) -> None:
    cli.config.write_text('[helpdesk]\ndomain = ""\nbogus = 1\n')
    done = cli("deliver", stdin=letter())
    assert done.status == TEMPFAIL
    assert len(done.err.splitlines()) >= 3
    assert not (tmp_path / "data").exists()


def test_e2_a_database_that_is_none_is_75(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mailgate.db").write_bytes(b"not a database at all" * 100)
    done = cli("deliver", stdin=letter())
    assert done.status == TEMPFAIL
    assert "not a database" in done.err


def test_e2_a_data_folder_that_cannot_be_made_is_75(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    assert cli("deliver", stdin=letter()).status == TEMPFAIL


def test_e2_a_schema_of_another_version_is_75(cli: Cli, tmp_path: Path) -> None:
    cli.ok("status")
    with sqlite3.connect(tmp_path / "data" / "mailgate.db") as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.close()
    done = cli("deliver", stdin=letter())
    assert done.status == TEMPFAIL
    assert "schema 9999" in done.err


@pytest.mark.skipif(not FULL, reason="waits 30 s for the lock; set MAILGATE_TEST_FULL=1")
def test_e2_a_locked_sqlite_is_75(cli: Cli, tmp_path: Path) -> None:
    cli.ok("status")
    conn = sqlite3.connect(tmp_path / "data" / "mailgate.db", isolation_level=None)
    conn.execute("BEGIN EXCLUSIVE")
    done = cli("deliver", stdin=letter())
    conn.execute("ROLLBACK")
    conn.close()
    assert done.status == TEMPFAIL
    assert "locked" in done.err
    assert count(tmp_path) == 0


@pytest.mark.peer
def test_e2_a_locked_postgresql_is_75(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    postgres_database_url: str,
) -> None:
    impatient = f"{postgres_database_url}?options=-c%20lock_timeout%3D300"
    cli = Cli(tmp_path, capsys, monkeypatch, impatient)
    engine = sqlalchemy.create_engine(postgres_database_url)
    with engine.begin() as conn:
        conn.exec_driver_sql("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        done = cli("deliver", stdin=letter())
    engine.dispose()
    assert done.status == TEMPFAIL
    assert "lock timeout" in done.err
    assert cli.take(letter())[0]["inbound"] == 1


@pytest.mark.peer
def test_e2_a_postgresql_that_never_answers_is_75_at_our_own_deadline(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    postgres_database_url: str,
) -> None:
    config = Cli(tmp_path, capsys, monkeypatch, postgres_database_url).config
    engine = sqlalchemy.create_engine(postgres_database_url)
    with engine.begin() as conn:
        conn.exec_driver_sql("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        done = patched(config, "from mailgate.cli import mails\nmails.DEADLINE = 2")
    engine.dispose()
    assert done.returncode == TEMPFAIL
    assert b"not committed within 2 s" in done.stderr


def test_e2_a_database_server_that_is_down_is_75(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(tmp_path, capsys, monkeypatch, "postgresql+psycopg://nobody@127.0.0.1:1/none")
    done = cli("deliver", stdin=letter())
    assert done.status == TEMPFAIL
    assert "the database cannot be used" in done.err


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(
            "from mailgate.cli import mails\ndel mails.commit_surely", id="a bug: any traceback"
        ),
        pytest.param("sys.modules['sqlalchemy'] = None", id="an installation in pieces"),
        pytest.param("import io; sys.stdin = None", id="no stdin at all"),
    ],
)
def test_e2_any_traceback_is_75_and_is_shown(cli: Cli, patch: str) -> None:
    done = patched(cli.config, patch)
    assert done.returncode == TEMPFAIL
    assert b"Traceback" in done.stderr


def test_trouble_after_the_commit_does_not_bring_the_mail_a_second_time(
    cli: Cli, tmp_path: Path
) -> None:
    done = patched(
        cli.config,
        "from mailgate.cli import mails\nmails.settled = lambda *_: {}['gone']",
        "--json",
    )
    assert done.returncode == 0
    assert b"mail 1 is committed; its outcome cannot be told: 'gone'" in done.stderr
    assert count(tmp_path) == 1


def test_a_reader_of_the_json_line_that_went_away_does_not_bring_the_mail_again(
    cli: Cli, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mailgate", "--config", str(cli.config), "deliver", "--json"],
        input=letter(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        cwd=ROOT,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert count(tmp_path) == 1
