"""A day in which nobody is a person: two desks, three robots, a vacation and a full mailbox (L1).

The robots carry no marker of a machine. They answer every mail, and whoever gets none for a while
writes again; one of them puts all the others on CC. What may leave is bounded by the caps, what
comes in by the flood ticket, and each trouble is told once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailgate.assembly import make_desk
from mailgate.config import load
from mailgate.core.decision import Notice
from mailgate.parsing import Parsers
from store.database import Database
from store.outbox import Queued
from tests.flows.day_rig import (
    Forgetful,
    FullMailbox,
    Letter,
    Machine,
    Renamer,
    Threader,
    Vacation,
    World,
    letter,
    most_within,
)
from tests.flows.rig import START, House

pytestmark = pytest.mark.timeout(400)  # a minute where nobody else is at work
ROUNDS = 10_000
DESKS = ("alpha.example", "beta.example")
CONFIG = """\
[helpdesk]
domain = "{domain}"
name = "{domain}"
data_dir = "data"
rules = "rules.yaml"
ops = ["ops@{domain}.test"]

[[mailbox]]
address = "support@{domain}"

[[agent]]
address = "ana@{domain}.test"

[limits]
flood_mails = 8
flood_minutes = 60
"""
THREADER = Threader(address="threader@robots.test")
FORGETFUL = Forgetful(address="forgetful@robots.test")
RENAMER = Renamer(address="renamer@robots.test")
AWAY = Vacation(address="away@people.test")
FULL = FullMailbox(address="full@people.test")
MACHINES: list[Machine] = [THREADER, FORGETFUL, RENAMER, AWAY, FULL]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=2, seconds=60)
    yield pool
    pool.close()


def conference(domain: str) -> Letter:
    """The mail that brings all of them together."""
    others = ", ".join(m.address for m in (FORGETFUL, RENAMER, AWAY, FULL))
    other_desk = next(f"support@{d}" for d in DESKS if d != domain)
    headers = {
        "From": THREADER.address,
        "To": f"support@{domain}",
        "Cc": f"{others}, {other_desk}",
        "Subject": "Conference",
        "Message-ID": f"<conference.{domain}@robots.test>",
    }
    return letter(headers, "Let us talk.", to=f"support@{domain}", mail_from=THREADER.address)


def desk(domain: str, template: Path, parsers: Parsers, folder: Path) -> House:
    """A house of its own domain, loop header and database."""
    data = folder / domain / "data"
    data.mkdir(parents=True)
    shutil.copy(template, data / "mailgate.db")
    house = House(Database("sqlite", data, synced=False), parsers, folder / domain)
    config = folder / domain / "config.toml"
    config.write_text(CONFIG.format(domain=domain), encoding="utf-8")
    house.desk = house.worker.desk = make_desk(load(config), domain)
    return house


@pytest.fixture(scope="module")
def world(
    sqlite_template: Path, parsers: Parsers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The day after it has passed; all tests look at the same one."""
    folder = tmp_path_factory.mktemp("day")
    desks = {domain: desk(domain, sqlite_template, parsers, folder) for domain in DESKS}
    world = World(desks=desks, machines=MACHINES, now=START)
    world.flight = [conference(domain) for domain in DESKS]
    try:
        world.run(len(DESKS))
        for house in desks.values():
            # Somebody deals with it: until then words reach a long CC list in no case.
            with house.database.transaction() as tx:
                tx.tickets.set_field(1001, "status", "open", world.now)
        world.run(ROUNDS)
        yield world
    finally:
        for house in desks.values():
            house.close()
            house.database.close()


def automatic(left: list[tuple[datetime, Queued]]) -> dict[str, list[datetime]]:
    """When automatic mail left for each address that is no agent's."""
    found: dict[str, list[datetime]] = {}
    for at, copy in left:
        if copy.automatic and copy.role != "agent":
            found.setdefault(copy.address, []).append(at)
    return found


def words(copy: Queued) -> str:
    """The text of an alert, which is plain ASCII and not encoded."""
    return " ".join(copy.data.decode().split())


def test_it_was_a_day_of_ten_thousand_rounds(world: World) -> None:
    assert world.rounds >= ROUNDS
    assert timedelta(hours=20) <= world.now - START <= timedelta(hours=30)
    # The robots never fell silent, so it was the desks that held out.
    for machine in (THREADER, FORGETFUL, RENAMER):
        assert machine.sent > 400, machine.address


@pytest.mark.parametrize("domain", DESKS)
def test_automatic_mail_stays_under_the_caps_L1(world: World, domain: str) -> None:
    sent = automatic(world.left[domain])
    caps = world.desks[domain].desk.caps
    assert sent, "nobody was confirmed to, so no cap was tried"
    for address, times in sent.items():
        assert most_within(times, HOUR) <= caps.per_address_hour == 3, address
        assert most_within(times, DAY) <= caps.per_address_day == 10, address
    assert most_within(sent[RENAMER.address], HOUR) == 3
    every = sorted(at for times in sent.values() for at in times)
    assert most_within(every, HOUR) <= caps.total_hour


@pytest.mark.parametrize("domain", DESKS)
def test_machines_on_one_cc_list_are_no_engine_L1(world: World, domain: str) -> None:
    copies: dict[tuple[str, int | None], list[datetime]] = {}
    for at, copy in world.left[domain]:
        if copy.notice == Notice.COPY:
            copies.setdefault((copy.address, copy.ticket), []).append(at)
    caps = world.desks[domain].desk.caps
    assert max(most_within(times, HOUR) for times in copies.values()) == caps.copies_hour == 60
    assert max(most_within(times, DAY) for times in copies.values()) == caps.copies_day == 200


@pytest.mark.parametrize("domain", DESKS)
def test_each_trouble_is_told_once(world: World, domain: str) -> None:
    alerts = [copy for _, copy in world.left[domain] if copy.notice == Notice.ALERT]
    told = [words(copy) for copy in alerts if copy.address == f"ops@{domain}.test"]
    other = next(f"support@{d}" for d in DESKS if d != domain)
    for address in (THREADER.address, FORGETFUL.address, RENAMER.address, other):
        about = [text for text in told if f"Mail to {address} is held back" in text]
        days = (world.now - START) / DAY
        assert 1 <= len(about) <= 1 + days, address
    assert len(told) <= 2 * len(MACHINES) + 2


@pytest.mark.parametrize("domain", DESKS)
def test_agents_hear_of_it_and_are_not_drowned(world: World, domain: str) -> None:
    to_ana = [(at, copy) for at, copy in world.left[domain] if copy.address == f"ana@{domain}.test"]
    caps = world.desks[domain].desk.caps
    notices = [at for at, copy in to_ana if copy.notice != Notice.ALERT]
    assert most_within(notices, HOUR) <= caps.agent_hour
    alerts = [at for at, copy in to_ana if copy.notice == Notice.ALERT]
    assert alerts, "she was never told that more mail waits"
    assert most_within(alerts, HOUR - timedelta(seconds=1)) <= 1


@pytest.mark.parametrize("domain", DESKS)
def test_tickets_are_bounded_L9(world: World, domain: str) -> None:
    house = world.desks[domain]
    with house.database.reading() as tx:
        found = tx.tickets.find(limit=10_000)
        floods = [row.view for row in found if "flood" in row.view.tags]
        gathered = [len(tx.tickets.messages(flood.number)) for flood in floods]
    # One to begin with, two of each robot that found no thread yet, and the renamer's.
    assert len(found) <= 5 + house.desk.policy.flood_mails + 1
    assert [flood.requester for flood in floods] == [RENAMER.address]
    assert gathered[0] > 300


@pytest.mark.parametrize("domain", DESKS)
def test_a_full_mailbox_is_left_alone_after_a_few_bounces(world: World, domain: str) -> None:
    times = [at for at, copy in world.left[domain] if copy.address == FULL.address]
    assert 1 <= len(times) <= 20
    assert max(times) <= START + HOUR
    with world.desks[domain].database.reading() as tx:
        assert FULL.address in tx.undeliverable.paused([FULL.address])


@pytest.mark.parametrize("domain", DESKS)
def test_a_vacation_sets_nothing_off_L2(world: World, domain: str) -> None:
    with world.desks[domain].database.reading() as tx:
        mails = tx.inbox.find(limit=100_000)
        away = [row for row in mails if row.message_id.endswith(".away@people.test>")]
        set_off = [tx.outbox.list(inbox=row.id) for row in away]
    assert len(away) > 50
    assert not any(set_off)


@pytest.mark.parametrize("domain", DESKS)
def test_every_mail_ended_in_its_outcome(world: World, domain: str) -> None:
    with world.desks[domain].database.reading() as tx:
        assert tx.stats.imbalances() == []
        depths = tx.stats.depths()
    assert (depths.inbox, depths.quarantined, depths.outbox_failed) == (0, 0, 0)
