"""Whatever is said to the listener, it answers in SMTP, counts, and stays up."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate import journal
from mailgate.sources.smtp import Limits, Wire
from tests.shell.smtp_rig import Client, Rig

LOOPBACK = (ip_network("127.0.0.0/8"),)

_LINES = """EHLO x|LHLO x|HELO x|MAIL FROM:<a@example.com>|MAIL FROM:<>|RSET|DATA|.|VRFY x|STARTTLS
|RCPT TO:<support@example.org>|AUTH PLAIN|BDAT 5 LAST|XCLIENT a=b""".replace("\n", "").split("|")
_BITS = [
    b"RCPT TO:",
    b"NOOP",
    b" SIZE=",
    b" SMTPUTF8",
    b"\r\n.\r\n",
    *(bytes([n]) for n in b'<>@"\\:\0\xff\r\n '),
]
PIECES = st.sampled_from([*(f"{line}\r\n".encode() for line in _LINES), *_BITS])
NOISE = st.lists(PIECES | st.binary(max_size=20), max_size=25).map(b"".join)


def hear(client: Client) -> bytes:
    said = b""
    while True:
        try:
            block = client.socket.recv(65536)
        except ConnectionResetError:
            return said
        if not block:
            return said
        said += block


@pytest.mark.parametrize("protocol", list(Wire))
def test_noise_gets_replies_and_causes_no_trouble(tmp_path: Path, protocol: Wire) -> None:
    with Rig(tmp_path, protocol=protocol) as rig:

        @settings(max_examples=150, deadline=None)
        @given(NOISE)
        def shout(noise: bytes) -> None:
            before = sum(n for (event, _), n in journal.COUNTS.items() if event == "trouble")
            with rig.client() as client:
                client.send(noise + b"\r\nQUIT\r\n")
                client.socket.shutdown(socket.SHUT_WR)
                said = hear(client)
            assert re.fullmatch(rb"(?:[2345]\d\d[ -][\x20-\x7e]+\r\n)*", said), said
            after = sum(n for (event, _), n in journal.COUNTS.items() if event == "trouble")
            assert after == before

        shout()
        with rig.ready() as client:
            client.send(b"still here\r\n.\r\n")
            client.expect("250")


def test_replies_carry_enhanced_codes(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, rig.greeted() as client:
        for line in ("NOOP", "RSET", "VRFY x", "DATA", "RCPT TO:<x>", "MAIL", "BDAT 1", "EXPN x"):
            client.say(line)
            assert re.match(r"([25])\d\d \1\.\d\.\d\d? ", client.reply()[-1]), line


def test_the_greeting_tells_neither_software_nor_version(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, rig.client() as client:
        assert client.line() == "220 mx.example.org ESMTP"


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("RCPT TO:<nobody@example.org>", ("refused", "unknown recipient")),
        ("RCPT TO:<a@example.net>", ("refused", "unknown recipient")),
        ("GET / HTTP/1.1", ("refused", "not a mail client")),
    ],
)
def test_refusals_are_journalled(tmp_path: Path, line: str, event: tuple[str, str]) -> None:
    before = journal.COUNTS[event]
    with Rig(tmp_path) as rig, rig.greeted() as client:
        client.ask("MAIL FROM:<alice@example.com>", "250")
        client.ask(line, "55")
    assert journal.COUNTS[event] == before + 1


def test_a_trusted_network_is_spared_limits_per_peer(tmp_path: Path) -> None:
    limits = Limits(per_ip=1, errors=2)
    with (
        Rig(tmp_path, limits=limits, trusted=LOOPBACK, refuse_bare_newlines=True) as rig,
        rig.greeted() as client,
        rig.greeted() as second,
    ):
        for _ in range(5):
            client.ask("DATA", "503")
        second.ask("NOOP", "250")
        with rig.ready() as third:
            third.send(b"bare\nnewline\r\n.\r\n")
            third.expect("250")
        assert rig.intake.mails()[0]["raw"] == b"bare\nnewline\r\n"


def test_the_total_of_connections_binds_everyone(tmp_path: Path) -> None:
    with (
        Rig(tmp_path, limits=Limits(connections=1), trusted=LOOPBACK) as rig,
        rig.greeted(),
        rig.client() as second,
    ):
        second.expect("421 4.7.0")
        assert second.at_end()
