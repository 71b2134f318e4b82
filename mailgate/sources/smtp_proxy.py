"""The header with which a proxy in front of us tells who is really there: PROXY protocol v1, v2.

Read strictly: a header that is not exactly right is none. A hop that cannot tell (v1 UNKNOWN,
v2 LOCAL and UNSPEC, as in its own health checks) gives the address "", which nobody trusts.
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from mailgate.sources.smtp_settings import plain_ip

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_MAX = 107  # octets, the line's end included
_V2_MAX = 2048  # octets after the fixed part; addresses need 36, the rest is extensions
_PORT = r"(?:0|[1-9][0-9]{0,4})"
_V1 = re.compile(
    r"PROXY TCP(?P<family>[46]) (?P<source>\S+) (?P<target>\S+)"
    rf" (?P<p1>{_PORT}) (?P<p2>{_PORT})\r\n"
)
_STREAM = {0x11: (IPv4Address, 4), 0x21: (IPv6Address, 16)}  # address family and TCP
_NO_ADDRESS = (0x00, 0x31)  # unspecified; a Unix socket


class NotProxied(Exception):
    """What came is no PROXY header."""


async def read_header(reader: asyncio.StreamReader) -> str:
    """Read a header off the stream; return the client's IP address, "" when the hop has none.

    What follows the header stays in the stream. Raises NotProxied, and IncompleteReadError when
    the stream ends before it.
    """
    start = await reader.readexactly(len(SIGNATURE))
    if start == SIGNATURE:
        fixed = await reader.readexactly(4)
        length = int.from_bytes(fixed[2:], "big")
        if length > _V2_MAX:
            raise NotProxied("too long")
        return client_v2(fixed[0], fixed[1], await reader.readexactly(length))
    if not start.startswith(b"PROXY "):
        raise NotProxied("no header")
    while not start.endswith(b"\r\n"):
        if len(start) >= _V1_MAX:
            raise NotProxied("too long")
        start += await reader.readexactly(1)
    return client_v1(start)


def client_v1(line: bytes) -> str:
    """The client's address in a v1 line, its end included. Raises NotProxied."""
    if re.fullmatch(rb"PROXY UNKNOWN(?: [\x20-\x7e]*)?\r\n", line):
        return ""
    found = _V1.fullmatch(line.decode("latin-1"))
    if found is None or max(int(found["p1"]), int(found["p2"])) > 65535:
        raise NotProxied("not a v1 header")
    try:
        source, target = ip_address(found["source"]), ip_address(found["target"])
    except ValueError as error:
        raise NotProxied("not an address") from error
    if {source.version, target.version} != {int(found["family"])} or "%" in found["source"]:
        raise NotProxied("not of that family")
    return plain_ip(str(source))


def client_v2(version_command: int, family: int, rest: bytes) -> str:
    """The client's address in a v2 header after its signature. Raises NotProxied."""
    if version_command == 0x20:  # LOCAL: the hop speaks for itself
        return ""
    if version_command != 0x21:
        raise NotProxied("not version 2")
    if family in _NO_ADDRESS:
        return ""
    if family not in _STREAM:
        raise NotProxied("not TCP")
    kind, width = _STREAM[family]
    addresses = 2 * width + 4
    if len(rest) < addresses:
        raise NotProxied("too short")
    _check_extensions(rest[addresses:])
    return plain_ip(str(kind(rest[:width])))


def _check_extensions(data: bytes) -> None:
    """Type, length, value: nobody here reads them, but they must add up."""
    while data:
        length = int.from_bytes(data[1:3], "big")
        if len(data) < 3 + length:
            raise NotProxied("extensions do not add up")
        data = data[3 + length :]
