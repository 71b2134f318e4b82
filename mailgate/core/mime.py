"""The tree of parts of a mail: what each part says of itself, and its octets.

Part of `parse`. The tree is the standard library's (compat32), with three changes: it never looks
into message/* (an attached mail is one part with its exact bytes), it caps parameters (reliability
P1), and it stops at 1,000 parts and 100 levels (P2).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import Compat32, Policy, compat32

from mailgate.core.charset import one_line
from mailgate.core.header import (
    MAX_PARAMETERS,
    Head,
    parameters,
    raw_text,
)

MAX_PARTS = 1000
MAX_DEPTH = 100
_HEADERS = ("content-type", "content-transfer-encoding", "content-disposition", "content-id")


class TooComplex(Exception):
    """The mail is beyond the limits for parts, levels or parameters."""


class _Part(Message):
    """A part as the standard library's parser fills it."""

    def get_content_type(self) -> str:
        """The type, except that message/* looks like a leaf to the parser."""
        kind = super().get_content_type()
        return "application/octet-stream" if kind.startswith("message/") else kind

    def set_raw(self, name: str, value: str) -> None:
        """Store a header of the part as written, with a bounded number of parameters."""
        if name.lower().startswith("content-"):
            value = ";".join(value.split(";", MAX_PARAMETERS)[:MAX_PARAMETERS])
        super().set_raw(name, value)


class _Factory:
    """Makes parts until there are too many of them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, policy: Policy | Compat32 = compat32) -> _Part:
        self.made += 1
        if self.made > MAX_PARTS:
            raise TooComplex(f"more than {MAX_PARTS} parts")
        return _Part(policy)


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
    part: Message
    children: tuple[Node, ...] = ()

    def content(self) -> tuple[bytes, str]:
        """The part's octets after transfer decoding, and the defect; of a container, none."""
        data = self.part.get_payload(decode=True)
        return _transfer(data, self.encoding) if isinstance(data, bytes) else (b"", "")

    def octets(self) -> bytes:
        """The part's octets, as far as they could be read."""
        return self.content()[0]

    def walk(self) -> Iterator[Node]:
        """This part and all below it, in order; at most MAX_DEPTH levels deep."""
        yield self
        for child in self.children:
            yield from child.walk()


def _text(part: Message, name: str) -> str:
    """A header of a part as text on one line, encoded words untouched."""
    value = next((v for k, v in part.raw_items() if k.lower() == name), "")
    data = str(value).encode("utf-8", "surrogateescape")
    return raw_text(re.sub(rb"[\r\n\x00]+", b"", data))


def _base64(data: bytes) -> tuple[bytes, str]:
    """Base64, also when it is cut, joined from several or full of other characters."""
    lines = data.translate(None, b"\r\n \t")
    try:
        return binascii.a2b_base64(lines, strict_mode=True), ""
    except binascii.Error:
        pieces = re.sub(rb"[^A-Za-z0-9+/=]", b"", lines).split(b"=")
    whole = (piece[: len(piece) - (len(piece) % 4 == 1)] for piece in pieces)
    return b"".join(binascii.a2b_base64(p + b"=" * (-len(p) % 4)) for p in whole), "base64-broken"


def _uuencoded(data: bytes) -> tuple[bytes, str]:
    """The first file of uuencoded text, as far as its lines are whole."""
    out: list[bytes] = []
    begun = False
    for line in data.splitlines():
        if line.startswith(b"begin ") and not begun:
            begun = True
        elif begun and line.strip() in (b"end", b"`"):
            break
        elif begun:
            try:
                out.append(binascii.a2b_uu(line))
            except binascii.Error:
                return b"".join(out), "uuencode-broken"
    return (b"".join(out), "") if begun else (data, "uuencode-broken")


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


def _node(part: Message, index: int, depth: int, default: str = "text/plain") -> tuple[Node, int]:
    """The node of a part and the next free index."""
    if depth > MAX_DEPTH:
        raise TooComplex(f"more than {MAX_DEPTH} levels")
    main, params = parameters(_text(part, "content-type"))
    kind = kind_of(main, default)
    disposition, about = parameters(_text(part, "content-disposition"))
    encoding = parameters(_text(part, "content-transfer-encoding"))[0]
    # Without the header the library hands out the octets as they are; its own decoding forgives
    # neither a blank behind "base64" nor a cut.
    del part["content-transfer-encoding"]
    below: list[Node] = []
    following = index + 1
    inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    # Asked of a leaf, get_payload() would decode it by any charset it names, and can raise.
    inside = part.get_payload() if part.is_multipart() else ()
    for child in inside:
        if not isinstance(child, Message):  # pragma: no cover - the parser makes nothing else
            continue
        node, following = _node(child, following, depth + 1, inner)
        below.append(node)
    made = Node(
        index=index,
        kind=kind,
        params=params,
        disposition=disposition if disposition in ("inline", "") else "attachment",
        name=about.get("filename") or params.get("name", ""),
        encoding=encoding,
        content_id=one_line(_text(part, "content-id"), 300).strip("<> "),
        part=part,
        children=tuple(below),
    )
    return made, following


def tree(head: Head, raw: bytes) -> tuple[Node, tuple[str, ...]]:
    """All parts of a mail and the defects of its structure.

    Raises TooComplex beyond the limits, RecursionError for nesting that ends the parser.
    """
    lines = [
        name.encode("ascii") + b": " + head.first(name) + b"\r\n"
        for name in _HEADERS
        if head.first(name)
    ]
    parser = BytesFeedParser(_Factory(), policy=compat32)
    parser.feed(b"".join(lines) + b"\r\n")
    if kind_of(parameters(raw_text(head.first("content-type")))[0], "").startswith("multipart/"):
        parser.feed(raw[head.body :])
        part = parser.close()
    else:  # one part: the parser's line by line reading would only cost time
        part = parser.close()
        part.set_payload(raw[head.body :].decode("ascii", "surrogateescape"))
    top, _ = _node(part, 0, 0)
    defects = {type(d).__name__ for node in top.walk() for d in node.part.defects}
    return top, tuple(sorted(_DEFECTS.get(name, "mime-broken") for name in defects))


_DEFECTS = {
    "NoBoundaryInMultipartDefect": "mime-no-boundary",
    "StartBoundaryNotFoundDefect": "mime-no-parts",
    "CloseBoundaryNotFoundDefect": "mime-cut",
    "MultipartInvariantViolationDefect": "mime-no-parts",
    "InvalidBase64PaddingDefect": "base64-broken",
    "InvalidBase64CharactersDefect": "base64-broken",
    "InvalidBase64LengthDefect": "base64-broken",
}
