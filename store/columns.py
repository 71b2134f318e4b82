"""What the columns of all tables are made of. Times are UTC and aware; no other is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC: timestamptz on PostgreSQL, a sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raises ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime refused: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")


def id_column() -> Column[int]:
    """A primary key that the database counts up."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def time(name: str, *, nullable: bool = False) -> Column[datetime]:
    """A date with its time of day."""
    return Column(name, UtcTime, nullable=nullable)


def words(name: str, default: str = "") -> Column[str]:
    """A text of any length, never NULL."""
    return Column(name, Text, nullable=False, server_default=default)


def ref(name: str, target: str, *, nullable: bool = False, **kw: Any) -> Column[int]:
    """A reference to another row, as "table.column"."""
    return Column(name, Id, ForeignKey(target), nullable=nullable, **kw)


class Folded(FunctionElement[str]):
    """An address for comparing, in SQL, as `mailgate.core.policy.folded` has it: A-Z alone."""

    name = "folded"
    type = Text()
    inherit_cache = True


@compiles(Folded, "sqlite")
def _on_sqlite(element: Folded, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kw)})"  # ASCII alone, by its manual


@compiles(Folded, "postgresql")
def _on_postgresql(element: Folded, compiler: SQLCompiler, **kw: Any) -> str:
    return f'lower({compiler.process(element.clauses, **kw)} COLLATE "C")'
