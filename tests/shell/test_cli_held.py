"""`held ...` and `ticket merge` at the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from store.database import Database
from tests.shell.cli_rig import Cli, letter

TOKENLESS = [
    "held",
    "ticket",
    "inbound",
    "from",
    "asked",
    "why",
    "state",
    "created",
    "expires",
]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch)
    [line] = cli.take(letter("Hello", head=["Cc: luis@example.com"]))
    assert line["ticket"] == 1001
    return cli


def taken_off(folder: Path, address: str, number: int = 1001) -> None:
    """Take somebody off the ticket: what they write is held from now on."""
    database = Database("sqlite", folder / "data")
    with database.transaction() as tx:
        assert tx.tickets.remove_participant(number, address)
    database.close()


@pytest.fixture
def held(cli: Cli, tmp_path: Path) -> dict[str, Any]:
    """A mail of somebody who was taken off the ticket."""
    taken_off(tmp_path, "luis@example.com")
    mail = letter("[#1001] Again", sender="Luis <luis@example.com>", body="Me \x1b[31mtoo.\r\n")
    [line] = cli.take(mail)
    assert (line["outcome"], line["ticket"]) == ("held", 1001)
    [row] = cli.ok("held", "list", "--json").lines
    return row


def kinds(cli: Cli, number: int = 1001) -> list[str]:
    [whole] = cli.ok("ticket", "show", str(number), "--json").lines
    return [message["kind"] for message in whole["messages"]]


def told(cli: Cli, kind: str) -> set[str]:
    lines = cli.ok("outbox", "list", "--json").lines
    return {r["address"] for line in lines if line["kind"] == kind for r in line["recipients"]}


def test_list_and_show_say_who_why_and_until_when(cli: Cli, held: dict[str, Any]) -> None:
    assert list(held) == TOKENLESS
    assert (held["from"], held["asked"], held["state"]) == ("luis@example.com", "agents", "waiting")
    days = datetime.fromisoformat(held["expires"]) - datetime.fromisoformat(held["created"])
    assert days == timedelta(days=14)
    table = cli.ok("held", "list").out
    assert "#1001" in table
    assert "luis@example.com" in table
    out = cli.ok("held", "show", str(held["held"])).out
    assert "too." in out
    assert "\x1b" not in out
    [whole] = cli.ok("held", "show", str(held["held"]), "--json").lines
    assert whole["message"]["kind"] == "held"
    assert "Me" in whole["message"]["text"]


def test_a_released_mail_takes_effect_once(cli: Cli, held: dict[str, Any]) -> None:
    assert kinds(cli) == ["customer", "held"]
    assert "carmen@example.com" not in told(cli, "copy")
    done = cli.ok("held", "release", str(held["held"]))
    assert done.out == f"held mail {held['held']} has taken effect on #1001\n"
    assert kinds(cli) == ["customer", "customer"]
    assert "carmen@example.com" in told(cli, "copy")
    again = cli("held", "release", str(held["held"]))
    assert (again.status, again.err) == (1, f"held mail {held['held']} is released already\n")
    assert kinds(cli) == ["customer", "customer"]
    assert cli.ok("held", "list").out == "nothing is held\n"
    [row] = cli.ok("held", "list", "--all", "--json").lines
    assert row["state"] == "released"


def test_a_dropped_mail_never_takes_effect_and_stays(cli: Cli, held: dict[str, Any]) -> None:
    which = str(held["held"])
    done = cli.ok("held", "drop", which, "--reason", "not him")
    assert done.out == f"held mail {which} on #1001 is dropped; nothing is sent\n"
    for verb in ("drop", "release"):
        again = cli("held", verb, which)
        assert (again.status, again.err) == (1, f"held mail {which} is dropped already\n")
    assert kinds(cli) == ["customer", "held"]
    [whole] = cli.ok("ticket", "show", "1001", "--json").lines
    [event] = [e for e in whole["events"] if e["kind"] == "dropped"]
    assert (event["actor"], event["reason"]) == ("command line", "not him")
    assert told(cli, "copy") == set()


def test_what_is_too_late_is_not_released(cli: Cli, held: dict[str, Any], tmp_path: Path) -> None:
    database = Database("sqlite", tmp_path / "data")
    past = datetime.now(UTC) - timedelta(days=1)
    with database.transaction() as tx:
        tx.conn.exec_driver_sql(
            "UPDATE held SET expires = ?", (past.replace(tzinfo=None).isoformat(" "),)
        )
    database.close()
    assert "too late" in cli.ok("held", "list").out
    done = cli("held", "release", str(held["held"]))
    assert done.status == 1
    assert done.err.startswith(f"held mail {held['held']} could be released until ")
    assert f"`mailgate raw {held['inbound']}`" in done.err
    assert kinds(cli) == ["customer", "held"]


@pytest.mark.parametrize("verb", ["show", "release", "drop"])
def test_a_held_mail_that_is_not_there_is_told(cli: Cli, verb: str) -> None:
    done = cli("held", verb, "77")
    assert done.status == 1
    assert done.err.startswith("there is no held mail 77")


# --- merging -------------------------------------------------------------------------------


def test_a_merged_ticket_lives_on_with_its_messages_and_answers_arrive_there(cli: Cli) -> None:
    cli.take(letter("Second", sender="peter@example.net"))
    done = cli.ok("ticket", "merge", "1002", "1001", "--as", "ana@example.org")
    assert done.out == "#1002 lives on in #1001\n"
    assert kinds(cli) == ["customer", "customer"]
    assert kinds(cli, 1002) == []
    [old] = cli.ok("ticket", "show", "1002", "--json").lines
    [new] = cli.ok("ticket", "show", "1001", "--json").lines
    assert old["status"] == "closed"
    for whole, data in ((old, {"into": 1001}), (new, {"other": 1002})):
        [event] = [e for e in whole["events"] if e["kind"] == "merged"]
        assert event["actor"] == "ana@example.org"
        assert data.items() <= event.items()
    assert {"number": 1001, "why": "merged"} in old["links"]
    assert new["cc"] == ["luis@example.com"]
    [line] = cli.take(letter("[#1002] More", body="More.\r\n"))
    assert (line["outcome"], line["ticket"]) == ("reply", 1001)


def test_what_cannot_be_merged_is_told_and_nothing_changes(cli: Cli) -> None:
    cli.take(letter("Second", sender="peter@example.net"), letter("Third"))
    cli.ok("ticket", "merge", "1002", "1001")
    for words in (
        ("1001", "1001"),
        ("1001", "1002"),
        ("1002", "1003"),
        ("1003", "77"),
        ("77", "1"),
    ):
        done = cli("ticket", "merge", *words)
        assert (done.status, done.out) == (1, ""), words
        assert "ticket" in done.err
    cli.ok("ticket", "merge", "1003", "1002")  # as good as: into the one it lives on in
    assert kinds(cli) == ["customer"] * 3
