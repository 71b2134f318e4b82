"""The morning digest and the duty list: once a day for each agent, whichever node sends it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailgate.core.decide import quarantine
from mailgate.core.decision import SetField
from mailgate.core.mail import Envelope, Inbound
from mailgate.intake import commit
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


# --- the duty list ------------------------------------------------------------------------


def on_duty(office: Office, now: datetime, *who: str) -> Timers:
    """Timers of a desk where these agents are on duty."""
    policy = replace(office.desk.policy, digest=f"{NOW:%H:%M}", duty=who)
    return Timers(office.database, replace(office.desk, policy=policy), clock=lambda: now)


def set_aside(office: Office, *mails: bytes) -> list[int]:
    """Mails in quarantine."""
    given = [
        Inbound(raw=m, source="pipe", source_key=f"k{n}", received=NOW, envelope=Envelope())
        for n, m in enumerate(mails)
    ]
    ids = [inbound for inbound, _new in commit(office.database, given)]
    with office.database.transaction() as tx:
        for inbound in ids:
            tx.inbox.settle(inbound, quarantine("too complex"), None, NOW)
    return ids


def lists(office: Office) -> list[str]:
    """Who got a duty list."""
    with office.database.reading() as tx:
        rows = [row for row in tx.outbox.list(limit=1000) if row.notice == "duty"]
    return sorted(person.address for row in rows for person in row.recipients)


def test_whoever_is_on_duty_gets_the_list_once_a_day(office: Office) -> None:
    set_aside(office, b"From: sol@other.test\r\nSubject: Odd\r\n\r\nHello\r\n")
    nodes = [on_duty(office, NOW, "ana@example.org", "ben@example.org") for _ in range(4)]
    threads = [threading.Thread(target=node.step) for node in nodes]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert lists(office) == ["ana@example.org", "ben@example.org"]
    on_duty(office, NOW + timedelta(days=1), "ana@example.org").step()
    assert lists(office) == ["ana@example.org", "ana@example.org", "ben@example.org"]


def test_nobody_gets_a_list_where_nothing_waits_or_nobody_is_on_duty(office: Office) -> None:
    on_duty(office, NOW, "ana@example.org").step()
    set_aside(office, b"From: sol@other.test\r\n\r\nHello\r\n")
    on_duty(office, NOW + timedelta(minutes=1)).step()
    assert lists(office) == []
