"""Tokens: sealed addresses, Message-IDs and links that prove what somebody was sent.

A token says what it is for, which ticket (or held mail, or copy) it speaks of, who it was made
for, in which role and until when; a MAC over all of that makes it one of ours (HMAC, RFC 2104,
with SHA-256, cut to 104 bits). It is written in base32 (RFC 4648, section 6) in lower case, so
that it survives servers that fold the case of a local part. A token is a proof that its holder
saw a mail of ours; it is never the identity of whoever writes.

    octet 0       version (2 bits), purpose (3), role (3)
    octet 1       id of the key
    octets 2-3    last day of validity, in days since 2020-01-01
    octets 4-8    number
    octets 9-14   holder: the first six octets of SHA-256 of the address in lower case
    octet 15      generation: tokens of an older one have been called back
    [octets 16-21 nonce, in Message-IDs; in links the first octets of SHA-256 of the file]
    last 13       MAC over all octets before
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum

from mailgate.core.people import Role

VERSION = 1
MAC_OCTETS = 13
NONCE_OCTETS = 6
MAX_NUMBER = 2**40 - 1
MAX_GENERATION = 255
EPOCH = date(2020, 1, 1)
LOCAL_PART_MAX = 64  # octets (RFC 5321, section 4.5.3.1.1)

_FIXED = 16
_DOMAIN = b"mailgate token 1\0"
_SHORT = 47  # characters of a token without nonce
_LONG = 56  # with one
_IN_ADDRESS = re.compile(rf"^([^+@]*)\+([a-z2-7]{{{_SHORT}}})@", re.IGNORECASE)
_IN_ID = re.compile(rf"^<mg\.([a-z2-7]{{{_LONG}}})@", re.IGNORECASE)
# Anywhere in a text: an address may be cut at its "+" or wrapped, and show the token alone.
# "+" is written %2B in links, =2B in quoted text and +2B in reports (RFC 3461, section 4); "/" is
# %2F in a link that a mail server wrapped in one of its own, %252F where two of them did.
_RUN = re.compile(
    rf"(?:(?<![a-z0-9])|(?<=[%=+]2[bf])|(?<=%252[bf]))(?:[a-z2-7]{{{_LONG}}}|[a-z2-7]{{{_SHORT}}})(?![a-z0-9])",
    re.IGNORECASE,
)


class Purpose(IntEnum):
    """What a token is for; one never stands in for another."""

    REPLY = 1  # a reply address: belongs to a ticket
    MESSAGE = 2  # a Message-ID: belongs to a ticket
    BOUNCE = 3  # a return path: `number` is the copy it was made for
    RELEASE = 4  # answers a challenge: `number` is the held mail
    NOTE = 5  # a note address: an agent's words to a ticket that never leave the house
    DUTY = 6  # answers a duty list, or the question about an answer to it: `number` is the list
    SIDE = 7  # a side conversation on a ticket, by address or Message-ID: never for customers
    FILE = 0  # a link to a file, in an agent's notice: `number` is the accepted mail it came in


# A challenge has the release token as its Message-ID: where no address with a token reaches us, an
# answer to it still says what it answers; so it is with a duty list.
_IN_IDS = (Purpose.MESSAGE, Purpose.RELEASE, Purpose.DUTY, Purpose.SIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A secret that tokens are sealed with. A retired one makes none, but still opens them."""

    id: int  # 1 to 255
    secret: bytes = field(repr=False)  # 32 octets
    created: datetime
    retired: datetime | None = None  # a newer one is in use since then
    valid_until: datetime | None = None  # end of its grace time; None: no end


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says. Believed only when `check` finds no fault."""

    purpose: Purpose
    role: Role
    key: int
    last_day: date  # UTC; valid through this day
    number: int
    holder: bytes
    generation: int = 0
    nonce: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A token as it was found, not yet believed. `text` never goes into a log or a trace."""

    token: Token
    text: str = field(repr=False)


_ROLES = (Role.REQUESTER, Role.CC, Role.AGENT, Role.STRANGER, Role.SIDE)


def holder_of(address: str) -> bytes:
    """How a token names a person: six octets that tell nobody the address."""
    return hashlib.sha256(address.encode().lower()).digest()[:6]  # bytes: ASCII letters alone


def pair_of(agent: str, third: str) -> bytes:
    """The holder of a SIDE token that is an agent's: who writes with it, and to whom it leads."""
    return holder_of(f"{agent}\0{third}")


def dead_end_of(agent: str, third: str = "") -> bytes:
    """The holder of a SIDE token of an agent's that leads to nobody: `third` was not reached."""
    return holder_of(f"{agent}\0\0{third}")


def aside_of(agent: str, thirds: Iterable[str]) -> frozenset[bytes]:
    """All holders that an agent's SIDE tokens on a ticket with these third parties may have."""
    pairs = {make(agent, third) for third in thirds for make in (pair_of, dead_end_of)}
    return frozenset({*pairs, dead_end_of(agent)})


def seal(token: Token, key: Key) -> str:
    """The text of a token. Raises ValueError for a number that does not fit."""
    if not 0 <= token.number <= MAX_NUMBER:
        raise ValueError(f"{token.number} does not fit into a token")
    payload = _payload(token)
    return _encode(payload + _mac(payload, key))


def open_(text: str) -> Sealed | None:
    """What a text claims to be, whoever made it; None when it is no token at all.

    Only the one spelling that `seal` writes (in any case of letters) is a token.
    """
    low = text.lower()
    try:
        octets = base64.b32decode(low.upper() + "=" * (-len(low) % 8))
    except ValueError:
        return None
    if len(octets) - _FIXED - MAC_OCTETS not in (0, NONCE_OCTETS) or _encode(octets) != low:
        return None
    version, purpose, role = octets[0] >> 6, octets[0] >> 3 & 7, octets[0] & 7
    if version != VERSION or purpose not in set(Purpose) or role >= len(_ROLES):
        return None
    token = Token(
        purpose=Purpose(purpose),
        role=_ROLES[role],
        key=octets[1],
        last_day=EPOCH + timedelta(days=int.from_bytes(octets[2:4], "big")),
        number=int.from_bytes(octets[4:9], "big"),
        holder=octets[9:15],
        generation=octets[15],
        nonce=octets[_FIXED:-MAC_OCTETS],
    )
    return Sealed(token=token, text=low)


def fault(sealed: Sealed, keys: tuple[Key, ...], now: datetime) -> str:
    """Why a token is not to be believed, "" when it is.

    The MAC is looked at first and in constant time: nothing else of a token that is not ours is
    ever judged.
    """
    token = sealed.token
    key = _genuine(sealed, keys)
    if key is None:
        return "it is not one of ours"
    if key.valid_until is not None and now > key.valid_until:
        return "its key has been withdrawn"
    if now.date() > token.last_day:
        return "it has expired"
    return ""


def _genuine(sealed: Sealed, keys: tuple[Key, ...]) -> Key | None:
    """The key it was sealed with, if it was sealed with one of these."""
    key = next((k for k in keys if k.id == sealed.token.key), None)
    payload = _payload(sealed.token)
    mac = _encode(payload + _mac(payload, key or _NO_KEY))
    return key if hmac.compare_digest(mac, sealed.text) else None


def in_address(address: str) -> Sealed | None:
    """The token in `support+TOKEN@example.org`, not yet believed."""
    found = _IN_ADDRESS.match(address)
    return _without_nonce(open_(found[2])) if found else None


def in_id(message_id: str) -> Sealed | None:
    """The token in `<mg.TOKEN@example.org>`, not yet believed."""
    found = _IN_ID.match(message_id)
    sealed = open_(found[1]) if found else None
    return sealed if sealed and sealed.token.purpose in _IN_IDS else None


def in_link(text: str) -> Sealed | None:
    """The token that a link to a file ends in, not yet believed."""
    sealed = open_(text)
    named = sealed and sealed.token.purpose is Purpose.FILE and sealed.token.nonce
    return sealed if named else None


def message_id(text: str, domain: str) -> str:
    """The Message-ID that carries a token."""
    return f"<mg.{text}@{domain}>"


def address(text: str, mailbox: str, domain: str) -> str:
    """`support+TOKEN@domain`, "" when the local part would be too long (RFC 5321, 4.5.3.1.1)."""
    local = mailbox.rpartition("@")[0].partition("+")[0]
    written = f"{local}+{text}"
    return f"{written}@{domain}" if len(written.encode()) <= LOCAL_PART_MAX else ""


def scrubbed(text: str, keys: tuple[Key, ...]) -> str:
    """The text without any token of ours in it, for other people's copies.

    What only looks like one (a Tor address has 56 such letters, too) stays.
    """

    def judge(found: re.Match[str]) -> str:
        sealed = open_(found[0])
        return "…" if sealed and _genuine(sealed, keys) else found[0]

    return _RUN.sub(judge, text)


def hidden(text: str) -> str:
    """The text without anything that reads as a token, whoever made it: for logs have no keys."""
    return _RUN.sub(lambda found: "…" if open_(found[0]) else found[0], text)


def valid_through(now: datetime, days: int) -> date:
    """The last day of something made now that holds for `days` days."""
    return now.date() + timedelta(days=days)


_NO_KEY = Key(id=0, secret=bytes(32), created=datetime.min.replace(tzinfo=UTC))


def _payload(token: Token) -> bytes:
    first = VERSION << 6 | token.purpose << 3 | _ROLES.index(token.role)
    days = max(0, min((token.last_day - EPOCH).days, 0xFFFF))
    return b"".join(
        (
            bytes((first, token.key)),
            days.to_bytes(2, "big"),
            token.number.to_bytes(5, "big"),
            token.holder,
            bytes((min(token.generation, MAX_GENERATION),)),
            token.nonce,
        )
    )


def _mac(payload: bytes, key: Key) -> bytes:
    return hmac.digest(key.secret, _DOMAIN + payload, "sha256")[:MAC_OCTETS]


def _encode(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()


def _without_nonce(sealed: Sealed | None) -> Sealed | None:
    return sealed if sealed and not sealed.token.nonce else None
