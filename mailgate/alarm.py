"""What the gate has to say itself: alerts to whoever runs the desk, and a word to an agent.

Each is said once while its mark holds; the marks are in the database, so that of many nodes one
speaks.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mailgate.caps import Caps
from mailgate.core.decision import Notice, Notify, Recipient
from store.database import Tx

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def to_ops(caps: Caps, note: str) -> tuple[Notify, ...]:
    """An alert to the addresses of [helpdesk].ops; nothing where there is nobody."""
    to = tuple(Recipient(address=a, role="agent", why="runs the desk") for a in caps.ops)
    return (Notify(notice=Notice.ALERT, to=to, note=note),) if to else ()


def capped_address(tx: Tx, address: str, why: str, caps: Caps, now: datetime) -> tuple[Notify, ...]:
    """An alert that an address gets no more; once a day for each, and not too many in all."""
    name = f"address {address}"
    mark = tx.counting.marked(name)
    if (mark and now < mark.until) or not caps.ops or _enough(tx, caps, now):
        return ()
    if not tx.counting.mark(name, now, now + DAY, why):
        return ()
    return to_ops(
        caps,
        f"Mail to {address} is held back: {why}. Is it a machine that answers every mail? "
        "`mailgate ticket list` shows its tickets, their events show what was withheld.",
    )


def _enough(tx: Tx, caps: Caps, now: datetime) -> bool:
    first = caps.ops[0]  # each alert goes to all of them
    sent = tx.counting.to_agents([first], None, now - HOUR).get(first)
    return bool(caps.alerts_hour and sent and sent.alerts >= caps.alerts_hour)


def more_waits(tx: Tx, agent: Recipient, why: str, where: str, now: datetime) -> tuple[Notify, ...]:
    """The one mail that tells an agent that notices are held back; at most one an hour."""
    if not tx.counting.mark(f"agent {where} {agent.address}", now, now + HOUR, why):
        return ()
    about = f"ticket show {where}" if where else "ticket list"
    note = f"More mail waits for you: {why}. See `mailgate {about}`."
    return (Notify(notice=Notice.ALERT, to=(agent,), note=note),)
