"""What a listener is told: where to listen, what it offers, and every limit it keeps."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path


class Wire(StrEnum):
    """SMTP (RFC 5321) or LMTP (RFC 2033: one answer for each recipient after the data)."""

    SMTP = "smtp"
    LMTP = "lmtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one listener puts up with. Sizes in octets, times in seconds.

    Peers inside `trusted` networks are spared `per_ip` and `errors`: a mail server in front of
    us carries everyone's mail over few connections.
    """

    size: int = 25 * 1024 * 1024  # of one mail, dot-stuffing not counted
    memory: int = 256 * 1024 * 1024  # of all mails under way; past it ...
    small: int = 128 * 1024  # ... one that is larger than this is put off with 452
    recipients: int = 100
    connections: int = 500
    per_ip: int = 20
    commands: int = 1000  # in one session since its last accepted mail
    errors: int = 20  # 4xx and 5xx replies in one session
    logins: int = 5  # failed AUTH in one session; thrice that from one address locks it out
    lockout: float = 600.0  # how long a failed login counts
    guess_wait: float = 8.0  # the longest wait before a login much guessed at is judged
    idle: float = 300.0  # wait for a command, or for the next octet of a mail
    rate: int = 500  # octets per second a mail must come in at, judged over each `window`
    window: float = 60.0
    commit: float = 300.0  # wait for stable storage before answering 451


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """One [[smtp]] section. `port` 0 lets the system choose one.

    `verify(login, password)` judges SMTP AUTH; it runs in a thread and may be slow. AUTH is
    offered only where both `tls` and `verify` are given, and only after STARTTLS.
    `refuse_bare_newlines` answers 550 5.6.11 to a mail with a CR or LF of its own from a peer
    that is not trusted; such a line end never ends a mail in either case. A peer in `proxies`
    must begin with a PROXY header; the address in it is the peer's from then on. A peer that is
    not trusted is greeted after `banner_delay` seconds, and turned away if it spoke before.
    """

    name: str  # of the source, e.g. "smtp 127.0.0.1:2525"
    host: str
    port: int
    protocol: Wire = Wire.SMTP
    hostname: str = "localhost"  # in the greeting
    tls: ssl.SSLContext | None = None
    verify: Callable[[str, str], bool] | None = None
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    banner_delay: float = 0.0
    refuse_bare_newlines: bool = True
    limits: Limits = field(default_factory=Limits)

    def trusts(self, ip: str) -> bool:
        """Tell if a peer's address lies in a trusted network."""
        return _lies_in(ip, self.trusted)

    def is_proxy(self, ip: str) -> bool:
        """Tell if a peer's address is that of a proxy, which must tell who is behind it."""
        return _lies_in(ip, self.proxies)


def _lies_in(ip: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(plain_ip(ip).partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in networks)


def plain_ip(ip: str) -> str:
    """An IP address as text, IPv4 also where a socket for both families gives ::ffff:192.0.2.1."""
    try:
        mapped = getattr(ip_address(ip), "ipv4_mapped", None)
    except ValueError:
        return ip
    return str(mapped or ip)


def server_tls(cert: Path, key: Path) -> ssl.SSLContext:
    """Make the TLS side of a listener: PEM files, TLS 1.2 or later.

    Raises OSError (ssl.SSLError is one) when a file is missing, the two do not fit, or the key
    is encrypted: nobody is there to be asked for its password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key, password="")
    return context
