"""Octets to text: charset labels as mail uses them, an allow-list of codecs, and clean strings.

Part of `parse`. Nothing here raises for bad input: what cannot be decoded becomes U+FFFD, and
`Decoded.defect` says so. Codecs that are no charsets (rot13, idna, unicode_escape, undefined) and
utf-7, which smuggles markup past every filter, are never reached.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import webencodings

# Codecs of Python by the WHATWG name of an encoding, where another codec knows more characters.
_BETTER = {
    "gbk": "gb18030",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso-8859-8-i": "iso8859-8",
    "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman",
    "windows-874": "cp874",
    "iso-2022-jp": "iso2022_jp_ext",
}
# Labels that WHATWG does not know, or sends to "replacement"; mail still uses them.
_ALIASES = {
    "iso-2022-kr": "iso2022_kr",
    "iso-2022-jp-1": "iso2022_jp_1",
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-3": "iso2022_jp_3",
    "hz-gb-2312": "hz",
    "johab": "johab",
    "euc-jisx0213": "euc_jisx0213",
    "utf-16": "utf-16",
    "utf-32": "utf-32",
    "utf-32le": "utf-32-le",
    "utf-32be": "utf-32-be",
    "utf8mb4": "utf-8",
    "x-mac-roman": "mac-roman",
    "x-mac-ce": "mac-latin2",
    "x-gbk": "gb18030",
    "ms949": "cp949",
    "uhc": "cp949",
    "cp936": "gb18030",
    "cp950": "cp950",
    "koi8-t": "koi8-t",
}
_DOS = re.compile(r"(?:cp|ibm|dos)?[-_]?(437|737|775|85[0257-8]|86[0-9])")
# Said of everything by senders who know nothing: UTF-8 is tried first.
_WEAK = frozenset({"windows-1252", "us-ascii", ""})
_LINE_TRASH = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]+"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Text and, when it had to be mended, the defect."""

    text: str
    defect: str = ""  # charset-unknown | charset-guessed | charset-broken


def scrub(text: str) -> str:
    """Valid Unicode without NUL: lone surrogates become U+FFFD, NUL goes."""
    if text.isascii():
        return text.replace("\0", "")
    return _SURROGATE.sub("\ufffd", text.replace("\0", ""))


def one_line(text: str, limit: int = 1000) -> str:
    """A string for a header, a list or a log: one line, no controls, no bidi overrides.

    Runs of C0, C1, U+2028, U+2029 and of characters that reorder text become one space.
    """
    clean = text if text.isascii() and text.isprintable() else _LINE_TRASH.sub(" ", scrub(text))
    return clean.strip()[:limit].strip()


def codec(label: str) -> str | None:
    """The Python codec for a charset label, or None when there is none we would use."""
    label = label.strip(" \t\r\n\"'").lower().partition("*")[0]
    if label in _ALIASES:
        return _ALIASES[label]
    encoding = webencodings.lookup(label)
    if encoding is not None and encoding.name not in ("replacement", "x-user-defined"):
        return _BETTER.get(encoding.name, encoding.name)
    dos = _DOS.fullmatch(label)
    return f"cp{dos[1]}" if dos else None


def guess(data: bytes, second: str = "windows-1252") -> str:
    """Text of octets that nobody labelled: UTF-8 if they are, else `second`, else Windows-1252."""
    try:
        return data.decode("utf-8")
    except UnicodeError:
        pass
    try:
        return data.decode(codec(second) or "windows-1252")
    except UnicodeError:
        return data.decode("windows-1252", "replace")


def _utf8(data: bytes) -> Decoded:
    """UTF-8 with broken octets; Latin text under a wrong label has no whole sequence at all."""
    text = data.decode("utf-8", "replace")
    if all(c in "\ufffd" or c < "\x80" for c in text):
        return Decoded(text=guess(data), defect="charset-guessed")
    return Decoded(text=text, defect="charset-broken")


def decode(data: bytes, label: str = "") -> Decoded:
    """Decode octets under a charset label (RFC 2045, section 6; labels as in WHATWG Encoding)."""
    name = codec(label) if label else "windows-1252"
    if data.isascii() and (name is None or name in ("utf-8", "windows-1252")):
        return Decoded(text=data.decode("ascii"), defect="" if name else "charset-unknown")
    if name is None:
        return Decoded(text=guess(data), defect="charset-unknown")
    if name in _WEAK:
        try:
            text = data.decode("utf-8")
        except UnicodeError:
            return _latin(data)
        return Decoded(text=text, defect="charset-guessed")
    try:
        return Decoded(text=data.decode(name))
    except UnicodeError:
        if name == "utf-8":
            return _utf8(data)
        return Decoded(text=data.decode(name, "replace"), defect="charset-broken")


def _latin(data: bytes) -> Decoded:
    """Windows-1252, which ISO-8859-1 means in practice; five octets of it are nothing."""
    text = data.decode("windows-1252", "replace")
    return Decoded(text=text, defect="charset-broken" if "\ufffd" in text else "")
