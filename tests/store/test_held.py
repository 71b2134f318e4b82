"""Mails that wait for approval: one approval each, in time, whoever gives it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import exc

from mailgate.core.decision import HeldMail
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.held import APPROVED, AS_NOTE, DROPPED, EXPIRED, RELEASED, WAITING
from tests.store.samples import ANNA, MINUTE, NOW, accept, mail, ticket

HOUR = timedelta(hours=1)
AGENT = "ana@example.com"


def hold(database: Database, *, owner: str = AGENT, minutes: int = 0) -> int:
    """Hold a mail for an hour, from so many minutes after NOW."""
    at = NOW + minutes * MINUTE
    number = ticket(database)
    (inbox,) = accept(database, f"mail {number}")
    with database.transaction() as tx:
        message = tx.tickets.add_message(
            number, mail(f"<{number}@x>"), MessageKind.HELD, ANNA, now=at, inbox=inbox
        )
        return tx.held.add(
            ticket=number,
            message=message,
            inbox=inbox,
            author="eve@example.net",
            owner=owner,
            why="From alone proves nothing",
            created=at,
            expires=at + HOUR,
        )


def get(database: Database, held: int) -> HeldMail:
    with database.reading() as tx:
        found = tx.held.get(held)
    assert found is not None
    return found


def test_a_held_mail_reads_as_it_was_held(database: Database) -> None:
    held = hold(database, owner="Ana@Example.com")
    assert get(database, held) == HeldMail(
        id=held,
        ticket=1001,
        message=1,
        inbox=1,
        author="eve@example.net",
        owner=AGENT,
        why="From alone proves nothing",
        created=NOW,
        expires=NOW + HOUR,
        state=WAITING,
    )
    with database.reading() as tx:
        assert tx.held.get(4711) is None


def test_an_approval_counts_once_and_takes_effect_once(database: Database) -> None:
    held = hold(database)
    with database.transaction() as tx:
        assert not tx.held.finish(held, NOW)
        assert tx.held.settle(held, APPROVED, AGENT, NOW)
        for state in (APPROVED, RELEASED, DROPPED):
            assert not tx.held.settle(held, state, "somebody else", NOW)
        assert tx.held.finish(held, NOW)
        assert not tx.held.finish(held, NOW)
    assert (get(database, held).state, get(database, held).by) == (RELEASED, AGENT)


@pytest.mark.parametrize("state", [APPROVED, AS_NOTE, RELEASED])
def test_of_two_that_release_at_once_one_does(database: Database, state: str) -> None:
    held = hold(database)
    together = threading.Barrier(2, timeout=20)

    def release(by: str) -> bool:
        together.wait()
        with database.transaction() as tx:
            return tx.held.settle(held, state, by, NOW)

    with ThreadPoolExecutor(2) as nodes:
        done = dict(zip("ab", nodes.map(release, "ab"), strict=True))
    assert sorted(done.values()) == [False, True]
    assert get(database, held).by == next(by for by, won in done.items() if won)


def test_of_two_workers_that_carry_it_out_one_does(database: Database) -> None:
    held = hold(database)
    with database.transaction() as tx:
        tx.held.settle(held, APPROVED, AGENT, NOW)
    together = threading.Barrier(2, timeout=20)

    def finish(_: int) -> bool:
        together.wait()
        with database.transaction() as tx:
            return tx.held.finish(held, NOW)

    with ThreadPoolExecutor(2) as nodes:
        assert sorted(nodes.map(finish, range(2))) == [False, True]


def test_a_release_that_is_rolled_back_was_none(database: Database) -> None:
    held = hold(database)

    def fail() -> None:
        with database.transaction() as tx:
            assert tx.held.settle(held, APPROVED, AGENT, NOW)
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        fail()
    assert get(database, held).state == WAITING


@pytest.mark.parametrize("state", [APPROVED, AS_NOTE, RELEASED])
def test_nothing_is_released_after_its_time(database: Database, state: str) -> None:
    held = hold(database)
    with database.transaction() as tx:
        assert not tx.held.settle(held, state, AGENT, NOW + HOUR)
        assert tx.held.settle(held, DROPPED, AGENT, NOW + HOUR)


def test_what_has_waited_too_long_expires(database: Database) -> None:
    early, late, dropped = hold(database), hold(database, minutes=10), hold(database)
    with database.transaction() as tx:
        assert tx.held.settle(dropped, DROPPED, "command line", NOW)
        assert tx.held.expire(NOW + HOUR - MINUTE) == 0
        assert tx.held.expire(NOW + HOUR) == 1
        assert tx.held.expire(NOW + HOUR) == 0
        assert [h.id for h in tx.held.list()] == [late]
        assert [h.id for h in tx.held.list(EXPIRED)] == [early]
        assert [h.id for h in tx.held.list("")] == [early, late, dropped]
        assert [h.id for h in tx.held.list("", limit=2)] == [late, dropped]


def test_challenges_are_counted_by_who_was_asked(database: Database) -> None:
    hold(database)
    hold(database, minutes=5)
    hold(database, owner="")
    hold(database, owner="other@example.com")
    with database.reading() as tx:
        assert tx.held.challenges_since("ANA@example.com", NOW) == 2
        assert tx.held.challenges_since(AGENT, NOW + MINUTE) == 1
        assert tx.held.challenges_since("nobody@example.com", NOW) == 0


def test_a_message_is_held_once(database: Database) -> None:
    held = get(database, hold(database))
    with pytest.raises(exc.IntegrityError), database.transaction() as tx:
        tx.held.add(
            ticket=held.ticket,
            message=held.message,
            inbox=held.inbox,
            author="",
            owner="",
            why="",
            created=NOW,
            expires=NOW + HOUR,
        )
