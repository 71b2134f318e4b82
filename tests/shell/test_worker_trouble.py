"""The worker when the database or the disk goes away between two of its steps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from mailgate import journal
from mailgate.core.decide import quarantine
from mailgate.core.decision import Outcome
from mailgate.parsing import Parsers
from mailgate.releasing import approve
from mailgate.worker import LEASE, RETRY_AFTER
from store.database import Database, Unavailable
from store.schema import blobs
from tests.flows.rig import House
from tests.shell.worker_rig import Beside, house, outcomes, raw, rows, rule, tickets, with_rules


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool, for all tests of this file."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def home(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """On SQLite, where somebody else can hold the writer's lock; nobody waits long for it."""
    event.listen(
        sqlite_database.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=50")
    )
    with house(sqlite_database, parsers, tmp_path) as found:
        yield found


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """Another process's view of the same file."""
    found = Database("sqlite", tmp_path / "data")
    yield found
    found.close()


def test_claims_are_kept_while_the_database_is_away(home: House, other: Database) -> None:
    """It goes away after the claim; what was claimed is settled next, and no attempt is lost."""
    ids = [home.deliver(raw(f"m{n}")) for n in range(3)]
    pool = home.worker.parsers
    with ExitStack() as lock:

        def take() -> None:
            lock.enter_context(other.transaction())

        locking = Beside(take)
        home.worker.parsers = locking
        try:
            with pytest.raises(Unavailable):
                home.worker.step()
        finally:
            locking.close()
    assert outcomes(home.database, ids) == ["waiting"] * 3
    home.worker.parsers = pool
    home.settle()
    assert outcomes(home.database, ids) == ["ticket"] * 3
    assert {row.attempts for row in rows(home.database, ids)} == {1}
    assert len(tickets(home.database)) == 3


def test_claims_that_cannot_be_given_back_fall_due_by_themselves(
    home: House, other: Database
) -> None:
    ids = [home.deliver(raw(f"m{n}")) for n in range(20)]
    assert home.worker.step()
    stop = threading.Event()
    stop.set()
    before = journal.COUNTS["trouble", "worker"]
    with other.transaction():
        home.worker.run(stop, threading.Event())
    assert journal.COUNTS["trouble", "worker"] == before + 1
    home.settle()
    assert "waiting" in outcomes(home.database, ids)
    home.now += LEASE
    home.settle()
    assert outcomes(home.database, ids) == ["ticket"] * 20


def test_a_mail_that_another_worker_settled_while_it_was_set_aside_ends_nothing(
    home: House,
) -> None:
    """The last attempt at it fails here, and by then it has an outcome."""
    inbox = home.deliver(raw("raced"))
    reason = "its bytes are missing from the blob folder, or damaged"
    with home.database.transaction() as tx:
        (waiting,) = tx.inbox.claim(home.now, 1, LEASE)
        tx.inbox.settle(inbox, quarantine("another node"), None, home.now)
    before = journal.COUNTS["trouble", "worker"]
    home.worker._set_aside(waiting, reason)
    assert journal.COUNTS["trouble", "worker"] == before + 1
    (row,) = rows(home.database, [inbox])
    assert row.reason == "another node"


def test_a_disk_that_does_not_read_is_tried_again(home: House) -> None:
    """A large mail's file cannot be read; once it can, the mail is settled like any other."""
    large, small = home.deliver(raw("large", body="x" * 100_000)), home.deliver(raw("small"))
    path = home.database.folder.path(rows(home.database, [large])[0].digest)
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    home.settle()
    assert outcomes(home.database, [large, small]) == ["waiting", "ticket"]
    path.rmdir()
    path.with_suffix(".away").rename(path)
    home.now += RETRY_AFTER
    home.settle()
    assert outcomes(home.database, [large, small]) == ["ticket", "ticket"]


def test_d7_a_mail_that_waited_over_a_day_is_not_confirmed(home: House) -> None:
    old = home.deliver(raw("old"))
    home.now += timedelta(hours=20)
    young = home.deliver(raw("young"))
    home.now += timedelta(hours=5)
    home.settle()
    assert outcomes(home.database, [old, young]) == ["ticket", "ticket"]
    with home.database.reading() as tx:
        mails = tx.outbox.list(limit=100)
    sent = {inbox: sorted(m.notice for m in mails if m.inbox == inbox) for inbox in (old, young)}
    assert sent == {old: ["agent-new"], young: ["agent-new", "confirmation"]}
    (row,) = rows(home.database, [old])
    assert "too late for a confirmation" in {step.reason for step in row.trace}


# --- held mail -----------------------------------------------------------------------------


@pytest.fixture
def held(home: House) -> int:
    """The id of a mail that a stranger sent to the requester's reply address."""
    home.deliver(raw("printer"))
    home.settle()
    home.deliver(
        raw("answer", "rita@home.example"), rcpt=[home.last("rita@customer.test").reply_to]
    )
    home.settle()
    with home.database.reading() as tx:
        [one] = tx.held.list()
    return one.id


def kinds(home: House, held: int) -> list[str]:
    """The kinds of the messages on the ticket of a held mail."""
    with home.database.reading() as tx:
        one = tx.held.get(held)
        assert one is not None
        return [message.kind.value for message in tx.tickets.messages(one.ticket)]


def test_held_mail_that_cannot_take_effect_waits_again_and_the_worker_lives(
    home: House, held: int
) -> None:
    good = home.worker.desk
    home.worker.desk = with_rules(good, rule("answer", colour="red"))
    assert approve(home.database, held, "ana@example.org", home.now)
    before = journal.COUNTS["trouble", "release"]
    fine = home.deliver(raw("fine"))
    home.worker._approved = True  # as when it has been idle for a while
    home.settle()
    assert outcomes(home.database, [fine]) == ["ticket"]
    assert journal.COUNTS["trouble", "release"] == before + 1
    with home.database.reading() as tx:
        [one] = tx.held.list()
        last = tx.tickets.events(one.ticket)[-1]
    assert (one.id, one.by) == (held, "")
    assert (last.kind, last.data) == ("not-released", {"held": held, "because": "KeyError"})

    home.worker.desk = good
    assert approve(home.database, held, "ana@example.org", home.now)
    home.worker._approved = True
    home.settle()
    assert kinds(home, held) == ["customer", "customer"]


def test_approved_mail_waits_again_where_its_bytes_cannot_be_read(home: House, held: int) -> None:
    def put(data: bytes | None, digest: str) -> None:
        with home.database.transaction() as tx:
            tx.conn.execute(blobs.update().where(blobs.c.digest == digest).values(data=data))

    with home.database.reading() as tx:
        digest = next(row.digest for row in tx.inbox.find() if row.outcome is Outcome.HELD)
        data = tx.blobs.get(digest)
    put(None, digest)
    assert approve(home.database, held, "ana@example.org", home.now)
    home.worker._approved = True
    home.settle()
    with home.database.reading() as tx:
        assert [one.id for one in tx.held.list("waiting")] == [held]
    assert kinds(home, held) == ["customer", "held"]

    put(data, digest)
    assert approve(home.database, held, "ana@example.org", home.now)
    home.worker._approved = True
    home.settle()
    assert kinds(home, held) == ["customer", "customer"]
