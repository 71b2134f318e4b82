"""Tickets and all that hangs on them; the audit trail that nobody can rewrite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import exc, text

from mailgate.core.decision import Notice, Outgoing, OutgoingCopy, Recipient
from mailgate.core.mail import Address, Attachment
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.schema import tickets
from store.ticket_rows import Event
from store.tickets import COLUMNS
from tests.store.samples import ANNA, MINUTE, NOW, accept, mail, opening, queue, ticket

BERT = Address(addr="bert@example.org", name="Bert")


# --- the ticket itself -------------------------------------------------------------------


def test_numbers_start_at_1001_and_are_never_given_twice(database: Database) -> None:
    assert [ticket(database, None) for _ in range(3)] == [1001, 1002, 1003]
    with database.transaction() as tx:
        tx.conn.execute(tickets.delete())
    assert ticket(database, None) == 1004


def test_a_new_ticket_reads_as_it_was_opened(database: Database) -> None:
    number = ticket(database)
    with database.reading() as tx:
        row = tx.tickets.get(number)
        assert tx.tickets.get(number + 1) is None
        assert tx.people.name_of("anna@example.org") == "Anna"
        assert tx.people.language_of("anna@example.org") == "en"
    assert row is not None
    view = row.view
    assert (view.number, view.subject, view.status) == (number, "Printer on fire", "new")
    assert (view.priority, view.queue, view.language) == ("normal", "support", "en")
    assert view.participants == ("anna@example.org",)
    assert (view.category, view.group, view.assignee, view.tags, view.closed) == ("",) * 3 + (
        (),
        None,
    )
    assert (row.created, row.updated, row.source) == (NOW, NOW, "smtp")
    assert (row.resolution, row.time_spent, row.fields, row.links) == ("", 0, {}, ())


def test_a_ticket_may_have_no_requester(database: Database) -> None:
    number = ticket(database, None)
    with database.reading() as tx:
        assert tx.tickets.views([number])[number].participants == ()


@pytest.mark.parametrize("field", sorted(COLUMNS))
def test_each_field_can_be_set(database: Database, field: str) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        tx.tickets.set_field(number, field, "other", NOW + MINUTE)
    with database.reading() as tx:
        row = tx.tickets.get(number)
    assert row is not None
    assert getattr(row if field == "resolution" else row.view, field) == "other"
    assert row.updated == NOW + MINUTE


def test_no_other_field_can_be_set(database: Database) -> None:
    number = ticket(database)
    with pytest.raises(KeyError), database.transaction() as tx:
        tx.tickets.set_field(number, "requester", "mallory@example.net", NOW)


def test_closing_opening_and_touching(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        tx.tickets.set_closed(number, NOW + MINUTE)
        assert tx.tickets.views([number])[number].closed == NOW + MINUTE
        tx.tickets.set_closed(number, None)
        assert tx.tickets.views([number])[number].closed is None
        tx.tickets.touch(number, NOW + 2 * MINUTE)
        row = tx.tickets.get(number)
    assert row is not None
    assert row.updated == NOW + 2 * MINUTE


def test_tickets_are_found_last_changed_first(database: Database) -> None:
    one, two, three = (ticket(database) for _ in range(3))
    with database.transaction() as tx:
        tx.tickets.set_field(one, "status", "open", NOW + MINUTE)
        tx.tickets.set_field(two, "assignee", "agent@example.com", NOW)
        tx.tickets.set_field(three, "queue", "sales", NOW)
    with database.reading() as tx:

        def found(**by: str) -> list[int]:
            return [row.view.number for row in tx.tickets.find(**by)]  # type: ignore[arg-type]

        assert found() == [one, three, two]
        assert found(status="open") == [one]
        assert found(assignee="agent@example.com") == [two]
        assert found(queue="sales") == [three]
        assert found(queue="sales", status="open") == []
        assert [row.view.number for row in tx.tickets.find(limit=1)] == [one]


def test_views_are_of_the_tickets_asked_for(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        assert list(tx.tickets.views({two, one, 4711}, lock=True)) == [one, two]
        assert tx.tickets.views([]) == {}


@pytest.mark.peer
def test_a_locked_ticket_waits_for_its_holder(postgres_database: Database) -> None:
    number = ticket(postgres_database)

    def change() -> str:
        with postgres_database.transaction() as tx:
            return tx.tickets.views([number], lock=True)[number].status

    with ThreadPoolExecutor(1) as pool:
        with postgres_database.transaction() as tx:
            tx.tickets.views([number], lock=True)
            other = pool.submit(change)
            while not tx.conn.execute(
                text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            ).scalar():
                tx.conn.execute(text("SELECT pg_stat_clear_snapshot()"))
            tx.tickets.set_field(number, "status", "open", NOW)
        assert other.result() == "open"


# --- participants, tags, links -----------------------------------------------------------


def test_participants_join_once_and_stay_off_once_removed(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        assert tx.tickets.add_participant(number, BERT, "anna@example.org", NOW)
        assert not tx.tickets.add_participant(number, BERT, "anna@example.org", NOW)
        assert not tx.tickets.add_participant(number, ANNA, "", NOW), "is the requester"
        assert tx.tickets.views([number])[number].cc == ("bert@example.org",)
        assert tx.tickets.remove_participant(number, "bert@example.org")
        assert not tx.tickets.remove_participant(number, "bert@example.org")
        assert not tx.tickets.remove_participant(number, "anna@example.org"), "is the requester"
        assert not tx.tickets.remove_participant(number, "nobody@example.org")
        assert not tx.tickets.add_participant(number, BERT, "anna@example.org", NOW)
        view = tx.tickets.views([number])[number]
    assert (view.requester, view.cc) == ("anna@example.org", ())
    assert view.removed == ("bert@example.org",)


def test_muted_participants_are_told_apart(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        tx.tickets.add_participant(number, BERT, "", NOW)
        tx.conn.execute(text("UPDATE participants SET muted = true WHERE role = 'cc'"))
        view = tx.tickets.views([number])[number]
    assert (view.cc, view.muted) == (("bert@example.org",), ("bert@example.org",))


def test_tags_are_a_sorted_set(database: Database) -> None:
    number, other = ticket(database), ticket(database)
    with database.transaction() as tx:
        for tag in ("vip", "billing", "vip"):
            tx.tickets.add_tag(number, tag)
        views = tx.tickets.views([number, other])
    assert (views[number].tags, views[other].tags) == (("billing", "vip"), ())


def test_links_are_seen_from_both_sides(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        tx.tickets.link(one, two, "followup-of-closed")
        tx.tickets.link(two, one, "said again")
        seen = [tx.tickets.get(number) for number in (one, two)]
    links = [row.links for row in seen if row]
    assert links == [((two, "followup-of-closed"),), ((one, "followup-of-closed"),)]


# --- messages ----------------------------------------------------------------------------


def test_messages_keep_their_order_and_attachments(database: Database) -> None:
    number = ticket(database)
    (inbox,) = accept(database, "a")
    files = tuple(
        Attachment(
            part=n,
            filename=f"ünï {n}.pdf",
            content_type="application/pdf",
            size=n,
            digest=f"{n:064}",
            inline=n == 2,
            content_id="cid" if n == 2 else "",
        )
        for n in (2, 1)
    )
    with database.transaction() as tx:
        kind = MessageKind.CUSTOMER
        first = tx.tickets.add_message(
            number, mail("<1@x>", *files), kind, ANNA, now=NOW, inbox=inbox
        )
        second = tx.tickets.add_message(number, mail("<2@x>"), MessageKind.NOTE, None, now=NOW)
    with database.reading() as tx:
        one, two = tx.tickets.messages(number)
        assert tx.tickets.messages(number + 1) == []
    assert (one.id, two.id) == (first, second)
    assert (one.kind, one.author, one.author_name) == (kind, "anna@example.org", "Anna")
    assert (one.inbox, one.message_id, one.subject, one.at) == (inbox, "<1@x>", "Re: fire", NOW)
    assert (one.text, one.visible, one.attachments) == ("new\n> old", "new", files)
    assert (two.kind, two.author, two.inbox, two.attachments) == (MessageKind.NOTE, "", None, ())


def test_a_thread_names_what_customers_saw_and_no_id_of_an_agents_own_client(
    database: Database,
) -> None:
    number = ticket(database)
    kinds = [MessageKind.CUSTOMER, MessageKind.AGENT, MessageKind.NOTE, MessageKind.CUSTOMER]
    with database.transaction() as tx:
        for n, kind in enumerate(kinds):
            at = NOW + timedelta(minutes=n)
            tx.tickets.add_message(number, mail(f"<{n}@x>"), kind, ANNA, now=at)
        sent = Outgoing(
            notice=Notice.ANSWER,
            ticket=number,
            message_id="<answer@us>",
            mail_from="us@x",
            raw=b"",
            heads={"anna@example.org": b"", "bert@example.org": b""},
            automatic=False,
            copies={"bert@example.org": OutgoingCopy(message_id="<bert@us>", mail_from="")},
        )
        people = ("anna@example.org", "bert@example.org")
        to = [Recipient(address=address, role="cc", why="") for address in people]
        tx.outbox.add(sent, to, NOW + timedelta(minutes=1))
        anna, bert = people
        assert tx.tickets.thread_ids(number, anna) == ["<0@x>", "<answer@us>", "<3@x>"]
        assert tx.tickets.thread_ids(number, anna, limit=2) == ["<answer@us>", "<3@x>"]
        assert tx.tickets.thread_ids(number, bert) == ["<0@x>", "<bert@us>", "<3@x>"]
        assert tx.tickets.thread_ids(number, "carl@example.org") == ["<0@x>", "<3@x>"]


def test_a_copy_stands_after_the_mail_that_it_carries_on(database: Database) -> None:
    number = ticket(database)
    bert = "bert@example.org"
    with database.transaction() as tx:
        for n in range(2):
            at = NOW + timedelta(minutes=n)
            tx.tickets.add_message(number, mail(f"<{n}@x>"), MessageKind.CUSTOMER, ANNA, now=at)
            for notice in (Notice.COPY, Notice.STATUS):
                sent = Outgoing(
                    notice=notice,
                    ticket=number,
                    message_id=f"<{notice}{n}@us>",
                    mail_from="us@x",
                    raw=b"",
                    heads={bert: b""},
                    automatic=notice is Notice.STATUS,
                )
                tx.outbox.add(sent, [Recipient(address=bert, role="cc", why="")], at)
        talk = ["<0@x>", "<copy0@us>", "<1@x>", "<copy1@us>"]
        assert tx.tickets.thread_ids(number, bert) == talk


# --- the audit trail ---------------------------------------------------------------------


def test_events_come_back_in_order(database: Database) -> None:
    number, outbox = queue(database, "anna@example.org")
    (inbox,) = accept(database, "a")
    first = Event(at=NOW, actor="rule", kind="tag", data={"tag": "vip", "ß": [1]}, ticket=number)
    second = Event(
        at=NOW - MINUTE, actor="", kind="bounce", data={}, ticket=number, inbox=inbox, outbox=outbox
    )
    with database.transaction() as tx:
        tx.tickets.record_many([first, second])
        tx.tickets.record_many([])
        tx.tickets.record(Event(at=NOW, actor="", kind="elsewhere", data={}))
    with database.reading() as tx:
        assert tx.tickets.events(number) == [first, second]


@pytest.mark.parametrize("statement", ["UPDATE events SET kind = 'x'", "DELETE FROM events"])
def test_nobody_rewrites_the_audit_trail(database: Database, statement: str) -> None:
    number = ticket(database)
    event = Event(at=NOW, actor="rule", kind="tag", data={}, ticket=number)
    with database.transaction() as tx:
        tx.tickets.record(event)
    with database.engine.connect() as conn, pytest.raises(exc.DBAPIError, match="append-only"):
        conn.exec_driver_sql(statement)
    with database.reading() as tx:
        assert tx.tickets.events(number) == [event]


def test_a_ticket_is_made_by_one_transaction_or_not_at_all(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as tx:
            tx.tickets.open(opening(), NOW)
            raise OSError("power cut")

    with pytest.raises(OSError, match="power cut"):
        fail()
    with database.reading() as tx:
        assert tx.tickets.find() == []
        assert tx.stats.people_known() == 0


# --- people ------------------------------------------------------------------------------


def test_a_person_is_known_once_and_learnt_about(database: Database) -> None:
    with database.transaction() as tx:
        assert (tx.people.name_of("x@example.org"), tx.people.language_of("x@example.org")) == (
            "",
            "",
        )
        first = tx.people.ensure(Address(addr="x@example.org"), NOW)
        later = NOW + timedelta(days=1)
        named = Address(addr="x@example.org", name="Xaver")
        assert tx.people.ensure(named, later, language="de") == first
        assert tx.people.ensure(Address(addr="x@example.org", name="Other"), later) == first
        assert tx.people.ensure(Address(addr="y@example.org"), NOW) != first
        assert tx.people.name_of("x@example.org") == "Xaver", "the first name stays"
        assert tx.people.language_of("x@example.org") == "de"
        tx.people.ensure(named, later, language="fr")
        assert tx.people.language_of("x@example.org") == "fr", "the last language counts"
