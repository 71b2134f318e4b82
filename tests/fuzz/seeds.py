"""Mails to begin with: the corpus if it is there, and always some of our own making."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

LARGEST = 64 * 1024  # octets; larger mails only make mutations rare

_HEAD = (
    b"Received: from mx.customer.test by mx.example.org; Mon, 4 May 2026 09:00:00 +0000\r\n"
    b"From: Rita <rita@customer.test>\r\nTo: Support <support@help.test>\r\n"
    b"Cc: Carl <carl@customer.test>, =?utf-8?q?J=C3=B6rg?= <j@xn--bcher-kva.test>\r\n"
    b"Subject: =?utf-8?b?UsO8Y2tmcmFnZQ==?= to order 17\r\n"
    b"Date: Mon, 4 May 2026 11:00:00 +0200\r\nMessage-ID: <1@customer.test>\r\n"
    b"References: <0@customer.test> <mg.7.c0ffee@help.test>\r\nMIME-Version: 1.0\r\n"
)
_PLAIN = (
    b"Hello, the printer does not print.\r\n\r\n-- \r\nRita\r\n\r\n"
    b"On 1 May 2026, Support <support@help.test> wrote:\r\n> Does it print?\r\n> \r\n> Ana\r\n"
)
_PAGE = (
    b"<html><head><style>p{color:red}</style></head><body><p>Hello, <b>Rita</b> &amp; all</p>"
    b'<table><tr><td style="color:&quot;red&quot;">1</td></tr></table><img src="cid:x@y">'
    b"<blockquote type=cite><div>old <a href='https://a.test/?b=1&amp;c'>link</a></div>"
    b"</blockquote></body></html>\r\n"
)
_FILE = b64encode(bytes(range(256)) * 8)


def _mixed(kind: bytes, *parts: bytes) -> bytes:
    inside = b"".join(b"--=_b1\r\n" + part + b"\r\n" for part in parts)
    return (
        b"Content-Type: multipart/" + kind + b'; boundary="=_b1"\r\n\r\n' + inside + b"--=_b1--\r\n"
    )


def own() -> Iterator[bytes]:
    """A mail of each common shape."""
    text = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + _PLAIN
    page = b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n" + _PAGE
    file = (
        b"Content-Type: application/pdf; name*=utf-8''b%C3%BCll.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="bill.pdf"\r\n\r\n' + _FILE
    )
    flowed = b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nlong \r\nline\r\n> q \r\n"
    coded = (
        b"Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: "
        b"quoted-printable\r\n\r\n=1B$B$3$s$K$A$O=1B(B=\r\n end\r\n"
    )
    report = (
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
        b"Final-Recipient: rfc822; rita@customer.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    )
    inner = b"Content-Type: message/rfc822\r\n\r\n" + _HEAD + text
    yield from (_HEAD + part for part in (text, page, file, flowed, coded, inner))
    yield _HEAD + _mixed(b"alternative", text, page)
    yield _HEAD + _mixed(b"mixed", text, file, inner)
    yield _HEAD + _mixed(b"report; report-type=delivery-status", text, report, inner)
    yield _HEAD + _mixed(b"digest", b"\r\n" + _HEAD + text)


def load() -> list[bytes]:
    """Our own mails, and those of the corpus (env MAILGATE_CORPUS) where there is one."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("MAILGATE_CORPUS") or root.parent / "shared" / "corpus")
    found = list(own())
    if (folder / "manifest.json").exists():
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        mails = (
            (folder / name).read_bytes()
            for name in sorted(manifest["messages"])
            if (folder / name).is_file()
        )
        found += [mail for mail in mails if len(mail) <= LARGEST]
    return found
