"""Authentication-Results: whose header counts, where it must stand, and what it must say (A6, A7).

Every case goes the whole way, from the bytes of a mail to the author and what speaks for them.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from mailgate.core.authres import judge, parse_results
from mailgate.core.identify import identify
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Policy, Trust
from tests.core.samples import ANA, POLICY

ID = "mx.help.test"
PINNED = Trust(authserv_id=ID, trusted=(ip_network("192.0.2.0/28"), ip_network("2001:db8::/64")))
PASS = f"Authentication-Results: {ID}; dmarc=pass header.from=agents.test"
FAIL = f"Authentication-Results: {ID}; dmarc=fail header.from=agents.test"
OURS = "Received: from out.agents.test by mx.help.test; Mon, 4 May 2026 09:30:00 +0000"
INNER = "Received: from mx.help.test by inner.help.test; Mon, 4 May 2026 09:30:01 +0000"
THEIRS = "Received: from desk.agents.test by out.agents.test; Mon, 4 May 2026 09:29:00 +0000"


def stamp(
    *head: str, sender: str = ANA.address, peer: str = "", trust: Trust = PINNED
) -> tuple[Stamp, str]:
    """What counts for a mail with these headers above From."""
    raw = "\r\n".join((*head, f"From: Ana <{sender}>", "Subject: x", "", "Hello", ""))
    author = identify(parse(raw.encode()), Envelope(peer=peer), replace(POLICY, trust=trust))
    assert (author.stamp is Stamp.ALIGNED) == ("aligned" in author.proofs)
    return author.stamp, author.stamp_reason


@pytest.mark.parametrize(
    ("head", "trust", "expected"),
    [
        pytest.param((PASS, OURS, THEIRS), PINNED, Stamp.ALIGNED, id="above our Received"),
        pytest.param((OURS, PASS, THEIRS), PINNED, Stamp.ABSENT, id="forged below it (A6)"),
        pytest.param((OURS, THEIRS, PASS), PINNED, Stamp.ABSENT, id="forged at the bottom (A6)"),
        pytest.param((FAIL, OURS, PASS), PINNED, Stamp.FAILED, id="forged below the real (A6)"),
        pytest.param((FAIL, PASS, OURS), PINNED, Stamp.FAILED, id="only the topmost counts (A6)"),
        pytest.param((PASS, FAIL, OURS), PINNED, Stamp.ALIGNED, id="the topmost passes"),
        pytest.param((PASS, OURS), Trust(), Stamp.ABSENT, id="no pin, no trust (A6)"),
        pytest.param((PASS,), PINNED, Stamp.ALIGNED, id="no Received: from our own machine"),
        pytest.param((), PINNED, Stamp.ABSENT, id="nothing at all"),
        pytest.param((OURS, THEIRS), PINNED, Stamp.ABSENT, id="our server wrote none"),
        pytest.param(
            (INNER, PASS, OURS, THEIRS), PINNED, Stamp.ABSENT, id="two hops, one is known (A6)"
        ),
        pytest.param(
            (INNER, PASS, OURS, THEIRS),
            replace(PINNED, hops=2),
            Stamp.ALIGNED,
            id="two hops of ours",
        ),
        pytest.param(
            (INNER, OURS, PASS, THEIRS),
            replace(PINNED, hops=2),
            Stamp.ABSENT,
            id="forged below two hops (A6)",
        ),
        pytest.param(
            (OURS, PASS), replace(PINNED, hops=2), Stamp.ABSENT, id="it skipped a hop (A6)"
        ),
        pytest.param(
            (OURS, PASS, THEIRS), replace(PINNED, below=True), Stamp.ALIGNED, id="directly below"
        ),
        pytest.param(
            (OURS, FAIL, PASS, THEIRS),
            replace(PINNED, below=True),
            Stamp.FAILED,
            id="below, and the forged one below that (A6)",
        ),
        pytest.param(
            (OURS, THEIRS, PASS),
            replace(PINNED, below=True),
            Stamp.ABSENT,
            id="below a Received that is not ours (A6)",
        ),
        pytest.param(
            (OURS, "Return-Path: <x@evil.test>", PASS),
            replace(PINNED, below=True),
            Stamp.ABSENT,
            id="below, but not directly (A6)",
        ),
        pytest.param(
            (FAIL, OURS, PASS),
            replace(PINNED, below=True),
            Stamp.FAILED,
            id="above wins over below",
        ),
        pytest.param(
            ("Authentication-Results: other.test; dmarc=pass header.from=agents.test", FAIL, OURS),
            PINNED,
            Stamp.FAILED,
            id="another server's header is passed over",
        ),
        pytest.param(
            (PASS.replace("Authentication", "X-Authentication"), OURS),
            PINNED,
            Stamp.ABSENT,
            id="another header's name (A6)",
        ),
        pytest.param(
            (PASS.replace("Authentication", "ARC-Authentication"), OURS),
            PINNED,
            Stamp.ABSENT,
            id="ARC's copy (A6)",
        ),
    ],
)
def test_where_the_header_stands(head: tuple[str, ...], trust: Trust, expected: Stamp) -> None:
    assert stamp(*head, trust=trust)[0] is expected


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param("", Stamp.ALIGNED, id="this machine"),
        pytest.param("192.0.2.7", Stamp.ALIGNED, id="a server of ours"),
        pytest.param("2001:db8::7", Stamp.ALIGNED, id="a server of ours, IPv6"),
        pytest.param("::ffff:192.0.2.7", Stamp.ALIGNED, id="a server of ours, mapped"),
        pytest.param("192.0.2.16", Stamp.ABSENT, id="the Internet (A6)"),
        pytest.param("2001:db8:1::7", Stamp.ABSENT, id="the Internet, IPv6 (A6)"),
        pytest.param("nonsense", Stamp.ABSENT, id="no address"),
    ],
)
@pytest.mark.parametrize("head", [(PASS,), (PASS, OURS)], ids=["alone", "with Received"])
def test_who_handed_the_mail_over(head: tuple[str, ...], peer: str, expected: Stamp) -> None:
    assert stamp(*head, peer=peer)[0] is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"{ID}; dmarc=pass header.from=agents.test", Stamp.ALIGNED, id="plain"),
        pytest.param(
            f"(a (b) \\) c) {ID} (d) 1 (e) ; (f) dmarc(g)=(h)pass (i) header(j).(k)from (l)=(m)"
            "agents.test (n)",
            Stamp.ALIGNED,
            id="CFWS everywhere",
        ),
        pytest.param(f'"{ID}"; dmarc=pass header.from="agents.test"', Stamp.ALIGNED, id="quoted"),
        pytest.param('"mx.\\help.test"; dmarc=pass header.from=agents.test', Stamp.ALIGNED,
                     id="quoted pairs"),
        pytest.param(f"{ID}\r\n\t1;\r\n dmarc=pass\r\n header.from=agents.test", Stamp.ALIGNED,
                     id="folded"),
        pytest.param("MX.Help.TEST; DMARC=PASS Header.From=Agents.TEST", Stamp.ALIGNED, id="case"),
        pytest.param(f"{ID}; dmarc/1=pass header.from=agents.test;", Stamp.ALIGNED,
                     id="method version, semicolon at the end"),
        pytest.param(f'{ID}; dmarc=pass reason="a; b=c" header.from=agents.test', Stamp.ALIGNED,
                     id="a reason"),
        pytest.param(f"{ID}; none", Stamp.NONE, id="no result"),
        # What is not ours, or not to be believed (A6).
        pytest.param("evil.test (mx.help.test); dmarc=pass header.from=agents.test", Stamp.ABSENT,
                     id="our id in a comment (A6)"),
        pytest.param("evil.test mx.help.test; dmarc=pass header.from=agents.test", Stamp.ABSENT,
                     id="our id as the second word (A6)"),
        pytest.param("mx.help.test.evil.test; dmarc=pass header.from=agents.test", Stamp.ABSENT,
                     id="our id as a part (A6)"),
        pytest.param(f'"{ID} "; dmarc=pass header.from=agents.test', Stamp.ABSENT,
                     id="our id and a blank (A6)"),
        pytest.param("m\uff58.help.test; dmarc=pass header.from=agents.test", Stamp.ABSENT,
                     id="a look-alike (A6)"),
        pytest.param("dmarc=pass header.from=agents.test", Stamp.ABSENT, id="no id (A6)"),
        pytest.param("; dmarc=pass header.from=agents.test", Stamp.ABSENT, id="an empty id (A6)"),
        pytest.param(f"{ID}", Stamp.NONE, id="nothing but the id"),
        pytest.param(f"{ID} 2; dmarc=pass header.from=agents.test", Stamp.NONE,
                     id="a version that is not known (A6)"),
        pytest.param(f"{ID}; (dmarc=pass header.from=agents.test", Stamp.NONE,
                     id="an open comment (A6)"),
        pytest.param(f"{ID}; dmarc=pass header.from=agents.test (and more", Stamp.NONE,
                     id="an open comment behind it (A6)"),
        pytest.param(f'{ID}; dmarc=pass header.from=agents.test "and more', Stamp.NONE,
                     id="an open quote behind it (A6)"),
        pytest.param(f'{ID}; spf=pass smtp.mailfrom="a; dmarc=pass header.from=agents.test',
                     Stamp.NONE, id="an open quote (A6)"),
        pytest.param(f"{ID}; dmarc=pass header.from=agents.test; @evil.test", Stamp.NONE,
                     id="a local part that broke out (A6)"),
        pytest.param(f'{ID}; spf=pass smtp.mailfrom="; dmarc=pass header.from=agents.test"@x.test',
                     Stamp.NONE, id="a local part that did not (A6)"),
        pytest.param(f"{ID}; spf=pass (x; dmarc=pass header.from=agents.test)", Stamp.NONE,
                     id="a pass in a comment (A6)"),
        pytest.param(f'{ID}; spf=pass reason="; dmarc=pass header.from=agents.test"', Stamp.NONE,
                     id="a pass in a reason (A6)"),
        pytest.param(f"{ID}; dmarc=pass header.from=agents.test; dmarc=fail header.from=x.test",
                     Stamp.NONE, id="two answers (A6)"),
        pytest.param(f"{ID}; dmarc=pass header.from=agents.test header.from=evil.test",
                     Stamp.NONE, id="one answer about two (A6)"),
        pytest.param(f"{ID}; dmarc=passed header.from=agents.test", Stamp.NONE, id="no such word"),
        pytest.param(f"{ID}; dmarc=pass header,from=agents.test", Stamp.NONE, id="no property"),
        pytest.param(f"{ID}; dmarc=pass\u00a0header.from=agents.test", Stamp.NONE,
                     id="a blank that is none"),
        # What passes, but is not about the author (A7).
        pytest.param(f"{ID}; spf=pass smtp.mailfrom=ana@agents.test", Stamp.NONE,
                     id="SPF alone, even aligned (A7)"),
        pytest.param(f"{ID}; spf=pass smtp.mailfrom=x@evil.test",
                     Stamp.NONE, id="SPF of evil (A7)"),
        pytest.param(f"{ID}; dkim=pass header.d=evil.test", Stamp.NONE, id="DKIM of evil (A7)"),
        pytest.param(f"{ID}; dkim=pass", Stamp.NONE, id="DKIM of nobody (A7)"),
        pytest.param(f"{ID}; dmarc=pass header.from=evil.test", Stamp.NONE,
                     id="DMARC of evil (A7)"),
        pytest.param(f"{ID}; dmarc=pass", Stamp.NONE, id="DMARC of nobody (A7)"),
        pytest.param(f"{ID}; dmarc=fail", Stamp.NONE, id="DMARC fails for nobody"),
        pytest.param(f"{ID}; dmarc=fail header.from=evil.test", Stamp.NONE, id="fails for evil"),
        pytest.param(f"{ID}; dkim=pass header.d=agents.test; dmarc=pass header.from=evil.test",
                     Stamp.NONE, id="the server saw another author (A2, A7)"),
        pytest.param(f"{ID}; dmarc=pass header.from=sub.agents.test", Stamp.NONE,
                     id="a domain below (A7)"),
        pytest.param(f"{ID}; dmarc=pass header.from=test", Stamp.NONE, id="a domain above (A7)"),
        pytest.param(f"{ID}; dkim=pass header.d=test", Stamp.NONE, id="signed by the parent (A7)"),
        pytest.param(f"{ID}; dkim=pass header.d=evil.test header.i=ana@agents.test", Stamp.NONE,
                     id="header.i of another domain (A7)"),
        pytest.param(f"{ID}; dkim=fail header.d=agents.test", Stamp.NONE, id="a bad signature"),
        pytest.param(f"{ID}; dmarc=none header.from=agents.test", Stamp.NONE, id="no policy"),
        pytest.param(f"{ID}; auth=pass smtp.auth=ben@agents.test", Stamp.NONE,
                     id="another's login (A7)"),
        pytest.param(f"{ID}; auth=pass smtp.mailfrom=ana@agents.test", Stamp.NONE,
                     id="a login that is not told (A7)"),
        pytest.param(f"{ID}; arc=pass header.from=agents.test", Stamp.NONE, id="another method"),
        # What speaks for the author.
        pytest.param(f"{ID}; dkim=fail header.d=evil.test; dkim=pass header.d=agents.test",
                     Stamp.ALIGNED, id="one signature of several"),
        pytest.param(f"{ID}; dkim=pass header.i=@agents.test", Stamp.ALIGNED, id="header.i alone"),
        pytest.param(f"{ID}; dkim=pass header.d=agents.test header.i=x@sub.agents.test",
                     Stamp.ALIGNED, id="header.d says who signed"),
        pytest.param(f"{ID}; dkim=pass header.d=agents.test; dmarc=none header.from=agents.test",
                     Stamp.ALIGNED, id="signed, without a policy"),
        pytest.param(f"{ID}; auth=pass (PLAIN) smtp.auth=Ana@Agents.test", Stamp.ALIGNED,
                     id="our server's login"),
        pytest.param(f"{ID}; dkim=pass header.d=agents.test; dmarc=fail header.from=agents.test",
                     Stamp.FAILED, id="a DMARC failure wins"),
        pytest.param(f"{ID}; dmarc=fail header.from=agents.test; auth=pass smtp.auth={ANA.address}",
                     Stamp.FAILED, id="over a login too"),
    ],
)  # fmt: skip
def test_what_the_header_says(value: str, expected: Stamp) -> None:
    found, reason = stamp(f"Authentication-Results: {value}", OURS)
    assert found is expected, reason
    assert reason


def test_a_header_of_nobody_else_is_asked_when_ours_is_broken_A6() -> None:
    broken = f"Authentication-Results: {ID}; dmarc=pass ((("
    assert stamp(broken, PASS, OURS)[0] is Stamp.NONE
    broken = f"Authentication-Results: {ID}; dmarc=pass header.from=agents.test; ?"
    assert stamp(broken, PASS, OURS) == (
        Stamp.NONE,
        f"the Authentication-Results of {ID} do not follow RFC 8601",
    )


def test_an_author_in_another_alphabet_is_compared_as_A_labels() -> None:
    head = f"Authentication-Results: {ID}; dmarc=pass header.from="
    for written in ("b\u00fccher.test", "xn--bcher-kva.test", "B\u00dcCHER.test"):
        assert stamp(head + written, OURS, sender="ana@b\u00fccher.test")[0] is Stamp.ALIGNED
    assert stamp(head + "bucher.test", OURS, sender="ana@b\u00fccher.test")[0] is Stamp.NONE
    # A Kelvin sign is no k (A4).
    assert stamp(head + "\u212aorp.test", OURS, sender="ana@korp.test")[0] is Stamp.NONE


def test_no_single_author_is_proven_by_nothing_A1() -> None:
    for more in ("From: x@evil.test\r\n", ""):
        people = "ana@agents.test" if more else "ana@agents.test, x@evil.test"
        raw = f"{PASS}\r\n{OURS}\r\nFrom: {people}\r\n{more}\r\nHello\r\n"
        mail, policy = parse(raw.encode()), replace(POLICY, trust=PINNED)
        assert judge(mail, Envelope(), policy)[0] is Stamp.ABSENT
        assert not identify(mail, Envelope(), policy).proofs


def test_the_reason_is_one_line_and_bounded() -> None:
    noise = "; ".join(f"x{n}=none" for n in range(500))
    _, reason = stamp(f"Authentication-Results: {ID}; {noise}", OURS)
    assert len(reason) < 400
    assert reason.isprintable()


def test_reading_a_header_gives_its_results_in_order() -> None:
    read = parse_results('mx.test; dkim=pass header.b="a;b" header.d=x.test; spf=none')
    assert [(r.method, r.verdict, r.properties) for r in read.results] == [
        ("dkim", "pass", (("header.b", "a;b"), ("header.d", "x.test"))),
        ("spf", "none", ()),
    ]
    assert (read.authserv_id, read.broken) == ("mx.test", False)
    assert Policy().trust.authserv_id == ""  # nobody's word counts until somebody says whose
