"""The relay that takes everything and delivers nothing, from the side of an SMTP client."""

from __future__ import annotations

import smtplib
import socket
from pathlib import Path

import pytest

from mailgate.ops.catching import CatchingRelay, CaughtMail

MAIL = b"Subject: x\r\n\r\n.\r\n..two\r\nGr\xc3\xbc\xc3\x9fe\r\n"


def to(relay: CatchingRelay) -> smtplib.SMTP:
    return smtplib.SMTP(relay.host, relay.port)


def test_mails_are_kept_byte_for_byte(tmp_path: Path) -> None:
    told: list[CaughtMail] = []
    with CatchingRelay(tmp_path / "caught", on_mail=told.append) as relay, to(relay) as client:
        client.sendmail("a@example.org", ["b@example.net", "../c d@example.net"], MAIL)
        client.sendmail("", ["b@example.net"], MAIL)
    assert told == relay.mails
    first, second = relay.mails
    assert (first.number, first.mail_from) == (1, "a@example.org")
    assert first.rcpt_tos == ("b@example.net", "../c d@example.net")
    assert second.mail_from == ""
    assert [path.name for path in sorted((tmp_path / "caught").iterdir())] == [
        "00001-b@example.net.eml",
        "00002-b@example.net.eml",
    ]
    for mail in relay.mails:
        assert mail.path
        assert mail.data == mail.path.read_bytes() == MAIL


def test_a_name_of_a_file_is_never_a_way_out(tmp_path: Path) -> None:
    with CatchingRelay(tmp_path / "caught") as relay, to(relay) as client:
        client.sendmail("a@example.org", ["../../b@example.net"], MAIL)
    (path,) = (tmp_path / "caught").iterdir()
    assert path.name == "00001-.._.._b@example.net.eml"


@pytest.mark.parametrize(
    ("dialogue", "replies"),
    [
        (["RCPT TO:<b@example.net>"], ["503"]),
        (["DATA"], ["503"]),
        (["MAIL FROM:<a@example.org>", "MAIL FROM:<a@example.org>"], ["250", "503"]),
        (["MAIL FROM:<a@example.org>", "RSET", "RCPT TO:<b@example.net>"], ["250", "250", "503"]),
        (["MAIL FROM:<a@example.org>", "DATA"], ["250", "503"]),
        (["HELO x", "NOOP", "VRFY b", "QUIT"], ["250", "250", "500", "221"]),
    ],
)
def test_commands_out_of_order(dialogue: list[str], replies: list[str]) -> None:
    with CatchingRelay() as relay, to(relay) as client:
        for line, reply in zip(dialogue, replies, strict=True):
            assert client.docmd(line)[0] == int(reply)
    assert not relay.mails


def test_stopping_closes_what_is_open_and_frees_the_port() -> None:
    relay = CatchingRelay().start()
    with socket.create_connection((relay.host, relay.port), 10) as client:
        assert client.recv(4) == b"220 "
        relay.stop()
        rest = iter(lambda: client.recv(100), b"")
        assert b"".join(rest) == b"catching ESMTP\r\n"
    with CatchingRelay(port=relay.port) as again:
        assert again.port == relay.port


def test_a_taken_port_is_an_error_at_once() -> None:
    with CatchingRelay() as relay, pytest.raises(OSError, match="in use"):
        CatchingRelay(port=relay.port).start()
