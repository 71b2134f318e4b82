"""Connections that keep what they were given, and one word for each kind of trouble with them."""

from __future__ import annotations

import errno
import functools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event, exc
from sqlalchemy.engine import make_url

# SQLite waits so many seconds for another writer, so many times. Its own waiting cannot be cut
# short: between two of them an engine that is being closed gives up.
_LOCK_WAIT = 1.0
_LOCK_TRIES = 30
_LOCK_PAUSE = 0.1  # seconds between two tries that SQLite does not wait for
_CONNECT_TIMEOUT = 10  # seconds for a PostgreSQL that does not answer
# SQLite's primary result codes: SQLITE_BUSY; SQLITE_READONLY, SQLITE_FULL.
_SQLITE_BUSY = 5
_SQLITE_FULL = frozenset({8, 13})
# SQLSTATE of PostgreSQL: disk_full, read_only_sql_transaction.
_POSTGRES_FULL = frozenset({"53100", "25006"})
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Unavailable(Exception):
    """The database cannot be used now; whoever holds a mail must not acknowledge it."""


class Full(Unavailable):
    """Nothing can be written: the disk is full or read-only."""


class CommitUnknown(Unavailable):
    """The answer to COMMIT was lost: what was written is either all there or not at all."""


class WeakDurability(Exception):
    """The database would acknowledge what a power cut can take away; mailgate refuses to use it."""


def no_room(error: BaseException) -> bool:
    """Whether this is trouble with a full or read-only disk, in the database or the blob folder."""
    return isinstance(error, Full) or (isinstance(error, OSError) and error.errno in _NO_ROOM)


def make_engine(url: str, *, synced: bool, closing: threading.Event) -> Engine:
    """An engine whose every connection is proven to be durable.

    Once `closing` is set nobody waits longer than a second for SQLite's other writers.
    Connecting raises WeakDurability. `synced` False does without, for tests that need to lose mail.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(parsed, connect_args={"timeout": _LOCK_WAIT})
        event.listen(engine, "connect", functools.partial(_sqlite_connect, closing, synced))
        event.listen(engine, "begin", functools.partial(_sqlite_begin, closing))
        return engine
    if "connect_timeout" not in parsed.query:
        parsed = parsed.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT)})
    engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20)
    event.listen(engine, "connect", _postgres_connect if synced else _postgres_unsynced)
    return engine


def _sqlite_connect(closing: threading.Event, synced: bool, dbapi: Any, _record: Any) -> None:
    # The driver's own BEGIN comes too late to protect a read-modify-write; see _sqlite_begin.
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    journal = _write_ahead(closing, cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    level = cursor.execute("PRAGMA synchronous").fetchone()[0]
    cursor.close()
    if level < 2 or journal in ("memory", "off"):
        raise WeakDurability(
            f"SQLite runs with synchronous={level} and journal_mode={journal}, which a power cut"
            " can undo; mailgate needs FULL and a file on a disk that can hold a write-ahead log"
        )
    if not synced:
        dbapi.execute("PRAGMA synchronous=OFF")


def _write_ahead(closing: threading.Event, cursor: Any) -> str:
    """Use a write-ahead log. Of two who open a new file at once SQLite refuses one unheard."""
    left = _LOCK_TRIES
    while True:
        try:
            return str(cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            left -= 1
            if not (_busy(error) and left) or closing.is_set():
                raise
            closing.wait(_LOCK_PAUSE)


def _busy(error: BaseException | None) -> bool:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == _SQLITE_BUSY


def _sqlite_begin(closing: threading.Event, conn: Connection) -> None:
    reading = conn.get_execution_options().get("mailgate_read", False)
    for left in reversed(range(_LOCK_TRIES)):
        try:
            conn.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
        except exc.OperationalError as error:
            if not (_busy(error.orig) and left) or closing.is_set():
                raise
        else:
            return


def _postgres_connect(dbapi: Any, _record: Any) -> None:
    names = ("fsync", "synchronous_commit")
    cursor = dbapi.cursor()
    cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
    values = dict(zip(names, cursor.fetchone(), strict=True))
    cursor.close()
    dbapi.rollback()
    off = [name for name, value in values.items() if value == "off"]
    if off:
        raise WeakDurability(
            f"PostgreSQL runs with {' and '.join(f'{name}=off' for name in off)}, which a power"
            " cut can undo; set it to on for this server, database and role"
        )


def _postgres_unsynced(dbapi: Any, _record: Any) -> None:
    dbapi.execute("SET synchronous_commit = off")
    dbapi.commit()


@contextmanager
def translated() -> Iterator[None]:
    """Give the driver's errors our names. Raises Unavailable or Full.

    What no database will ever run stays what it was: waiting would not mend it.
    """
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
        if _hopeless(error.orig):
            raise
        kind = Full if _full(error.orig) else Unavailable
        raise kind(str(error.orig or error)) from error
    except exc.TimeoutError as error:
        raise Unavailable(str(error)) from error


def _full(error: BaseException | None) -> bool:
    primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return primary in _SQLITE_FULL or getattr(error, "sqlstate", None) in _POSTGRES_FULL


def _hopeless(error: BaseException | None) -> bool:
    """Whether SQLite refuses the statement itself; psycopg has ProgrammingError for that.

    A table that is not there may be that of a database that is just being put in place.
    """
    if not isinstance(error, sqlite3.OperationalError):
        return False
    primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return primary == sqlite3.SQLITE_ERROR and not str(error).startswith("no such table")
