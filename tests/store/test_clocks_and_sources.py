"""Clocks that ring, mailboxes that one node polls, sources that report their health."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from store.clocks import Due
from store.database import Database
from store.sources import Health
from tests.store.samples import MINUTE, NOW, ticket

SECOND = timedelta(seconds=1)


# --- clocks ------------------------------------------------------------------------------


def test_clocks_ring_in_order_and_hide_while_claimed(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        tx.clocks.start(two, "sla", NOW, NOW)
        tx.clocks.start(one, "sla", NOW + SECOND, NOW)
        tx.clocks.start(one, "autoclose", NOW + MINUTE, NOW)
        assert tx.clocks.next_due() == NOW
        assert tx.clocks.claim_due(NOW - SECOND, 9, MINUTE) == []
        (first,) = tx.clocks.claim_due(NOW + SECOND, 1, MINUTE)
        (second,) = tx.clocks.claim_due(NOW + SECOND, 9, MINUTE)
        assert tx.clocks.claim_due(NOW + SECOND, 9, MINUTE) == []
    assert (first.ticket, first.kind) == (two, "sla")
    assert second == Due(id=second.id, ticket=one, kind="sla")
    with database.transaction() as tx:
        tx.clocks.stop(one, "sla")
        tx.clocks.stop(one, "never started")
        left = tx.clocks.claim_due(NOW + 5 * MINUTE, 9, MINUTE)
        assert [(d.ticket, d.kind) for d in left] == [(two, "sla"), (one, "autoclose")]


def test_a_clock_is_wound_up_again(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        assert tx.clocks.next_due() is None
        tx.clocks.start(number, "sla", NOW, NOW)
        tx.clocks.start(number, "sla", NOW + MINUTE, NOW)
        assert tx.clocks.next_due() == NOW + MINUTE
        tx.clocks.stop(number, "sla")
        assert tx.clocks.next_due() is None
        tx.clocks.start(number, "sla", NOW, NOW)
        assert len(tx.clocks.claim_due(NOW, 9, MINUTE)) == 1


@pytest.mark.peer
def test_two_nodes_never_claim_one_clock(postgres_database: Database) -> None:
    numbers = [ticket(postgres_database) for _ in range(3)]
    with postgres_database.transaction() as tx:
        for number in numbers:
            tx.clocks.start(number, "sla", NOW, NOW)
    with postgres_database.transaction() as one, postgres_database.transaction() as other:
        first = one.clocks.claim_due(NOW, 2, MINUTE)
        second = other.clocks.claim_due(NOW, 2, MINUTE)
    assert [d.ticket for d in (*first, *second)] == numbers


# --- mailboxes ---------------------------------------------------------------------------


def test_a_cursor_remembers_how_far_a_mailbox_was_read(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.sources.cursor("imap support") is None
        tx.sources.lease("imap support", "node-1", NOW, MINUTE)
        assert tx.sources.cursor("imap support") is None
        tx.sources.set_cursor("imap support", 7, 41, NOW)
        tx.sources.set_cursor("imap support", 2**32 - 1, 2**32 - 1, NOW)
        tx.sources.set_cursor("imap sales", 1, 0, NOW)
    with database.reading() as tx:
        assert tx.sources.cursor("imap support") == (2**32 - 1, 2**32 - 1)
        assert tx.sources.cursor("imap sales") == (1, 0)


def test_one_node_polls_a_mailbox(database: Database) -> None:
    with database.transaction() as tx:
        lease = tx.sources.lease
        assert lease("imap support", "node-1", NOW, MINUTE)
        assert not lease("imap support", "node-2", NOW + SECOND, MINUTE)
        assert lease("imap support", "node-1", NOW + SECOND, MINUTE), "renewed"
        assert not lease("imap support", "node-2", NOW + MINUTE, MINUTE), "the renewal counts"
        assert lease("imap sales", "node-2", NOW, MINUTE), "another mailbox"
        assert lease("imap support", "node-2", NOW + 2 * MINUTE, MINUTE), "the holder is gone"
        tx.sources.release("imap support", "node-1")
        assert not lease("imap support", "node-1", NOW + 2 * MINUTE, MINUTE), "not its to release"
        tx.sources.release("imap support", "node-2")
        assert lease("imap support", "node-1", NOW + 2 * MINUTE, MINUTE)


def test_of_two_nodes_one_gets_the_mailbox(database: Database) -> None:
    together = threading.Barrier(2)

    def lease(holder: str, source: str) -> bool:
        together.wait(timeout=10)
        with database.transaction() as tx:
            return tx.sources.lease(source, holder, NOW, MINUTE)

    for n in range(10):
        with ThreadPoolExecutor(2) as pool:
            got = list(pool.map(lease, ["node-1", "node-2"], [f"imap {n}"] * 2))
        assert sorted(got) == [False, True]


# --- health ------------------------------------------------------------------------------


def test_sources_report_their_health(database: Database) -> None:
    with database.transaction() as tx:
        tx.sources.report("smtp", ok=True, detail="listening", now=NOW)
        tx.sources.report("imap support", ok=False, detail="x" * 600, now=NOW)
        tx.sources.report("imap sales", ok=True, detail="", now=NOW)
        tx.sources.report("imap sales", ok=False, detail="refused", now=NOW + SECOND)
    with database.reading() as tx:
        sales, support, smtp = tx.sources.health()
    assert smtp == Health(name="smtp", last_success=NOW, last_failure=None, detail="listening")
    assert support.detail == "x" * 500
    assert (sales.last_success, sales.last_failure) == (NOW, NOW + SECOND)
    assert [smtp.ok, support.ok, sales.ok] == [True, False, False]


def test_a_source_recovers(database: Database) -> None:
    with database.transaction() as tx:
        tx.sources.report("smtp", ok=False, detail="port in use", now=NOW)
        tx.sources.report("smtp", ok=True, detail="listening", now=NOW)
        (health,) = tx.sources.health()
    assert health.ok
