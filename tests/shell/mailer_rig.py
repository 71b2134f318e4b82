"""An outbox with a ticket to write about, and a mailer that runs in a thread of its own.

As a program (`python -m tests.shell.mailer_rig FOLDER PORT`) it runs a mailer over an existing
outbox until it is killed.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import event

from mailgate.core.decision import (
    Attempt,
    CopyState,
    Fate,
    Notice,
    OpenTicket,
    Outgoing,
    Recipient,
)
from mailgate.core.mail import Address
from mailgate.core.retry import Schedule
from mailgate.mailer import Mailer, RelaySettings, Timing
from store.database import Database
from store.outbox import Queued, RecipientRow
from tests.peers.relay_sink import RelaySink, eventually

QUICK = Schedule(
    deferred=(timedelta(milliseconds=200),), uncertain=(timedelta(milliseconds=200),), jitter=0
)
TIMING = Timing(deadline=2.0, opening=1.5, lease=10.0, settling=2.0, grace=0.5, first_break=0.1)
BODY = b"Subject: [#1] printer\r\nFrom: support@example.org\r\n\r\nIt is mended.\r\n"


def now() -> datetime:
    """The time, as the mailer asks for it."""
    return datetime.now(UTC)


def relay(sink: RelaySink, **settings: object) -> RelaySettings:
    """The settings that lead to a sink."""
    return RelaySettings(**{"host": sink.host, "port": sink.port, **settings})  # type: ignore[arg-type]


@cache
def _empty() -> bytes:
    """A migrated database without rows; migrating costs more than most tests here."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database("sqlite", Path(folder))
        database.ready()
        database.close()
        return (Path(folder) / "mailgate.db").read_bytes()


class Desk:
    """A database with one ticket; puts mail into its outbox and looks at what became of it."""

    def __init__(self, folder: Path) -> None:
        (folder / "mailgate.db").write_bytes(_empty())
        self.database = Database("sqlite", folder)
        self.results: list[tuple[Queued, Attempt, Fate]] = []
        self._count = 0
        requester = Address(addr="ann@example.net", name="Ann")
        effect = OpenTicket(
            subject="printer",
            requester=requester,
            queue="support",
            status="new",
            priority="normal",
            language="en",
            source="smtp",
        )
        with self.database.transaction() as tx:
            self.ticket = tx.tickets.open(effect, now())

    def queue(
        self,
        *addresses: str,
        automatic: bool = False,
        raw: bytes = BODY,
        mail_from: str = "support@example.org",
    ) -> int:
        """Put one mail for these recipients into the outbox; returns its id."""
        self._count += 1
        mail = Outgoing(
            notice=Notice.CONFIRMATION if automatic else Notice.ANSWER,
            ticket=self.ticket,
            message_id=f"<m{self._count}@example.org>",
            mail_from=mail_from,
            raw=raw,
            heads={a: f"To: {a}\r\n".encode() for a in addresses},
            automatic=automatic,
        )
        to = [Recipient(address=a, role="requester", why="") for a in addresses]
        with self.database.transaction() as tx:
            return tx.outbox.add(mail, to, now())

    def copies(self) -> dict[str, RecipientRow]:
        """Every copy in the outbox by its address."""
        with self.database.reading() as tx:
            rows = tx.outbox.list(limit=10_000)
        return {copy.address: copy for row in rows for copy in row.recipients}

    def state(self, address: str) -> CopyState:
        """Where the copy of one address stands."""
        return self.copies()[address].state

    def wait_for(self, address: str, state: str) -> RecipientRow:
        """Wait until a copy has come to a state."""
        eventually(lambda: self.state(address) == state)
        return self.copies()[address]

    def events(self, kind: str) -> list[str]:
        """The addresses of the events of one kind on the ticket."""
        with self.database.reading() as tx:
            return [e.data["address"] for e in tx.tickets.events(self.ticket) if e.kind == kind]

    def mailer(
        self,
        *routes: RelaySettings,
        timing: Timing = TIMING,
        schedule: Schedule = QUICK,
        database: Database | None = None,
    ) -> Mailer:
        """A mailer over these routes that notes its results here."""
        return Mailer(
            database or self.database,
            routes,
            timing=timing,
            schedule=schedule,
            on_result=lambda *result: self.results.append(result),
        )

    @contextmanager
    def sending(
        self,
        *routes: RelaySettings,
        timing: Timing = TIMING,
        schedule: Schedule = QUICK,
    ) -> Iterator[threading.Event]:
        """Run a mailer; gives the event that wakes it."""
        with running([self.mailer(*routes, timing=timing, schedule=schedule)]) as wake:
            yield wake


class Disk:
    """Makes a database read-only and writable again, as a remount after an I/O error does."""

    def __init__(self, database: Database) -> None:
        self.readonly = False
        self.refused = 0
        event.listen(database.engine, "checkout", self._checkout)
        event.listen(database.engine, "handle_error", self._refuse)

    def fail(self) -> None:
        """From now on nothing can be written."""
        self.readonly = True

    def _checkout(self, dbapi: Any, _record: Any, _proxy: Any) -> None:
        dbapi.execute(f"PRAGMA query_only = {int(self.readonly)}")

    def _refuse(self, _context: Any) -> None:
        self.refused += 1


@contextmanager
def running(mailers: Sequence[Mailer]) -> Iterator[threading.Event]:
    """Run mailers until the end of the block; an error in one of them fails the test."""
    stop, wake = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def run(mailer: Mailer) -> None:
        try:
            mailer.run(stop, wake)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(mailer,)) for mailer in mailers]
    for thread in threads:
        thread.start()
    try:
        yield wake
    finally:
        stop.set()
        wake.set()
        for thread in threads:
            thread.join(10)
    assert not errors
    assert not any(thread.is_alive() for thread in threads)


if __name__ == "__main__":
    database = Database("sqlite", Path(sys.argv[1]))
    route = RelaySettings(host="127.0.0.1", port=int(sys.argv[2]))
    timing = Timing(deadline=1.5, lease=2.5, settling=0.5)
    Mailer(database, [route], timing=timing).run(threading.Event(), threading.Event())
