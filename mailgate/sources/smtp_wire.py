"""The two small languages inside SMTP: paths with parameters, and dot-stuffed content.

Nothing here waits or knows a socket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO

_LOCAL_MAX = 255  # RFC 5321 says 64; bounce addresses of lists and forwarders are longer
_DOMAIN_MAX = 255
_DOT = b"\r\n.\r\n"

# RFC 5321, section 4.1.2, but doubled and trailing dots are let through: mobile carriers
# gave out such addresses by the million. The source route is read and dropped (appendix C).
_PATH = re.compile(
    r"""<(?:(?:@[^\s<>:"]+:)?
            (?P<path>
                (?P<local>[^\x00-\x20\x7f-\xa0"<>()\[\]\\,;:@]+
                    |"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*")
                (?:@(?P<domain>\w(?:[\w.-]*\w)?\.?|\[[0-9A-Za-z:.-]+\]))?
            )
        )?>(?:[ ]+(?P<params>.*))?\Z""",
    re.VERBOSE,
)
_PARAM = re.compile(r"(?P<key>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~]+))?\Z")


class Refused(Exception):
    """A command cannot be done; `reply` is the answer to it (RFC 5321, section 4.2)."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The argument of MAIL or RCPT: an address ("" for `<>`) and its parameters, keys upper."""

    address: str
    domain: str
    params: dict[str, str]


def read_path(arg: str, keyword: str) -> Path:
    """Read `FROM:<a@b> KEY=value` (RFC 5321, section 4.1.1.2 and 3).

    Raises Refused: 501 for a broken argument, 553 for an address nobody can have.
    """
    if arg[: len(keyword)].upper() != keyword:
        raise Refused(f"501 5.5.4 Syntax: {keyword}<address>")
    rest = arg[len(keyword) :].lstrip(" ")
    if not rest.startswith("<"):
        raise Refused(f"501 5.5.4 Syntax: {keyword}<address>")
    found = _PATH.match(rest)
    if found is None or not rest.isprintable():
        raise Refused("553 5.1.3 That is not an address")
    local, domain = found["local"] or "", found["domain"] or ""
    if len(local) > _LOCAL_MAX or len(domain) > _DOMAIN_MAX:
        raise Refused("553 5.1.3 That address is too long")
    return Path(
        address=found["path"] or "", domain=domain, params=_read_params(found["params"] or "")
    )


def _read_params(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for word in text.split():
        found = _PARAM.match(word)
        if found is None or found["key"].upper() in params:
            raise Refused("501 5.5.4 Bad parameters")
        params[found["key"].upper()] = found["value"] or ""
    return params


@dataclass(slots=True, kw_only=True)
class Content:
    """Collects a mail's content from blocks as they come (RFC 5321, section 4.5.2).

    Only CRLF.CRLF ends it, wherever the blocks are cut; no other mixture of CR, LF and dots
    does. Over `limit` octets `too_big` is set and all is let go, while the search for the end
    goes on. Memory: the content once, and one block.
    """

    limit: int
    received: int = 0  # octets, stuffing included
    kept: int = 0  # octets in memory, until let go
    too_big: bool = False
    gone: bool = False  # nothing is kept any more
    # The CRLF that ended the DATA command stands before the first line, so that a dot in it is
    # seen like any other; these two octets are not kept.
    _pending: bytes = b"\r\n"
    _skip: int = 2
    _held: BytesIO = field(default_factory=BytesIO)

    def feed(self, block: bytes) -> bytes | None:
        """Take a block. Return None while the end has not come, else what followed the end."""
        self.received += len(block)
        data = self._pending + block
        end = data.find(_DOT)
        if end >= 0:
            self._keep(data[: end + 2])
            self._pending = b""
            self.received -= len(data) - end - len(_DOT)
            return data[end + len(_DOT) :]
        cut = _safe_cut(data)
        self._keep(data[:cut])
        self._pending = data[cut:]
        return None

    def _keep(self, data: bytes) -> None:
        if self.gone:
            return
        skip = min(self._skip, len(data))
        self._skip -= skip
        self.kept += self._held.write(data.replace(b"\r\n.", b"\r\n")[skip:])
        if self.kept > self.limit:
            self.too_big = True
            self.let_go()

    def let_go(self) -> None:
        """Keep nothing, now or later; only the end is still looked for."""
        self.gone = True
        self.kept = 0
        self._held = BytesIO()

    def raw(self) -> bytes:
        """Return the content as the client meant it; call it once, after the end."""
        held, self._held = self._held, BytesIO()
        return held.getvalue()


def _safe_cut(data: bytes) -> int:
    """Where to cut so that neither the end mark nor a stuffed dot lies across the cut."""
    cut = max(len(data) - len(_DOT) + 1, 0)
    for back in (1, 2):
        if cut >= back and data[cut - back : cut - back + 3] == b"\r\n.":
            return cut - back
    return cut


def has_bare_newline(raw: bytes) -> bool:
    """Tell if a CR or LF stands alone somewhere (RFC 5321, section 2.3.8 forbids it)."""
    pairs = raw.count(b"\r\n")
    return raw.count(b"\r") != pairs or raw.count(b"\n") != pairs
