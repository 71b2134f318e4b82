"""Failed logins, remembered by network and by login: who guesses waits longer and longer.

A network that fails too often is turned away for a while. A login that many networks guess at is
never closed: its next attempts only wait, whether the login exists or not, and a network from
which its owner has come in before does not wait at all. All times are seconds of one monotonic
clock, given by the caller.
"""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b
from typing import TypeVar

from mailgate.sources.smtp_settings import Limits

_REMEMBERED = 10_000  # networks, logins, and pairs of them
_FIRST_WAIT = 0.5

K = TypeVar("K", bound=Hashable)


class Guesses:
    """The failures of one listener. Its memory is bounded: the oldest are forgotten."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nets: dict[str, tuple[int, float]] = {}
        self._logins: dict[bytes, tuple[int, float]] = {}
        self._homes: dict[tuple[bytes, str], None] = {}

    def bars(self, net: str, now: float) -> bool:
        """Tell if this network failed too often within the lockout time."""
        return self._count(self._nets, net, now) >= 3 * self._limits.logins

    def wait(self, net: str, login: str, now: float) -> float:
        """Seconds before the next attempt on this login from this network is judged."""
        key = _key(login)
        over = self._count(self._logins, key, now) - self._limits.logins
        if over < 0 or (key, net) in self._homes:
            return 0.0
        # 2 ** 20 of them is days; the exponent is kept small for the float's sake.
        return float(min(_FIRST_WAIT * 2 ** min(over, 20), self._limits.guess_wait))

    def begun(self, net: str, login: str, now: float) -> None:
        """Count an attempt as a failure until it passes: many at once are no way around."""
        _remember(self._nets, net, (self._count(self._nets, net, now) + 1, now))
        key = _key(login)
        _remember(self._logins, key, (self._count(self._logins, key, now) + 1, now))

    def passed(self, net: str, login: str) -> None:
        """Take an attempt's count back: its network starts afresh, the login is at home there."""
        key = _key(login)
        self._nets.pop(net, None)
        count, last = self._logins.pop(key, (1, 0.0))
        if count > 1:
            self._logins[key] = (count - 1, last)
        self._homes[key, net] = None
        if len(self._homes) > _REMEMBERED:
            del self._homes[next(iter(self._homes))]

    def _count(self, counts: dict[K, tuple[int, float]], key: K, now: float) -> int:
        count, last = counts.get(key, (0, now))
        return count if now - last < self._limits.lockout else 0


def _remember(counts: dict[K, tuple[int, float]], key: K, value: tuple[int, float]) -> None:
    counts.pop(key, None)
    counts[key] = value
    if len(counts) > _REMEMBERED:
        del counts[next(iter(counts))]


def _key(login: str) -> bytes:
    """A login of any length in 16 octets, its case not regarded."""
    return blake2b(login.lower().encode("utf-8", "surrogatepass"), digest_size=16).digest()
