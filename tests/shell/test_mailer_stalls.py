"""O2: a relay that stops answering, or goes away, at every step of the dialogue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers.relay_sink import Mood, RelaySink, eventually
from tests.shell.mailer_rig import TIMING, Desk, relay

BEFORE_THE_DOT = ["connect", "EHLO", "MAIL", "RCPT", "DATA"]
QUICK_OPENING = replace(TIMING, opening=0.4, deadline=1.0)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.mark.parametrize("automatic", [False, True])
@pytest.mark.parametrize("step", BEFORE_THE_DOT)
@pytest.mark.parametrize("mood", list(Mood))
def test_before_the_dot_nothing_is_doubled(
    desk: Desk, mood: Mood, step: str, automatic: bool
) -> None:
    with RelaySink() as sink:
        # A connection that breaks at once is opened again within the attempt, up to three times.
        opening = step in ("connect", "EHLO") and mood is Mood.HANGUP
        sink.script(step, mood, times=3 if opening else 1)
        desk.queue("ann@example.net", automatic=automatic)
        with desk.sending(relay(sink, timeout=0.3), timing=QUICK_OPENING):
            row = desk.wait_for("ann@example.net", "sent")
        assert row.attempts >= 2
        assert len(sink.mails) == 1
        assert not desk.events("uncertain")


def test_a_stall_at_quit_delays_nobody(desk: Desk) -> None:
    with RelaySink() as sink:
        sink.script("QUIT", Mood.STALL)
        desk.queue("ann@example.net")
        with desk.sending(relay(sink), timing=replace(TIMING, idle=0.0)) as wake:
            desk.wait_for("ann@example.net", "sent")
            eventually(lambda: sink.seen("QUIT") == 1)
            desk.queue("bob@example.com")
            wake.set()
            desk.wait_for("bob@example.com", "sent")
        assert len(sink.mails) == 2


def test_other_mails_go_on_beside_a_stalled_one(desk: Desk) -> None:
    with RelaySink() as sink:
        sink.script("RCPT", Mood.STALL, who="tarpit@example.net", times=1)
        desk.queue("tarpit@example.net")
        others = [f"a{number}@example.net" for number in range(10)]
        with desk.sending(relay(sink), timing=replace(TIMING, deadline=8.0)) as wake:
            eventually(lambda: sink.seen("RCPT") == 1)
            desk.queue(*others)
            wake.set()
            for address in others:
                desk.wait_for(address, "sent")
            assert desk.state("tarpit@example.net") == "sending"


def test_a_connection_the_relay_closed_while_idle_costs_no_attempt(desk: Desk) -> None:
    with RelaySink() as sink:
        settings = relay(sink)
        desk.queue("ann@example.net")
        with desk.sending(settings) as wake:
            desk.wait_for("ann@example.net", "sent")
            sink.script("RSET", "421 4.4.2 idle too long", times=1)
            desk.queue("bob@example.com")
            wake.set()
            row = desk.wait_for("bob@example.com", "sent")
        assert row.attempts == 1
        assert sink.connections == 2


def test_an_idle_connection_is_closed_with_quit(desk: Desk) -> None:
    with RelaySink() as sink:
        desk.queue("ann@example.net")
        with desk.sending(relay(sink), timing=replace(TIMING, idle=0.1)):
            desk.wait_for("ann@example.net", "sent")
            eventually(lambda: sink.seen("QUIT") == 1)


def test_an_answer_that_is_not_smtp_counts_as_none(desk: Desk) -> None:
    with RelaySink() as sink:
        sink.script("MAIL", "HTTP/1.1 400 Bad Request", times=1)
        desk.queue("ann@example.net")
        with desk.sending(relay(sink)):
            row = desk.wait_for("ann@example.net", "sent")
        assert row.attempts == 2
        assert sink.connections == 2


def test_the_second_route_takes_over_and_the_first_is_left_alone(desk: Desk) -> None:
    with RelaySink() as first, RelaySink() as second:
        first.script("connect", "421 4.3.2 too busy")
        desk.queue(*[f"a{number}@example.net" for number in range(30)])
        with desk.sending(relay(first), relay(second)):
            eventually(lambda: len(second.mails) == 30)
            eventually(lambda: len(desk.results) == 30)
        assert {copy.attempts for copy in desk.copies().values()} == {1}
        assert {attempt.route for _, attempt, _ in desk.results} == {f"127.0.0.1:{second.port}"}
        assert first.connections < 10


def test_the_first_route_is_taken_again_when_it_is_back(desk: Desk) -> None:
    with RelaySink() as first, RelaySink() as second:
        first.script("connect", "421 4.3.2 too busy", times=1)
        desk.queue("ann@example.net")
        with desk.sending(relay(first), relay(second)) as wake:
            desk.wait_for("ann@example.net", "sent")
            number = 0
            while not first.mails:
                number += 1
                desk.queue(f"a{number}@example.net")
                wake.set()
                desk.wait_for(f"a{number}@example.net", "sent")
        assert second.to("ann@example.net")


def test_a_connection_with_an_answer_still_to_come_is_not_used_again(desk: Desk) -> None:
    # aiosmtplib would take the late "250" to RCPT as the answer to the next command.
    with RelaySink() as sink:
        sink.script("RCPT", lambda: time.sleep(0.6), times=1)
        desk.queue("ann@example.net")
        with desk.sending(relay(sink), timing=replace(TIMING, deadline=0.3)):
            row = desk.wait_for("ann@example.net", "sent")
        assert row.attempts >= 2
        assert sink.connections >= 2
        assert len(sink.mails) == 1
