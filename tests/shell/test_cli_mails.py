"""Commands about mail: parse, explain, raw, ledger, import."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mailgate.cli import importing, mails, settling
from mailgate.ops import demo_mails
from tests.peers.daemon_rig import run_cli, until
from tests.shell.cli_rig import Cli, letter


def endless(html: str) -> str:
    """Stands for a sanitiser that a stranger's HTML keeps busy."""
    threading.Event().wait()
    return html


PARSED = [
    "from",
    "reply_to",
    "to",
    "cc",
    "subject",
    "date",
    "message_id",
    "in_reply_to",
    "references",
    "kind",
    "language",
    "text",
    "visible",
    "quoted",
    "signature",
    "html",
    "attachments",
    "defects",
    "cuts",
]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


# --- parse -------------------------------------------------------------------------------


def test_parse_has_the_contracts_fields_and_needs_no_configuration(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILGATE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path / "..")
    (tmp_path / "a.eml").write_bytes(demo_mails.request("x"))
    done = cli("parse", "--json", str(tmp_path / "a.eml"), config=False)
    assert done.status == 0, done.err
    [line] = done.lines
    assert list(line) == PARSED
    assert line["from"] == ["Carmen Ruiz <carmen@example.com>"]
    assert (line["cc"], line["kind"], line["language"]) == (["luis@example.com"], "normal", "es")
    [file] = line["attachments"]
    assert list(file) == ["filename", "content_type", "size", "digest", "inline"]
    assert file["filename"] == "captura año.png"


def test_parse_reads_stdin_and_cleans_html(cli: Cli) -> None:
    [line] = cli("parse", "-", "--json", stdin=demo_mails.html_only("x"), config=False).lines
    assert "two weeks ago" in line["html"]
    assert "<script" not in line["html"]
    assert (
        cli("parse", "-", "--json", stdin=demo_mails.bounce("x", "<a@b>"), config=False).lines[0][
            "kind"
        ]
        == "bounce"
    )


def test_html_that_takes_too_long_to_clean_is_shown_as_text(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "safe_html", endless)
    [line] = cli("parse", "-", "--json", stdin=demo_mails.html_only("x"), config=False).lines
    assert line["html"].startswith("<pre")
    assert "two weeks ago" in line["html"]
    assert "<" not in line["html"].partition(">")[2].removesuffix("</pre>")
    assert line["defects"][-1] == "html-too-complex"


def test_parse_for_people_steers_no_terminal(cli: Cli) -> None:
    done = cli(
        "parse", "-", stdin=letter("\x1b[2J", body="\x1b]0;title\x07\r\nx\r\n"), config=False
    )
    assert done.status == 0
    assert all(c.isprintable() or c == "\n" for c in done.out)


@pytest.mark.parametrize("name", ["none.eml", "."])
def test_a_file_that_cannot_be_read_is_told(cli: Cli, tmp_path: Path, name: str) -> None:
    done = cli("parse", str(tmp_path / name), config=False)
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert str(tmp_path) in done.err


# --- explain and raw ---------------------------------------------------------------------


def test_explain_says_each_step_and_who_was_written_to(cli: Cli) -> None:
    [line] = cli.take(letter())
    [told] = cli.ok("explain", str(line["inbound"]), "--json").lines
    assert {**told, **line} == told, "all that deliver said, and more"
    assert {step["step"] for step in told["trace"]} >= {"screen", "identify", "thread", "audience"}
    assert all(step["reason"] for step in told["trace"])
    assert [mail["kind"] for mail in told["outbox"]] == ["confirmation", "agent-new", "agent-new"]
    text = cli.ok("explain", "1").out
    assert "outbox     1 confirmation to carmen@example.com: pending" in text


def test_a_mail_is_found_by_its_message_id_with_or_without_brackets(cli: Cli) -> None:
    cli.take(letter("Twice"), letter("Twice"))
    for name in ("<Twice@example.com>", "Twice@example.com"):
        lines = cli.ok("explain", name, "--json").lines
        assert [(x["inbound"], x["outcome"]) for x in lines] == [(1, "ticket"), (2, "duplicate")]
    assert "of mail 1; see `mailgate explain 1`" in cli.ok("explain", "2").out


@pytest.mark.parametrize("command", ["explain", "raw"])
@pytest.mark.parametrize("name", ["77", "9" * 40, "<none@example.com>", "²"])
def test_a_mail_that_never_came_is_told(cli: Cli, command: str, name: str) -> None:
    done = cli(command, name)
    assert done.status == 1
    assert done.err.startswith(f"no mail {name} was ever taken")


@pytest.mark.parametrize(
    "mail",
    [
        b"From: a@example.com\nSubject: \xff\r\n\r\nbare \r and \n and \0\x80 no end",
        letter("Big", body="x" * 200_000),
    ],
    ids=["odd", "big"],
)
def test_raw_prints_the_exact_bytes(cli: Cli, mail: bytes) -> None:
    cli.take(mail)
    assert run_cli(cli.config, "raw", "1").stdout == mail


def test_bytes_that_are_gone_are_told(cli: Cli, tmp_path: Path) -> None:
    [line] = cli.take(letter("Big", body="x" * 200_000))
    shutil.rmtree(tmp_path / "data" / "blobs")
    done = cli("raw", str(line["inbound"]))
    assert (done.status, done.out) == (1, "")
    assert "restore them from a backup" in done.err


# --- ledger ------------------------------------------------------------------------------


def test_the_ledger_counts_per_day_and_source(cli: Cli) -> None:
    cli.take(letter("One"), letter("One"), letter("Two"))
    cli.ok("deliver", stdin=letter("Three"))
    [line] = cli.ok("ledger", "--json").lines
    assert (line["source"], line["accepted"], line["waiting"]) == ("pipe", 4, 1)
    assert line["outcomes"] == {"duplicate": 1, "ticket": 2}
    assert line["balanced"] is True
    done = cli.ok("ledger", "--check")
    assert done.out.endswith("balanced: 4 accepted, each with one outcome or still waiting\n")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM messages WHERE id = 1", "no message on a ticket: mail 1"),
        ("UPDATE inbox SET ticket = NULL WHERE id = 1", "no ticket: mail 1"),
        ("UPDATE inbox SET duplicate_of = NULL WHERE id = 2", "a duplicate of nothing: mail 2"),
        ("UPDATE inbox SET outcome = 'ignored' WHERE id = 1", "without that outcome: mail 1"),
        ("UPDATE inbox SET digest = 'gone' WHERE id = 3", "no bytes: mail 3"),
        ("UPDATE messages SET inbox = 1 WHERE inbox = 3", "two messages: mail 1"),
        ("DELETE FROM blobs", "no bytes: mail 1"),
    ],
)
def test_a_tampered_ledger_is_red(cli: Cli, tmp_path: Path, statement: str, said: str) -> None:
    cli.take(letter("One"), letter("One"), letter("Two"))
    cli.ok("ledger", "--check")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "data", copy)
    with sqlite3.connect(copy / "mailgate.db") as conn:
        conn.execute(statement)
    conn.close()
    text = cli.config.read_text()
    cli.config.write_text(text.replace('data_dir = "data"', 'data_dir = "copy"'))
    done = cli("ledger", "--check")
    assert done.status == 1
    assert said in done.err
    assert "the ledger does not balance" in done.err
    cli.config.write_text(text)
    cli.ok("ledger", "--check")


# --- import ------------------------------------------------------------------------------


def test_import_live_prints_the_contracts_line_for_each(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.eml").write_bytes(letter(f"Mail {number}"))
    (folder / "copy.eml").write_bytes(letter("Mail 0"))
    lines = cli.ok("import", "--live", "--json", str(folder)).lines
    keys = ["inbound", "digest", "message_id", "outcome", "ticket", "reason"]
    assert [list(line) for line in lines] == [keys] * 4
    assert [line["outcome"] for line in lines] == ["ticket"] * 3 + ["duplicate"]
    assert cli.ok("outbox", "list", "--json").lines
    again = cli.ok("import", "--live", "--json", str(folder)).lines
    assert again == lines
    assert cli.ok("import", "--live", str(folder)).out.startswith("4 mails, 0 new: ")


def test_import_names_what_it_does_not_take(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "old.mbox").write_bytes(b"From a@example.com Sun Nov 22 08:00:00 2026\n" + letter())
    done = cli.ok("import", str(folder))
    assert done.out == "0 mails, 0 new: nothing to do\n"
    assert "old.mbox (name an mbox itself to import it)" in done.err
    assert cli.ok("import", str(folder / "old.mbox")).out == "1 mails, 1 new: 1 ticket\n"
    missing = cli("import", str(tmp_path / "none"))
    assert (missing.status, missing.err.endswith("no such file or folder\n")) == (1, True)


def test_a_mail_that_cannot_be_read_does_not_stop_the_import(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "1.eml").symlink_to(tmp_path / "gone")
    (folder / "2.eml").symlink_to(folder / "2.eml")
    os.mkfifo(folder / "3.eml")
    (folder / "4.eml").write_bytes(letter())
    done = cli("import", str(folder))
    assert (done.status, done.out) == (1, "4 mails, 1 new: 1 ticket\n")
    said = done.err.splitlines()
    unread = [f"cannot read {folder / name}" for name in ("1.eml", "2.eml", "3.eml")]
    assert [line.partition(": ")[0] for line in said[:3]] == unread
    assert said[3] == "3 could not be read and were not taken; they are named above"
    again = cli("import", "--json", str(folder))
    assert (again.status, [line["inbound"] for line in again.lines]) == (1, [1])


def test_an_import_that_was_terminated_leaves_no_claim_to_wait_for(
    cli: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number}.eml").write_bytes(letter(f"Mail {number}"))
    cli.ok("status")
    words = ["--config", str(cli.config), "import", str(folder)]
    with (
        subprocess.Popen([sys.executable, "-m", "mailgate", *words], stderr=subprocess.PIPE) as run,
        closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn,
    ):
        claimed = "SELECT count(*) FROM inbox WHERE due > strftime('%Y-%m-%d %H:%M:%f', 'now')"
        until("claims", lambda: conn.execute(claimed).fetchone()[0])
        run.send_signal(signal.SIGTERM)
        said = run.communicate()[1]
        assert conn.execute(claimed).fetchone() == (0,)
    assert (run.returncode, said) == (143, b"stopped; run it again for the rest\n")
    done = cli.ok("import", str(folder))
    assert done.err == ""
    assert done.out.endswith(": 120 ticket\n")


def test_an_import_that_waits_for_the_claims_of_a_killed_one_says_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "SILENCE", 0.0)
    monkeypatch.setattr(settling, "PATIENCE", 0.2)
    (tmp_path / "a.eml").write_bytes(letter())
    cli.ok("import", str(tmp_path / "a.eml"))
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn, conn:
        conn.execute(
            "UPDATE inbox SET outcome = NULL, settled = NULL, due = '2999-01-01 00:00:00.000000'"
        )
    done = cli.ok("import", str(tmp_path / "a.eml"))
    assert done.err.startswith("waiting for 1 mails that a running daemon or an import that was")
    assert done.out == "1 mails, 0 new: 1 waiting\n"


def test_on_a_terminal_what_is_said_stands_above_the_bar_and_json_beside_it(
    cli: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "1.eml").symlink_to(folder / "gone")
    (folder / "2.eml").write_bytes(letter())
    ours, theirs = pty.openpty()
    words = ["--config", str(cli.config), "--json", "import", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "mailgate", *words], stdout=subprocess.PIPE, stderr=theirs
    ) as run:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # Linux: EIO is the end of a terminal
            while data := os.read(ours, 4096):
                seen += data
        told = run.communicate()[0]
    os.close(ours)
    assert run.returncode == 1
    assert json.loads(told)["outcome"] == "ticket"
    assert b"2/2" in seen
    [line] = [line for line in seen.splitlines() if b"cannot read" in line]
    assert b"/2" not in line
