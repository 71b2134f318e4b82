"""An upgrade of a database in use: what was there stays, wherever it is cut short."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, inspect, text

from mailgate.core.decision import Keys, SentMail
from mailgate.core.mail import Address
from store.database import Database, WrongSchema
from store.migrations import HEAD
from store.migrations.run import settings
from store.schema import metadata
from tests.store.samples import MINUTE, NOW, opening
from tests.store.test_migrations import declared

ANNA, BERT = "anna@example.org", "bert@example.org"
_AT = "2026-03-29 00:30:00.000000"
_T = f"'{_AT}+00:00'"
_DIGEST = sha256(b"abcd").hexdigest()
_TICKET = (
    "INSERT INTO tickets (number, subject, status, priority, queue, requester, source, created,"
    " updated) VALUES ({0}, 'Old {0}', 'open', 'normal', 'support', 1, 'smtp', {1}, {1})"
)
_MAIL = (
    "INSERT INTO outbox (id, ticket, notice, message_id, mail_from, automatic, inbox, digest,"
    " created) VALUES ({0}, 1001, 'confirmation', '<{0}@mailgate.test>', '{1}', true, 1,"
    " '{2}', {3})"
)
_COPY = (
    "INSERT INTO outbox_recipients (id, outbox, address, role, head, due, queued, changed)"
    " VALUES ({0}, {1}, '{2}', 'requester', {3}, {4}, {4}, {4})"
)
_ROWS = (
    "INSERT INTO blobs (digest, size, data, created) VALUES ('{digest}', 4, {bytes}, {at})",
    "INSERT INTO people (address, name, language, created) VALUES ('{anna}', 'Anna', 'es', {at})",
    "INSERT INTO inbox (source, source_key, digest, fingerprint, rcpt_tos, received, live, due)"
    " VALUES ('smtp', 'k', '{digest}', 'f', '[]', {at}, true, {at})",
    "INSERT INTO participants (ticket, person, role, added) VALUES (1001, 1, 'requester', {at})",
    "INSERT INTO tags (ticket, tag) VALUES (1001, 'vip')",
    "INSERT INTO mail_ids (message_id, ticket, referenced_only) VALUES ('<a@x>', 1001, false)",
    "INSERT INTO events (ticket, outbox, at, kind) VALUES (1001, 1, {at}, 'sent')",
)


def _statements(database: Database) -> list[str]:
    sqlite = database.sqlite
    at, octets = (f"'{_AT}'", "x'61626364'") if sqlite else (_T, "'abcd'::bytea")
    values = {"digest": _DIGEST, "anna": ANNA, "at": at, "bytes": octets}
    people, inbox, rest = _ROWS[:2], _ROWS[2:3], _ROWS[3:]
    return [
        *(row.format(**values) for row in people),
        *(_TICKET.format(number, at) for number in (1001, 1002, 1003)),
        *(row.format(**values) for row in inbox),
        _MAIL.format(1, "help@example.com", _DIGEST, at),
        _MAIL.format(2, "", _DIGEST, at),
        _COPY.format(1, 1, ANNA, octets, at),
        _COPY.format(2, 1, BERT, octets, at),
        _COPY.format(3, 2, ANNA, octets, at),
        *(row.format(**values) for row in rest),
        "DELETE FROM tickets WHERE number = 1003",
    ]


@pytest.fixture
def old(empty_database: Database) -> Database:
    """A database of the first schema with rows in it."""
    command.upgrade(settings(empty_database.engine), "0001")
    with empty_database.transaction() as tx:
        for statement in _statements(empty_database):
            tx.conn.exec_driver_sql(statement)
        if not empty_database.sqlite:
            for table, column in (("tickets", "number"), ("outbox", "id")):
                tx.conn.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), 1003)"
                )
    return empty_database


def _contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    found = {}
    with database.reading() as tx:
        for name in inspect(tx.conn).get_table_names():
            rows = tx.conn.execute(text(f"SELECT * FROM {name}"))  # noqa: S608
            found[name] = sorted((tuple(row) for row in rows), key=str)
    return found


def test_a_database_of_the_first_schema_is_refused_until_it_is_migrated(old: Database) -> None:
    with pytest.raises(WrongSchema, match="run `mailgate migrate`"):
        old.ready()
    assert old.version() == "0001"


def test_an_upgraded_database_is_what_the_schema_declares(old: Database) -> None:
    old.migrate()
    assert old.version() == HEAD
    with old.engine.connect() as conn:
        options: dict[str, Any] = {"compare_type": True, "include_name": declared}
        options["compare_server_default"] = not old.sqlite
        assert compare_metadata(MigrationContext.configure(conn, opts=options), metadata) == []


def test_an_upgrade_keeps_every_row(old: Database) -> None:
    before = _contents(old)
    old.migrate()
    after = _contents(old)
    assert {name: len(rows) for name, rows in after.items() if name in before} == {
        name: len(rows) for name, rows in before.items()
    }
    wider = {"people", "tickets", "inbox", "outbox_recipients"}
    for name in set(before) - {"alembic_version", *wider}:
        assert after[name] == before[name], name
    with old.transaction() as tx:
        row = tx.tickets.get(1001)
        assert row is not None
        assert (row.view.subject, row.view.requester, row.view.tags) == ("Old 1001", ANNA, ("vip",))
        assert row.merged_into is None
        # A number that was given is not given again.
        assert tx.tickets.open(opening(Address(addr=ANNA)), NOW) == 1004


def test_an_upgrade_gives_each_copy_what_it_was_sent_with(old: Database) -> None:
    old.migrate()
    with old.transaction() as tx:
        first, second = tx.outbox.list()
        assert [(r.message_id, r.mail_from) for r in first.recipients] == [
            ("<1@mailgate.test>", "help@example.com")
        ] * 2
        assert [(r.message_id, r.mail_from) for r in second.recipients] == [
            ("<2@mailgate.test>", "")
        ]
        claimed = tx.outbox.claim_due(NOW, 10, MINUTE)
        assert [(c.address, c.message_id, c.mail_from) for c in claimed] == [
            (ANNA, "<1@mailgate.test>", "help@example.com"),
            (BERT, "<1@mailgate.test>", "help@example.com"),
            (ANNA, "<2@mailgate.test>", ""),
        ]
        facts = tx.facts.gather(Keys(ids=("<1@mailgate.test>", "<2@mailgate.test>")))
        assert facts.sent == {
            f"<{n}@mailgate.test>": SentMail(
                outbox=n,
                ticket=1001,
                notice="confirmation",
                recipients=people,
                created=NOW,
                inbox=1,
            )
            for n, people in ((1, (ANNA, BERT)), (2, (ANNA,)))
        }


def test_references_are_guarded_again_after_an_upgrade(old: Database) -> None:
    old.migrate()
    with old.transaction() as tx:
        if old.sqlite:
            assert tx.conn.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert tx.conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    foreign = {
        key["referred_table"] for key in inspect(old.engine).get_foreign_keys("outbox_recipients")
    }
    assert foreign == {"outbox"}


_CHANGES = ("CREATE", "ALTER", "INSERT", "UPDATE", "DROP", "DELETE")


def _cut_short(database: Database, cut: int) -> bool:
    """Migrate until the `cut`-th change; False when there were not so many."""
    count = 0

    def die(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal count
        count += statement.lstrip().startswith(_CHANGES)
        if count >= cut:  # who is dead does not tidy up
            raise InterruptedError("power cut")

    event.listen(database.engine, "before_cursor_execute", die)
    try:
        database.migrate()
    except InterruptedError:
        return True
    finally:
        event.remove(database.engine, "before_cursor_execute", die)
    return False


def test_an_upgrade_that_is_cut_short_anywhere_leaves_the_old_database(old: Database) -> None:
    before = _contents(old)
    cut = 1
    while _cut_short(old, cut):
        assert old.version() == "0001", cut
        assert _contents(old) == before, cut
        cut += 1
    assert cut > 20
    assert old.version() == HEAD
    with old.reading() as tx:
        assert len(tx.outbox.list()) == 2


_KILLED = """
import os, signal, sys
from pathlib import Path
from store.database import Database
left = [int(sys.argv[3])]
def step(name):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
Database(sys.argv[1], Path(sys.argv[2]), step=step).migrate()
"""


def test_an_upgrade_that_is_killed_at_its_end_can_run_again(old: Database, tmp_path: Path) -> None:
    before = _contents(old)
    old.close()
    command = [sys.executable, "-c", _KILLED, old.url, str(tmp_path / "data"), "1"]
    assert subprocess.run(command, check=False, timeout=60).returncode == -9
    assert old.version() == "0001"
    assert _contents(old) == before
    old.migrate()
    assert old.version() == HEAD


def test_an_upgrade_makes_what_was_written_before_findable(old: Database) -> None:
    at = f"'{_AT}'" if old.sqlite else _T
    with old.transaction() as tx:
        tx.conn.exec_driver_sql(
            "INSERT INTO messages (ticket, inbox, kind, subject, at, visible)"  # noqa: S608
            f" VALUES (1001, 1, 'customer', 'Fire', {at}, 'The printer smokes')"
        )
    old.migrate()
    with old.reading() as tx:
        assert [hit.ticket for hit in tx.search.find(["smokes", "fire"], least=2)] == [1001]
