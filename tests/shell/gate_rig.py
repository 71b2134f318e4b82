"""Mails of earlier minutes, and a notice that asks at the gate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from mailgate.core.decision import HUMAN, Notice, Notify, Outgoing, Recipient
from mailgate.gate import Caps, Passed, pass_gate
from store.database import Database
from tests.store.samples import NOW, accept, ticket

RITA = Recipient(address="rita@customer.test", role="requester", why="requester")
CARL = Recipient(address="carl@customer.test", role="cc", why="on the CC list")
ANA = Recipient(address="ana@example.org", role="agent", why="assigned")
BEN = Recipient(address="ben@example.org", role="agent", why="assigned")
OPS = ("ops@example.org",)
OPEN = Caps(
    per_address_hour=0,
    per_address_day=0,
    changes_hour=0,
    per_ticket_hour=0,
    per_domain_hour=0,
    total_hour=0,
    copies_hour=0,
    copies_day=0,
    copies_total_hour=0,
    agent_hour=0,
    agent_ticket_hour=0,
    alerts_hour=0,
    storm_mails=0,
)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_NUMBERS: Iterator[int] = count(1)


def person(number: int, domain: str = "customer.test") -> Recipient:
    """One of many requesters."""
    return Recipient(address=f"p{number}@{domain}", role="requester", why="requester")


def sent(
    database: Database,
    *ago: timedelta,
    to: Recipient = RITA,
    notice: Notice = Notice.STATUS,
    by_mail: bool = True,
    on: int | None = None,
) -> int:
    """Mails that were queued for somebody so long ago; returns their ticket."""
    inbox = accept(database, f"cause {next(_NUMBERS)}")[0]
    number = on or ticket(database)
    with database.transaction() as tx:
        for age in ago:
            mail = Outgoing(
                notice=notice,
                ticket=number,
                message_id=f"<{next(_NUMBERS)}@example.org>",
                mail_from="support@example.org",
                raw=b"\r\n",
                heads={to.address: b""},
                automatic=notice not in HUMAN,
            )
            tx.outbox.add(mail, [to], NOW - age, inbox=inbox if by_mail else None)
    return number


def ask(
    database: Database,
    caps: Caps,
    *to: Recipient,
    notice: Notice = Notice.CONFIRMATION,
    by_mail: bool = True,
    ticket: int | None = None,
    proven: bool = False,
    after: timedelta = timedelta(0),
    left_out: tuple[Recipient, ...] = (),
) -> Passed:
    """Ask at the gate for these people, so long after NOW."""
    notify = Notify(notice=notice, to=to or (RITA,), proven=proven, left_out=left_out)
    with database.transaction() as tx:
        return pass_gate(tx, notify, caps, NOW + after, by_mail=by_mail, ticket=ticket)


def whys(passed: Passed) -> list[str]:
    """The reasons of those who were stopped."""
    return [stopped.why for stopped in passed.stopped]


def notes(passed: Passed) -> list[tuple[Notice, str, str]]:
    """What the gate has to say: notice, to whom, the words."""
    return [(said.notice, p.address, said.note) for said in passed.also for p in said.to]
