"""When agents get their morning digest: once on each working day, at the hour configured."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from mailgate.core.policy import Policy

LATEST = timedelta(
    hours=6
)  # after that it is no morning any more: a desk that was down stays quiet


def day(now: datetime, policy: Policy) -> date | None:
    """The day whose digests are to be sent now, in the desk's time zone; None: none are."""
    if not policy.digest:
        return None
    local = now.astimezone(policy.zone)
    works = not policy.workdays or local.weekday() in policy.workdays
    due = datetime.combine(local.date(), time.fromisoformat(policy.digest), policy.zone)
    return local.date() if works and due <= now < due + LATEST else None
