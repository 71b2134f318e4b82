"""The one read before a decision: what the store knows about a mail's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select

from mailgate.core.decision import Facts, Keys, SentMail
from store.people import People
from store.schema import id_key, mail_ids, outbox, outbox_recipients
from store.tickets import Tickets

_SENT = (
    select(
        outbox.c.message_id,
        outbox.c.id,
        outbox.c.ticket,
        outbox.c.notice,
        outbox_recipients.c.address,
    )
    .join(outbox_recipients, outbox_recipients.c.outbox == outbox.c.id)
    .where(outbox.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(outbox_recipients.c.id)
)
_SEEN = (
    select(mail_ids)
    .where(mail_ids.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(mail_ids.c.ticket)
)


class FactFinder:
    """Gathers Facts inside the transaction that will apply the decision."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def gather(self, keys: Keys, *, duplicate_of: int | None = None) -> Facts:
        """Everything the keys ask for; the tickets found are locked until the end."""
        facts = Facts(duplicate_of=duplicate_of)
        if duplicate_of is not None:
            return facts
        asked = [i for i in (*keys.ids, keys.reported_id) if i]
        sent = self._sent(asked)
        seen = self._seen([*keys.ids, keys.own_id], keys.own_id)
        numbers = {s.ticket for s in sent.values()} | set(keys.numbers)
        numbers.update(n for found in seen.values() for n in found)
        return replace(
            facts,
            sent=sent,
            seen=seen,
            tickets=Tickets(self._conn).views(numbers, lock=True),
            sender_language=People(self._conn).language_of(keys.sender) if keys.sender else "",
        )

    def _sent(self, ids: Sequence[str]) -> dict[str, SentMail]:
        if not ids:
            return {}
        by_key = {id_key(i): i for i in ids}
        found: dict[str, SentMail] = {}
        for row in self._conn.execute(_SENT, {"ids": list(by_key)}):
            known = found.get(row.message_id)
            recipients = (*known.recipients, row.address) if known else (row.address,)
            found[row.message_id] = SentMail(
                outbox=row.id, ticket=row.ticket, notice=row.notice, recipients=recipients
            )
        return {by_key[key]: mail for key, mail in found.items()}

    def _seen(self, ids: Sequence[str], own: str) -> dict[str, tuple[int, ...]]:
        by_key = {id_key(i): i for i in ids if i}
        if not by_key:
            return {}
        found: dict[str, tuple[int, ...]] = {}
        for row in self._conn.execute(_SEEN, {"ids": list(by_key)}):
            message_id = by_key[row.message_id]
            # Our own id known as a mail is a Message-ID used twice, and proves nothing; known
            # only from a reference it means that an answer overtook this mail.
            if message_id == own and not row.referenced_only:
                continue
            found[message_id] = (*found.get(message_id, ()), row.ticket)
        return found
