"""The loop over inbound mail: every mail settled once, in order, whatever goes wrong meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from mailgate import journal
from mailgate import parsing as parsing_module
from mailgate.core.decide import quarantine
from mailgate.core.decision import Outcome
from mailgate.gate import Caps
from mailgate.parsing import Parsers
from mailgate.worker import LEASE, MAX_ATTEMPTS, PARENT_PATIENCE, RETRY_AFTER, Worker
from store.database import Database
from tests.flows.rig import House
from tests.peers.relay_sink import eventually
from tests.shell.apply_rig import Office
from tests.shell.worker_rig import (
    Beside,
    house,
    outcomes,
    raw,
    rows,
    rule,
    tickets,
    with_rules,
    words,
)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool, for all tests of this file."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def home(database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    with house(database, parsers, tmp_path) as found:
        yield found


# --- failures ----------------------------------------------------------------------------


def test_three_failures_and_a_mail_is_set_aside_with_its_bytes(home: House) -> None:
    """An action that no version knows makes every attempt fail; then somebody mends the rule."""
    good = home.worker.desk
    home.worker.desk = with_rules(good, rule("bad", colour="red"))
    bad, fine = home.deliver(raw("bad")), home.deliver(raw("fine"))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        home.settle()
        assert outcomes(home.database, [bad])[0] == (
            "quarantined" if attempt == MAX_ATTEMPTS else "waiting"
        )
        home.now += RETRY_AFTER * attempt
    row = rows(home.database, [bad])[0]
    assert row.reason == "3 attempts failed: KeyError"
    assert row.attempts == MAX_ATTEMPTS
    with home.database.reading() as tx:
        assert tx.blobs.get(row.digest) == raw("bad")
    assert outcomes(home.database, [fine]) == ["ticket"]

    home.worker.desk = good
    with home.database.transaction() as tx:
        assert tx.inbox.reopen(bad, home.now)
    home.settle()
    assert outcomes(home.database, [bad]) == ["ticket"]
    assert [words(home.database, n) for n in tickets(home.database)] == [["fine"], ["bad"]]


def test_a_failed_mail_is_not_tried_again_at_once(home: House) -> None:
    home.worker.desk = with_rules(home.desk, rule("bad", colour="red"))
    bad = home.deliver(raw("bad"))
    home.settle()
    home.settle()
    assert rows(home.database, [bad])[0].attempts == 1
    home.now += RETRY_AFTER
    home.settle()
    assert rows(home.database, [bad])[0].attempts == 2


def test_one_mail_that_fails_does_not_cost_the_others_theirs(home: House) -> None:
    home.worker.desk = with_rules(home.desk, rule("bad", colour="red"))
    ids = [home.deliver(raw(key)) for key in ("a", "b", "bad", "c", "d")]
    home.settle()
    assert outcomes(home.database, ids) == ["ticket", "ticket", "waiting", "ticket", "ticket"]
    assert len(tickets(home.database)) == 4


def test_bytes_that_are_lost_set_a_mail_aside(home: House) -> None:
    lost = home.deliver(raw("lost", body="x" * 100_000))
    digest = rows(home.database, [lost])[0].digest
    home.database.folder.path(digest).unlink()
    kept = home.deliver(raw("kept"))
    home.settle()
    assert outcomes(home.database, [lost, kept]) == ["quarantined", "ticket"]
    assert "bytes are missing" in rows(home.database, [lost])[0].reason


def test_a_broken_template_does_not_undo_the_ticket(home: House, tmp_path: Path) -> None:
    office = Office(home.database, tmp_path)
    home.worker.desk = office.without_templates(tmp_path / "broken")
    one = home.deliver(raw("one"))
    home.settle()
    assert outcomes(home.database, [one]) == ["ticket"]
    number = tickets(home.database)[0]
    assert [k for k in office.kinds(number) if k == "unwritten"] == ["unwritten", "unwritten"]
    assert office.mails(number) == []


def test_a_pool_that_closes_says_nothing_about_a_mail(home: House) -> None:
    closing = Beside(lambda: closing.close(0))
    home.worker.parsers, pool = closing, home.worker.parsers
    one = home.deliver(raw("one"))
    before = journal.COUNTS["trouble", "parsers"]
    assert home.worker.step()
    assert journal.COUNTS["trouble", "parsers"] == before + 1
    assert (outcomes(home.database, [one]), rows(home.database, [one])[0].attempts) == (
        ["waiting"],
        0,
    )
    home.worker.parsers = pool
    home.settle()
    assert outcomes(home.database, [one]) == ["ticket"]


# --- several workers ---------------------------------------------------------------------


def test_a_mail_that_another_worker_settled_is_settled_once(home: House) -> None:
    """The lease runs out while the first worker holds the mail; the second one is quicker."""
    late = replace(home.worker, clock=lambda: home.now + LEASE, _jobs=type(home.worker._jobs)())
    slow = Beside(late.drain)
    home.worker.parsers = slow
    one = home.deliver(raw("one"))
    before = journal.COUNTS["trouble", "worker"]
    try:
        home.settle()
    finally:
        slow.close()
    assert journal.COUNTS["trouble", "worker"] == before + 1
    assert outcomes(home.database, [one]) == ["ticket"]
    assert [words(home.database, n) for n in tickets(home.database)] == [["one"]]
    with home.database.reading() as tx:
        assert [row.notice for row in tx.outbox.list()] == ["confirmation", "agent-new"]


def test_a_stale_claim_is_given_back_and_not_settled_on(home: House) -> None:
    ids = [home.deliver(raw(f"m{n}")) for n in range(25)]
    assert home.worker.step()
    done = outcomes(home.database, ids).count("ticket")
    assert 1 <= done <= 10
    home.now += LEASE / 2 + timedelta(seconds=1)
    home.settle()
    assert outcomes(home.database, ids) == ["ticket"] * 25
    assert {row.attempts for row in rows(home.database, ids)} == {1}


def test_stopping_gives_claims_back_at_once(home: House) -> None:
    ids = [home.deliver(raw(f"m{n}")) for n in range(20)]
    assert home.worker.step()
    left = [i for i, o in zip(ids, outcomes(home.database, ids), strict=True) if o == "waiting"]
    assert left
    with home.database.transaction() as tx:
        assert tx.inbox.claim(home.now, 100, LEASE) == []
    stop = threading.Event()
    stop.set()
    home.worker.run(stop, threading.Event())
    with home.database.transaction() as tx:
        claimed = tx.inbox.claim(home.now, 100, LEASE)
    assert [(w.id, w.attempts) for w in claimed] == [(i, 1) for i in left]


def test_a_reply_waits_for_the_mail_it_answers(home: House) -> None:
    """Another worker holds the parent; the reply must not overtake it."""
    parent, reply = home.deliver(raw("parent")), home.deliver(raw("reply", answers="parent"))
    with home.database.transaction() as tx:
        tx.inbox.claim(home.now, 1, LEASE, only=[parent])
    home.settle()
    assert outcomes(home.database, [parent, reply]) == ["waiting", "waiting"]
    assert rows(home.database, [reply])[0].attempts == 0
    with home.database.transaction() as tx:
        tx.inbox.release([parent], home.now, refund=True)
    home.now += timedelta(seconds=1)
    home.settle()
    assert outcomes(home.database, [parent, reply]) == ["ticket", "reply"]
    assert words(home.database, tickets(home.database)[0]) == ["parent", "reply"]


def test_a_reply_does_not_wait_for_ever(home: House) -> None:
    parent, reply = home.deliver(raw("parent")), home.deliver(raw("reply", answers="parent"))
    with home.database.transaction() as tx:
        tx.inbox.claim(home.now, 1, timedelta(days=1), only=[parent])
    home.now += PARENT_PATIENCE
    home.settle()
    assert outcomes(home.database, [parent, reply]) == ["waiting", "ticket"]


def test_a_quarantined_parent_holds_nobody_up(home: House) -> None:
    parent, reply = home.deliver(raw("parent")), home.deliver(raw("reply", answers="parent"))
    with home.database.transaction() as tx:
        tx.inbox.settle(parent, quarantine("a test"), None, home.now)
    home.settle()
    assert outcomes(home.database, [parent, reply]) == ["quarantined", "ticket"]


THREADS, LENGTH = 20, 10


def _thread(number: int, depth: int) -> bytes:
    answers = f"t{number}-{depth - 1}" if depth else ""
    return raw(f"t{number}-{depth}", f"c{number}@customer.test", answers=answers)


@pytest.mark.peer
def test_two_workers_settle_each_mail_once_and_each_thread_in_order(
    postgres_database: Database, postgres_database_url: str, tmp_path: Path
) -> None:
    """Each node has a database, parsers and a thread of its own."""
    second = Database(postgres_database_url, tmp_path / "data")
    pools = [Parsers(workers=1, seconds=30) for _ in range(2)]
    stop, wake = threading.Event(), threading.Event()
    with house(postgres_database, pools[0], tmp_path) as home:
        mails = [_thread(n, depth) for depth in range(LENGTH) for n in range(THREADS)]
        ids = [home.deliver(mail) for mail in mails]
        workers = [
            Worker(database=base, parsers=pool, desk=home.desk, clock=_quick(home))
            for base, pool in zip((postgres_database, second), pools, strict=True)
        ]
        threads = [threading.Thread(target=w.run, args=(stop, wake)) for w in workers]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: "waiting" not in outcomes(postgres_database, ids), 60)
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
            for pool in pools:
                pool.close()
            second.close()
    assert outcomes(postgres_database, ids) == ["ticket"] * THREADS + ["reply"] * 180
    found = sorted(words(postgres_database, n) for n in tickets(postgres_database))
    assert found == sorted([f"t{n}-{d}" for d in range(LENGTH)] for n in range(THREADS))


def _quick(home: House) -> Callable[[], datetime]:
    """A clock that runs ten times as fast: a second of patience takes a tenth."""
    began = time.monotonic()
    start = home.now

    def clock() -> datetime:
        return start + 10 * timedelta(seconds=time.monotonic() - began)

    return clock


# --- the loop ----------------------------------------------------------------------------


def test_run_settles_what_comes_and_tells_the_mailer(
    database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    told: list[str] = []
    stop, wake = threading.Event(), threading.Event()
    with house(database, parsers, tmp_path) as home:
        home.worker.settled = lambda: told.append("settled")
        thread = threading.Thread(target=home.worker.run, args=(stop, wake))
        thread.start()
        try:
            ids = [home.deliver(raw(f"m{n}")) for n in range(3)]
            wake.set()
            eventually(lambda: len(told) == 3)
        finally:
            stop.set()
            thread.join(10)
    assert not thread.is_alive()
    assert outcomes(database, ids) == ["ticket"] * 3


def test_run_outlives_a_locked_database(
    sqlite_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    event.listen(
        sqlite_database.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=50")
    )
    other = Database("sqlite", tmp_path / "data")
    stop, wake = threading.Event(), threading.Event()
    before = journal.COUNTS["trouble", "worker"]
    with house(sqlite_database, parsers, tmp_path) as home:
        one = home.deliver(raw("one"))
        thread = threading.Thread(target=home.worker.run, args=(stop, wake))
        try:
            with other.transaction():
                thread.start()
                eventually(lambda: journal.COUNTS["trouble", "worker"] > before)
            eventually(lambda: outcomes(sqlite_database, [one]) == ["ticket"])
        finally:
            stop.set()
            thread.join(10)
            other.close()
    assert rows(sqlite_database, [one])[0].attempts == 1


def test_only_the_mails_that_were_asked_for(home: House) -> None:
    ids = [home.deliver(raw(f"m{n}")) for n in range(3)]
    home.worker.drain(only=ids[1:2])
    assert outcomes(home.database, ids) == ["waiting", "ticket", "waiting"]


# --- one mail ----------------------------------------------------------------------------


def test_the_ledger_says_why(home: House) -> None:
    one = home.deliver(raw("one"))
    home.settle()
    row = rows(home.database, [one])[0]
    assert (row.outcome, row.reason, row.ticket) == (Outcome.TICKET, "a new matter", 1001)
    assert [step.step for step in row.trace][:3] == ["screen", "identify", "thread"]
    assert row.settled == home.now


def test_history_has_the_time_at_which_it_came(home: House) -> None:
    home.deliver(raw("old"), live=False, source="import mbox")
    came = home.now
    home.now += timedelta(days=7)
    home.settle()
    with home.database.reading() as tx:
        assert tx.tickets.messages(1001)[0].at == came


@pytest.mark.parametrize("source", ["smtp x", "import mbox"])
def test_what_counts_as_the_same_mail(home: House, source: str) -> None:
    """Another Received makes no other mail on the wire; in an archive only equal bytes do."""
    first = raw("one")
    again = b"Received: by mx2\r\n" + first
    ids = [home.deliver(m, source=source, live=source == "smtp x") for m in (first, again, first)]
    home.settle()
    other = "duplicate" if source == "smtp x" else "ticket"
    assert outcomes(home.database, ids) == ["ticket", other, "duplicate"]
    assert rows(home.database, ids)[2].duplicate_of == ids[0]


def test_large_attachments_are_not_passed_on(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing_module, "PASS_ON_MAX", 15)
    parts = [
        f"--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename={name}"
        f"\r\n\r\n{data}\r\n"
        for name, data in (("small", "x" * 10), ("also", "y" * 10), ("large", "z" * 50))
    ]
    head = b"From: rita@customer.test\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    for chosen in (parts[:1], parts[:2], parts[2:]):
        home.deliver(head + b"\r\n" + "".join(chosen).encode() + b"--b--\r\n")
        home.settle()
    with home.database.reading() as tx:
        mails = [
            tx.outbox.wire_bytes(r.recipients[0].id)
            for r in tx.outbox.list()
            if r.notice == "agent-new"
        ]
    assert [mail.count(b"Content-Disposition: attachment") for mail in mails] == [1, 1, 0]
    said = [b"Not attached: " in mail.replace(b"=\r\n", b"") for mail in mails]
    assert said == [False, True, True]


def test_an_agents_address_that_proved_nothing_escaped_the_caps_for_outsiders(home: House) -> None:
    """Ana's own request: her answer is a customer's, so the caps for outsiders hold."""
    home.worker.desk = replace(
        with_rules(home.desk, rule("again", status="resolved")), caps=Caps(per_address_hour=1)
    )
    home.deliver(raw("first", "ana@example.org"))
    home.settle()
    for name in ("again", "again-and-again"):
        home.deliver(raw(name, "ana@example.org", answers="first"))
        home.settle()
    with home.database.reading() as tx:
        withheld = [e.data for e in tx.tickets.events(1001) if e.kind == "withheld"]
    assert [(d["notice"], d["to"]) for d in withheld] == [("status", "ana@example.org")]
