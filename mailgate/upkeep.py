"""What the daemon does for itself once a day: check its books, sweep away files nobody names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailgate import journal
from store.database import Database, Unavailable

FIRST = timedelta(minutes=10)  # after the start
EVERY = timedelta(days=1)
STRAY_AGE = timedelta(days=1)  # a file without a row may belong to a mail that is being taken

BOOKS = "ledger"  # the name under which the check reports, as a source does

Report = Callable[[str, bool, str], None]


class Upkeep:
    """Looks after one installation; one instance runs in one thread."""

    def __init__(
        self,
        database: Database,
        report: Report,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`report(name, ok, detail)` shows in /healthz."""
        self._database = database
        self._report = report
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Check and sweep until `stop` is set."""
        wait = FIRST
        while not stop.wait(wait.total_seconds()):
            wait = EVERY
            try:
                self.step()
            except (Unavailable, OSError) as error:
                journal.trouble(what="upkeep", error=error)
                wait = FIRST

    def step(self) -> int:
        """Check the books and sweep once; returns how many stray files went.

        Raises Unavailable, or OSError from the blob folder.
        """
        with self._database.reading() as tx:
            wrong = tx.stats.imbalances()
        detail = "; ".join(f"{one.what}: {one.detail}" for one in wrong[:10])
        if wrong:
            journal.trouble(what="ledger", error=f"{len(wrong)} findings: {detail}")
        self._report(BOOKS, not wrong, detail)
        return self._sweep(self._clock() - STRAY_AGE)

    def _sweep(self, before: datetime) -> int:
        with self._database.reading() as tx:
            strays = tx.blobs.strays(before)
        if not strays:
            return 0
        with self._database.transaction() as tx:
            return tx.blobs.sweep(strays, before)
