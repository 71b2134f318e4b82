"""What agents are told beside a message: earlier tickets, solved ones, and what one tap does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

from mailgate.core.mail import Address
from mailgate.core.ticket import MessageKind
from mailgate.parsing import Parsers
from mailgate.recall import telling_words
from store.database import Database
from tests.flows.private import leaks
from tests.flows.rig import House
from tests.flows.test_answers import mail, page, words

RITA, BOB = "rita@customer.example", "bob@other.example"
ANA, BEN = "ana@example.org", "ben@example.org"
Open = Callable[..., House]


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """Ana works in all queues, Ben in sales alone."""
    found = House(sqlite_database, parsers, tmp_path)
    yield found
    found.close()


def ask(house: House, sender: str, text: str, *, subject: str = "Lamp", to: str = "support") -> int:
    """A new matter; returns its ticket's number."""
    raw = mail(sender, "Somebody", text).replace(b"Subject: Lamp", f"Subject: {subject}".encode())
    [box] = [f"{to}@example.org"]
    inbox = house.deliver(raw.replace(b"support@example.org", box.encode()), rcpt=[box])
    house.settle()
    with house.database.reading() as tx:
        settled = tx.inbox.get(inbox)
    assert settled is not None
    assert settled.ticket is not None
    return settled.ticket


def said(house: House, number: int, text: str, kind: MessageKind) -> None:
    """Something on a ticket that came another way."""
    with house.database.transaction() as tx:
        first = tx.tickets.messages(number)[0]
        tx.conn.exec_driver_sql(
            "INSERT INTO messages (ticket, inbox, kind, author, subject, at, text, visible)"
            " SELECT ticket, inbox, ?, 'x', '', at, ?, ? FROM messages WHERE id = ?",
            (kind.value, text, text, first.id),
        )


def close(house: House, number: int, resolution: str = "") -> None:
    """Close a ticket, with or without words on how it was solved."""
    house.change(number, {"status": "closed"})
    if resolution:
        with house.database.transaction() as tx:
            tx.tickets.set_field(number, "resolution", resolution, house.now)


def told(house: House, agent: str = ANA) -> str:
    """The text of the last notice to an agent."""
    return words(house.last(agent).mail).replace("\r\n", "\n")


def test_the_requesters_last_tickets_are_named(house: House) -> None:
    numbers = [ask(house, RITA, "x", subject=f"Matter {n}") for n in range(5)]
    close(house, numbers[2])
    ask(house, BOB, "x", subject="Something else")
    house.now = house.now.replace(day=9)
    ask(house, RITA, "x", subject="Now")
    text = told(house)
    assert re.findall(r"\* #\d+ (.*)", text.partition("Similar")[0]) == [
        "Matter 4 (5 days ago, new)",
        "Matter 3 (5 days ago, new)",
        "Matter 2 (5 days ago, closed)",
    ]
    assert "Matter 4" in page(house.last(ANA).mail)
    assert leaks(house.database, house.desk.policy) == []


def test_solved_tickets_that_are_alike_are_shown_with_how_they_were_solved(house: House) -> None:
    jam = ask(house, BOB, "The printer reports a paper jam.", subject="Printer jammed")
    close(house, jam, "Took the sheet out.")
    lamp = ask(house, BOB, "The printer lamp blinks, jam?", subject="Printer lamp")
    said(house, lamp, "Please press reset.\n\nAna", MessageKind.AGENT)
    close(house, lamp)
    still = ask(house, BOB, "The printer has a jam again.", subject="Printer jammed again")
    other = ask(house, BOB, "Where is my invoice?", subject="Invoice")
    close(house, other, "Sent it.")
    ask(house, RITA, "My printer shows a paper jam since yesterday.", subject="Printer jam")
    text = told(house).partition("Similar tickets that were solved\n")[2]
    assert f"* #{jam} Printer jammed\n  Took the sheet out.\n" in text
    assert f"* #{lamp} Printer lamp\n  Please press reset. Ana\n" in text
    assert f"#{still} " not in text
    assert f"#{other} " not in text
    assert "Took the sheet out." in page(house.last(ANA).mail)
    assert leaks(house.database, house.desk.policy) == []


@pytest.mark.parametrize("kind", [MessageKind.NOTE, MessageKind.HELD])
def test_notes_and_held_mail_make_nothing_alike_c6(house: House, kind: MessageKind) -> None:
    number = ask(house, BOB, "Hello", subject="Question")
    said(house, number, "The fuser unit burnt the contract.", kind)
    close(house, number, "Nothing to say.")
    ask(house, RITA, "The fuser unit burnt the contract.", subject="Fuser unit")
    assert "Nothing to say." not in told(house)


def test_what_lies_in_another_queue_is_not_shown(house: House) -> None:
    support = ask(house, RITA, "The contract of the copier ended.", subject="Copier contract")
    close(house, support, "Renewed for Rita.")
    ask(house, RITA, "The copier contract, please.", subject="Copier contract", to="sales")
    assert f"#{support} Copier contract" in told(house, ANA)
    assert "Renewed for Rita." in told(house, ANA)
    assert f"#{support}" not in told(house, BEN)
    assert "Renewed" not in told(house, BEN)


def links(text: str) -> dict[str, str]:
    """The mailto links of a notice's text, by what they are called."""
    return dict(re.findall(r"(?m)^(\w+): <(mailto:[^>]+)>$", text))


def tapped(house: House, link: str, sender: str = ANA) -> None:
    """Send what a mail program makes of a link."""
    address, _, query = link.removeprefix("mailto:").partition("?")
    fields = parse_qs(query, keep_blank_values=True)
    to, body = unquote(address), fields.get("body", [""])[0]
    raw = mail(sender, "Ana", f"{body}\n\nSent from my iPhone").replace(
        b"Subject: Lamp", f"Subject: {fields['subject'][0]}".encode()
    )
    house.deliver(raw.replace(b"support@example.org", to.encode()), rcpt=[to])
    house.settle()


def state(house: House, number: int) -> tuple[str, str]:
    """Status and assignee."""
    with house.database.reading() as tx:
        view = tx.tickets.views([number])[number]
    return view.status, view.assignee


def test_one_tap_takes_waits_and_closes(house: House) -> None:
    number = ask(house, RITA, "The lamp blinks.")
    found = links(told(house))
    assert list(found) == ["Take", "Close", "Note", "Waiting", "Help"]
    for link in found.values():
        assert f'href="{link.replace("&", "&amp;")}"' in page(house.last(ANA).mail)
    tapped(house, found["Take"])
    assert state(house, number) == ("new", ANA)
    tapped(house, found["Waiting"])
    assert state(house, number) == ("waiting", ANA)
    tapped(house, found["Close"])
    assert state(house, number) == ("closed", ANA)
    assert not any("#close" in words(sent.mail) for sent in house.sent(RITA))
    assert leaks(house.database, house.desk.policy) == []


def test_the_link_of_an_agent_is_of_no_use_to_others(house: House) -> None:
    number = ask(house, RITA, "The lamp blinks.")
    tapped(house, links(told(house))["Close"], sender=RITA)
    assert state(house, number)[0] != "closed"


def test_a_note_by_one_tap_stays_inside_c6(house: House) -> None:
    ask(house, RITA, "The lamp blinks.")
    before = len(house.sent(RITA))
    tapped(house, links(told(house))["Note"] + "&body=She%20sounds%20angry%20today.")
    assert len(house.sent(RITA)) == before
    assert leaks(house.database, house.desk.policy) == []


def test_an_agent_finds_queue_and_ticket_in_the_subject(house: House) -> None:
    number = ask(house, RITA, "x", subject="Copier", to="sales")
    assert str(house.last(BEN).mail["Subject"]) == f"[#{number}] [sales] Copier"
    with house.database.transaction() as tx:
        tx.tickets.add_participant(number, Address(addr=BOB), RITA, house.now)
    again = mail(RITA, "Rita", "y", more=f"In-Reply-To: {house.last_notice(RITA)}\n")
    house.deliver(again.replace(b"Lamp", f"Re: [#{number}] [sales] Copier".encode()))
    house.settle()
    assert str(house.last(BEN).mail["Subject"]) == f"Re: [#{number}] [sales] Copier"
    assert "[sales]" not in str(house.last(BOB).mail["Subject"])


def test_words_that_tell_what_a_matter_is_about() -> None:
    subject = "The printer in room 12 is jammed"
    message = "Hello, it says “paper jam”, but there is none. Printer: X-2000. Thanks!"
    found = telling_words(subject, message)
    assert found[:3] == ["printer", "room", "jammed"]
    assert not {"the", "12", "2000", "hello"} & set(found)
    assert telling_words("", "") == []
