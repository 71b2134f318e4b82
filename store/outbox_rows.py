"""Outgoing mail as it is read: lists, exact bytes, and which copy an id or a return path names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, case, desc, literal_column, select

from mailgate.core.decision import CopyState, SentCopy
from store.blobs import Blobs
from store.schema import id_key, outbox, outbox_recipients

# Built once: store/dialects.py says why.
_R, _O = outbox_recipients.c, outbox.c
_ASKED = outbox_recipients.alias("asked")
_THEIRS = outbox_recipients.alias("theirs")
_COPIES = outbox_recipients.join(outbox, _O.id == _R.outbox)
# The Message-ID that a copy was sent with.
COPY_ID = case((_R.message_id != "", _R.message_id), else_=_O.message_id)
_BY_NUMBER = (
    select(_R.id, _R.outbox, _R.address, _R.role, _O.ticket, _O.notice)
    .select_from(_COPIES)
    .where(_R.number == bindparam("which"))
)
# The index is used only where the query says what the index does, and not by a parameter.
NO_ID = literal_column("''", String)
_NAMED = _ASKED.c.message_id != NO_ID
_TRANSLATED = (
    select(_ASKED.c.message_id, _O.message_id.label("shared"), _THEIRS.c.message_id.label("own"))
    .add_columns(_THEIRS.c.id)
    .select_from(
        _ASKED.join(outbox, _O.id == _ASKED.c.outbox).outerjoin(
            _THEIRS,
            (_THEIRS.c.outbox == _O.id) & (_THEIRS.c.address == bindparam("who")),
        )
    )
    .where(_ASKED.c.message_id.in_(bindparam("ids", expanding=True)), _NAMED)
)
_SEEN_BY = (
    select(COPY_ID)
    .select_from(_COPIES)
    .where(_O.ticket == bindparam("number"), _R.address == bindparam("who"))
    .order_by(desc(_O.id))
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """A recipient as `outbox list` shows it."""

    id: int
    address: str
    role: str
    state: CopyState
    attempts: int
    code: int
    text: str
    due: datetime | None
    changed: datetime
    message_id: str  # of this copy
    mail_from: str  # the return path of this copy; "" for the null sender
    number: int | None = None  # named by the token in the return path


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A mail with all its recipients."""

    id: int
    notice: str
    ticket: int | None  # None: an alert
    message_id: str  # of the first copy
    mail_from: str  # where a copy has no return path of its own
    automatic: bool
    digest: str
    inbox: int | None
    created: datetime
    recipients: tuple[RecipientRow, ...]


def copy_by_number(conn: Connection, number: int) -> SentCopy | None:
    """The copy that a return path names."""
    row = conn.execute(_BY_NUMBER, {"which": number}).first()
    if row is None:
        return None
    return SentCopy(
        outbox=row.outbox,
        recipient=row.id,
        ticket=row.ticket,
        address=row.address,
        role=row.role,
        notice=row.notice,
    )


class OutboxReading:
    """Reads of `outbox` and `outbox_recipients`, inside one transaction."""

    def __init__(self, conn: Connection, blobs: Blobs) -> None:
        self._conn = conn
        self._blobs = blobs

    def by_number(self, number: int) -> SentCopy | None:
        """The copy that a return path names."""
        return copy_by_number(self._conn, number)

    def translate(self, ids: Sequence[str], address: str) -> dict[str, str | None]:
        """For each of these Message-IDs that is ours: the same mail's in that address's copy.

        None where the address was not sent that mail. Ids that are not ours are left out.
        """
        by_key = {id_key(i): i for i in ids if i}
        if not by_key:
            return {}
        rows = self._conn.execute(_TRANSLATED, {"ids": list(by_key), "who": address})
        return {
            by_key[row.message_id]: None if row.id is None else row.own or row.shared
            for row in rows
        }

    def ids_for(self, ticket: int, address: str, limit: int = 20) -> list[str]:
        """Message-IDs of our mails on the ticket as this address got them.

        Oldest first, the last `limit` of them.
        """
        asked = {"number": ticket, "who": address, "most": limit}
        return list(reversed(self._conn.execute(_SEEN_BY, asked).scalars().all()))

    def list(
        self,
        *,
        ids: Collection[int] = (),
        ticket: int | None = None,
        unfinished: bool = False,
        inbox: int | None = None,
        limit: int = 100,
    ) -> list[OutboxRow]:
        """Mails with their recipients, oldest first of the newest `limit`."""
        query = select(outbox).order_by(_O.id.desc()).limit(limit)
        if ids:
            query = query.where(_O.id.in_(list(ids)))
        if ticket is not None:
            query = query.where(_O.ticket == ticket)
        if inbox is not None:
            query = query.where(_O.inbox == inbox)
        if unfinished:
            done = [CopyState.SENT.value, CopyState.CANCELLED.value]
            query = query.where(_O.id.in_(select(_R.outbox).where(_R.state.not_in(done))))
        rows = list(reversed(self._conn.execute(query).all()))
        on = self._recipients(rows)
        return [
            OutboxRow(
                id=row.id,
                notice=row.notice,
                ticket=row.ticket,
                message_id=row.message_id,
                mail_from=row.mail_from,
                automatic=row.automatic,
                digest=row.digest,
                inbox=row.inbox,
                created=row.created,
                recipients=on.get(row.id, ()),
            )
            for row in rows
        ]

    def _recipients(self, mails: Sequence[Row[Any]]) -> dict[int, tuple[RecipientRow, ...]]:
        result: dict[int, tuple[RecipientRow, ...]] = {}
        shared = {mail.id: mail.message_id for mail in mails}
        query = select(outbox_recipients).where(_R.outbox.in_(list(shared))).order_by(_R.id)
        for row in self._conn.execute(query) if shared else ():
            recipient = RecipientRow(
                id=row.id,
                address=row.address,
                role=row.role,
                state=CopyState(row.state),
                attempts=row.attempts,
                code=row.code,
                text=row.text,
                due=row.due,
                changed=row.changed,
                message_id=row.message_id or shared[row.outbox],
                mail_from=row.mail_from,
                number=row.number,
            )
            result[row.outbox] = (*result.get(row.outbox, ()), recipient)
        return result

    def wire_bytes(self, recipient: int) -> bytes:
        """Exactly what goes to one recipient. Raises LookupError."""
        query = select(_R.head, _O.digest).select_from(_COPIES).where(_R.id == recipient)
        row = self._conn.execute(query).first()
        if row is None:
            raise LookupError(f"no outbox recipient {recipient}")
        return bytes(row.head) + self._blobs.get(row.digest)

    def shared_bytes(self, outbox: int) -> bytes:
        """What all recipients get alike: the rest of the head, and the body. Raises LookupError."""
        digest = self._conn.scalar(select(_O.digest).where(_O.id == outbox))
        if digest is None:
            raise LookupError(f"no mail {outbox} in the outbox")
        return self._blobs.get(digest)
