"""The bytes themselves: whatever a sender wrote, strict readers get back what we meant."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr

import mailparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.compose import MAX_MESSAGE, MAX_PAGE, compose
from mailgate.core.decision import Notice, Recipient
from mailgate.core.people import Author
from mailgate.wire import (
    NAME_MAX,
    SUBJECT_MAX,
    Part,
    addr_spec,
    address_header,
    body_text,
    header,
    header_text,
)
from tests.shell.notice_rig import (
    BOB,
    CONTEXT,
    FROM_ANA,
    POLICY,
    RENDERER,
    TICKET,
    content,
    head,
    read,
    wire,
)

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)
NASTY = '\r\n\0\u2028\u0085\x0b\x0c\x1c\ud800\u202e\u200d=?utf-8?q?=41?="\\<>@,;:()[] \t\u00a0é漢😀'
TEXTS = ANYTHING | st.text(st.sampled_from(NASTY), max_size=400)


def strict(raw: bytes) -> None:
    """RFC 5322, 2.1: CRLF only, lines of at most 998 octets, 7 bits, no NUL."""
    lines = raw.split(b"\r\n")
    assert lines[-1] == b""
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert raw.isascii()
    assert b"\0" not in raw


# --- one normaliser -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param("a\r\nBcc: victim@example.net", "a Bcc: victim@example.net", id="crlf"),
        pytest.param("a\rb\nc", "a b c", id="cr and lf"),
        pytest.param("a\u2028b\u2029c", "a b c", id="line and paragraph separator"),
        pytest.param("a\u0085b", "a b", id="next line"),
        pytest.param("a\x0bb\x0cc", "a b c", id="vertical tab, form feed"),
        pytest.param("a\x1cb\x1dc\x1ed", "a b c d", id="information separators"),
        pytest.param("a\0b\x07c\x7fd\x9be", "a b c d e", id="nul and controls"),
        pytest.param("a\ud800b\udcffc", "abc", id="lone surrogates"),
        pytest.param("a\u202egpj.exe", "agpj.exe", id="turned writing"),
        pytest.param("  a \t\u00a0 b  ", "a b", id="white space"),
        pytest.param("x" * 20_000, "x" * (SUBJECT_MAX - 1) + "…", id="20 000 characters"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_header_text(value: str, line: str) -> None:
    assert header_text(value) == line


@given(TEXTS)
def test_header_text_is_final(value: str) -> None:
    once = header_text(value)
    assert header_text(once) == once
    assert len(once) <= SUBJECT_MAX


@given(TEXTS)
def test_body_text_is_final(value: str) -> None:
    once = body_text(value)
    assert body_text(once) == once
    assert not re.search("[^\n\t -~\u00a0-\U0010ffff]", once)


# --- what was put in is read back (invariant 15) ------------------------------------------------


@given(TEXTS)
def test_any_subject_is_read_back_by_two_readers(value: str) -> None:
    raw = header("Subject", value) + b"\r\n"
    strict(raw)
    expected = header_text(value, 2 * SUBJECT_MAX)
    assert email.message_from_bytes(raw, policy=default)["Subject"] == expected
    assert mailparser.parse_from_bytes(raw).subject == expected


@given(TEXTS)
def test_any_name_is_read_back_by_two_readers(value: str) -> None:
    raw = address_header("From", "support@example.org", value) + b"\r\n"
    strict(raw)
    expected = header_text(value, NAME_MAX)
    [address] = email.message_from_bytes(raw, policy=default)["From"].addresses
    assert address.addr_spec == "support@example.org"
    # The new reader of Python 3.11 puts a space between two encoded words of a name; RFC 2047,
    # 6.2 wants none, and the old reader puts none.
    name, _ = parseaddr(str(email.message_from_bytes(raw)["From"]))
    assert str(make_header(decode_header(name))) == expected
    assert mailparser.parse_from_bytes(raw).from_ == [(expected, "support@example.org")]


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_value_ever_adds_a_header(subject: str, name: str, address: str, words: str) -> None:
    ctx = replace(
        CONTEXT,
        ticket=replace(TICKET, subject=subject, requester=address, category=name),
        author=Author(address=address, name=name),
        message=words,
        own={
            BOB.address: head(
                message_id="<own@example.org>", in_reply_to=subject, references=(name, words)
            )
        },
    )
    plain = read(compose(Notice.AGENT_NEW, CONTEXT, RENDERER, POLICY))
    mail = compose(Notice.AGENT_NEW, ctx, RENDERER, POLICY)
    strict(wire(mail))
    message = read(mail)
    assert not message.defects
    assert set(message.keys()) <= set(plain.keys())
    assert message["From"].addresses[0].addr_spec == "support@example.org"
    assert body_text(words).strip() in content(message, "plain")
    subject_read = mailparser.parse_from_bytes(wire(mail)).subject
    assert subject_read == message["Subject"]
    assert subject_read.startswith("[#1042]")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("bob@example.net", "bob@example.net"),
        ('"bob smith"@example.net', '"bobsmith"@example.net'),
        ("bob@evil.example,ana@example.net", '"bob@evil.example,ana"@example.net'),
        ("b>\r\nBcc: <v@example.net", '"b>Bcc:<v"@example.net'),
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("a\\b@example.net", '"a\\\\b"@example.net'),
    ],
)
def test_an_address_says_nothing_but_itself(address: str, written: str) -> None:
    assert addr_spec(address) == written


@given(TEXTS | TEXTS.map(lambda text: f"bob@{text}"))
def test_any_address_gives_one_header(address: str) -> None:
    raw = address_header("To", address)
    strict(raw.decode().encode("ascii", "replace"))
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.startswith(b"To: <")
    assert raw.endswith(b">\r\n")
    assert email.message_from_bytes(raw + b"\r\n").keys() == ["To"]


def test_a_local_part_beyond_ascii_touches_only_that_recipients_head() -> None:
    to = Recipient(address="josé@example.net", role="requester", why="requester")
    mail = compose(Notice.ANSWER, replace(FROM_ANA, recipients=(to,)), RENDERER, POLICY)
    assert mail.heads[to.address].startswith("To: <josé@example.net>\r\n".encode())
    assert mail.raw.isascii()


# --- bodies and files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("x" * 5000, id="one long line"),
        pytest.param(".\n..\n.", id="lone dots"),
        pytest.param("From here\nFrom there", id="mbox"),
        pytest.param("a\rb\r\nc\nd\x0be\x85f\u2028g\0h", id="line ends of all kinds"),
        pytest.param("end with blanks   \n\t\nx", id="trailing white space"),
        pytest.param("=3D=\n=?utf-8?q?x?=", id="looks encoded"),
        pytest.param("漢字かな" * 300, id="no latin letter"),
        pytest.param("😀é" * 700 + "\ud83d", id="emoji and half a pair"),
        pytest.param("-- \nBob", id="signature mark"),
        pytest.param("--=_mg.alt.0\n\n--=_mg.alt.0--", id="looks like a boundary"),
    ],
)
def test_words_arrive_unchanged(words: str) -> None:
    mail = compose(Notice.ANSWER, replace(FROM_ANA, message=words), RENDERER, POLICY)
    strict(wire(mail))
    message = read(mail)
    assert content(message, "plain").startswith(body_text(words).strip() + "\n")
    assert not message.defects
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


@pytest.mark.parametrize("filling", ["'", "\n", "\t", "&", "é", "word "])
def test_a_huge_message_is_cut_and_says_so(filling: str) -> None:
    size = 2 * MAX_MESSAGE // len(filling) + 1
    huge = f"x{filling * size}x"
    ctx = replace(FROM_ANA, message=huge, html="<p>" * MAX_PAGE)
    mail = compose(Notice.ANSWER, ctx, RENDERER, POLICY)
    strict(wire(mail))
    assert f"[… +{len(huge) - MAX_MESSAGE}]" in content(read(mail), "plain")
    assert f"[… +{len(huge) - MAX_MESSAGE}]" in content(read(mail), "html")


def file(filename: str, data: bytes = b"\0\r\n.\r\n\xff", kind: str = "application/pdf") -> Part:
    return Part(filename=filename, content_type=kind, data=data)


@pytest.mark.parametrize(
    ("given_name", "read_back"),
    [
        ("report.pdf", "report.pdf"),
        ('say "hi" \\ now.pdf', 'say "hi" _ now.pdf'),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("Rechnung März.pdf", "Rechnung März.pdf"),
        ("a\r\nX-Evil: 1.pdf", "a X-Evil: 1.pdf"),
        ("", "file"),
        pytest.param("漢" * 500 + ".pdf", "漢" * 66 + ".pdf", id="long, but still a .pdf"),
    ],
)
def test_files_keep_name_and_bytes(given_name: str, read_back: str) -> None:
    ctx = replace(FROM_ANA, attachments=(file(given_name),))
    mail = compose(Notice.ANSWER, ctx, RENDERER, POLICY)
    strict(wire(mail))
    [part] = read(mail).iter_attachments()
    assert part.get_filename() == read_back
    assert part.get_content() == b"\0\r\n.\r\n\xff"
    assert part.get_content_type() == "application/pdf"


@pytest.mark.parametrize(
    ("kind", "sent_as"),
    [
        ("text/html", "text/html"),
        ("IMAGE/PNG", "image/png"),
        ("message/rfc822", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ('text/plain; x="\r\nBcc: y"', "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
    ],
)
def test_types_of_files(kind: str, sent_as: str) -> None:
    ctx = replace(FROM_ANA, attachments=(file("a.bin", b"abc", kind),))
    [part] = read(compose(Notice.ANSWER, ctx, RENDERER, POLICY)).iter_attachments()
    assert part.get_content_type() == sent_as
    assert part.get_payload(decode=True) == b"abc"
    assert part.get_content_disposition() == "attachment"


def test_pictures_of_the_text_travel_with_it() -> None:
    shown = Part(
        filename="logo.png",
        content_type="image/png",
        data=b"PNG",
        inline=True,
        content_id="logo@example.net",
    )
    unused = replace(shown, filename="other.png", content_id="other@example.net")
    ctx = replace(
        FROM_ANA,
        html='<p>See <img src="cid:logo@example.net"></p>',
        attachments=(shown, unused, file("a.pdf")),
    )
    message = read(compose(Notice.ANSWER, ctx, RENDERER, POLICY))
    made = next(p["Content-ID"] for p in message.walk() if p.get_filename() == "logo.png")
    # An agent's client names its machine in ids of its own.
    assert re.fullmatch(r"<mg\.[0-9a-f]{24}@example\.org>", made)
    assert [(p.get_content_type(), p.get_filename(), p["Content-ID"]) for p in message.walk()] == [
        ("multipart/mixed", None, None),
        ("multipart/alternative", None, None),
        ("text/plain", None, None),
        ("multipart/related", None, None),
        ("text/html", None, None),
        ("image/png", "logo.png", made),
        ("image/png", "other.png", None),
        ("application/pdf", "a.pdf", None),
    ]
    assert f'<img src="cid:{made[1:-1]}">' in content(message, "html")


def test_mail_parser_reads_the_whole_mail_as_meant() -> None:
    ctx = replace(FROM_ANA, attachments=(file("Übersicht.pdf"),))
    seen = mailparser.parse_from_bytes(wire(compose(Notice.ANSWER, ctx, RENDERER, POLICY)))
    assert not seen.defects
    assert seen.from_ == [("Ana Torres (Support)", "support@example.org")]
    assert seen.to == [("", "bob@example.net")]
    assert seen.subject == "Re: [#1042] The printer in room 12 is jammed"
    assert seen.message_id == "<mg.1042.k3ep@example.org>"
    assert "it says “paper jam”" in seen.text_plain[0]
    assert [a["filename"] for a in seen.attachments] == ["Übersicht.pdf"]
