"""Passwords of SMTP AUTH: kept as scrypt hashes (RFC 7914), checked in equal time.

A stored hash reads `scrypt$<log2 n>$<r>$<p>$<salt>$<key>`, salt and key in base64.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from hashlib import scrypt

Cost = tuple[int, int, int]  # log2 n, r, p

_LOG_N, _R, _P = 14, 8, 1  # 16 MiB and a few hundredths of a second
_MAX_LOG_N, _MAX_R, _MAX_P = 17, 16, 4
_MEMORY = 512 * 1024 * 1024


def hash_password(password: str, cost: Cost = (_LOG_N, _R, _P)) -> str:
    """Hash a password with a salt of its own, for the configuration file."""
    salt = secrets.token_bytes(16)
    key = _derive(password, salt, cost)
    words = ["scrypt", *map(str, cost), b64encode(salt).decode(), b64encode(key).decode()]
    return "$".join(words)


def verify(password: str, stored: str) -> bool:
    """Tell if the password fits the stored hash. Raises ValueError if that is no such hash."""
    cost, salt, key = _read(stored)
    return hmac.compare_digest(_derive(password, salt, cost), key)


class Logins:
    """The users of one listener: login -> stored hash; an unknown login costs the same work.

    That is the work of most of the hashes: give them all the same costs. Logins are compared
    without regard to case. Raises ValueError for a hash that cannot be read, naming the login.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {login.lower(): stored for login, stored in users.items()}
        costs: Counter[Cost] = Counter()
        for login, stored in users.items():
            try:
                costs[_read(stored)[0]] += 1
            except ValueError as error:
                raise ValueError(f"{login}: {error}") from error
        usual = costs.most_common(1)[0][0] if costs else (_LOG_N, _R, _P)
        self._nobody = hash_password(secrets.token_hex(16), usual)

    def verify(self, login: str, password: str) -> bool:
        """Judge a login; slow on purpose, so call it in a thread."""
        stored = self._users.get(login.lower())
        fits = verify(password, stored or self._nobody)
        return fits and stored is not None


def _derive(password: str, salt: bytes, cost: Cost) -> bytes:
    log_n, r, p = cost
    secret = password.encode("utf-8", "surrogatepass")
    return scrypt(secret, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _read(stored: str) -> tuple[Cost, bytes, bytes]:
    match stored.split("$"):
        case ["scrypt", log_n, r, p, salt, key]:
            cost = (int(log_n), int(r), int(p))
            if not (
                1 <= cost[0] <= _MAX_LOG_N and 1 <= cost[1] <= _MAX_R and 1 <= cost[2] <= _MAX_P
            ):
                raise ValueError("a scrypt hash with costs out of bounds")
            return cost, b64decode(salt, validate=True), b64decode(key, validate=True)
        case _:
            raise ValueError("not a scrypt hash")
