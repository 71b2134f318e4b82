"""Who wrote it: one author that two parsers agree on, or nobody (reliability A1 to A4)."""

from __future__ import annotations

import pytest

from mailgate.core.addresses import normal, read
from mailgate.core.parse import parse


def authored(value: bytes, more: bytes = b"") -> tuple[str | None, tuple[str, ...]]:
    got = parse(b"From: " + value + b"\r\n" + more + b"\r\nhi")
    return (got.sender.addr if got.sender else None), got.defects


@pytest.mark.parametrize(
    ("value", "more", "defect"),
    [
        (b"a@corp.test", b"From: b@evil.test\r\n", "from-several"),
        (b"a@corp.test, b@evil.test", b"", "from-several"),
        (b"Team: a@corp.test;", b"", "from-ambiguous"),
        (b"undisclosed-recipients:;", b"", "from-ambiguous"),
        (b"", b"", "from-ambiguous"),
        (b"nobody", b"", "from-ambiguous"),
        (b"a@corp.test,", b"From:\r\n", "from-several"),
    ],
    ids=["A1-headers", "A1-boxes", "A1-group", "A1-nobody", "A1-empty", "A1-word", "A1-blank"],
)
def test_several_authors_are_none_A1(value: bytes, more: bytes, defect: str) -> None:
    author, defects = authored(value, more)
    assert author is None
    assert defect in defects


def test_sender_and_reply_to_are_no_identity_A1_A5() -> None:
    more = b"Sender: boss@corp.test\r\nReply-To: boss@corp.test\r\n"
    author, _ = authored(b"a@corp.test", more)
    assert author == "a@corp.test"


@pytest.mark.parametrize(
    "value",
    [
        b"alice@e.org(<bob@evil.test>",
        b"alice@e.org)bob@evil.test",
        b"agent@corp.test;bob@evil.test",
        b"agent@corp.test:bob@evil.test",
        b"Bob <bob@evil.test> <agent@corp.test>",
        b"<bob@evil.test> agent@corp.test",
        b"a@b@evil.test",
        b"agent@corp.test <bob@evil.test>",
        b"<agent@corp.test",
        b"agent@corp.test>",
        b"<<agent@corp.test>>",
        b'"agent@corp.test',
        b"agent @corp.test",
        b"agent@ (x) corp.test",
        b"agent@corp.test.",
        b"agent@corp..test",
        b"agent@[corp",
        b"@route.test:agent@corp.test",
        b"<@route.test:agent@corp.test>",
        b"agent@corp.test\\",
        b"agent@corp.test, , <>",
        b"=?utf-8?q?agent=40corp=2Etest?=",
    ],
)
def test_what_parsers_read_differently_has_no_author_A2(value: bytes) -> None:
    author, defects = authored(value)
    assert author is None
    assert {"from-ambiguous", "from-several"} & set(defects)


@pytest.mark.parametrize(
    ("value", "addr", "name"),
    [
        (b'"agent@corp.test" <bob@evil.test>', "bob@evil.test", "agent@corp.test"),
        (
            b"=?utf-8?q?=3Cagent=40corp=2Etest=3E=2C?= <bob@evil.test>",
            "bob@evil.test",
            "<agent@corp.test>,",
        ),
        ("Bob \u202etset.proc\u202c <bob@evil.test>".encode(), "bob@evil.test", "Bob tset.proc"),
        (b"=?utf-8?b?Qm9iAA0KRnJvbTogeA==?= <bob@evil.test>", "bob@evil.test", "Bob From: x"),
        (b"bob@evil.test (Bob (the builder))", "bob@evil.test", "Bob (the builder)"),
        (b"Bob Q. Public <bob@evil.test>", "bob@evil.test", "Bob Q. Public"),
        (b"bob@evil.test <bob@evil.test>", "bob@evil.test", "bob@evil.test"),
        (b'"B\\"ob, Jr" <bob@evil.test>', "bob@evil.test", 'B"ob, Jr'),
        ("Jörg <jörg@evil.test>".encode(), "jörg@evil.test", "Jörg"),
        ("J\xf6rg <j@evil.test>".encode("latin-1"), "j@evil.test", "Jörg"),
        (b'"=?iso-8859-1?q?J=F6rg?=" <j@evil.test>', "j@evil.test", "Jörg"),
        (b"=?utf-8?q?" + b"x" * 100 + b"?= <bob@evil.test>", "bob@evil.test", "x" * 100),
    ],
    ids=[
        "A3-address-as-name", "A3-encoded-address", "A3-bidi", "A3-controls", "A3-comment",
        "A3-dot", "A3-same", "A3-quotes", "A3-utf8", "A3-latin1", "A3-quoted-word", "A3-long-word",
    ],
)  # fmt: skip
def test_a_display_name_is_only_shown_A3(value: bytes, addr: str, name: str) -> None:
    got = parse(b"From: " + value + b"\r\n\r\nhi")
    assert got.sender is not None
    assert (got.sender.addr, got.sender.name) == (addr, name)


@pytest.mark.parametrize(
    ("written", "same_as"),
    [
        ("AGENT@CORP.TEST", "agent@corp.test"),
        ('"agent"@corp.test', "agent@corp.test"),
        ('"a gent"@corp.test', '"a gent"@corp.test'),
        ("m\u0131ke@corp.test", "m\u0131ke@corp.test"),
        ("\u212aate@corp.test", "\u212aate@corp.test"),
        ("stra\u00dfe@corp.test", "stra\u00dfe@corp.test"),
        ("a@b\u00fccher.test", "a@xn--bcher-kva.test"),
        ("a@B\u00dcCHER.test", "a@xn--bcher-kva.test"),
        ("a@stra\u00dfe.test", "a@xn--strae-oqa.test"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@\u212aorp.test", None),
        ("a@corp\uff0etest", None),
        ("a@corp.test.", None),
        ("a@\u200dcorp.test", None),
        ("a@\u00fc\u0627.test", None),
        ("a" * 400 + "@corp.test", None),
    ],
    ids=[
        "A4-case", "A4-needless-quotes", "A4-needed-quotes", "A4-dotless-i", "A4-kelvin-local",
        "A4-sharp-s-local", "A4-idn", "A4-idn-case", "A4-sharp-s", "A4-literal",
        "A4-kelvin-domain", "A4-wide-dot", "A4-trailing-dot", "A4-joiner", "A4-mixed", "A4-long",
    ],
)  # fmt: skip
def test_one_mailbox_has_one_form_and_no_twin_A4(written: str, same_as: str | None) -> None:
    assert normal(written) == same_as


def test_lists_are_read_whole() -> None:
    got = parse(
        b"From: a@corp.test\r\nTo: Team: B <b@corp.test>, c@corp.test; , d@corp.test\r\n"
        b"To: e@corp.test\r\nCc: not an address, f@corp.test\r\n\r\nhi"
    )
    assert [a.addr for a in got.to] == [f"{x}@corp.test" for x in "bcde"]
    assert [a.addr for a in got.cc] == ["f@corp.test"]
    assert "cc-ambiguous" in got.defects
    assert "to-ambiguous" not in got.defects


def test_reading_stops_at_the_limit() -> None:
    reading = read("a@corp.test, " * 1000)
    assert len(reading.boxes) == 500
    assert "too-many" in reading.problems


@pytest.mark.parametrize(
    "addr",
    [
        pytest.param("a@" + ".".join(["ü"] * 100) + ".example", id="A-labels beyond any column"),
        pytest.param("a" * 65 + "@example.org", id="local part of 65 octets"),
        pytest.param("ü" * 33 + "@example.org", id="local part of 66 octets in UTF-8"),
        pytest.param("a@" + "b." * 121 + "example.org", id="255 octets"),
        pytest.param('"\x1b]0;owned\x07x"@evil.example', id="a terminal's escape"),
        pytest.param('"\\\x1bx"@evil.example', id="an escaped escape"),
        pytest.param('"a\tb"@evil.example', id="a tab"),
        pytest.param('"a\x9bb"@evil.example', id="a C1 control"),
    ],
)
def test_what_no_column_and_no_terminal_should_get_is_no_address(addr: str) -> None:
    assert normal(addr) is None


def test_the_longest_address_is_one() -> None:
    longest = "a" * 64 + "@" + "b." * 92 + "tests"
    assert len(longest) == 254
    assert normal(longest) == longest
