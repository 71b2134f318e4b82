"""A picture of the store as the values of the page and of /status.json: words, shares, ages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mailgate.web.health import Source, SourceState
from mailgate.web.lookout import Picture, RecentTicket
from mailgate.web.words import count, span

MAX_BARS = 8  # of one chart; what is left is one bar

_TONES = {
    SourceState.WORKING: "good",
    SourceState.FAILING: "bad",
    SourceState.SILENT: "bad",
    SourceState.UNHEARD: "quiet",
}


def numbers(picture: Picture, started: datetime) -> dict[str, object]:
    """The page as JSON: ages in seconds, dates in RFC 3339."""
    vitals, depths = picture.vitals, picture.vitals.depths
    return {
        "status": "degraded" if vitals.problems else "ok",
        "problems": list(vitals.problems),
        "at": vitals.at.isoformat(),
        "started": started.isoformat(),
        "inbox": {
            "waiting": depths.inbox,
            "oldest_seconds": _seconds(depths.inbox_oldest, vitals.at),
        },
        "outbox": {
            "waiting": depths.outbox,
            "oldest_seconds": _seconds(depths.outbox_oldest, vitals.at),
            "failed": depths.outbox_failed,
        },
        "quarantined": depths.quarantined,
        "tickets": {
            "total": sum(picture.status.values()),
            "status": dict(picture.status),
            "priority": dict(picture.priority),
            "queue": dict(picture.queue),
        },
        "sources": [
            {
                "name": source.name,
                "state": source.state.value,
                "last_success": _stamp(source.last_success),
                "last_failure": _stamp(source.last_failure),
            }
            for source in vitals.sources
        ],
        "today": {
            "day": picture.today.day,
            "accepted": picture.today.accepted,
            "waiting": picture.today.waiting,
            "outcomes": dict(picture.today.outcomes),
        },
        "recent": [
            {
                "number": ticket.number,
                "status": ticket.status,
                "priority": ticket.priority,
                "queue": ticket.queue,
                "age_seconds": _seconds(ticket.created, vitals.at),
            }
            for ticket in picture.recent
        ],
    }


def page(picture: Picture, started: datetime) -> dict[str, object]:
    """The context of status.html.j2."""
    now, today = picture.vitals.at, picture.today
    return {
        "problems": picture.vitals.problems,
        "at": now.astimezone(UTC).strftime("%H:%M:%S UTC"),
        "day": today.day,
        "up": span(now - started),
        "cards": _cards(picture),
        "total": count(sum(picture.status.values()), "ticket"),
        "charts": [
            ("By status", bars(picture.status)),
            ("By priority", bars(picture.priority)),
            ("By queue", bars(picture.queue)),
        ],
        "today": today,
        "outcomes": bars(today.outcomes),
        "sources": [_source(source, now) for source in picture.vitals.sources],
        "recent": [_recent(ticket, now) for ticket in picture.recent],
    }


def bars(counts: Mapping[str, int]) -> list[tuple[str, str, float]]:
    """(name, number, percent of the longest bar), at most MAX_BARS of them."""
    pairs = list(counts.items())
    if len(pairs) > MAX_BARS:
        rest = pairs[MAX_BARS - 1 :]
        pairs = [*pairs[: MAX_BARS - 1], (f"{len(rest)} others", sum(n for _, n in rest))]
    longest = max((number for _, number in pairs), default=0) or 1
    return [(name, f"{number:,}", round(100 * number / longest, 1)) for name, number in pairs]


def _cards(picture: Picture) -> list[dict[str, object]]:
    depths, now, today = picture.vitals.depths, picture.vitals.at, picture.today
    failed = f", {depths.outbox_failed:,} given up" if depths.outbox_failed else ""
    return [
        {
            "title": "Inbox",
            "number": f"{depths.inbox:,}",
            "about": _oldest("waiting", depths.inbox_oldest, now) or "nothing waits",
        },
        {
            "title": "Outbox",
            "number": f"{depths.outbox:,}",
            "about": (_oldest("to send", depths.outbox_oldest, now) or "nothing to send") + failed,
        },
        {
            "title": "Quarantine",
            "number": f"{depths.quarantined:,}",
            "about": "needs a decision" if depths.quarantined else "empty",
        },
        {
            "title": "Taken today",
            "number": f"{today.accepted:,}",
            "about": f"{count(today.waiting, 'mail')} undecided"
            if today.waiting
            else "all settled",
        },
    ]


def _oldest(word: str, since: datetime | None, now: datetime) -> str:
    return "" if since is None else f"{word}, oldest {span(now - since)}"


def _source(source: Source, now: datetime) -> dict[str, str]:
    last = f"{span(now - source.last_success)} ago" if source.last_success else "never"
    state = source.state
    return {"name": source.name, "state": state.value, "tone": _TONES[state], "last": last}


def _recent(ticket: RecentTicket, now: datetime) -> dict[str, object]:
    return {
        "number": ticket.number,
        "status": ticket.status,
        "priority": ticket.priority,
        "queue": ticket.queue,
        "age": span(now - ticket.created),
    }


def _seconds(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else max(0, int((now - since).total_seconds()))


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
