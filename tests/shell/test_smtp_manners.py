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
from mailgate.sources.smtp import Limits, Listener, ListenerSettings, Wire, _net
from tests.shell.smtp_rig import Client, Rig, accepts

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


def test_a_command_without_end_is_cut(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, rig.greeted() as client:
        client.send(b"NOOP " + b"x" * 70_000)
        client.expect("500 5.5.2")
        assert client.at_end()


@pytest.mark.parametrize(
    ("ip", "trusted"),
    [
        ("192.0.2.77", True),
        ("192.0.3.1", False),
        ("::ffff:192.0.2.1", True),
        ("2001:db8:0:1::9", True),
        ("2001:db8:0:2::9", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_trusted_networks(ip: str, trusted: bool) -> None:
    networks = (ip_network("192.0.2.0/24"), ip_network("2001:db8:0:1::/64"))
    given = ListenerSettings(name="smtp x", host="::1", port=0, trusted=networks)
    assert given.trusts(ip) is trusted


@pytest.mark.parametrize(
    ("ip", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:aaaa::9", "2001:db8:0:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_an_ipv6_peer_is_its_64_bit_network(ip: str, peer: str) -> None:
    assert _net(ip) == peer


def test_stopping_twice_or_before_the_start_is_no_error(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        unstarted = Listener(rig.settings, accepts, rig.intake.submit)
        rig.run(unstarted.stop(1.0))
        rig.run(rig.listener.stop(1.0))
        rig.run(rig.listener.stop(1.0))
        assert unstarted.port == 0
