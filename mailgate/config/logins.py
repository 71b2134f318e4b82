"""SMTP logins as they stand in the configuration: `login:hash`, in a list or in a users file.

The hash reads `scrypt$LOG2N$R$P$SALT$KEY` (RFC 7914; salt and key in base64); the listener checks
passwords against it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

# 1 to 17 for log2 N, 1 to 16 for r, 1 to 4 for p: what one check may cost.
_HASH = re.compile(
    r"scrypt\$([1-9]|1[0-7])\$([1-9]|1[0-6])\$[1-4]"
    r"\$(?:[A-Za-z0-9+/]{4}){1,32}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\$[A-Za-z0-9+/]{43}="
)
_LOGIN = re.compile(r"[^\s:]+")


def is_login(entry: str) -> bool:
    """Whether an entry is a usable `login:hash`."""
    login, colon, stored = entry.partition(":")
    return bool(colon and _LOGIN.fullmatch(login) and _HASH.fullmatch(stored))


def entries_of(file: Path) -> dict[int, str]:
    """The entries of a users file by line number; blank lines and `#` comments are left out.

    Raises OSError and UnicodeDecodeError.
    """
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    return {n: line.strip() for n, line in lines if line.strip() and line.strip()[0] != "#"}


def by_login(entries: tuple[str, ...]) -> Mapping[str, str]:
    """Login -> hash."""
    pairs = (entry.partition(":") for entry in entries)
    return {login: stored for login, _colon, stored in pairs}
