"""New matters of one sender and one domain, counted for a decision on a flood (L9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailgate.core.decision import Flood, Keys
from mailgate.core.mail import Address, ParsedMail
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.floods import TAG
from tests.store.samples import NOW, opening

BO = "bo@mass.test"
MAIL = ParsedMail(digest="0" * 64, size=1, message_id="<m@mass.test>")
MINUTE = timedelta(minutes=1)


def opened(
    database: Database, *ago: timedelta, by: str = BO, tag: str = "", domain: str = ""
) -> int:
    """Tickets opened so long ago, each with its mail; returns the last one's number."""
    number = 0
    effect = opening(Address(addr=by) if by else None)
    with database.transaction() as tx:
        for age in ago:
            number = tx.tickets.open(replace(effect, domain=domain), NOW - age)
            if tag:
                tx.tickets.add_tag(number, tag)
    return number


def gathered(database: Database, number: int, *ago: timedelta) -> None:
    with database.transaction() as tx:
        for age in ago:
            at = NOW - age
            tx.tickets.add_message(number, MAIL, MessageKind.CUSTOMER, None, now=at, inbox=None)
            tx.tickets.touch(number, at)


def found(database: Database, sender: str = BO) -> Flood:
    with database.reading() as tx:
        return tx.facts.gather(Keys(sender=sender), now=NOW, flood_minutes=10).flood


def test_tickets_of_the_last_minutes_are_counted(database: Database) -> None:
    opened(database, MINUTE, 9 * MINUTE, 10 * MINUTE, 11 * MINUTE)
    opened(database, MINUTE, by="al@mass.test")
    opened(database, MINUTE, by="al@other.test")
    assert found(database) == Flood(of_sender=3, of_domain=4)
    assert found(database, "new@mass.test") == Flood(of_domain=4)
    assert found(database, "new@sub.mass.test") == Flood()


def test_a_senders_flood_goes_on_where_it_is_gathered_L9(database: Database) -> None:
    number = opened(database, 30 * MINUTE, tag=TAG)
    gathered(database, number, 20 * MINUTE, 5 * MINUTE, MINUTE)
    opened(database, MINUTE)
    # What is gathered of one sender makes no flood of their neighbours.
    assert found(database) == Flood(of_sender=3, of_domain=1, ticket=number)
    assert found(database, "al@mass.test") == Flood(of_domain=1)


def test_a_domains_flood_goes_on_where_it_is_gathered_L9(database: Database) -> None:
    number = opened(database, 30 * MINUTE, by="", tag=TAG, domain="mass.test")
    gathered(database, number, 20 * MINUTE, 5 * MINUTE, MINUTE)
    opened(database, MINUTE)
    assert found(database) == Flood(of_sender=1, of_domain=3, domain_ticket=number)
    assert found(database, "al@other.test") == Flood()


def test_a_flood_that_is_over_is_forgotten(database: Database) -> None:
    number = opened(database, 30 * MINUTE, tag=TAG)
    gathered(database, number, 12 * MINUTE)
    assert found(database) == Flood()


def test_nothing_is_gathered_on_a_ticket_that_was_closed_L9(database: Database) -> None:
    number = opened(database, 30 * MINUTE, tag=TAG)
    gathered(database, number, MINUTE)
    with database.transaction() as tx:
        tx.tickets.set_closed(number, NOW)
    assert found(database) == Flood()


def test_only_a_flood_ticket_gathers(database: Database) -> None:
    opened(database, MINUTE, tag="billing")
    opened(database, MINUTE, by="", domain="mass.test")
    assert found(database) == Flood(of_sender=1, of_domain=2)


def test_the_decision_sees_the_ticket_it_gathers_on(database: Database) -> None:
    one = opened(database, MINUTE, tag=TAG)
    all_ = opened(database, MINUTE, by="", tag=TAG, domain="mass.test")
    with database.transaction() as tx:
        facts = tx.facts.gather(Keys(sender=BO), now=NOW)
    assert set(facts.tickets) == {one, all_}
    assert facts.tickets[all_].requester == ""
