"""An ImapSource over a real database and a real intake, with a stop button."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from mailgate.core.mail import Inbound
from mailgate.intake import Intake
from mailgate.sources.imap import Cursor, Cursors, DatabaseCursors, ImapSettings, ImapSource
from store.database import Database
from store.inbox import Settled

PATIENCE = 25.0  # seconds; a bound against hanging, not a measure


def until(what: str, true: Callable[[], object]) -> None:
    """Wait until `true()`; fails naming `what` when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def mail(number: int, *, body: str = "hello", message_id: str = "") -> bytes:
    """A small mail whose subject names it."""
    lines = [
        "From: Ann <ann@example.org>",
        "To: support@example.com",
        f"Subject: mail {number}",
        f"Message-ID: {message_id or f'<{number}@example.org>'}",
        "",
        body,
        "",
    ]
    return "\r\n".join(lines).encode()


class Rig:
    """One node: database, intake, and an ImapSource that runs in a `with rig.running()` block."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.intake = Intake(self.database)
        self.cursors = DatabaseCursors(self.database, "node")
        self.submitted: list[str] = []  # source keys, in order
        self.refuse = ""  # deliveries whose key ends so are not taken
        self.health: list[tuple[bool, str]] = []

    def close(self) -> None:
        """Stop intake."""
        self.intake.close()

    def reopen(self) -> None:
        """A new intake, after `close`."""
        self.intake = Intake(self.database)

    def submit(self, inbound: Inbound) -> Future[int]:
        """Intake's own, with a note of the key."""
        self.submitted.append(inbound.source_key)
        if self.refuse and inbound.source_key.endswith(self.refuse):
            refused: Future[int] = Future()
            refused.set_exception(ValueError("the database will not have it"))
            return refused
        return self.intake.submit(inbound)

    def report(self, _name: str, ok: bool, detail: str) -> None:
        """The health callback."""
        self.health.append((ok, detail))

    def running(self, settings: ImapSettings, cursors: Cursors | None = None) -> Running:
        """A new ImapSource in its own thread, with cursors of the database or others."""
        return Running(
            ImapSource(
                settings, submit=self.submit, cursors=cursors or self.cursors, health=self.report
            )
        )

    def taken(self) -> list[Settled]:
        """The rows of the inbox in order of arrival."""
        with self.database.reading() as tx:
            return tx.inbox.find(limit=10_000)[::-1]

    def bytes_taken(self) -> list[bytes]:
        """What intake committed, in order of arrival."""
        with self.database.reading() as tx:
            return [tx.blobs.get(row.digest) for row in tx.inbox.find(limit=10_000)[::-1]]

    def cursor(self, settings: ImapSettings) -> Cursor | None:
        """As the database has it."""
        return self.cursors.load(settings.key)

    def failures(self) -> list[str]:
        """What the health callback was told of failures."""
        return [detail for ok, detail in self.health if not ok]

    def rounds(self) -> int:
        """How many looks at the folder went well."""
        return sum(ok for ok, _ in self.health)


class Running:
    """A source in a thread; leaving the block stops it and insists that it ends."""

    def __init__(self, source: ImapSource) -> None:
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._source = source
        self._thread = threading.Thread(target=self._run, name="imap")

    def _run(self) -> None:
        try:
            self._source.run(self._stop)
        except BaseException as error:
            self._error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the source did not stop"
        if error is None:
            assert self._error is None, f"the source died: {self._error!r}"


def quick(**values: Any) -> ImapSettings:
    """Settings for tests: short waits, all else as in production."""
    base: dict[str, Any] = {
        "name": "support",
        "host": "localhost",
        "username": "support",
        "mailbox": "support@example.com",
        "poll_seconds": 0.2,
        "retry_first": 0.05,
        "retry_max": 0.5,
    }
    if "oauth" not in values:
        base["password"] = "secret"
    return ImapSettings(**{**base, **values})
