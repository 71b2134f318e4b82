"""`ticket ...` at the command line: what is shown, what changes, who is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store.database import Database
from tests.shell.cli_rig import Cli, letter

HEAD = [
    "number",
    "subject",
    "status",
    "priority",
    "category",
    "queue",
    "assignee",
    "requester",
    "cc",
    "tags",
    "created",
    "updated",
    "closed",
]
WHOLE = [*HEAD, "resolution", "time_spent", "fields", "links", "messages", "events"]
MESSAGE = ["id", "kind", "from", "date", "message_id", "visible", "text", "attachments"]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch)
    [line] = cli.take(letter("Hello", head=["Cc: luis@example.com"]))
    assert line["ticket"] == 1001
    return cli


def sent(cli: Cli) -> set[tuple[str, str]]:
    """(notice, address) of everything in the outbox."""
    lines = cli.ok("outbox", "list", "--json").lines
    return {(line["kind"], r["address"]) for line in lines for r in line["recipients"]}


def test_list_and_show_have_the_contracts_fields(cli: Cli) -> None:
    [head] = cli.ok("ticket", "list", "--json").lines
    [whole] = cli.ok("--json", "ticket", "show", "1001").lines
    assert [key for key in head if key in HEAD] == HEAD
    assert [key for key in whole if key in WHOLE] == WHOLE
    [message] = whole["messages"]
    assert list(message) == MESSAGE
    assert (message["kind"], message["from"]) == ("customer", "Carmen <carmen@example.com>")
    assert message["visible"].strip() == "My invoice is wrong."
    assert (whole["requester"], whole["cc"]) == ("carmen@example.com", ["luis@example.com"])
    assert [e["kind"] for e in whole["events"]][:2] == ["opened", "message"]


def test_list_filters(cli: Cli) -> None:
    cli.take(letter("Another", sender="peter@example.net"))
    cli.ok("ticket", "set", "1002", "assign=bruno@example.org", "status=open", "queue=sales")

    def numbers(*words: str) -> list[int]:
        return [line["number"] for line in cli.ok("ticket", "list", "--json", *words).lines]

    assert sorted(numbers()) == [1001, 1002]
    assert numbers("--status", "open") == [1002]
    assert numbers("--queue", "support") == [1001]
    assert numbers("--assignee", "bruno@example.org") == [1002]
    assert len(numbers("--limit", "1")) == 1
    assert cli.ok("ticket", "list", "--status", "closed").out == "no tickets\n"


def test_show_for_people_steers_no_terminal(cli: Cli) -> None:
    cli.take(letter("Red", body="\x1b[31mred\x07 and\ttab\r\n", sender="\x1b]0;x <p@example.net>"))
    out = cli.ok("ticket", "show", "1002").out + cli.ok("ticket", "list").out
    assert not any(c for c in out if not c.isprintable() and c not in "\n\t")
    assert "and\ttab" in out


def test_set_tells_everybody_once_and_says_what_changed(cli: Cli) -> None:
    done = cli.ok("ticket", "set", "1001", "status=open", "assign=bruno@example.org", "--json")
    changed = {"status": "open", "assignee": "bruno@example.org", "group": None}
    [line] = done.lines
    assert line["ticket"] == 1001
    assert {k: v for k, v in changed.items() if v} == {
        k: v for k, v in line["changed"].items() if v
    }
    for who in ("carmen@example.com", "luis@example.com"):
        assert ("assignment", who) in sent(cli)
    before = sent(cli)
    again = cli.ok("ticket", "set", "1001", "status=open")
    assert again.out == "#1001 was like that already\n"
    assert sent(cli) == before


def test_several_mistakes_are_told_at_once_and_nothing_changes(cli: Cli) -> None:
    words = ["status=bogus", "nothing", "=x", "priority=nope", "colour=red", "category=wine"]
    done = cli("ticket", "set", "1001", *words, "assign=stranger@example.net", "subject=New")
    assert done.status == 2
    told = done.err.splitlines()
    starts = ["'nothing'", "'=x'", "status: ", "priority: ", "colour: ", "category: ", "assign: "]
    assert [line[: len(start)] for line, start in zip(told, starts, strict=True)] == starts
    [whole] = cli.ok("ticket", "show", "1001", "--json").lines
    assert (whole["subject"], whole["status"]) == ("Hello", "new")


@pytest.mark.parametrize(
    "words", [["show"], ["set", "status=open"], ["close"], ["note", "-m", "x"]]
)
def test_a_ticket_that_is_not_there_is_told(cli: Cli, words: list[str]) -> None:
    done = cli("ticket", words[0], "77", *words[1:])
    assert done.status == 1
    assert done.err.startswith("there is no ticket #77")


def test_reply_goes_to_requester_and_cc_and_waits_for_them(cli: Cli) -> None:
    done = cli("ticket", "reply", "1001", "-m", "Done.")
    assert done.status == 2
    assert (
        done.err == "say in whose name: --as ADDRESS, one of ana@example.org, bruno@example.org\n"
    )
    cli.ok("ticket", "reply", "1001", "--as", "ana@example.org", stdin=b"Done.\n")
    for who in ("carmen@example.com", "luis@example.com"):
        assert ("answer", who) in sent(cli)
    [whole] = cli.ok("ticket", "show", "1001", "--json").lines
    last = whole["messages"][-1]
    assert (last["kind"], last["from"]) == ("agent", "Ana <ana@example.org>")
    assert last["text"].strip() == "Done."
    assert whole["status"] == "waiting"


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("DELETE FROM participants", id="no requester, no CC"),
        pytest.param("UPDATE participants SET muted = true", id="all muted"),
    ],
)
def test_an_answer_that_reaches_nobody_is_refused(cli: Cli, tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn, conn:
        conn.execute("UPDATE tickets SET requester = NULL")
        conn.execute(statement)
    before = cli.ok("ticket", "show", "1001", "--json").out, sent(cli)
    done = cli("ticket", "reply", "1001", "-m", "Done.", "--as", "ana@example.org")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("#1001 has nobody to answer")
    assert "`mailgate ticket note 1001`" in done.err
    assert (cli.ok("ticket", "show", "1001", "--json").out, sent(cli)) == before


def test_an_answer_to_a_paused_address_was_said_to_be_on_its_way(cli: Cli, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with closing(Database("sqlite", tmp_path / "data")) as database, database.transaction() as tx:
        tx.undeliverable.failed("luis@example.com", hard=True, reason="550 gone", now=now)
    done = cli("ticket", "reply", "1001", "-m", "Done.", "--as", "ana@example.org")
    assert done.status == 0
    assert done.err == (
        "not sent to luis@example.com, as mail came back: 550 gone; "
        "`mailgate outbox unpause luis@example.com` lets it pass again\n"
    )
    assert ("answer", "luis@example.com") not in sent(cli)
    assert ("answer", "carmen@example.com") in sent(cli)


def test_a_note_leaves_for_no_customer(cli: Cli) -> None:
    before = {pair for pair in sent(cli) if not pair[1].endswith("@example.org")}
    cli.ok("ticket", "note", "1001", "-m", "She is right.", "--as", "ana@example.org")
    assert {pair for pair in sent(cli) if not pair[1].endswith("@example.org")} == before
    [whole] = cli.ok("ticket", "show", "1001", "--json").lines
    assert whole["messages"][-1]["kind"] == "note"


@pytest.mark.parametrize("verb", ["reply", "note"])
def test_nothing_to_say_and_strangers_are_refused(cli: Cli, verb: str) -> None:
    done = cli("ticket", verb, "1001", "--as", "ana@example.org", stdin=b" \n")
    assert (done.status, done.err[:23]) == (2, "there is nothing to say")
    done = cli("ticket", verb, "1001", "--as", "x@example.net", "-m", "x")
    assert done.status == 2
    assert "x@example.net is no agent; agents are: ana@example.org" in done.err


def test_close_tells_requester_and_cc_and_is_done_once(cli: Cli) -> None:
    first = cli.ok("ticket", "close", "1001", "-m", "Paid back.")
    assert first.out.startswith("#1001 closed: ")
    told = sent(cli)
    assert {("closure", "carmen@example.com"), ("closure", "luis@example.com")} <= told
    [whole] = cli.ok("ticket", "show", "1001", "--json").lines
    assert (whole["status"], whole["resolution"]) == ("closed", "Paid back.")
    assert whole["closed"]
    assert cli.ok("ticket", "close", "1001").out == "#1001 was closed already\n"
    assert sent(cli) == told


def test_show_tells_the_rating_that_a_customer_gave(cli: Cli) -> None:
    cli.ok("ticket", "close", "1001")
    assert "  rating " not in cli.ok("ticket", "show", "1001").out
    [line] = cli.take(letter("Re: [#1001] Hello", body="4\r\n"))
    assert (line["outcome"], line["ticket"]) == ("reply", 1001)
    assert "  rating     4 of 5\n" in cli.ok("ticket", "show", "1001").out
    [whole] = cli.ok("ticket", "show", "1001", "--json").lines
    assert (whole["fields"], whole["status"]) == ({"rating": "4"}, "closed")


# --- words that are no text ----------------------------------------------------------------


def words_that_are_no_text_are_kept_as_far_as_they_are(cli: Cli) -> None:
    """Notes, answers, a resolution and a subject of bytes that no database takes."""
    number = str(cli.ok("ticket", "list", "--json").lines[0]["number"])
    ana = ["--as", "ana@example.org"]
    odd, kept = "caf\udce9 \0 \ud800.", "caf\ufffd \ufffd \ufffd."
    cli.ok("ticket", "reply", number, *ana, stdin=b"caf\xe9 \0.")
    cli.ok("ticket", "note", number, *ana, stdin=b"\xff\xfe\0")
    cli.ok("ticket", "reply", number, *ana, "-m", odd)
    cli.ok("ticket", "note", number, "-m", odd)
    cli.ok("ticket", "set", number, f"subject={odd}")
    cli.ok("ticket", "list", "--status", odd)
    assert cli("explain", odd).status == 1
    cli.ok("ticket", "close", number, "-m", odd)
    [whole] = cli.ok("ticket", "show", number, "--json").lines
    texts = [message["text"].strip() for message in whole["messages"][1:5]]
    assert texts == ["caf\ufffd \ufffd.", "\ufffd" * 3, kept, kept]
    assert (whole["subject"], whole["resolution"]) == (kept, kept)


def test_words_that_are_no_text_do_not_end_in_a_traceback(cli: Cli) -> None:
    words_that_are_no_text_are_kept_as_far_as_they_are(cli)


@pytest.fixture
def on_postgres(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    postgres_database_url: str,
) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch, postgres_database_url)
    cli.config.write_text(cli.config.read_text().replace('["billing", "orders"]', "[]"))
    cli.take(letter())
    return cli


@pytest.mark.peer
def test_words_that_are_no_text_do_not_end_in_a_traceback_on_postgresql(on_postgres: Cli) -> None:
    words_that_are_no_text_are_kept_as_far_as_they_are(on_postgres)


@pytest.mark.peer
def test_a_category_too_long_for_postgresql_is_told(on_postgres: Cli) -> None:
    [head] = on_postgres.ok("ticket", "list", "--json").lines
    number = str(head["number"])
    done = on_postgres("ticket", "set", number, "category=" + "x" * 101, "priority=nope")
    assert done.status == 2
    assert done.err.startswith("category: 101 characters are too long, 100 are the most\npriority")
    on_postgres.ok("ticket", "set", number, "category=" + "x" * 100)
