"""The storm breaker: too much automatic mail at once, and none leaves for a while.

It trips by a date in the database and comes back by the same date, so it holds on all nodes and
outlives a restart. Who asks is the gate, the status page and `mailgate status`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mailgate import journal
from mailgate.alarm import to_ops
from mailgate.caps import Caps
from mailgate.core.decision import Notify
from store.counting import Mark
from store.database import Tx

MARK = "storm"


def blowing(tx: Tx, now: datetime) -> Mark | None:
    """The pause that is on, with the reason for it; None when mail leaves."""
    mark = tx.counting.marked(MARK)
    return mark if mark and now < mark.until else None


def sentence(mark: Mark) -> str:
    """The pause in one line, for people; it names nobody."""
    return f"automatic mail is paused until {mark.until:%Y-%m-%d %H:%M} UTC: {mark.why}"


def room(tx: Tx, caps: Caps, now: datetime) -> int:
    """How many more automatic copies may leave before it is a storm; 0 while one blows."""
    mark = tx.counting.marked(MARK)
    if mark and now < mark.until:
        return 0
    since = now - timedelta(minutes=caps.storm_minutes)
    if mark:
        # What made the last storm must not make the next one, where the pause is short.
        since = max(since, mark.until)
    return max(0, caps.storm_mails - tx.counting.total(since, caps.storm_mails))


def break_off(tx: Tx, caps: Caps, now: datetime) -> tuple[Notify, ...]:
    """Begin a pause, and say so once; nothing where one is on."""
    until = now + timedelta(minutes=caps.pause_minutes)
    why = f"more than {caps.storm_mails} automatic mails within {caps.storm_minutes} minutes"
    if not tx.counting.mark(MARK, now, until, why):
        return ()
    journal.storm(mails=caps.storm_mails, minutes=caps.storm_minutes, until=until)
    return to_ops(
        caps,
        f"A storm: {sentence(Mark(until=until, why=why))}. Answers of agents and notices to them "
        "leave as ever. It ends by itself; `mailgate status` shows how things stand.",
    )
