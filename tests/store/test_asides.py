"""What was said aside, as it is kept: third parties of a ticket, marks, and their thread."""

from __future__ import annotations

from datetime import timedelta

from mailgate.core.decision import Notice, Outgoing, OutgoingCopy, Recipient
from mailgate.core.mail import Address
from mailgate.core.ticket import MessageKind
from store.database import Database
from tests.store.samples import NOW, mail, ticket

SAM, KIM = "sam@supplier.test", "kim@supplier.test"


def said(database: Database, number: int, message_id: str, author: str, *aside: str) -> int:
    """Keep a note; returns its id."""
    with database.transaction() as tx:
        by = Address(addr=author)
        kind = MessageKind.NOTE
        message = tx.tickets.add_message(number, mail(message_id), kind, by, now=NOW)
        if aside:
            tx.asides.mark(message, aside)
    return message


def test_third_parties_are_those_of_the_messages_each_once(database: Database) -> None:
    number, other = ticket(database), ticket(database)
    said(database, number, "<1@x>", "ana@agents.test", SAM, KIM)
    said(database, number, "<2@x>", SAM.upper(), SAM.upper())
    said(database, number, "<3@x>", "ana@agents.test")
    with database.reading() as tx:
        views = tx.tickets.views([number, other])
        assert sorted(address.lower() for address in views[number].sides) == [KIM, SAM]
        assert views[number].participants == views[other].participants
        assert views[number].muted == ()
        assert views[other].sides == ()
        assert [m.aside for m in tx.tickets.messages(number)] == [(SAM, KIM), (SAM.upper(),), ()]


def test_they_live_on_in_the_survivor(database: Database) -> None:
    number, other = ticket(database), ticket(database)
    said(database, other, "<1@x>", "ana@agents.test", SAM)
    with database.transaction() as tx:
        tx.tickets.merge(other, number, NOW)
        assert tx.tickets.views([number])[number].sides == (SAM,)


def test_words_that_never_left_were_said_to_nobody(database: Database) -> None:
    number = ticket(database)
    with database.transaction() as tx:
        by, kind = Address(addr="ana@agents.test"), MessageKind.NOTE
        message = tx.tickets.add_message(number, mail("<1@x>"), kind, by, now=NOW)
        tx.asides.mark(message, [SAM])
        tx.reshaping.never_sent(0)
        assert tx.tickets.views([number])[number].sides == (SAM,)  # another mail's


def test_the_thread_is_what_this_one_reader_knows(database: Database) -> None:
    number = ticket(database)
    said(database, number, "<private@agents.test>", "ana@agents.test", SAM, KIM)
    with database.transaction() as tx:
        for at, notice in enumerate((Notice.SIDE, Notice.ANSWER)):
            copies = {
                who: OutgoingCopy(message_id=f"<{notice}-{who}>", mail_from="x@y.test")
                for who in (SAM, KIM)
            }
            mine = Outgoing(
                notice=notice,
                ticket=number,
                message_id=f"<{notice}-{SAM}>",
                mail_from="x@y.test",
                raw=b"x",
                heads=dict.fromkeys(copies, b"h"),
                automatic=False,
                copies=copies,
            )
            to = tuple(Recipient(address=who, role="side", why="") for who in copies)
            when = NOW - timedelta(minutes=9 - at)
            tx.outbox.add(mine, to, when, inbox=None, due=when)
    said(database, number, "<answer@supplier.test>", SAM, SAM)
    with database.reading() as tx:
        ids = tx.asides.thread_ids(number, SAM.upper())
        assert ids == [f"<side-{SAM}>", "<answer@supplier.test>"]
        assert tx.asides.thread_ids(number, KIM) == [f"<side-{KIM}>"]
        assert tx.asides.thread_ids(number, KIM, limit=0) == []
