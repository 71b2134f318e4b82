"""IMAP cursors and the health of each source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from store.dialects import on, spelled
from store.schema import imap_cursors, sources

_REPORT = {
    when: spelled(
        lambda insert, when=when: (  # type: ignore[misc]
            (row := insert(sources)).on_conflict_do_update(
                index_elements=["name"],
                set_={when: row.excluded[when], "detail": row.excluded.detail},
            )
        )
    )
    for when in ("last_success", "last_failure")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """When a source last worked, and when and how it last failed."""

    name: str
    last_success: datetime | None
    last_failure: datetime | None
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the last word was a success."""
        if self.last_success is None:
            return False
        return self.last_failure is None or self.last_failure <= self.last_success


class Sources:
    """Rows of `imap_cursors` and `sources`, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._dialect = postgresql if conn.dialect.name == "postgresql" else sqlite

    def cursor(self, source: str) -> tuple[int, int] | None:
        """(UIDVALIDITY, last UID taken) of a mailbox, None before its first mail."""
        query = select(imap_cursors).where(imap_cursors.c.source == source)
        row = self._conn.execute(query).first()
        return (row.uidvalidity, row.last_uid) if row and row.uidvalidity else None

    def set_cursor(self, source: str, uidvalidity: int, last_uid: int, now: datetime) -> None:
        """Remember how far a mailbox was read."""
        values = {"uidvalidity": uidvalidity, "last_uid": last_uid, "changed": now}
        row = self._dialect.insert(imap_cursors).values(source=source, **values)
        self._conn.execute(row.on_conflict_do_update(index_elements=["source"], set_=values))

    def lease(self, source: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew the right to poll a mailbox; False while another node holds it."""
        row = self._dialect.insert(imap_cursors).values(source=source, changed=now)
        self._conn.execute(row.on_conflict_do_nothing(index_elements=["source"]))
        c = imap_cursors.c
        free = or_(c.holder == holder, c.held_until.is_(None), c.held_until < now)
        claim = update(imap_cursors).where(c.source == source, free)
        done = self._conn.execute(claim.values(holder=holder, held_until=now + length))
        return int(done.rowcount) == 1

    def release(self, source: str, holder: str) -> None:
        """Let another node poll the mailbox at once."""
        c = imap_cursors.c
        mine = update(imap_cursors).where(c.source == source, c.holder == holder)
        self._conn.execute(mine.values(held_until=None))

    def release_all(self) -> None:
        """Let mailboxes be polled at once; only for a node that knows it is alone."""
        self._conn.execute(update(imap_cursors).values(held_until=None))

    def report(self, name: str, *, ok: bool, detail: str, now: datetime) -> None:
        """Note a success or a failure of a source."""
        when = "last_success" if ok else "last_failure"
        row = {"name": name, when: now, "detail": detail[:500]}
        self._conn.execute(on(self._conn, _REPORT[when]), row)

    def health(self) -> list[Health]:
        """Every source that ever reported, by name."""
        rows = self._conn.execute(select(sources).order_by(sources.c.name))
        return [
            Health(
                name=row.name,
                last_success=row.last_success,
                last_failure=row.last_failure,
                detail=row.detail,
            )
            for row in rows
        ]
