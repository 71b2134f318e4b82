"""What becomes of hostile and broken mail, by the case numbers of the reliability research."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from mailgate.core.parse import headers_only, parse, part_bytes, parts_bytes

FROM = b"From: Carla <carla@acme.test>\r\nTo: support@example.org\r\n"
TOO_MUCH = {"too-complex"}


def mail(*headers: bytes, body: bytes = b"Hello\r\n") -> bytes:
    return FROM + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body


def mixed(*parts: bytes) -> bytes:
    inside = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return mail(b'Content-Type: multipart/mixed; boundary="b"', body=inside + b"--b--\r\n")


def nested(levels: int) -> bytes:
    out = FROM
    for i in range(levels):
        out += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i)
    return out + b"\r\ndeep\r\n"


# --- P1 to P3: bombs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        mail(b"Content-Type: text/plain" + b";" * 16_000),
        mail(b"Content-Type: text/plain" + b"".join(b"; p%d=v" % i for i in range(2000))),
        mail(b"Content-Type: text/plain" + b"".join(b"; name*%d=v" % i for i in range(5000))),
        mixed(b"Content-Type: text/plain" + b";" * 60_000 + b"\r\n\r\nHello"),
    ],
    ids=["P1-semicolons", "P1-parameters", "P1-rfc2231", "P1-inside-a-part"],
)
def test_parameter_bombs_are_read_up_to_a_limit(raw: bytes) -> None:
    read = parse(raw)
    assert read.text.strip() == "Hello"
    assert not TOO_MUCH & set(read.defects)


@pytest.mark.parametrize(
    "raw",
    [
        nested(150),
        nested(1000),
        mail(
            b"Content-Type: multipart/mixed; boundary=b",
            body=b"--b\r\n\r\n" * 100_000 + b"--b--\r\n",
        ),
        b"".join(b"X-%d: y\r\n" % i for i in range(100_000)) + mail(),
    ],
    ids=["P2-levels", "P2-recursion", "P2-parts", "P3-headers"],
)
def test_mail_beyond_the_limits_is_too_complex(raw: bytes) -> None:
    read = parse(raw)
    assert read.defects[0] == "too-complex"
    assert read.sender is None
    assert read.digest == hashlib.sha256(raw).hexdigest()


def test_too_complex_mail_still_has_its_top_headers() -> None:
    read = parse(nested(150).replace(b"To:", b"Subject: deep\r\nMessage-ID: <d@acme.test>\r\nTo:"))
    assert read.subject == "deep"
    assert read.message_id == "<d@acme.test>"
    assert [a.addr for a in read.from_] == ["carla@acme.test"]


@pytest.mark.parametrize("levels", [1, 50, 99])
def test_levels_within_the_limit_are_read(levels: int) -> None:
    assert parse(nested(levels)).text.strip() == "deep"


def test_nested_attached_mails_are_one_attachment() -> None:  # P2
    raw = FROM + b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"Subject: x\r\n\r\nhi"
    assert [a.content_type for a in parse(raw).attachments] == ["message/rfc822"]


@pytest.mark.parametrize(
    "header",
    [
        b"Cc: " + b"a@acme.test, " * 4000,
        b"Cc: " + b'"' * 60_001,
        b"Cc: " + b'"' + b'\\"' * 30_000,
        b"Cc: " + b"<" * 60_000,
        b"Cc: " + b"(" * 60_000,
        b"Subject: " + b"=?a?q?" * 10_000,
        b"References: " + b"<" * 60_000,
    ],
    ids=[
        "P3-addresses",
        "P3-quotes",
        "P3-escapes",
        "P3-angles",
        "P3-comments",
        "P3-words",
        "P3-ids",
    ],
)
def test_header_bombs_are_capped(header: bytes) -> None:
    read = parse(mail(header))
    assert read.sender is not None
    assert read.sender.addr == "carla@acme.test"
    assert len(read.cc) <= 501


def test_a_thousand_comments_around_from() -> None:  # P3
    raw = b"From: " + b"(" * 1000 + b")" * 1000 + b" carla@acme.test\r\n\r\nhi"
    sender = parse(raw).sender
    assert sender is not None
    assert sender.addr == "carla@acme.test"


def test_headers_beyond_the_limit_go_but_a_second_from_is_seen() -> None:  # P3, A1
    filler = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(200))
    raw = b"From: carla@acme.test\r\n" + filler + b"Subject: late\r\nFrom: eve@evil.test\r\n\r\nhi"
    read = parse(raw)
    assert read.sender is None
    assert {"from-several", "headers-dropped"} <= set(read.defects)
    assert read.subject == ""


# --- P6, P7: where a header begins ---------------------------------------------------------


@pytest.mark.parametrize("trick", [b"\r", b"\x0b", b"\x0c", b"\x00", b"\x1c", b"\x1e", b"\xc2\x85"])
def test_only_a_line_end_ends_a_header(trick: bytes) -> None:  # P6
    raw = b"Subject: x" + trick + b"From: agent@corp.test\r\nFrom: eve@evil.test\r\n\r\nhi"
    read = parse(raw)
    assert [a.addr for a in read.from_] == ["eve@evil.test"]
    assert read.sender is not None
    assert read.subject.startswith("x")
    assert "From: agent@corp.test" in read.subject
    assert read.subject.isprintable()


@pytest.mark.parametrize(
    ("raw", "author", "defect"),
    [
        (b"\r\nFrom: a@acme.test\r\n\r\nhi", None, "from-missing"),
        (b" From: x@corp.test\r\nFrom: a@acme.test\r\n\r\nhi", None, "from-missing"),
        (b"From : a@acme.test\r\n\r\nhi", "a@acme.test", ""),
        (b"From : a@acme.test\r\nFrom: b@acme.test\r\n\r\nhi", None, "from-several"),
        (b"no header\r\nFrom: a@acme.test\r\n\r\nhi", None, "from-missing"),
        (b"From: a@acme.test\r\nno header\r\nFrom: b@acme.test\r\n\r\nhi", None, "from-hidden"),
        (b"From: a@acme.test\r\nno header\r\n\r\nFrom: b@acme.test", "a@acme.test", ""),
        (b"From: a@acme.test\r\n" + b"x" * 500 + b": y\r\nFrom: b@acme.test", None, "from-several"),
        (b"From eve Sat Jan  1 00:00:00 2000\nFrom: a@acme.test\n\nhi", "a@acme.test", ""),
        (b"From: a@acme.test", "a@acme.test", ""),
        (b"", None, "from-missing"),
    ],
    ids=[
        "P7-blank-line", "P7-leading-space", "P7-space-colon", "P7-both-spellings", "P7-no-colon",
        "P7-header-ends", "P7-text-after", "P7-long-name", "P7-mbox-line", "P7-no-body",
        "P7-nothing",
    ],
)  # fmt: skip
def test_the_header_block_is_what_an_mta_sees(raw: bytes, author: str | None, defect: str) -> None:
    read = parse(raw)
    assert (read.sender.addr if read.sender else None) == author
    assert defect == "" or defect in read.defects


# --- P8: dates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "date"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", datetime(1997, 11, 21, 15, 55, 6, tzinfo=UTC)),
        (b"Fri, 21 Nov 2025 09:55:06", datetime(2025, 11, 21, 9, 55, 6, tzinfo=UTC)),
        (b"Fri, 21 Nov 9999 09:55:06 -1200", datetime(9999, 11, 21, 21, 55, 6, tzinfo=UTC)),
        (b"Fri, 31 Dec 9999 23:55:06 -1200", None),
        (b"Fri, 21 Nov 0000 09:55:06 +0000", None),
        (b"Tue, 21 Nov 2025 29:24:05 +0000", None),
        (b"yesterday", None),
        (b"9" * 184, None),
    ],
    ids=["P8-good", "P8-no-zone", "P8-far", "P8-over", "P8-zero", "P8-hour", "P8-word", "P8-long"],
)
def test_dates(written: bytes, date: datetime | None) -> None:
    read = parse(mail(b"Date: " + written))
    assert read.date == date
    assert ("date-invalid" in read.defects) == (date is None)


def test_a_missing_date_is_no_defect() -> None:  # P8
    read = parse(mail())
    assert read.date is None
    assert "date-invalid" not in read.defects


# --- P9: broken MIME -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (mail(b"Content-Type: multipart/mixed", body=b"plain after all\r\n"), "plain after all\n"),
        (mail(b"Content-Type: multipart/mixed; boundary=b", body=b""), ""),
        (mail(b"Content-Type: text/plain", b"Content-Type: image/png"), "Hello\n"),
        (mail(b"Content-Transfer-Encoding: base64", body=b"SGVsbG8gd29y"), "Hello wor"),
        (mail(b"Content-Transfer-Encoding: base64", body=b"SGVsbG8gd29yb"), "Hello wor"),
        (mail(b"Content-Transfer-Encoding: base64 ", body=b"SGVs*bG8="), "Hello"),
        (mail(b"Content-Transfer-Encoding: base64", body=b"SGk=\r\nSGk="), "HiHi"),
        (mail(b"Content-Type: text/html", body=b"<p>Hi <b>you</b></p>"), "Hi you\n"),
        (mail(body=b""), ""),
        (mail(b"Content-Type: text/plain; charset*1*=x; charset*=a'b'c", body=b"gr\xfcn"), "grün"),
        (mail(b"Content-Type: text/plain; charset*=''utf%008", body=b"gr\xfcn"), "grün"),
    ],
    ids=[
        "P9-no-boundary", "P9-no-parts", "P9-two-types", "P9-base64", "P9-cut-base64",
        "P9-dirty-base64", "P9-joined-base64", "P9-html-only", "P9-empty",
        "P9-charset-in-pieces", "P9-charset-with-nul",
    ],
)  # fmt: skip
def test_broken_mime_gives_what_decodes(raw: bytes, text: str) -> None:
    assert parse(raw).text == text


UU = b"begin 644 x.txt\n%2&5L;&\\ \n`\nend\n"


@pytest.mark.parametrize(
    ("body", "data", "broken"),
    [
        (b"junk\n" + UU, b"Hello", False),
        (UU.replace(b"%2&", b"%2\xff&"), b"", True),
        (b"no file\n", b"no file\n", True),
    ],
    ids=["P9-uuencode", "P9-uuencode-broken", "P9-uuencode-none"],
)
def test_uuencoded_parts(body: bytes, data: bytes, broken: bool) -> None:
    headers = (b"Content-Type: image/png", b"Content-Transfer-Encoding: x-uuencode")
    raw = mail(*headers, body=body)
    read = parse(raw)
    assert part_bytes(raw, 0) == data
    assert ("uuencode-broken" in read.defects) is broken


def test_endless_text_is_cut() -> None:
    read = parse(mail(body=b"x" * 4_000_001))
    assert len(read.text) == 4_000_000
    assert "text-cut" in read.defects


def test_an_endless_from_has_no_author() -> None:  # P3
    read = parse(
        b"From: carla@acme.test" + b" " * 70_000 + b", eve@evil.test\r\nSubject: x\r\n\r\nhi"
    )
    assert read.sender is None
    assert {"from-cut", "from-ambiguous"} <= set(read.defects)
    assert read.subject == "x"


def test_text_and_html_that_disagree_are_flagged() -> None:  # P9
    def alternative(words: bytes) -> bytes:
        return mail(
            b"Content-Type: multipart/alternative; boundary=b",
            body=b"--b\r\n\r\nplease change nothing about our order number eleven thanks\r\n"
            b"--b\r\nContent-Type: text/html\r\n\r\n<p>" + words + b"</p>\r\n--b--\r\n",
        )

    other = b"transfer every euro into this account before friday evening dear colleague"
    same = b"please change nothing about our <b>order</b> number eleven, thanks"
    assert "text-html-differ" in parse(alternative(other)).defects
    assert "text-html-differ" not in parse(alternative(same)).defects


def test_winmail_dat_is_an_attachment() -> None:  # P9
    part = b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\n\x78\x9f\x3e\x22"
    raw = mixed(b"\r\nHello", part)
    (attached,) = parse(raw).attachments
    assert (attached.filename, attached.size) == ("winmail.dat", 4)
    assert part_bytes(raw, attached.part) == b"\x78\x9f\x3e\x22"


# --- ids and parts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message_id", "has", "defect"),
    [
        (b"<a@acme.test>", "<a@acme.test>", True, ""),
        (b"\r\n <a\r\n @acme.test>", "<a@acme.test>", True, ""),
        (b"<[a=@microsoft.test]>", "<[a=@microsoft.test]>", True, ""),
        (b"a@acme.test", "<a@acme.test>", True, "message-id-repaired"),
        (b"<a@acme.test", "<a@acme.test>", True, "message-id-repaired"),
        (b"<>", "", False, "message-id-missing"),
        (b"<[>", "<[>", True, ""),
        (b"<" + b"a" * 2000, "", False, "message-id-missing"),
        (b"", "", False, "message-id-missing"),
    ],
    ids=["good", "folded", "microsoft", "bare", "unending", "empty", "odd", "endless", "none"],
)
def test_message_ids(value: bytes, message_id: str, has: bool, defect: str) -> None:
    raw = mail(b"Message-ID: " + value)
    read = parse(raw)
    made = f"<{hashlib.sha256(raw).hexdigest()[:32]}@digest.invalid>"
    assert read.message_id == (message_id or made)
    assert read.has_message_id is has
    assert defect == "" or defect in read.defects


def test_references_keep_the_root_and_the_nearest() -> None:
    many = b" ".join(b"<%d@acme.test>" % i for i in range(300))
    read = parse(mail(b"References: " + many, b"In-Reply-To: Your mail <299@acme.test> of today"))
    assert len(read.references) == 100
    assert read.references[0] == "<0@acme.test>"
    assert read.references[-1] == "<299@acme.test>"
    assert read.in_reply_to == ("<299@acme.test>",)


def test_an_attached_mail_is_one_attachment_with_its_exact_bytes() -> None:  # W5
    inner = b"Subject: Inner =?utf-8?q?=C3=BC?=\r\nFrom: x@acme.test\r\n\r\ntext \x80\r\n.\r\n"
    raw = mixed(b"\r\nsee below", b"Content-Type: message/rfc822\r\n\r\n" + inner)
    read = parse(raw)
    (attached,) = read.attachments
    assert attached.filename == "Inner ü.eml"
    assert part_bytes(raw, attached.part) == inner
    assert attached.digest == hashlib.sha256(inner).hexdigest()
    assert read.text == "see below"


def test_a_nameless_leaf_is_an_attachment() -> None:  # W6
    raw = mail(b"Content-Type: application/pdf", body=b"%PDF-1.4\r\n")
    (attached,) = parse(raw).attachments
    assert (attached.part, attached.filename) == (0, "attachment-1.pdf")


def test_several_parts_come_from_one_reading() -> None:
    raw = mixed(
        b"\r\nHello", b"Content-Type: image/png\r\n\r\n1", b"Content-Type: image/gif\r\n\r\n2"
    )
    numbers = [a.part for a in parse(raw).attachments]
    assert parts_bytes(raw, numbers) == [b"1", b"2"]
    with pytest.raises(LookupError):
        part_bytes(raw, 99)


def test_headers_only_is_what_it_says() -> None:
    read = headers_only(mail(b"Subject: =?utf-8?q?=C3=BC?=", b"Date: never"), "too-complex")
    assert read.defects[0] == "too-complex"
    assert (read.subject, read.text, read.sender) == ("ü", "", None)


def test_a_failing_second_reader_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:  # W1, W2
    def fail(message: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'index'")

    monkeypatch.setattr("mailgate.core.parse.mailparser.MailParser", fail)
    read = parse(mail(b"Date: Fri, 21 Nov 1997 09:55:06 -0600"))
    assert "parsed-in-fallback" in read.defects
    assert read.sender is not None
    assert read.sender.addr == "carla@acme.test"
    assert read.date == datetime(1997, 11, 21, 15, 55, 6, tzinfo=UTC)


def test_a_mistake_of_ours_sets_the_mail_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mailgate.core.parse.body.collect", fail)
    read = parse(mail())
    assert read.defects[0] == "parser-failed: ZeroDivisionError"
