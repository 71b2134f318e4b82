"""The content reader and the path reader, against plain restatements of RFC 5321."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.sources.smtp_wire import Content, Refused, has_bare_newline, read_path

# Little but the octets that matter, so that end marks and stuffed dots come up often.
TRICKY = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"\r\n."])).map(
    b"".join
)


def stuffed(content: bytes) -> bytes:
    """RFC 5321, section 4.5.2, the client's side, line by line."""
    return b"\r\n".join(
        b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n")
    )


def read_in_pieces(wire: bytes, cuts: list[int]) -> tuple[Content, bytes]:
    content = Content(limit=1 << 20)
    edges = sorted({min(cut, len(wire)) for cut in cuts} | {0, len(wire)})
    for start, end in pairwise(edges):
        rest = content.feed(wire[start:end])
        if rest is not None:
            return content, rest + wire[end:]
    raise AssertionError("the end was not seen")


@given(text=TRICKY, after=TRICKY, cuts=st.lists(st.integers(0, 80)))
def test_any_content_comes_through_however_it_is_cut(
    text: bytes, after: bytes, cuts: list[int]
) -> None:
    meant = text + b"\r\n"
    wire = stuffed(meant) + b".\r\n"
    content, rest = read_in_pieces(wire + after, cuts)
    assert content.raw() == meant
    assert rest == after
    assert content.received == len(wire)


@given(wire=TRICKY, cuts=st.lists(st.integers(0, 80)))
def test_nothing_but_crlf_dot_crlf_ends_a_mail(wire: bytes, cuts: list[int]) -> None:
    mark = (b"\r\n" + wire).find(b"\r\n.\r\n")
    content = Content(limit=1 << 20)
    edges = sorted({min(cut, len(wire)) for cut in cuts} | {0, len(wire)})
    ended = [content.feed(wire[a:b]) is not None for a, b in pairwise(edges)]
    if mark < 0:
        assert not any(ended)
    else:
        assert any(ended)


def test_over_the_limit_nothing_is_held_and_the_end_is_still_found() -> None:
    content = Content(limit=10)
    assert content.feed(b"x" * 100) is None
    assert content.too_big
    assert content.feed(b"x" * 100 + b"\r\n.\r") is None
    assert content.feed(b"\nQUIT") == b"QUIT"
    assert content.raw() == b""


@pytest.mark.parametrize(("limit", "too_big"), [(5, True), (6, False)])
def test_the_limit_counts_what_is_kept_and_is_itself_allowed(limit: int, too_big: bool) -> None:
    content = Content(limit=limit)
    assert content.feed(b"..\r\n..\r\n.\r\n") == b""
    assert content.too_big is too_big
    assert content.raw() == (b"" if too_big else b".\r\n.\r\n")


@pytest.mark.parametrize(
    ("raw", "bare"),
    [
        (b"", False),
        (b"a\r\nb\r\n", False),
        (b"a\nb\r\n", True),
        (b"a\rb\r\n", True),
        (b"\r\r\n", True),
        (b"\n\r", True),
    ],
)
def test_bare_newlines(raw: bytes, bare: bool) -> None:
    assert has_bare_newline(raw) is bare


@given(st.text(max_size=300))
def test_a_path_is_read_or_refused_and_never_carries_control_characters(text: str) -> None:
    try:
        path = read_path(f"FROM:{text}", "FROM:")
    except Refused as refused:
        reply, address = refused.reply, ""
    else:
        reply, address = "250", path.address
    assert reply[:3] in ("250", "501", "553")
    assert address == "" or (address.isprintable() and len(address) <= 511)


def test_parameters_are_told_apart_from_the_address() -> None:
    path = read_path("FROM:<a@example.com> SIZE=12 smtputf8", "FROM:")
    assert path.address == "a@example.com"
    assert path.domain == "example.com"
    assert path.params == {"SIZE": "12", "SMTPUTF8": ""}
