"""Schema history: what migrations build is what the code declares, whoever runs them and when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint

from store.database import Database, WrongSchema
from store.migrations import HEAD
from store.migrations.run import settings
from store.schema import metadata
from store.search import INDEX
from tests.store.samples import ticket


def test_the_code_was_written_for_the_newest_revision(sqlite_database: Database) -> None:
    scripts = ScriptDirectory.from_config(settings(sqlite_database.engine))
    assert scripts.get_heads() == [HEAD]
    assert sqlite_database.version() == HEAD


def test_migrations_build_what_the_schema_declares(database: Database) -> None:
    with database.engine.connect() as conn:
        # Reflected from SQLite, the default '' never looks like itself.
        options: dict[str, Any] = {"compare_type": True, "include_name": declared}
        options["compare_server_default"] = not database.sqlite
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, metadata) == []


def declared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is one of the schema's; the index of words is the database's own."""
    return kind != "table" or not str(name).startswith(INDEX)


def test_constraints_have_the_names_the_schema_declares(database: Database) -> None:
    found = inspect(database.engine)
    for table in metadata.tables.values():
        checks = {c["name"] for c in found.get_check_constraints(table.name)}
        uniques = {c["name"] for c in found.get_unique_constraints(table.name)}
        foreign = {_name(table.name, c) for c in found.get_foreign_keys(table.name)}
        declared = {str(c.name) for c in table.constraints if c.name}
        primary = {f"pk_{table.name}"}
        assert checks | uniques | foreign | primary == declared | primary, table.name


def _name(table: str, key: ReflectedForeignKeyConstraint) -> str | None:
    """A reference that was added to a table of SQLite has a name, but is not shown with it."""
    return key["name"] or f"fk_{table}_{'_'.join(key['constrained_columns'])}"


def test_an_empty_database_is_made_ready(empty_database: Database) -> None:
    assert empty_database.version() == ""
    empty_database.ready()
    assert empty_database.version() == HEAD
    assert ticket(empty_database) == 1001


def test_making_ready_twice_changes_nothing(database: Database) -> None:
    number = ticket(database)
    database.ready()
    database.migrate()
    with database.reading() as tx:
        assert tx.tickets.get(number) is not None


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        pytest.param("0000", "stop all nodes, take a backup, run `mailgate migrate`", id="older"),
        pytest.param("9999", "install the newer mailgate again", id="newer"),
    ],
)
def test_another_version_is_refused(empty_database: Database, version: str, way_out: str) -> None:
    database = empty_database
    database.migrate()
    with database.transaction() as tx:
        tx.conn.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    with pytest.raises(WrongSchema, match=way_out):
        database.ready()
    assert database.version() == version


@pytest.mark.parametrize("cut", [1, 4, 20, 40, 55])
def test_a_migration_that_is_cut_short_leaves_nothing_and_can_run_again(
    empty_database: Database, cut: int
) -> None:
    count = 0

    def die(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal count
        count += statement.lstrip().startswith(("CREATE", "INSERT"))
        if count == cut:
            raise InterruptedError("power cut")

    event.listen(empty_database.engine, "before_cursor_execute", die)
    with pytest.raises(InterruptedError):
        empty_database.migrate()
    event.remove(empty_database.engine, "before_cursor_execute", die)

    left = set(inspect(empty_database.engine).get_table_names()) - {"alembic_version"}
    assert left == set()
    empty_database.ready()
    assert empty_database.version() == HEAD
    assert ticket(empty_database) == 1001


_NODE = """
import sys
from pathlib import Path
from alembic import command  # costs most of the start: now, so that both are ready together
from store.database import Database
database = Database(sys.argv[1], Path(sys.argv[2]))
print("up", flush=True)
sys.stdin.readline()
database.ready()
print(database.version())
"""


def test_two_nodes_make_one_database_ready_at_once(
    empty_database: Database, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _NODE, empty_database.url, str(tmp_path / "data")]
    nodes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for node in nodes:
        assert node.stdout is not None
        assert node.stdout.readline() == "up\n"
    for node in nodes:
        assert node.stdin is not None
        node.stdin.write("go\n")
        node.stdin.flush()
    answers = [node.communicate(timeout=60)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0, 0]
    assert answers == [f"{HEAD}\n"] * 3
    assert ticket(empty_database) == 1001
