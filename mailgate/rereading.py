"""Messages that `#split` may mean: their mails are read again before the transaction begins.

Rules look at all of a mail, and a notice passes on its formatting and its files; the database
keeps neither. Parsing happens in another process, and nobody waits for it with a lock in hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mailgate import journal
from mailgate.core.decision import Keys, StoredMessage
from mailgate.core.language import detect
from mailgate.core.mail import Address, ParsedMail
from mailgate.core.policy import Policy
from mailgate.core.ticket import MessageKind
from mailgate.desk import Reread
from mailgate.parsing import Parsers, WorkerDied, passed_on
from store.blobs import BlobMissing
from store.database import Database, Tx
from store.ticket_rows import Message

_MOST = 5  # mails read again because of one mail


def reread(database: Database, parsers: Parsers, keys: Keys, policy: Policy) -> dict[int, Reread]:
    """The mails of messages that may be meant, by message; without those that cannot be read.

    Raises store.database.Unavailable, OSError (the disk), CancelledError (the pool was closed).
    """
    if not keys.split:
        return {}
    with database.reading() as tx:
        named = tx.facts.named(keys).values()
        wanted = [m for m in named if m.kind is MessageKind.CUSTOMER and m.inbox is not None]
        stored = [found for m in wanted[:_MOST] if (found := _stored(tx, m)) is not None]
    read = ((message.id, _read(parsers, message, raw, policy)) for message, raw in stored)
    return {number: again for number, again in read if again is not None}


def with_mails(
    messages: Mapping[int, StoredMessage], read: Mapping[int, Reread]
) -> dict[int, StoredMessage]:
    """What the store knows of messages, and what was read of their mails before."""
    return {
        number: replace(one, mail=read[number].mail) if number in read else one
        for number, one in messages.items()
    }


def _stored(tx: Tx, named: StoredMessage) -> tuple[Message, bytes] | None:
    row = tx.inbox.get(named.inbox) if named.inbox is not None else None
    if row is None:
        return None
    try:
        return tx.background.message(named.id), tx.blobs.get(row.digest)
    except BlobMissing as error:
        journal.trouble(what="reread", error=error, message=named.id)
        return None


def _read(parsers: Parsers, message: Message, raw: bytes, policy: Policy) -> Reread | None:
    """None where the mail cannot be read again, which says nothing of the one that asks for it."""
    try:
        whole = parsers.submit(raw, policy.languages, dress=True).result()
        mail = _as_stored(whole, message, policy)
        parts, left_behind = passed_on(parsers, raw, mail)
    except (TimeoutError, MemoryError, WorkerDied) as error:
        journal.trouble(what="reread", error=error, message=message.id)
        return None
    return Reread(mail=mail, parts=parts, left_behind=left_behind)


def _as_stored(whole: ParsedMail, message: Message, policy: Policy) -> ParsedMail:
    """The mail that the message was made of: it came, or it was attached or quoted in a forward.

    What it answered is on another ticket: whatever is sent because of it begins a talk of its own.
    """
    author = Address(addr=message.author, name=message.author_name) if message.author else None
    same = (one for one in (whole, *whole.enclosed) if one.message_id == message.message_id)
    quoted = ParsedMail(
        digest=whole.digest,
        size=whole.size,
        message_id=message.message_id,
        has_message_id=False,
        attachments=whole.attachments,
        language=detect(message.visible, policy.languages),
    )
    return replace(
        next(same, quoted),
        sender=author,
        subject=message.subject,
        date=message.at,
        text=message.text,
        visible=message.visible,
        in_reply_to=(),
        references=(),
    )
