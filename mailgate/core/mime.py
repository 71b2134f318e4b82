"""The tree of parts of a mail: what each part says of itself, and its octets.

Part of `parse`. Parts are found by searching the raw octets for boundary lines, so a mail costs
time for each boundary and not for each line, and no memory beyond its own. A line ends at LF or
CRLF and nowhere else; message/* is never looked into (an attached mail is one part with its exact
bytes). A mail is too complex beyond 1,000 parts, 100 levels or 20,000 boundary lines (P1, P2).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailgate.core.charset import one_line
from mailgate.core.header import MAX_SCAN, Head, parameters, raw_text, split_head

MAX_PARTS = 1000
MAX_DEPTH = 100
MAX_BOUNDARIES = 20_000  # lines that begin with a boundary
_REST = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r?\Z)")  # of a line that begins with a boundary
_NO_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_JOINED = 1000  # pieces of base64 in one part that are told apart
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")


class TooComplex(Exception):
    """The mail is beyond the limits for parts, levels or boundary lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part: its place in walk order, what it says of itself, and the parts in it."""

    index: int
    kind: str  # content type, lower case
    params: dict[str, str]  # of Content-Type
    disposition: str  # inline, attachment, ""
    name: str  # as the sender wrote it, decoded, not cleaned
    content_id: str
    encoding: str  # Content-Transfer-Encoding, lower case
    raw: bytes = field(repr=False)  # the whole mail
    start: int  # of the part's body in `raw`
    end: int
    children: tuple[Node, ...] = ()

    def content(self) -> tuple[bytes, str]:
        """The part's octets after transfer decoding, and the defect; of a container, none."""
        if self.children:
            return b"", ""
        return _transfer(self.raw[self.start : self.end], self.encoding)

    def octets(self) -> bytes:
        """The part's octets, as far as they could be read."""
        return self.content()[0]

    def walk(self) -> Iterator[Node]:
        """This part and all below it, in order; at most MAX_DEPTH levels deep."""
        yield self
        for child in self.children:
            yield from child.walk()


def _base64(data: bytes) -> tuple[bytes, str]:
    """Base64, also when it is cut, joined from several or full of other characters."""
    data = data.translate(None, b"\r\n \t")
    try:
        return binascii.a2b_base64(data, strict_mode=True), ""
    except binascii.Error:
        pieces = data.translate(None, _NO_BASE64).split(b"=", _JOINED)
    pieces[-1] = pieces[-1].replace(b"=", b"")
    whole = (piece[: len(piece) - (len(piece) % 4 == 1)] for piece in pieces)
    return b"".join(binascii.a2b_base64(p + b"=" * (-len(p) % 4)) for p in whole), "base64-broken"


def _lines(data: bytes) -> Iterator[bytes]:
    """Lines without their end, one at a time."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield data[at:end].removesuffix(b"\r")
        at = end + 1


def _uuencoded(data: bytes) -> tuple[bytes, str]:
    """The first file of uuencoded text, as far as its lines are whole."""
    out = bytearray()
    begun = False
    for line in _lines(data):
        if line.startswith(b"begin ") and not begun:
            begun = True
        elif begun and line.strip() in (b"end", b"`"):
            break
        elif begun:
            try:
                out += binascii.a2b_uu(line)
            except binascii.Error:
                return bytes(out), "uuencode-broken"
    return (bytes(out), "") if begun else (data, "uuencode-broken")


def _transfer(data: bytes, encoding: str) -> tuple[bytes, str]:
    """Undo a Content-Transfer-Encoding (RFC 2045, section 6); an unknown one is none."""
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data), ""
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _uuencoded(data)
    return data, ""


def kind_of(main: str, default: str) -> str:
    """The content type, or the default where it is none (RFC 2045, section 5.2)."""
    main = one_line(main.split(" ")[0], 100)
    return main if main.count("/") == 1 and len(main) > 2 else default


def _cuts(raw: bytes, boundary: bytes, start: int, end: int) -> tuple[list[tuple[int, int]], bool]:
    """What lies between boundary lines (RFC 2046, section 5.1.1), and whether the last one came.

    The line end before a boundary line belongs to it; boundary lines in a row are one.
    """
    parts: list[tuple[int, int]] = []
    needle = b"\n--" + boundary
    begin, at = -1, start - 1  # a body begins behind a line end
    for _ in range(MAX_BOUNDARIES):
        found = raw.find(needle, at, end)
        if found < 0:
            return parts + ([(begin, end)] if 0 <= begin < end else []), False
        at = found + 1
        rest = _REST.match(raw, found + len(needle), end)
        if rest is None:
            continue
        if 0 <= begin <= found:
            stop = found - 1 if raw[max(begin, found - 1) : found] == b"\r" else found
            parts.append((begin, stop))
        if rest[1]:
            return parts, True
        begin = rest.end()
        at = begin - 1
    raise TooComplex(f"more than {MAX_BOUNDARIES} boundary lines")


class _Reader:
    """Makes the nodes of one mail and collects what is wrong with its structure."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._made = 0
        self.defects: set[str] = set()

    def node(self, head: Head, start: int, end: int, depth: int, default: str) -> Node:
        """The part whose head was read and whose body is `raw[start:end]`."""
        if depth > MAX_DEPTH:
            raise TooComplex(f"more than {MAX_DEPTH} levels")
        self._made += 1
        if self._made > MAX_PARTS:
            raise TooComplex(f"more than {MAX_PARTS} parts")
        index = self._made - 1
        main, params = parameters(_text(head, "content-type"))
        kind = kind_of(main, default)
        disposition, about = parameters(_text(head, "content-disposition"))
        encoding = parameters(_text(head, "content-transfer-encoding"))[0]
        below: tuple[Node, ...] = ()
        if kind.startswith("multipart/"):
            self.defects |= set() if encoding in _PLAIN_ENCODINGS else {"mime-broken"}
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            below = self._below(params.get("boundary", ""), start, end, depth + 1, inner)
        return Node(
            index=index,
            kind=kind,
            params=params,
            disposition=disposition if disposition in ("inline", "") else "attachment",
            name=about.get("filename") or params.get("name", ""),
            encoding=encoding,
            content_id=one_line(_text(head, "content-id"), 300).strip("<> "),
            raw=self._raw,
            start=start,
            end=end,
            children=below,
        )

    def _below(
        self, boundary: str, start: int, end: int, depth: int, default: str
    ) -> tuple[Node, ...]:
        sought = boundary.rstrip().encode("utf-8", "replace")
        if not sought:
            self.defects.add("mime-no-boundary")
            return ()
        cuts, closed = _cuts(self._raw, sought, start, end)
        if not cuts:
            self.defects.add("mime-no-parts")
        elif not closed:
            self.defects.add("mime-cut")
        return tuple(self._part(begin, stop, depth, default) for begin, stop in cuts)

    def _part(self, begin: int, stop: int, depth: int, default: str) -> Node:
        # A line behind MAX_SCAN is enough for the head to be too large.
        head = split_head(self._raw[begin : min(stop, begin + 2 * MAX_SCAN)])
        if "head-too-large" in head.defects:
            raise TooComplex("the head of a part is too large")
        self.defects |= {"mime-broken"} if "header-broken" in head.defects else set()
        return self.node(head, begin + head.body, stop, depth, default)


def _text(head: Head, name: str) -> str:
    """A header of a part as text, encoded words untouched."""
    return raw_text(head.first(name))


def tree(head: Head, raw: bytes) -> tuple[Node, tuple[str, ...]]:
    """All parts of a mail and the defects of its structure. Raises TooComplex."""
    reader = _Reader(raw)
    top = reader.node(head, head.body, len(raw), 0, "text/plain")
    return top, tuple(sorted(reader.defects))
