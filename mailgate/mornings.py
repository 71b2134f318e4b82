"""What agents get in the morning: their tickets, and on duty what waits for somebody to decide."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from mailgate import listing, waiting
from mailgate.apply import apply
from mailgate.core.decision import Notice, Notify, Recipient
from mailgate.core.duty import DutyItem, WaitingMail
from mailgate.core.people import Agent
from mailgate.core.policy import folded
from mailgate.desk import Cause, Desk
from mailgate.notices import HELD_DAYS
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


def send_duty(tx: Tx, agent: Agent, day: date, now: datetime, desk: Desk) -> bool:
    """Queue the duty list of an agent on duty; False as for `send`, or for anybody else.

    What its numbers mean is kept, so that an answer to an old list speaks of what that list said.
    """
    if agent not in desk.policy.on_duty:
        return False
    if not tx.counting.mark(f"duty {day} {folded(agent.address)}", now, now + KEPT):
        return False
    mails, more = waiting.gather(tx, agent, desk.policy)
    if not mails:
        return False
    items = [_item(mail) for mail in mails]
    made = tx.duty.make(agent.address, items, now, now + timedelta(days=HELD_DAYS))
    to = Recipient(address=agent.address, role="agent", why="on duty")
    told = Notify(notice=Notice.DUTY, to=(to,), duty=made, waiting=mails, more=more)
    apply(tx, (told,), Cause(now=now, actor="timer"), desk, None)
    return True


def _item(mail: WaitingMail) -> DutyItem:
    return DutyItem(number=mail.number, inbox=mail.inbox, held=mail.held, sender=mail.sender)
