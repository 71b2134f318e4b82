"""Alembic's entry: migrate with the engine that `store.migrations.run` was given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Engine

from store.schema import metadata

engine: Engine = context.config.attributes["engine"]
with engine.connect() as connection:
    if connection.dialect.name == "postgresql":
        # Two nodes that start at once must not both create tables.
        connection.exec_driver_sql("SELECT pg_advisory_lock(7245001)")
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
        on_version_apply=lambda **_: context.config.attributes["step"]("migrate.step"),
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        if connection.dialect.name == "postgresql":
            connection.rollback()
            connection.exec_driver_sql("SELECT pg_advisory_unlock(7245001)")
            connection.commit()
