"""What was said in public since a mail of ours was made: the facts of the collision guard."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailgate.core.collision import COLLIDED
from mailgate.core.decision import Facts, Keys, LastWord
from mailgate.core.mail import Address
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.held import APPROVED, AS_NOTE
from store.ticket_rows import Event
from store.wishes import THANKS, WISH
from tests.store.samples import MINUTE, NOW, accept, mail, queue, ticket

ANA = Address(addr="ana@example.com")
RITA = Address(addr="rita@example.net")
OURS = "<1@mailgate.test>"  # made at NOW


def say(database: Database, number: int, author: Address, minutes: int, kind: MessageKind) -> int:
    """Add a message, so many minutes after NOW; returns its id."""
    at = NOW + minutes * MINUTE
    (inbox,) = accept(database, f"{author.addr} {minutes} {kind} {number}")
    with database.transaction() as tx:
        made = mail(f"<{number}.{minutes}.{kind}@x>")
        return tx.tickets.add_message(number, made, kind, author, now=at, inbox=inbox)


def gather(database: Database, *, agents: bool = True) -> Facts:
    """The facts of an answer to our mail, an hour later."""
    with database.transaction() as tx:
        return tx.facts.gather(Keys(ids=(OURS,), agents=agents), now=NOW + 60 * MINUTE)


def test_public_messages_after_our_mail_and_no_others(database: Database) -> None:
    number, _ = queue(database, "ana@example.com")
    other = ticket(database)
    say(database, number, RITA, -1, MessageKind.CUSTOMER)
    say(database, number, RITA, 0, MessageKind.CUSTOMER)  # what our mail told
    asked = say(database, number, RITA, 1, MessageKind.CUSTOMER)
    for kind in (MessageKind.NOTE, MessageKind.SYSTEM, MessageKind.HELD):
        say(database, number, ANA, 2, kind)
    answered = say(database, number, ANA, 3, MessageKind.AGENT)
    say(database, other, RITA, 4, MessageKind.CUSTOMER)
    assert gather(database).last_words == {
        number: (
            LastWord(message=asked, author=RITA.addr, at=NOW + MINUTE),
            LastWord(message=answered, author=ANA.addr, at=NOW + 3 * MINUTE),
        )
    }


def test_they_are_looked_up_for_agents_alone(database: Database) -> None:
    number, _ = queue(database, "ana@example.com")
    say(database, number, RITA, 1, MessageKind.CUSTOMER)
    assert gather(database, agents=False).last_words == {}


@pytest.mark.parametrize("kind", [WISH, THANKS])
def test_wishes_and_thanks_are_no_word(database: Database, kind: str) -> None:
    number, _ = queue(database, "ana@example.com")
    say(database, number, RITA, 1, MessageKind.CUSTOMER)
    with database.transaction() as tx:
        [message] = tx.tickets.messages(number)
        event = Event(
            at=NOW, actor=RITA.addr, kind=kind, data={}, ticket=number, inbox=message.inbox
        )
        tx.tickets.record(event)
    assert gather(database).last_words == {}


def hold(database: Database, number: int, why: str, minutes: int) -> tuple[int, int]:
    """Hold a mail that Ana sent from an address of somebody's; returns it and its message."""
    unknown = Address(addr="ana@private.test")
    message = say(database, number, unknown, minutes, MessageKind.HELD)
    with database.transaction() as tx:
        inbox = tx.tickets.messages(number)[-1].inbox
        assert inbox is not None
        at = NOW + minutes * MINUTE
        expires = at + timedelta(days=1)
        held = tx.held.add(
            ticket=number,
            message=message,
            inbox=inbox,
            author=unknown.addr,
            owner=ANA.addr,
            why=why,
            created=at,
            expires=expires,
        )
    return held, message


def test_a_held_answer_counts_as_its_owners_since_it_was_released(database: Database) -> None:
    number, _ = queue(database, "ben@example.com")
    held, message = hold(database, number, "no token", -5)
    then = NOW + 7 * MINUTE
    with database.transaction() as tx:
        assert tx.held.settle(held, APPROVED, ANA.addr, NOW + MINUTE)
        assert tx.held.finish(held, then)
        tx.tickets.set_message_kind(message, MessageKind.AGENT)
    found = gather(database).last_words
    assert found == {number: (LastWord(message=message, author=ANA.addr, at=then),)}


def test_what_is_approved_as_a_note_is_carried_out_once_or_handed_back(database: Database) -> None:
    number, _ = queue(database, "ana@example.com")
    held, _ = hold(database, number, "no token", 1)
    with database.transaction() as tx:
        assert tx.held.settle(held, AS_NOTE, ANA.addr, NOW + MINUTE)
        assert tx.held.hand_back(held, NOW + MINUTE)
        assert tx.held.settle(held, AS_NOTE, ANA.addr, NOW + MINUTE)
        assert [h.id for h in tx.held.list(AS_NOTE)] == [held]
        assert tx.held.finish(held, NOW + MINUTE)
        assert not tx.held.finish(held, NOW + MINUTE)


def test_a_collision_is_no_challenge(database: Database) -> None:
    number, _ = queue(database, "ana@example.com")
    hold(database, number, f"{COLLIDED}: ben@example.com", 1)
    hold(database, number, "no token", 2)
    with database.transaction() as tx:
        facts = tx.facts.gather(Keys(sender=ANA.addr), now=NOW + 60 * MINUTE)
    assert facts.challenges == 1
