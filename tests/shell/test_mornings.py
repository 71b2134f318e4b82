"""The morning digest: once a day for each agent, whoever of many nodes sends it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailgate.core.decision import SetField
from mailgate.timers import Timers
from store.database import Database
from tests.shell.apply_rig import NOW, OPEN, Office

MINE = SetField(field="assignee", value="ana@example.org", because="a test")


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def node(office: Office, now: datetime, rung: list[str] | None = None) -> Timers:
    """The timers of one of several nodes, with a digest at the hour of NOW."""
    desk = replace(office.desk, policy=replace(office.desk.policy, digest=f"{NOW:%H:%M}"))
    note = rung if rung is not None else []
    return Timers(office.database, desk, rung=lambda: note.append("rung"), clock=lambda: now)


def digests(office: Office) -> list[str]:
    """Who got one, in the order of sending."""
    with office.database.reading() as tx:
        rows = [row for row in tx.outbox.list(limit=1000) if row.notice == "digest"]
    return [person.address for row in rows for person in row.recipients]


def test_it_is_sent_once_a_day_to_those_who_have_something_to_do(office: Office) -> None:
    office.do(OPEN, MINE)
    rung: list[str] = []
    for later in (timedelta(0), timedelta(minutes=5), timedelta(hours=5)):
        node(office, NOW + later, rung).step()
    assert (digests(office), rung) == (["ana@example.org"], ["rung"])
    node(office, NOW + timedelta(days=1)).step()
    assert digests(office) == ["ana@example.org"] * 2


def test_nothing_to_do_is_no_mail(office: Office) -> None:
    office.do(OPEN, MINE, SetField(field="status", value="resolved", because="a test"))
    node(office, NOW).step()
    assert digests(office) == []


def test_a_node_that_runs_on_sends_the_next_day_too(office: Office) -> None:
    office.do(OPEN, MINE)
    times = [NOW, NOW + timedelta(hours=1), NOW + timedelta(days=1)]
    desk = replace(office.desk, policy=replace(office.desk.policy, digest=f"{NOW:%H:%M}"))
    timers = Timers(office.database, desk, clock=lambda: times[0])
    while times:
        timers.step()
        times.pop(0)
    assert digests(office) == ["ana@example.org"] * 2


def test_of_many_nodes_one_sends_it(office: Office) -> None:
    office.do(OPEN, MINE)
    nodes = [threading.Thread(target=node(office, NOW).step) for _ in range(4)]
    for one in nodes:
        one.start()
    for one in nodes:
        one.join()
    assert digests(office) == ["ana@example.org"]
