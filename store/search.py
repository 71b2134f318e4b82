"""Full-text search over messages: SQLite's FTS5, PostgreSQL's tsvector.

The index is kept by triggers (migration 0003), in the transaction that writes the message. It knows
notes and held mail as well; what may be found is decided here, by the kind the message has now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, text

from mailgate.core.ticket import MessageKind

INDEX = "message_words"  # the index; its own tables begin with this name
RECENT = 20_000  # messages that are searched: the bound of what a search may cost
MAX_WORDS = 10  # of one search
_BEST = 50  # messages that are looked at: for each word, or for all of them
_SEEN = 4000  # characters of each
_PUBLIC = (MessageKind.CUSTOMER.value, MessageKind.AGENT.value)
_WORD = re.compile(r"[^\W_]{2,50}")

# The newest messages with a word, for each word alone: FTS5's own ranking looks at every message
# that says "printer". PostgreSQL ranks what it finds among the last RECENT.
_SQLITE = (
    "SELECT id, 0 AS weight FROM (SELECT rowid AS id FROM message_words"
    " WHERE message_words MATCH :word{0} AND rowid > :floor ORDER BY rowid DESC LIMIT :best)"
)
_POSTGRESQL = (
    "SELECT message AS id, ts_rank(words, to_tsquery('simple', :query)) AS weight"
    " FROM message_words WHERE words @@ to_tsquery('simple', :query) AND message > :floor"
    " ORDER BY weight DESC, message DESC LIMIT :best"
)
_NEWEST = text("SELECT coalesce(max(id), 0) FROM messages")
_TICKETS_OF = (
    "SELECT m.ticket, t.subject, t.status, t.queue, t.resolution,"
    " m.subject || ' ' || substr(m.visible, 1, :seen) AS said"
    " FROM (MATCHES) AS f JOIN messages m ON m.id = f.id JOIN tickets t ON t.number = m.ticket"
    " WHERE m.kind IN :kinds AND t.merged_into IS NULL ORDER BY f.weight DESC, f.id DESC"
)
_LAST_ANSWER = text(
    "SELECT visible FROM messages WHERE ticket = :ticket AND kind = 'agent'"
    " ORDER BY at DESC, id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A ticket that was found."""

    ticket: int
    subject: str
    status: str
    queue: str
    resolution: str
    words: int  # how many of the words asked for one of its messages says


class Search:
    """Searches, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def find(
        self, words: Sequence[str], *, least: int = 1, kinds: Collection[str] = _PUBLIC
    ) -> list[Hit]:
        """Tickets of which a message of these kinds says `least` of the words; the best first.

        Only the last RECENT messages are searched, for the first MAX_WORDS words: one word of a
        mail may be a thousand to us. Without `kinds`: what a customer may know.
        """
        plain = (one for word in words for one in _WORD.findall(word.lower()))
        asked = list(dict.fromkeys(plain))[:MAX_WORDS]
        if not asked:
            return []
        values: dict[str, object] = {"kinds": list(kinds), "seen": _SEEN, "best": _BEST}
        values["floor"] = self._conn.execute(_NEWEST).scalar_one() - RECENT
        dialect = self._conn.dialect.name
        if dialect == "sqlite":
            values |= {f"word{at}": f'"{word}"' for at, word in enumerate(asked)}
        else:
            values["query"] = " | ".join(asked)
        rows = self._conn.execute(_statement(dialect, len(asked)), values).all()
        found: dict[int, Hit] = {}
        for row in rows:
            hit = _hit(row, asked)
            before = found.get(hit.ticket)
            if hit.words >= least and (before is None or before.words < hit.words):
                found[hit.ticket] = hit
        return sorted(found.values(), key=lambda hit: -hit.words)

    def last_answer(self, ticket: int) -> str:
        """The new words of the last answer that an agent gave on a ticket."""
        return str(self._conn.execute(_LAST_ANSWER, {"ticket": ticket}).scalar() or "")


@cache
def _statement(dialect: str, words: int) -> TextClause:
    """The search for so many words; they hold letters and digits only, and so no operators."""
    each = " UNION ".join(_SQLITE.format(at) for at in range(words))
    matches = each if dialect == "sqlite" else _POSTGRESQL
    whole = text(_TICKETS_OF.replace("MATCHES", matches))
    return whole.bindparams(bindparam("kinds", expanding=True))


def _hit(row: Any, asked: Sequence[str]) -> Hit:
    said = set(_WORD.findall(row.said.lower()))
    return Hit(
        ticket=row.ticket,
        subject=row.subject,
        status=row.status,
        queue=row.queue,
        resolution=row.resolution,
        words=sum(word in said for word in asked),
    )
