"""Links to files of mails that were forwarded, split off, merged or read from another ticket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import House
from tests.flows.test_file_links import ANA, BEN, CONFIG, DATA, RITA, link, refused, web, with_file

FILM = b"f" * 3000


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """A house to which Rita has sent a file, for the agents of sales."""
    house = House(sqlite_database, parsers, tmp_path, config=CONFIG)
    house.deliver(with_file(), rcpt=["sales@example.org"])
    house.settle()
    yield house
    house.close()


def said(house: House, who: str) -> str:
    body = house.last(who).mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def command(house: House, line: str) -> None:
    """One command of Ana's in answer to her last notice."""
    to = house.last(ANA).reply_to
    raw = (
        f"From: Ana <{ANA}>\r\nTo: {to}\r\nSubject: Re: Lamp\r\n"
        f"In-Reply-To: {house.last_notice(ANA)}\r\n\r\n{line}\r\n"
    )
    house.deliver(raw.encode(), rcpt=[to], login=ANA)
    house.settle()


def test_files_in_a_forward_that_does_not_fit_are_linked(house: House) -> None:
    inner = with_file('"film.mp4"', FILM).replace(b'boundary="r"', b'boundary="s"')
    inner = inner.replace(b"--r", b"--s").replace(b"Subject: Lamp", b"Subject: The film")
    outer = (
        f"From: Ana <{ANA}>\r\nTo: sales@example.org\r\nSubject: Fwd: The film\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="r"\r\n\r\n'
        "--r\r\nContent-Type: text/plain\r\n\r\nSee this.\r\n--r\r\n"
        "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
    ).encode()
    house.deliver(outer + inner + b"\r\n--r--\r\n", rcpt=["sales@example.org"], login=ANA)
    house.settle()
    told = said(house, BEN)
    assert "Not attached: film.mp4 (3 kB)" in told
    assert "The film.eml" not in told  # what is in it is what can be fetched
    with web(house) as pages:
        assert pages.get(link(house, BEN)).body == FILM


def test_a_message_that_was_split_off_takes_its_file_along(house: House) -> None:
    reply = house.last(RITA).reply_to
    house.deliver(with_file('"film.mp4"', FILM), rcpt=[reply])
    house.settle()
    before = link(house)
    command(house, "#split 2")
    with house.database.reading() as tx:
        assert [m.ticket for m in tx.files.of(2, "")] == [1002]
    with web(house) as pages:
        assert pages.get(before).body == FILM  # of the same mail
        notice = next(m for m in reversed(house.sent(BEN)) if m.notice == "agent-new")
        assert "film.mp4" in str(notice.mail.get_body(("plain",)))
        assert pages.get(notice.file[-56:]).body == FILM


def test_a_ticket_that_was_merged_takes_its_files_along(house: House) -> None:
    sales = link(house, BEN)
    house.deliver(with_file('"film.mp4"', FILM))
    house.settle()
    with house.database.transaction() as tx:
        tx.tickets.merge(1001, 1002, house.now, closed="closed")
    with web(house) as pages:
        assert pages.get(link(house)).body == FILM
        assert refused(pages.get(sales))  # it is a matter of support now, which Ben is not in
        with house.database.transaction() as tx:
            tx.tickets.set_field(1002, "queue", "sales", house.now)
        assert pages.get(sales).body == DATA
