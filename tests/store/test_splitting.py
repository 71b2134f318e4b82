"""A message that becomes a ticket of its own: what moves, what stays, and who wins a race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from mailgate.core.decision import Keys
from mailgate.core.mail import Address, Attachment, Envelope
from mailgate.core.ticket import MessageKind
from store.database import Database, Tx
from store.schema import mail_ids, messages
from store.splitting import SPLIT_FROM, SPLIT_OFF, CannotSplit
from tests.store.samples import ANNA, MINUTE, NOW, accept, arrival, decision, mail, opening, ticket

CARL = Address(addr="carl@example.org", name="Carl")
LATER = NOW + timedelta(days=1)
FILE = Attachment(part=1, filename="lamp.txt", content_type="text/plain", size=3, digest="1" * 64)


def add(database: Database, number: int, key: str, author: Address = ANNA, at: int = 0) -> int:
    """A customer's message on a ticket, settled there; returns its id."""
    with database.transaction() as tx:
        [(inbox, _)] = tx.inbox.add_many([arrival(tx, key)])
        letter = mail(f"<{key}@example.org>", FILE)
        when = NOW + at * MINUTE
        message = tx.tickets.add_message(
            number, letter, MessageKind.CUSTOMER, author, now=when, inbox=inbox
        )
        tx.tickets.remember_ids(number, f"<{key}@example.org>", ["<root@example.org>"])
        tx.inbox.settle(inbox, decision(), number, when)
    return message


def split(tx: Tx, message: int, number: int, author: Address = CARL) -> int:
    into = tx.tickets.open(opening(author, "Scanner"), LATER)
    tx.splitting.move(message, number, into, LATER)
    return into


def ids_of(tx: Tx, number: int) -> dict[str, bool]:
    """Message-ID -> whether it is known from a reference alone."""
    rows = tx.conn.execute(mail_ids.select().where(mail_ids.c.ticket == number))
    return {row.message_id: row.referenced_only for row in rows}


def test_all_that_hangs_on_the_message_goes_along(database: Database) -> None:
    number = ticket(database)
    add(database, number, "a")
    message = add(database, number, "b", CARL, at=1)
    with database.transaction() as tx:
        before = tx.tickets.messages(number)[1]
        into = split(tx, message, number)
    with database.reading() as tx:
        assert len(tx.tickets.messages(number)) == 1
        [moved] = tx.tickets.messages(into)
        assert moved == before
        assert moved.attachments == (FILE,)
        assert ids_of(tx, number) == {"<a@example.org>": False, "<root@example.org>": True}
        assert ids_of(tx, into) == {"<b@example.org>": False}
        old, new = tx.tickets.get(number), tx.tickets.get(into)
        assert old is not None
        assert new is not None
        assert old.links == ((into, SPLIT_OFF),)
        assert new.links == ((number, SPLIT_FROM),)
        assert (old.updated, new.view.requester) == (LATER, CARL.addr)
        assert tx.splitting.parted([number, into]) == {into: (number,)}
        assert tx.splitting.places(moved.inbox or 0) == [(message, into)]
        assert tx.stats.imbalances() == []


def test_whoever_wrote_it_is_no_newcomer_to_it(database: Database) -> None:
    number = ticket(database)
    add(database, number, "a")
    message = add(database, number, "b", CARL, at=1)
    with database.transaction() as tx:
        into = split(tx, message, number)
        assert tx.background.newcomers(into, NOW + MINUTE) == frozenset()


def test_the_search_finds_it_on_the_new_ticket(database: Database) -> None:
    number = ticket(database)
    add(database, number, "a")
    message = add(database, number, "b", CARL)
    with database.transaction() as tx:
        into = split(tx, message, number)
        assert {hit.ticket for hit in tx.search.find(["fire"])} == {number, into}
        zebra = messages.update().where(messages.c.id == message).values(subject="zebra")
        tx.conn.execute(zebra)
        assert [hit.ticket for hit in tx.search.find(["zebra"])] == [into]


def test_an_id_that_two_messages_have_is_known_on_both(database: Database) -> None:
    number = ticket(database)
    add(database, number, "a")
    message = add(database, number, "b", CARL)
    with database.transaction() as tx:
        tx.tickets.add_message(number, mail("<b@example.org>"), MessageKind.CUSTOMER, ANNA, now=NOW)
        into = split(tx, message, number)
        assert ids_of(tx, number)["<b@example.org>"] is False
        assert ids_of(tx, into) == {"<b@example.org>": False}


def test_a_message_without_an_id_leaves_the_others_theirs(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        message = tx.tickets.add_message(
            number, mail("<made-up@x>"), MessageKind.CUSTOMER, CARL, now=NOW
        )
        into = split(tx, message, number)
        assert ids_of(tx, into) == {}


@pytest.mark.parametrize("kind", [k for k in MessageKind if k is not MessageKind.CUSTOMER])
def test_nothing_but_a_customers_message_can_be_split_off(
    database: Database, kind: MessageKind
) -> None:
    number = ticket(database)
    message = add(database, number, "a")
    with database.transaction() as tx:
        tx.tickets.set_message_kind(message, kind)
    with pytest.raises(CannotSplit), database.transaction() as tx:
        split(tx, message, number)
    with database.reading() as tx:
        assert [m.id for m in tx.tickets.messages(number)] == [message]
        assert [row.view.number for row in tx.tickets.find()] == [number]


def test_of_two_at_once_one_wins(database: Database) -> None:
    number = ticket(database)
    add(database, number, "a")
    message = add(database, number, "b", CARL)

    def attempt(_: int) -> int:
        try:
            with database.transaction() as tx:
                return split(tx, message, number)
        except CannotSplit:
            return 0

    with ThreadPoolExecutor(2) as pool:
        made = sorted(pool.map(attempt, range(2)))
    assert made[0] == 0
    assert made[1] > number
    with database.reading() as tx:
        assert [m.id for m in tx.tickets.messages(made[1])] == [message]
        assert len(tx.tickets.find()) == 2


def test_a_merge_brings_them_together_again(database: Database) -> None:
    number, third = ticket(database), ticket(database)
    add(database, number, "a")
    message = add(database, number, "b", CARL)
    with database.transaction() as tx:
        into = split(tx, message, number)
        tx.tickets.merge(into, third, LATER)
        assert tx.splitting.parted([number, third]) == {third: (number,)}  # and not the other way
        found = tx.tickets.get(number)
        assert found is not None
        assert (third, SPLIT_OFF) in found.links
        tx.tickets.merge(third, number, LATER)
        assert message in [m.id for m in tx.tickets.messages(number)]
        assert ids_of(tx, number)["<b@example.org>"] is False


def test_a_held_mail_follows_its_words(database: Database) -> None:
    number = ticket(database)
    [inbox] = accept(database, "h")
    with database.transaction() as tx:
        message = tx.tickets.add_message(
            number, mail("<h@x>"), MessageKind.HELD, ANNA, now=NOW, inbox=inbox
        )
        held = tx.held.add(
            ticket=number,
            message=message,
            inbox=inbox,
            author=ANNA.addr,
            owner="",
            why="",
            created=NOW,
            expires=LATER,
        )
        into = tx.tickets.open(opening(CARL), NOW)
        tx.splitting.bring(message, into)
        row = tx.held.get(held)
        assert row is not None
        assert row.ticket == into
        assert [m.id for m in tx.tickets.messages(into)] == [message]


def test_facts_name_the_messages_that_may_be_meant(database: Database) -> None:
    number, elsewhere = ticket(database), ticket(database)
    first = add(database, number, "a")
    second = add(database, number, "b", CARL)
    other = add(database, elsewhere, "c")
    with database.transaction() as tx:
        facts = tx.facts.gather(Keys(split=True, messages=(second, other, 4711)))
        assert {m.id: (m.ticket, m.others) for m in facts.messages.values()} == {
            second: (number, 1),
            other: (elsewhere, 0),
        }
        assert set(facts.tickets) == {number, elsewhere}  # and both are locked
        found = facts.messages[second]
        assert found.author == CARL
        assert found.envelope == Envelope(
            mail_from="anna@example.org", rcpt_tos=("help@example.com",)
        )
        assert tx.facts.gather(Keys(messages=(first,))).messages == {}
