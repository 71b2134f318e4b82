"""What was said aside on a ticket: marks on messages, and the thread that a third party sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    String,
    bindparam,
    desc,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy import update as update_of

from mailgate.core.decision import Notice
from mailgate.core.people import Role
from mailgate.core.policy import folded
from store.columns import Folded
from store.outbox_rows import COPY_ID
from store.schema import messages, outbox, outbox_recipients

_NOBODY = literal_column("''", String)  # the index is used only where the query says what it says
# Beside the people of tickets: a row for each message that was said aside.
SIDES = select(
    messages.c.ticket,
    literal(Role.SIDE.value).label("role"),
    literal(value=True).label("active"),
    literal(value=False).label("muted"),
    messages.c.aside.label("address"),
    messages.c.at.label("added"),
    messages.c.id.label("person"),
).where(messages.c.ticket.in_(bindparam("numbers", expanding=True)), messages.c.aside != _NOBODY)
_THREAD = (
    union_all(
        select(messages.c.message_id.label("sent"), messages.c.at, literal(0).label("after"))
        .add_columns(messages.c.id)
        .where(
            messages.c.ticket == bindparam("number"),
            messages.c.aside != _NOBODY,
            messages.c.message_id != "",
            Folded(messages.c.author) == bindparam("who"),
        ),
        select(COPY_ID.label("sent"), outbox.c.created.label("at"), literal(1).label("after"))
        .add_columns(outbox_recipients.c.id)
        .select_from(outbox.join(outbox_recipients))
        .where(
            outbox.c.ticket == bindparam("number"),
            outbox.c.notice == Notice.SIDE.value,
            Folded(outbox_recipients.c.address) == bindparam("who"),
        ),
    )
    .order_by(desc("at"), desc("after"), desc("id"))
    .limit(bindparam("most"))
)


def joined(addresses: Sequence[str]) -> str:
    """Addresses as one column holds them."""
    return "\n".join(addresses)


def split(kept: str) -> tuple[str, ...]:
    """The addresses in such a column."""
    return tuple(kept.split("\n")) if kept else ()


class Asides:
    """Rows of `messages` that were said aside, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def mark(self, message: int, addresses: Sequence[str]) -> dict[str, Any]:
        """Note which third parties have a message, or wrote it; returns what its event tells."""
        if not addresses:
            return {}
        row = update_of(messages).where(messages.c.id == message)
        self._conn.execute(row.values(aside=joined(addresses)))
        return {"aside": list(addresses)}

    def thread_ids(self, number: int, address: str, limit: int = 20) -> list[str]:
        """Message-IDs of what was said aside with this address: oldest first, the last ones."""
        asked = {"number": number, "who": folded(address), "most": limit}
        return list(reversed(self._conn.execute(_THREAD, asked).scalars().all()))
