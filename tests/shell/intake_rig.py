"""Deliveries, and a database whose commits can be held up and counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event

from mailgate.core.mail import Envelope, Inbound
from store.database import Database

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def delivery(key: str, **more: Any) -> Inbound:
    """One mail; its key is its subject and what its source calls it."""
    fields: dict[str, Any] = {
        "raw": f"Subject: {key}\r\nMessage-ID: <{key}@x.test>\r\n\r\nHello\r\n".encode(),
        "source": "smtp 127.0.0.1:25",
        "source_key": key,
        "received": NOW,
        "envelope": Envelope(mail_from="rita@customer.test", rcpt_tos=("support@example.org",)),
    }
    return Inbound(**{**fields, **more})


class Commits:
    """Counts the commits of a database, and holds up the first of them until `go`."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        self.begun = threading.Event()
        self._go = threading.Event()
        self._engine = database.engine
        event.listen(self._engine, "commit", self._commit)

    def go(self) -> None:
        """Let commits pass."""
        self._go.set()

    def stop(self) -> None:
        """Look no more."""
        self.go()
        event.remove(self._engine, "commit", self._commit)

    def _commit(self, _conn: Any) -> None:
        self.count += 1
        self.begun.set()
        assert self._go.wait(30)


@contextmanager
def held_up(database: Database) -> Iterator[Commits]:
    """The first commit waits until `go`."""
    commits = Commits(database)
    try:
        yield commits
    finally:
        commits.stop()
