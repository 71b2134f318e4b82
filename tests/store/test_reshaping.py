"""What commands change beside a ticket's fields, who is away, and what can be taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailgate.core.mail import Address
from store.database import Database, Tx
from store.reshaping import AWAY_DAYS
from store.ticket_rows import Event
from store.tickets import Tickets
from tests.store.samples import MINUTE, NOW, ticket

BERT = Address(addr="bert@example.org", name="Bert")


def view(tx: Tx, number: int) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    seen = tx.tickets.views([number])[number]
    return seen.requester, seen.cc, seen.removed


def test_tags_and_links_come_off_again(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        tx.tickets.add_tag(one, "ink")
        tx.tickets.link(one, two, "linked-by-agent")
        assert tx.reshaping.linked(two, one)
        assert [tx.reshaping.remove_tag(one, "ink") for _ in range(2)] == [True, False]
        tx.reshaping.unlink(one, two)
        assert not tx.reshaping.linked(one, two)
        assert not tx.reshaping.linked(two, one)


def test_whoever_was_taken_off_can_be_put_on_again(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        assert not tx.reshaping.return_participant(number, BERT.addr, NOW)
        tx.tickets.add_participant(number, BERT, "ana", NOW)
        assert not tx.reshaping.return_participant(number, BERT.addr, NOW)
        tx.tickets.remove_participant(number, BERT.addr)
        assert tx.reshaping.return_participant(number, BERT.addr, NOW)
        assert view(tx, number) == ("anna@example.org", (BERT.addr,), ())


def test_a_ticket_is_given_to_somebody_else_and_back(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        old = tx.reshaping.set_requester(number, BERT, "ana", NOW)
        assert old == "anna@example.org"
        assert view(tx, number) == (BERT.addr, (), ("anna@example.org",))
        tx.reshaping.set_requester(number, Address(addr=old), "ana", NOW)
        assert view(tx, number) == ("anna@example.org", (), (BERT.addr,))


def test_a_ticket_of_nobody_gets_a_requester(database: Database) -> None:
    number = ticket(database, None)
    with database.transaction() as tx:
        assert tx.reshaping.set_requester(number, BERT, "ana", NOW) == ""
        assert view(tx, number) == (BERT.addr, (), ())


def test_fields_and_time(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        changes = [("serial", "A"), ("serial", "B"), ("site", "x"), ("site", "")]
        assert [tx.reshaping.set_custom(number, *c) for c in changes] == ["", "A", "", "x"]
        assert [tx.reshaping.add_time(number, m) for m in (20, -30, 5)] == [20, -20, 5]
        row = tx.tickets.get(number)
    assert row is not None
    assert (row.view.fields, row.view.time_spent) == ({"serial": "B"}, 5)


def test_clocks_are_read(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        assert tx.reshaping.clock(number, "due") is None
        tx.clocks.start(number, "due", NOW + MINUTE, NOW)
        assert tx.reshaping.clock(number, "due") == NOW + MINUTE
        tx.clocks.stop(number, "due")
        assert tx.reshaping.clock(number, "due") is None


def acted(tickets: Tickets, number: int, agent: str) -> None:
    data = {"agent": agent, "lines": ["#take"], "inverse": [["untag", {"tag": "x"}]]}
    tickets.record(Event(at=NOW, actor=agent, kind="acted", data=data, ticket=number))


def test_what_was_done_and_not_undone_newest_first(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    with database.transaction() as tx:
        for agent in ("ana", "ben", "cara"):
            acted(tx.tickets, one, agent)
        acts = tx.reshaping.acts([one, two])
        assert [act.agent for act in acts[one]] == ["cara", "ben", "ana"]
        assert two not in acts
        gone = acts[one][1]
        assert (gone.lines, gone.at) == (("#take",), NOW)
        assert tx.reshaping.act(gone.event) == [["untag", {"tag": "x"}]]
        data = {"event": gone.event}
        tx.tickets.record(Event(at=NOW, actor="ben", kind="undone", data=data, ticket=one))
        assert [act.agent for act in tx.reshaping.acts([one])[one]] == ["cara", "ana"]
        assert tx.reshaping.acts([]) == {}
        with pytest.raises(LookupError):
            tx.reshaping.act(gone.event + 100)


def test_agents_go_away_and_come_back(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.reshaping.leave("Ana@example.org", NOW)
        assert not tx.reshaping.leave("ana@example.org", NOW + timedelta(days=20))
        assert tx.reshaping.away(NOW + timedelta(days=20)) == {"ana@example.org": NOW}
        later = NOW + timedelta(days=21 + AWAY_DAYS)
        assert tx.reshaping.away(later) == {}
        assert tx.reshaping.leave("ana@example.org", later)
        assert tx.reshaping.away(later) == {"ana@example.org": later}
        assert [tx.reshaping.come_back("Ana@example.org") for _ in range(2)] == [True, False]
        assert tx.reshaping.away(later) == {}
