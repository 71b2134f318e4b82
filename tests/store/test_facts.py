"""The one read before a decision: what a mail's keys bring to light."""

from __future__ import annotations

from mailgate.core.decision import Facts, Keys, SentMail
from store.database import Database
from tests.store.samples import NOW, queue, ticket


def gather(database: Database, **keys: object) -> Facts:
    with database.transaction() as tx:
        return tx.facts.gather(Keys(**keys))  # type: ignore[arg-type]


def remember(database: Database, number: int, own: str, *others: str) -> None:
    with database.transaction() as tx:
        tx.tickets.remember_ids(number, own, others)


def test_no_keys_bring_no_facts(database: Database) -> None:
    ticket(database)
    assert gather(database) == Facts()


def test_a_duplicate_needs_no_other_facts(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        assert tx.facts.gather(Keys(numbers=(number,)), duplicate_of=7) == Facts(duplicate_of=7)


def test_our_own_mail_brings_its_recipients_and_ticket(database: Database) -> None:
    number, outbox = queue(database, "anna@example.org", "bert@example.org")
    sent = SentMail(
        outbox=outbox,
        ticket=number,
        notice="confirmation",
        recipients=("anna@example.org", "bert@example.org"),
    )
    by_reply = gather(database, ids=("<0@x>", "<1@mailgate.test>"))
    by_bounce = gather(database, reported_id="<1@mailgate.test>")
    for facts in (by_reply, by_bounce):
        assert facts.sent == {"<1@mailgate.test>": sent}
        assert list(facts.tickets) == [number]


def test_ids_bring_every_ticket_that_knows_them(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    remember(database, one, "<a@x>", "<root@x>")
    remember(database, two, "<b@x>", "<root@x>")
    facts = gather(database, ids=("<root@x>", "<b@x>", "<unknown@x>"))
    assert facts.seen == {"<root@x>": (one, two), "<b@x>": (two,)}
    assert sorted(facts.tickets) == [one, two]


def test_numbers_bring_only_tickets_that_exist(database: Database) -> None:
    number = ticket(database)
    assert list(gather(database, numbers=(number, 4711)).tickets) == [number]


def test_the_sender_brings_a_language(database: Database) -> None:
    ticket(database)
    assert gather(database, sender="anna@example.org").sender_language == "en"
    assert gather(database, sender="bert@example.org").sender_language == ""


# An id is "referenced only" until the mail that carries it has come.


def test_our_own_id_counts_only_while_it_was_just_referred_to(database: Database) -> None:
    number = ticket(database)
    remember(database, number, "<answer@x>", "<original@x>")
    overtaken = gather(database, own_id="<original@x>")
    assert overtaken.seen == {"<original@x>": (number,)}
    used_twice = gather(database, own_id="<answer@x>")
    assert used_twice.seen == {}
    as_ancestor = gather(database, ids=("<answer@x>",), own_id="<other@x>")
    assert as_ancestor.seen == {"<answer@x>": (number,)}


def test_an_id_that_has_come_stays_so(database: Database) -> None:
    number = ticket(database)
    remember(database, number, "<a@x>", "<b@x>", "<a@x>", "<b@x>")
    remember(database, number, "<b@x>", "<a@x>")
    remember(database, number, "<c@x>", "<a@x>", "<b@x>")
    for own in ("<a@x>", "<b@x>", "<c@x>"):
        assert gather(database, own_id=own).seen == {}


def test_huge_ids_are_matched(database: Database) -> None:
    number = ticket(database)
    huge = f"<{'x' * 5000}@example.org>"
    remember(database, number, "<a@x>", huge)
    assert gather(database, ids=(huge,)).seen == {huge: (number,)}


def test_facts_lock_what_they_found(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        facts = tx.facts.gather(Keys(numbers=(number,)))
        tx.tickets.set_field(number, "status", "open", NOW)
    assert facts.tickets[number].status == "new"
