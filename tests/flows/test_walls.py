"""Between people: what somebody never got is not quoted to them, nor sent to a strange address."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import House, Sent

RITA, CARL, ANA = "rita@customer.example", "carl@customer.example", "ana@example.org"
BOX = "support@example.org"
TEXT = "Content-Type: text/plain; charset=utf-8\n"
MIXED = 'Content-Type: multipart/mixed; boundary="b"\n'


@pytest.fixture
def house(sqlite_database: Database, tmp_path: Path) -> Iterator[House]:
    parsers = Parsers(workers=1, seconds=30)
    house = House(sqlite_database, parsers, tmp_path)
    yield house
    house.close()
    parsers.close()


def write(house: House, sender: str, to: str, words: str, kind: str = TEXT, cc: str = "") -> str:
    """A mail that is taken in and settled; agents are logged in. Returns its outcome."""
    house.now += timedelta(minutes=1)
    copied = f"Cc: {cc}\n" if cc else ""
    mail = (
        f"From: {sender}\nTo: {to}\n{copied}Message-ID: <{house.now:%H%M%S}@x.example>\n"
        f"Subject: Printer\nDate: {house.now:%a, %d %b %Y %H:%M:%S} +0000\nMIME-Version: 1.0\n"
        f"{kind}\n{words}\n"
    )
    login = sender if sender == ANA else ""
    inbox = house.deliver(mail.replace("\n", "\r\n").encode(), rcpt=[to], login=login)
    house.settle()
    with house.database.reading() as tx:
        row = tx.inbox.get(inbox)
    assert row is not None
    return str(row.outcome)


def answered(house: House, address: str) -> str:
    """The text of the last answer to somebody."""
    body = answers(house, address)[-1].mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def answers(house: House, address: str) -> list[Sent]:
    return [mail for mail in house.sent(address) if mail.notice == "answer"]


def test_who_comes_back_is_not_told_what_was_said_meanwhile(house: House) -> None:
    write(house, RITA, BOX, "It does not print.", cc=CARL)
    ana = house.last(ANA).reply_to
    write(house, ANA, ana, f"#uncc {CARL}")
    write(house, RITA, house.last(RITA).reply_to, "Carl must not know: he is to be dismissed.")
    write(house, ANA, house.last(ANA).reply_to, f"#cc {CARL}\n\nHello both")
    assert "Hello both" in answered(house, CARL)
    assert "dismissed" not in answered(house, CARL)


def test_who_becomes_requester_again_is_not_told_either(house: House) -> None:
    write(house, RITA, BOX, "It does not print.", cc=CARL)
    ana = house.last(ANA).reply_to
    write(house, ANA, ana, f"#uncc {CARL}")
    write(house, RITA, house.last(RITA).reply_to, "Carl must not know: he is to be dismissed.")
    write(house, ANA, house.last(ANA).reply_to, f"#requester {CARL}\n\nHello")
    assert "dismissed" not in answered(house, CARL)


def test_words_of_a_merged_tickets_customer_are_not_quoted_to_this_one(house: House) -> None:
    write(house, RITA, BOX, "It does not print.")
    ana = house.last(ANA).reply_to
    write(house, CARL, BOX, "My salary of 3000 is missing.")
    write(house, ANA, ana, "#merge from 1002")
    write(house, ANA, ana, "Hello Rita")
    assert "salary" not in answered(house, RITA)
    assert "It does not print." in answered(house, RITA)


def test_an_approved_mail_without_words_tells_its_agent_and_not_its_sender(house: House) -> None:
    write(house, RITA, BOX, "It does not print.")
    quote = "On Mon, Support wrote:\n> ##- Please write your answer above this line -##\n> x"
    assert write(house, "ana@other.example", house.last(ANA).reply_to, quote) == "held"
    write(house, ANA, house.last(ANA).reply_to, "yes")
    assert house.sent("ana@other.example") == []
    assert house.last(ANA).notice == "agent-message"
    assert answers(house, RITA) == []


def attached(name: str, kind: str, data: bytes) -> str:
    """A mail's body with one file."""
    return (
        f"--b\n{TEXT}\nSee the file.\n--b\nContent-Type: {kind}\n"
        f'Content-Disposition: attachment; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{encodebytes(data).decode()}\n--b--"
    )


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", "application/ms-tnef"])
def test_our_notice_does_not_reach_customers_as_a_file_of_any_kind(house: House, kind: str) -> None:
    write(house, RITA, BOX, "It does not print.")
    notice = house.last(ANA)
    write(house, ANA, notice.reply_to, attached("notice.eml", kind, notice.raw), MIXED)
    assert "See the file." in answered(house, RITA)
    assert [f.get_filename() for f in answers(house, RITA)[-1].mail.iter_attachments()] == []
    with house.database.reading() as tx:
        events = [event for event in tx.tickets.events(1001) if event.kind == "left-behind"]
    assert [event.data["files"] for event in events] == ["notice.eml"]


def test_a_sealed_mail_is_no_answer(house: House) -> None:
    write(house, RITA, BOX, "It does not print.")
    kind = 'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"\n'
    outcome = write(house, ANA, house.last(ANA).reply_to, "AAAA", kind)
    assert (outcome, answers(house, RITA)) == ("note", [])
    assert house.last(ANA).notice == "agent-message"


def test_the_copy_in_sent_does_not_swallow_the_answer(house: House) -> None:
    write(house, RITA, BOX, "It does not print.", cc=CARL)
    ana = house.last(ANA)
    house.now += timedelta(minutes=1)
    raw = (
        f"From: {ANA}\nTo: {ana.reply_to}\nCc: {RITA}\nMessage-ID: <one@ana.example>\n"
        f"Subject: Re: Printer\nIn-Reply-To: {ana.message_id}\nMIME-Version: 1.0\n"
        f"Date: {house.now:%a, %d %b %Y %H:%M:%S} +0000\n{TEXT}\n#tag x\n\nHello\n"
    )
    mail = raw.replace("\n", "\r\n").encode()
    trace = b"Received: from x by y; Mon, 4 May 2026 09:00:00 +0000\r\n"
    outcomes: list[str] = []
    for source, login in (("sent support", ""), ("", ANA), ("", ANA), ("sent support", "")):
        stamp = trace * len(outcomes)
        given = (
            {"source": source, "rcpt": []} if source else {"login": login, "rcpt": [ana.reply_to]}
        )
        inbox = house.deliver(stamp + mail, **given)
        house.settle()
        with house.database.reading() as tx:
            row = tx.inbox.get(inbox)
        assert row is not None
        outcomes.append(str(row.outcome))
    assert outcomes == ["ignored", "reply", "duplicate", "duplicate"]
    assert len(answers(house, CARL)) == 1
    assert answers(house, RITA) == []


def test_whom_an_agent_put_in_bcc_is_known_to_nobody_V2(house: House) -> None:
    """A client may leave the header in the copy that reaches us; and the desk itself in Bcc."""
    write(house, RITA, BOX, "It does not print.", cc=CARL)
    ana = house.last(ANA).reply_to
    hidden = "Bcc: boss@elsewhere.example\n"
    assert write(house, ANA, ana, "Hello Rita", kind=hidden + TEXT) == "reply"
    house.now += timedelta(minutes=1)
    aside = (
        f"From: {RITA}\nTo: {CARL}\nMessage-ID: <aside@x.example>\nSubject: Toner\n{hidden}"
        f"Date: {house.now:%a, %d %b %Y %H:%M:%S} +0000\nMIME-Version: 1.0\n{TEXT}\nNo toner.\n"
    )
    house.deliver(aside.replace("\n", "\r\n").encode(), rcpt=[BOX])
    house.settle()
    assert house.sent("boss@elsewhere.example") == []
    for person in (RITA, CARL, ANA):
        assert house.sent(person)
        for sent in house.sent(person):
            assert "bcc" not in sent.mail
            assert "boss" not in sent.mail.as_string()
