"""The one read before a decision: what a mail's keys bring to light."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from mailgate.core.decision import (
    Facts,
    Keys,
    Notice,
    Outgoing,
    OutgoingCopy,
    Recipient,
    SentMail,
)
from mailgate.core.mail import Address
from mailgate.core.ticket import MessageKind
from store.database import Database
from tests.store.samples import ANNA, MINUTE, NOW, accept, mail, queue, ticket


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
        created=NOW,
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


# --- what is known of the sender ---------------------------------------------------------


def test_a_sender_is_proven_from_their_first_proof_on(database: Database) -> None:
    ticket(database)
    assert not gather(database, sender=ANNA.addr).sender_proven
    with database.transaction() as tx:
        tx.people.prove(ANNA.addr, NOW)
        tx.people.prove(ANNA.addr, NOW + MINUTE)
        tx.people.prove("new@example.org", NOW)
        tx.people.ensure(Address(addr="new@example.org", name="New"), NOW, language="es")
    facts = gather(database, sender=ANNA.addr)
    assert (facts.sender_proven, facts.sender_language) == (True, "en")
    facts = gather(database, sender="new@example.org")
    assert (facts.sender_proven, facts.sender_language) == (True, "es")
    assert not gather(database, sender="bert@example.org").sender_proven


def test_a_paused_sender_is_known_in_any_case_of_letters(database: Database) -> None:
    with database.transaction() as tx:
        tx.undeliverable.failed("soft@example.org", hard=False, reason="full", now=NOW)
        tx.undeliverable.failed("dead@example.org", hard=True, reason="gone", now=NOW)
    assert gather(database, sender="Dead@Example.org").sender_paused
    assert not gather(database, sender="soft@example.org").sender_paused


# --- what tokens, held mails and keys bring ------------------------------------------------


def hold(database: Database, number: int, owner: str, days: int = 0) -> int:
    at = NOW + timedelta(days=days)
    (inbox,) = accept(database, f"held {number} {days}")
    with database.transaction() as tx:
        message = tx.tickets.add_message(number, mail("<h@x>"), MessageKind.HELD, None, now=at)
        return tx.held.add(
            ticket=number,
            message=message,
            inbox=inbox,
            author="eve@example.net",
            owner=owner,
            why="",
            created=at,
            expires=at + timedelta(days=1),
        )


def test_a_token_brings_the_ticket_it_names_and_what_was_called_back(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        tx.tickets.revoke_tokens(one, "ana@example.com")
        tx.tickets.revoke_tokens(two, "ana@example.com")
    facts = gather(database, tickets=(one, 4711))
    assert list(facts.tickets) == [one]
    assert facts.generations == {(one, "ana@example.com"): 1}


def test_a_held_mail_brings_its_ticket(database: Database) -> None:
    number = ticket(database)
    held = hold(database, number, "ana@example.com")
    facts = gather(database, held=held)
    assert facts.held is not None
    assert (facts.held.id, facts.held.ticket, list(facts.tickets)) == (held, number, [number])
    assert gather(database, held=4711) == Facts()


def test_challenges_of_the_last_seven_days_are_counted(database: Database) -> None:
    number = ticket(database)
    for days in (0, 1, 7):
        hold(database, number, "ana@example.com", days)
    with database.transaction() as tx:
        for asked, count in ((NOW + timedelta(days=7), 3), (NOW + timedelta(days=8), 2)):
            facts = tx.facts.gather(Keys(sender="ANA@example.com"), now=asked)
            assert facts.challenges == count
        assert tx.facts.gather(Keys(sender="ana@example.com")).challenges == 0


def test_keys_are_read_anew_in_each_transaction_E4(database: Database) -> None:
    assert gather(database).keys == ()
    with database.transaction() as tx:
        first = tx.keys.current(NOW)
    assert gather(database).keys == (first,)
    with database.transaction() as tx:
        second = tx.keys.rotate(NOW, MINUTE)
    assert [key.id for key in gather(database).keys] == [second.id, first.id]
    assert "secret" not in repr(gather(database))


def test_whatever_named_a_merged_ticket_leads_to_its_survivor_T9(database: Database) -> None:
    number, outbox = queue(database, ANNA.addr)
    remember(database, number, "<a@x>", "<root@x>")
    survivor = ticket(database)
    with database.transaction() as tx:
        tx.tickets.merge(number, survivor, NOW)
    for keys in (
        {"tickets": (number,)},
        {"numbers": (number,)},
        {"numbers": (number, survivor)},
    ):
        facts = gather(database, **keys)
        assert (facts.merged, list(facts.tickets)) == ({number: survivor}, [survivor])
    facts = gather(database, ids=("<root@x>", "<1@mailgate.test>"))
    assert facts.seen == {"<root@x>": (survivor,)}
    assert facts.sent["<1@mailgate.test>"].ticket == survivor
    assert (list(facts.tickets), outbox) == ([survivor], 1)


# --- what it costs -------------------------------------------------------------------------


@contextmanager
def asked(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The SELECT statements that run meanwhile, with their parameters."""
    found: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            found.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def busy(database: Database) -> int:
    """A desk with a few of everything; returns the number of a ticket with an answer."""
    number = ticket(database)
    copies = {
        ANNA.addr: OutgoingCopy(message_id="<1a@us>", mail_from="", number=1),
        "bert@example.org": OutgoingCopy(message_id="<1b@us>", mail_from="", number=2),
    }
    answer = Outgoing(
        notice=Notice.ANSWER,
        ticket=number,
        message_id="<1a@us>",
        mail_from="",
        raw=b"",
        heads=dict.fromkeys(copies, b""),
        automatic=False,
        copies=copies,
    )
    with database.transaction() as tx:
        tx.keys.current(NOW)
        tx.outbox.add(answer, [Recipient(address=a, role="cc", why="") for a in copies], NOW)
    remember(database, number, "<a@x>", "<root@x>")
    hold(database, number, "ana@example.com")
    return number


NEW = Keys(sender="new@example.org", own_id="<new@x>")
REPLY = Keys(sender=ANNA.addr, own_id="<r@x>", ids=("<1a@us>", "<a@x>"), numbers=(1001,))


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        pytest.param(Keys(), 1, id="nothing asked"),
        pytest.param(NEW, 4, id="new mail"),
        pytest.param(REPLY, 10, id="reply"),
    ],
)
def test_facts_take_few_statements(database: Database, keys: Keys, most: int) -> None:
    busy(database)
    with asked(database) as statements, database.transaction() as tx:
        tx.facts.gather(keys, now=NOW)
    assert len(statements) == most, statements


def test_no_fact_takes_a_walk_through_a_table(sqlite_database: Database) -> None:
    number = busy(sqlite_database)
    every = Keys(
        ids=("<1a@us>", "<a@x>"),
        own_id="<r@x>",
        reported_id="<1b@us>",
        numbers=(number,),
        sender=ANNA.addr,
        tickets=(number,),
        held=1,
        copy=1,
    )
    with asked(sqlite_database) as statements, sqlite_database.transaction() as tx:
        tx.facts.gather(every, now=NOW)
        tx.outbox.translate(["<1a@us>"], "bert@example.org")
        tx.outbox.ids_for(number, ANNA.addr)
        tx.tickets.thread_ids(number, ANNA.addr)
        tx.undeliverable.paused([ANNA.addr])
    walks, plans = [], []
    with sqlite_database.reading() as tx:
        for statement, parameters in list(statements):
            found = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plan = [row.detail for row in found]
            plans += plan
            walks += [(line, statement) for line in plan if line.startswith("SCAN ")]
    # There are 255 keys at most.
    assert [walk for walk in walks if not walk[0].startswith(("SCAN keys", "SCAN CONSTANT"))] == []
    # Nor through all that somebody was ever sent.
    assert "SEARCH named USING INDEX ix_outbox_recipients_message_id (message_id=?)" in plans
    assert not any("ix_outbox_recipients_address_queued" in line for line in plans)
