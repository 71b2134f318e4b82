"""PROXY protocol v1 and v2: the peer is whom the proxy names, and only a proxy may name one."""

from __future__ import annotations

import asyncio
import struct
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate import journal
from mailgate.sources.smtp import Limits
from mailgate.sources.smtp_proxy import (
    SIGNATURE,
    NotProxied,
    client_v1,
    client_v2,
    read_header,
)
from tests.shell.smtp_rig import Client, Rig

LOOPBACK = (ip_network("127.0.0.0/8"),)


def v2(source: str, *, command: int = 0x21, family: int = 0, extra: bytes = b"") -> bytes:
    """A v2 header for a TCP connection from `source`."""
    address = ip_address(source)
    family = family or (0x11 if address.version == 4 else 0x21)
    body = address.packed + address.packed + struct.pack("!HH", 40000, 25) + extra
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


def heard(data: bytes) -> tuple[str, bytes]:
    """What `read_header` makes of these octets, and what it leaves in the stream."""

    async def read() -> tuple[str, bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_header(reader), await reader.read()

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n", ""),
        (v2("192.0.2.7"), "192.0.2.7"),
        (v2("2001:db8::7"), "2001:db8::7"),
        (v2("::ffff:192.0.2.7"), "192.0.2.7"),
        (v2("192.0.2.7", extra=b"\x04\x00\x02xx\x20\x00\x00"), "192.0.2.7"),
        (v2("192.0.2.7", command=0x20), ""),
        (v2("192.0.2.7", family=0x31), ""),
        (SIGNATURE + b"\x20\x00\x00\x00", ""),
        (SIGNATURE + b"\x21\x00\x00\x00", ""),
    ],
)
def test_headers_that_are_understood(header: bytes, client: str) -> None:
    assert heard(header + b"EHLO x\r\n") == (client, b"EHLO x\r\n")


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.example.com\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 56324 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 65536\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 056324 25\r\n",
        b"PROXY TCP4 192.0.2.007 198.51.100.1 56324 25\r\n",
        b"PROXY TCP4 192.0.2.7  198.51.100.1 56324 25\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP4 localhost 198.51.100.1 1 2\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY UNKNOWN" + b" " * 200 + b"\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\nEHLO x\r\n" + b"x" * 100,
        SIGNATURE + b"\x11\x11\x00\x00",
        SIGNATURE + b"\x22\x11\x00\x00",
        SIGNATURE + b"\x21\x11\x00\x04abcd",
        SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 65535,
        v2("192.0.2.7", family=0x12),
        v2("192.0.2.7", family=0x21),
        v2("192.0.2.7", extra=b"\x04\x00\x09xx"),
        v2("192.0.2.7", extra=b"\x04"),
    ],
)
def test_headers_that_are_not(header: bytes) -> None:
    with pytest.raises(NotProxied):
        heard(header)


@given(st.binary(max_size=120))
def test_noise_is_no_header_and_no_crash(noise: bytes) -> None:
    for read in (
        lambda: heard(SIGNATURE + noise),
        lambda: heard(b"PROXY TCP4 " + noise),
        lambda: client_v1(b"PROXY " + noise + b"\r\n"),
        lambda: client_v2(0x21, 0x11, noise),
    ):
        try:
            answer = read()
        except (NotProxied, asyncio.IncompleteReadError):
            continue
        ip = answer if isinstance(answer, str) else answer[0]
        assert ip == "" or ip_address(ip)


@given(st.ip_addresses(), st.binary(max_size=40))
def test_every_address_survives_the_way(address: object, rest: bytes) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert heard(v2(str(address)) + rest) == (str(mapped or address), rest)


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 192.0.2.9 5 25\r\n", v2("192.0.2.7")])
def test_the_peer_is_whom_the_proxy_names(tmp_path: Path, header: bytes) -> None:
    with Rig(tmp_path, proxies=LOOPBACK, trusted=LOOPBACK) as rig, rig.client() as client:
        client.send(header)
        client.expect("220")
        client.ask("EHLO client.example.com", "250")
        client.ask("MAIL FROM:<alice@example.com>", "250")
        client.ask("RCPT TO:<support@example.org>", "250")
        client.ask("DATA", "354")
        client.send(b"x\r\n.\r\n")
        client.expect("250")
        assert rig.intake.mails()[0]["peer"] == "192.0.2.7"


def test_trust_is_for_the_named_peer_and_not_for_the_proxy(tmp_path: Path) -> None:
    named = (ip_network("192.0.2.7"),)
    with Rig(tmp_path, proxies=LOOPBACK, trusted=named, limits=Limits(per_ip=1)) as rig:

        def enter(source: str) -> Client:
            client = rig.client()
            client.send(v2(source))
            return client

        with enter("192.0.2.7") as first, enter("192.0.2.7") as second:
            first.expect("220")
            second.expect("220")  # trusted: not counted for its network
        with enter("192.0.2.8") as first, enter("192.0.2.9") as second:
            first.expect("220")
            second.expect("220")  # another peer behind the same proxy
            with enter("192.0.2.8") as third:
                third.expect("421 4.7.0")
                assert third.at_end()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2("127.0.0.1", command=0x20)])
def test_a_peer_that_the_proxy_cannot_name_is_a_stranger(tmp_path: Path, header: bytes) -> None:
    with (
        Rig(tmp_path, proxies=LOOPBACK, trusted=LOOPBACK, limits=Limits(errors=1)) as rig,
        rig.client() as client,
    ):
        client.send(header)
        client.expect("220")
        client.ask("NONSENSE", "500")
        client.expect("421 4.7.0 Too many errors")


@pytest.mark.parametrize("said", [b"EHLO client.example.com\r\n", SIGNATURE + b"\x21\x99\0\0"])
def test_a_proxy_that_names_nobody_is_a_protocol_error(tmp_path: Path, said: bytes) -> None:
    before = journal.COUNTS["refused", "no PROXY header"]
    with Rig(tmp_path, proxies=LOOPBACK) as rig, rig.client() as client:
        client.send(said)
        client.expect("554 5.5.0")
        assert client.at_end()
    assert journal.COUNTS["refused", "no PROXY header"] == before + 1


def test_a_silent_proxy_is_cut(tmp_path: Path) -> None:
    with (
        Rig(tmp_path, proxies=LOOPBACK, limits=Limits(idle=0.1)) as rig,
        rig.client() as client,
    ):
        client.send(b"PROXY TCP4 192.")
        client.expect("421 4.4.2")
        assert client.at_end()


@pytest.mark.parametrize("said", [b"PROXY TCP4 192.0.2.7 192.0.2.9 5 25\r\n", v2("192.0.2.7")])
def test_nobody_else_may_name_a_peer(tmp_path: Path, said: bytes) -> None:
    with Rig(tmp_path, proxies=(ip_network("192.0.2.0/24"),)) as rig, rig.client() as client:
        client.expect("220")
        client.send(said)
        replies = list(iter(client.line, ""))
        assert replies[-1].startswith("554 5.5.0")
        assert rig.intake.mails() == []
