"""Tables of the duty list, and of senders whose mail is ignored."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, text

from store.columns import Json, id_column, ref, time, words
from store.schema import metadata

# A list as it was sent to one agent: what a number in the answer means. With a parent it is the
# question whether the `orders` that answered the parent are genuine.
duty_lists = Table(
    "duty_lists",
    metadata,
    id_column(),
    Column("agent", String(320), nullable=False),  # the registered address
    ref("parent", "duty_lists.id", nullable=True, index=True),
    Column("orders", Json, nullable=False, server_default=text("'[]'")),
    time("created"),
    time("expires"),
    time("settled", nullable=True),
)

duty_items = Table(
    "duty_items",
    metadata,
    ref("list", "duty_lists.id", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    ref("inbox", "inbox.id"),
    ref("held", "held.id", nullable=True),  # NULL: it was in quarantine
    words("sender"),
)

blocked = Table(
    "blocked",
    metadata,
    Column("address", String(320), primary_key=True),  # in lower case
    words("by"),
    time("at"),
)
