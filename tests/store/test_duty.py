"""Duty lists: a number means one mail for ever, whatever became of it; and blocked senders."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from mailgate.core.decide import quarantine
from mailgate.core.decision import Keys, Outcome
from mailgate.core.duty import WAITING, Blocked, DutyItem, DutyList, Order, Verb
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.held import APPROVED, DROPPED
from tests.store.samples import ANNA, MINUTE, NOW, accept, decision, mail, ticket

ANA = "ana@example.com"
DAY = timedelta(days=1)
ORDERS = (
    Order(number=2, verb=Verb.TICKET, ticket=1001),
    Order(number=1, verb=Verb.BLOCK),
)


def set_aside(database: Database, *keys: str) -> list[int]:
    """Mails in quarantine."""
    ids = accept(database, *keys)
    with database.transaction() as tx:
        for inbox in ids:
            tx.inbox.settle(inbox, quarantine("too complex"), None, NOW)
    return ids


def hold(database: Database) -> DutyItem:
    """A held mail, as the second of a list."""
    number = ticket(database)
    (inbox,) = accept(database, f"held {number}")
    with database.transaction() as tx:
        tx.inbox.settle(inbox, decision(Outcome.HELD), number, NOW)
        message = tx.tickets.add_message(
            number, mail(f"<{number}@x>"), MessageKind.HELD, ANNA, now=NOW, inbox=inbox
        )
        held = tx.held.add(
            ticket=number,
            message=message,
            inbox=inbox,
            author="sol@example.net",
            owner="",
            why="a stranger",
            created=NOW,
            expires=NOW + DAY,
        )
    return DutyItem(number=2, inbox=inbox, held=held, sender="sol@example.net")


def make(database: Database, *items: DutyItem, day: int = 0) -> int:
    with database.transaction() as tx:
        return tx.duty.make(ANA, items, NOW + day * DAY, NOW + (day + 14) * DAY)


def get(database: Database, which: int) -> DutyList:
    with database.transaction() as tx:
        found = tx.duty.get(which)
    assert found is not None
    return found


def states(database: Database, which: int) -> list[tuple[str, str]]:
    return [(item.state, item.by) for item in get(database, which).items]


def test_a_list_reads_as_it_was_sent(database: Database) -> None:
    (inbox,) = set_aside(database, "a")
    held = hold(database)
    which = make(database, held, DutyItem(number=1, inbox=inbox))
    assert get(database, which) == DutyList(
        id=which,
        agent=ANA,
        expires=NOW + 14 * DAY,
        items=(
            DutyItem(number=1, inbox=inbox),
            DutyItem(
                number=2,
                inbox=held.inbox,
                held=held.held,
                ticket=1001,
                sender="sol@example.net",
                expires=NOW + DAY,
            ),
        ),
    )
    with database.transaction() as tx:
        assert tx.duty.get(4711) is None


def test_it_tells_what_became_of_each_mail_since(database: Database) -> None:
    one, two, three, four = set_aside(database, "a", "b", "c", "d")
    held = hold(database)
    items = [DutyItem(number=n, inbox=i) for n, i in ((1, one), (3, two), (4, three), (5, four))]
    which = make(database, items[0], held, *items[1:])
    assert states(database, which) == [(WAITING, "")] * 5
    with database.transaction() as tx:
        assert tx.inbox.reopen(one, NOW, by=ANA)
        assert tx.held.settle(held.held or 0, DROPPED, "ben", NOW)
        assert tx.inbox.drop(two, "dropped", NOW, step="duty")
        assert tx.inbox.reopen(three, NOW, by="command line")
        tx.inbox.settle(three, quarantine("again"), None, NOW)
        assert tx.inbox.reopen(four, NOW, by=ANA, ticket=1001)
        tx.inbox.settle(four, decision(), 1001, NOW)
    assert states(database, which) == [
        ("accepted", ANA),
        (DROPPED, "ben"),
        ("ignored", ""),
        (WAITING, ""),
        ("accepted", ANA),
    ]


def test_numbers_of_two_lists_do_not_mix(database: Database) -> None:
    one, two = set_aside(database, "a", "b")
    first = make(database, DutyItem(number=1, inbox=one))
    second = make(database, DutyItem(number=1, inbox=two), day=1)
    assert [get(database, x).items[0].inbox for x in (first, second)] == [one, two]


def test_a_question_has_the_items_of_its_list_and_is_settled_once(database: Database) -> None:
    (inbox,) = set_aside(database, "a")
    which = make(database, DutyItem(number=1, inbox=inbox), hold(database))
    with database.transaction() as tx:
        asked = tx.duty.ask(which, ORDERS, NOW, NOW + DAY)
    found = get(database, asked)
    assert (found.asks, found.agent, found.expires) == (ORDERS, ANA, NOW + DAY)
    assert found.items == get(database, which).items
    assert (get(database, which).pending, found.settled) == (1, False)
    together = threading.Barrier(2, timeout=20)

    def settle(_: int) -> bool:
        together.wait()
        with database.transaction() as tx:
            seen = tx.duty.get(asked)
            return seen is not None and not seen.settled and tx.duty.settle(asked, NOW)

    with ThreadPoolExecutor(2) as nodes:
        assert sorted(nodes.map(settle, range(2))) == [False, True]
    assert (get(database, which).pending, get(database, asked).settled) == (0, True)


def test_old_lists_are_forgotten_with_their_questions(database: Database) -> None:
    (inbox,) = set_aside(database, "a")
    old = make(database, DutyItem(number=1, inbox=inbox))
    with database.transaction() as tx:
        tx.duty.ask(old, ORDERS, NOW, NOW + 40 * DAY)
    make(database, DutyItem(number=1, inbox=inbox), day=44)
    assert get(database, old).items
    make(database, DutyItem(number=1, inbox=inbox), day=45)
    with database.transaction() as tx:
        assert tx.duty.get(old) is None


def test_the_facts_of_an_answer_hold_the_tickets_it_speaks_of(database: Database) -> None:
    (inbox,) = set_aside(database, "a")
    which = make(database, DutyItem(number=1, inbox=inbox), hold(database))
    with database.transaction() as tx:
        asked = tx.duty.ask(which, ORDERS, NOW, NOW + DAY)
        facts = tx.facts.gather(Keys(duty=asked), now=NOW)
    assert facts.duty is not None
    assert facts.duty.id == asked
    assert set(facts.tickets) == {1001}


def test_a_held_mail_moves_with_its_message(database: Database) -> None:
    held, other = hold(database), ticket(database)
    with database.transaction() as tx:
        assert tx.held.settle(held.held or 0, APPROVED, ANA, NOW)
        tx.held.move(held.held or 0, other)
        found = tx.held.get(held.held or 0)
        assert found is not None
        assert found.ticket == other
        assert [m.id for m in tx.tickets.messages(other)] == [found.message]
        assert tx.tickets.messages(1001) == []
        row = tx.inbox.get(held.inbox)
        assert row is not None
        assert row.ticket == other


def test_what_was_vouched_for_is_claimed_with_it(database: Database) -> None:
    (inbox,) = set_aside(database, "a")
    number = ticket(database)
    with database.transaction() as tx:
        assert tx.inbox.reopen(inbox, NOW, by=ANA, ticket=number)
        (claimed,) = tx.inbox.claim(NOW, 10, MINUTE)
    assert (claimed.vouched_by, claimed.vouched_for, claimed.attempts) == (ANA, number, 1)


def test_a_sender_is_blocked_once_and_taken_again(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.duty.block("Sol@Example.NET", ANA, NOW)
        assert not tx.duty.block("sol@example.net", "ben", NOW + DAY)
        assert not tx.duty.block("x" * 321, ANA, NOW)
        assert not tx.duty.block("", ANA, NOW)
        assert tx.duty.blocked() == [Blocked(address="sol@example.net", by=ANA, at=NOW)]
        assert tx.facts.gather(Keys(sender="sol@EXAMPLE.net")).blocked == Blocked(
            address="sol@example.net", by=ANA, at=NOW
        )
        assert tx.facts.gather(Keys(sender="solo@example.net")).blocked is None
        assert tx.duty.unblock("SOL@example.net")
        assert not tx.duty.unblock("sol@example.net")
        assert tx.facts.gather(Keys(sender="sol@example.net")).blocked is None


def test_the_size_of_a_mail_is_known_without_its_bytes(database: Database) -> None:
    (inbox,) = accept(database, "a")
    with database.transaction() as tx:
        row = tx.inbox.get(inbox)
        assert row is not None
        assert tx.blobs.size(row.digest) == len(tx.blobs.get(row.digest))
        assert tx.blobs.size("0" * 64) == 0
