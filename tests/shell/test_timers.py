"""Clocks that ring: a resolved ticket closes by itself, once, and only if it still is resolved."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from mailgate import journal
from mailgate.apply import AUTOCLOSE
from mailgate.core.decision import Effect, Merge, SetClock, SetField
from mailgate.timers import LEASE, Timers
from store.database import Database
from tests.peers.relay_sink import eventually
from tests.shell.apply_rig import NOW, OPEN, Office

DAYS = timedelta(days=3)
RESOLVED = SetField(field="status", value="resolved", because="a test")


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def timers(office: Office, after: timedelta = DAYS, rung: list[str] | None = None) -> Timers:
    """Timers at a time after `NOW`; each ring is noted in `rung`."""
    note = rung if rung is not None else []
    return Timers(
        office.database, office.desk, rung=lambda: note.append("rung"), clock=lambda: NOW + after
    )


def status(office: Office, number: int) -> str:
    with office.database.reading() as tx:
        return tx.tickets.views([number])[number].status


def test_a_resolved_ticket_closes_in_time(office: Office) -> None:
    number = office.do(OPEN, RESOLVED)
    rung: list[str] = []
    assert timers(office, DAYS - timedelta(seconds=1), rung).step() == 0
    assert (status(office, number), rung) == ("resolved", [])
    assert timers(office, DAYS, rung).step() == 1
    assert (status(office, number), rung) == ("closed", ["rung"])
    assert [row.notice for row in office.mails(number)] == ["closure"]
    with office.database.reading() as tx:
        assert tx.tickets.views([number])[number].closed == NOW + DAYS
        assert tx.tickets.events(number)[-2].actor == "timer"


def test_it_rings_once(office: Office) -> None:
    number = office.do(OPEN, RESOLVED)
    assert timers(office).step() == 1
    assert timers(office, DAYS + 2 * LEASE).step() == 0
    assert len(office.mails(number)) == 1


def test_two_timers_ring_for_different_tickets(office: Office) -> None:
    """What one has claimed is not seen by the other."""
    numbers = [office.do(OPEN, RESOLVED) for _ in range(60)]
    assert (timers(office).step(), timers(office).step()) == (50, 10)
    assert {status(office, n) for n in numbers} == {"closed"}


@pytest.mark.parametrize("kind", [AUTOCLOSE, "of a later version"])
def test_a_clock_that_has_lost_its_meaning_is_stopped(office: Office, kind: str) -> None:
    number = office.do(OPEN)
    with office.database.transaction() as tx:
        tx.clocks.start(number, kind, NOW, NOW)
    rung: list[str] = []
    assert timers(office, rung=rung).step() == 1
    assert (status(office, number), rung, office.clock()) == ("new", [], None)


# --- what an agent wanted done by a date ------------------------------------------------------


def due(days: int) -> SetClock:
    return SetClock(kind="due", due=NOW + timedelta(days=days), because="a test")


def test_what_is_overdue_is_told_once_and_the_date_stays(office: Office) -> None:
    number = office.do(OPEN, due(2))
    assert timers(office, timedelta(days=1)).step() == 0
    assert [timers(office, DAYS + n * LEASE).step() for n in range(3)] == [1, 0, 0]
    assert [row.notice for row in office.mails(number)] == ["agent-overdue"]
    with office.database.reading() as tx:
        said = [e.data for e in tx.tickets.events(number) if e.kind == "overdue"]
        assert said == [{"due": (NOW + timedelta(days=2)).isoformat()}]
        assert tx.lists.due([number]) == {number: NOW + timedelta(days=2)}


def test_a_date_that_was_moved_is_told_of_anew(office: Office) -> None:
    number = office.do(OPEN, due(1), due(2))
    assert timers(office, timedelta(days=1)).step() == 0
    assert timers(office, timedelta(days=2)).step() == 1
    office.do(due(3), on=number)
    assert timers(office, DAYS).step() == 1
    assert [row.notice for row in office.mails(number)] == ["agent-overdue"] * 2


def test_a_date_that_was_taken_back_is_not_told_of(office: Office) -> None:
    office.do(OPEN, due(1), SetClock(kind="due", due=None, because="a test"))
    assert timers(office).step() == 0


SNOOZED = SetClock(kind="snooze", due=NOW + 2 * DAYS, because="a test")


@pytest.mark.parametrize(
    "effects",
    [
        pytest.param((SetField(field="status", value="resolved", because="x"),), id="resolved"),
        pytest.param((SetField(field="status", value="closed", because="x"),), id="closed"),
        pytest.param(
            (SetField(field="status", value="waiting", because="x"), SNOOZED), id="snoozed"
        ),
    ],
)
def test_what_nobody_has_to_do_is_not_overdue(office: Office, effects: tuple[Effect, ...]) -> None:
    number = office.do(OPEN, due(2), *effects)
    timers(office, timedelta(days=2)).step()
    assert "agent-overdue" not in [row.notice for row in office.mails(number)]


def test_a_ticket_that_waits_for_its_customer_is_overdue(office: Office) -> None:
    waits = SetField(field="status", value="waiting", because="x")
    number = office.do(OPEN, due(2), waits)
    timers(office, timedelta(days=2)).step()
    assert [row.notice for row in office.mails(number)] == ["agent-overdue"]


def test_a_merged_ticket_is_not_overdue(office: Office) -> None:
    survivor = office.do(OPEN)
    number = office.do(OPEN, due(2))
    office.do(Merge(merged=number, because="a test"), on=survivor)
    assert timers(office, timedelta(days=2)).step() == 0
    assert office.mails(number) == office.mails(survivor) == []


def test_run_rings_until_it_is_stopped(office: Office) -> None:
    number = office.do(OPEN, RESOLVED)
    stop = threading.Event()
    thread = threading.Thread(target=timers(office).run, args=(stop,))
    thread.start()
    try:
        eventually(lambda: status(office, number) == "closed")
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_run_outlives_a_locked_database(sqlite_database: Database, tmp_path: Path) -> None:
    event.listen(
        sqlite_database.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=50")
    )
    office = Office(sqlite_database, tmp_path)
    other = Database("sqlite", tmp_path / "data")
    before = journal.COUNTS["trouble", "timers"]
    stop = threading.Event()
    thread = threading.Thread(target=timers(office).run, args=(stop,))
    try:
        with other.transaction():
            thread.start()
            eventually(lambda: journal.COUNTS["trouble", "timers"] > before)
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(10)
        other.close()
