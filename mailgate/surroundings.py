"""What a notice says around its message: the mail it answers, earlier tickets, solved ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote
from zoneinfo import ZoneInfo

from mailgate.core.policy import Policy
from mailgate.wire import body_text, header_text

MAX_LINE = 300  # characters of a quoted line


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The customer's last message, as it stands below an answer."""

    author: str  # a name, never an address
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of it; what does not apply is empty."""

    quoted: Quoted | None = None
    missing: tuple[str, ...] = ()  # names of files that do not go along


def trail(quoted: Quoted | None, policy: Policy) -> dict[str, object]:
    """The variables of `trail.txt.j2` and `trail.html.j2`."""
    if quoted is None or not policy.quote_lines:
        return {"quoted": (), "quoted_by": "", "quoted_at": ""}
    lines = body_text(quoted.text).strip().split("\n")
    kept = [line.rstrip()[:MAX_LINE] for line in lines[: policy.quote_lines]]
    local = quoted.at.astimezone(ZoneInfo(policy.timezone))
    return {
        "quoted": (*kept, *(["[…]"] if len(lines) > len(kept) else [])),
        "quoted_by": header_text(quoted.author),
        "quoted_at": f"{local:%Y-%m-%d %H:%M}",
    }


def discreet(text: str, policy: Policy, instead: str) -> str:
    """A text for customers: where it names an agent's private address, it names `instead`.

    An address may stand there as in a link, with %40 for its @: mail programs write the reader's
    address into links that they check.
    """
    private = _private(tuple(a for one in policy.agents for a in (one.address, *one.aliases)))
    if private is None or not ("@" in text or "%40" in text):
        return text
    return private.sub(lambda found: instead if "@" in found[0] else quote(instead, safe=""), text)


@lru_cache(maxsize=4)
def _private(addresses: tuple[str, ...]) -> re.Pattern[str] | None:
    if not addresses:
        return None
    forms = (f"{re.escape(local)}(?:@|%40){re.escape(host)}" for local, host in _halves(addresses))
    before = r"(?:(?<![\w.+-])|(?<=%[0-9a-f]{2}))"
    return re.compile(rf"{before}(?:{'|'.join(forms)})(?![\w-]|\.\w)", re.IGNORECASE)


def _halves(addresses: tuple[str, ...]) -> list[tuple[str, str]]:
    halves = (address.rpartition("@") for address in sorted(addresses, key=len, reverse=True))
    return [(local, host) for local, _, host in halves]
