"""/metrics in the text format of Prometheus: gauges from the store, counts from the journal.

Counts belong to this process and start at 0 with it; gauges are read anew for every scrape and
are the same on every node of one database. No label carries an address or a subject.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client import generate_latest as write
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailgate import journal
from mailgate.core.decision import CopyState, Outcome
from mailgate.web.lookout import Gauges, Lookout, Vitals
from store.database import Unavailable

CONTENT_TYPE = CONTENT_TYPE_LATEST

# Labels are words of ours. What is none of them is counted, not shown: somebody may have put a
# peer's words there, and every new label is a series that Prometheus keeps.
_LABEL = re.compile(r"[A-Za-z0-9 _.:/-]{0,60}")


class StoreCollector(Collector):
    """Reads everything at the moment of the scrape."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout

    def collect(self) -> Iterator[Metric]:
        """All families; without a database only `mailgate_database_up 0` and the counts."""
        yield from _counts()
        try:
            gauges = self._lookout.gauges()
        except Unavailable as error:
            journal.trouble(what="web", error=error)
            yield _gauge("database_up", "Whether the database answers.", 0)
            yield _gauge("problems", "What /healthz complains about.", 1)
            return
        yield _gauge("database_up", "Whether the database answers.", 1)
        yield _gauge("problems", "What /healthz complains about.", len(gauges.vitals.problems))
        yield from _depths(gauges)
        yield from _sources(gauges.vitals)


def registry_for(lookout: Lookout) -> CollectorRegistry:
    """A registry of our own: nothing that another library registers gets in."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(lookout))
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The text, UTF-8; CONTENT_TYPE is its type."""
    return write(registry)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mailgate_{name}", about, value=value)


def _by(name: str, about: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"mailgate_{name}", about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counts() -> Iterator[Metric]:
    counts = dict(journal.COUNTS)  # one step under the lock of the interpreter
    mails = CounterMetricFamily("mailgate_mails", "Mails settled, by outcome.", labels=["outcome"])
    for outcome in Outcome:
        mails.add_metric([outcome.value], counts.get(("settled", outcome.value), 0))
    yield mails
    shown: Counter[tuple[str, str]] = Counter()
    for (event, label), number in counts.items():
        shown[event, label if _LABEL.fullmatch(label) else "other"] += number
    events = CounterMetricFamily(
        "mailgate_events", "Events in the journal.", labels=["event", "label"]
    )
    for key, number in sorted(shown.items()):
        events.add_metric(list(key), number)
    yield events


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def _depths(gauges: Gauges) -> Iterator[Metric]:
    depths, now = gauges.vitals.depths, gauges.vitals.at
    yield _gauge("inbox_waiting", "Mails without an outcome.", depths.inbox)
    yield _gauge("inbox_oldest_seconds", "Age of the oldest.", _age(depths.inbox_oldest, now))
    yield _gauge("outbox_waiting", "Copies that have still to leave.", depths.outbox)
    yield _gauge("outbox_oldest_seconds", "Age of the oldest.", _age(depths.outbox_oldest, now))
    yield _gauge("outbox_failed", "Copies that were given up.", depths.outbox_failed)
    yield _gauge("quarantined", "Mails in quarantine.", depths.quarantined)
    yield _by("tickets", "Tickets by status.", "status", gauges.tickets)
    copies = {state.value: gauges.copies.get(state.value, 0) for state in CopyState}
    yield _by("outbox_copies", "Recipients' copies by state.", "state", copies)


def _sources(vitals: Vitals) -> Iterator[Metric]:
    up = {source.name: float(source.ok) for source in vitals.sources}
    yield _by("source_up", "1 unless the source fails or is silent.", "source", up)
    success = {
        source.name: source.last_success.timestamp()
        for source in vitals.sources
        if source.last_success is not None
    }
    yield _by("source_last_success_timestamp_seconds", "When it last worked.", "source", success)
