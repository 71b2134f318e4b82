"""Mail whose only weapon is its number: reflected spam, CC lists, bombs (L1, L6, L7, L9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailgate.core.decision import Notice, Outcome
from mailgate.parsing import Parsers
from store.database import Database
from store.outbox import OutboxRow
from tests.flows.rig import House

SECOND = timedelta(seconds=1)
LURE = "https://prize.example.net/win"
FLOOD = "[limits]\nflood_mails = 5\nflood_domain_mails = 12\n"


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=2, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "house"
    path.mkdir()
    return path


def mail(sender: str, number: int, **more: str) -> bytes:
    headers = {
        "From": f"Somebody <{sender}>",
        "To": "support@example.org",
        "Subject": f"You won {LURE} {number}",
        "Message-ID": f"<{number}@bulk.example.net>",
        **more,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}\r\nClaim it at {LURE} now, it is number {number}.\r\n".encode()


def mails(house: House) -> list[OutboxRow]:
    with house.database.reading() as tx:
        return tx.outbox.list(limit=100_000)


def text_of(house: House, row: OutboxRow) -> str:
    """What went to the first recipient, in one line."""
    with house.database.reading() as tx:
        return " ".join(tx.outbox.wire_bytes(row.recipients[0].id).decode().split())


def to_people(house: House) -> list[str]:
    """Addresses of automatic mail, agents apart, one for each copy."""
    return [
        person.address
        for row in mails(house)
        if row.automatic
        for person in row.recipients
        if person.role != "agent"
    ]


def take(house: House, *raw: bytes) -> list[Outcome | None]:
    """A second between two mails; how they ended."""
    ids = []
    for one in raw:
        house.now += SECOND
        ids.append(house.deliver(one))
        if len(ids) % 20 == 0:
            house.settle()
    house.settle()
    with house.database.reading() as tx:
        rows = [tx.inbox.get(i) for i in ids]
    return [row.outcome for row in rows if row]


def test_reflected_spam_reaches_few_and_carries_nothing_L6(
    sqlite_database: Database, parsers: Parsers, folder: Path
) -> None:
    """Each forged mail names another victim; a thousand of them in a quarter of an hour."""
    config = "[gate]\nstorm_mails = 60\n"
    house = House(sqlite_database, parsers, folder, config=config)
    try:
        outcomes = take(house, *(mail(f"victim{n}@d{n % 9}.test", n) for n in range(1000)))
        assert outcomes == [Outcome.TICKET] * 1000
        reached = to_people(house)
        assert len(reached) == len(set(reached)) == 60, "one each, and the breaker ends it"
        for address in reached:
            [sent] = house.sent(address)
            assert b"prize" not in sent.raw
            assert b"won" not in sent.raw
        alerts = [row for row in mails(house) if row.notice == Notice.ALERT]
        storms = [row for row in alerts if "A storm" in text_of(house, row)]
        assert len(storms) == 1
        house.now += timedelta(hours=1)
        take(house, mail("late@customer.test", 2000))
        assert to_people(house)[60:] == ["late@customer.test"]
    finally:
        house.close()


@pytest.mark.parametrize("number", [3, 4, 200])
def test_a_cc_list_multiplies_nothing_L7(
    database: Database, parsers: Parsers, folder: Path, number: int
) -> None:
    victims = [f"victim{n}@d{n}.test" for n in range(number)]
    own = ["support@example.org", "help@example.org", "sales@example.org"]
    house = House(database, parsers, folder)
    try:
        take(house, mail("forger@bulk.test", 1, Cc=", ".join([*own, *victims])))
        with database.reading() as tx:
            [found] = tx.tickets.find()
        assert len(found.view.cc) == min(number, 10)
        assert set(found.view.cc) <= set(victims)
        confirmed = to_people(house)
        assert confirmed == ["forger@bulk.test", *(victims if number <= 3 else [])]
    finally:
        house.close()


def test_a_bomb_of_one_sender_is_one_ticket_L9(
    database: Database, parsers: Parsers, folder: Path
) -> None:
    house = House(database, parsers, folder, config=FLOOD)
    try:
        outcomes = take(house, *(mail("bomber@mass.test", n) for n in range(60)))
        assert outcomes == [Outcome.TICKET] * 6 + [Outcome.REPLY] * 54
        with database.reading() as tx:
            found = {row.view.number: row.view for row in tx.tickets.find()}
            [flood] = [view for view in found.values() if "flood" in view.tags]
            assert len(tx.tickets.messages(flood.number)) == 55
        assert (len(found), flood.subject) == (6, "Mail flood from bomber@mass.test")
        told = [row.notice for row in mails(house) if row.ticket == flood.number]
        assert set(told) == {Notice.AGENT_NEW}, "agents hear of it once, and nobody else"
        assert to_people(house) == ["bomber@mass.test"] * 3
        # A neighbour is served as ever, and so is the bomber when the flood is over.
        house.now += timedelta(minutes=11)
        others = take(house, mail("calm@mass.test", 500), mail("bomber@mass.test", 501))
        assert others == [Outcome.TICKET] * 2
    finally:
        house.close()


def test_a_bomb_of_one_domain_is_for_agents_alone_L9(
    database: Database, parsers: Parsers, folder: Path
) -> None:
    house = House(database, parsers, folder, config=FLOOD)
    try:
        outcomes = take(house, *(mail(f"p{n}@mass.test", n) for n in range(40)))
        assert outcomes == [Outcome.TICKET] * 13 + [Outcome.REPLY] * 27
        take(house, mail("other@calm.test", 900))
        with database.reading() as tx:
            views = [row.view for row in tx.tickets.find()]
            [flood] = [view for view in views if "flood" in view.tags]
            assert len(tx.tickets.messages(flood.number)) == 28
        assert flood.participants == ()
        assert flood.subject == "Mail flood from the domain mass.test"
        roles = {p.role for r in mails(house) if r.ticket == flood.number for p in r.recipients}
        assert roles == {"agent"}
        assert "other@calm.test" in to_people(house)
    finally:
        house.close()


def test_a_robot_hears_three_times_and_ops_once_L1(
    database: Database, parsers: Parsers, folder: Path
) -> None:
    house = House(database, parsers, folder)
    try:
        take(house, *(mail("robot@machine.test", n) for n in range(30)))
        assert to_people(house) == ["robot@machine.test"] * 3
        alerts = [row for row in mails(house) if row.notice == Notice.ALERT]
        assert [(row.ticket, [p.address for p in row.recipients]) for row in alerts] == [
            (None, ["ana@example.org"])
        ]
        text = text_of(house, alerts[0])
        assert "Mail to robot@machine.test is held back" in text
        assert "prize" not in text
    finally:
        house.close()
