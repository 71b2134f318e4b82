"""Settling mail inside a command, beside a daemon or without one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from mailgate.assembly import make_parsers
from mailgate.cli.house import House
from mailgate.parsing import Parsers
from mailgate.worker import LEASE, Worker
from store.database import Database
from store.inbox import Settled

PATIENCE = LEASE.total_seconds() + 60  # for one batch: another worker may have died with it


@contextmanager
def parsers_of(home: House) -> Iterator[Parsers]:
    """The parse processes, for as long as the command needs them."""
    parsers = make_parsers(home.config)
    try:
        yield parsers
    finally:
        parsers.close()


def settled(
    database: Database,
    worker: Worker,
    ids: Sequence[int],
    watch: Callable[[int, float], None] = lambda _undecided, _waited: None,
) -> list[Settled]:
    """Settle these mails, or wait until whoever has claimed them is done or given up.

    `watch` is called between steps, with how many mails somebody else has and the seconds that
    this took. What it raises, and whatever else ends this early, leaves no claim behind.
    """
    try:
        return _settled(database, worker, ids, watch)
    except BaseException:  # Ctrl-C too: or the next run waits for the lease of this one
        worker.hand_back()
        with database.transaction() as tx:  # what was just being settled
            tx.inbox.release(ids, datetime.now(UTC))
        watch(0, 0.0)  # may know better why: the parse processes were closed
        raise


def _settled(
    database: Database, worker: Worker, ids: Sequence[int], watch: Callable[[int, float], None]
) -> list[Settled]:
    start = time.monotonic()
    while True:
        while worker.step(only=ids):
            watch(0, 0.0)
        with database.reading() as tx:
            rows = [row for i in ids if (row := tx.inbox.get(i))]
        undecided = sum(row.outcome is None for row in rows)
        waited = time.monotonic() - start
        if not undecided or waited > PATIENCE:
            return rows
        watch(undecided, waited)
        time.sleep(0.1)
