"""How numbers and lengths of time read in a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta

_DOMAIN = re.compile(r"@[^\s/]*")


def span(length: timedelta) -> str:
    """A length of time in one unit, rounded down; less than nothing (a clock was set) is 0 s."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def count(number: int, one: str, many: str = "") -> str:
    """`1 mail`, `2 mails`, `1,234 mails`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def public_names(names: Collection[str]) -> Mapping[str, str]:
    """Source name -> what a stranger may read of it: no address, and still one name for each."""
    shown: dict[str, str] = {}
    for name in sorted(names):
        bare = candidate = _DOMAIN.sub("", name) or "source"
        again = 1
        while candidate in shown.values():
            again += 1
            candidate = f"{bare} #{again}"
        shown[name] = candidate
    return shown
