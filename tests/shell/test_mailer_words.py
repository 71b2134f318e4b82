"""Relays whose words no database takes: they cost neither the mailer nor a second copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.core.decision import CopyState
from mailgate.mailer.session import Reply, RouteDown
from tests.peers.relay_sink import RelaySink, eventually
from tests.shell.mailer_rig import TIMING, Desk, relay

LATIN = b"Bo\xeete\x00 \x1b]0;inconnue\x07".decode("utf-8", "surrogateescape")
CLEAN = "Bo\ufffdte  ]0;inconnue"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def sink() -> Iterator[RelaySink]:
    with RelaySink() as sink:
        yield sink


def refuse_writing(desk: Desk, when: str) -> None:
    """Let the database refuse a copy's row for what is in it, as an engine of its own mind does."""
    with desk.database.transaction() as tx:
        tx.conn.exec_driver_sql(
            f"CREATE TRIGGER refuse BEFORE UPDATE ON outbox_recipients WHEN {when}"
            " BEGIN SELECT RAISE(ABORT, 'value not taken'); END"
        )


def test_a_refusal_in_latin_1_is_recorded_and_the_mailer_goes_on(
    desk: Desk, sink: RelaySink
) -> None:
    sink.script("RCPT", f"550 5.1.1 {LATIN}", who="ann@example.net")
    desk.queue("ann@example.net", "bob@example.com")
    with desk.sending(relay(sink)):
        ann = desk.wait_for("ann@example.net", "failed")
        desk.wait_for("bob@example.com", "sent")
    assert (ann.code, ann.text, ann.attempts) == (550, f"5.1.1 {CLEAN}", 1)
    assert desk.events("undeliverable") == ["ann@example.net"]


def test_an_acceptance_in_latin_1_is_not_sent_again(desk: Desk, sink: RelaySink) -> None:
    sink.script("kept", f"250 2.0.0 {LATIN}")
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        row = desk.wait_for("ann@example.net", "sent")
    assert (row.code, row.text, row.attempts) == (250, f"2.0.0 {CLEAN}", 1)
    assert sink.seen("kept") == 1


def test_a_greeting_in_latin_1_turns_health_red(desk: Desk, sink: RelaySink) -> None:
    sink.script("connect", f"554 {LATIN}", times=1)
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    with desk.database.reading() as tx:
        (health,) = tx.sources.health()
    assert health.last_failure is not None
    assert desk.events("delayed") == ["ann@example.net"]


@pytest.mark.parametrize("words", [LATIN, "a\r\nb\x85c\ud800", "\x7f\x9b\udcff"])
def test_no_words_of_a_relay_hold_controls_or_lone_surrogates(words: str) -> None:
    for text in (Reply(code=250, text=words).text, str(RouteDown(words))):
        assert text.encode("utf-8")
        assert text.isprintable()


def test_words_that_the_database_refuses_are_left_out(desk: Desk, sink: RelaySink) -> None:
    trouble = ("trouble", "a result was refused by the database")
    before = journal.COUNTS[trouble]
    refuse_writing(desk, "NEW.text LIKE '%kept as number%'")
    desk.queue("ann@example.net", "bob@example.com")
    with desk.sending(relay(sink)):
        ann = desk.wait_for("ann@example.net", "sent")
        desk.wait_for("bob@example.com", "sent")
    assert (ann.code, ann.attempts) == (250, 1)
    assert ann.text == "the relay's words could not be written down"
    assert len(sink.mails) == 2
    assert journal.COUNTS[trouble] == before + 2


def test_a_copy_that_was_accepted_is_not_sent_again_when_nothing_can_be_recorded(
    desk: Desk, sink: RelaySink
) -> None:
    trouble = ("trouble", "a result was never written")
    before = journal.COUNTS[trouble]
    refuse_writing(desk, "NEW.state = 'sent'")
    desk.queue("ann@example.net")
    with desk.sending(relay(sink), timing=replace(TIMING, lease=1.5, deadline=0.5, settling=0.5)):
        eventually(lambda: journal.COUNTS[trouble] >= before + 2)  # claimed again, and once more
        assert desk.state("ann@example.net") is CopyState.SENDING
        with desk.database.transaction() as tx:
            tx.conn.exec_driver_sql("DROP TRIGGER refuse")
        row = desk.wait_for("ann@example.net", "sent")
    assert row.code == 250
    assert len(sink.mails) == 1
