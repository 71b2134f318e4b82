"""`mailgate restrip`: what older versions stored is stripped again, and nothing else is touched."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.shell.cli_rig import Cli, letter

WORDS = "It is still wrong.\n"
# By its text alone this is no quote: nothing says whose words the last line is.
QUOTED = (
    '<div>It is still wrong.</div><div class="yahoo_quoted"><div>Bo hat geantwortet</div>'
    "<div>We have paid it back.</div></div>"
)


def mail(subject: str) -> bytes:
    return letter(subject, head=["Content-Type: text/html; charset=utf-8"], body=QUOTED)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


def as_before(cli: Cli, **changed: str) -> None:
    """Store what a version without any stripping would have stored."""
    with closing(sqlite3.connect(cli.folder / "data" / "mailgate.db")) as conn, conn:
        conn.execute("UPDATE messages SET visible = text")
        for column, value in changed.items():
            conn.execute(f"UPDATE messages SET {column} = ?", [value])  # noqa: S608


def visible(cli: Cli, ticket: int) -> list[str]:
    [line] = cli.ok("ticket", "show", str(ticket), "--json").lines
    return [message["visible"].strip() for message in line["messages"]]


def test_what_would_change_is_shown_and_not_stored(cli: Cli) -> None:
    [taken] = cli.take(mail("one"))
    as_before(cli)
    before = visible(cli, taken["ticket"])
    done = cli.ok("restrip")
    assert "1 messages, 1 would change; --write stores it" in done.out
    assert "  quote: marked by Yahoo at line 3\n" in done.out
    assert visible(cli, taken["ticket"]) == before != [WORDS.strip()]


def test_it_is_stored_with_an_event_and_then_there_is_nothing_to_do(cli: Cli) -> None:
    [taken] = cli.take(mail("one"))
    as_before(cli)
    [line] = cli.ok("restrip", "--write", "--json").lines
    assert line["visible"].strip() == WORDS.strip()
    assert "We have paid it back." in line["quoted"]
    assert (line["ticket"], line["inbound"]) == (taken["ticket"], taken["inbound"])
    assert visible(cli, taken["ticket"]) == [WORDS.strip()]
    [ticket] = cli.ok("ticket", "show", str(taken["ticket"]), "--json").lines
    [event] = [e for e in ticket["events"] if e["kind"] == "restripped"]
    assert event["cuts"] == ["quote: marked by Yahoo at line 3"]
    assert event["actor"] == "command line"
    assert "1 messages, 0 changed" in cli.ok("restrip", "--write").out


def test_only_one_ticket_or_only_of_late(cli: Cli) -> None:
    taken = cli.take(mail("one"), mail("two"))
    numbers = [line["ticket"] for line in taken]
    assert len(set(numbers)) == 2
    as_before(cli)
    [line] = cli.ok("restrip", str(numbers[1]), "--json").lines
    assert line["ticket"] == numbers[1]
    assert len(cli.ok("restrip", "--since", "1d", "--json").lines) == 2
    assert cli.ok("restrip", "--since", "2999-01-01", "--json").lines == []


def test_many_messages_are_read_in_batches(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.history.BATCH", 2)
    cli.take(*(mail(f"number {n}") for n in range(5)))
    as_before(cli)
    assert "5 messages, 5 changed" in cli.ok("restrip", "--write").out


def test_an_agents_answer_stays_as_it_was_sent(cli: Cli) -> None:
    cli.take(mail("one"))
    as_before(cli, kind="agent")
    assert "0 messages, 0 would change" in cli.ok("restrip").out


def test_without_its_bytes_a_message_is_stripped_by_its_text(cli: Cli) -> None:
    [taken] = cli.take(letter("one", body="Yes.\r\n\r\n> Really?\r\n" + "x" * 300_000))
    as_before(cli)
    with closing(sqlite3.connect(cli.folder / "data" / "mailgate.db")) as conn, conn:
        text = "Yes.\n\n> Really?\n"
        conn.execute("UPDATE messages SET text = ?, visible = ?", [text, text])
    shutil.rmtree(cli.folder / "data" / "blobs")
    done = cli("restrip", "--write")
    assert done.status == 1
    assert "the bytes of 1 mails are missing" in done.err
    assert visible(cli, taken["ticket"]) == ["Yes."]


@pytest.mark.parametrize("since", ["yesterday", "30", "2026-13-01"])
def test_a_date_that_is_none_is_told(cli: Cli, since: str) -> None:
    done = cli("restrip", "--since", since)
    assert done.status == 2
    assert "write 30d, 12h, 2w or a date" in done.err


def test_a_ticket_that_is_not_there_is_told(cli: Cli) -> None:
    cli.ok("migrate")
    done = cli("restrip", "7")
    assert (done.status, done.err) == (1, "there is no ticket #7\n")


def test_explain_says_what_was_cut_and_by_what(cli: Cli) -> None:
    [taken] = cli.take(mail("one"))
    lines = cli.ok("explain", str(taken["inbound"])).out.splitlines()
    assert "  strip      quote: marked by Yahoo at line 3" in lines
    [shown] = cli.ok("explain", str(taken["inbound"]), "--json").lines
    step = {"step": "strip", "verdict": "quote", "reason": "marked by Yahoo at line 3"}
    assert step in shown["trace"]
    [parsed] = cli("parse", "-", "--json", stdin=mail("one"), config=False).lines
    assert parsed["cuts"] == ["quote: marked by Yahoo at line 3"]
