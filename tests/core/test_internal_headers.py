"""Headers that only our own servers may write: what a stranger writes into them is nothing (A8)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from mailgate.core.authres import trusted_recipients
from mailgate.core.identify import identify
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.policy import Trust
from mailgate.core.screen import LOOP_HEADER, Treatment, screen
from tests.core.samples import ANA, POLICY

TRUST = Trust(trusted=(ip_network("192.0.2.0/28"),))
OURS = "Received: from evil.test by mx.help.test; Mon, 4 May 2026 09:30:00 +0000"
INNER = "Received: from mx.help.test by inner.help.test; Mon, 4 May 2026 09:30:01 +0000"
THEIRS = "Received: from pc.evil.test by evil.test; Mon, 4 May 2026 09:29:00 +0000"
TO = "Delivered-To: support+abc@help.test"
FIRST = "X-Original-To: sales@help.test"


def recipients(*head: str, peer: str = "", trust: Trust = TRUST) -> tuple[str, ...]:
    raw = "\r\n".join((*head, "From: x@evil.test", "", "Hello", "")).encode()
    return trusted_recipients(parse(raw), Envelope(peer=peer), replace(POLICY, trust=trust))


@pytest.mark.parametrize(
    ("head", "hops", "expected"),
    [
        pytest.param((TO, OURS), 1, ("support+abc@help.test",), id="ours"),
        pytest.param(
            (FIRST, TO, OURS), 1, ("sales@help.test", "support+abc@help.test"), id="both of ours"
        ),
        pytest.param((TO, TO, OURS), 1, ("support+abc@help.test",), id="each once"),
        pytest.param((OURS, TO, FIRST), 1, (), id="forged below our Received (A8)"),
        pytest.param((OURS, THEIRS, TO), 1, (), id="forged below theirs (A8)"),
        pytest.param((FIRST, OURS, TO), 1, ("sales@help.test",), id="ours and a forged one (A8)"),
        pytest.param((INNER, TO, OURS, FIRST), 1, (), id="between our hops, one is known (A8)"),
        pytest.param(
            (INNER, TO, OURS, FIRST), 2, ("support+abc@help.test",), id="between our hops"
        ),
        pytest.param((OURS, TO), 2, (), id="it skipped a hop (A8)"),
        pytest.param((TO,), 1, ("support+abc@help.test",), id="handed over without a hop"),
        pytest.param(("Delivered-To: Support+ABC@HELP.test", OURS), 1, ("support+abc@help.test",),
                     id="in capitals"),
        pytest.param(("Delivered-To: mailing list x@y.test", OURS), 1, (), id="no address"),
        pytest.param(("Envelope-To: support@help.test", OURS), 1, (), id="a header not looked at"),
    ],
)  # fmt: skip
def test_delivered_to_counts_above_our_hops(
    head: tuple[str, ...], hops: int, expected: tuple[str, ...]
) -> None:
    assert recipients(*head, trust=replace(TRUST, hops=hops)) == expected
    assert recipients(*head, peer="192.0.2.3", trust=replace(TRUST, hops=hops)) == expected
    assert recipients(*head, peer="198.51.100.1", trust=replace(TRUST, hops=hops)) == ()


def test_a_result_below_our_received_takes_no_recipient_along_A8() -> None:
    assert recipients(OURS, TO, trust=replace(TRUST, below=True)) == ()


FORGED = (
    f"Return-Path: <{ANA.address}>",
    f"Delivered-To: {ANA.address}",
    f"X-Original-To: {ANA.address}",
    f"X-Mailgate-Author: {ANA.address}",
    "X-Mailgate-Proof: login",
    "X-Mailgate-Ticket: 7",
    f"X-Mailgate-Login: {ANA.address}",
    f"X-Authenticated-Sender: {ANA.address}",
    f"{LOOP_HEADER}: another-house",
)


@pytest.mark.parametrize("header", FORGED)
def test_no_header_of_the_mail_says_who_wrote_it_A8(header: str) -> None:
    plain = f"From: {ANA.address}\r\nSubject: x\r\n\r\nHello\r\n".encode()
    forged = header.encode() + b"\r\n" + plain
    assert identify(parse(forged), Envelope(), POLICY) == identify(parse(plain), Envelope(), POLICY)
    assert not identify(parse(forged), Envelope(), POLICY).proofs


def test_our_own_loop_header_only_ever_silences_a_mail_A8() -> None:
    raw = f"{LOOP_HEADER}: {POLICY.instance}\r\nFrom: x@evil.test\r\n\r\nHello\r\n".encode()
    assert screen(parse(raw), Envelope(), POLICY).treatment is Treatment.DROP
