"""The header block as an MTA sees it, and the text and parameters inside its values.

Part of `parse`. A line ends at CRLF or LF and nowhere else (reliability P6): a bare CR, VT, FF or
NUL never starts a second header. What follows the first line that is no header is body (P7).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import unquote_to_bytes

from mailgate.core.charset import decode, guess, scrub

MAX_HEAD = 128 * 1024  # octets of all headers
MAX_FIELD = 64 * 1024  # octets of one header
MAX_FIELDS = 2000
MAX_SCAN = 512 * 1024  # octets in which the header block must end
MAX_PARAMETERS = 100
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_FROM = re.compile(rb"^from[ \t]*:", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\n\r?\n")
_TRASH = re.compile(rb"[\x00\x0b\x0c\r\x1c-\x1e]")
_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"[ \t\r\n]*")
_Q = re.compile(rb"=([0-9A-Fa-f]{2})")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ID = re.compile(r"<([^<>]{1,996})>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Header fields in order, unfolded octets, and where the body begins."""

    fields: tuple[tuple[str, bytes], ...]  # names as written
    body: int  # offset
    defects: tuple[str, ...] = ()

    def all(self, name: str) -> list[bytes]:
        """Every value of a header, first to last."""
        return [value for key, value in self.fields if key.lower() == name]

    def first(self, name: str) -> bytes:
        """The first value of a header, or b""."""
        return next(iter(self.all(name)), b"")


def _lines(raw: bytes) -> Iterator[tuple[bytes, int]]:
    """Lines without their end, each with the offset behind it."""
    at = 0
    while at < len(raw):
        end = raw.find(b"\n", at)
        if end < 0:
            yield raw[at:], len(raw)
            return
        line = raw[at:end]
        yield (line[:-1] if line.endswith(b"\r") else line), end + 1
        at = end + 1


def _split(raw: bytes) -> tuple[list[tuple[bytes, list[bytes]]], int, set[str]]:
    """Names with the pieces of their values, the offset of the body, and defects."""
    found: list[tuple[bytes, list[bytes]]] = []
    defects: set[str] = set()
    before = 0
    for line, after in _lines(raw):
        if not line:
            return found, after, defects
        if before > MAX_SCAN:
            return found, before, defects | {"head-too-large"}
        if before == 0 and line.startswith((b"From ", b">From ")) and not _FIELD.match(line):
            before = after
            continue
        if line[:1] in b" \t" and found:
            found[-1][1].append(line)
        elif (match := _FIELD.fullmatch(line)) is not None:
            found.append((match[1], [match[2]]))
        else:
            hidden = _FROM.search(_BLANK.split(raw[before : before + MAX_FIELD], 1)[0])
            return (
                found,
                before,
                defects | {"header-broken"} | ({"from-hidden"} if hidden else set()),
            )
        before = after
    return found, len(raw), defects


def split_head(raw: bytes) -> Head:
    """Split the header block off (RFC 5322, section 2.2), within limits, linear in its length.

    Beyond 128 KB or 2,000 headers only From is kept, since a second From decides who wrote it;
    a block that does not end within 512 KB is cut there ("head-too-large"). "from-cut" and
    "from-hidden" say that another reader may find an author that is not in `fields`.
    """
    found, body, defects = _split(raw)
    fields: list[tuple[str, bytes]] = []
    room = MAX_HEAD
    for name, pieces in found:
        value = b"".join(pieces)
        if len(value) > MAX_FIELD:
            value, defects = value[:MAX_FIELD], defects | {"header-cut"}
            defects |= {"from-cut"} if name.lower() == b"from" else set()
        room -= len(name) + len(value)
        if (room < 0 or len(fields) >= MAX_FIELDS) and not (
            name.lower() == b"from" and len(fields) < MAX_FIELDS + 2
        ):
            defects |= {"headers-dropped"}
            continue
        if _TRASH.search(value):
            value, defects = _TRASH.sub(b" ", value), defects | {"header-controls"}
        fields.append((name.decode("ascii"), value.strip(b" \t")))
    return Head(fields=tuple(fields), body=body, defects=tuple(sorted(defects)))


# --- text --------------------------------------------------------------------------------


def raw_text(value: bytes, charset: str = "") -> str:
    """A header value as text, encoded words untouched: UTF-8, then `charset`, then cp1252."""
    return scrub(guess(value, charset or "windows-1252"))


def _octets(encoding: str, text: str) -> bytes:
    """The octets of one encoded word; broken base64 gives as much as there is."""
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return _Q.sub(lambda m: bytes([int(m[1], 16)]), data.replace(b"_", b" "))
    data = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    data = data[: len(data) - (len(data) % 4 == 1)]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def _pieces(text: str) -> Iterator[tuple[str, str | bytes]]:
    """(charset, octets) of encoded words and ("", text) between them (RFC 2047, section 6.2)."""
    at = 0
    word = False
    for match in _WORD.finditer(text):
        gap = text[at : match.start()]
        if gap and not (word and _BETWEEN.fullmatch(gap)):
            yield "", gap
        yield match[1].lower().partition("*")[0], _octets(match[2], match[3])
        at, word = match.end(), True
    if at < len(text):
        yield "", text[at:]


def decode_words(text: str) -> str:
    """Decode encoded words (RFC 2047) wherever they stand, also inside quotes.

    Neighbours of one charset are joined before decoding: many senders cut inside a character.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    for charset, group in groupby(_pieces(text), key=lambda piece: piece[0]):
        pieces = [piece for _, piece in group]
        if charset:
            out.append(decode(b"".join(p for p in pieces if isinstance(p, bytes)), charset).text)
        else:
            out.extend(p for p in pieces if isinstance(p, str))
    return scrub("".join(out))


def ids(value: str) -> tuple[str, ...]:
    """Message-IDs `<...>` in a value (RFC 5322, section 3.6.4), white space inside them removed.

    At most 100: the first, which is the root of the thread, and the last 99.
    """
    found = ("".join(match[1].split()) for match in _ID.finditer(value))
    unique = list(dict.fromkeys(f"<{i}>" for i in found if i and i.isprintable()))
    return tuple(unique if len(unique) <= 100 else [unique[0], *unique[-99:]])


# --- parameters --------------------------------------------------------------------------


def _parameter_texts(value: str) -> list[str]:
    """The pieces between semicolons outside quotes, the first 100 of them; linear."""
    out: list[str] = []
    start, quoted, escaped = 0, False, False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            if at > start:
                out.append(value[start:at])
            start = at + 1
            if len(out) > MAX_PARAMETERS:
                return out
    return [*out, value[start:]]


def _unquote(text: str) -> str:
    text = text.strip(" \t\r\n")
    if not text.startswith('"'):
        return text
    match = _QUOTED.match(text)
    body = match[1] if match else text[1:]
    return re.sub(r"\\(.)", lambda m: m[1] if m[1] in '\\"' else m[0], body)


def _extended(pieces: dict[int, tuple[str, bool]]) -> str:
    """Join the numbered pieces of an RFC 2231 value and decode it."""
    charset, data = "", b""
    for at, (number, (text, encoded)) in enumerate(sorted(pieces.items())):
        if number != at:
            break
        if encoded and at == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data += unquote_to_bytes(text) if encoded else text.encode("utf-8")
    return decode(data, charset).text if charset else guess(data)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Main value (lower case) and parameters of a MIME header (RFC 2045, section 5.1; RFC 2231).

    `name*` and `name*0*` win over `name` (RFC 6266, section 4.3); encoded words are decoded.
    """
    texts = _parameter_texts(value)
    plain: dict[str, str] = {}
    split: dict[str, dict[int, tuple[str, bool]]] = {}
    for text in texts[1:]:
        key, _, content = text.partition("=")
        name, *stars = key.strip(" \t\r\n").lower().split("*")
        content = _unquote(content)
        if not stars:
            plain.setdefault(name, decode_words(content))
        elif stars[0] == "" or stars[0].isdecimal():
            number = int(stars[0][:4] or 0)
            split.setdefault(name, {}).setdefault(number, (content, stars[-1] == ""))
    plain.update((name, _extended(pieces)) for name, pieces in split.items() if 0 in pieces)
    return texts[0].strip(" \t\r\n").lower(), {k: scrub(v) for k, v in plain.items()}
