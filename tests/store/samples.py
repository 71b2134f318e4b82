"""Rows to begin with: an arrival, a ticket, a mail that has to leave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from mailgate.core.decision import Decision, Notice, OpenTicket, Outcome, Outgoing, Recipient
from mailgate.core.mail import Address, Attachment, Envelope, ParsedMail
from store.database import Database, Tx
from store.inbox import Arrival

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # half an hour before clocks change in Europe
MINUTE = timedelta(minutes=1)
ANNA = Address(addr="anna@example.org", name="Anna")


def arrival(
    tx: Tx, key: str, *, message_id: str = "", source: str = "smtp", day: int = 0
) -> Arrival:
    """A delivery whose bytes are stored already."""
    raw = f"Subject: {key}\r\n\r\nHello\r\n".encode()
    received = NOW + timedelta(days=day)
    return Arrival(
        source=source,
        source_key=key,
        digest=tx.blobs.put(raw, received),
        fingerprint=sha256(raw).hexdigest(),
        message_id=message_id or f"<{key}@example.org>",
        envelope=Envelope(mail_from="anna@example.org", rcpt_tos=("help@example.com",)),
        received=received,
        live=True,
    )


def accept(database: Database, *keys: str) -> list[int]:
    """Commit deliveries; returns their inbox ids."""
    with database.transaction() as tx:
        return [i for i, _ in tx.inbox.add_many([arrival(tx, key) for key in keys])]


def opening(requester: Address | None = ANNA, subject: str = "Printer on fire") -> OpenTicket:
    """The effect that makes a ticket."""
    return OpenTicket(
        subject=subject,
        requester=requester,
        queue="support",
        status="new",
        priority="normal",
        language="en",
        source="smtp",
    )


def mail(message_id: str, *attachments: Attachment) -> ParsedMail:
    """A parsed mail with new words and a quoted line."""
    return ParsedMail(
        digest="0" * 64,
        size=1,
        message_id=message_id,
        subject="Re: fire",
        text="new\n> old",
        visible="new",
        attachments=attachments,
        defects=("no date",),
    )


def ticket(database: Database, requester: Address | None = ANNA) -> int:
    """Make a ticket in a transaction of its own."""
    with database.transaction() as tx:
        return tx.tickets.open(opening(requester), NOW)


def decision(outcome: Outcome = Outcome.TICKET, *, duplicate_of: int | None = None) -> Decision:
    """A decision with an outcome and nothing to do."""
    reason = f"because {outcome.value}"
    return Decision(outcome=outcome, reason=reason, duplicate_of=duplicate_of)


def queue(
    database: Database, *to: str, message_id: str = "<1@mailgate.test>", automatic: bool = True
) -> tuple[int, int]:
    """Make a ticket and queue a mail about it; returns (ticket, outbox id)."""
    number = ticket(database)
    mail = Outgoing(
        notice=Notice.CONFIRMATION,
        ticket=number,
        message_id=message_id,
        mail_from="help@example.com",
        raw=b"Subject: [#1001]\r\n\r\nWe have it.\r\n",
        heads={address: f"To: {address}\r\n".encode() for address in to},
        automatic=automatic,
    )
    recipients = [Recipient(address=a, role="requester", why="wrote") for a in to]
    with database.transaction() as tx:
        return number, tx.outbox.add(mail, recipients, NOW)
