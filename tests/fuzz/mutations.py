"""Breaks a mail: its octets, lines, headers, MIME structure and charsets."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from random import Random

TOKENS = tuple(
    b"\0|\r|\n|\r\n|\r\n\r\n|\x0b|\x0c|\x1c|\x85|\xa0|\xff|\xfe|\xc3|\xe2\x80\xa8|\xe2\x80\xae|"
    b"\xed\xa0\x80|\xef\xbb\xbf|\xf0\x9f|\x1b$B|\x1b(B|~{|+ADw-|=?|?=|=?utf-8?q?=00=ff?=|"
    b"=?utf-16?b?2AAA?=|=?x-unknown?q?a?=|=?idna?q?xn--?=|=?utf-7?q?+ADw-script+AD4-?=|"
    b"<|>|(|)|\"|\\|,|:|;|@|[|]|.|--|-- |> |*|'|=|%|%00|%0d%0a|../|&#0;|&#xd800;|&amp;|<p>|</p>|"
    b"<!--|-->|<script>|<style>|<svg/onload=x>|<a href=javascript:x>|</textarea>|<![CDATA[|"
    b"On 1 May 2026, x@y.test wrote:|From: |Subject: |begin 644 x|##-".split(b"|")
)
CHARSETS = (
    b"utf-8|us-ascii|iso-8859-1|windows-1252|utf-7|utf-16|utf-16le|utf-32|utf-32le|iso-2022-jp|"
    b"iso-2022-kr|hz-gb-2312|gb2312|big5|ks_c_5601-1987|koi8-r|windows-1251|shift_jis|cp850|johab|"
    b"x-mac-roman|viscii|x-user-defined|replacement|idna|punycode|rot13|unicode_escape|undefined|"
    b'base64|mbcs|x-unknown|"|=?utf-8?q?utf-8?=|utf\xff8|*'.split(b"|")
)
ENCODINGS = tuple(
    b"7bit|8bit|binary|base64|quoted-printable|x-uuencode|BASE64 |base64;x|gzip|\0|".split(b"|")
)
TYPES = (
    b"text/plain|text/html|text/plain; format=flowed; delsp=yes|multipart/mixed|text|/|"
    b'multipart/mixed; boundary=|multipart/alternative; boundary="=_b1"|multipart/digest; '
    b"boundary==_b1|message/rfc822|message/partial|message/delivery-status|multipart/report; "
    b"report-type=delivery-status; boundary==_b1|application/ms-tnef; name=winmail.dat|"
    b"image/svg+xml; name*0*=utf-8''%2e%2e%2f; name*1=x|text/calendar|multipart/x; "
    b"boundary*=utf-8''%3D_b1".split(b"|")
)
PEOPLE = (
    b'a@b.test|a@b.test, c@d.test|<a@b.test>|"a@b.test" <c@d.test>|a@b@c.test|<>|@|g: a@b.test;|'
    b"undisclosed-recipients:;|a@b.test (x (y|=?utf-8?q?a=40b.test?= <c@d.test>|a@[1.2.3.4]|"
    b'<@r.test:a@b.test>|"a b"@c.test|a@b\xc3\xbc.test|a@\xe2\x84\xaab.test|a@b.test.|,,,|'
    b'a@b.test\\|"\\"" <a@b.test>|=?utf-8?b?w7w=?= <a@b.test>|a@b..test|a @b.test|a <a@b.test>'
).split(b"|")
NAMES = (
    b"From|To|Cc|Reply-To|Sender|Subject|Date|Message-ID|In-Reply-To|References|Content-Type|"
    b"Content-Transfer-Encoding|Content-Disposition|Content-ID|MIME-Version|Auto-Submitted|List-Id|"
    b"Precedence|Return-Path|Received|Authentication-Results|Content-Language|X-Loop".split(b"|")
)
DATES = (
    b"Fri, 31 Dec 9999 23:59:60 -2359|0|1 Jan 0000 00:00:00 +0000|29:24:05|Mon, 4 May 2026|"
    b"Thu, 99 Foo 99999 99:99:99 +99999|4 May 26 1:2 XYZ|\xff|, , ,|1e400".split(b"|")
)

Op = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutate(chance: Random, raw: bytes, seeds: Sequence[bytes]) -> bytes:
    """A mail with one to six things broken."""
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4, 6))):
        raw = chance.choice(OPS)(chance, raw, seeds)
    return raw


# --- octets and lines ------------------------------------------------------------------------


def _flip(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    if not raw:
        return raw
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :]


def _insert(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, min(len(raw), chance.choice((200, 2000, len(raw)))))
    new = chance.choice(TOKENS) * chance.choice((1, 1, 1, 2, 50))
    return raw[:at] + (new if chance.random() < 0.8 else chance.randbytes(4)) + raw[at:]


def _cut(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    start = chance.randint(0, len(raw))
    return raw[:start] + raw[start + chance.choice((1, 2, 10, 100, len(raw))) :]


def _copy(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    start, at = chance.randint(0, len(raw)), chance.randint(0, len(raw))
    return raw[:at] + raw[start : start + chance.choice((1, 20, 500))] + raw[at:]


def _lines(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    """Delete, double, swap, indent, join or cut a line."""
    lines = raw.split(b"\n")
    at = chance.randrange(len(lines))
    what = chance.randrange(6)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines[at:at] = [lines[at]] * chance.choice((1, 2, 100))
    elif what == 2:
        other = chance.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif what == 3:
        lines[at] = chance.choice((b" ", b"\t", b"> ", b">>")) + lines[at]
    elif what == 4:
        lines[at : at + 2] = [b"".join(lines[at : at + 2])]
    else:
        lines.insert(at, chance.choice((b"", b"\r", b"--=_b1", b"--=_b1--", b"-- ")))
    return b"\n".join(lines)


def _line_ends(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    bare = raw.replace(b"\r\n", b"\n")
    return bare.replace(b"\n", chance.choice((b"\n", b"\r\n", b"\r", b"\n\r", b"\r\r\n")))


# --- headers ---------------------------------------------------------------------------------


def _value(chance: Random, name: bytes) -> bytes:
    """Something that may stand behind this name, or nearly."""
    low = name.lower()
    if low in (b"from", b"to", b"cc", b"reply-to", b"sender", b"return-path"):
        return chance.choice(PEOPLE)
    if low == b"content-type":
        return chance.choice(TYPES) + chance.choice((b"", b"; charset=" + chance.choice(CHARSETS)))
    if low == b"content-transfer-encoding":
        return chance.choice(ENCODINGS)
    if low == b"date":
        return chance.choice(DATES)
    return b"".join(chance.choice(TOKENS) for _ in range(chance.randint(0, 8)))


def _add_header(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    name = chance.choice(NAMES)
    line = name + chance.choice((b": ", b":", b" : ", b"\t:")) + _value(chance, name) + b"\r\n"
    starts = [0, *(m.end() for m in re.finditer(rb"\n", raw[:8192]))]
    at = chance.choice(starts)
    return raw[:at] + line + raw[at:]


def _change_header(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    """Give a header another value, more of the same, another spelling, or other folds."""
    found = list(re.finditer(rb"(?m)^([!-9;-~]{1,40}):[ \t]?(.*?)\r?$", raw[:16384]))
    if not found:
        return raw
    field = chance.choice(found)
    name, value = field[1], field[2]
    what = chance.randrange(6)
    if what == 0:
        value = _value(chance, name)
    elif what == 1:
        value += chance.choice((b", ", b"; ", b" ")) + _value(chance, name)
    elif what == 2:
        name = name.swapcase()
    elif what == 3:
        value = value.replace(b" ", b"\r\n ")
    elif what == 4:
        value = value * chance.choice((2, 100))
    else:
        coded = b64encode(value) if chance.random() < 0.5 else value.replace(b" ", b"_")
        value = b"=?%s?%s?%s?=" % (chance.choice(CHARSETS), chance.choice((b"q", b"B")), coded)
    return raw[: field.start()] + name + b": " + value + raw[field.end() :]


# --- structure and charsets ------------------------------------------------------------------


def _body_of(raw: bytes) -> int:
    found = re.search(rb"\n\r?\n", raw)
    return found.end() if found else len(raw)


def _wrap(chance: Random, raw: bytes, seeds: Sequence[bytes]) -> bytes:
    """Make the mail a part of another one, once or many times."""
    for i in range(chance.choice((1, 1, 2, 40))):
        kind = chance.choice(
            (b"mixed", b"alternative", b"related", b"digest", b"report", b"signed")
        )
        cut = b"--w%d\r\n" % i
        beside = cut + b"\r\nbeside\r\n" if chance.random() < 0.5 else b""
        end = b"\r\n--w%d--\r\n" % i if chance.random() < 0.8 else b""
        head = b"From: a@b.test\r\nContent-Type: multipart/%s; boundary=w%d\r\n\r\n" % (kind, i)
        raw = head + beside + cut + raw + end
        if len(raw) > 2_000_000:
            break
    return raw


def _attach(chance: Random, raw: bytes, seeds: Sequence[bytes]) -> bytes:
    kind = chance.choice((b"message/rfc822", b"message/delivery-status", b"text/rfc822-headers"))
    return b"From: a@b.test\r\nContent-Type: " + kind + b"\r\n\r\n" + raw


def _splice(chance: Random, raw: bytes, seeds: Sequence[bytes]) -> bytes:
    """One mail's beginning and another's end."""
    other = chance.choice(seeds)
    if chance.random() < 0.5:
        return raw[: _body_of(raw)] + other[_body_of(other) :]
    return raw[: chance.randint(0, len(raw))] + other[chance.randint(0, len(other)) :]


def _boundary(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    """Change boundary lines so that they no longer fit the header, or fit twice."""
    found = list(re.finditer(rb"(?m)^--[^\r\n]{1,200}", raw))
    if not found:
        return raw
    line = chance.choice(found)
    new = chance.choice((b"", line[0] + b"--", line[0] + b" \t", line[0] * 2, line[0][:-1]))
    new = chance.choice((new, line[0] + b"\r\n" + line[0], b"x" + line[0]))
    return raw[: line.start()] + new + raw[line.end() :]


def _charset(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    """Another label, or other octets under the same label."""
    if chance.random() < 0.5:
        new = chance.choice(CHARSETS)
        return re.sub(rb"(?i)(charset=\"?)[^\s;\"]*", lambda m: m[1] + new, raw, count=1)
    cut = _body_of(raw)
    codec = chance.choice(("utf-16", "utf-32-le", "utf-7", "cp1252", "utf-8-sig", "iso2022_jp"))
    return raw[:cut] + raw[cut:].decode("latin-1").encode(codec, "replace")


def _label_words(chance: Random, raw: bytes, _: Sequence[bytes]) -> bytes:
    new = b"=?%s?" % chance.choice(CHARSETS)
    return re.sub(rb"=\?[^?\s]{1,40}\?", lambda _: new, raw, count=chance.choice((0, 1)))


OPS: tuple[Op, ...] = (
    *(_flip, _insert, _insert, _cut, _copy, _lines, _lines, _line_ends),
    *(_add_header, _add_header, _change_header, _change_header, _change_header),
    *(_wrap, _attach, _splice, _boundary, _charset, _label_words),
)
