"""What the gate says itself: to agents who get no more, to whoever runs the desk, in a storm."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mailgate import storm
from mailgate.core.decision import TO_AGENTS, Notice, Recipient
from mailgate.gate import Passed
from store.database import Database
from tests.shell.gate_rig import (
    ANA,
    BEN,
    CARL,
    DAY,
    HOUR,
    MINUTE,
    OPEN,
    OPS,
    RITA,
    SECOND,
    ask,
    notes,
    person,
    sent,
    whys,
)
from tests.store.samples import NOW

ALERT = Recipient(address=OPS[0], role="agent", why="runs the desk")
ALL = "the cap of 3 notices an hour to this agent is reached"
ONE = "the cap of 3 notices an hour to this agent on this ticket is reached"


# --- agents --------------------------------------------------------------------------------


@pytest.mark.parametrize("notice", sorted(TO_AGENTS - {Notice.ALERT}))
def test_an_agent_is_told_once_that_more_mail_waits(database: Database, notice: Notice) -> None:
    caps = replace(OPEN, agent_hour=3)
    sent(database, *[SECOND] * 2, to=ANA, notice=notice)
    assert ask(database, caps, ANA, notice=notice) == Passed(to=(ANA,))
    sent(database, SECOND, to=ANA, notice=notice)
    first = ask(database, caps, ANA, BEN, notice=notice)
    assert (first.to, whys(first)) == ((BEN,), [ALL])
    words = f"More mail waits for you: {ALL}. See `mailgate ticket list`."
    assert notes(first) == [(Notice.ALERT, ANA.address, words)]
    second = ask(database, caps, ANA, notice=notice, after=SECOND)
    assert (whys(second), notes(second)) == ([ALL], [])
    assert ask(database, caps, ANA, notice=notice, after=HOUR).to == (ANA,)


def test_an_agent_is_told_again_an_hour_later(database: Database) -> None:
    caps = replace(OPEN, agent_hour=3)
    sent(database, *[-30 * MINUTE] * 3, to=ANA, notice=Notice.AGENT_NEW)
    first = ask(database, caps, ANA, notice=Notice.AGENT_NEW, after=30 * MINUTE)
    sent(database, *[-80 * MINUTE] * 3, to=ANA, notice=Notice.AGENT_NEW)
    again = ask(database, caps, ANA, notice=Notice.AGENT_NEW, after=90 * MINUTE)
    assert len(notes(first)) == len(notes(again)) == 1


def test_one_noisy_ticket_leaves_the_others_to_be_heard(database: Database) -> None:
    caps = replace(OPEN, agent_ticket_hour=3)
    noisy = sent(database, *[SECOND] * 3, to=ANA, notice=Notice.AGENT_MESSAGE)
    first = ask(database, caps, ANA, notice=Notice.AGENT_MESSAGE, ticket=noisy)
    assert whys(first) == [ONE]
    words = f"More mail waits for you: {ONE}. See `mailgate ticket show {noisy}`."
    assert notes(first) == [(Notice.ALERT, ANA.address, words)]
    assert notes(ask(database, caps, ANA, notice=Notice.AGENT_MESSAGE, ticket=noisy)) == []
    quiet = sent(database, HOUR)
    assert ask(database, caps, ANA, notice=Notice.AGENT_MESSAGE, ticket=quiet).to == (ANA,)


def test_alerts_are_not_held_against_an_agents_notices(database: Database) -> None:
    sent(database, *[SECOND] * 9, to=ANA, notice=Notice.ALERT)
    caps = replace(OPEN, agent_hour=3, agent_ticket_hour=3)
    assert ask(database, caps, ANA, notice=Notice.AGENT_NEW, ticket=1).to == (ANA,)


def test_what_an_agent_got_as_a_customer_is_not_held_against_their_notices(
    database: Database,
) -> None:
    sent(database, *[SECOND] * 9, to=replace(ANA, role="requester"))
    assert ask(database, replace(OPEN, agent_hour=3), ANA, notice=Notice.AGENT_NEW).to == (ANA,)


# --- addresses that get no more ------------------------------------------------------------


def test_a_capped_address_is_told_of_once_a_day_L1(database: Database) -> None:
    caps = replace(OPEN, per_address_hour=3, per_address_day=6, alerts_hour=5, ops=OPS)
    sent(database, *[SECOND] * 3)
    first = ask(database, caps)
    ((notice, to, words),) = notes(first)
    assert (notice, to) == (Notice.ALERT, OPS[0])
    assert words.startswith("Mail to rita@customer.test is held back: the cap of 3 automatic")
    assert notes(ask(database, caps, after=MINUTE)) == []
    sent(database, *[-2 * HOUR] * 3)
    daily = ask(database, caps, after=4 * HOUR)
    assert whys(daily) == ["the cap of 6 automatic mails a day to this address is reached"]
    assert notes(daily) == []
    sent(database, *[-DAY] * 3)
    assert len(notes(ask(database, caps, after=DAY + MINUTE))) == 1


def test_alerts_have_a_cap_too(database: Database) -> None:
    caps = replace(OPEN, per_address_hour=1, alerts_hour=2, ops=(OPS[0], "more@example.org"))
    people = [person(n) for n in range(3)]
    for one in people:
        sent(database, SECOND, to=one)
    assert len(notes(ask(database, caps, people[0]))) == 2
    sent(database, SECOND, SECOND, to=ALERT, notice=Notice.ALERT)
    assert notes(ask(database, caps, people[1])) == []
    # Nobody was told of it yet, so it is said when alerts may leave again.
    sent(database, -HOUR, to=people[1])
    assert len(notes(ask(database, caps, people[1], after=HOUR))) == 2


def test_alerts_of_others_pass_the_same_door(database: Database) -> None:
    caps = replace(OPEN, alerts_hour=2, storm_mails=1, agent_hour=1, ops=OPS)
    sent(database, SECOND, to=ALERT, notice=Notice.ALERT)
    assert ask(database, caps, ALERT, notice=Notice.ALERT).to == (ALERT,)
    sent(database, SECOND, to=ALERT, notice=Notice.ALERT)
    found = ask(database, caps, ALERT, notice=Notice.ALERT)
    assert whys(found) == ["the cap of 2 alerts an hour to this address is reached"]


def test_without_anybody_to_tell_caps_hold_all_the_same(database: Database) -> None:
    sent(database, SECOND)
    found = ask(database, replace(OPEN, per_address_hour=1, storm_mails=9))
    assert (len(found.stopped), found.also) == (1, ())


# --- storms --------------------------------------------------------------------------------

BREAKER = replace(OPEN, storm_mails=20, storm_minutes=10, pause_minutes=60, ops=OPS)
PAUSED = "storm: automatic mail is paused"


def test_a_storm_pauses_automatic_mail_and_comes_back_by_itself_L6(database: Database) -> None:
    for number in range(19):
        sent(database, (number % 10) * MINUTE, to=person(number))
    assert whys(ask(database, BREAKER)) == []
    sent(database, SECOND, to=person(19))
    first = ask(database, BREAKER)
    assert whys(first) == [PAUSED]
    ((notice, to, words),) = notes(first)
    assert (notice, to) == (Notice.ALERT, OPS[0])
    why = "more than 20 automatic mails within 10 minutes"
    sentence = f"automatic mail is paused until 2026-03-29 01:30 UTC: {why}"
    assert words.startswith(f"A storm: {sentence}. ")
    for after in (SECOND, 30 * MINUTE, HOUR - SECOND):
        found = ask(database, BREAKER, CARL, notice=Notice.CLOSURE, by_mail=False, after=after)
        assert (whys(found), found.also) == ([PAUSED], ())
        with database.reading() as tx:
            mark = storm.blowing(tx, NOW + after)
        assert mark
        assert storm.sentence(mark) == sentence
    with database.reading() as tx:
        assert storm.blowing(tx, NOW + HOUR) is None
    assert ask(database, BREAKER, CARL, after=HOUR).to == (CARL,)


@pytest.mark.parametrize(
    ("to", "notice"),
    [(RITA, Notice.ANSWER), (RITA, Notice.COPY), (ANA, Notice.AGENT_NEW), (ANA, Notice.CHALLENGE)],
    ids=str,
)
def test_in_a_storm_words_of_people_and_notices_to_agents_leave(
    database: Database, to: Recipient, notice: Notice
) -> None:
    sent(database, *[SECOND] * 20)
    assert whys(ask(database, BREAKER)) == [PAUSED]
    assert ask(database, BREAKER, to, notice=notice).to == (to,)


def test_slow_mail_is_no_storm(database: Database) -> None:
    for number in range(40):
        sent(database, number * MINUTE, to=person(number))
    assert ask(database, BREAKER).to == (RITA,)


def test_what_made_a_storm_does_not_make_the_next_one(database: Database) -> None:
    caps = replace(BREAKER, pause_minutes=2)
    sent(database, *[SECOND] * 20)
    assert len(notes(ask(database, caps))) == 1
    after = 3 * MINUTE
    assert ask(database, caps, after=after).to == (RITA,)
    sent(database, *[-after] * 20)
    again = ask(database, caps, after=after + SECOND)
    assert (whys(again), len(notes(again))) == ([PAUSED], 1)


def test_notices_to_agents_and_words_make_no_storm(database: Database) -> None:
    sent(database, *[SECOND] * 30, to=ANA, notice=Notice.AGENT_NEW)
    sent(database, *[SECOND] * 30, notice=Notice.ANSWER)
    assert ask(database, BREAKER).to == (RITA,)


def test_a_storm_is_a_line_in_the_journal(
    sqlite_database: Database,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent(sqlite_database, *[SECOND] * 20)
    monkeypatch.setattr(logging.getLogger("mailgate"), "propagate", True)
    with caplog.at_level(logging.INFO, logger="mailgate"):
        ask(sqlite_database, BREAKER)
        ask(sqlite_database, BREAKER)
    lines = [vars(r)["fields"] for r in caplog.records if r.getMessage() == "storm"]
    assert lines == [{"mails": 20, "minutes": 10, "until": "2026-03-29T01:30:00+00:00"}]
