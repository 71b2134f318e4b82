"""What a forwarded mail leaves in the store: the customer's message with its date and its files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailgate.core.parse import enclosed, parse, part_bytes
from mailgate.core.ticket import MessageKind
from mailgate.parsing import Parsers
from store.database import Database
from store.ticket_rows import Message
from tests.flows.rig import START, House

HERE = Path(__file__).parent
FORWARD = (HERE / "forwarded-attached" / "01-forward.eml").read_bytes().replace(b"\n", b"\r\n")
WRITTEN = datetime(2026, 5, 1, 14, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    one = House(database, parsers, tmp_path)
    yield one
    one.close()


def messages(house: House) -> list[Message]:
    with house.database.reading() as tx:
        return tx.tickets.messages(1001)


def check(house: House, raw: bytes) -> None:
    """The customer's message stands as it was written, and its file can be had from our mail."""
    [theirs, ours] = messages(house)
    assert (theirs.kind, ours.kind) == (MessageKind.CUSTOMER, MessageKind.NOTE)
    assert (theirs.author, theirs.author_name) == ("rita@customer.example", "Rita Vega")
    assert (theirs.message_id, theirs.at) == ("<original.1@customer.example>", WRITTEN)
    assert ours.at >= START
    assert not ours.attachments
    [file] = theirs.attachments
    assert file.filename == "error.log"
    assert part_bytes(raw, file.part).strip() == b"paper jam at tray 2"
    with house.database.reading() as tx:
        view = tx.tickets.views([1001])[1001]
        assert [hit.ticket for hit in tx.search.find(["jam", "print"])] == [1001]
    assert view.participants == ("rita@customer.example", "max@customer.example")


def test_a_forward_is_stored_as_the_mail_that_was_forwarded(house: House) -> None:
    house.deliver(FORWARD, login="ana@example.org")
    house.settle()
    check(house, FORWARD)


def test_a_released_forward_is_stored_the_same(house: House) -> None:
    house.deliver(FORWARD)
    house.settle()
    assert [m.kind for m in messages(house)] == [MessageKind.HELD]
    yes = (
        "From: ana@example.org\r\nTo: {release:ana@example.org}\r\nSubject: Re: you?\r\n"
        "Message-ID: <yes@example.org>\r\nDate: Mon, 4 May 2026 09:00:00 +0000\r\n\r\nyes\r\n"
    )
    to = house.filled("{release:ana@example.org}")
    house.deliver(house.filled(yes).encode(), rcpt=[to])
    house.settle()
    check(house, FORWARD)


def test_a_date_to_come_is_not_believed(house: House) -> None:
    house.deliver(FORWARD.replace(b"1 May 2026", b"1 May 2036"), login="ana@example.org")
    house.settle()
    assert all(m.at <= house.now for m in messages(house))


def test_the_text_beside_attached_mail_is_one_part_and_the_mail_another() -> None:
    mail = parse(FORWARD)
    [inside] = enclosed(FORWARD, mail)
    assert inside.sender is not None
    assert inside.sender.addr == "rita@customer.example"
    with pytest.raises(LookupError):
        part_bytes(FORWARD, 9000)
    with pytest.raises(LookupError):
        part_bytes(FORWARD, inside.attachments[0].part + 900)


def test_mails_that_a_report_is_about_are_not_read() -> None:
    report = FORWARD.replace(
        b"multipart/mixed; boundary=outer", b"multipart/report; boundary=outer"
    )
    assert enclosed(report, parse(report)) == ()
