"""What strangers write steers no terminal, wherever it is shown."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.shell.cli_rig import Cli, letter

TITLE = "\x1b]0;owned\x07\x9b31m\u202e"  # sets a title, colours, turns the writing round
SENDER = f'"{TITLE}" <"{TITLE}"@example.com>'
FILE = [
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="b"',
    f"Cc: {TITLE} <luis@example.com>",
]
BODY = (
    f"--b\r\n\r\n{TITLE} words\r\n--b\r\nContent-Type: text/plain\r\n"
    f'Content-Disposition: attachment; filename="{TITLE}.txt"\r\n\r\nx\r\n--b--\r\n'
)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch)
    cli.take(letter(f"a{TITLE}b", sender=SENDER, head=FILE, body=BODY))
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn, conn:
        for statement in (
            "UPDATE outbox_recipients SET text = :words, address = id || :words",
            "UPDATE inbox SET reason = :words",
            "UPDATE attachments SET filename = :words, content_type = :words",
            "UPDATE people SET address = id || :words",
            "INSERT INTO tags VALUES (1001, :words)",
            "INSERT INTO links VALUES (1001, 1001, :words)",
            "INSERT INTO events (ticket, at, actor, kind, data) VALUES"
            " (1001, '2026-11-22 08:00:00.000000', :words, 'x', json_object('k', :words))",
        ):
            conn.execute(statement, {"words": TITLE})
    return cli


@pytest.mark.parametrize(
    "words",
    [
        ["ticket", "list"],
        ["ticket", "show", "1001"],
        ["ticket", "set", "1001", f"subject={TITLE}"],
        ["ticket", "set", "1001", f"{TITLE}=x"],
        ["explain", "1"],
        ["explain", TITLE],
        ["ledger", "--check"],
        ["outbox", "list"],
        ["outbox", "show", "1"],
        ["status"],
    ],
    ids=" ".join,
)
def test_an_escape_sequence_of_a_stranger_reaches_no_terminal(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    assert done.out + done.err
    assert not [c for c in done.out + done.err if not c.isprintable() and c not in "\n\t"]


def test_an_escape_sequence_in_a_mail_that_is_parsed_reaches_no_terminal(cli: Cli) -> None:
    mail = letter(f"a{TITLE}b", sender=SENDER, head=FILE, body=BODY)
    for words in (["parse", "-"], ["rules", "test", "-"]):
        done = cli.ok(*words, stdin=mail)
        assert not [c for c in done.out if not c.isprintable() and c not in "\n\t"]
