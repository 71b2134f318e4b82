"""Alembic's entry: migrate with the engine that `store.migrations.run` was given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, Engine

from store.schema import metadata


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two nodes that start at once must not both create tables.
        connection.exec_driver_sql("SELECT pg_advisory_lock(7245001)")
        connection.commit()
    else:
        # SQLite changes a table by copying and dropping it, which other tables' references would
        # forbid; it listens to this only outside of a transaction.
        _pragma(connection, "foreign_keys=OFF")


def _end(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.rollback()
        connection.exec_driver_sql("SELECT pg_advisory_unlock(7245001)")
        connection.commit()
    else:
        connection.rollback()
        _pragma(connection, "foreign_keys=ON")


def _pragma(connection: Connection, text: str) -> None:
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA {text}")
    cursor.close()


engine: Engine = context.config.attributes["engine"]
with engine.connect() as connection:
    _begin(connection)
    # All revisions in one transaction, on SQLite too: a start that is cut short leaves the schema
    # that was there before, and never one that another start would refuse.
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
        on_version_apply=lambda **_: context.config.attributes["step"]("migrate.step"),
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        _end(connection)
