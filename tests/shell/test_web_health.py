"""/healthz turns red for each reason with a sentence that names it, and green again after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from mailgate import storm
from mailgate.core.decision import CopyState, Decision, Outcome
from mailgate.web.words import count, public_names, span
from store.database import Database, Tx
from tests.web_rig import (
    CANARY,
    IMAP,
    NOON,
    STARTED,
    Site,
    arrive,
    enqueue,
    fill,
    finish,
    open_ticket,
    served,
    settle,
)

MINUTE = timedelta(minutes=1)


def health(site: Site) -> tuple[int, str, list[str]]:
    """Code, status, problems."""
    answer = site.ask("/healthz")
    body = json.loads(answer.body)
    assert list(body) == ["status", "problems"]
    return answer.code, body["status"], body["problems"]


GREEN: tuple[int, str, list[str]] = (200, "ok", [])


@dataclass
class Fault:
    """How something goes wrong, the sentence for it, and how it is mended."""

    breaks: Callable[[Tx], object]
    said: str
    mends: Callable[[Tx], object]


def _fail(tx: Tx) -> None:
    tx.sources.report(IMAP, ok=False, detail=f"{CANARY} login", now=NOON - MINUTE)


def _work(tx: Tx) -> None:
    tx.sources.report(IMAP, ok=True, detail="", now=NOON)


def _settle_all(tx: Tx) -> None:
    for waiting in tx.inbox.claim(NOON, 10, MINUTE):
        settle(tx, waiting.id, Outcome.IGNORED, NOON)


def _quarantine(tx: Tx) -> None:
    settle(tx, arrive(tx, "bad", NOON), Outcome.QUARANTINED, NOON)


def _release(tx: Tx) -> None:
    for row in tx.inbox.find(outcome=Outcome.QUARANTINED):
        tx.inbox.reopen(row.id, NOON)
        tx.inbox.settle(row.id, Decision(outcome=Outcome.TICKET, reason="released"), None, NOON)


FAULTS = {
    "source": Fault(_fail, "Source imap support/INBOX is failing: last success 3 min ago.", _work),
    "source that never worked": Fault(
        lambda tx: tx.sources.report("pipe", ok=False, detail=CANARY, now=NOON),
        "Source pipe is failing: it has never succeeded.",
        lambda tx: tx.sources.report("pipe", ok=True, detail="", now=NOON),
    ),
    "inbox": Fault(
        lambda tx: arrive(tx, "late", NOON - 6 * MINUTE),
        "Inbox: 2 mails wait, the oldest for 6 min (limit 5 min).",
        _settle_all,
    ),
    "outbox": Fault(
        lambda tx: enqueue(tx, 1001, "late", NOON - 16 * MINUTE),
        "Outbox: 2 copies of mails wait, the oldest for 16 min (limit 15 min).",
        lambda tx: finish(tx, CopyState.SENT, NOON),
    ),
    "quarantine": Fault(
        _quarantine, "Quarantine: 1 mail needs a decision (mailgate quarantine list).", _release
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_until_it_is_mended(name: str, sqlite_database: Database) -> None:
    fault = FAULTS[name]
    with served(sqlite_database) as site:
        fill(site)
        assert health(site) == GREEN
        with site.database.transaction() as tx:
            fault.breaks(tx)
        assert health(site) == (503, "degraded", [fault.said])
        page = site.ask("/").text
        assert fault.said in page
        assert "Needs attention" in page
        assert json.loads(site.ask("/status.json").body)["problems"] == [fault.said]
        assert site.ask("/readyz").code == 200
        with site.database.transaction() as tx:
            fault.mends(tx)
        assert health(site) == GREEN


def test_all_faults_at_once_are_all_named(sqlite_database: Database) -> None:
    with served(sqlite_database) as site:
        fill(site)
        with site.database.transaction() as tx:
            for fault in FAULTS.values():
                fault.breaks(tx)
        assert sorted(health(site)[2]) == sorted(fault.said for fault in FAULTS.values())


def test_the_limits_themselves_are_still_well(sqlite_database: Database) -> None:
    with served(sqlite_database) as site:
        with site.database.transaction() as tx:
            arrive(tx, "edge", NOON - 5 * MINUTE)
            enqueue(tx, open_ticket(tx, NOON), "edge", NOON - 15 * MINUTE)
        assert health(site) == GREEN
        site.clock.now = NOON + timedelta(seconds=1)
        assert len(health(site)[2]) == 2


def test_a_mailbox_that_nobody_asks_any_more_is_a_problem(sqlite_database: Database) -> None:
    with served(sqlite_database) as site:
        with site.database.transaction() as tx:
            tx.sources.report(IMAP, ok=True, detail="", now=NOON)
            tx.sources.report("smtp 127.0.0.1:2525", ok=True, detail="", now=NOON)
        site.clock.now = NOON + 30 * MINUTE
        assert health(site) == GREEN
        site.clock.now = NOON + 31 * MINUTE
        assert health(site)[2] == ["Source imap support/INBOX is silent: last success 31 min ago."]


def test_after_a_long_stop_a_mailbox_gets_time_to_answer(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as tx:
        tx.sources.report(IMAP, ok=True, detail="", now=STARTED - timedelta(days=2))
    with served(sqlite_database) as site:
        site.clock.now = STARTED + MINUTE
        assert health(site) == GREEN


def test_only_configured_sources_count_and_those_unheard_are_shown(
    sqlite_database: Database,
) -> None:
    with sqlite_database.transaction() as tx:
        tx.sources.report("imap old", ok=False, detail="", now=NOON)
    with served(sqlite_database, sources=("pipe", "imap new")) as site:
        site.clock.now = STARTED + 2 * MINUTE
        assert health(site) == GREEN
        listed = json.loads(site.ask("/status.json").body)["sources"]
        assert [(s["name"], s["state"]) for s in listed] == [
            ("imap new", "not heard yet"),
            ("pipe", "not heard yet"),
        ]
        site.clock.now = NOON
        assert health(site)[2] == ["Source imap new is silent: it has never succeeded."]


def test_a_clock_set_back_is_no_fault(sqlite_database: Database) -> None:
    with served(sqlite_database) as site:
        fill(site)
        site.clock.now = STARTED
        assert health(site) == GREEN
        assert json.loads(site.ask("/status.json").body)["inbox"]["oldest_seconds"] == 0


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=48), "2 days"),
    ],
)
def test_lengths_of_time_are_rounded_down(length: timedelta, said: str) -> None:
    assert span(length) == said


def test_counts_read_as_words() -> None:
    assert [count(n, "mail") for n in (0, 1, 1234)] == ["0 mails", "1 mail", "1,234 mails"]


def test_public_names_carry_no_address_and_stay_apart() -> None:
    names = ("imap a@x.example/INBOX", "imap a@y.example/INBOX", "imap a/INBOX #2", "pipe")
    shown = public_names(names)
    assert set(shown) == set(names)
    assert len(set(shown.values())) == 4
    assert not any("@" in name or "example" in name for name in shown.values())


def test_a_storm_is_named_until_it_is_over(sqlite_database: Database) -> None:
    why = "more than 200 automatic mails within 10 minutes"
    said = f"Automatic mail is paused until 2026-03-04 12:01 UTC: {why}."
    with served(sqlite_database) as site:
        fill(site)
        with site.database.transaction() as tx:
            tx.counting.mark(storm.MARK, NOON, NOON + MINUTE, why)
        assert health(site) == (503, "degraded", [said])
        assert said in site.ask("/").text
        assert site.ask("/readyz").code == 200
        site.clock.now = NOON + MINUTE
        assert health(site) == GREEN
