"""Mails built to take long or much: each grows to the size that is asked for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping

_FROM = b"From: Rita <rita@customer.test>\r\nTo: support@help.test\r\n"
_MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
_HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"

Bomb = Callable[[int], bytes]


def _filled(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def _body(piece: bytes, head: bytes = b"") -> Bomb:
    """A mail whose body is one piece again and again."""
    return lambda size: _FROM + (head or b"\r\n") + _filled(piece, size)


def _field(start: bytes, piece: bytes) -> Bomb:
    """A mail whose head is one piece again and again."""
    return lambda size: _FROM + start + _filled(piece, size) + b"\r\n\r\nHello\r\n"


def _counted(form: bytes, head: bytes = b"", end: bytes = b"\r\n\r\nHello\r\n") -> Bomb:
    """A piece with a running number in it."""
    return lambda size: (
        _FROM + head + b"".join(form % i for i in range(size // (len(form) + 4))) + end
    )


def _nested(kind: bytes) -> Bomb:
    piece = b"Content-Type: " + kind + b"\r\n\r\n"
    return lambda size: _FROM + _filled(piece, size) + b"\r\nHello\r\n"


def _levels(size: int) -> bytes:
    form = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return _FROM + b"".join(form % (i, i) for i in range(size // 60)) + b"\r\nHello\r\n"


def _files(size: int) -> bytes:
    """500 parts, as large as they can be."""
    data = b64encode(b"\xff" * (size // 500 * 3 // 4))
    part = (
        b"--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    return _FROM + _MIXED + (part + data + b"\r\n") * 500 + b"--b--\r\n"


def _one_file(size: int) -> bytes:
    line = b64encode(bytes(range(57))) + b"\r\n"
    head = b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return _FROM + head + _filled(line, size)


def _file_beside_text(size: int) -> bytes:
    line = b64encode(bytes(range(57))) + b"\r\n"
    head = b"--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return _FROM + _MIXED + b"--b\r\n\r\nHello\r\n" + head + _filled(line, size) + b"--b--\r\n"


def _coded(coding: bytes, piece: bytes, kind: bytes = b"text/plain; charset=utf-8") -> Bomb:
    head = b"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (kind, coding)
    return _body(piece, head)


def _charset(label: bytes, piece: bytes) -> Bomb:
    return _body(piece, b"Content-Type: text/plain; charset=%s\r\n\r\n" % label)


def _reports(size: int) -> bytes:
    blocks = b"Final-Recipient: rfc822; a@b.test\r\nAction: failed\r\n\r\n"
    part = b"--b\r\nContent-Type: message/delivery-status\r\n\r\n" + blocks * 20
    head = b"Content-Type: multipart/report; boundary=b\r\n\r\n"
    return _FROM + head + _filled(part, size) + b"--b--\r\n"


BOMBS: Mapping[str, Bomb] = {
    # P1: parameters
    "parameters-empty": _field(b"Content-Type: text/plain", b";"),
    "parameters-many": _counted(b"; p%d=v", b"Content-Type: text/plain"),
    "parameters-rfc2231": _counted(b"; name*%d=v", b"Content-Type: text/plain"),
    "parameters-in-part": _body(b";", _MIXED + b"--b\r\nContent-Type: text/plain"),
    # P2: nesting and parts
    "levels": _levels,
    "attached-in-attached": _nested(b"message/rfc822"),
    "parts-empty": _body(b"--b\r\n", _MIXED),
    "parts-small": _body(b"--b\r\n\r\na\r\n", _MIXED),
    "parts-headers": _body(b"X: y\r\n", _MIXED + b"--b\r\n"),
    "boundary-long": lambda size: (
        _FROM
        + b"Content-Type: multipart/mixed; boundary="
        + b"b" * 60_000
        + b"\r\n\r\n"
        + _filled(b"--" + b"b" * 998 + b"\r\n", size)
    ),
    "boundary-blanks": _body(b"--b" + b" " * 900 + b"x\r\n", _MIXED),
    "boundary-almost": _body(b"--bb\r\n", _MIXED),
    # P3: headers
    "headers-many": _counted(b"X-%d: y\r\n"),
    "headers-from": _field(b"", b"From: a@b.test\r\n"),
    "headers-folded": _field(b"Subject: x\r\n", b" y\r\n"),
    "to-addresses": _field(b"To: ", b"a@b.test, "),
    "to-comments": _field(b"To: ", b"("),
    "to-angles": _field(b"To: ", b"<"),
    "to-quotes": _field(b"To: ", b'"\\"'),
    "to-groups": _field(b"To: ", b"a:;"),
    "to-idn": _field(b"To: ", "a@bücher.test,".encode()),
    "subject-words": _field(b"Subject: ", b"=?utf-8?q?=C3=BC?= "),
    "subject-half-words": _field(b"Subject: ", b"=?a?q?"),
    "references": _field(b"References: ", b"<a@b.test> "),
    # bodies
    "body-lf": _body(b"\n"),
    "body-cr": _body(b"\r"),
    "body-crlf": _body(b"\r\n"),
    "body-lf-in-multipart": _body(b"\n", _MIXED),
    "body-cr-in-multipart": _body(b"\r", _MIXED),
    "body-lines-in-part": _body(b"x\r\n", _MIXED + b"--b\r\n\r\n"),
    "body-one-line": _body(b"x"),
    "body-nul": _body(b"\0"),
    "body-high": _body(b"\xff"),
    "body-utf8": _body("ü".encode()),
    "body-astral": _charset(b"utf-8", "\U0001f600".encode()),
    "body-quotes": _body(b"> x\r\n"),
    "body-deep-quotes": _body(b">"),
    "body-attributions": _body(b"On 1 May, x@y.test wrote:\r\n> a\r\nb\r\n"),
    "body-attribution-line": _body(b"On "),
    "body-blocks": _body(b"From: x\r\nSent: y\r\nTo: z\r\n"),
    "body-dashes": _body(b"-- \r\n"),
    "body-rules": _body(b"_"),
    "body-flowed": _body(b"> a \r\n", b"Content-Type: text/plain; format=flowed\r\n\r\n"),
    "body-flowed-line": _body(b"a \r\n", b"Content-Type: text/plain; format=flowed\r\n\r\n"),
    # transfer encodings and charsets
    "base64-text": _coded(b"base64", b64encode(b"Hello " * 9) + b"\r\n"),
    "base64-junk": _coded(b"base64", b"A=*"),
    "base64-pieces": _coded(b"base64", b"QQ=="),
    "qp-escapes": _coded(b"quoted-printable", b"=C3=BC"),
    "qp-soft": _coded(b"quoted-printable", b"=\r\n"),
    "uu-lines": _coded(b"x-uuencode", b"!00\n", b"image/png"),
    "uu-begin": _coded(b"x-uuencode", b"begin 644 x\n", b"image/png"),
    "utf-7": _charset(b"utf-7", b"+ADw-"),
    "utf-16": _charset(b"utf-16", b"\xd8\x00a\x00"),
    "utf-32": _charset(b"utf-32le", b"\xff\xff\xff\xff"),
    "iso-2022-jp": _charset(b"iso-2022-jp", b"\x1b$B\x1b(B"),
    "iso-2022-broken": _charset(b"iso-2022-kr", b"\x0e\xff"),
    "hz": _charset(b"hz-gb-2312", b"~{~}"),
    "gb18030": _charset(b"gb18030", b"\x81\x30\x81\x30"),
    "unknown-charset": _charset(b"x-unknown", b"\xe9"),
    # HTML
    "html-open": _body(b"<", _HTML),
    "html-div": _body(b"<div>", _HTML),
    "html-list": _body(b"<ul><li>", _HTML),
    "html-amp": _body(b"&", _HTML),
    "html-entities": _body(b"&amp;", _HTML),
    "html-comment": _body(b"<!--", _HTML),
    "html-declaration": _body(b"<!a", _HTML),
    "html-attributes": _counted(b" a%d=b", _HTML + b"<p", b">Hello"),
    "html-table": _body(b"<table><tr><td>x</td></tr></table>\r\n", _HTML),
    "html-quotes": _body(b"<blockquote>", _HTML),
    "html-script": _body(b"<script>", _HTML),
    "html-closed-script": _body(b"<script></script >", _HTML),
    "html-style": _body(b'<p style="color:red;a:url(\\">', _HTML),
    "html-blanks": _body(b" ", _HTML),
    "html-lines": _body(b"\n", _HTML),
    "html-mixed-case": _body("<\u0130>".encode(), _HTML),
    "html-many-parts": _body(b"--b\r\n" + _HTML + b"<p>Hello</p>\r\n", _MIXED),
    "html-and-text": lambda size: (
        _FROM
        + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n"
        + _filled(b"Hello there \r\n", size // 2)
        + b"--b\r\n"
        + _HTML
        + _filled(b"<p>Hello there</p>\r\n", size // 2)
        + b"--b--\r\n"
    ),
    # attachments and reports
    "files-500": _files,
    "file-one": _one_file,
    "file-beside-text": _file_beside_text,
    "file-8bit": _body(b"\xff\xfe", b"Content-Type: image/png\r\n\r\n"),
    "file-8bit-in-part": _body(b"\xff\xfe\r\n", _MIXED + b"--b\r\nContent-Type: image/png\r\n\r\n"),
    "file-attached-mail": _body(b"X: y\r\n", b"Content-Type: message/rfc822\r\n\r\n"),
    "reports": _reports,
    "report-lines": _body(b"A\r\n", b"Content-Type: message/delivery-status\r\n\r\n"),
    "report-blanks": _body(b"\r\n \t \r\n", b"Content-Type: message/delivery-status\r\n\r\n"),
}
