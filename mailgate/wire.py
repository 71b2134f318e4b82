"""The wire form of a mail: headers and MIME parts as 7-bit bytes, CRLF, no line over 998 octets.

Written by hand where the standard library raises or guesses: one crafted subject must not block
the outbox. Everything that becomes a header passes `header_text`; every text and file is sent as
quoted-printable or base64, so a boundary that holds "=_" can occur in none of them (RFC 2045, 6.7).
The same input gives the same bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from unicodedata import normalize
from urllib.parse import quote

SUBJECT_MAX = 250
NAME_MAX = 100
ADDRESS_MAX = 240  # characters; RFC 5321, 4.5.3.1 allows 64 + 1 + 255 octets, mail works with 254
_FOLD = 76  # RFC 2047, section 2: no line with an encoded word is longer
_WORD = 52  # characters of payload in one encoded word; leaves room for a header's name
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"')
_PLAIN_Q = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)
_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_CID = re.compile(r"[!-;=?-~]{1,200}")
_DROPPED = re.compile("[\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff]")
_BREAKS = re.compile("\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file that goes along; `inline` with a `content_id` (no brackets) may stand in the HTML."""

    filename: str
    content_type: str
    data: bytes
    inline: bool = False
    content_id: str = ""


def header_text(value: str, limit: int = SUBJECT_MAX) -> str:
    """Any text as one line that is safe in a header; at most `limit` characters.

    Control characters and white space of any kind become single spaces; lone surrogates and
    marks that turn the direction of writing go; composed characters are composed (NFC), as some
    readers do so anyway. Normalising twice changes nothing more.
    """
    spaced = _CONTROLS.sub(" ", _BREAKS.sub(" ", _DROPPED.sub("", value[: limit * 8])))
    line = " ".join(normalize("NFC", spaced).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def body_text(value: str) -> str:
    """Text for a body: LF as the one line end, no control characters but TAB, valid Unicode."""
    return _CONTROLS.sub("", _BREAKS.sub("\n", value))


def message_ids(values: Iterable[str]) -> tuple[str, ...]:
    """Those values that can stand in Message-ID headers (RFC 5322, 3.6.4), each once, in order."""
    return tuple(dict.fromkeys(v for v in values if _ID.fullmatch(v)))


# --- headers -------------------------------------------------------------------------------


def header(name: str, value: str) -> bytes:
    """One unstructured header, folded; RFC 2047 words when it is not plain ASCII."""
    line = header_text(value, 2 * SUBJECT_MAX)
    return _folded(name, _encoded(line) if _strange(line) else line.split(" "))


def id_header(name: str, ids: Sequence[str]) -> bytes:
    """References, In-Reply-To, Message-ID; "" when there is none to name."""
    return _folded(name, ids) if ids else b""


def address_header(name: str, address: str, display: str = "") -> bytes:
    """A header with one mailbox (RFC 5322, 3.4).

    A local part beyond ASCII stays UTF-8 (RFC 6532): such a header needs a relay with SMTPUTF8.
    """
    return _folded(name, (*_phrase(header_text(display, NAME_MAX)), f"<{addr_spec(address)}>"))


def addr_spec(address: str) -> str:
    """An address that can say nothing but itself: odd local parts quoted, domain as A-labels."""
    local, _, domain = header_text(address, ADDRESS_MAX).replace(" ", "").rpartition("@")
    domain = re.sub(r"[^A-Za-z0-9.:\[\]_-]", "", _a_labels(domain))
    atoms = local.split(".")
    dot_atom = all(_ATOM.fullmatch(atom) or (atom and not atom.isascii()) for atom in atoms)
    if not dot_atom and not _QUOTED.fullmatch(local):
        local = _quoted(local)
    return f"{local}@{domain}"


def _a_labels(domain: str) -> str:
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:  # no such domain can exist: no mail reaches it, whatever we write here
        return ascii(domain)


def _strange(line: str) -> bool:
    return not line.isascii() or "=?" in line or any(len(word) > 900 for word in line.split(" "))


def _phrase(name: str) -> Sequence[str]:
    if not name:
        return ()
    if _strange(name):
        return _encoded(name)
    words = name.split(" ")
    return words if all(_ATOM.fullmatch(word) for word in words) else (_quoted(name),)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _encoded(line: str) -> list[str]:
    """RFC 2047 words; each one whole characters, as section 5 wants."""
    in_q = sum(_q_cost(char) for char in line) <= len(b64encode(line.encode()))
    words: list[str] = []
    chunk, used = "", 0
    for char in line:
        cost = _q_cost(char) if in_q else len(char.encode())
        if used + cost > (_WORD if in_q else _WORD * 3 // 4):
            words.append(_word(chunk, in_q))
            chunk, used = "", 0
        chunk, used = chunk + char, used + cost
    return [*words, _word(chunk, in_q)]


def _q_cost(char: str) -> int:
    return sum(1 if byte in _PLAIN_Q or byte == 0x20 else 3 for byte in char.encode())


def _word(text: str, in_q: bool) -> str:
    data = text.encode()
    if not in_q:
        return f"=?utf-8?b?{b64encode(data).decode()}?="
    coded = (
        chr(byte) if byte in _PLAIN_Q else "_" if byte == 0x20 else f"={byte:02X}" for byte in data
    )
    return f"=?utf-8?q?{''.join(coded)}?="


def _folded(name: str, tokens: Iterable[str]) -> bytes:
    lines: list[str] = []
    line, bare = f"{name}:", True
    for token in tokens:
        if not bare and len(line) + 1 + len(token) > _FOLD:
            lines.append(line)
            line = ""
        line, bare = f"{line} {token}", False
    return ("\r\n".join((*lines, line)) + "\r\n").encode()


# --- bodies --------------------------------------------------------------------------------


def body(text: str, html: str, parts: Sequence[Part], seed: str) -> bytes:
    """MIME-Version, the content headers, an empty line and the body.

    multipart/alternative of text and HTML; inside it multipart/related when the HTML shows
    inline parts; around it multipart/mixed when files go along. `seed` makes the boundaries.
    """
    shown = [part for part in parts if _is_shown(part, html)]
    files = [part for part in parts if part not in shown]
    page = _text_part("html", html)
    if shown:
        page = _multipart("related", seed, [page, *(_file_part(p, inline=True) for p in shown)])
    whole = _multipart("alternative", seed, [_text_part("plain", text), page])
    if files:
        whole = _multipart("mixed", seed, [whole, *(_file_part(part) for part in files)])
    return b"MIME-Version: 1.0\r\n" + whole


def _is_shown(part: Part, html: str) -> bool:
    named = part.inline and bool(_CID.fullmatch(part.content_id))
    return named and part.content_type.startswith("image/") and f"cid:{part.content_id}" in html


def _multipart(subtype: str, seed: str, parts: Sequence[bytes]) -> bytes:
    boundary = f"=_mg.{subtype[:3]}.{sha256(f'{subtype} {seed}'.encode()).hexdigest()[:24]}"
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    cut = f"--{boundary}\r\n".encode()
    inner = b"".join(cut + part + b"\r\n" for part in parts)
    return head + inner + f"--{boundary}--\r\n".encode()


def _text_part(subtype: str, text: str) -> bytes:
    clean = body_text(text)
    plain = len(clean.encode("ascii", "ignore"))
    if (len(clean) - plain) * 4 > plain:
        coding, coded = "base64", _base64(clean.replace("\n", "\r\n").encode())
    else:
        coding, coded = "quoted-printable", _quoted_printable(clean)
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {coding}\r\n"
    return head.encode() + b"\r\n" + coded


def _quoted_printable(text: str) -> bytes:
    # b2a_qp knows only the line end it meets first, so it gets one line at a time.
    lines = (b2a_qp(line.encode()).replace(b"=\n", b"=\r\n") for line in text.split("\n"))
    return b"\r\n".join(lines)


def _base64(data: bytes) -> bytes:
    coded = b64encode(data)
    return b"\r\n".join(coded[at : at + 76] for at in range(0, len(coded), 76))


def _file_part(part: Part, *, inline: bool = False) -> bytes:
    head = [
        f"Content-Type: {_content_type(part.content_type)}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: {'inline' if inline else 'attachment'};",
        f" {_filename(part.filename)}",
    ]
    if inline:
        head.append(f"Content-ID: <{part.content_id}>")
    return "\r\n".join((*head, "", "")).encode() + _base64(part.data)


def _content_type(value: str) -> str:
    """A composite type must not be encoded (RFC 2045, 6.4), so it travels as plain octets."""
    kind = value.lower()
    known = _TYPE.fullmatch(kind) and not kind.startswith(("message/", "multipart/"))
    return kind if known else "application/octet-stream"


def _filename(name: str) -> str:
    """The filename parameter, quoted or in RFC 2231 form; long names keep their extension."""
    clean = re.sub(r"[/\\]", "_", header_text(name, 2000)) or "file"
    stem, dot, extension = clean.rpartition(".")
    if not dot or len(extension) > 20:
        stem, dot, extension = clean, "", ""
    stem = stem[:200]
    while len(quote(f"{stem}{dot}{extension}", safe="")) > 600:
        stem = stem[:-1]
    clean = f"{stem}{dot}{extension}"
    if clean.isascii():
        return f"filename={_quoted(clean)}"
    return f"filename*=utf-8''{quote(clean, safe='')}"
