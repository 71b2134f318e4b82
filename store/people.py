"""Addresses we know: requesters and CC people. Agents come from the configuration."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from mailgate.core.mail import Address
from store.dialects import on, spelled
from store.schema import people

_KNOWN = select(people).where(people.c.address == bindparam("address"))
_ADD = spelled(lambda insert: insert(people).on_conflict_do_nothing(index_elements=["address"]))
_LANGUAGE = select(people.c.language).where(people.c.address == bindparam("address"))
_PROVE = update(people).where(people.c.id == bindparam("which"), people.c.proven.is_(None))


class People:
    """Rows of `people`, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def ensure(self, address: Address, now: datetime, *, language: str = "") -> int:
        """The id of a person, made on first sight; a name or language we lacked is filled in."""
        asked = {"address": address.addr}
        found = self._conn.execute(_KNOWN, asked).first()
        if found is None:
            # Another node may meet the same person now: the later one waits, then finds them.
            row = {**asked, "name": address.name, "language": language, "created": now}
            self._conn.execute(on(self._conn, _ADD), row)
            found = self._conn.execute(_KNOWN, asked).one()
        news = {}
        if address.name and not found.name:
            news["name"] = address.name
        if language and language != found.language:
            news["language"] = language
        if news:
            self._conn.execute(update(people).where(people.c.id == found.id).values(news))
        return int(found.id)

    def prove(self, address: str, now: datetime) -> None:
        """Note that mail in this name was shown to be theirs; the first time counts."""
        person = self.ensure(Address(addr=address), now)
        self._conn.execute(_PROVE, {"which": person, "proven": now})

    def language_of(self, address: str) -> str:
        """The language this person last wrote in, "" when unknown."""
        return self._conn.execute(_LANGUAGE, {"address": address}).scalar() or ""

    def name_of(self, address: str) -> str:
        """A person's display name, "" when unknown."""
        query = select(people.c.name).where(people.c.address == address)
        return self._conn.execute(query).scalar() or ""
