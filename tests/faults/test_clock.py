"""D5 and D7: a clock that jumps, and a long backlog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailgate.assembly import make_desk
from mailgate.config import load
from mailgate.core.decision import Attempt, CopyState
from mailgate.core.mail import Envelope, Inbound
from mailgate.core.retry import Schedule, judge
from mailgate.intake import commit
from mailgate.mailer.copies import Copies, Result
from mailgate.parsing import Parsers
from mailgate.worker import WINDOW, Worker
from store.database import Database
from tests.faults.mails import Writer
from tests.faults.node import QUEUE, Node

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers()
    yield pool
    pool.close()


def worker_of(database: Database, parsers: Parsers, folder: Path, clock: Clock) -> Worker:
    desk = make_desk(load(Node(folder).config), "clock")
    return Worker(database=database, parsers=parsers, desk=desk, clock=clock)


def take(database: Database, count: int, now: datetime, writer: Writer, auto: bool = True) -> None:
    mails = [writer.new(auto=auto) for _ in range(count)]
    commit(
        database,
        [
            Inbound(
                raw=mail.raw,
                source="smtp test",
                source_key=mail.uuid,
                received=now,
                envelope=Envelope(mail_from=mail.sender, rcpt_tos=(QUEUE,)),
            )
            for mail in mails
        ],
    )


def opened(database: Database) -> list[int]:
    """Tickets in the order in which their mails came."""
    with database.reading() as tx:
        return [row.ticket or 0 for row in reversed(tx.inbox.find(limit=10_000))]


@pytest.mark.parametrize("jump", [timedelta(days=365), timedelta(hours=1), timedelta(seconds=30)])
def test_d5_a_clock_that_jumps_ahead_loses_nothing_and_keeps_the_order(
    jump: timedelta, sqlite_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    clock, writer = Clock(), Writer(5)
    worker = worker_of(sqlite_database, parsers, tmp_path, clock)
    take(sqlite_database, 15, clock.now, writer)
    worker.step()  # has claimed what it has not settled
    clock.now += jump
    take(sqlite_database, 5, clock.now, writer)
    worker.drain()
    numbers = opened(sqlite_database)
    assert len(numbers) == 20
    assert numbers == sorted(numbers)


def test_d5_a_clock_set_back_makes_mail_wait_until_then_or_the_next_start(
    sqlite_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    clock, writer = Clock(), Writer(6)
    worker = worker_of(sqlite_database, parsers, tmp_path, clock)
    take(sqlite_database, 3, clock.now, writer)
    clock.now -= timedelta(days=365)
    take(sqlite_database, 1, clock.now, writer)
    worker.drain()
    assert opened(sqlite_database).count(0) == 3
    with sqlite_database.transaction() as tx:
        tx.inbox.release_all(clock.now)  # as a start on SQLite does
    worker.drain()
    assert opened(sqlite_database).count(0) == 0


def test_d5_a_step_during_back_off_makes_no_storm(
    sqlite_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    clock = Clock()
    worker = worker_of(sqlite_database, parsers, tmp_path, clock)
    take(sqlite_database, 1, clock.now, Writer(7), auto=False)
    worker.drain()
    copies, tries = Copies(sqlite_database, timedelta(minutes=5)), 0
    for step in (0, 60, -3600, 0, 0, 3600, 0, 7 * 86400, 0, 0):
        clock.now += timedelta(seconds=step)
        while copy := copies.take(clock.now):
            tries += 1
            attempt = Attempt(code=451, text="later", at=clock.now)
            fate = judge(
                attempt,
                attempts=copy.attempts,
                queued=copy.queued,
                automatic=copy.automatic,
                schedule=Schedule(),
            )
            copies.settle(
                Result(copy=copy, attempt=attempt, fate=fate), [], clock.now, take_next=False
            )
    with sqlite_database.reading() as tx:
        states = [c.state for mail in tx.outbox.list() for c in mail.recipients]
    assert states == [CopyState.FAILED] * 2  # older than five days, by any clock
    assert tries <= 2 * 4


def test_d7_a_backlog_is_worked_off_in_order_by_a_window(
    sqlite_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    clock, writer = Clock(), Writer(8)
    for _ in range(4):
        take(sqlite_database, 150, clock.now, writer)
    clock.now += timedelta(days=1)
    worker = worker_of(sqlite_database, parsers, tmp_path, clock)
    most = 0
    while worker.step():
        most = max(most, parsers.busy)
    numbers = opened(sqlite_database)
    assert len(numbers) == 600
    assert numbers == sorted(numbers)
    assert most <= WINDOW
