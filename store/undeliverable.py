"""Addresses that our mail does not reach. A paused one is written to again once it writes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from mailgate.core.policy import folded
from store.dialects import on, spelled
from store.schema import undeliverable

SOFT_WINDOW = timedelta(days=30)  # the third failure within it pauses an address
_U = undeliverable.c
_PAUSED = select(_U.address, _U.reason).where(
    _U.address.in_(bindparam("addresses", expanding=True)), _U.paused.is_not(None)
)
_MEET = spelled(lambda insert: insert(undeliverable).on_conflict_do_nothing())
_KNOWN = select(undeliverable).where(_U.address == bindparam("who")).with_for_update()
_CLEAR = delete(undeliverable).where(_U.address == bindparam("who")).returning(_U.paused)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadAddress:
    """An address with failures. `paused` None: it is still written to."""

    address: str
    failures: int
    reason: str
    changed: datetime  # when the last failure was
    paused: datetime | None = None


class Undeliverable:
    """Rows of `undeliverable`, inside one transaction. Addresses are compared in lower case."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def paused(self, addresses: Collection[str]) -> dict[str, str]:
        """Those of these addresses that nothing goes to, as they were given, and why."""
        asked = {folded(address): address for address in addresses}
        if not asked:
            return {}
        rows = self._conn.execute(_PAUSED, {"addresses": list(asked)})
        return {asked[row.address]: row.reason for row in rows}

    def failed(self, address: str, *, hard: bool, reason: str, now: datetime) -> bool:
        """Note that a mail did not arrive; True when the address is paused from now on.

        A permanent failure pauses at once, others do the third time within SOFT_WINDOW.
        """
        who = folded(address)
        first = {"address": who, "failures": 0, "changed": now}
        self._conn.execute(on(self._conn, _MEET), first)
        row = self._conn.execute(_KNOWN, {"who": who}).one()
        if row.paused is not None:
            return False
        last = row.changed if row.failures else None
        lately = [at for at in (row.previous, last) if at and at > now - SOFT_WINDOW]
        pause = hard or len(lately) >= 2
        news = {
            "failures": len(lately) + 1,
            "previous": last,
            "paused": now if pause else None,
            "reason": reason[:500],
            "changed": now,
        }
        self._conn.execute(update(undeliverable).where(_U.address == who).values(news))
        return pause

    def wrote(self, address: str) -> bool:
        """Somebody wrote from there, so it is alive; True when it had been paused."""
        paused = self._conn.execute(_CLEAR, {"who": folded(address)}).first()
        return paused is not None and paused[0] is not None

    def clear(self, address: str) -> bool:
        """Forget all failures; False when there were none."""
        return self._conn.execute(_CLEAR, {"who": folded(address)}).first() is not None

    def get(self, address: str) -> DeadAddress | None:
        """What is known of an address."""
        query = select(undeliverable).where(_U.address == folded(address))
        row = self._conn.execute(query).first()
        return _dead(row) if row else None

    def list(self, limit: int = 1000) -> list[DeadAddress]:
        """Addresses with failures, the last failure first."""
        query = select(undeliverable).order_by(_U.changed.desc(), _U.address).limit(limit)
        return [_dead(row) for row in self._conn.execute(query)]


def _dead(row: Row[Any]) -> DeadAddress:
    return DeadAddress(
        address=row.address,
        failures=row.failures,
        reason=row.reason,
        changed=row.changed,
        paused=row.paused,
    )
