"""SMTP logins: `login:hash` entries, how a hash is made and how a password is checked.

A hash reads `scrypt$N$R$P$SALT$KEY` (RFC 7914; salt and key in URL-safe base64 without padding).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

_HASH = re.compile(r"scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([\w-]{8,86})\$([\w-]{20,86})")
_LOGIN = re.compile(r"[^\s:]+")
_MEMORY = 64 << 20  # octets; N * R * 128 must fit, so that a hash cannot ask for all of our RAM


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _derived(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    secret = password.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=2 * _MEMORY, dklen=32)


def hash_password(password: str, salt: bytes) -> str:
    """What to write after `login:`; `salt` is 16 random octets."""
    n, r, p = 16384, 8, 1
    key = _derived(password, salt, (n, r, p))
    return f"scrypt${n}${r}${p}${_encoded(salt)}${_encoded(key)}"


def check_password(stored: str, password: str) -> bool:
    """Whether `password` is the one `stored` was made from; takes some 50 ms by design."""
    match = _HASH.fullmatch(stored)
    if match is None:
        return False
    salt, key = _decoded(match[4]), _decoded(match[5])
    derived = _derived(password, salt, (int(match[1]), int(match[2]), int(match[3])))
    return hmac.compare_digest(derived, key)


def is_login(entry: str) -> bool:
    """Whether an entry is a usable `login:hash`."""
    login, colon, stored = entry.partition(":")
    match = _HASH.fullmatch(stored)
    if not (colon and _LOGIN.fullmatch(login) and match):
        return False
    n, r, p = int(match[1]), int(match[2]), int(match[3])
    return n > 1 and n & (n - 1) == 0 and 0 < p <= 16 and 0 < n * r * 128 <= _MEMORY


def entries_of(file: Path) -> dict[int, str]:
    """The entries of a users file by line number; blank lines and `#` comments are left out.

    Raises OSError and UnicodeDecodeError.
    """
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    return {
        n: line.strip() for n, line in lines if line.strip() and not line.strip().startswith("#")
    }


def by_login(entries: tuple[str, ...]) -> Mapping[str, str]:
    """Login in lower case -> hash."""
    pairs = (entry.partition(":") for entry in entries)
    return {login.lower(): stored for login, _colon, stored in pairs}
