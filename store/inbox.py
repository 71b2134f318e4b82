"""Accepted mail: a row per delivery, claimed by date, settled exactly once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from mailgate.core.decision import Decision, Outcome, Step
from mailgate.core.mail import Envelope
from store.dialects import on, spelled
from store.schema import contents, id_key, inbox


class AlreadySettled(Exception):
    """Another worker settled this mail first; whoever meets this rolls back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What intake knows of a delivery when it commits it."""

    source: str
    source_key: str
    digest: str
    fingerprint: str
    message_id: str
    envelope: Envelope
    received: datetime
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A claimed mail that has no outcome yet."""

    id: int
    source: str
    digest: str
    fingerprint: str
    message_id: str
    envelope: Envelope
    received: datetime
    live: bool
    attempts: int  # this one included
    vouched_by: str = ""  # who let it out of quarantine
    vouched_for: int | None = None  # ... and for which ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A mail as the ledger shows it; `outcome` is None while it waits."""

    id: int
    source: str
    digest: str
    message_id: str
    envelope: Envelope
    received: datetime
    live: bool
    attempts: int
    outcome: Outcome | None
    reason: str
    ticket: int | None
    duplicate_of: int | None
    trace: tuple[Step, ...]
    settled: datetime | None


_I = inbox.c
_ADD = spelled(
    lambda insert: (
        insert(inbox)
        .on_conflict_do_nothing(index_elements=["source_key"])
        .returning(_I.source_key, _I.id)
    )
)
_KNOWN = select(_I.source_key, _I.id).where(_I.source_key.in_(bindparam("keys", expanding=True)))
# RETURNING, because psycopg tells no row count of an INSERT.
_CLAIM_CONTENT = spelled(
    lambda insert: insert(contents).on_conflict_do_nothing().returning(contents.c.inbox)
)
_CLAIMED_BY = select(contents.c.inbox).where(contents.c.fingerprint == bindparam("fingerprint"))
_PARENT = select(func.min(_I.id)).where(
    _I.message_id.in_(bindparam("ids", expanding=True)),
    _I.outcome.is_(None),
    _I.id < bindparam("before"),
)
# SKIP LOCKED is for PostgreSQL; SQLite has a single writer and ignores it.
_CLAIMABLE = (
    select(_I.id)
    .where(_I.outcome.is_(None), _I.due <= bindparam("at"))
    .order_by(_I.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CLAIMABLE_OF = _CLAIMABLE.where(_I.id.in_(bindparam("ids", expanding=True)))
_CLAIM, _CLAIM_OF = (
    update(inbox)
    .where(_I.id.in_(select(due.cte("claimable").c.id)))
    .values(due=bindparam("until"), attempts=_I.attempts + 1)
    .returning(inbox)
    for due in (_CLAIMABLE, _CLAIMABLE_OF)
)
_SENT = "sent "  # what the source of a mail in a Sent folder begins with
_SETTLE = update(inbox).where(_I.id == bindparam("which"), _I.outcome.is_(None))


class Inbox:
    """Rows of `inbox`, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add_many(self, arrivals: Sequence[Arrival]) -> list[tuple[int, bool]]:
        """Commit deliveries; returns (id, whether it is new) in the order given.

        A source key that is known already gives the id of its row and changes nothing.
        """
        rows: dict[str, dict[str, Any]] = {}
        for arrival in arrivals:
            rows.setdefault(arrival.source_key, _row_of(arrival))
        known = self._ids(rows)
        fresh = [row for key, row in rows.items() if key not in known]
        new = self._insert(fresh) if fresh else {}
        # What is neither known nor new was committed by another node in between.
        raced = {key for key in rows if key not in known and key not in new}
        ids = known | new | self._ids(raced)
        result = []
        for arrival in arrivals:
            result.append((ids[arrival.source_key], arrival.source_key in new))
            new.pop(arrival.source_key, None)  # its twin in the same batch is not new
        return result

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        made = self._conn.execute(on(self._conn, _ADD), rows)
        return {row.source_key: row.id for row in made}

    def _ids(self, keys: Collection[str]) -> dict[str, int]:
        if not keys:
            return {}
        found = self._conn.execute(_KNOWN, {"keys": list(keys)})
        return {row.source_key: row.id for row in found}

    def claim(
        self, now: datetime, limit: int, lease: timedelta, *, only: Collection[int] | None = None
    ) -> list[Waiting]:
        """Take up to `limit` waiting mails, oldest first, and hide them until now + lease.

        A claim is a date, not a status: if the worker dies, the mail falls due again by itself.
        """
        asked: dict[str, Any] = {"at": now, "most": limit, "until": now + lease}
        if only is None:
            rows = self._conn.execute(_CLAIM, asked)
        else:
            rows = self._conn.execute(_CLAIM_OF, {**asked, "ids": list(only)})
        return sorted((_waiting(row) for row in rows), key=lambda w: w.id)

    def release(self, ids: Sequence[int], due: datetime, *, refund: bool = False) -> None:
        """Give claimed mails back, to be taken again at `due`; `refund` uncounts the attempt."""
        if not ids:
            return
        values: dict[str, Any] = {"due": due}
        if refund:
            values["attempts"] = inbox.c.attempts - 1
        waiting = update(inbox).where(inbox.c.id.in_(ids), inbox.c.outcome.is_(None))
        self._conn.execute(waiting.values(values))

    def release_all(self, now: datetime) -> int:
        """Give every claim back; only for a node that knows it is alone. Returns how many."""
        claimed = update(inbox).where(inbox.c.outcome.is_(None), inbox.c.due > now)
        return int(self._conn.execute(claimed.values(due=now)).rowcount)

    def first_with(self, key: str, also: str, inbox_id: int) -> int | None:
        """Claim a content (by `key`, a sha256) for a row; returns the row that had it first.

        A content claimed for the first time is made known under `also` too. Two workers that
        meet the same content wait for each other here, on both databases.
        """
        claim = on(self._conn, _CLAIM_CONTENT)
        if self._conn.execute(claim, {"fingerprint": key, "inbox": inbox_id}).first():
            if also != key:
                self._conn.execute(claim, {"fingerprint": also, "inbox": inbox_id}).first()
            return None
        first = int(self._conn.execute(_CLAIMED_BY, {"fingerprint": key}).scalar_one())
        return None if first == inbox_id else first

    def supersede(self, waiting: Waiting, first: int) -> bool:
        """Whether this copy of a content is to be decided although row `first` had it before.

        That is so where one of the two lies in a Sent folder, the other came by mail, and the first
        was ignored: each of them proves another thing. Later copies are duplicates of this one.
        """
        settled = self.get(first)
        if settled is None or settled.outcome is not Outcome.IGNORED:
            return False
        if waiting.source.startswith(_SENT) == settled.source.startswith(_SENT):
            return False
        mine = contents.update().where(contents.c.inbox == first).values(inbox=waiting.id)
        self._conn.execute(mine)
        return True

    def waiting_parent(self, ids: Sequence[str], before: int) -> int | None:
        """The row of an undecided mail, older than `before`, with one of these Message-IDs."""
        if not ids:
            return None
        asked = {"ids": [id_key(one) for one in ids], "before": before}
        return self._conn.execute(_PARENT, asked).scalar()

    def settle(self, inbox_id: int, decision: Decision, ticket: int | None, now: datetime) -> None:
        """Write the outcome, once. Raises AlreadySettled."""
        values = {
            "which": inbox_id,
            "outcome": decision.outcome.value,
            "reason": decision.reason,
            "ticket": ticket,
            "duplicate_of": decision.duplicate_of,
            "trace": [[s.step, s.verdict, s.reason] for s in decision.trace],
            "settled": now,
            "due": None,
        }
        if self._conn.execute(_SETTLE, values).rowcount != 1:
            raise AlreadySettled(str(inbox_id))

    def reopen(
        self, inbox_id: int, now: datetime, *, by: str = "", ticket: int | None = None
    ) -> bool:
        """Make a quarantined mail wait again; False when it is not in quarantine.

        `by` vouches for it: that it may go where it belongs, or to this `ticket`.
        """
        row = update(inbox).where(
            inbox.c.id == inbox_id, inbox.c.outcome == Outcome.QUARANTINED.value
        )
        values: dict[str, Any] = {"outcome": None, "settled": None, "due": now, "attempts": 0}
        values |= {"vouched_by": by, "vouched_for": ticket}
        if self._conn.execute(row.values(values)).rowcount != 1:
            return False
        self._conn.execute(contents.delete().where(contents.c.inbox == inbox_id))
        return True

    def drop(self, inbox_id: int, reason: str, now: datetime, *, step: str = "operator") -> bool:
        """Settle a quarantined mail as ignored, bytes kept; False when it is not in quarantine."""
        i = inbox.c
        there = (i.id == inbox_id, i.outcome == Outcome.QUARANTINED.value)
        row = self._conn.execute(select(inbox).where(*there).with_for_update()).first()
        if row is None:
            return False
        last = Step(step=step, verdict=Outcome.IGNORED.value, reason=reason)
        trace = [[s.step, s.verdict, s.reason] for s in (*_settled(row).trace, last)]
        values = {
            "outcome": Outcome.IGNORED.value,
            "reason": reason,
            "trace": trace,
            "settled": now,
        }
        self._conn.execute(update(inbox).where(*there).values(values))
        return True

    def get(self, inbox_id: int) -> Settled | None:
        """One row of the ledger."""
        row = self._conn.execute(select(inbox).where(inbox.c.id == inbox_id)).first()
        return _settled(row) if row else None

    def by_key(self, source_key: str) -> Settled | None:
        """The row of a delivery, by the name its source gave it."""
        row = self._conn.execute(select(inbox).where(inbox.c.source_key == source_key)).first()
        return _settled(row) if row else None

    def find(
        self, *, message_id: str = "", outcome: Outcome | None = None, limit: int = 100
    ) -> list[Settled]:
        """Rows by Message-ID or outcome, newest first."""
        query = select(inbox).order_by(inbox.c.id.desc()).limit(limit)
        if message_id:
            query = query.where(inbox.c.message_id == id_key(message_id))
        if outcome:
            query = query.where(inbox.c.outcome == outcome.value)
        return [_settled(row) for row in self._conn.execute(query)]

    def next_due(self) -> datetime | None:
        """When the next waiting mail may be claimed."""
        return self._conn.execute(
            select(func.min(inbox.c.due)).where(inbox.c.outcome.is_(None))
        ).scalar()


def _row_of(arrival: Arrival) -> dict[str, Any]:
    return {
        "source": arrival.source,
        "source_key": arrival.source_key,
        "digest": arrival.digest,
        "fingerprint": arrival.fingerprint,
        "message_id": id_key(arrival.message_id),
        "mail_from": arrival.envelope.mail_from,
        "rcpt_tos": list(arrival.envelope.rcpt_tos),
        "peer": arrival.envelope.peer,
        "helo": arrival.envelope.helo,
        "login": arrival.envelope.login,
        "received": arrival.received,
        "live": arrival.live,
        "due": arrival.received,
    }


def _envelope(row: Row[Any]) -> Envelope:
    return Envelope(
        mail_from=row.mail_from,
        rcpt_tos=tuple(row.rcpt_tos),
        peer=row.peer,
        helo=row.helo,
        login=row.login,
    )


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(
        id=row.id,
        source=row.source,
        digest=row.digest,
        fingerprint=row.fingerprint,
        message_id=row.message_id,
        envelope=_envelope(row),
        received=row.received,
        live=row.live,
        attempts=row.attempts,
        vouched_by=row.vouched_by,
        vouched_for=row.vouched_for,
    )


def _settled(row: Row[Any]) -> Settled:
    trace = row.trace if isinstance(row.trace, list) else json.loads(row.trace)
    return Settled(
        id=row.id,
        source=row.source,
        digest=row.digest,
        message_id=row.message_id,
        envelope=_envelope(row),
        received=row.received,
        live=row.live,
        attempts=row.attempts,
        outcome=Outcome(row.outcome) if row.outcome else None,
        reason=row.reason,
        ticket=row.ticket,
        duplicate_of=row.duplicate_of,
        trace=tuple(Step(step=s, verdict=v, reason=r) for s, v, r in trace),
        settled=row.settled,
    )
