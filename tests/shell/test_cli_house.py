"""Commands of whoever runs it: init, check, status, migrate, rules, templates, outbox and more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailgate import storm
from mailgate.core.decide import quarantine
from mailgate.core.mail import Envelope, Inbound
from mailgate.intake import commit
from store.database import Database
from tests.shell.cli_rig import Cli, letter

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


def set_aside(folder: Path, *mails: bytes) -> list[int]:
    """Put mails into quarantine, as the worker does after three failures."""
    database = Database("sqlite", folder / "data")
    database.ready()
    given = [
        Inbound(raw=m, source="pipe", source_key=f"k{n}", received=NOW, envelope=Envelope())
        for n, m in enumerate(mails)
    ]
    ids = [inbound for inbound, _new in commit(database, given)]
    with database.transaction() as tx:
        for inbound in ids:
            tx.inbox.settle(inbound, quarantine("3 attempts failed: ValueError"), None, NOW)
    database.close()
    return ids


def test_init_writes_a_configuration_that_checks_unchanged(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    done = cli("init", str(folder), config=False)
    assert done.status == 0
    assert f"mailgate --config {folder}/config.toml check" in done.out
    assert {p.name for p in folder.iterdir()} == {"config.toml", "rules.yaml"}
    checked = cli("check", "--config", str(folder / "config.toml"), config=False)
    assert checked.status == 0, checked.err
    assert "ok: takes mail over SMTP at 127.0.0.1:2525" in checked.out
    again = cli("init", str(folder), config=False)
    assert again.status == 1
    assert again.err.count("is there already") == 2


def test_e1_check_tells_every_mistake_with_its_line(cli: Cli, tmp_path: Path) -> None:
    cli.config.write_text(
        '[helpdesk]\ndomain = "example.org"\nbogus = 1\n'
        '[[mailbox]]\naddress = "nonsense"\n[[smtp]]\nlisten = "nowhere"\n'
    )
    for command in ("check", "serve", "status"):
        done = cli(command)
        assert done.status == 1
        places = [line.split(":")[1] for line in done.err.splitlines()]
        assert places == ["3", "5", "7"], done.err
    assert not (tmp_path / "data").exists()


def test_e1_broken_rules_and_templates_are_found(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - name: x\n    when: {bogus: 1}\n")
    for words in (["check"], ["rules", "check"], ["serve"]):
        done = cli(*words)
        assert done.status == 1
        assert "rules.yaml:3" in done.err
    (tmp_path / "rules.yaml").unlink()
    own = tmp_path / "own" / "mail" / "en"
    own.mkdir(parents=True)
    (own / "closure.txt.j2").write_text("Subject\n\n{{ nothing.there }}\n{% if %}")
    cli.config.write_text(
        cli.config.read_text().replace("[helpdesk]", '[helpdesk]\ntemplates = "own"')
    )
    for words in (["check"], ["templates", "check"]):
        done = cli(*words)
        assert done.status == 1
        assert "closure.txt.j2:4" in done.err


def test_status_tells_what_waits_and_that_mail_is_paused(cli: Cli, tmp_path: Path) -> None:
    assert cli.ok("status").out.startswith("inbox       0 waiting, 0 in quarantine\n")
    cli.take(letter())
    cli.ok("deliver", stdin=letter("Another"))
    set_aside(tmp_path, letter("Third"))
    cli.ok("outbox", "pause")
    [line] = cli.ok("status", "--json").lines
    assert line["inbox"]["waiting"] == 1
    assert line["quarantined"] == 1
    assert line["tickets"] == {"new": 1}
    assert line["outbox"]["waiting"] > 0
    assert line["outbox"]["paused"] is True
    assert [s["name"] for s in line["sources"]] == ["pipe"]
    assert "PAUSED" in cli.ok("status").out
    cli.ok("outbox", "resume")
    assert "PAUSED" not in cli.ok("status").out


def test_status_tells_of_a_storm_while_it_lasts(cli: Cli, tmp_path: Path) -> None:
    assert "storm" not in cli.ok("status").out
    now = datetime.now(UTC).replace(microsecond=0)
    database = Database("sqlite", tmp_path / "data")
    with database.transaction() as tx:
        tx.counting.mark(storm.MARK, now, now + timedelta(hours=1), "too many")
    [line] = cli.ok("status", "--json").lines
    assert line["outbox"]["storm_until"] == (now + timedelta(hours=1)).isoformat()
    assert "storm       automatic mail is paused until" in cli.ok("status").out
    with database.transaction() as tx:
        tx.conn.exec_driver_sql("DELETE FROM marks")
        tx.counting.mark(storm.MARK, now - timedelta(hours=1), now, "too many")
    database.close()
    [line] = cli.ok("status", "--json").lines
    assert line["outbox"]["storm_until"] is None


def test_migrate_makes_the_schema_and_refuses_nothing_twice(cli: Cli) -> None:
    [first], [second] = cli.ok("migrate", "--json").lines, cli.ok("migrate", "--json").lines
    assert first["before"] == ""
    assert first["after"] == second["before"] == second["after"]


def test_a_database_of_another_version_is_refused_with_the_way_out(
    cli: Cli, tmp_path: Path
) -> None:
    cli.ok("status")
    with sqlite3.connect(tmp_path / "data" / "mailgate.db") as conn:
        conn.execute("UPDATE alembic_version SET version_num = '0000'")
    conn.close()
    done = cli("serve")
    assert done.status == 1
    assert "mailgate migrate" in done.err


def test_rules_test_stores_nothing(cli: Cli, tmp_path: Path) -> None:
    rules = "rules:\n  - name: money\n    when: {subject: [invoice]}\n    then: {priority: high}\n"
    (tmp_path / "rules.yaml").write_text(rules)
    (tmp_path / "a.eml").write_bytes(letter("An invoice"))
    assert cli.ok("rules", "check").out == "ok: 1 rules\n"
    out = cli.ok("rules", "test", str(tmp_path / "a.eml")).out
    assert "money" in out
    assert "priority" in out
    [line] = cli.ok("rules", "test", "-", "--json", stdin=letter("Other")).lines
    assert line["verdict"] == "no match"
    assert cli.ok("ledger").out == "no mail was taken yet\n"
    missing = cli("rules", "test", str(tmp_path / "none.eml"))
    assert (missing.status, missing.err.endswith("No such file or directory\n")) == (1, True)


def test_templates_preview(cli: Cli) -> None:
    [line] = cli.ok("templates", "preview", "closure", "--language", "es", "--json").lines
    assert list(line) == ["subject", "text", "html"]
    assert line["text"].startswith("Hola")
    assert cli.ok("templates", "preview", "closure", "--html").out.startswith("<")
    done = cli("templates", "preview", "bogus")
    assert done.status == 2
    assert "confirmation" in done.err


# --- outbox ------------------------------------------------------------------------------


def test_outbox_list_has_the_contracts_fields(cli: Cli) -> None:
    assert cli.ok("outbox", "list").out == "the outbox is empty\n"
    cli.take(letter(head=["Cc: luis@example.com"]))
    lines = cli.ok("outbox", "list", "--json").lines
    assert {line["kind"] for line in lines} >= {"confirmation", "agent-new"}
    for line in lines:
        wanted = ["id", "kind", "ticket", "message_id", "recipients"]
        assert [key for key in line if key in wanted] == wanted
        for one in line["recipients"]:
            wanted = ["address", "state", "attempts", "code", "text"]
            assert [key for key in one if key in wanted] == wanted
        assert line["recipients"][0]["message_id"] == line["message_id"]
        ids = [one["message_id"] for one in line["recipients"]]
        assert len(set(ids)) == len(ids)


def test_outbox_show_cancel_retry(cli: Cli) -> None:
    cli.take(letter())
    line = next(x for x in cli.ok("outbox", "list", "--json").lines if x["kind"] == "confirmation")
    number = str(line["id"])
    assert f"Message-ID: {line['message_id']}" in cli.ok("outbox", "show", number).out
    [shown] = cli.ok("outbox", "show", number, "--json").lines
    assert shown["raw"].count("\r\n") > 5
    assert cli("outbox", "show", "999").err == "there is no outbox mail 999\n"

    def state() -> str:
        lines = cli.ok("outbox", "list", "--json").lines
        return next(str(x["recipients"][0]["state"]) for x in lines if x["id"] == line["id"])

    assert cli.ok("outbox", "cancel", number).out == "1 copy cancelled\n"
    assert state() == "cancelled"
    assert cli.ok("outbox", "cancel", number).out == "0 copies cancelled\n"
    assert cli.ok("outbox", "retry", number).out == "0 copies due\n"
    assert state() == "cancelled"
    assert cli.ok("outbox", "retry", "--all", "--json").lines == [{"due": 2}]
    for words in (["cancel"], ["retry"]):
        done = cli("outbox", *words)
        assert done.status == 2
        assert "name the ids" in done.err


def test_retry_all_takes_more_than_the_newest_hundred(cli: Cli, tmp_path: Path) -> None:
    cli.take(letter())
    database = Database("sqlite", tmp_path / "data")
    with database.transaction() as tx:
        tx.conn.exec_driver_sql("DELETE FROM outbox_recipients")
        tx.conn.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 249)"
            " INSERT INTO outbox (id, ticket, notice, message_id, automatic, digest, created)"
            " SELECT i, ticket, notice, i, automatic, digest, created FROM n, outbox WHERE id = 1"
        )
        tx.conn.exec_driver_sql(
            "INSERT INTO outbox_recipients (outbox, address, head, state, queued, changed)"
            " SELECT id, 'a@example.com', x'', 'failed', created, created FROM outbox"
            " WHERE id >= 100"
        )
    database.close()
    assert cli.ok("outbox", "retry", "--all").out == "150 copies due\n"
    assert cli.ok("status", "--json").lines[0]["outbox"]["failed"] == 0


# --- quarantine --------------------------------------------------------------------------


def test_quarantine_list_and_show(cli: Cli, tmp_path: Path) -> None:
    assert cli.ok("quarantine", "list").out == "nothing is in quarantine\n"
    [inbound] = set_aside(tmp_path, letter("Odd"))
    [line] = cli.ok("quarantine", "list", "--json").lines
    assert (line["inbound"], line["reason"]) == (inbound, "3 attempts failed: ValueError")
    assert "3 attempts failed" in cli.ok("quarantine", "list").out
    shown = cli.ok("quarantine", "show", str(inbound)).out
    assert shown == letter("Odd").decode()
    assert cli("quarantine", "show", "99").err == "mail 99 is not in quarantine\n"


def test_the_list_of_the_quarantine_is_whole(cli: Cli, tmp_path: Path) -> None:
    set_aside(tmp_path, letter("Odd"))
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn, conn:
        columns = [row[1] for row in conn.execute("PRAGMA table_info(inbox)") if row[1] != "id"]
        picked = ["i" if name == "source_key" else name for name in columns]
        into, chosen = ", ".join(columns), ", ".join(picked)
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
        source = f"SELECT {chosen} FROM n, inbox WHERE id = 1"  # noqa: S608
        conn.execute(f"{many} INSERT INTO inbox ({into}) {source}")
    assert len(cli.ok("quarantine", "list", "--json").lines) == 1101


def test_a_released_mail_is_decided_again(cli: Cli, tmp_path: Path) -> None:
    [inbound] = set_aside(tmp_path, letter("Odd"))
    assert cli.ok("quarantine", "release", str(inbound), "--json").lines == [
        {"released": [inbound]}
    ]
    [line] = cli.ok("explain", str(inbound), "--json").lines
    assert line["outcome"] is None
    [again] = cli.take(letter("Odd"))
    assert again["outcome"] is not None


def test_a_dropped_mail_is_ignored_with_its_bytes_kept(cli: Cli, tmp_path: Path) -> None:
    first, second = set_aside(tmp_path, letter("Odd"), letter("Strange"))
    done = cli.ok("quarantine", "drop", str(first), str(second), str(first))
    assert done.out == f"dropped: {first}, {second}\n"
    [line] = cli.ok("explain", str(first), "--json").lines
    assert (line["outcome"], line["reason"]) == ("ignored", "dropped by an operator")
    assert line["trace"][-1]["step"] == "operator"
    assert "Subject: Odd" in cli.ok("raw", str(first)).out
    assert cli.ok("quarantine", "list").out == "nothing is in quarantine\n"
    cli.ok("ledger", "--check")
    with sqlite3.connect(tmp_path / "data" / "mailgate.db") as conn:
        events = conn.execute("SELECT kind, actor, inbox FROM events").fetchall()
    conn.close()
    assert events == [("dropped", "command line", first), ("dropped", "command line", second)]


@pytest.mark.parametrize("verb", ["release", "drop"])
def test_all_strangers_among_the_ids_are_named_and_nothing_happens(
    cli: Cli, tmp_path: Path, verb: str
) -> None:
    [inbound] = set_aside(tmp_path, letter("Odd"))
    cli.take(letter())
    done = cli("quarantine", verb, str(inbound), "2", "77")
    assert done.status == 1
    assert done.err.startswith("not in quarantine: 2, 77; nothing was ")
    assert [x["inbound"] for x in cli.ok("quarantine", "list", "--json").lines] == [inbound]


def test_who_is_blocked_can_write_again(cli: Cli, tmp_path: Path) -> None:
    assert cli.ok("quarantine", "blocked").out == "nobody is blocked\n"
    database = Database("sqlite", tmp_path / "data")
    with database.transaction() as tx:
        tx.duty.block("Anna@Example.org", "ana@example.com", NOW)
    database.close()
    [line] = cli.ok("quarantine", "blocked", "--json").lines
    assert (line["address"], line["by"]) == ("anna@example.org", "ana@example.com")
    assert "anna@example.org" in cli.ok("quarantine", "blocked").out
    done = cli.ok("quarantine", "unblock", "ANNA@example.org")
    assert done.out == "ANNA@example.org may write again\n"
    again = cli("quarantine", "unblock", "anna@example.org")
    assert (again.status, again.err) == (
        1,
        "anna@example.org is not blocked; `mailgate quarantine blocked` shows who is\n",
    )
    with sqlite3.connect(tmp_path / "data" / "mailgate.db") as conn:
        events = conn.execute("SELECT kind, actor FROM events").fetchall()
    conn.close()
    assert events == [("unblocked", "command line")]
