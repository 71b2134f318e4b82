"""Authentication-Results, whatever they are: nothing raises, and a stranger gains nothing (A6).

A part of invariant 8 (authority grows with proofs alone): all that a sender can add stands below
the Received header of our outermost hop, and adding it never makes the verdict better.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.authres import judge, parse_results, trusted_recipients
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Trust
from tests.core.samples import POLICY

ID = "mx.help.test"
RECEIVED = "Received: from a by b; Mon, 4 May 2026 09:30:00 +0000"
FROM = "From: Ana <ana@agents.test>"
PIECES = st.sampled_from(
    [
        *(ID, f'"{ID}"', "MX.help.TEST", "evil.test", "1", "none", ";", "; ", " ", "\t", "=", "."),
        *("dmarc=pass", "dmarc=fail", "dkim=pass", "spf=pass", "auth=pass", "/", "\\", '"', "'"),
        *("header.from=agents.test", "header.d=agents.test", "header.i=@agents.test", "@", ","),
        *("smtp.auth=ana@agents.test", "header.from=evil.test", "(", ")", "(a (b))", "reason="),
        *("\u00a0", "\u212a", "\x7f", "\u2028", "=?utf-8?q?dmarc=3Dpass?="),
    ]
)
VALUES = st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join)
TRUSTS = st.builds(
    Trust,
    authserv_id=st.just(ID),
    hops=st.integers(1, 3),
    trusted=st.just((ip_network("192.0.2.0/24"),)),
)
LINES = st.sampled_from(
    [
        RECEIVED,
        "Return-Path: <x@evil.test>",
        "Delivered-To: support+abc@help.test",
        "X-Original-To: support@help.test",
        f"Authentication-Results: {ID}; dmarc=pass header.from=agents.test",
        f"AUTHENTICATION-RESULTS : {ID}; auth=pass smtp.auth=ana@agents.test",
        f"Authentication-Results: {ID}; dmarc=fail header.from=agents.test",
        f"Authentication-Results: {ID}; dkim=pass header.d=evil.test",
        "Authentication-Results: other.test; dmarc=pass header.from=agents.test",
        "X-Mailgate-Login: ana@agents.test",
        "Subject: x",
    ]
)
HEADS = st.lists(LINES, max_size=5)


def judged(head: list[str], trust: Trust, peer: str = "") -> tuple[Stamp, tuple[str, ...]]:
    raw = "\r\n".join((*head, FROM, "", "Hello", "")).encode("utf-8", "replace")
    mail, envelope, policy = parse(raw), Envelope(peer=peer), replace(POLICY, trust=trust)
    return judge(mail, envelope, policy)[0], trusted_recipients(mail, envelope, policy)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_header_is_read_and_read_the_same_in_other_spellings(value: str) -> None:
    value = re.sub(r"[\r\n]", " ", value)
    read = parse_results(value)
    if read.broken:
        assert read.results == ()
    else:
        assert read == parse_results(f" {value}\t(a comment)")
    for result in read.results:
        assert re.fullmatch("[a-z0-9_-]+", result.method + result.verdict)
    line = f"Authentication-Results: {value}"
    assert judged([line, RECEIVED], Trust(authserv_id=ID))[0] in Stamp


@settings(max_examples=200, deadline=None)
@given(HEADS, TRUSTS, st.sampled_from(["", "192.0.2.9"]))
def test_what_is_added_below_our_hops_changes_nothing_A6_A8(
    added: list[str], trust: Trust, peer: str
) -> None:
    for own in ([], [f"Authentication-Results: {ID}; dmarc=pass header.from=agents.test"]):
        ours = [*own, "Delivered-To: a@help.test", *[RECEIVED] * trust.hops]
        assert judged([*ours, *added], trust, peer) == judged(ours, trust, peer)


@settings(max_examples=200, deadline=None)
@given(HEADS, TRUSTS)
def test_what_is_added_below_our_own_result_makes_nothing_better_A6(
    added: list[str], trust: Trust
) -> None:
    trust = replace(trust, below=True)
    for verdict in ("pass header.from=agents.test", "fail header.from=agents.test", "none"):
        ours = [RECEIVED] * trust.hops + [f"Authentication-Results: {ID}; dmarc={verdict}"]
        assert judged([*ours, *added], trust) == judged(ours, trust)


@settings(max_examples=100, deadline=None)
@given(HEADS, TRUSTS)
def test_a_peer_that_is_not_ours_proves_nothing_A6(head: list[str], trust: Trust) -> None:
    assert judged(head, trust, "198.51.100.7") == (Stamp.ABSENT, ())
    assert judged(head, replace(trust, authserv_id=""))[0] is Stamp.ABSENT


@settings(max_examples=200, deadline=None)
@given(HEADS, TRUSTS, st.booleans(), st.data())
def test_refolding_and_the_case_of_names_change_nothing(
    head: list[str], trust: Trust, below: bool, data: st.DataObject
) -> None:
    trust = replace(trust, below=below)
    other = []
    for line in head:
        name, _, value = line.partition(":")
        fold = data.draw(st.sampled_from([" ", "\r\n ", "\r\n\t", "  \r\n "]))
        name = data.draw(st.sampled_from([name, name.upper(), name.lower(), name.title()]))
        other.append(f"{name}:{fold}" + value.strip().replace("; ", f";{fold}"))
    assert judged(other, trust) == judged(head, trust)
    raw = "\r\n".join((*head, FROM, "", "Hello", "")).replace("\r\n", "\n").encode()
    policy = replace(POLICY, trust=trust)
    assert judge(parse(raw), Envelope(), policy)[0] is judged(head, trust)[0]


@settings(max_examples=100, deadline=None)
@given(HEADS, TRUSTS)
def test_a_second_author_ends_every_proof_A1(head: list[str], trust: Trust) -> None:
    assert judged([*head, "From: x@evil.test"], trust)[0] is Stamp.ABSENT
