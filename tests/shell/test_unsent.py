"""Agents hear of mail that never left: what a relay refused, and what a dead address was spared."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mailgate.core.decision import Merge, Notice
from mailgate.core.people import Author
from mailgate.mailer import Mailer
from mailgate.timers import Timers
from store.database import Database
from tests.peers.relay_sink import RelaySink, eventually
from tests.shell.apply_rig import CARL, CAUSE, NOW, OPEN, RITA, Office, notify
from tests.shell.mailer_rig import QUICK, TIMING, relay, running

NO_USER = "550 5.1.1 no such user"
ANSWERED = replace(CAUSE, actor="ana@example.org", by_agent=True)


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def send_all(office: Office, sink: RelaySink) -> None:
    """Until every copy in the outbox has come to its end."""

    def done() -> bool:
        with office.database.reading() as tx:
            return tx.stats.depths().outbox == 0

    with running([Mailer(office.database, [relay(sink)], timing=TIMING, schedule=QUICK)]):
        eventually(done)


def ring(office: Office) -> int:
    return Timers(office.database, office.desk).step()  # its clock is real, as the mailer's is


def words(office: Office, number: int) -> str:
    """The text of the last notice, its lines joined."""
    text = office.wire(office.mails(number)[-1]).replace("=\r\n", "")
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_an_answer_that_the_relay_refused_is_told_to_agents_once(office: Office) -> None:
    with RelaySink() as sink:
        sink.script("RCPT", NO_USER, who=RITA.address)
        number = office.do(OPEN, notify(Notice.ANSWER, RITA, CARL), cause=ANSWERED)
        send_all(office, sink)
        assert [ring(office), ring(office)] == [1, 0]
        notices = [row.notice for row in office.mails(number)]
        assert notices == ["answer", *["agent-bounce"] * (len(notices) - 1)]
        assert len(notices) > 1
        assert f"could not be delivered to {RITA.address}" in words(office, number)
        assert "nobody tries again" in words(office, number)
        assert NO_USER in words(office, number)
        sink.script("RCPT", NO_USER)
        send_all(office, sink)
        assert ring(office) == 0  # that a notice about it is refused is told to nobody


def test_what_was_sent_again_meanwhile_is_not_told_of(office: Office) -> None:
    with RelaySink() as sink:
        sink.script("RCPT", NO_USER, times=1)
        number = office.do(OPEN, notify(Notice.ANSWER, RITA), cause=ANSWERED)
        send_all(office, sink)
        with office.database.transaction() as tx:
            assert tx.outbox.retry([office.mails(number)[0].id], NOW) == 1
        send_all(office, sink)
    assert ring(office) == 1
    assert [row.notice for row in office.mails(number)] == ["answer"]


def test_a_refusal_is_told_on_the_ticket_that_lives_on(office: Office) -> None:
    with RelaySink() as sink:
        sink.script("RCPT", NO_USER)
        gone = office.do(OPEN, notify(Notice.ANSWER, RITA), cause=ANSWERED)
        send_all(office, sink)
    there = office.do(OPEN)
    office.do(Merge(merged=gone, because="a test"), on=there)
    assert ring(office) == 1
    assert {row.notice for row in office.mails(there)} >= {"agent-bounce"}


@pytest.mark.parametrize("notice", [Notice.ANSWER, Notice.SIDE])
def test_words_to_a_dead_address_come_back_to_their_agent(office: Office, notice: Notice) -> None:
    with office.database.transaction() as tx:
        tx.undeliverable.failed(RITA.address, hard=True, reason=NO_USER, now=NOW)
    agent = office.desk.policy.agent_for("ana@example.org")
    by_ana = replace(ANSWERED, author=Author(address="ana@example.org", name="Ana", agent=agent))
    number = office.do(OPEN, notify(notice, RITA, CARL), cause=by_ana)
    rows = office.mails(number)
    assert [row.notice for row in rows] == [notice, "agent-bounce"]
    assert [[copy.address for copy in row.recipients] for row in rows] == [
        [CARL.address],
        ["ana@example.org"],
    ]
    assert "Your words were not sent there" in words(office, number)
    assert "It does not print." in words(office, number)
    reaches = "will not read a reply" if notice is Notice.ANSWER else "reaches nobody"
    assert reaches in words(office, number)


def test_a_customers_words_to_a_dead_address_are_told_to_nobody_again(office: Office) -> None:
    with office.database.transaction() as tx:
        tx.undeliverable.failed(CARL.address, hard=True, reason=NO_USER, now=NOW)
    number = office.do(OPEN, notify(Notice.COPY, CARL))
    assert office.mails(number) == []
    assert office.kinds(number)[-1] == "withheld"
