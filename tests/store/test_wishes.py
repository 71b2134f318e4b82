"""Rows behind wishes: who is muted, the rating, and when the last public message came."""

from __future__ import annotations

from mailgate.core.ticket import MessageKind
from store.database import Database
from store.ticket_rows import Event
from store.wishes import WISH
from tests.store.samples import ANNA, MINUTE, NOW, accept, mail, ticket


def test_muting_is_told_once_and_taken_back(database: Database) -> None:
    number, other = ticket(database), ticket(database)
    with database.transaction() as tx:
        assert tx.wishes.mute(number, ANNA.addr, muted=True)
        assert not tx.wishes.mute(number, ANNA.addr, muted=True)
        assert not tx.wishes.mute(number, "nobody@example.org", muted=True)
        views = tx.tickets.views([number, other])
        assert (views[number].muted, views[other].muted) == ((ANNA.addr,), ())
        assert tx.wishes.mute(number, ANNA.addr, muted=False)
        assert tx.tickets.views([number])[number].muted == ()


def test_a_rating_replaces_the_one_before_and_no_other_field(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        assert tx.wishes.rate(number, 2) == 0
        assert tx.wishes.rate(number, 5) == 2
        row = tx.tickets.get(number)
    assert row is not None
    assert (row.view.rating, dict(row.fields)) == (5, {"rating": "5"})


def test_the_last_public_message_is_no_note_and_not_the_one_that_asks(database: Database) -> None:
    number = ticket(database)
    first, second, third = accept(database, "a", "b", "c")
    with database.transaction() as tx:
        assert tx.wishes.last_public(number, None) is None
        for minutes, inbox, kind in (
            (0, first, MessageKind.CUSTOMER),
            (1, None, MessageKind.AGENT),
            (2, second, MessageKind.NOTE),
            (3, third, MessageKind.CUSTOMER),
        ):
            tx.tickets.add_message(
                number, mail(f"<{minutes}@x>"), kind, ANNA, now=NOW + minutes * MINUTE, inbox=inbox
            )
            came = Event(at=NOW, actor="", kind="message", data={}, ticket=number, inbox=inbox)
            tx.tickets.record(came)
        assert tx.wishes.last_public(number, third) == NOW + MINUTE
        assert tx.wishes.last_public(number, None) == NOW + 3 * MINUTE
        wish = Event(at=NOW, actor=ANNA.addr, kind=WISH, data={}, ticket=number, inbox=third)
        tx.tickets.record(wish)
        assert tx.wishes.last_public(number, None) == NOW + MINUTE
        last = tx.background.last_words(number)
    assert last is not None
    assert last.inbox == first
