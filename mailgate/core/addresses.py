"""Mailboxes in a header: a strict reading of ours, to be compared with another parser's.

Part of `parse`. Strict means RFC 5322, section 3.4, without the obsolete forms: what is not surely
one mailbox is a problem, and a From with a problem has no single author (reliability A1, A2).
Encoded words are opened only after the structure is known (A3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from encodings.idna import ToASCII

from mailgate.core.charset import one_line
from mailgate.core.header import decode_words
from mailgate.core.mail import Address

MAX_ADDRESSES = 500
_MAX_LOCAL = 64  # octets (RFC 5321, section 4.5.3.1.1)
_MAX_ADDRESS = 254  # octets (RFC 5321, section 4.5.3.1.3, less the angle brackets)
_ATEXT = (
    r"[^\s\x00-\x20\x7f-\xa0\"(),.:;<>@\[\\\]\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]"
)
_ADDR_SPEC = re.compile(
    rf'({_ATEXT}+(?:\.{_ATEXT}+)*|"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[^\x00-\x1f\x7f-\x9f])*")@'
    rf"({_ATEXT}+(?:\.{_ATEXT}+)*|\[[^\[\]\\\s]+\])"
)
_DOT_ATOM = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_ASCII_LOWER = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}
_DEVIANT = re.compile("[\u00df\u03c2\u200c\u200d]")  # IDNA 2003 folds them into other letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The mailboxes of one header, and every reason to doubt them."""

    boxes: tuple[Address, ...]
    problems: tuple[str, ...] = ()


def _label(label: str) -> str | None:
    """One label of a domain in A-label form; None when it only looks like a plain one."""
    if label.isascii():
        return label.translate(_ASCII_LOWER)
    try:
        if _DEVIANT.search(label):
            mapped = b"xn--" + label.lower().encode("punycode")
        else:
            mapped = ToASCII(label[:63])
    except UnicodeError:
        return None
    text = mapped.decode("ascii").lower()
    return text if text.startswith("xn--") and "." not in text else None


def normal(addr: str) -> str | None:
    """One form per mailbox: ASCII letters small, the domain as A-labels, needless quotes gone.

    No Unicode folding of the local part (CVE-2019-19844). None when it is no addr-spec.
    """
    match = _ADDR_SPEC.fullmatch(addr) if len(addr) <= 320 else None
    if match is None:
        return None
    local, domain = match[1], match[2]
    if local.startswith('"'):
        inner = re.sub(r"\\(.)", r"\1", local[1:-1])
        local = inner if _DOT_ATOM.fullmatch(inner) else local
    if not domain.startswith("["):
        labels = [_label(label) for label in domain.split(".")]
        if None in labels:
            return None
        domain = ".".join(label for label in labels if label)
    local, domain = local.translate(_ASCII_LOWER), domain.translate(_ASCII_LOWER)
    # A-labels grow: what counts is the form that is stored and written in SMTP.
    whole = f"{local}@{domain}"
    too_long = len(local.encode()) > _MAX_LOCAL or len(whole.encode()) > _MAX_ADDRESS
    return None if too_long else whole


_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<literal>\[[^\[\]\\]*\])|(?P<space>[ \t\r\n]+)"""
    r"""|(?P<special>[(),:;<>@"\[\]\\])|(?P<word>[^ \t\r\n(),:;<>@"\[\]\\]+)""",
    re.DOTALL,
)
_Token = tuple[str, str]  # kind, text


def comment_end(value: str, at: int) -> int:
    """Where the comment that opens at `at` ends, or -1; comments nest (RFC 5322, 3.2.2)."""
    depth, escaped = 0, False
    for index in range(at, len(value)):
        char = value[index]
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return index + 1
    return -1


def _tokens(value: str) -> tuple[list[_Token], set[str]]:
    out: list[_Token] = []
    problems: set[str] = set()
    at = 0
    while at < len(value):
        match = _TOKEN.match(value, at)
        if match is None or match.lastgroup is None:  # pragma: no cover - the classes cover all
            return out, problems | {"unreadable"}
        kind, text, at = match.lastgroup, match[0], match.end()
        if text == "(":
            end = comment_end(value, match.start())
            if end < 0:
                return out, problems | {"unclosed"}
            kind, text, at = "comment", value[match.start() + 1 : end - 1], end
        elif text == '"':  # a second try at every quote would be quadratic
            return out, problems | {"unclosed"}
        elif text in ")[]\\":
            problems.add("unclosed")
        out.append((kind, text))
    return out, problems


def _items(tokens: Sequence[_Token]) -> tuple[list[list[_Token]], set[str]]:
    """Split at commas outside angle brackets; a group's name and its end are dropped."""
    items: list[list[_Token]] = [[]]
    problems: set[str] = set()
    angle = group = False
    for kind, text in tokens:
        if kind == "special" and text in "<>":
            problems |= {"angle"} if angle == (text == "<") else set()
            angle = text == "<"
        if kind == "special" and not angle and text == ",":
            items.append([])
        elif kind == "special" and not angle and text in ":;":
            problems |= {"group"} if group == (text == ";") else {"group", "angle"}
            group = text == ":"
            if text == ":":
                items[-1] = []
            else:
                items.append([])
        else:
            items[-1].append((kind, text))
    return items, problems | ({"angle"} if angle else set())


def _name(tokens: Sequence[_Token]) -> str:
    """The display name of a phrase, or a comment's text."""
    words = (re.sub(r"\\(.)", r"\1", t[1:-1]) if kind == "quoted" else t for kind, t in tokens)
    return re.sub(" {2,}", " ", one_line(decode_words("".join(words)), 200))


def _mailbox(item: list[_Token]) -> tuple[Address | None, str]:
    """One mailbox and "" or the problem with it."""
    bare = [t for t in item if t[0] not in ("comment", "space")]
    if ("special", "<") not in bare:
        addr = normal("".join(t for _, t in item if _ != "comment").strip(" \t\r\n"))
        comments = [t for t in item if t[0] == "comment"]
        return (Address(addr=addr, name=_name(comments[:1])), "") if addr else (None, "address")
    start = item.index(("special", "<"))
    if item[start:].count(("special", ">")) != 1 or bare[-1] != ("special", ">"):
        return None, "angle"
    end = item.index(("special", ">"))
    addr = normal("".join(t for _, t in item[start + 1 : end]).strip(" \t\r\n"))
    if addr is None:
        return None, "address"
    phrase = [t for t in item[:start] if t[0] != "comment"]
    box = Address(addr=addr, name=_name(phrase))
    if any(kind in ("special", "literal") for kind, _ in phrase):
        written = "".join(t for _, t in phrase).strip(" \t\r\n")
        return box, "" if normal(written) == addr else "name"
    return box, ""


def read(value: str) -> Reading:
    """Read a mailbox or address list (RFC 5322, section 3.4). Linear; never raises."""
    tokens, problems = _tokens(value)
    items, more = _items(tokens)
    problems |= more
    boxes: list[Address] = []
    for item in items:
        if all(kind in ("space", "comment") for kind, _ in item):
            continue
        if len(boxes) >= MAX_ADDRESSES:
            problems.add("too-many")
            break
        box, problem = _mailbox(item)
        boxes += [box] if box else []
        problems |= {problem} if problem else set()
    return Reading(boxes=tuple(boxes), problems=tuple(sorted(problems)))
