"""The mailer beside others, killed, stopped, paused, slowed down, and without a database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.core.decision import CopyState
from store.database import Database
from tests.peers.relay_sink import Mood, RelaySink, eventually
from tests.shell.mailer_rig import TIMING, Desk, Disk, relay, running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def sink() -> Iterator[RelaySink]:
    with RelaySink() as sink:
        yield sink


@contextmanager
def process(folder: Path, sink: RelaySink) -> Iterator[subprocess.Popen[bytes]]:
    """A mailer in a process of its own; killed at the end if it is still there."""
    words = [sys.executable, "-m", "tests.shell.mailer_rig", str(folder), str(sink.port)]
    with subprocess.Popen(words, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def test_o9_four_mailers_on_one_outbox(desk: Desk, sink: RelaySink, tmp_path: Path) -> None:
    addresses = [f"a{number}@example.net" for number in range(120)]
    for at in range(0, 120, 5):
        desk.queue(*addresses[at : at + 5])
    databases = [Database("sqlite", tmp_path) for _ in range(4)]
    with running([desk.mailer(relay(sink), database=database) for database in databases]):
        eventually(lambda: len(desk.results) == 120)
    for database in databases:
        database.close()
    assert Counter(mail.rcpt_tos for mail in sink.mails) == {(a,): 1 for a in addresses}
    for address in addresses:
        assert sink.to(address)[0].data.startswith(f"To: {address}\r\n".encode())


@pytest.mark.parametrize(
    ("automatic", "step", "copies", "state"),
    [
        pytest.param(False, "RCPT", 1, "sent", id="O9 a claim expires"),
        pytest.param(False, "kept", 2, "sent", id="O1 a reply repeats at most once"),
        pytest.param(True, "kept", 1, "failed", id="O1 a confirmation never repeats"),
        pytest.param(True, "RCPT", 0, "failed", id="O1 not even if it never left"),
    ],
)
def test_a_mailer_killed_while_sending(
    desk: Desk,
    sink: RelaySink,
    tmp_path: Path,
    automatic: bool,
    step: str,
    copies: int,
    state: str,
) -> None:
    sink.script(step, Mood.STALL, times=1)
    desk.queue("ann@example.net", automatic=automatic)
    desk.queue("bob@example.com", automatic=automatic)
    with process(tmp_path, sink) as child:
        eventually(lambda: sink.seen(step) >= 1)
        eventually(lambda: [c.state for c in desk.copies().values()].count(CopyState.SENT) == 1)
        child.kill()
        child.wait()
    (stuck,) = [c for c in desk.copies().values() if c.state == "sending"]
    with desk.sending(relay(sink)):
        row = desk.wait_for(stuck.address, state)
    sent = sink.to(stuck.address)
    assert len(sent) == copies
    assert len({mail.data for mail in sent}) <= 1
    assert row.attempts == 2


@pytest.mark.parametrize(
    ("step", "state"),
    [("connect", "pending"), ("MAIL", "pending"), ("RCPT", "pending"), ("kept", "uncertain")],
)
def test_stop_gives_back_what_had_not_left(
    desk: Desk, sink: RelaySink, step: str, state: str
) -> None:
    sink.script(step, Mood.STALL)
    desk.queue("ann@example.net")
    patient = replace(TIMING, deadline=60.0, opening=60.0, lease=120.0, grace=0.5)
    with desk.sending(relay(sink), timing=patient):
        eventually(lambda: sink.seen(step) == 1)
    row = desk.copies()["ann@example.net"]
    assert (row.state, row.attempts) == (state, 1 if state == "uncertain" else 0)


def test_stop_lets_a_transaction_end(desk: Desk, sink: RelaySink) -> None:
    desk.queue(*[f"a{number}@example.net" for number in range(200)])
    with desk.sending(relay(sink)):
        eventually(lambda: len(sink.mails) > 20)
    states = Counter(copy.state.value for copy in desk.copies().values())
    assert set(states) <= {"sent", "pending"}
    assert states["sent"] == len(sink.mails)


def test_stop_with_nothing_to_do(desk: Desk, sink: RelaySink) -> None:
    with desk.sending(relay(sink)):
        pass
    assert sink.connections == 0


def test_without_a_route_mail_waits(desk: Desk) -> None:
    desk.queue("ann@example.net")
    with desk.sending() as wake:
        wake.set()
        eventually(lambda: not wake.is_set())
    assert desk.state("ann@example.net") == "pending"


def test_wake_sends_at_once(desk: Desk, sink: RelaySink) -> None:
    with desk.sending(relay(sink)) as wake:
        desk.queue("ann@example.net")
        wake.set()
        desk.wait_for("ann@example.net", "sent")


def test_pause_holds_everything_and_resume_lets_go(desk: Desk, sink: RelaySink) -> None:
    with desk.database.transaction() as tx:
        tx.set_setting("outbox.paused", "1")
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)) as wake:
        for _ in range(3):
            wake.set()
            eventually(lambda: not wake.is_set())
        assert desk.state("ann@example.net") == "pending"
        with desk.database.transaction() as tx:
            tx.set_setting("outbox.paused", "0")
        wake.set()
        desk.wait_for("ann@example.net", "sent")


def test_rate_spaces_mails_evenly(desk: Desk, sink: RelaySink) -> None:
    desk.queue(*[f"a{number}@example.net" for number in range(6)])
    began = time.monotonic()  # a mail may be late, and the next one then seems to come too soon
    with desk.sending(relay(sink, rate=600)):  # one each 100 ms
        eventually(lambda: len(sink.mails) == 6)
        assert time.monotonic() - began >= 0.5


def test_d3_a_sender_that_cannot_write_results_stands_still(desk: Desk, sink: RelaySink) -> None:
    trouble = ("trouble", "mailer stands still: a result cannot be written")
    before = journal.COUNTS[trouble]
    desk.queue(*[f"a{number}@example.net" for number in range(60)])
    disk = Disk(desk.database)
    sink.script("kept", lambda: None, times=2)
    sink.script("kept", disk.fail, times=1)  # the answer to the third mail finds no disk
    with desk.sending(relay(sink), timing=replace(TIMING, connections=2)):
        eventually(lambda: journal.COUNTS[trouble] > before)
        refused = disk.refused
        eventually(lambda: disk.refused > refused + 2)  # what was on the wire has arrived
        stuck, refused = len(sink.mails), disk.refused
        eventually(lambda: disk.refused > refused + 2)
        assert len(sink.mails) == stuck < 60
        disk.readonly = False
        eventually(lambda: len(desk.results) == 60)
    assert len(sink.mails) == 60
    assert {copy.attempts for copy in desk.copies().values()} == {1}


def test_d3_a_result_not_written_in_time_is_told_and_the_claim_expires(
    desk: Desk, sink: RelaySink
) -> None:
    trouble = ("trouble", "a result was never written")
    before = journal.COUNTS[trouble]
    disk = Disk(desk.database)
    sink.script("kept", Mood.STALL, times=1)
    desk.queue("ann@example.net")
    short = replace(TIMING, deadline=0.5, lease=1.5, settling=0.5)
    with desk.sending(relay(sink), timing=short):
        eventually(lambda: sink.seen("kept") == 1)
        disk.fail()
        eventually(lambda: journal.COUNTS[trouble] == before + 1)
        disk.readonly = False
        desk.wait_for("ann@example.net", "sent")
    first, second = sink.to("ann@example.net")
    assert first.data == second.data


def test_d4_a_database_that_is_away_is_asked_again(desk: Desk, sink: RelaySink) -> None:
    desk.queue("ann@example.net")
    disk = Disk(desk.database)
    disk.fail()
    with desk.sending(relay(sink)):
        eventually(lambda: disk.refused > 0)
        disk.readonly = False
        desk.wait_for("ann@example.net", "sent")
    assert len(sink.mails) == 1
