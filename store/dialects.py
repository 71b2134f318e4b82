"""Statements that the two databases spell differently, built once.

Building a statement costs several times what running it costs: whatever a single mail needs is
built when its module is loaded, and takes its values as parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects import postgresql, sqlite

Spelled = Mapping[str, Executable]


def spelled(make: Callable[[Callable[..., Any]], Executable]) -> Spelled:
    """A statement for each database; `make` gets the `insert` of a dialect."""
    return {"sqlite": make(sqlite.insert), "postgresql": make(postgresql.insert)}


def on(conn: Connection, statement: Spelled) -> Executable:
    """The spelling that this connection understands."""
    return statement[conn.dialect.name]
