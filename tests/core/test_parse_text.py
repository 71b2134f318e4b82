"""Text of a mail: charsets, encoded words, format=flowed, HTML, and names of attachments."""

from __future__ import annotations

import pytest

from mailgate.core.body import to_text, unflow
from mailgate.core.charset import codec, decode
from mailgate.core.filename import clean_name
from mailgate.core.header import decode_words, parameters
from mailgate.core.parse import parse


def body(charset: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    head = f"From: a@acme.test\r\nMessage-ID: <1@acme.test>\r\nContent-Type: text/plain; {charset}"
    got = parse(head.encode() + b"\r\n\r\n" + data)
    return got.text, got.defects


@pytest.mark.parametrize(
    ("label", "data", "text", "defect"),
    [
        ("utf-8", "grün".encode(), "grün", ""),
        ("UTF-8", b"gr\xfcn", "grün", "charset-guessed"),
        ("utf-8", "grün, ".encode() + b"\xfc", "grün, \ufffd", "charset-broken"),
        ("iso-8859-1", b"\x93gr\xfcn\x94", "“grün”", ""),
        ("iso-8859-1", "grün".encode(), "grün", "charset-guessed"),
        ("us-ascii", b"gr\xfcn", "grün", ""),
        ("x-unknown", b"gr\xfcn", "grün", "charset-unknown"),
        ("gb2312", "\u9555".encode("gbk"), "\u9555", ""),
        ("ks_c_5601-1987", "\ub620".encode("cp949"), "\ub620", ""),
        ("x-sjis", "\u2460".encode("cp932"), "\u2460", ""),
        ("windows-874", b"\xa1", "\u0e01", ""),
        ("cp-850", b"gr\x81n", "grün", ""),
        ("x-mac-roman", b"gr\x9fn", "grün", ""),
        ("iso-8859-8-i", b"\xe0", "\u05d0", ""),
        ("iso-2022-jp", b"\x1b$B$\x22\x1b(B", "あ", ""),
        ("utf-16", "grün".encode("utf-16"), "grün", ""),
        ("utf-32le", b"\xff\xff\xff\xff", "\ufffd", "charset-broken"),
        ("utf-7", b"+ADw-script+AD4-", "+ADw-script+AD4-", "charset-unknown"),
        ("unicode_escape", b"\\u003c", "\\u003c", "charset-unknown"),
        ("rot13", b"uryyb", "uryyb", "charset-unknown"),
        ("idna", b"xn--bcher-kva", "xn--bcher-kva", "charset-unknown"),
        ("undefined", b"hello", "hello", "charset-unknown"),
        ("utf-8\0", b"hello", "hello", ""),
        ('"utf-8', b"hello", "hello", ""),
        ("utf-8*en", b"hello", "hello", ""),
    ],
)
def test_charsets(label: str, data: bytes, text: str, defect: str) -> None:  # P4, P5, W3
    got, defects = body(f"charset={label}", data)
    assert got == text
    assert [d for d in defects if d.startswith("charset")] == ([defect] if defect else [])


@pytest.mark.parametrize(
    "label",
    [
        "utf-7",
        "unicode_escape",
        "raw_unicode_escape",
        "idna",
        "punycode",
        "rot13",
        "undefined",
        "base64",
        "zlib",
        "mbcs",
    ],
)
def test_codecs_that_are_no_charsets_are_never_used(label: str) -> None:  # P4
    assert codec(label) is None


def test_nothing_leaves_with_nul_or_surrogates() -> None:  # P5
    got = parse(
        b"From: \0a <a@acme.test>\r\nSubject: x\0\xff=?utf-8?q?=00=ED=A0=80?=\r\n"
        b"Content-Type: text/html; charset=utf-16le\r\n\r\n<\0p\0>\0\0\0\x00\xd8h\0i\0"
    )
    for text in (got.subject, got.text, got.html, got.from_[0].name, *got.headers["subject"]):
        assert "\0" not in text
        assert text.encode("utf-8")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("=?utf-8?q?a_b=C3=BC?=", "a bü"),
        ("=?utf-8?B?w7w=?= x", "ü x"),
        ("=?utf-8?B?w7w?=", "ü"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8*de?q?a?=", "a"),
        ("=?utf-8?q?a b?=", "a b"),
        ("=?none?q?gr=FCn?=", "grün"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        ("a =?utf-8?q?b?= c =?utf-8?q?d?= e", "a b c d e"),
    ],
)
def test_encoded_words(written: str, text: str) -> None:
    assert decode_words(written) == text


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("Die Frösche".encode(), "iso-8859-2", "Die Frösche"),
        (b"Die Fr\xf6sche", "utf-8", "Die Frösche"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
    ],
    ids=["utf-8", "cp1252", "of-the-body"],
)
def test_raw_octets_in_headers(raw: bytes, charset: str, text: str) -> None:  # W4
    head = b"Subject: " + raw + f"\r\nContent-Type: text/plain; charset={charset}".encode()
    assert parse(head + b"\r\n\r\nhi").subject == text


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r\n"])
def test_a_subject_is_one_line(end: str) -> None:
    word = f"a{end}Bcc: x".encode().hex("=").upper()
    subject = parse(f"Subject: =?utf-8?q?={word}?=\r\n\r\nhi".encode()).subject
    assert subject == "a Bcc: x"


# --- flowed, HTML --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "delsp", "joined"),
    [
        ("a \nb\nc", False, "a b\nc"),
        ("a \nb\nc", True, "ab\nc"),
        ("> a \n> b\nc", False, "> a b\nc"),
        (">> a \n> b", False, ">> a \n> b"),
        (" >x\n From y", False, ">x\nFrom y"),
        ("a \n-- \nme", False, "a \n-- \nme"),
        ("a ", False, "a "),
    ],
)
def test_format_flowed(text: str, delsp: bool, joined: str) -> None:  # W11
    assert unflow(text, delsp) == joined


def test_html_becomes_text() -> None:  # W12 to W14
    source = (
        "<html><head><style>p{color:red}</style><title>t</title></head><body>"
        '<p>1. One&nbsp;<b>two</b></p><p>- x</p><img src="cid:1"><a href="https://acme.test/?a=1">link</a>'
        "<div>-- <br>Me</div><blockquote>old</blockquote></body></html>"
    )
    text, defect = to_text(source)
    assert defect == ""
    assert "1. One two\n" in text
    assert "- x\n" in text
    assert "[link](https://acme.test/?a=1)" in text
    assert "\n--\n" in text
    assert "> old" in text
    assert "color" not in text


@pytest.mark.parametrize(
    "source",
    ["<p>x</p>" * 40_000, "<ul><li>x" * 5000, "<a " * 2000 + "x", "<!--" * 2000 + "-->x",
     "<blockquote>x" * 5000, "&amp;x" * 30_000],
    ids=["size", "lists", "unclosed", "comments", "quotes", "entities"],
)  # fmt: skip
def test_html_that_would_take_seconds_only_loses_its_tags(source: str) -> None:
    text, defect = to_text(source)
    assert defect == "html-too-large"
    assert "<" not in text


def test_a_mail_of_too_much_html_says_so() -> None:
    raw = b"Content-Type: text/html\r\n\r\n" + b"<p>yes</p>" * 30_000
    assert "html-too-large" in parse(raw).defects


def test_tags_are_taken_out_with_scripts_and_comments() -> None:
    source = (
        "<li>" * 2000 + "<SCRIPT>evil()</SCRIPT><style>a{}</style><!-- no > --><p>yes &lt;b&gt;"
    )
    text, _ = to_text(source)
    assert text.split() == ["yes", "<b>"]


def alternative(*parts: bytes) -> bytes:
    inside = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    head = b"From: a@acme.test\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    return head + inside + b"--b--\r\n"


PLAIN = b"Content-Type: text/plain\r\n\r\n"
HTML = b"Content-Type: text/html\r\n\r\n"


def test_plain_text_goes_before_html() -> None:
    got = parse(alternative(HTML + b"<p>rich", PLAIN + b"poor"))
    assert (got.text, got.html) == ("poor", "<p>rich")
    assert got.attachments == ()


def test_empty_plain_text_gives_way_to_html() -> None:
    got = parse(alternative(PLAIN + b" \r\n", HTML + b"<p>rich"))
    assert got.text == "rich\n"
    assert got.attachments == ()


@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\xa0\u200c\r\n\u00ad"])
def test_html_was_lost_beside_plain_text_of_nothing_but_marks_without_width(mark: str) -> None:
    plain = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + mark.encode()
    assert parse(alternative(plain, HTML + b"<p>rich")).text == "rich\n"


def test_text_around_attachments_is_joined() -> None:
    raw = alternative(
        PLAIN + b"first",
        b"Content-Type: image/png; name=a.png\r\nContent-Disposition: inline\r\n\r\n1",
        PLAIN + b"second",
        b"Content-Type: text/plain; name=log.txt\r\n\r\nlog",
        b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nfile",
        b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR",
    ).replace(b"alternative", b"mixed", 1)
    got = parse(raw)
    assert got.text == "first\nsecond\n"
    assert [(a.filename, a.inline) for a in got.attachments] == [
        ("a.png", True),
        ("log.txt", False),
        ("attachment-3.txt", False),
        ("attachment-4.ics", False),
    ]


def test_an_alternative_without_words_has_none() -> None:
    got = parse(alternative(PLAIN + b" ", HTML + b" "))
    assert got.text.strip() == ""
    assert got.attachments == ()


def test_html_beside_plain_text_is_not_said_twice() -> None:
    got = parse(alternative(PLAIN + b"words", HTML + b"<p>words").replace(b"alternative", b"mixed"))
    assert (got.text, got.html) == ("words", "<p>words")


def test_html_behind_a_file_was_lost_where_plain_text_stood_before_it() -> None:
    file = b"Content-Type: application/pdf; name=a.pdf\r\n\r\n1"
    raw = alternative(PLAIN + b"See the bill.", file, HTML + b"<p>Please pay by Monday.")
    got = parse(raw.replace(b"alternative", b"mixed"))
    assert got.text == "See the bill.\nPlease pay by Monday.\n"


# --- F1: names of attachments ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('filename="../../etc/passwd"', "passwd"),
        ("filename*=utf-8''%2e%2e%2f%2e%2e%2fpasswd", "passwd"),
        ('filename="=?utf-8?q?=2E=2E=2Fpasswd?="', "passwd"),
        ('filename="C:\\\\Users\\\\x\\\\report.doc"', "report.doc"),
        ('filename="a\0b.txt"', "a b.txt"),
        ("filename*=utf-8''a%0d%0ab.txt", "a b.txt"),
        ('filename="CON"', "_CON"),
        ('filename="nul.txt"', "_nul.txt"),
        (f'filename="{"x" * 4096}.pdf"', "x" * 146 + ".pdf"),
        ("filename*=utf-8''ann%E2%80%AEgpj.exe", "ann gpj.exe"),
        ('filename=".."', "attachment-1.pdf"),
        ('filename=""', "attachment-1.pdf"),
        ('filename="a<b>:c?.pdf"', "a_b_c_.pdf"),
        ("filename=\"old.pdf\"; filename*=utf-8''n%C3%BC.pdf", "nü.pdf"),
        ('filename*0="a"; filename*1*=%C3%BC; filename*2=.pdf', "aü.pdf"),
        ("filename*0*=iso-8859-1''%FC; filename*1=.pdf", "ü.pdf"),
        ('filename*0="a.pdf"; filename*2=.exe; filename*x=.bat', "a.pdf"),
        ('filename="a;b=c.pdf"', "a;b=c.pdf"),
        ("filename=a b.pdf", "a b.pdf"),
        ('filename="unclosed.pdf', "unclosed.pdf"),
        ('filename="\u00fc.pdf"', "ü.pdf"),
        ("x=y", "attachment-1.pdf"),
    ],
    ids=[f"F1-{i}" for i in range(22)],
)
def test_attachment_names(header: str, name: str) -> None:
    head = f"Content-Type: application/pdf\r\nContent-Disposition: attachment; {header}\r\n\r\nx"
    (attached,) = parse(head.encode()).attachments
    assert attached.filename == name


def test_names_fit_file_systems() -> None:  # F1
    assert len(clean_name("\u4e16" * 200 + ".pdf").encode()) <= 240
    assert clean_name("\u4e16" * 200 + ".pdf").endswith(".pdf")
    assert clean_name("a." + "b" * 300) == ("a." + "b" * 300)[:150]


def test_parameters_are_split_outside_quotes() -> None:
    assert parameters('text/Plain ; a="x;y\\"z" ;; B=c') == ("text/plain", {"a": 'x;y"z', "b": "c"})


def test_decode_tells_what_it_did() -> None:
    assert decode(b"abc").defect == ""
    assert decode("ü".encode()).text == "ü"
