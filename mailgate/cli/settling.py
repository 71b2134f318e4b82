"""Settling mail inside a command, beside a daemon or without one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mailgate.assembly import make_parsers
from mailgate.cli.house import House
from mailgate.parsing import Parsers
from mailgate.worker import LEASE, Worker
from store.database import Database
from store.inbox import Settled

PATIENCE = LEASE.total_seconds() + 60  # for one batch: another worker may have died with it
SILENCE = 2.0  # seconds of waiting for somebody else before it is said


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
    waiting: Callable[[int], None] = lambda _count: None,
) -> list[Settled]:
    """Settle these mails, or wait until whoever has claimed them is done or given up.

    `waiting` is told once how many there are, when that takes more than a moment.
    """
    start, told = time.monotonic(), False
    while True:
        worker.drain(only=ids)
        with database.reading() as tx:
            rows = [row for i in ids if (row := tx.inbox.get(i))]
        undecided = sum(row.outcome is None for row in rows)
        waited = time.monotonic() - start
        if not undecided or waited > PATIENCE:
            return rows
        if waited > SILENCE and not told:
            waiting(undecided)
            told = True
        time.sleep(0.1)
