"""What a duty list shows of mail that nobody has judged yet: little, and nothing that acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from mailgate.core.decide import quarantine
from mailgate.core.duty import WaitingMail
from mailgate.core.mail import Envelope, Inbound
from mailgate.core.people import Agent, Mailbox
from mailgate.core.policy import Policy
from mailgate.core.ticket import MessageKind
from mailgate.intake import commit
from mailgate.waiting import gather, inert, sections
from store.database import Database
from tests.shell.apply_rig import MAIL, NOW, OPEN, Office

ADDRESS = "support+token@example.org"
POLICY = Policy(
    agents=(Agent(address="ana@example.org"),),
    mailboxes=(Mailbox(address="support@example.org"),),
)


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def accept(office: Office, *mails: bytes) -> list[int]:
    """Their inbox ids."""
    given = [
        Inbound(raw=m, source="pipe", source_key=f"{m!r}{n}", received=NOW, envelope=Envelope())
        for n, m in enumerate(mails)
    ]
    return [inbound for inbound, _new in commit(office.database, given)]


def set_aside(office: Office, *mails: bytes) -> list[int]:
    """Mails in quarantine."""
    ids = accept(office, *mails)
    with office.database.transaction() as tx:
        for inbound in ids:
            tx.inbox.settle(inbound, quarantine("too complex"), None, NOW)
    return ids


def hold(office: Office, owner: str = "", queue: str = "support") -> None:
    """A mail that waits on a ticket of Rita's."""
    number = office.do(replace(OPEN, queue=queue))
    (inbox,) = accept(office, f"Subject: held {number}\r\n\r\nHello\r\n".encode())
    with office.database.transaction() as tx:
        message = tx.tickets.add_message(
            number, MAIL, MessageKind.HELD, MAIL.sender, now=NOW, inbox=inbox
        )
        tx.held.add(
            ticket=number,
            message=message,
            inbox=inbox,
            author="sol@other.test",
            owner=owner,
            why="unproven",
            created=NOW,
            expires=NOW + timedelta(days=14),
        )


def found(
    office: Office, address: str = "ana@example.org"
) -> tuple[tuple[WaitingMail, ...], tuple[int, int]]:
    agent = office.desk.policy.agent_for(address)
    assert agent is not None
    with office.database.reading() as tx:
        return gather(tx, agent, office.desk.policy)


def shown(mail: WaitingMail, reply_to: str = ADDRESS) -> Mapping[str, Any]:
    """The row of one mail."""
    [section] = sections((mail,), (0, 0), reply_to, (), POLICY)
    rows = section["rows"]
    assert isinstance(rows, tuple)
    row = rows[0]
    assert isinstance(row, dict)
    return row


def test_a_quarantined_mail_is_told_by_its_head_and_first_words(office: Office) -> None:
    raw = (
        b"From: Sol <sol@other.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
        b"--x\r\nContent-Type: text/html\r\n\r\n"
        b"<p>Where is the <b>invoice</b> of April?</p>\r\n"
        b"--x\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8gd29ybGQgYW5kIGFsbCB0aGF0\r\n"
    )
    (inbox,) = set_aside(office, raw)
    [mail], more = found(office)
    assert more == (0, 0)
    assert (mail.number, mail.inbox, mail.held, mail.sender) == (1, inbox, None, "sol@other.test")
    assert (mail.subject, mail.words) == ("Grüße", "Where is the invoice of April?")
    assert (mail.size, mail.reason, mail.received) == (len(raw), "too complex", NOW)


@pytest.mark.parametrize(
    "head", [b"", b"From: a@x.test, b@x.test\r\n", b"Subject: x\r\n", b"\x00\xff\r\n"]
)
def test_where_no_single_sender_is_named_nobody_can_be_blocked(office: Office, head: bytes) -> None:
    set_aside(office, head + b"\r\nHello\r\n")
    [mail], _ = found(office)
    assert mail.sender == ""
    assert list(shown(mail)["actions"]) == ["accept", "ticket", "drop"]


def test_a_mail_whose_bytes_are_gone_is_on_the_list_all_the_same(office: Office) -> None:
    large = b"From: sol@other.test\r\n\r\n" + b"x" * 70_000
    (inbox,) = set_aside(office, large)
    with office.database.reading() as tx:
        row = tx.inbox.get(inbox)
    assert row is not None
    office.database.folder.path(row.digest).unlink()
    [mail], _ = found(office)
    assert (mail.inbox, mail.sender, mail.size) == (inbox, "", len(large))


def test_held_mail_is_shown_to_who_may_accept_it(office: Office) -> None:
    hold(office)
    hold(office, owner="ana@example.org")
    hold(office, owner="ben@example.org")
    hold(office, queue="sales")
    assert [m.ticket for m in found(office)[0]] == [1001, 1002, 1004]
    assert [m.ticket for m in found(office, "ben@example.org")[0]] == [1003, 1004]
    mail = found(office)[0][0]
    assert (mail.words, mail.sender) == ("It does not print.", "sol@other.test")


def test_no_list_is_longer_than_people_read(office: Office) -> None:
    set_aside(office, *(b"From: s@x.test\r\n\r\nmail %d\r\n" % n for n in range(73)))
    mails, more = found(office)
    assert ([m.number for m in mails], more) == (list(range(1, 51)), (23, 0))
    for _ in range(30):
        hold(office)
    mails, more = found(office)
    assert ([m.number for m in mails], more) == (list(range(1, 51)), (48, 5))
    assert [m.held is None for m in mails] == [True] * 25 + [False] * 25
    made = sections(mails, more, ADDRESS, (), POLICY)
    assert [(s["name"], s["more"]) for s in made] == [("quarantined", 48), ("held-mail", 5)]


SOME = WaitingMail(
    number=3,
    inbox=1,
    held=None,
    ticket=None,
    sender="sol@other.test",
    subject="Odd",
    received=NOW,
    size=2048,
    reason="too complex",
    words="Hello",
)


def test_each_link_is_a_whole_order_but_for_the_ticket() -> None:
    links = shown(SOME)["actions"]
    assert [unquote(link.partition("&body=")[2]) for link in links.values()] == [
        "3 accept",
        "3 ticket ",
        "3 drop",
        "3 drop sender",
    ]
    assert all(link.startswith("mailto:support%2Btoken@example.org?") for link in links.values())
    assert shown(SOME, reply_to="")["actions"] == {}


@pytest.mark.parametrize(
    "sender", ["ana@example.org", "support@example.org", "mailer-daemon@x.test"]
)
def test_nobody_is_invited_to_block_whom_nobody_can(sender: str) -> None:
    assert "drop-sender" not in shown(replace(SOME, sender=sender))["actions"]


HOSTILE = "Pay\u202e now\r\nBcc: x@y.test\x07 https://evil.test/x <a href='http://e.test'>a</a>"


def test_what_strangers_wrote_is_one_line_without_links_or_controls() -> None:
    row = shown(replace(SOME, sender=HOSTILE, subject=HOSTILE, words=HOSTILE, reason=HOSTILE))
    for name in ("sender", "subject", "words", "reason"):
        text = row[name]
        assert text.isprintable()
        assert "\u202e" not in text
        assert "://" not in text
    assert len(shown(replace(SOME, words="word " * 100_000))["words"]) <= 200


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("see https://x.test/a", "see https[:]//x.test/a"),
        ("HTTP://X and ftp://y", "HTTP[:]//X and ftp[:]//y"),
        ("www.x.test", "www[.]x.test"),
        ("mailto:x@y.test", "mailto[:]x@y.test"),
        ("at 10:30, no link: none", "at 10:30, no link: none"),
    ],
)
def test_links_are_made_inert(text: str, safe: str) -> None:
    assert inert(text) == safe
