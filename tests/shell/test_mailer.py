"""What the mailer makes of a relay's answers; ids are those of the fault list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.peers.relay_sink import Mood, RelaySink, eventually
from tests.shell.mailer_rig import BODY, QUICK, Desk, now, relay

SLOW = replace(QUICK, deferred=(timedelta(hours=1),), uncertain=(timedelta(hours=1),))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[RelaySink]:
    with RelaySink(ledger=tmp_path / "ledger") as sink:
        yield sink


def test_each_recipient_gets_the_own_bytes_once(desk: Desk, sink: RelaySink) -> None:
    desk.queue("ann@example.net", "bob@example.com")
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
        desk.wait_for("bob@example.com", "sent")
    assert [m.data for m in sink.to("ann@example.net")] == [b"To: ann@example.net\r\n" + BODY]
    assert [m.data for m in sink.to("bob@example.com")] == [b"To: bob@example.com\r\n" + BODY]
    assert {m.mail_from for m in sink.mails} == {"support@example.org"}
    assert sorted(desk.events("sent")) == ["ann@example.net", "bob@example.com"]
    row = desk.copies()["ann@example.net"]
    assert (row.attempts, row.code, row.due) == (1, 250, None)
    assert "kept as number" in row.text


def test_the_relay_synced_what_it_acknowledged(desk: Desk, sink: RelaySink, tmp_path: Path) -> None:
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    data = b"To: ann@example.net\r\n" + BODY
    assert json.loads((tmp_path / "ledger").read_text()) == {
        "to": ["ann@example.net"],
        "from": "support@example.org",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }


def test_o4_recipients_do_not_share_a_fate(desk: Desk, sink: RelaySink) -> None:
    sink.script("RCPT", "550 5.1.1 no such user", who="bob@example.com")
    sink.script("RCPT", "451 4.7.1 come back later", who="cy@example.com", times=1)
    desk.queue("ann@example.net", "bob@example.com", "cy@example.com")
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
        bob = desk.wait_for("bob@example.com", "failed")
        cy = desk.wait_for("cy@example.com", "sent")
    assert (bob.code, bob.text, bob.attempts) == (550, "5.1.1 no such user", 1)
    assert cy.attempts == 2
    assert [m.rcpt_tos for m in sink.to("cy@example.com")] == [("cy@example.com",)]
    assert len(sink.mails) == 2
    assert desk.events("undeliverable") == ["bob@example.com"]
    assert desk.events("delayed") == ["cy@example.com"]


def test_o5_greylisting_ends_in_one_mail_and_one_line_of_history(
    desk: Desk, sink: RelaySink
) -> None:
    sink.script("RCPT", "450 4.2.0 greylisted", times=4)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        row = desk.wait_for("ann@example.net", "sent")
    assert row.attempts == 5
    assert len(sink.mails) == 1
    assert desk.events("delayed") == ["ann@example.net"]


@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "dot"])
def test_o5_421_anywhere_is_a_delay(desk: Desk, sink: RelaySink, step: str) -> None:
    sink.script(step, "421 4.3.2 shutting down", times=1)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        row = desk.wait_for("ann@example.net", "sent")
    assert row.attempts == 2
    assert len(sink.mails) == 1


def test_o5_a_relay_nobody_can_find_is_a_delay(desk: Desk) -> None:
    with RelaySink() as gone:
        settings = relay(gone)
    desk.queue("ann@example.net")
    with desk.sending(settings, schedule=SLOW):
        row = desk.wait_for("ann@example.net", "deferred")
    assert row.code == 0
    assert row.text.startswith(f"127.0.0.1:{settings.port}: Error connecting")
    assert row.due
    assert row.due > now()


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("connect", "554 5.7.1 we do not know you"),
        ("EHLO", "550 5.7.1 that is not your name"),
        ("AUTH", "535 5.7.8 wrong password"),
        ("MAIL", "530 5.7.0 log in first"),
        ("MAIL", "550 5.7.1 not your address"),
        ("RCPT", "554 5.7.1 <ann@example.net>: Relay access denied"),
    ],
)
def test_o6_our_own_mistake_fails_nothing(
    desk: Desk, sink: RelaySink, step: str, answer: str
) -> None:
    sink.login = ("mailgate", "secret")
    sink.script(step, answer)
    desk.queue("ann@example.net")
    login = {"username": "mailgate", "password": "secret"} if step == "AUTH" else {}
    with desk.sending(relay(sink, **login), schedule=SLOW):
        row = desk.wait_for("ann@example.net", "deferred")
    assert row.code == int(answer[:3])
    assert answer[4:] in row.text
    assert not sink.mails


def test_o6_a_refused_login_is_not_hammered(desk: Desk, sink: RelaySink) -> None:
    sink.login = ("mailgate", "secret")
    for number in range(50):
        desk.queue(f"a{number}@example.net")
    with desk.sending(relay(sink, username="mailgate", password="wrong"), schedule=SLOW):
        eventually(lambda: len(desk.results) > 2)
    states = [copy.state.value for copy in desk.copies().values()]
    assert states.count("pending") > 35
    assert set(states) <= {"pending", "deferred"}


def test_o6_health_is_red_and_then_green(desk: Desk, sink: RelaySink) -> None:
    sink.script("connect", "554 5.7.1 we do not know you", times=1)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    with desk.database.reading() as tx:
        (health,) = tx.sources.health()
    assert health.name == f"relay 127.0.0.1:{sink.port}"
    assert health.ok
    assert health.last_failure


def test_o3_no_answer_to_the_dot_repeats_the_same_bytes(desk: Desk, sink: RelaySink) -> None:
    sink.script("kept", Mood.HANGUP, times=1)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        row = desk.wait_for("ann@example.net", "sent")
    assert row.attempts == 2
    first, second = sink.to("ann@example.net")
    assert first.data == second.data
    assert desk.events("uncertain") == ["ann@example.net"]


def test_o3_an_automatic_mail_is_never_repeated(desk: Desk, sink: RelaySink) -> None:
    sink.script("kept", Mood.HANGUP, times=1)
    desk.queue("ann@example.net", automatic=True)
    with desk.sending(relay(sink)):
        row = desk.wait_for("ann@example.net", "failed")
    assert row.text.startswith("the answer was lost, and an automatic mail is never repeated")
    assert len(sink.to("ann@example.net")) == 1
    assert desk.events("undeliverable") == ["ann@example.net"]


def test_o3_a_stalled_answer_is_uncertain(desk: Desk, sink: RelaySink) -> None:
    sink.script("kept", Mood.STALL, times=1)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink), schedule=SLOW):
        row = desk.wait_for("ann@example.net", "uncertain")
    assert (row.code, row.text) == (0, "no end within the deadline")


def test_a_refusal_after_the_dot_leaves_the_connection_in_use(desk: Desk, sink: RelaySink) -> None:
    sink.script("dot", "554 5.7.1 looks like spam", times=1)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)) as wake:
        desk.wait_for("ann@example.net", "failed")
        desk.queue("bob@example.com")
        wake.set()
        desk.wait_for("bob@example.com", "sent")
    assert sink.connections == 1
    assert sink.seen("RSET") == 1
