"""What a notice says around its message: the mail it answers, earlier tickets, solved ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote
from zoneinfo import ZoneInfo

from mailgate.core.people import Agent
from mailgate.core.policy import Policy
from mailgate.wire import body_text, header_text

MAX_LINE = 300  # characters of a quoted line
MAX_NEWER = 20_000  # characters of a message that an answer crossed
SHOWN = 3  # tickets of each kind that a notice names
MAX_RESOLUTION = 300  # characters of how one was solved
_HREF_OR_WORD = re.compile(r"""(\shref="[^"<>]*")|[^\s<>"'()\[\]]+""", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The customer's last message, as it stands below an answer."""

    author: str  # a name, never an address
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """One of the requester's tickets before this one."""

    number: int
    subject: str
    status: str
    queue: str
    days: int  # since it was opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A ticket like this one that was solved."""

    number: int
    subject: str
    queue: str
    resolution: str  # how; where nobody said, the last answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What an agent may want to know of earlier tickets; never for anybody else."""

    earlier: tuple[Earlier, ...] = ()
    solved: tuple[Solved, ...] = ()

    def seen_by(self, agent: Agent | None) -> Past:
        """What this agent may see of it, and no more than is read: queues are walls."""
        queues = agent.queues if agent else ()
        return Past(
            earlier=tuple(e for e in self.earlier if not queues or e.queue in queues)[:SHOWN],
            solved=tuple(s for s in self.solved if not queues or s.queue in queues)[:SHOWN],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A file that does not go along, as agents are told of it."""

    filename: str
    size: int  # octets
    link: str = ""  # where its one reader can fetch it; "" nowhere
    inbox: int = 0  # the mail it came in, 0 for none


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of it; what does not apply is empty."""

    quoted: Quoted | None = None
    newer: Quoted | None = None  # what an agent's answer crossed, or what was said last
    past: Past = field(default_factory=Past)
    missing: tuple[str, ...] = ()  # names of files that do not go along
    left_behind: tuple[LeftBehind, ...] = ()  # the same, for an agent


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


def beside(newer: Quoted | None, policy: Policy, said: Callable[[str], str]) -> dict[str, str]:
    """The message that a notice is shown beside; `said` takes tokens out of words."""
    if newer is None:
        return {"newer": "", "newer_by": "", "newer_at": ""}
    local = newer.at.astimezone(ZoneInfo(policy.timezone))
    return {
        "newer": body_text(said(newer.text)).strip()[:MAX_NEWER],
        "newer_by": header_text(newer.author),
        "newer_at": f"{local:%Y-%m-%d %H:%M}",
    }


def bygone(past: Past, said: Callable[[str], str]) -> dict[str, object]:
    """The variables of `past.txt.j2` and `past.html.j2`; `said` takes tokens out of words."""
    return {
        "earlier": tuple(
            {"number": e.number, "subject": _line(e.subject, said), "status": e.status}
            | {"days": e.days}
            for e in past.earlier
        ),
        "solved": tuple(
            {"number": s.number, "subject": _line(s.subject, said)}
            | {"resolution": header_text(said(s.resolution), MAX_RESOLUTION)}
            for s in past.solved
        ),
    }


def _line(text: str, said: Callable[[str], str]) -> str:
    return header_text(said(text), 120)


def actions(reply_to: str, note_address: str, number: int, policy: Policy) -> dict[str, str]:
    """Links of one tap: a mail that only has to be sent (RFC 6068), to this agent's own address.

    The address proves who writes; the body is a command (`core.commands`). A note goes to its
    own address where there is one: no command has to stand in it.
    """
    commands = {
        "take": "#take",
        "close": "#close",
        "note": "" if note_address else "#note ",
        "waiting": f"#status {policy.life.pending}",
        "help": "#help",
    }
    return {
        name: mailto(
            note_address if name == "note" and note_address else reply_to,
            f"[{policy.subject_tag}#{number}] {name}",
            command,
        )
        for name, command in commands.items()
    }


def mailto(address: str, subject: str, body: str) -> str:
    """A link that opens a mail (RFC 6068); `+` is %2B in it: some programs take it for a space."""
    link = f"mailto:{quote(address, safe='@')}?subject={quote(subject, safe='')}"
    return f"{link}&body={quote(body, safe='')}" if body else link


def discreet(text: str, policy: Policy, instead: str) -> str:
    """A text for customers: where it names an agent's private address, it names `instead`.

    An address may stand there as in a link, with %40 for its @: mail programs write the reader's
    address into links that they check.
    """
    private = _private(tuple(a for one in policy.agents for a in (one.address, *one.aliases)))
    if private is None or not ("@" in text or "%40" in text):
        return text
    return private.sub(lambda found: instead if "@" in found[0] else quote(instead, safe=""), text)


def unlinked(text: str, policy: Policy) -> str:
    """A text or safe HTML for customers: without links to files, which are for agents alone.

    A mail server may have wrapped them in links of its own, once or twice.
    """
    url = policy.files_url.lower()
    once = quote(url, safe="").lower()
    forms = (url, once, quote(once, safe="").lower())
    low = text.lower()
    if not url or not any(form in low for form in forms):
        return text

    def judge(found: re.Match[str]) -> str:
        word = found[0].lower()
        if not any(form in word for form in forms):
            return found[0]
        return "" if found[1] else f"{found[0][: word.find('http')]}…"

    return _HREF_OR_WORD.sub(judge, text)


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
