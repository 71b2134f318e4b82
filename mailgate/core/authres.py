"""Whose word on the author counts: Authentication-Results (RFC 8601), and trace headers of ours.

A header counts for where it stands: our own servers write theirs above the Received header of the
outermost of them (`trust.hops`, counted from the top); all that stands below came with the mail and
can be forged. With `trust.below` our server writes its result directly below its own Received
header instead. Only the topmost header of the pinned authserv-id is read, and strictly: what does
not follow the grammar is not believed, and nothing below it is asked in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from mailgate.core.addresses import comment_end, normal, read
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Stamp
from mailgate.core.policy import Policy, Trust

MISSING = "no Authentication-Results of"  # how the reason begins when our server wrote none
_HEADER = "authentication-results"
_RECIPIENTS = ("delivered-to", "x-original-to")
_PIECE = re.compile(r'(?P<space>[ \t]+)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<plain>[^\s()"\\]+)')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s"\\;])+'
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_ID = re.compile(r' ?("(?:[^"\\]|\\.)*"|[^\s"\\;=,<>@\[\]?/]+)(?: ([0-9]+))? ?')
_METHOD = re.compile(rf" ?({_WORD})(?: ?/ ?[0-9]+)? ?= ?({_WORD})(?= |$)")
# A property without its ptype ("action=none") is no RFC 8601, but large senders write it.
_PROPERTY = re.compile(rf" (?:({_WORD}) ?\. ?)?({_WORD}) ?= ?({_VALUE}|(?=$))(?= |$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One resinfo of a header: `dmarc=pass header.from=example.org`."""

    method: str  # lower case
    verdict: str  # lower case
    properties: tuple[tuple[str, str], ...] = ()  # ("header.from", "example.org"), in order

    def values(self, name: str) -> tuple[str, ...]:
        """The values of one property, such as "header.d"."""
        return tuple(value for key, value in self.properties if key == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A whole Authentication-Results header."""

    authserv_id: str  # unquoted, ASCII letters small; "" when it has none that can be read
    results: tuple[Result, ...] = ()
    broken: bool = False  # does not follow the grammar: not to be believed


def _plain(value: str) -> tuple[str, bool]:
    """The value with each comment and run of white space as one space, and whether it has an end.

    What cannot be told apart (an open comment or quote) is left off: the id before it counts.
    """
    out: list[str] = []
    at = 0
    while at < len(value):
        match = _PIECE.match(value, at)
        if value[at] == "(":
            end, space = comment_end(value, at), True
        else:
            end = match.end() if match else -1
            space = match is not None and match.lastgroup == "space"
        if end < 0:
            return "".join(out), False
        if not (space and out and out[-1] == " "):
            out.append(" " if space else value[at:end])
        at = end
    return "".join(out), True


def _split(text: str) -> list[str]:
    """The pieces between semicolons outside quoted strings."""
    out = [""]
    for piece in re.split(r'("(?:[^"\\]|\\.)*")', text):
        first, *more = [piece] if piece.startswith('"') else piece.split(";")
        out[-1] += first
        out += more
    return out


def _unquoted(value: str) -> str:
    whole = _QUOTED.fullmatch(value)
    return re.sub(r"\\(.)", r"\1", whole[1]) if whole else value


def _result(text: str) -> Result | None:
    """One resinfo, None when it is none (RFC 8601, section 2.2)."""
    match = _METHOD.match(text)
    if match is None:
        return None
    method, verdict = match[1].lower(), match[2].lower()
    properties: list[tuple[str, str]] = []
    text = text[: -1 if text.endswith(" ") else None]
    at = match.end()
    while at < len(text):
        found = _PROPERTY.match(text, at)
        if found is None:
            return None
        name = ".".join(part.lower() for part in (found[1], found[2]) if part)
        properties.append((name, _unquoted(found[3])))
        at = found.end()
    return Result(method=method, verdict=verdict, properties=tuple(properties))


def parse_results(value: str) -> Results:
    """Read an Authentication-Results header, unfolded (RFC 8601, section 2.2). Never raises.

    Comments and white space may stand wherever the grammar allows them. Read beyond the grammar
    are a property without ptype, an empty last value and a semicolon at the end.
    """
    text, whole = _plain(value)
    first, *rest = _split(text)
    match = _ID.fullmatch(first)
    if match is None:
        return Results(authserv_id="", broken=True)
    name = _ascii_lower(_unquoted(match[1]))
    if rest and not rest[-1].strip():
        rest.pop()
    if not whole or not rest or (match[2] or "1") != "1":
        return Results(authserv_id=name, broken=True)
    if [text.strip().lower() for text in rest] == ["none"]:
        return Results(authserv_id=name)
    results = tuple(r for r in map(_result, rest) if r is not None)
    broken = len(results) < len(rest)
    return Results(authserv_id=name, results=() if broken else results, broken=broken)


def _ascii_lower(text: str) -> str:
    """A Kelvin sign is no k: Unicode folding would make other names the same."""
    return re.sub("[A-Z]+", lambda match: match[0].lower(), text)


# --- where a header stands ---------------------------------------------------------------


def foreign(envelope: Envelope, trust: Trust) -> str:
    """Why the mail did not come from this machine or a server of ours; "" when it did."""
    if not envelope.peer:
        return ""
    try:
        address = ip_address(envelope.peer.partition("%")[0])
    except ValueError:
        return f"the peer {envelope.peer} has no address that can be compared"
    address = getattr(address, "ipv4_mapped", None) or address
    if any(address in network for network in trust.trusted):
        return ""
    return f"it came from {envelope.peer}, which is no server of ours"


def _above(trail: Sequence[tuple[str, str]], hops: int) -> int:
    """How many trace headers stand above the Received header of our outermost hop.

    A mail with fewer Received headers came through fewer hops; one with none came directly.
    """
    received = [at for at, (name, _) in enumerate(trail) if name == "received"][:hops]
    return received[-1] if received else len(trail)


def _stamps(trail: Sequence[tuple[str, str]], trust: Trust) -> Iterator[str]:
    """Authentication-Results that stand where only our own servers write, topmost first."""
    above = _above(trail, trust.hops)
    yield from (value for name, value in trail[:above] if name == _HEADER)
    if trust.below:
        for name, value in trail[above + 1 :]:
            if name != _HEADER:
                return
            yield value


def believed(mail: ParsedMail, trust: Trust) -> Results | None:
    """The one header that counts in mail from a server of ours, however it reads."""
    wanted = _ascii_lower(trust.authserv_id)
    found = (parse_results(value) for value in _stamps(mail.trail, trust))
    return next((r for r in found if r.authserv_id == wanted), None)


# --- what it says ------------------------------------------------------------------------


def _domain(value: str) -> str:
    """The domain of an address or of a bare domain, in A-label form, "" when it is neither."""
    whole = normal(value if value.rpartition("@")[0] else f"x@{value.removeprefix('@')}")
    return whole.rpartition("@")[2] if whole else ""


def _domains(result: Result, *names: str) -> set[str]:
    return {_domain(value) for name in names for value in result.values(name)}


def _dmarc(found: Iterable[Result], domain: str) -> tuple[Stamp | None, str]:
    """What DMARC says of the domain in From (RFC 7489); None where it leaves the question open."""
    told = [result for result in found if result.method == "dmarc"]
    if not told:
        return None, ""
    if len(told) > 1:
        return Stamp.NONE, "it holds two DMARC results"
    seen = _domains(told[0], "header.from")
    if seen and seen != {domain}:
        others = ", ".join(sorted(d or "no domain" for d in seen))
        return Stamp.NONE, f"its DMARC result is about {others}, the From header about {domain}"
    verdict = told[0].verdict
    if verdict in ("pass", "fail") and not seen:
        return Stamp.NONE, f"its dmarc={verdict} does not say of which domain"
    if verdict == "pass":
        return Stamp.ALIGNED, f"dmarc=pass for {domain}"
    if verdict == "fail":
        return Stamp.FAILED, f"dmarc=fail for {domain}"
    return None, f"dmarc={verdict}"


def _signs(result: Result, domain: str) -> bool:
    """Whether a good DKIM signature is of exactly the domain in From.

    Relaxed alignment needs a list of public suffixes, and the sender's DMARC record says whether
    it is wanted: that is what a DMARC result is for.
    """
    if result.method != "dkim" or result.verdict != "pass":
        return False
    return (_domains(result, "header.d") or _domains(result, "header.i")) == {domain}


def _logged_in(result: Result, address: str) -> bool:
    """Whether our server took the mail from a login that is the address in From."""
    logins = {normal(value) for value in result.values("smtp.auth")}
    return result.method == "auth" and result.verdict == "pass" and logins == {address}


def about(found: Sequence[Result], address: str) -> tuple[Stamp, str]:
    """What the results of a header say of an address in From."""
    domain = address.rpartition("@")[2]
    stamp, why = _dmarc(found, domain)
    if stamp is not None:
        return stamp, why
    if any(_signs(result, domain) for result in found):
        return Stamp.ALIGNED, f"dkim=pass with a signature of {domain}"
    if any(_logged_in(result, address) for result in found):
        return Stamp.ALIGNED, f"auth=pass with the login {address}"
    named = ", ".join(f"{r.method}={r.verdict}" for r in found)[:200] or "no result"
    return Stamp.NONE, f"nothing in it speaks for {domain} ({why or named})"


def judge(mail: ParsedMail, envelope: Envelope, policy: Policy) -> tuple[Stamp, str]:
    """What our own mail server says of the author, and the reason in one sentence. Never raises.

    ALIGNED needs `dmarc=pass` whose header.from is the domain in From, or `dkim=pass` of exactly
    that domain, or `auth=pass` with From itself as login; SPF alone proves nothing.
    """
    trust = policy.trust
    if not trust.authserv_id:
        return Stamp.ABSENT, "no authserv_id is pinned, so no Authentication-Results counts"
    if mail.sender is None:
        return Stamp.ABSENT, "the mail has no single author that could be proven"
    why = foreign(envelope, trust)
    if why:
        return Stamp.ABSENT, why
    wanted = _ascii_lower(trust.authserv_id)
    header = believed(mail, trust)
    if header is None:
        return Stamp.ABSENT, f"{MISSING} {wanted} where our own server writes it"
    if header.broken:
        return Stamp.NONE, f"the Authentication-Results of {wanted} do not follow RFC 8601"
    stamp, why = about(header.results, mail.sender.addr)
    return stamp, f"Authentication-Results of {wanted}: {why}"


def trusted_recipients(mail: ParsedMail, envelope: Envelope, policy: Policy) -> tuple[str, ...]:
    """Addresses in Delivered-To and X-Original-To that our own servers wrote, each once.

    The same places as for Authentication-Results: above the Received header of our outermost hop,
    in mail that came from this machine or a server of ours.
    """
    trust = policy.trust
    if foreign(envelope, trust):
        return ()
    above = mail.trail[: _above(mail.trail, trust.hops)]
    found = (read(value) for name, value in above if name in _RECIPIENTS)
    boxes = (box.addr for reading in found if not reading.problems for box in reading.boxes)
    return tuple(dict.fromkeys(boxes))
