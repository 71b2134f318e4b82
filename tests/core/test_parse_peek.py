"""The first look at a mail: the fingerprint ignores transport and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.peek import MAX_HEAD, peek

MAIL = b"From: a@acme.test\r\nMessage-ID:\r\n <1@acme.test>\r\nSubject: x\r\n\r\nHello\r\n"


def test_the_message_id() -> None:
    assert peek(MAIL).message_id == "<1@acme.test>"
    assert peek(b"Message-ID: junk <a b> <2@acme.test>\n\n").message_id == "<2@acme.test>"
    assert peek(b"message-id : <3@acme.test>\nMessage-ID: <4@acme.test>\n\n").message_id == (
        "<3@acme.test>"
    )
    assert peek(b"Subject: x\n\nMessage-ID: <5@acme.test>\n").message_id == ""
    assert peek(b"\r\nMessage-ID: <6@acme.test>\n").message_id == ""
    assert peek(b"").message_id == ""


def test_transport_leaves_no_mark() -> None:
    added = (
        b"Return-Path: <x@acme.test>\r\nDelivered-To: s@example.org\r\nX-Original-To: s\r\n"
        b"Received: from mx\r\n by us;\r\n\tFri, 21 Nov 2025\r\nX-Spam-Status: No,\r\n score=1\r\n"
        b"Authentication-Results: us; dkim=pass\r\nEnvelope-To: s\r\nDelivery-date: now\r\n"
        b"Received-SPF: pass\r\nX-Envelope-To: s\r\n"
    )
    plain = peek(MAIL).fingerprint
    assert peek(added + MAIL).fingerprint == plain
    assert peek(MAIL.replace(b"\r\n\r\n", b"\r\n" + added + b"\r\n", 1)).fingerprint == plain
    assert peek(MAIL.replace(b"\r\n", b"\n")).fingerprint == plain
    assert peek(b"From a@acme.test Fri Nov 21 00:00:00 2025\n" + MAIL).fingerprint == plain


def test_everything_else_counts() -> None:
    seen = {
        peek(raw).fingerprint
        for raw in (
            MAIL,
            MAIL + b" ",
            MAIL.replace(b"Hello", b"hello"),
            MAIL.replace(b"Subject: x", b"Subject: y"),
            MAIL.replace(b"\r\n\r\n", b"\r\nDKIM-Signature: z\r\n\r\n"),
            MAIL.replace(b"\r\n\r\n", b"\r\n\r\nReceived: in the body\r\n"),
            b"\r\n" + MAIL,
            b"no header\r\nReceived: x\r\n" + MAIL,
            b"no header\r\n" + MAIL,
        )
    }
    assert len(seen) == 9


def test_a_head_of_four_million_folds_is_read_once() -> None:  # P3
    # Found by fuzzing: adding each folded line to its header took minutes, before the 250.
    head = b"Message-ID: <1@acme.test>\r\nSubject: x\r\n" + b" y\r\n" * 4_000_000
    seen = peek(head + b"\r\nHello")
    assert seen.message_id == "<1@acme.test>"
    assert seen.fingerprint == peek((head + b"\r\nHello").replace(b"\r\n", b"\n")).fingerprint
    assert seen.fingerprint != peek(head + b" y\r\n\r\nHello").fingerprint


def test_a_head_beyond_the_limit_keeps_even_its_transport() -> None:  # P3
    filler = b"X-A: " + b"y" * MAX_HEAD + b"\r\n"
    seen = peek(b"Received: one\r\n" + filler + MAIL)
    assert seen.fingerprint != peek(b"Received: two\r\n" + filler + MAIL).fingerprint
    assert seen.message_id == ""


@settings(max_examples=300)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_different_bodies_never_share_a_fingerprint(one: bytes, other: bytes) -> None:
    same = one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")
    first, second = (peek(b"From: a@acme.test\r\n\r\n" + body) for body in (one, other))
    assert (first.fingerprint == second.fingerprint) is same
