"""Mail that has to leave: fixed bytes, one row per recipient, claimed by date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Connection,
    Row,
    bindparam,
    func,
    select,
    update,
)

from mailgate.core.decision import (
    FINAL_STATES,
    Attempt,
    CopyState,
    Fate,
    Outgoing,
    OutgoingCopy,
    Recipient,
)
from mailgate.core.policy import folded
from store.blobs import BlobMissing, Blobs
from store.columns import Folded
from store.outbox_rows import OutboxReading, OutboxRow, RecipientRow
from store.schema import outbox, outbox_recipients

__all__ = ["LOST", "PAUSED", "Outbox", "OutboxRow", "Queued", "RecipientRow"]

# Built once: store/dialects.py says why. Parameters have names that no column has.
_R = outbox_recipients.c
PAUSED = "outbox.paused"  # the setting that is "1" while nothing may leave
LOST = "the bytes of this mail are missing: restore them from a backup, then retry"
_ADD = outbox.insert()
_ADD_RECIPIENTS = outbox_recipients.insert()
_DUE = (
    select(_R.id, _R.state)
    .where(_R.due <= bindparam("at"))
    .order_by(_R.due, _R.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(outbox_recipients)
    .where(_R.id.in_(bindparam("ids", expanding=True)))
    .values(
        due=bindparam("until"),
        attempts=_R.attempts + 1,
        state=CopyState.SENDING.value,
        changed=bindparam("at"),
    )
)
_CLAIMED = (
    select(outbox_recipients, outbox)
    .join(outbox, outbox.c.id == _R.outbox)
    .where(_R.id.in_(bindparam("ids", expanding=True)))
    .order_by(_R.id)
    .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
)
_RECORD = update(outbox_recipients).where(
    _R.id == bindparam("which"), _R.state != CopyState.SENT.value
)
_NEXT_DUE = select(func.min(_R.due))


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One recipient's copy, claimed by a mailer. `data` is what goes over the wire, CRLF."""

    id: int  # of the recipient's row
    outbox: int
    ticket: int | None  # None: an alert
    notice: str
    message_id: str  # of this copy
    automatic: bool
    mail_from: str  # the return path of this copy
    address: str
    role: str
    data: bytes
    attempts: int  # this one included
    queued: datetime
    before: CopyState  # what it was when it was claimed


class Outbox(OutboxReading):
    """Rows of `outbox` and `outbox_recipients`, inside one transaction."""

    def __init__(self, conn: Connection, blobs: Blobs) -> None:
        super().__init__(conn, blobs)
        self.lost: list[Queued] = []  # given up by `claim_due`, without data

    def add(
        self,
        mail: Outgoing,
        to: Sequence[Recipient],
        now: datetime,
        *,
        inbox: int | None = None,
        due: datetime | None = None,
    ) -> int:
        """Queue a composed mail for these recipients, to leave at `due`; returns the outbox id."""
        row = {
            "ticket": mail.ticket,
            "notice": mail.notice.value,
            "message_id": mail.message_id,
            "mail_from": mail.mail_from,
            "automatic": mail.automatic,
            "inbox": inbox,
            "digest": self._blobs.put(mail.raw, now),
            "created": now,
        }
        key = self._conn.execute(_ADD, row).inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave no outbox id")
        # A Message-ID stands in one row: a copy without one of its own shares the mail's.
        shared = OutgoingCopy(message_id="", mail_from=mail.mail_from)
        first = replace(shared, message_id=mail.message_id)
        rows: list[dict[str, Any]] = []
        for r in to:
            copy = mail.copies.get(r.address, shared if rows else first)
            rows.append(
                {
                    "outbox": int(key[0]),
                    "address": r.address,
                    "role": r.role,
                    "message_id": copy.message_id,
                    "mail_from": copy.mail_from,
                    "number": copy.number,
                    "head": mail.heads[r.address],
                    "due": due or now,
                    "queued": now,
                    "changed": now,
                }
            )
        self._conn.execute(_ADD_RECIPIENTS, rows)
        return int(key[0])

    def claim_due(self, now: datetime, limit: int, lease: timedelta) -> list[Queued]:
        """Take up to `limit` due copies and hide them until now + lease, oldest first.

        A claim is a date: if the mailer dies while sending, the copy falls due again by itself.
        The price: it may go out twice, byte-identical and with one and the same Message-ID.
        A mail whose bytes are missing fails with a text that says so and is put on `lost`; the
        others are returned.
        """
        due = self._conn.execute(_DUE, {"at": now, "most": limit})
        before = {row.id: CopyState(row.state) for row in due}
        if not before:
            return []
        ids = list(before)
        self._conn.execute(_CLAIM, {"ids": ids, "until": now + lease, "at": now})
        claimed = []
        for row in self._conn.execute(_CLAIMED, {"ids": ids}).all():
            try:
                data = bytes(row.outbox_recipients_head) + self._blobs.get(row.outbox_digest)
            except BlobMissing:
                self._give_up(row.outbox_recipients_id, now)
                self.lost.append(self._queued(row, b"", before))
            else:
                claimed.append(self._queued(row, data, before))
        return claimed

    def _give_up(self, recipient: int, now: datetime) -> None:
        # One lost file must not keep all other mail from leaving.
        row = update(outbox_recipients).where(outbox_recipients.c.id == recipient)
        state = CopyState.FAILED.value
        self._conn.execute(row.values(state=state, due=None, code=0, text=LOST, changed=now))

    def _queued(self, row: Row[Any], data: bytes, before: dict[int, CopyState]) -> Queued:
        return Queued(
            id=row.outbox_recipients_id,
            outbox=row.outbox_id,
            ticket=row.outbox_ticket,
            notice=row.outbox_notice,
            message_id=row.outbox_recipients_message_id or row.outbox_message_id,
            automatic=row.outbox_automatic,
            mail_from=row.outbox_recipients_mail_from,
            address=row.outbox_recipients_address,
            role=row.outbox_recipients_role,
            data=data,
            attempts=row.outbox_recipients_attempts,
            queued=row.outbox_recipients_queued,
            before=before[row.outbox_recipients_id],
        )

    def record(self, recipient: int, attempt: Attempt, fate: Fate) -> None:
        """Write what became of an attempt.

        A copy that was sent stays sent: a mailer that outlived its lease cannot call it back.
        """
        values = {
            "which": recipient,
            "state": fate.state.value,
            "due": fate.due,
            "code": attempt.code,
            "text": attempt.text[:500],
            "route": attempt.route,
            "changed": attempt.at,
        }
        self._conn.execute(_RECORD, values)

    def note_bounce(
        self, outbox_id: int, address: str, text: str, recipient: int | None = None
    ) -> None:
        """Say on the copy that a delivery report came for it; the relay had taken it.

        `recipient` is the row of the copy where that is known; else the report's `address` is
        looked for, and "" is every copy of the mail.
        """
        r = outbox_recipients.c
        row = update(outbox_recipients).where(r.outbox == outbox_id)
        if recipient is not None:
            row = row.where(r.id == recipient)
        elif address:
            row = row.where(Folded(r.address) == folded(address))
        self._conn.execute(row.values(text=text[:500]))

    def release(self, copies: Sequence[Queued], due: datetime, now: datetime) -> None:
        """Give claimed copies back untried, in the state they had."""
        for copy in copies:
            self._conn.execute(
                update(outbox_recipients)
                .where(
                    outbox_recipients.c.id == copy.id,
                    outbox_recipients.c.state == CopyState.SENDING.value,
                )
                .values(
                    state=_given_back(copy.before).value,
                    due=due,
                    attempts=outbox_recipients.c.attempts - 1,
                    changed=now,
                )
            )

    def orphaned(self, now: datetime) -> int:
        """Make copies on the wire due now: their mailer died; only for a node that is alone.

        They stay in `sending`, so that the mailer sees that nobody knows how far they got.
        """
        r = outbox_recipients.c
        there = update(outbox_recipients).where(r.state == CopyState.SENDING.value, r.due > now)
        return int(self._conn.execute(there.values(due=now)).rowcount)

    def retry(self, outbox_ids: Collection[int] | None, now: datetime) -> int:
        """Make copies due now that are neither sent nor cancelled; returns how many.

        None is every mail there is.
        """
        ended = (CopyState.SENT, CopyState.CANCELLED)
        return self._change(outbox_ids, CopyState.PENDING, now, due=now, not_in=ended)

    def cancel(self, outbox_ids: Collection[int], now: datetime) -> int:
        """Never send what is not sent yet; returns how many copies."""
        return self._change(
            outbox_ids, CopyState.CANCELLED, now, due=None, not_in=tuple(FINAL_STATES)
        )

    def _change(
        self,
        outbox_ids: Collection[int] | None,
        state: CopyState,
        now: datetime,
        *,
        due: datetime | None,
        not_in: tuple[CopyState, ...],
    ) -> int:
        r = outbox_recipients.c
        # A copy on the wire is left alone: its fate is decided by the relay's answer.
        locked = [*not_in, CopyState.SENDING]
        them = update(outbox_recipients).where(r.state.not_in([s.value for s in locked]))
        if outbox_ids is not None:
            them = them.where(r.outbox.in_(list(outbox_ids)))
        done = self._conn.execute(them.values(state=state.value, due=due, changed=now))
        return int(done.rowcount)

    def next_due(self) -> datetime | None:
        """When the next copy falls due."""
        return self._conn.execute(_NEXT_DUE).scalar()


def _given_back(before: CopyState) -> CopyState:
    # A copy found in `sending` was claimed by a mailer that died: nobody knows how far it got.
    return CopyState.UNCERTAIN if before is CopyState.SENDING else before
