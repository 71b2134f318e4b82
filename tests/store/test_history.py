"""Reading stored messages anew, on each engine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailgate.core.mail import ParsedMail
from mailgate.core.ticket import MessageKind
from store import history
from store.database import Database
from tests.store.samples import ANNA, NOW, accept, mail, ticket


def add(database: Database, number: int, kind: MessageKind, key: str, days: int = 0) -> int:
    [inbound] = accept(database, key)
    parsed: ParsedMail = mail(f"<{key}@acme.test>")
    with database.transaction() as tx:
        at = NOW + timedelta(days=days)
        return tx.tickets.add_message(number, parsed, kind, ANNA, now=at, inbox=inbound)


def test_messages_of_customers_come_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BATCH", 2)
    first, second = ticket(database), ticket(database)
    one = add(database, first, MessageKind.CUSTOMER, "a")
    add(database, first, MessageKind.AGENT, "b")
    two = add(database, second, MessageKind.HELD, "c", days=1)
    add(database, second, MessageKind.NOTE, "d")
    three = add(database, second, MessageKind.CUSTOMER, "e", days=2)
    with database.reading() as tx:
        batch = tx.history.batch(0)
        assert [m.id for m in batch] == [one, two]
        assert all(tx.blobs.get(m.digest) for m in batch)
        assert [m.id for m in tx.history.batch(two)] == [three]
        assert [m.id for m in tx.history.batch(0, ticket=first)] == [one]
        since = NOW + timedelta(days=1)
        assert [m.id for m in tx.history.batch(0, since=since)] == [two, three]


def test_new_words_are_stored_once(database: Database) -> None:
    number = ticket(database)
    add(database, number, MessageKind.CUSTOMER, "a")
    with database.transaction() as tx:
        [stored] = tx.history.batch(0)
        assert tx.history.reword(stored, "other words")
        assert not tx.history.reword(stored, "late words")
    with database.reading() as tx:
        [message] = tx.tickets.messages(number)
    assert message.visible == "other words"
    assert message.text == stored.text
