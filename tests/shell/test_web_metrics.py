"""/metrics read back by the parser of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailgate import journal
from mailgate.core.decision import Outcome
from store.database import Database
from tests.web_rig import CANARY, NOON, Site, fill, served

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def site(sqlite_database: Database) -> Iterator[Site]:
    """A calm day behind a real server."""
    with served(sqlite_database) as running:
        fill(running)
        yield running


def scrape(site: Site) -> Series:
    """Every sample; a series that occurs twice is an error."""
    answer = site.ask("/metrics")
    assert answer.code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: Series = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def value(series: Series, name: str, **labels: str) -> float:
    """One sample."""
    return series[name, tuple(sorted(labels.items()))]


def test_gauges_say_what_the_store_holds(site: Site) -> None:
    series = scrape(site)
    assert value(series, "mailgate_database_up") == 1
    assert value(series, "mailgate_problems") == 0
    assert value(series, "mailgate_inbox_waiting") == 1
    assert value(series, "mailgate_inbox_oldest_seconds") == 60
    assert value(series, "mailgate_outbox_waiting") == 1
    assert value(series, "mailgate_outbox_oldest_seconds") == 120
    assert value(series, "mailgate_outbox_failed") == 0
    assert value(series, "mailgate_quarantined") == 0
    assert value(series, "mailgate_tickets", status="open") == 2
    assert value(series, "mailgate_outbox_copies", state="sent") == 5
    assert value(series, "mailgate_outbox_copies", state="uncertain") == 0
    source = "imap support/INBOX"
    assert value(series, "mailgate_source_up", source=source) == 1
    last = value(series, "mailgate_source_last_success_timestamp_seconds", source=source)
    assert last == NOON.timestamp() - 180
    assert value(series, "process_resident_memory_bytes") > 0


def test_counts_rise_with_the_journal_and_start_at_zero(site: Site) -> None:
    before = scrape(site)
    for outcome in Outcome:
        assert value(before, "mailgate_mails_total", outcome=outcome.value) >= 0
    journal.settled(inbox=1, outcome="held", ticket=None, reason="x", message_id="<x>")
    journal.attempted(outbox=1, recipient=1, state="sent", code=250, text="ok")
    after = scrape(site)
    held = ("mailgate_mails_total", (("outcome", "held"),))
    assert after[held] == before[held] + 1
    sent = ("mailgate_events_total", (("event", "attempted"), ("label", "sent")))
    assert after[sent] == before.get(sent, 0) + 1


def test_a_peers_words_are_counted_and_not_shown(site: Site) -> None:
    other = ("mailgate_events_total", (("event", "deferred"), ("label", "other")))
    before = scrape(site).get(other, 0)
    for why in (f"{CANARY}@example.com", f'{CANARY}"}}\nmailgate_x 1', CANARY * 20, "é"):
        journal.deferred(source="smtp", why=why)
    series = scrape(site)
    assert series[other] == before + 4
    assert not any(CANARY in str(key) for key in series)


def test_faults_show_in_the_gauges(site: Site) -> None:
    with site.database.transaction() as tx:
        tx.sources.report("pipe", ok=False, detail=CANARY, now=NOON)
    series = scrape(site)
    assert value(series, "mailgate_problems") == 1
    assert value(series, "mailgate_source_up", source="pipe") == 0
    assert ("mailgate_source_last_success_timestamp_seconds", (("source", "pipe"),)) not in series


def test_without_a_database_the_counts_and_the_process_are_still_there(site: Site) -> None:
    site.database.close()
    site.file.parent.rename(site.file.parent.with_name("gone"))
    series = scrape(site)
    assert value(series, "mailgate_database_up") == 0
    assert value(series, "mailgate_problems") == 1
    assert value(series, "mailgate_mails_total", outcome="ticket") >= 0
    assert value(series, "process_resident_memory_bytes") > 0
    assert ("mailgate_inbox_waiting", ()) not in series
