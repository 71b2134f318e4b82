"""`mailgate ticket split`: a message of a customer becomes a ticket, at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell.cli_rig import Cli, letter


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch)
    cli.take(letter("Printer"))
    cli.take(letter("Re: [#1001] Printer", body="And the scanner."))
    return cli


def test_it_becomes_a_ticket(cli: Cli) -> None:
    assert cli.ok(
        "--json", "ticket", "split", "1001", "2", "--subject", "The scanner", "--as",
        "ana@example.org",
    ).lines == [{"ticket": 1001, "message": 2, "into": 1002}]  # fmt: skip
    [old] = cli.ok("--json", "ticket", "show", "1001").lines
    [new] = cli.ok("--json", "ticket", "show", "1002").lines
    assert [m["id"] for m in old["messages"]] == [1]
    assert [m["id"] for m in new["messages"]] == [2]
    assert (new["subject"], new["requester"]) == ("The scanner", "carmen@example.com")
    assert old["links"] == [{"number": 1002, "why": "split-off"}]
    assert new["links"] == [{"number": 1001, "why": "split-from"}]
    [gone] = [e for e in old["events"] if e["kind"] == "split"]
    assert (gone["message"], gone["into"], gone["actor"]) == (2, 1002, "ana@example.org")
    [came] = [e for e in new["events"] if e["kind"] == "split-from"]
    assert (came["message"], came["other"]) == (2, 1001)
    told = cli.ok("--json", "outbox", "list", "--ticket", "1002").lines
    assert {(mail["kind"], p["address"]) for mail in told for p in mail["recipients"]} == {
        ("confirmation", "carmen@example.com"),
        ("agent-new", "ana@example.org"),
        ("agent-new", "bruno@example.org"),
    }
    cli.ok("ledger", "--check")


def test_explain_says_where_the_mail_is_now(cli: Cli) -> None:
    assert "now on" not in cli.ok("explain", "2").out
    assert cli.ok("ticket", "split", "1001", "2").out == "message 2 of #1001 is #1002 now\n"
    assert "  now on     #1002, as message 2" in cli.ok("explain", "2").out
    [line] = cli.ok("--json", "explain", "2").lines
    assert line["ticket"] == 1001
    assert line["messages"] == [{"id": 2, "ticket": 1002}]
    assert "(message 2)" in cli.ok("ticket", "show", "1002").out


def test_the_command_does_the_same(cli: Cli) -> None:
    done = cli.ok("ticket", "do", "1001", "#split 2 The scanner", "#tag scanner", "#note She pays.")
    assert done.out.splitlines() == [
        "#split 2 The scanner: message 2, from carmen@example.com, leaves #1001",
        "#tag scanner: tagged scanner",
        "it is #1002 now",
    ]
    [new] = cli.ok("--json", "ticket", "show", "1002").lines
    assert [(m["kind"], m["visible"]) for m in new["messages"]] == [
        ("customer", "And the scanner."),
        ("note", "She pays."),
    ]
    assert new["tags"] == ["scanner"]
    shown = cli.ok("ticket", "do", "1001", "#show").out
    assert "split off: message 2 became #1002" in shown


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("1001", "4711"), 2, "there is no message 4711 on this ticket"),
        (("4711", "1"), 1, "there is no ticket #4711"),
        (("1001", "x"), 2, "x"),
        (("1001", "1", "--as", "eve@x.example"), 2, "is no agent"),
    ],
)
def test_refused(cli: Cli, words: tuple[str, ...], status: int, why: str) -> None:
    done = cli("ticket", "split", *words)
    assert done.status == status
    assert why in done.err


def test_the_last_message_stays(cli: Cli) -> None:
    cli.ok("ticket", "split", "1001", "1")
    done = cli("ticket", "split", "1001", "2")
    assert done.status == 2
    assert "nothing would be left on #1001" in done.err
    done = cli("ticket", "split", "1001", "1")
    assert "message 1 is on #1002" in done.err


def test_bytes_that_are_missing_are_said_to_be(cli: Cli) -> None:
    big = letter("Re: [#1001] Printer", body="scan " * 20_000)
    cli.take(big)
    for file in (cli.folder / "data" / "blobs").rglob("*"):
        if file.is_file():
            file.unlink()
    done = cli("ticket", "split", "1001", "3")
    assert done.status == 2
    assert "the bytes of message 3 cannot be read" in done.err
