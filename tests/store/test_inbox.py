"""Accepted mail: taken once, claimed by date, settled exactly once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import exc, update

from mailgate.core.decision import Outcome, Step
from mailgate.core.mail import Envelope
from store.database import Database
from store.inbox import AlreadySettled
from store.schema import inbox
from tests.store.samples import MINUTE, NOW, accept, arrival, decision, ticket

SECOND = timedelta(seconds=1)


# --- taking ------------------------------------------------------------------------------


def test_deliveries_get_ids_in_order_and_repeats_change_nothing(database: Database) -> None:
    with database.transaction() as tx:
        first = tx.inbox.add_many([arrival(tx, k) for k in ("a", "b", "a")])
    with database.transaction() as tx:
        changed = replace(arrival(tx, "a"), message_id="<other@example.org>")
        second = tx.inbox.add_many([changed, arrival(tx, "c")])
        assert tx.inbox.add_many([]) == []
    a, b = first[0][0], first[1][0]
    assert a < b < second[1][0]
    assert first == [(a, True), (b, True), (a, False)]
    assert second == [(a, False), (second[1][0], True)]
    with database.reading() as tx:
        row = tx.inbox.get(a)
    assert row is not None
    assert row.message_id == "<a@example.org>"


def test_all_of_a_delivery_is_kept(database: Database) -> None:
    envelope = Envelope(
        mail_from=None, rcpt_tos=("x@example.com", "ü@example.com"), peer="::1", helo="h", login="l"
    )
    with database.transaction() as tx:
        given = replace(arrival(tx, "a"), envelope=envelope, live=False)
        ((number, _),) = tx.inbox.add_many([given])
    with database.reading() as tx:
        row = tx.inbox.get(number)
        assert row == tx.inbox.by_key("a")
        assert tx.inbox.get(number + 1) is None
        assert tx.inbox.by_key("b") is None
    assert row is not None
    assert row.envelope == envelope
    assert (row.digest, row.received, row.live) == (given.digest, NOW, False)
    assert (row.outcome, row.settled, row.attempts, row.trace) == (None, None, 0, ())


def test_no_row_without_its_bytes(database: Database) -> None:
    with database.transaction() as tx:
        orphan = replace(arrival(tx, "a"), digest="0" * 64)
    with pytest.raises(exc.IntegrityError), database.transaction() as tx:
        tx.inbox.add_many([orphan])


def test_two_nodes_that_take_one_delivery_agree_who_was_first(database: Database) -> None:
    together = threading.Barrier(2)

    def take(key: str) -> tuple[int, bool]:
        together.wait(timeout=10)
        with database.transaction() as tx:
            return tx.inbox.add_many([arrival(tx, key)])[0]

    for n in range(10):
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(take, [f"{n}"] * 2)
        assert one[0] == other[0]
        assert {one[1], other[1]} == {True, False}


def test_a_huge_message_id_is_no_obstacle(database: Database) -> None:
    huge = f"<{'ü' * 9000}@example.org>"
    with database.transaction() as tx:
        ((number, _),) = tx.inbox.add_many([arrival(tx, "a", message_id=huge)])
    with database.reading() as tx:
        assert [row.id for row in tx.inbox.find(message_id=huge)] == [number]
        assert tx.inbox.waiting_parent([huge], number + 1) == number


# --- claiming ----------------------------------------------------------------------------


def test_claims_are_oldest_first_and_hide_until_the_lease_ends(database: Database) -> None:
    a, b, c = accept(database, "a", "b", "c")
    with database.transaction() as tx:
        assert tx.inbox.claim(NOW - SECOND, 10, MINUTE) == []
        assert [w.id for w in tx.inbox.claim(NOW, 2, MINUTE)] == [a, b]
    with database.transaction() as tx:
        assert [w.id for w in tx.inbox.claim(NOW, 10, MINUTE)] == [c]
        assert tx.inbox.next_due() == NOW + MINUTE
    with database.transaction() as tx:
        again = tx.inbox.claim(NOW + MINUTE, 10, MINUTE)
    assert [(w.id, w.attempts) for w in again] == [(a, 2), (b, 2), (c, 2)]


def test_a_claim_tells_all_that_parsing_needs(database: Database) -> None:
    (a,) = accept(database, "a")
    with database.transaction() as tx:
        (waiting,) = tx.inbox.claim(NOW, 1, MINUTE)
        given = arrival(tx, "a")
    assert (waiting.id, waiting.attempts) == (a, 1)
    for name in ("source", "digest", "fingerprint", "message_id", "envelope", "received", "live"):
        assert getattr(waiting, name) == getattr(given, name)


def test_a_claim_may_name_its_rows(database: Database) -> None:
    a, b, c = accept(database, "a", "b", "c")
    with database.transaction() as tx:
        assert [w.id for w in tx.inbox.claim(NOW, 10, MINUTE, only=[c, a, 4711])] == [a, c]
        assert [w.id for w in tx.inbox.claim(NOW, 10, MINUTE, only=[])] == []
        assert [w.id for w in tx.inbox.claim(NOW, 10, MINUTE)] == [b]


def test_a_release_makes_due_and_can_refund_the_attempt(database: Database) -> None:
    a, b = accept(database, "a", "b")
    with database.transaction() as tx:
        tx.inbox.claim(NOW, 10, MINUTE)
        tx.inbox.release([a], NOW + SECOND)
        tx.inbox.release([b], NOW, refund=True)
        tx.inbox.release([], NOW)
        assert tx.inbox.next_due() == NOW
        assert [(w.id, w.attempts) for w in tx.inbox.claim(NOW, 10, MINUTE)] == [(b, 1)]
        assert [(w.id, w.attempts) for w in tx.inbox.claim(NOW + SECOND, 9, MINUTE)] == [(a, 2)]


def test_all_claims_can_be_given_back_at_once(database: Database) -> None:
    a, b, c = accept(database, "a", "b", "c")
    with database.transaction() as tx:
        tx.inbox.claim(NOW, 2, MINUTE)
        tx.inbox.settle(b, decision(), None, NOW)
        assert tx.inbox.release_all(NOW + SECOND) == 1
        assert [w.id for w in tx.inbox.claim(NOW + SECOND, 10, MINUTE)] == [a, c]


@pytest.mark.peer
def test_two_workers_never_wait_for_each_others_claims(postgres_database: Database) -> None:
    ids = accept(postgres_database, *"abcdef")
    with postgres_database.transaction() as one, postgres_database.transaction() as other:
        first = [w.id for w in one.inbox.claim(NOW, 4, MINUTE)]
        second = [w.id for w in other.inbox.claim(NOW, 4, MINUTE)]
    assert (first, second) == (ids[:4], ids[4:])


def test_many_workers_share_the_mail_without_overlap(database: Database) -> None:
    ids = accept(database, *(f"k{n}" for n in range(60)))

    def work() -> list[int]:
        mine: list[int] = []
        while True:
            with database.transaction() as tx:
                claimed = [w.id for w in tx.inbox.claim(NOW, 3, MINUTE)]
            if not claimed:
                return mine
            assert len(claimed) <= 3
            mine += claimed

    with ThreadPoolExecutor(4) as pool:
        taken = [i for done in [pool.submit(work) for _ in range(4)] for i in done.result()]
    assert sorted(taken) == ids


# --- settling ----------------------------------------------------------------------------


def test_a_mail_is_settled_exactly_once(database: Database) -> None:
    (a,) = accept(database, "a")
    number = ticket(database)
    trace = (Step(step="screen", verdict="accept", reason="nothing against it"),)
    with database.transaction() as tx:
        tx.inbox.settle(a, replace(decision(), trace=trace), number, NOW + SECOND)
    with pytest.raises(AlreadySettled, match=str(a)), database.transaction() as tx:
        tx.inbox.settle(a, decision(Outcome.IGNORED), None, NOW + MINUTE)
    with pytest.raises(AlreadySettled), database.transaction() as tx:
        tx.inbox.settle(4711, decision(), None, NOW)
    with database.transaction() as tx:
        row = tx.inbox.get(a)
        assert tx.inbox.claim(NOW + timedelta(days=9), 10, MINUTE) == []
        tx.inbox.release([a], NOW)
        assert tx.inbox.next_due() is None
    assert row is not None
    assert (row.outcome, row.reason, row.ticket) == (Outcome.TICKET, "because ticket", number)
    assert (row.trace, row.settled) == (trace, NOW + SECOND)


def test_of_two_workers_one_settles(database: Database) -> None:
    (a,) = accept(database, "a")
    together = threading.Barrier(2)

    def settle(outcome: Outcome) -> str:
        together.wait(timeout=10)
        try:
            with database.transaction() as tx:
                tx.inbox.settle(a, decision(outcome), None, NOW)
        except AlreadySettled:
            return "late"
        return outcome.value

    with ThreadPoolExecutor(2) as pool:
        ended = set(pool.map(settle, [Outcome.IGNORED, Outcome.NOTE]))
    with database.reading() as tx:
        row = tx.inbox.get(a)
    assert row is not None
    assert row.outcome is not None
    assert ended == {"late", row.outcome.value}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"outcome": "ticket"}, id="an outcome, and still due"),
        pytest.param({"due": None}, id="not due, and no outcome"),
        pytest.param({"outcome": "ticket", "due": None}, id="no time of settling"),
    ],
)
def test_the_database_refuses_a_row_between_waiting_and_settled(
    database: Database, values: dict[str, object]
) -> None:
    accept(database, "a")
    with pytest.raises(exc.IntegrityError), database.transaction() as tx:
        tx.conn.execute(update(inbox).values(values))


def test_rows_are_found_by_outcome_and_message_id(database: Database) -> None:
    a, b, c = accept(database, "a", "b", "c")
    with database.transaction() as tx:
        tx.inbox.settle(a, decision(Outcome.IGNORED), None, NOW)
        tx.inbox.settle(b, decision(Outcome.DUPLICATE, duplicate_of=a), None, NOW)
    with database.reading() as tx:
        assert [row.id for row in tx.inbox.find()] == [c, b, a]
        assert [row.id for row in tx.inbox.find(limit=2)] == [c, b]
        assert [row.id for row in tx.inbox.find(message_id="<b@example.org>")] == [b]
        assert [row.duplicate_of for row in tx.inbox.find(outcome=Outcome.DUPLICATE)] == [a]
        assert tx.inbox.find(outcome=Outcome.IGNORED, message_id="<b@example.org>") == []


def test_only_quarantined_mail_is_reopened(database: Database) -> None:
    a, b = accept(database, "a", "b")
    with database.transaction() as tx:
        assert tx.inbox.first_with("f" * 64, "f" * 64, a) is None
        tx.inbox.settle(a, decision(Outcome.QUARANTINED), None, NOW)
        tx.inbox.settle(b, decision(Outcome.IGNORED), None, NOW)
    with database.transaction() as tx:
        assert tx.inbox.reopen(a, NOW + MINUTE)
        assert not tx.inbox.reopen(a, NOW + MINUTE)
        assert not tx.inbox.reopen(b, NOW + MINUTE)
        assert [(w.id, w.attempts) for w in tx.inbox.claim(NOW + MINUTE, 9, MINUTE)] == [(a, 1)]
        assert tx.inbox.first_with("f" * 64, "f" * 64, b) is None, "its content is free again"


def test_only_quarantined_mail_is_dropped(database: Database) -> None:
    a, b = accept(database, "a", "b")
    failed = (Step(step="worker", verdict="quarantined", reason="three failures"),)
    with database.transaction() as tx:
        tx.inbox.settle(a, replace(decision(Outcome.QUARANTINED), trace=failed), None, NOW)
        assert tx.inbox.drop(a, "spam", NOW + MINUTE)
        assert not tx.inbox.drop(a, "spam", NOW + MINUTE)
        assert not tx.inbox.drop(b, "it only waits", NOW + MINUTE)
        row = tx.inbox.get(a)
    assert row is not None
    assert (row.outcome, row.reason, row.settled) == (Outcome.IGNORED, "spam", NOW + MINUTE)
    assert row.trace == (*failed, Step(step="operator", verdict="ignored", reason="spam"))


# --- repeats -----------------------------------------------------------------------------


def test_the_first_to_claim_a_content_has_it(database: Database) -> None:
    a, b, c = accept(database, "a", "b", "c")
    with database.transaction() as tx:
        assert tx.inbox.first_with("1" * 64, "2" * 64, a) is None
        assert tx.inbox.first_with("1" * 64, "1" * 64, a) is None, "asked twice by the same row"
        assert tx.inbox.first_with("2" * 64, "2" * 64, b) == a
        assert tx.inbox.first_with("3" * 64, "3" * 64, c) is None


def test_of_two_workers_with_one_content_one_is_first(database: Database) -> None:
    ids = accept(database, "a", "b")
    together = threading.Barrier(2)

    def first_with(inbox_id: int, key: str) -> int | None:
        together.wait(timeout=10)
        with database.transaction() as tx:
            return tx.inbox.first_with(key, key, inbox_id)

    for n in range(10):
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(first_with, ids, [f"{n:064}"] * 2))
        assert answers in ([None, ids[0]], [ids[1], None])


def test_a_reply_finds_its_waiting_parent(database: Database) -> None:
    a, b, c = accept(database, "a", "b", "c")
    wanted = ["<b@example.org>", "<a@example.org>", "<c@example.org>"]
    with database.transaction() as tx:
        assert tx.inbox.waiting_parent(wanted, c) == a
        tx.inbox.settle(a, decision(), None, NOW)
        assert tx.inbox.waiting_parent(wanted, c) == b
        assert tx.inbox.waiting_parent(wanted, b) is None, "a later mail is no parent"
        assert tx.inbox.waiting_parent([], c) is None
