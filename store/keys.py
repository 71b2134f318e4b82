"""The secrets that tokens are sealed with. Tokens carry a key's id in one octet."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, text, update

from mailgate.core.token import Key
from store.schema import keys

_OCTETS = 32
_LAST_ID = 255
_ALL = select(keys)
_ADD = keys.insert()


class Keys:
    """Rows of `keys`, inside one transaction. One of them is in use, once there is any."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self) -> tuple[Key, ...]:
        """All keys, the one in use first, then the newest."""
        found = [
            Key(
                id=row.id,
                secret=bytes(row.secret),
                created=row.created,
                retired=row.retired,
                valid_until=row.valid_until,
            )
            for row in self._conn.execute(_ALL)
        ]
        return tuple(sorted(found, key=_age, reverse=True))

    def current(self, now: datetime) -> Key:
        """The key that new tokens are sealed with; the first one is made here.

        Nodes that ask for the first one at once get the same.
        """
        known = self.all()
        if not known:
            self._lock()
            known = self.all()
        return known[0] if known else self._add(0, now)

    def rotate(self, now: datetime, grace: timedelta) -> Key:
        """Make a new key. Tokens of the others are believed until now + `grace`, if so long."""
        return self._replace(now, now + grace)

    def revoke_all(self, now: datetime) -> Key:
        """Make a new key. No token that exists is believed from now on."""
        return self._replace(now, now - timedelta(seconds=1))

    def _replace(self, now: datetime, end: datetime) -> Key:
        self._lock()
        before = self.all()
        k = keys.c
        self._conn.execute(update(keys).where(k.retired.is_(None)).values(retired=now))
        longer = k.valid_until.is_(None) | (k.valid_until > end)
        self._conn.execute(update(keys).where(longer).values(valid_until=end))
        return self._add(before[0].id if before else 0, now)

    def _add(self, last: int, now: datetime) -> Key:
        key = Key(id=_free(self.all(), last, now), secret=secrets.token_bytes(_OCTETS), created=now)
        self._conn.execute(delete(keys).where(keys.c.id == key.id))
        self._conn.execute(_ADD, {"id": key.id, "secret": key.secret, "created": now})
        return key

    def _lock(self) -> None:
        # SQLite has one writer anyway.
        if self._conn.dialect.name == "postgresql":
            self._conn.execute(text("LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE"))


def _age(key: Key) -> tuple[bool, datetime, int]:
    return key.retired is None, key.created, key.id


def _free(known: tuple[Key, ...], last: int, now: datetime) -> int:
    """The next id after `last`, round and round; never one whose tokens are still believed.

    Raises RuntimeError when all of them are.
    """
    believed = {k.id for k in known if k.valid_until is None or k.valid_until >= now}
    for step in range(_LAST_ID):
        candidate = (last + step) % _LAST_ID + 1
        if candidate not in believed:
            return candidate
    raise RuntimeError("all 255 keys are still in their grace time; revoke them, or wait")
