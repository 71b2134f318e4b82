"""What becomes of a copy after each kind of answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailgate.core.decision import FINAL_STATES, Attempt, CopyState
from mailgate.core.retry import Schedule, is_permanent, judge

QUEUED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
EXACT = Schedule(jitter=0)


def said(
    code: int,
    text: str = "",
    *,
    after: timedelta = timedelta(seconds=1),
    uncertain: bool = False,
    about_us: bool = False,
) -> Attempt:
    return Attempt(code=code, text=text, at=QUEUED + after, uncertain=uncertain, about_us=about_us)


@pytest.mark.parametrize(
    ("attempt", "automatic", "state"),
    [
        pytest.param(said(250), False, "sent", id="250"),
        pytest.param(said(252), True, "sent", id="any 2xx"),
        pytest.param(said(451, "4.7.1 greylisted"), False, "deferred", id="O5 greylisting"),
        pytest.param(said(421), True, "deferred", id="O5 421"),
        pytest.param(said(0, "no answer"), False, "deferred", id="O2 no answer"),
        pytest.param(said(0, "no answer"), True, "deferred", id="O2 no answer, automatic"),
        pytest.param(said(550, "5.1.1 no such user"), False, "failed", id="O4 unknown user"),
        pytest.param(said(554, "5.7.1 spam"), True, "failed", id="content refused"),
        pytest.param(said(0, uncertain=True), False, "uncertain", id="O3 a person's mail"),
        pytest.param(said(0, uncertain=True), True, "failed", id="O3 an automatic mail"),
        pytest.param(said(535, about_us=True), False, "deferred", id="O6 wrong password"),
        pytest.param(said(530, about_us=True), True, "deferred", id="O6 login wanted at MAIL"),
        pytest.param(said(530), False, "deferred", id="O6 login wanted at RCPT"),
        pytest.param(said(550, "5.7.1", about_us=True), False, "deferred", id="O6 550 at MAIL"),
        pytest.param(said(554, about_us=True), False, "deferred", id="O6 554 banner"),
        pytest.param(
            said(554, "5.7.1 <a@example.net>: Relay access denied"),
            False,
            "deferred",
            id="O6 the relay does not know us",
        ),
        pytest.param(
            said(554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using a list"),
            False,
            "deferred",
            id="O6 our address is on a list",
        ),
        pytest.param(
            said(553, "5.7.1 <s@example.org>: Sender address rejected: not owned by user"),
            False,
            "deferred",
            id="O6 not our sender address",
        ),
        pytest.param(
            said(550, "5.1.1 <a@example.net>: Recipient address rejected: User unknown"),
            False,
            "failed",
            id="recipient rejected",
        ),
        pytest.param(said(550, "relaying denied"), False, "deferred", id="O6 relaying denied"),
        pytest.param(said(552, about_us=True), False, "failed", id="too big, said at MAIL"),
        pytest.param(said(354), False, "deferred", id="an answer out of place"),
    ],
)
def test_the_answer_decides(attempt: Attempt, automatic: bool, state: str) -> None:
    fate = judge(attempt, attempts=1, queued=QUEUED, automatic=automatic, schedule=EXACT)
    assert fate.state == state
    assert (fate.due is None) == (fate.state in FINAL_STATES)
    assert bool(fate.reason) == (fate.state is CopyState.FAILED and attempt.uncertain)


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [
        (1, timedelta(minutes=1)),
        (2, timedelta(minutes=5)),
        (3, timedelta(minutes=15)),
        (4, timedelta(minutes=30)),
        (5, timedelta(hours=1)),
        (15, timedelta(hours=1)),
        (16, timedelta(hours=4)),
        (40, timedelta(hours=4)),
    ],
)
def test_waits_grow(attempts: int, wait: timedelta) -> None:
    attempt = said(451)
    fate = judge(attempt, attempts=attempts, queued=QUEUED, automatic=False, schedule=EXACT)
    assert fate.due == attempt.at + wait


def test_a_lost_answer_is_asked_for_slowly() -> None:
    waits = []
    for attempts in range(1, 6):
        attempt = said(0, uncertain=True)
        fate = judge(attempt, attempts=attempts, queued=QUEUED, automatic=False, schedule=EXACT)
        assert fate.due
        waits.append((fate.due - attempt.at) / timedelta(minutes=1))
    assert waits == [5, 60, 240, 720, 720]


def test_the_last_attempt_comes_at_the_end_of_life() -> None:
    late = said(451, after=timedelta(days=4, hours=22))
    fate = judge(late, attempts=40, queued=QUEUED, automatic=False, schedule=EXACT)
    assert fate.due == QUEUED + timedelta(days=5)


@pytest.mark.parametrize("uncertain", [False, True])
def test_it_gives_up_after_five_days(uncertain: bool) -> None:
    last = said(0, after=timedelta(days=5), uncertain=uncertain)
    fate = judge(last, attempts=41, queued=QUEUED, automatic=False, schedule=EXACT)
    assert (fate.state, fate.due) == (CopyState.FAILED, None)
    assert fate.reason == "gave up after 5 days and 41 attempts"


def test_even_our_own_mistake_ends_after_five_days() -> None:
    last = said(535, after=timedelta(days=6), about_us=True)
    fate = judge(last, attempts=41, queued=QUEUED, automatic=True, schedule=EXACT)
    assert fate.state is CopyState.FAILED


def test_a_clock_set_back_is_no_reason_to_give_up() -> None:
    early = said(451, after=timedelta(days=-365))
    fate = judge(early, attempts=1, queued=QUEUED, automatic=False, schedule=EXACT)
    assert fate.due == early.at + timedelta(minutes=1)


def test_dates_are_spread_and_always_the_same() -> None:
    attempt = said(451)
    dues = [
        judge(
            attempt, attempts=1, queued=QUEUED, automatic=False, schedule=Schedule(), seed=copy
        ).due
        for copy in range(100)
        for _ in range(2)
    ]
    assert len(set(dues)) == 100
    first, last = timedelta(seconds=60), timedelta(seconds=66)
    assert all(due and first <= due - attempt.at <= last for due in dues)


def test_an_uncertain_answer_is_never_permanent() -> None:
    assert not is_permanent(said(550, uncertain=True))
    assert is_permanent(said(550))
