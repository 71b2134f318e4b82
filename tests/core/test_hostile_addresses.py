"""Whatever stands in From: one author or none, in every spelling (A1 to A4, invariant 9)."""

from __future__ import annotations

import email.utils
import re
from email import policy
from email.header import Header

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.addresses import normal, read
from mailgate.core.parse import parse
from tests.fuzz.probe import rewritten

PIECES = st.sampled_from(
    [
        *("agent@corp.test", "bob@evil.test", "<bob@evil.test>", "<agent@corp.test>", "a@b@c.test"),
        *(
            '"agent@corp.test"',
            '"Bob, Jr"',
            "(Bob (x))",
            "Bob",
            "J\u00f6rg",
            "Team:",
            "=?utf-8?q?a?=",
        ),
        *(",", ";", ":", "<", ">", "(", ")", '"', "\\", "@", ".", "[", "]", " ", "\t", "\u202e"),
        *(
            "\u212a",
            "\u00df",
            "\u0131",
            "\u3002",
            "\ufffd",
            "\u00a0",
            "\0",
            "\x7f",
            "\u2028",
            "xn--",
        ),
    ]
)
VALUES = st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join)
LOCALS = st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\.[a-z]{1,3})?", fullmatch=True)
DOMAINS = st.from_regex(r"[a-zA-Z0-9]{1,8}\.(test|TEST|Example)", fullmatch=True)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


def author(raw: bytes) -> str | None:
    sender = parse(raw).sender
    return sender.addr if sender else None


def other_readers(value: str) -> set[str]:
    """Every mailbox that the standard library's two readers find in a From header."""
    found = {addr for _, addr in email.utils.getaddresses([value])}
    try:
        header = policy.default.header_factory("from", value)
        found |= {str(a.addr_spec) for a in header.addresses}
    except (AttributeError, IndexError, ValueError, TypeError):
        pass  # it fails on much of what is hostile (CPython issues); the first reader has answered
    return {one for addr in found if (one := normal(addr))}


PEOPLE = st.sampled_from(["agent@corp.test", "bob@evil.test", "a@b", '"a b"@corp.test'])
NEARLY = st.builds(
    lambda before, addr, after: f"{before}{addr}{after}",
    st.lists(PIECES, max_size=3).map("".join),
    PEOPLE | PEOPLE.map(lambda addr: f"<{addr}>"),
    st.lists(PIECES, max_size=3).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(NEARLY | VALUES)
def test_no_other_reader_sees_another_author_A2(value: str) -> None:
    text = re.sub(r"[\r\n\0]", " ", value)
    found = author(b"From: " + text.encode("utf-8", "replace") + b"\r\n\r\nHello\r\n")
    if found is not None:
        assert other_readers(text) <= {found}


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_a2_reading_never_raises_and_gives_whole_mailboxes(value: str) -> None:
    reading = read(value)
    assert read(value) == reading
    for box in reading.boxes:
        assert normal(box.addr) == box.addr
        assert box.addr.rpartition("@")[0]
        assert box.name == " ".join(box.name.split(" "))
        assert box.name.isprintable() or not re.search("[\x00-\x1f\x7f\u202a-\u202e]", box.name)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_a1_an_author_is_the_one_in_from_and_stays_in_every_spelling(value: str) -> None:
    data = re.sub(r"[\r\n]", " ", value).encode("utf-8", "replace")
    raw = b"From: " + data + b"\r\nSubject: x\r\n\r\nHello\r\n"
    found = author(raw)
    if found is not None:
        mail = parse(raw)
        assert [box.addr for box in mail.from_] == [found]
        assert not {"from-several", "from-ambiguous", "from-missing"} & set(mail.defects)
    for _, other in rewritten(raw):
        assert author(other) == found
    assert author(b"From: a@corp.test\r\n" + raw) is None
    assert author(raw.replace(b"Subject:", b"Sender: agent@corp.test\r\nSubject:")) == found


@settings(max_examples=60, deadline=None)
@given(LOCALS, DOMAINS, NAMES)
def test_a3_a4_one_mailbox_however_it_is_written(local: str, domain: str, name: str) -> None:
    wanted = f"{local}@{domain}".lower()
    word = Header(name, "utf-8").encode()
    spellings = [
        f"{local}@{domain}",
        f"<{local}@{domain}>",
        f"{local.upper()}@{domain.swapcase()}",
        f'"{local}"@{domain}',
        f"{name} <{local}@{domain}>",
        f'"{name}, agent@corp.test" <{local}@{domain}>',
        f"{word} <{local}@{domain}>",
        f"{word}\r\n <{local}@{domain}>",
        f"{local}@{domain} ({word})",
    ]
    for spelling in spellings:
        assert author(f"FROM: {spelling}\r\n\r\nHello".encode()) == wanted, spelling
