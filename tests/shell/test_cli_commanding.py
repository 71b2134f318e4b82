"""`mailgate ticket do`: the commands of agents' mail, at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell.cli_rig import Cli, letter
from tests.shell.test_cli_tickets import sent


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch)
    cli.take(letter("Hello"))
    cli.take(letter("Paper", sender="peter@example.net"))
    return cli


def test_it_does_what_the_mail_would_do(cli: Cli) -> None:
    done = cli.ok(
        *("ticket", "do", "1001", "#take", "tag printer", "#time 15m", "#set serial A-113"),
        *("#resolution new ink", "#link 1002", "#due 2099-01-02 10:00", "--as", "ana@example.org"),
    )
    assert done.out.splitlines()[:2] == ["#take: assigned to Ana", "#tag printer: tagged printer"]
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert (whole["assignee"], whole["tags"]) == ("ana@example.org", ["printer"])
    assert (whole["time_spent"], whole["fields"]) == (15, {"serial": "A-113"})
    assert whole["resolution"] == "new ink"
    assert whole["links"] == [{"number": 1002, "why": "linked-by-agent"}]
    assert whole["due"] == "2099-01-02T10:00:00+00:00"
    assert "inverse" not in str(whole["events"])
    people = cli.ok("ticket", "show", "1001").out
    assert "time spent 15 minutes" in people
    assert "serial     A-113" in people
    assert "resolution new ink" in people
    assert "due        2099-01-02T10:00:00+00:00" in people
    assert "linked     #1002 (linked-by-agent)" in people
    assert "inverse" not in people
    assert ("assignment", "carmen@example.com") in sent(cli)


def test_a_note_stays_inside_C6(cli: Cli) -> None:
    before = sent(cli)
    cli.ok("ticket", "do", "1001", "#note she pays late")
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert [(m["kind"], m["visible"]) for m in whole["messages"]][1:] == [("note", "she pays late")]
    assert sent(cli) == before


def test_words_aside_come_from_stdin_and_reach_no_customer(cli: Cli) -> None:
    before = sent(cli)
    ask = ("ticket", "do", "1001", "#side sam@supplier.example", "#priority high")
    done = cli.ok(*ask, "--as", "ana@example.org", stdin=b"Have you got ink?\n")
    assert "Your words go aside to sam@supplier.example" in done.out
    assert [pair for pair in sent(cli) if pair not in before] == [("side", "sam@supplier.example")]
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    said = whole["messages"][-1]
    assert (said["kind"], said["visible"].strip()) == ("note", "Have you got ink?")
    assert said["aside"] == ["sam@supplier.example"]
    assert "aside" not in whole["messages"][0]
    people = cli.ok("ticket", "show", "1001").out
    assert "note  Ana <ana@example.org>  aside to sam@supplier.example" in people


def test_words_aside_are_asked_for(cli: Cli) -> None:
    done = cli("ticket", "do", "1001", "#side sam@supplier.example")
    assert done.status == 2
    assert "there are no words below it" in done.err


def test_the_command_line_may_widen_and_undo_what_it_did(cli: Cli) -> None:
    config = cli.config.read_text(encoding="utf-8")
    cli.config.write_text(f"{config}\n[agents]\nundo_seconds = 600\n", encoding="utf-8")
    cli.ok("ticket", "do", "1001", "#cc luis@example.com", "#requester rosa@example.com", "#close")
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert (whole["requester"], whole["cc"]) == ("rosa@example.com", ["luis@example.com"])
    assert whole["status"] == "closed"
    cli.ok("ticket", "do", "1001", "#undo")
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert (whole["requester"], whole["cc"]) == ("carmen@example.com", [])
    assert whole["status"] == "new"
    assert cli("ticket", "do", "1001", "#undo").status == 2


def test_two_tickets_become_one(cli: Cli) -> None:
    assert cli.ok("--json", "ticket", "do", "1002", "merge 1001").lines == [
        {"ticket": 1002, "transcript": ["#merge 1001: #1002 lives on in #1001"]}
    ]
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert [m["from"] for m in whole["messages"]] == [
        "Carmen <carmen@example.com>",
        "peter@example.net",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            ("reply", "1002", "-m", "Done.", "--as", "ana@example.org"), "answered", id="reply"
        ),
        pytest.param(("note", "1002", "-m", "She pays late."), "noted", id="note"),
        pytest.param(("set", "1002", "priority=high"), "changed", id="set"),
        pytest.param(("close", "1002"), "closed", id="close"),
        pytest.param(("do", "1002", "#tag ink"), "tagged ink", id="do"),
    ],
)
def test_what_is_done_to_a_merged_ticket_is_done_where_it_lives_on(
    cli: Cli, words: tuple[str, ...], said: str
) -> None:
    cli.ok("ticket", "merge", "1002", "1001")
    [before] = cli.ok("--json", "ticket", "show", "1002").lines
    assert (before["merged_into"], before["status"]) == (1001, "closed")
    done = cli.ok("ticket", *words)
    assert said in done.out
    assert "#1002 lives on in #1001" in done.err
    assert cli.ok("--json", "ticket", "show", "1002").lines == [before]
    [alive] = cli.ok("--json", "ticket", "show", "1001").lines
    assert (alive["merged_into"], alive["messages"] != [] or alive["tags"]) == (None, True)
    assert len(alive["events"]) > 4


@pytest.mark.parametrize("word", ["#link 1002", "#show 1002", "#merge 1002"])
def test_a_merged_ticket_that_is_named_is_the_one_it_lives_on_in(cli: Cli, word: str) -> None:
    cli.take(letter("Ink"))
    cli.ok("ticket", "merge", "1002", "1001")
    done = cli.ok("ticket", "do", "1003", word, "--json").lines[0]
    name = word.partition(" ")[0]
    said = {
        "#link": "#link 1002: linked with #1001",
        "#show": "#show 1002: below",
        "#merge": "#merge 1002: #1003 lives on in #1001",
    }
    assert done["transcript"][0] == said[name]
    if name == "#show":
        assert done["transcript"][1].startswith("Ticket #1001: Hello")
    assert cli("ticket", "do", "1001", word).status == (0 if name == "#show" else 2)


def test_all_mistakes_at_once_and_nothing_done(cli: Cli) -> None:
    done = cli("ticket", "do", "1001", "#clsoe", "#priority hihg", "#tag printer")
    assert done.status == 2
    assert "Did you mean `#close [RESOLUTION]`?" in done.err
    assert "Did you mean `#priority high`?" in done.err
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert (whole["tags"], whole["priority"]) == ([], "normal")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["#take"], "say in whose name"),
        (["#send"], "nothing to send"),
        (["#mine"], "lists are for mail"),
        (["#side carmen@example.com"], "carmen@example.com is on the ticket"),
        (["#merge 4711"], "there is no ticket #4711"),
        (["#assign eve", "--as", "eve@example.org"], "is no agent"),
    ],
)
def test_what_it_cannot_do_it_says(cli: Cli, words: list[str], said: str) -> None:
    done = cli("ticket", "do", "1001", *words)
    assert done.status == 2
    assert said in done.err


def test_help_and_show_are_printed(cli: Cli) -> None:
    assert "#snooze WHEN\n" in cli.ok("ticket", "do", "1001", "#help").out
    shown = cli.ok("ticket", "do", "1001", "#show 1002").out
    assert "Ticket #1002: Paper" in shown
    assert "My invoice is wrong." in shown
