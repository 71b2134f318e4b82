"""Whatever the bytes are, parsing ends in a ParsedMail that a database and a screen can take."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.mail import ParsedMail
from mailgate.core.parse import headers_only, parse, part_bytes
from mailgate.core.strip import strip

PIECES = [
    *(
        b"From: |To: |Subject: |Date: |Message-ID: <|References: |a@acme.test|Content-Type: ".split(
            b"|"
        )
    ),
    b"Content-Type: text/plain; charset=",
    b"Content-Type: text/html",
    b"multipart/mixed; boundary=b",
    b"Content-Type: message/rfc822",
    b"Content-Type: message/delivery-status",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Disposition: attachment; filename*0*=utf-8''%00%ff",
    b"; format=flowed",
    *(
        b"--b|--b--|=?utf-8?q?=00=ff?=|=?utf-16?b?2AAA?=|utf-16|utf-7|iso-2022-jp|\x1b$B".split(
            b"|"
        )
    ),
    *(b"\r\n|\r\n\r\n|\n|\r|\0|\xff\xfe|\xed\xa0\x80|\x85|\xe2\x80\xa8".split(b"|")),
    *(b' |\t|,|:|;|(|)|"|\\|>|<|-- |<p>|<!--|&#0;|&#xd800;'.split(b"|")),
]
MAILS = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=40).map(
    b"".join
)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(key)
            yield from strings(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from strings(inner)
    elif is_dataclass(value):
        for field in fields(value):
            yield from strings(getattr(value, field.name))


def check(mail: ParsedMail, raw: bytes) -> None:
    for text in strings(mail):
        assert "\0" not in text
        assert text.encode("utf-8").decode("utf-8") == text
    assert mail.size == len(raw)
    assert mail.message_id.startswith("<")
    assert mail.message_id.endswith(">")
    assert not {"Cc", "Zl", "Zp"} & {unicodedata.category(c) for c in mail.subject}
    assert all(a.filename and "/" not in a.filename for a in mail.attachments)
    if mail.sender is not None:
        assert mail.from_ == (mail.sender,)


@settings(max_examples=400, deadline=None)
@given(MAILS)
def test_any_bytes_give_a_clean_mail(raw: bytes) -> None:
    mail = parse(raw)
    assert not any(d.startswith("parser-failed") for d in mail.defects)
    check(mail, raw)
    check(headers_only(raw, "too-complex"), raw)
    for attached in mail.attachments:
        assert len(part_bytes(raw, attached.part)) == attached.size


@settings(max_examples=200, deadline=None)
@given(MAILS)
def test_a_mail_put_back_together_reads_the_same(raw: bytes) -> None:  # P10
    first = parse(b"From: a@acme.test\r\nMessage-ID: <1@acme.test>\r\n\r\n" + raw)
    body = first.text.encode("utf-8")
    head = b"From: a@acme.test\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    assert parse(head + body).text == first.text


LINES = st.one_of(
    st.sampled_from(
        [
            "> quoted",
            ">",
            "-- ",
            "--",
            "On 1 May 2025, Bo <bo@acme.test> wrote:",
            "From: x",
            "Sent: y",
            "To: z",
            "Subject: w",
            "-----Original Message-----",
            "________________",
            "Sent from my iPhone",
            "words",
            "##- Please type your reply above this line -##",
            "-Bo",
            "\r",
            "Le 1 mai, Bo a écrit :",
            "",
        ]
    ),
    st.text(max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=30).map("\n".join))
def test_stripping_loses_no_line(text: str) -> None:
    parts = strip(text)
    out = [
        line for part in (parts.visible, parts.quoted, parts.signature) for line in part.split("\n")
    ]
    assert sorted(line for line in out if line) == sorted(line for line in text.split("\n") if line)
    assert parts.visible.strip() or not text.strip()
