"""From the wire to the inbox table: the listener with the real intake and a real database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.intake import Intake
from mailgate.parsing import read_mail
from mailgate.sources.smtp import Wire
from store.database import Database
from store.inbox import Settled
from tests.shell.smtp_rig import Client, Rig

THREE = ("support@example.org", "sales@example.org", "billing@example.org")


@pytest.fixture
def intake(sqlite_database: Database) -> Iterator[Intake]:
    intake = Intake(sqlite_database)
    yield intake
    intake.close()


def inbox(database: Database) -> list[Settled]:
    with database.reading() as tx:
        rows = (tx.inbox.get(number) for number in range(1, 2000))
        return [row for row in rows if row is not None]


def raw(database: Database, row: Settled) -> bytes:
    with database.reading() as tx:
        return tx.blobs.get(row.digest)


def stuffed(content: bytes) -> bytes:
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


def test_after_250_the_row_is_there(
    tmp_path: Path, sqlite_database: Database, intake: Intake
) -> None:
    with Rig(tmp_path, submit=intake.submit) as rig, rig.ready(mail_from="") as client:
        client.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        client.expect("250")
        (row,) = inbox(sqlite_database)
        assert raw(sqlite_database, row) == b"Subject: x\r\n\r\nhello\r\n"
        assert row.source == "smtp test"
        assert row.envelope.mail_from == ""
        assert row.envelope.rcpt_tos == ("support@example.org",)


def test_s10_three_recipients_are_three_replies_and_one_row(
    tmp_path: Path, sqlite_database: Database, intake: Intake
) -> None:
    with (
        Rig(tmp_path, submit=intake.submit, protocol=Wire.LMTP) as rig,
        rig.ready(*THREE) as client,
    ):
        client.send(b"x\r\n.\r\n")
        assert [client.line() for _ in THREE] == ["250 2.0.0 Taken"] * 3
        (row,) = inbox(sqlite_database)
        assert row.envelope.rcpt_tos == THREE


def test_the_same_mail_in_two_transactions_is_two_rows(
    tmp_path: Path, sqlite_database: Database, intake: Intake
) -> None:
    with Rig(tmp_path, submit=intake.submit) as rig:
        for _ in range(2):
            with rig.ready() as client:
                client.send(b"Message-ID: <same@example.com>\r\n\r\nx\r\n.\r\n")
                client.expect("250")
        first, second = inbox(sqlite_database)
        assert first.digest == second.digest


def test_s3_an_intake_that_closes_defers(tmp_path: Path, sqlite_database: Database) -> None:
    intake = Intake(sqlite_database)
    with Rig(tmp_path, submit=intake.submit) as rig, rig.ready() as client:
        intake.close()
        before = journal.COUNTS["deferred", "no stable storage"]
        client.send(b"x\r\n.\r\n")
        client.expect("451 4.3.0 Temporary trouble, please try again later")
        assert journal.COUNTS["deferred", "no stable storage"] == before + 1
        assert inbox(sqlite_database) == []


def send_many(port: int, first: int, count: int) -> None:
    client = Client(port)
    with client:
        client.expect("220")
        client.ask("HELO client.example.com", "250")
        for number in range(first, first + count):
            client.ask(f"MAIL FROM:<sender{number}@example.com>", "250")
            client.ask("RCPT TO:<support@example.org>", "250")
            client.ask("DATA", "354")
            client.send(f"Subject: {number}\r\n\r\n{number}\r\n.\r\n".encode())
            client.expect("250")


def test_many_senders_at_once_lose_and_mix_up_nothing(
    tmp_path: Path, sqlite_database: Database, intake: Intake
) -> None:
    with Rig(tmp_path, submit=intake.submit) as rig:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: send_many(rig.port, n * 20, 20), range(16)))
        rows = inbox(sqlite_database)
        assert len(rows) == 320
        for row in rows:
            number = str(row.envelope.mail_from).removeprefix("sender").partition("@")[0]
            assert raw(sqlite_database, row) == f"Subject: {number}\r\n\r\n{number}\r\n".encode()


def test_every_mail_of_the_corpus_is_kept_octet_for_octet(
    tmp_path: Path, sqlite_database: Database, intake: Intake, corpus: Path
) -> None:
    names = sorted(json.loads((corpus / "manifest.json").read_text())["messages"])
    sent = []
    with (
        Rig(tmp_path, submit=intake.submit, trusted=(ip_network("127.0.0.0/8"),)) as rig,
        rig.greeted() as client,
    ):
        for name in names:
            content = (corpus / name).read_bytes()
            if not content.endswith(b"\r\n"):
                content += b"\r\n"
            client.send(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<support@example.org>\r\nDATA\r\n")
            assert [client.line()[:3] for _ in range(3)] == ["250", "250", "354"], name
            client.send(stuffed(content))
            client.expect("250")
            sent.append(content)
    assert [raw(sqlite_database, row) for row in inbox(sqlite_database)] == sent


def test_s1_a_bare_newline_from_a_trusted_peer_is_kept_and_forges_no_sender(
    tmp_path: Path, sqlite_database: Database, intake: Intake
) -> None:
    content = (
        b"Subject: x\rFrom: ana@example.org\r\nFrom: mallory@example.net\r\n"
        b"X-Last: y\rReply-To: ana@example.org\r\n\r\nfirst\nsecond\rthird\r\n"
    )
    with (
        Rig(tmp_path, submit=intake.submit, trusted=(ip_network("127.0.0.0/8"),)) as rig,
        rig.ready() as client,
    ):
        client.send(content + b".\r\n")
        client.expect("250")
    (row,) = inbox(sqlite_database)
    assert raw(sqlite_database, row) == content
    mail = read_mail(content, ("en",))
    assert mail.sender is not None
    assert mail.sender.addr == "mallory@example.net"
    assert not mail.header("reply-to")
