"""A consistent copy of a SQLite database beside its writers, and what a restored one must forget.

The copy is SQLite's own (online backup): one snapshot of all pages, while others go on writing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from mailgate.core.decision import CopyState
from store.database import Tx, Unavailable
from store.schema import outbox, outbox_recipients

_COUNTS = {
    "mails": "SELECT count(*) FROM inbox",
    "tickets": "SELECT count(*) FROM tickets",
    "outbox": "SELECT count(*) FROM outbox",
    "blobs": "SELECT count(*) FROM blobs",
}
_FOREIGN = "its sender belonged to an installation that was restored from a backup"


class DamagedCopy(Exception):
    """The copy of the database does not pass SQLite's own check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a copied database says of itself."""

    schema: str
    counts: Mapping[str, int]
    files: tuple[str, ...]  # digests of the blobs that live in the folder


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for other databases."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def copy_database(source: Path, target: Path) -> Snapshot:
    """Copy a database that may be in use to a new file, synced, and prove the copy.

    Raises FileExistsError, Unavailable when source or target fail, DamagedCopy.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with _named(), _opened(source) as live, _opened(target) as copy:
        # All pages in one step: in smaller ones it begins anew whenever somebody commits.
        live.backup(copy)
        # One file by itself, with no write-ahead log that a later copy could forget.
        copy.execute("PRAGMA journal_mode=DELETE")
        snapshot = _examined(copy)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return snapshot


def _examined(copy: sqlite3.Connection) -> Snapshot:
    said = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if said != ["ok"]:
        raise DamagedCopy(f"the database is damaged: {'; '.join(map(str, said[:3]))}")
    blobs = copy.execute("SELECT digest FROM blobs WHERE data IS NULL ORDER BY digest")
    return Snapshot(
        files=tuple(row[0] for row in blobs),
        schema=str(copy.execute("SELECT version_num FROM alembic_version").fetchone()[0]),
        counts={name: copy.execute(query).fetchone()[0] for name, query in _COUNTS.items()},
    )


def disown_copies(tx: Tx, now: datetime) -> int:
    """End the sending of copies that were on the wire when a backup was taken; returns how many.

    As at a start after a crash: nobody knows how far they got. A person's words become
    `uncertain` and due, an automatic mail fails, for it is never repeated.
    """
    r = outbox_recipients.c
    sending = update(outbox_recipients).where(r.state == CopyState.SENDING.value)
    automatic = r.outbox.in_(select(outbox.c.id).where(outbox.c.automatic.is_(True)))
    told = {"code": 0, "text": _FOREIGN, "changed": now}
    failed = tx.conn.execute(
        sending.where(automatic).values(state=CopyState.FAILED.value, due=None, **told)
    )
    unsure = tx.conn.execute(sending.values(state=CopyState.UNCERTAIN.value, due=now, **told))
    return int(failed.rowcount) + int(unsure.rowcount)


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    # mode=rw: a database that is not there is an error, and not a new one.
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
        yield connection


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(str(error)) from error
