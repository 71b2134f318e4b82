"""Each recipient's copy has a Message-ID and a return path of its own."""

from __future__ import annotations

import pytest
from sqlalchemy import exc

from mailgate.core.decision import (
    Attempt,
    CopyState,
    Fate,
    Keys,
    Notice,
    Outgoing,
    OutgoingCopy,
    Recipient,
    SentCopy,
    SentMail,
)
from store.database import Database
from tests.store.samples import MINUTE, NOW, queue, ticket

A, B, C = "anna@example.org", "bert@example.org", "carl@example.org"


def send(database: Database, number: int | None, mail: int, *to: str, own: bool = True) -> int:
    """Queue mail number `mail`; each copy has ids made from that and the address's first letter."""
    copies = {
        a: OutgoingCopy(
            message_id=f"<{mail}{a[0]}@us>",
            mail_from=f"support+{mail}{a[0]}@example.com",
            number=mail * 100 + ord(a[0]),
        )
        for a in to
    }
    outgoing = Outgoing(
        notice=Notice.ANSWER if number else Notice.ALERT,
        ticket=number,
        message_id=f"<{mail}{to[0][0]}@us>",
        mail_from="support@example.com",
        raw=b"body",
        heads={a: b"" for a in to},
        automatic=False,
        copies=copies if own else {},
    )
    with database.transaction() as tx:
        recipients = [Recipient(address=a, role="cc", why="") for a in to]
        return tx.outbox.add(outgoing, recipients, NOW)


def test_each_copy_goes_out_under_its_own_id_and_return_path(database: Database) -> None:
    number = ticket(database)
    outbox = send(database, number, 1, A, B)
    with database.transaction() as tx:
        claimed = tx.outbox.claim_due(NOW, 9, MINUTE)
        assert [(c.address, c.message_id, c.mail_from) for c in claimed] == [
            (A, "<1a@us>", "support+1a@example.com"),
            (B, "<1b@us>", "support+1b@example.com"),
        ]
        (row,) = tx.outbox.list()
        assert (row.id, row.message_id, row.mail_from) == (outbox, "<1a@us>", "support@example.com")
        assert [(r.message_id, r.mail_from, r.number) for r in row.recipients] == [
            ("<1a@us>", "support+1a@example.com", 197),
            ("<1b@us>", "support+1b@example.com", 198),
        ]


def test_copies_without_an_id_of_their_own_share_the_mails(database: Database) -> None:
    send(database, ticket(database), 1, A, B, own=False)
    with database.transaction() as tx:
        claimed = tx.outbox.claim_due(NOW, 9, MINUTE)
        assert [(c.message_id, c.mail_from) for c in claimed] == [
            ("<1a@us>", "support@example.com")
        ] * 2
        (row,) = tx.outbox.list()
        assert [r.message_id for r in row.recipients] == ["<1a@us>"] * 2


def test_an_alert_belongs_to_no_ticket(database: Database) -> None:
    outbox = send(database, None, 1, A)
    with database.transaction() as tx:
        (copy,) = tx.outbox.claim_due(NOW, 9, MINUTE)
        assert (copy.outbox, copy.ticket, copy.notice) == (outbox, None, "alert")
        assert [row.ticket for row in tx.outbox.list()] == [None]
        found = tx.outbox.by_number(197)
        assert found is not None
        assert found.ticket is None
        # It is no evidence for any ticket.
        assert tx.facts.gather(Keys(ids=("<1a@us>",), copy=197)).sent == {}


@pytest.mark.parametrize(
    ("mail", "address"), [pytest.param(1, A, id="whole mail"), pytest.param(2, "b@x.test", id="id")]
)
def test_no_id_and_no_number_is_used_twice(database: Database, mail: int, address: str) -> None:
    number = ticket(database)
    send(database, number, 1, A, B)
    copy = OutgoingCopy(message_id=f"<{mail}a@us>", mail_from="", number=198 if mail == 2 else None)
    again = Outgoing(
        notice=Notice.COPY,
        ticket=number,
        message_id="<other@us>",
        mail_from="",
        raw=b"",
        heads={address: b""},
        automatic=False,
        copies={address: copy},
    )
    with pytest.raises(exc.IntegrityError), database.transaction() as tx:
        tx.outbox.add(again, [Recipient(address=address, role="cc", why="")], NOW)


def test_a_return_path_names_one_copy_L4(database: Database) -> None:
    number = ticket(database)
    outbox = send(database, number, 1, A, B)
    with database.transaction() as tx:
        copy = tx.outbox.by_number(198)
        assert copy == SentCopy(
            outbox=outbox, recipient=2, ticket=number, address=B, role="cc", notice="answer"
        )
        assert tx.outbox.by_number(4711) is None
        facts = tx.facts.gather(Keys(copy=198))
        assert (facts.copy, list(facts.tickets)) == (copy, [number])
        assert tx.facts.gather(Keys(copy=4711)).copy is None


def test_a_bounce_is_noted_on_the_copy_that_it_is_about(database: Database) -> None:
    outbox = send(database, ticket(database), 1, A, B, C)
    with database.transaction() as tx:
        for copy in tx.outbox.claim_due(NOW, 9, MINUTE):
            said = Attempt(code=250, text="ok", at=NOW)
            tx.outbox.record(copy.id, said, Fate(state=CopyState.SENT))
        # The report may name the address that the mail was forwarded to.
        tx.outbox.note_bounce(outbox, "elsewhere@example.net", "by row", recipient=2)
        tx.outbox.note_bounce(outbox, A.upper(), "by address")
        tx.outbox.note_bounce(outbox, "stranger@example.net", "by nobody")
        tx.outbox.note_bounce(outbox + 1, "", "another mail", recipient=3)
        (row,) = tx.outbox.list()
        assert [r.text for r in row.recipients] == ["by address", "by row", "ok"]
        tx.outbox.note_bounce(outbox, "", "all of it")
        (row,) = tx.outbox.list()
        assert {r.text for r in row.recipients} == {"all of it"}


def test_an_id_of_ours_is_translated_for_another_reader(database: Database) -> None:
    number = ticket(database)
    send(database, number, 1, A, B)
    send(database, number, 2, A)
    send(database, number, 3, A, B, own=False)
    asked = ["<theirs@x>", "<1a@us>", "<2a@us>", "<3a@us>", "<1b@us>"]
    with database.reading() as tx:
        assert tx.outbox.translate(asked, B) == {
            "<1a@us>": "<1b@us>",
            "<2a@us>": None,
            "<3a@us>": "<3a@us>",
            "<1b@us>": "<1b@us>",
        }
        assert tx.outbox.translate(asked, A)["<1b@us>"] == "<1a@us>"
        assert set(tx.outbox.translate(asked, C).values()) == {None}
        assert tx.outbox.translate([], A) == tx.outbox.translate([""], A) == {}


def test_a_reader_knows_the_ids_of_their_own_copies(database: Database) -> None:
    one, two = ticket(database), ticket(database)
    for mail in range(1, 4):
        send(database, one, mail, A, B)
    send(database, two, 4, A)
    send(database, one, 5, B)
    with database.reading() as tx:
        assert tx.outbox.ids_for(one, A) == ["<1a@us>", "<2a@us>", "<3a@us>"]
        assert tx.outbox.ids_for(one, B, limit=2) == ["<3b@us>", "<5b@us>"]
        assert tx.outbox.ids_for(two, B) == []


def test_a_copy_is_evidence_for_its_one_reader(database: Database) -> None:
    number = ticket(database)
    outbox = send(database, number, 1, A, B)
    with database.transaction() as tx:
        facts = tx.facts.gather(Keys(ids=("<1a@us>", "<1b@us>")))
    assert {i: sent.recipients for i, sent in facts.sent.items()} == {
        "<1a@us>": (A,),
        "<1b@us>": (B,),
    }
    assert facts.sent["<1b@us>"] == SentMail(
        outbox=outbox, ticket=number, notice="answer", recipients=(B,), created=NOW
    )


def test_an_older_mail_is_evidence_for_all_its_readers(database: Database) -> None:
    number, outbox = queue(database, A, B)
    with database.transaction() as tx:
        facts = tx.facts.gather(Keys(ids=("<1@mailgate.test>",)))
    assert facts.sent["<1@mailgate.test>"] == SentMail(
        outbox=outbox, ticket=number, notice="confirmation", recipients=(A, B), created=NOW
    )
