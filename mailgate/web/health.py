"""What is wrong, in plain sentences: judged from depths and sources, against fixed limits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailgate.web.words import count, public_names, span
from store.sources import Health
from store.stats import Depths

INBOX_LIMIT = timedelta(minutes=5)
OUTBOX_LIMIT = timedelta(minutes=15)
# A mailbox is asked anew every few minutes even when no mail comes; a listener may be idle for
# days. So silence is a fault of sources that poll, and of those alone.
SILENCE_LIMIT = timedelta(minutes=30)
POLLED = "imap"

DATABASE_DOWN = "The database cannot be reached."


class SourceState(StrEnum):
    """How a source stands."""

    WORKING = "working"
    FAILING = "failing"  # the last word was a failure
    SILENT = "silent"  # it polls, and no word has come for SILENCE_LIMIT
    UNHEARD = "not heard yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as anybody may see it: `name` carries no address, and no error text is kept."""

    name: str
    state: SourceState
    last_success: datetime | None
    last_failure: datetime | None

    @property
    def ok(self) -> bool:
        """Whether nobody needs to look at it."""
        return self.state in (SourceState.WORKING, SourceState.UNHEARD)


def judge(
    reports: Sequence[Health],
    configured: Collection[str] | None,
    started: datetime,
    now: datetime,
) -> tuple[Source, ...]:
    """Each source with its state, by name.

    `configured` are the names of the sources this installation has: others in the store are left
    over from an earlier configuration. None: every source that ever reported.
    """
    by_name = {report.name: report for report in reports}
    shown = public_names(by_name if configured is None else configured)
    return tuple(
        Source(
            name=shown[name],
            state=_state(name, by_name.get(name), started, now),
            last_success=by_name[name].last_success if name in by_name else None,
            last_failure=by_name[name].last_failure if name in by_name else None,
        )
        for name in sorted(shown)
    )


def _state(name: str, report: Health | None, started: datetime, now: datetime) -> SourceState:
    polled = name.startswith(POLLED)
    if report is None or (report.last_success is None and report.last_failure is None):
        late = polled and now - started > SILENCE_LIMIT
        return SourceState.SILENT if late else SourceState.UNHEARD
    if report.last_success is None or not report.ok:
        return SourceState.FAILING
    # After a stop of a day the first answer may take a moment: count from the start then.
    since = max(report.last_success, started)
    return SourceState.SILENT if polled and now - since > SILENCE_LIMIT else SourceState.WORKING


def overdue(oldest: datetime | None, limit: timedelta, now: datetime) -> bool:
    """Whether the oldest has waited longer than it may."""
    return oldest is not None and now - oldest > limit


def problems(depths: Depths, sources: Sequence[Source], now: datetime) -> tuple[str, ...]:
    """A sentence for each thing that somebody should look at; nothing when all is well."""
    return (
        *(_about(source, now) for source in sources if not source.ok),
        *_waiting(depths, now),
        *_quarantine(depths),
    )


def _about(source: Source, now: datetime) -> str:
    verb = "is failing" if source.state is SourceState.FAILING else "is silent"
    if source.last_success is None:
        return f"Source {source.name} {verb}: it has never succeeded."
    return f"Source {source.name} {verb}: last success {span(now - source.last_success)} ago."


def _waiting(depths: Depths, now: datetime) -> Iterator[str]:
    queues = (
        ("Inbox", depths.inbox_oldest, INBOX_LIMIT, depths.inbox, "mail waits", "mails wait"),
        (
            "Outbox",
            depths.outbox_oldest,
            OUTBOX_LIMIT,
            depths.outbox,
            "copy of a mail waits",
            "copies of mails wait",
        ),
    )
    for where, oldest, limit, number, one, many in queues:
        if oldest is not None and overdue(oldest, limit, now):
            yield (
                f"{where}: {count(number, one, many)}, the oldest for {span(now - oldest)} "
                f"(limit {span(limit)})."
            )


def _quarantine(depths: Depths) -> Iterator[str]:
    if depths.quarantined:
        stand = count(depths.quarantined, "mail needs", "mails need")
        yield f"Quarantine: {stand} a decision (mailgate quarantine list)."
