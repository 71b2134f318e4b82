"""A picture of the store as the values of the page and of /status.json: words, shares, ages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mailgate.web.health import INBOX_LIMIT, OUTBOX_LIMIT, Source, SourceState, overdue
from mailgate.web.lookout import Picture, RecentTicket
from mailgate.web.words import count, span

MAX_BARS = 9  # of one chart, as many as there are outcomes; what is left is one bar

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
    now, today, sources = picture.vitals.at, picture.today, picture.vitals.sources
    working = sum(source.state is SourceState.WORKING for source in sources)
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
        "outcomes": bars(today.outcomes),
        "working": f"{working} of {len(sources)} working",
        "sources": [_source(source, now) for source in sources],
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
    late_in = overdue(depths.inbox_oldest, INBOX_LIMIT, now)
    late_out = overdue(depths.outbox_oldest, OUTBOX_LIMIT, now)
    failed = [f"{depths.outbox_failed:,} given up"] if depths.outbox_failed else []
    held = "needs a decision" if depths.quarantined else "empty"
    taken = "all settled" if today.accepted else "nothing yet"
    if today.waiting:
        taken = f"{today.waiting:,} not settled yet"
    return [
        _card("Inbox", depths.inbox, _oldest(depths.inbox_oldest, now), late=late_in),
        _card("Outbox", depths.outbox, _oldest(depths.outbox_oldest, now), *failed, late=late_out),
        _card("Quarantine", depths.quarantined, held, late=depths.quarantined > 0),
        _card("Taken today", today.accepted, taken),
    ]


def _card(title: str, number: int, *about: str, late: bool = False) -> dict[str, object]:
    return {"title": title, "number": f"{number:,}", "about": about, "late": late}


def _oldest(since: datetime | None, now: datetime) -> str:
    return "nothing waits" if since is None else f"oldest waits {span(now - since)}"


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
