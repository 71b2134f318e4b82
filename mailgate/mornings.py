"""The morning digest: each agent's tickets by what they wait for, in one mail a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from mailgate import listing
from mailgate.apply import apply
from mailgate.core.decision import Notice, Notify, Recipient
from mailgate.core.people import Agent
from mailgate.core.policy import folded
from mailgate.desk import Cause, Desk
from store.database import Tx

KEPT = timedelta(days=2)  # how long it is known that a day's digest was sent


def send(tx: Tx, agent: Agent, day: date, now: datetime, desk: Desk) -> bool:
    """Queue an agent's digest; False where another node has done so, or there is nothing to tell.

    The mark is taken in the transaction that queues the mail: of many nodes one sends it, and none
    loses it by a crash.
    """
    if not tx.counting.mark(f"digest {day} {folded(agent.address)}", now, now + KEPT):
        return False
    if not listing.morning(tx, agent, desk.policy, now):
        return False
    to = Recipient(address=agent.address, role="agent", why="the morning digest")
    apply(tx, (Notify(notice=Notice.DIGEST, to=(to,)),), Cause(now=now, actor="timer"), desk, None)
    return True
