"""A copy that a relay refused for good: the mailer winds a clock; it rings, and agents are told.

The mailer writes nothing itself: it has no templates, and must go on while a notice is made.
"""

from __future__ import annotations

from datetime import datetime

from mailgate.core import unsent
from mailgate.core.decision import CopyState
from mailgate.core.notice import Notify, Unsent
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView
from store.clocks import UNSENT
from store.database import Tx
from store.outbox import Queued


def remember(tx: Tx, copy: Queued, now: datetime) -> None:
    """Have agents told at once of a copy that will never arrive; nothing for one of no ticket."""
    if copy.ticket is not None and copy.notice not in unsent.NEVER_TOLD:
        tx.clocks.start(copy.ticket, f"{UNSENT}{copy.outbox} {copy.id}", now, now)


def tell(tx: Tx, kind: str, ticket: TicketView, policy: Policy) -> tuple[Notify, ...]:
    """Who hears of the copy that this clock is about; nobody where it was sent again since."""
    outbox, recipient = map(int, kind.removeprefix(UNSENT).split())
    for row in tx.outbox.list(ids=[outbox]):
        for copy in row.recipients:
            if copy.id == recipient and copy.state is CopyState.FAILED:
                said = f"{copy.code} {copy.text}" if copy.code else copy.text
                failed = Unsent(address=copy.address, said=said, note="refused")
                return unsent.refused(ticket, row.notice, failed, policy)
    return ()
