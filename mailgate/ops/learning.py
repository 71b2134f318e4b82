"""What `mailgate trust learn` finds out from a probe: whose stamp counts, and where it stands.

An honest probe shows the header that our own server writes; a forged one brings such a header
along, with a mark in it, and shows that it is stripped or not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum

from mailgate.core.authres import Results, about, believed, foreign, parse_results
from mailgate.core.charset import one_line
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Stamp
from mailgate.core.policy import Trust

HONEST = "mailgate probe"  # subjects; the installation's code follows
FORGED = "mailgate forged probe"
_MARK = "x-mailgate-probe"
_AUTHRES = "authentication-results"
_BY = re.compile(r"\bby\s+([^\s;()]+)", re.IGNORECASE)


class NothingToLearn(Exception):
    """The probe has no stamp that could be pinned; the text says why and what to do."""


class Attack(StrEnum):
    """What became of the forged header."""

    STRIPPED = "stripped"
    IGNORED = "not believed"
    BELIEVED = "believed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What [trust] should say."""

    authserv_id: str
    hops: int
    below: bool

    def within(self, trust: Trust) -> Trust:
        """The same policy of trust, with this pin."""
        return replace(trust, authserv_id=self.authserv_id, hops=self.hops, below=self.below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One trace header of a mail, for a table."""

    place: int  # 1 is the topmost
    header: str
    says: str


def observed(mail: ParsedMail) -> Iterator[Observed]:
    """Received and Authentication-Results of a mail, topmost first."""
    for place, (name, value) in enumerate(mail.trail, 1):
        if name == "received":
            yield Observed(place=place, header="Received", says=f"by {_host(value) or '?'}")
        elif name == _AUTHRES:
            yield Observed(place=place, header="Authentication-Results", says=_shown(value))


def _shown(value: str) -> str:
    read = parse_results(value)
    results = " ".join(f"{r.method}={r.verdict}" for r in read.results)
    what = "does not follow RFC 8601" if read.broken else results or "none"
    return one_line(f"{read.authserv_id or 'no id'}: {what}", 200)


def _host(received: str) -> str:
    """The host that wrote a Received header (RFC 5321, section 4.4), in small letters."""
    found = _BY.search(received)
    return found[1].lower() if found else ""


def learn(mail: ParsedMail, envelope: Envelope, trust: Trust) -> Pin:
    """Whose header speaks for the author of an honest probe, and where. Raises NothingToLearn."""
    if mail.sender is None:
        raise NothingToLearn("the probe has no single author; send it from a plain mail client")
    why = foreign(envelope, trust)
    if why:
        raise NothingToLearn(
            f"{why}: add your mail server to trusted in [[smtp]], or let mailgate check for itself "
            "([trust] verify = true)"
        )
    stamps = [
        (place, parse_results(value))
        for place, (name, value) in enumerate(mail.trail)
        if name == _AUTHRES
    ]
    if not stamps:
        raise NothingToLearn(
            "the probe has no Authentication-Results header: your mail server does not check SPF, "
            "DKIM and DMARC, or does not say so"
        )
    for place, header in stamps:
        if header.authserv_id and about(header.results, mail.sender.addr)[0] is Stamp.ALIGNED:
            return _found(mail, place, header, [s for _, s in stamps])
    seen = "; ".join(_shown(value) for name, value in mail.trail if name == _AUTHRES)
    raise NothingToLearn(
        f"no Authentication-Results header speaks for {mail.sender.addr} ({seen}): send the probe "
        "from an address whose domain has DKIM and DMARC, from outside"
    )


def _found(mail: ParsedMail, place: int, header: Results, stamps: list[Results]) -> Pin:
    first = next(s for s in stamps if s.authserv_id == header.authserv_id)
    if first is not header:
        raise NothingToLearn(
            f"{header.authserv_id} writes several headers, and the topmost does not speak for the "
            "author: let the check of DMARC run last, so that its header is on top"
        )
    above = [value for name, value in mail.trail[:place] if name == "received"]
    if not above:
        return Pin(authserv_id=header.authserv_id, hops=1, below=False)
    under = next((value for name, value in mail.trail[place:] if name == "received"), "")
    directly = all(name == _AUTHRES for name, _ in _since(mail, place))
    # The server that wrote it says its name in its own Received header: the one above or below.
    if _host(under) == header.authserv_id and _host(above[-1]) != header.authserv_id:
        return Pin(authserv_id=header.authserv_id, hops=len(above) + 1, below=False)
    if not directly:
        raise NothingToLearn(
            f"the header of {header.authserv_id} stands among headers that others could have "
            "written, neither above nor directly below a Received header of its own"
        )
    return Pin(authserv_id=header.authserv_id, hops=len(above), below=True)


def _since(mail: ParsedMail, place: int) -> tuple[tuple[str, str], ...]:
    """The trace headers between a place and the Received header above it."""
    start = max(at for at in range(place) if mail.trail[at][0] == "received")
    return mail.trail[start + 1 : place]


def attack(mail: ParsedMail, pin: Pin, trust: Trust) -> Attack:
    """What became of the header that a forged probe brought along."""
    header = believed(mail, pin.within(trust))
    if header is not None and any(r.method == _MARK for r in header.results):
        return Attack.BELIEVED
    brought = any(_MARK in value.lower() for name, value in mail.trail if name == _AUTHRES)
    return Attack.IGNORED if brought else Attack.STRIPPED


def forged_probe(pin: Pin, author: str, mailbox: str, code: str, now: datetime) -> str:
    """A mail that claims what only our server may claim, in every place where it could be read."""
    domain = author.rpartition("@")[2]
    claim = (
        f"Authentication-Results: {pin.authserv_id}; {_MARK}=pass; dmarc=pass header.from={domain}"
    )
    hop = f"Received: from forged.invalid by {pin.authserv_id}; {format_datetime(now)}"
    head = [
        *[line for _ in range(pin.hops) for line in (claim, hop)],
        claim,
        f"From: {author}",
        f"To: {mailbox}",
        f"Subject: {FORGED} {code}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{code}.{now:%Y%m%d%H%M%S}@{domain}>",
    ]
    return "\n".join((*head, "", "Nobody should believe the headers of this mail.", ""))
