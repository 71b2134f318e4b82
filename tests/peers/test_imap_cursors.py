"""Cursors and leases in the database, on both engines."""

from __future__ import annotations

import time

from mailgate.sources.imap import Cursor, DatabaseCursors
from store.database import Database
from tests.peers.imap_rig import until

KEY = "imap.example.org/support/INBOX"


def test_a_cursor_is_kept_per_folder(database: Database) -> None:
    cursors = DatabaseCursors(database, "one")
    assert cursors.load(KEY) is None
    cursors.save(KEY, Cursor(uidvalidity=4_294_967_295, last_uid=4_294_967_294))
    cursors.save(f"{KEY}/Other", Cursor(uidvalidity=1, last_uid=0))
    again = DatabaseCursors(database, "two")
    assert again.load(KEY) == Cursor(uidvalidity=4_294_967_295, last_uid=4_294_967_294)
    assert again.load(f"{KEY}/Other") == Cursor(uidvalidity=1, last_uid=0)


def test_one_node_holds_the_lease(database: Database) -> None:
    one, two = DatabaseCursors(database, "one"), DatabaseCursors(database, "two")
    assert one.lease(KEY, 60)
    assert one.lease(KEY, 60)
    assert two.lease(KEY, 60) is database.sqlite, "SQLite serves one node"
    assert one.load(KEY) is None, "a lease is no cursor"
    one.save(KEY, Cursor(uidvalidity=1, last_uid=5))
    assert two.lease(KEY, 60) is database.sqlite, "saving keeps the lease"


def test_a_lease_ends_with_its_holder(database: Database) -> None:
    one, two = DatabaseCursors(database, "one"), DatabaseCursors(database, "two")
    assert one.lease(KEY, 0.05)
    time.sleep(0.06)
    until("the lease is free", lambda: two.lease(KEY, 60))
