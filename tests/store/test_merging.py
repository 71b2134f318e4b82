"""Tickets that live on in another one: everything that leads to the old leads to the new."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from mailgate.core.decision import Keys, Notice, Outgoing, OutgoingCopy, Recipient
from mailgate.core.mail import Address
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.merging import CannotMerge, survivors
from store.schema import mail_ids, participants, tickets
from store.ticket_rows import Event, TicketRow
from tests.store.samples import ANNA, MINUTE, NOW, accept, mail, ticket

BERT = Address(addr="bert@example.org", name="Bert")
CARL = Address(addr="carl@example.org", name="Carl")
LATER = NOW + timedelta(days=1)


def merge(database: Database, number: int, into: int) -> int:
    with database.transaction() as tx:
        return tx.tickets.merge(number, into, LATER)


def row(database: Database, number: int) -> TicketRow:
    with database.reading() as tx:
        found = tx.tickets.get(number)
    assert found is not None
    return found


def ids_of(database: Database, number: int) -> dict[str, bool]:
    """Message-ID -> whether it is known from a reference alone."""
    with database.reading() as tx:
        rows = tx.conn.execute(mail_ids.select().where(mail_ids.c.ticket == number))
        return {r.message_id: r.referenced_only for r in rows}


def test_the_survivor_has_all_messages_mails_and_ids_T9(database: Database) -> None:
    old, new = ticket(database), ticket(database)
    (inbox,) = accept(database, "a")
    with database.transaction() as tx:
        for n, number in enumerate((old, new, old)):
            message = tx.tickets.add_message(
                number, mail(f"<{n}@x>"), MessageKind.CUSTOMER, ANNA, now=NOW + n * MINUTE
            )
        tx.tickets.remember_ids(old, "<0@x>", ["<root@x>", "<overtaken@x>"])
        tx.tickets.remember_ids(old, "<both@x>", [])
        tx.tickets.remember_ids(new, "<1@x>", ["<root@x>", "<both@x>"])
        tx.tickets.remember_ids(new, "<overtaken@x>", [])
        tx.outbox.add(
            Outgoing(
                notice=Notice.ANSWER,
                ticket=old,
                message_id="<answer@us>",
                mail_from="",
                raw=b"",
                heads={ANNA.addr: b""},
                automatic=False,
                copies={ANNA.addr: OutgoingCopy(message_id="<answer@us>", mail_from="", number=7)},
            ),
            [Recipient(address=ANNA.addr, role="requester", why="")],
            NOW,
        )
        held = tx.held.add(
            ticket=old,
            message=message,
            inbox=inbox,
            author="",
            owner="",
            why="",
            created=NOW,
            expires=LATER,
        )
    assert merge(database, old, new) == new
    with database.reading() as tx:
        assert [m.message_id for m in tx.tickets.messages(new)] == ["<0@x>", "<1@x>", "<2@x>"]
        assert tx.tickets.messages(old) == []
        copy = tx.outbox.by_number(7)
        assert copy is not None
        assert copy.ticket == new
        assert tx.outbox.ids_for(new, ANNA.addr) == ["<answer@us>"]
        found = tx.held.get(held)
        assert found is not None
        assert found.ticket == new
    assert ids_of(database, old) == {}
    assert ids_of(database, new) == {
        "<0@x>": False,
        "<1@x>": False,
        "<root@x>": True,
        "<both@x>": False,
        "<overtaken@x>": False,
    }


def test_people_of_the_merged_ticket_are_not_united_silently_T9(database: Database) -> None:
    old, new = ticket(database, BERT), ticket(database)
    with database.transaction() as tx:
        tx.tickets.add_participant(old, CARL, "", NOW)
        tx.tickets.add_participant(old, ANNA, "", NOW)
        tx.conn.execute(update(participants).where(participants.c.ticket == old).values(muted=True))
    merge(database, old, new)
    view = row(database, new).view
    assert (view.requester, view.cc) == (ANNA.addr, ())
    assert set(view.removed) == {BERT.addr, CARL.addr}
    assert set(view.muted) == {BERT.addr, CARL.addr}
    assert row(database, old).view.requester == BERT.addr


def test_somebody_on_both_tickets_stays_what_they_were(database: Database) -> None:
    old, new = ticket(database, BERT), ticket(database)
    with database.transaction() as tx:
        tx.tickets.add_participant(new, BERT, "", NOW)
        tx.tickets.add_participant(old, ANNA, "", NOW)
    merge(database, old, new)
    view = row(database, new).view
    assert (view.requester, view.cc, view.removed) == (ANNA.addr, (BERT.addr,), ())


def test_tags_and_links_go_along_and_clocks_stop(database: Database) -> None:
    old, new, other = ticket(database), ticket(database), ticket(database)
    with database.transaction() as tx:
        for number, tag in ((old, "vip"), (old, "both"), (new, "both")):
            tx.tickets.add_tag(number, tag)
        tx.tickets.link(old, other, "followup-of-closed")
        tx.clocks.start(old, "autoclose", LATER, NOW)
        tx.clocks.start(new, "autoclose", LATER, NOW)
        tx.tickets.record(Event(at=NOW, actor="a", kind="opened", data={}, ticket=old))
    merge(database, old, new)
    survivor, merged = row(database, new), row(database, old)
    assert survivor.view.tags == ("both", "vip")
    assert survivor.links == ((old, "merged"), (other, "followup-of-closed"))
    assert merged.links == ((new, "merged"), (other, "followup-of-closed"))
    assert (merged.view.status, merged.view.closed) == ("closed", LATER)
    assert (merged.merged_into, survivor.merged_into) == (new, None)
    assert (merged.updated, survivor.updated) == (LATER, LATER)
    with database.transaction() as tx:
        assert [due.ticket for due in tx.clocks.claim_due(LATER, 9, MINUTE)] == [new]
        assert [e.kind for e in tx.tickets.events(old)] == ["opened"]


def test_the_closed_status_can_have_another_name(database: Database) -> None:
    old, new = ticket(database), ticket(database)
    with database.transaction() as tx:
        tx.tickets.merge(old, new, LATER, closed="done")
    assert row(database, old).view.status == "done"


def test_a_chain_of_merges_leads_to_its_end_T9(database: Database) -> None:
    a, b, c, d = (ticket(database) for _ in range(4))
    merge(database, a, b)
    merge(database, b, c)
    # Into one that was merged is into the one it lives on in.
    assert merge(database, d, a) == c
    with database.transaction() as tx:
        assert tx.tickets.survivor_of([a, b, c, d, 4711]) == {a: c, b: c, d: c}
        facts = tx.facts.gather(Keys(numbers=(a,), tickets=(d,)))
        assert facts.merged == {a: c, d: c}
        assert list(facts.tickets) == [c]
        assert tx.tickets.survivor_of([]) == {}


def test_what_would_make_a_ring_or_merges_twice_is_refused(database: Database) -> None:
    a, b, c = (ticket(database) for _ in range(3))
    merge(database, a, b)
    for number, into, why in (
        (b, b, "is ticket 1002"),
        (b, a, "lives on in it"),
        (a, b, "lives on in 1002 already"),
        (a, c, "lives on in 1002 already"),
        (4711, c, "no ticket 4711"),
        (c, 4711, "no ticket 4711"),
    ):
        with pytest.raises(CannotMerge, match=why):
            merge(database, number, into)
    assert row(database, b).merged_into is row(database, c).merged_into is None


def test_a_ring_that_somebody_wrote_by_hand_has_an_end(database: Database) -> None:
    a, b, c = (ticket(database) for _ in range(3))
    with database.transaction() as tx:
        for number, into in ((a, b), (b, c), (c, b)):
            tx.conn.execute(
                update(tickets).where(tickets.c.number == number).values(merged_into=into)
            )
        assert survivors(tx.conn, [a, b, c]) == {a: b, b: b, c: b}
        facts = tx.facts.gather(Keys(numbers=(a, c)))
        assert (facts.merged, list(facts.tickets)) == ({a: b, c: b}, [b])


def test_two_who_merge_into_each_other_at_once_make_no_ring(database: Database) -> None:
    for _ in range(5):
        a, b = ticket(database), ticket(database)
        together = threading.Barrier(2, timeout=20)

        def try_it(
            pair: tuple[int, int], together: threading.Barrier = together
        ) -> int | CannotMerge:
            together.wait()
            try:
                return merge(database, *pair)
            except CannotMerge as refused:
                return refused

        with ThreadPoolExecutor(2) as nodes:
            ends = list(nodes.map(try_it, [(a, b), (b, a)]))
        assert sum(isinstance(end, CannotMerge) for end in ends) == 1
        assert {row(database, a).merged_into, row(database, b).merged_into} & {None}


# --- tokens called back ------------------------------------------------------------------


def test_tokens_are_called_back_per_ticket_and_address(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        assert tx.tickets.generations([one, two]) == {}
        tx.tickets.revoke_tokens(one, "Ana@Example.com")
        tx.tickets.revoke_tokens(one, "ana@example.com")
        tx.tickets.revoke_tokens(two, ANNA.addr)
        both = {(one, "ana@example.com"): 2, (two, ANNA.addr): 1}
        assert tx.tickets.generations([one, two]) == both
        assert tx.tickets.generations([one, two], ["ANA@example.com"]) == {
            (one, "ana@example.com"): 2
        }
        assert tx.tickets.generations([two], []) == {}
        assert tx.tickets.generations([]) == {}
        assert tx.facts.gather(Keys(tickets=(one, two))).generations == both


def test_tokens_of_merged_tickets_are_called_back_with_the_survivors(
    database: Database,
) -> None:
    a, b, c, apart = (ticket(database) for _ in range(4))
    merge(database, a, b)
    merge(database, b, c)
    with database.transaction() as tx:
        tx.tickets.revoke_tokens(c, ANNA.addr)
        expected = {(n, ANNA.addr): 1 for n in (a, b, c)}
        assert tx.tickets.generations([a, b, c, apart]) == expected
        # A token of the old ticket is looked up under the number that it names.
        assert tx.facts.gather(Keys(tickets=(a,))).generations == {
            (a, ANNA.addr): 1,
            (c, ANNA.addr): 1,
        }


def test_a_released_message_becomes_what_it_is(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        held = tx.tickets.add_message(number, mail("<1@x>"), MessageKind.HELD, ANNA, now=NOW)
        tx.tickets.add_message(number, mail("<2@x>"), MessageKind.HELD, ANNA, now=NOW)
        tx.tickets.set_message_kind(held, MessageKind.CUSTOMER)
        kinds = [m.kind for m in tx.tickets.messages(number)]
    assert kinds == [MessageKind.CUSTOMER, MessageKind.HELD]
