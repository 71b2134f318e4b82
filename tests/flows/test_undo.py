"""Taking back a mail of which a part has left already, or that others have built upon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailgate.apply import SNOOZE
from mailgate.core.decision import Attempt, CopyState, Fate
from mailgate.core.mail import Address
from mailgate.parsing import Parsers
from mailgate.timers import DUE
from store.database import Database
from tests.flows.rig import House

ANA = "ana@example.org"
CONFIG = "[agents]\nundo_seconds = 600\n"
HEAD = "Date: Mon, 4 May 2026 09:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    parsers = Parsers(workers=1, seconds=30)
    house = House(database, parsers, tmp_path, config=CONFIG)
    write(house, "rita@customer.example", "support@example.org", "It does not print.")
    yield house
    house.close()
    parsers.close()


def write(house: House, sender: str, to: str, words: str, login: str = "") -> None:
    """A mail that is taken in and settled."""
    house.now += timedelta(minutes=1)
    subject = f"Message-ID: <{house.now:%H%M%S}@x.example>\nSubject: Printer\n"
    mail = f"From: {sender}\nTo: {to}\n{subject}{HEAD}\n{words}\n"
    house.deliver(mail.replace("\n", "\r\n").encode(), login=login)
    house.settle()


def command(house: House, words: str, login: str = "") -> None:
    """A mail of Ana's to her reply address."""
    write(house, "ana@example.org", house.last("ana@example.org").reply_to, words, login)


def states(house: House, notice: str) -> list[CopyState]:
    with house.database.reading() as tx:
        rows = [row for row in tx.outbox.list(ticket=1001) if row.notice == notice]
    return [person.state for row in rows for person in row.recipients]


def transcript(house: House) -> str:
    mail = house.last("ana@example.org")
    assert mail.notice == "transcript"
    body = mail.mail.get_body(("plain",))
    return body.get_content() if body else ""


def test_what_an_agents_mail_says_to_others_waits(house: House) -> None:
    command(house, "#close\n\nHello Rita")
    with house.database.reading() as tx:
        due = {
            (row.notice, person.due)
            for row in tx.outbox.list(ticket=1001)
            for person in row.recipients
            if row.created == house.now
        }
    later = house.now + timedelta(seconds=600)
    assert due == {("answer", later), ("closure", later), ("transcript", house.now)}


def test_undone_in_time_nothing_leaves_and_all_is_as_it_was(house: House) -> None:
    command(house, "#close done\n#tag x\n\nHello Rita")
    command(house, "#undo")
    assert states(house, "answer") == states(house, "closure") == [CopyState.CANCELLED]
    with house.database.reading() as tx:
        row = tx.tickets.get(1001)
        kinds = [message.kind.value for message in tx.tickets.messages(1001)]
    assert row is not None
    seen = row.view
    assert (seen.status, seen.tags, seen.assignee, row.resolution) == ("new", (), "", "")
    assert (seen.closed, kinds) == (None, ["customer", "note"])


def test_an_answer_that_has_left_stays_an_answer(house: House) -> None:
    command(house, "#tag x\n\nHello Rita")
    with house.database.transaction() as tx:
        [row] = [row for row in tx.outbox.list(ticket=1001) if row.notice == "answer"]
        attempt = Attempt(code=250, text="taken", at=house.now)
        tx.outbox.record(row.recipients[0].id, attempt, Fate(state=CopyState.SENT))
    command(house, "#undo")
    assert "too late for the answer to rita@customer.example" in transcript(house)
    assert states(house, "answer") == [CopyState.SENT]
    with house.database.reading() as tx:
        assert tx.tickets.views([1001])[1001].tags == ()
        assert [m.kind.value for m in tx.tickets.messages(1001)] == ["customer", "agent"]


def test_what_somebody_has_changed_since_stays(house: House) -> None:
    command(house, "#priority high\n#category billing")
    house.change(1001, {"priority": "urgent"})
    command(house, "#undo")
    assert "priority is urgent by now and stays so" in transcript(house)
    with house.database.reading() as tx:
        seen = tx.tickets.views([1001])[1001]
    assert (seen.priority, seen.category) == ("urgent", "")


def test_what_else_somebody_has_changed_since_stays(house: House) -> None:
    command(house, "#set serial A-113\n#due 3d\n#requester carl@customer.example", ANA)
    command(house, "#note for the record", ANA)
    with house.database.transaction() as tx:
        tx.reshaping.set_custom(1001, "serial", "B-7")
        tx.clocks.stop(1001, DUE)
        tx.reshaping.set_requester(1001, Address(addr="dora@customer.example"), "ben", house.now)
    command(house, "#undo", ANA)
    command(house, "#undo", ANA)
    with house.database.reading() as tx:
        view = tx.tickets.views([1001])[1001]
        assert tx.reshaping.clock(1001, DUE) is None
    assert dict(view.fields) == {"serial": "B-7"}
    assert view.requester == "dora@customer.example"
    told = transcript(house)
    assert "serial is B-7 by now and stays so" in told
    assert "due is empty by now and stays so" in told
    assert "requester is dora@customer.example by now and stays so" in told


def test_what_one_mail_set_twice_is_as_it_was_before_both(house: House) -> None:
    command(house, "#priority high\n#priority urgent\n#set serial A\n#set serial B")
    command(house, "#undo")
    with house.database.reading() as tx:
        view = tx.tickets.views([1001])[1001]
    assert (view.priority, dict(view.fields)) == ("normal", {})
    assert "stays so" not in transcript(house)


def test_a_customers_mail_leaves_at_once(house: House) -> None:
    assert states(house, "confirmation") == [CopyState.PENDING]
    with house.database.reading() as tx:
        [row] = [row for row in tx.outbox.list(ticket=1001) if row.notice == "confirmation"]
    assert row.recipients[0].due == row.created


def test_a_requester_who_was_on_cc_goes_back_there(house: House) -> None:
    command(house, "#cc carl@customer.example", login="ana@example.org")
    command(house, "#requester carl@customer.example", login="ana@example.org")
    command(house, "#undo")
    with house.database.reading() as tx:
        seen = tx.tickets.views([1001])[1001]
    assert (seen.requester, seen.cc) == ("rita@customer.example", ("carl@customer.example",))


def test_a_ticket_that_slept_sleeps_as_long_as_before(house: House) -> None:
    command(house, "#snooze 3d")
    with house.database.reading() as tx:
        until = tx.reshaping.clock(1001, SNOOZE)
    house.now += timedelta(minutes=20)
    command(house, "#close")
    command(house, "#undo")
    with house.database.reading() as tx:
        assert tx.reshaping.clock(1001, SNOOZE) == until is not None
        assert tx.tickets.views([1001])[1001].status == "waiting"
