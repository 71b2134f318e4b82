"""Cursors and leases of mailboxes in the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mailgate.sources.imap.settings import Cursor
from store.database import Database


class DatabaseCursors:
    """The `Cursors` of a node. Each method is a transaction; all raise Unavailable."""

    def __init__(self, database: Database, holder: str) -> None:
        """`holder` names this node among all that share the database."""
        self._database = database
        self._holder = holder

    def load(self, source: str) -> Cursor | None:
        """The cursor last saved, None if there is none."""
        with self._database.reading() as tx:
            found = tx.sources.cursor(source)
        return Cursor(uidvalidity=found[0], last_uid=found[1]) if found else None

    def save(self, source: str, cursor: Cursor) -> None:
        """Commit the cursor."""
        with self._database.transaction() as tx:
            tx.sources.set_cursor(source, cursor.uidvalidity, cursor.last_uid, datetime.now(UTC))

    def lease(self, source: str, seconds: float) -> bool:
        """Take or prolong the lease; always granted where the database serves one node (SQLite)."""
        if self._database.sqlite:
            return True
        with self._database.transaction() as tx:
            return tx.sources.lease(
                source, self._holder, datetime.now(UTC), timedelta(seconds=seconds)
            )
