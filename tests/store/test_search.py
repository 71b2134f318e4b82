"""Full-text search: current once a message is written, and silent about what is not public."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from mailgate.core.ticket import MessageKind
from store import search
from store.database import Database
from tests.store.samples import ANNA, NOW, accept, mail, ticket


def say(
    database: Database,
    number: int,
    words: str,
    kind: MessageKind = MessageKind.CUSTOMER,
    subject: str = "",
) -> int:
    """Append a message; returns its id."""
    [inbox] = accept(database, f"{number} {words[:50]} {kind}")
    said = replace(mail(f"<{inbox}@x>"), subject=subject, text=words, visible=words)
    with database.transaction() as tx:
        return tx.tickets.add_message(number, said, kind, ANNA, now=NOW, inbox=inbox)


def found(database: Database, *words: str, least: int = 1) -> list[int]:
    """Numbers of the tickets that are found."""
    with database.reading() as tx:
        return [hit.ticket for hit in tx.search.find(words, least=least)]


def test_a_message_is_found_by_its_words_and_its_subject(database: Database) -> None:
    one, other = ticket(database), ticket(database)
    say(database, one, "The printer says paper jam.", subject="Jam")
    say(database, other, "The scanner hums.")
    assert found(database, "PRINTER") == [one]
    assert found(database, "jam") == [one]
    assert found(database, "hums", "printer", "jam") == [one, other]
    assert found(database, "printer", "hums", "jam", least=2) == [one]
    assert found(database, "fax") == []
    assert found(database) == []


def test_a_search_sees_what_its_own_transaction_wrote(database: Database) -> None:
    number = ticket(database)
    [inbox] = accept(database, "k")
    with database.transaction() as tx:
        said = replace(mail("<k@x>"), visible="zebra")
        tx.tickets.add_message(number, said, MessageKind.CUSTOMER, ANNA, now=NOW, inbox=inbox)
        assert [hit.ticket for hit in tx.search.find(["zebra"])] == [number]


@pytest.mark.parametrize("kind", [MessageKind.NOTE, MessageKind.HELD, MessageKind.SYSTEM])
def test_what_is_not_public_is_not_found_c6(database: Database, kind: MessageKind) -> None:
    number = ticket(database)
    message = say(database, number, "secret zebra", kind)
    assert found(database, "zebra") == []
    with database.transaction() as tx:
        assert [h.ticket for h in tx.search.find(["zebra"], kinds=[kind.value])] == [number]
        tx.tickets.set_message_kind(message, MessageKind.CUSTOMER)
    assert found(database, "zebra") == [number]


def test_a_changed_or_removed_message_is_found_by_what_it_says_now(database: Database) -> None:
    number = ticket(database)
    message = say(database, number, "zebra crossing")
    with database.transaction() as tx:
        tx.conn.execute(text("UPDATE messages SET visible = 'yak' WHERE id = :id"), {"id": message})
    assert found(database, "zebra") == []
    assert found(database, "yak") == [number]
    with database.transaction() as tx:
        tx.conn.execute(text("DELETE FROM messages WHERE id = :id"), {"id": message})
    assert found(database, "yak") == []
    again = say(database, number, "gnu")
    assert (found(database, "yak", "gnu"), again) == ([number], again)


def test_a_message_that_is_stripped_anew_is_found_by_its_new_words_alone(
    database: Database,
) -> None:
    number, other = ticket(database), ticket(database)
    say(database, number, "zebra crossing\n\nOn Monday Ben wrote:\n> the yak is late")
    say(database, other, "another yak")
    for visible, there in (("zebra crossing", [other]), ("zebra and yak", [number, other])):
        with database.transaction() as tx:
            [stored] = tx.history.batch(0, ticket=number, since=None)
            assert tx.history.reword(stored, visible)
            assert not tx.history.reword(stored, "overtaken gnu")
        assert sorted(found(database, "yak")) == there
        assert found(database, "zebra") == [number]
    assert found(database, "monday", "gnu") == []


@pytest.mark.parametrize(
    "words", ['"', "a* OR b", "NEAR(x y)", "(x", "x:*", "a & !b", "'; DROP", "\x00x", "ſ" * 90]
)
def test_no_word_is_an_operator(database: Database, words: str) -> None:
    number = ticket(database)
    say(database, number, "nothing of that kind")
    assert found(database, words) == []


def test_a_word_that_is_a_thousand_words_is_searched_for_its_first_ones(database: Database) -> None:
    number = ticket(database)
    say(database, number, "ab3 nothing of that kind")
    assert found(database, "-".join(f"ab{at}" for at in range(1000))) == [number]
    assert found(database, "-".join(f"ac{at}" for at in range(1000))) == []


@pytest.mark.parametrize("size", [30_000, 3_000_000])
def test_a_very_long_message_is_kept_and_found_by_its_beginning(
    database: Database, size: int
) -> None:
    number = ticket(database)
    say(database, number, "zebra " + " ".join(f"w{n}" for n in range(size // 7)))
    assert found(database, "zebra") == [number]
    assert found(database, "w4000") == []
    say(database, number, "x" * size)
    assert found(database, "xylophone") == []


def test_a_merged_ticket_is_found_where_it_lives_on(database: Database) -> None:
    one, other = ticket(database), ticket(database)
    say(database, one, "zebra")
    with database.transaction() as tx:
        tx.tickets.merge(one, other, NOW)
    assert found(database, "zebra") in ([other], [])
    assert one not in found(database, "zebra")


def test_only_the_last_messages_are_searched(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = ticket(database), ticket(database)
    say(database, old, "zebra")
    say(database, new, "zebra")
    monkeypatch.setattr(search, "RECENT", 1)
    assert found(database, "zebra") == [new]


def test_the_last_answer_of_a_ticket(database: Database) -> None:
    number = ticket(database)
    with database.reading() as tx:
        assert tx.search.last_answer(number) == ""
    say(database, number, "Is it on?", MessageKind.AGENT)
    say(database, number, "It is.", MessageKind.CUSTOMER)
    say(database, number, "Then switch it off.", MessageKind.AGENT)
    say(database, number, "He has no idea.", MessageKind.NOTE)
    with database.reading() as tx:
        assert tx.search.last_answer(number) == "Then switch it off."
