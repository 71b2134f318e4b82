"""SPF, DKIM and DMARC checked by ourselves, against a real name server and real signatures (A7)."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import dkim
import pytest
from nacl.signing import SigningKey

import mailgate
from mailgate.config import ConfigError, checks, load
from mailgate.core.identify import identify
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Trust
from mailgate.dmarc import Asked, Resolving, verify
from mailgate.verifying import NotInstalled, Verifier
from tests.core.samples import POLICY
from tests.peers.name_server import FAILS, SILENT, NameServer, Records, serving, text
from tests.signing import Keys, rsa_keys

PEER = "192.0.2.25"
BODY = "Subject: Printer\r\nMessage-ID: <1@corp.test>\r\n\r\nIt does not print.\r\n"
TRUST = Trust(verify=True, trusted=(ip_network("127.0.0.0/8"),))


@pytest.fixture(scope="module")
def keys() -> Keys:
    return rsa_keys()


@pytest.fixture(scope="module")
def curve() -> Keys:
    """A key of RFC 8463."""
    made = SigningKey.generate()
    private, public = base64.b64encode(bytes(made)), base64.b64encode(bytes(made.verify_key))
    return private, public.decode("ascii")


@pytest.fixture(scope="module")
def names(keys: Keys, curve: Keys) -> Iterator[NameServer]:
    key = [text(f"v=DKIM1; k=rsa; p={keys[1]}")]
    record = {"TXT": [text("v=spf1 ip4:192.0.2.0/24 -all")]}
    records: Records = {
        "corp.test": record,
        "_dmarc.corp.test": {"TXT": [text("v=DMARC1; p=reject")]},
        "s1._domainkey.corp.test": {"TXT": key},
        "test1._domainkey.corp.test": {"TXT": [text(f"v=DKIM1; k=rsa; t=y; p={keys[1]}")]},
        "curve._domainkey.corp.test": {"TXT": [text(f"v=DKIM1; k=ed25519; p={curve[1]}")]},
        "long._domainkey.corp.test": {
            "TXT": [text(f"v=DKIM1; n={'x' * 400}; p={keys[1]}")],
        },
        "slow._domainkey.corp.test": {SILENT: []},
        "lost._domainkey.corp.test": {FAILS: []},
        "eu.corp.test": record,
        "strict.test": record,
        "mail.strict.test": record,
        "_dmarc.strict.test": {"TXT": [text("v=DMARC1; p=none; adkim=s; aspf=s")]},
        "s1._domainkey.strict.test": {"TXT": key},
        "s1._domainkey.mail.strict.test": {"TXT": key},
        "plain.test": record,
        "s1._domainkey.plain.test": {"TXT": key},
        "evil.test": record,
        "s1._domainkey.evil.test": {"TXT": key},
        "_dmarc.twice.test": {"TXT": [text("v=DMARC1; p=none"), text("v=DMARC1; p=reject")]},
        "_dmarc.other.test": {"TXT": [text("v=spf1 -all"), text("DMARC1; p=none")]},
        "_dmarc.broken.test": {FAILS: []},
        "_dmarc.nospf.test": {"TXT": [text("v=DMARC1; p=none")]},
        "_dmarc.lostspf.test": {"TXT": [text("v=DMARC1; p=none")]},
        "lostspf.test": {FAILS: []},
        "_dmarc.mx.test": {"TXT": [text("v=DMARC1; p=none")]},
        "mx.test": {"TXT": [text("v=spf1 a:out.mx.test mx include:corp.test -all")],
                    "MX": ["10 in.mx.test."]},
        "in.mx.test": {"A": ["198.51.100.9"], "AAAA": ["2001:db8::9"]},
        "_dmarc.loop.test": {"TXT": [text("v=DMARC1; p=none")]},
        "loop.test": {"TXT": [text("v=spf1 include:loop.test -all")]},
        "helo.corp.test": record,
    }  # fmt: skip
    with serving(records) as server:
        yield server


def signed(keys: Keys, domain: str, author: str, selector: str = "s1", **more: object) -> bytes:
    raw = f"From: Ana <{author}>\r\n{BODY}".encode()
    head = dkim.sign(raw, selector.encode(), domain.encode(), keys[0], **more)
    return bytes(head) + raw


def check(
    names: NameServer,
    raw: bytes,
    *,
    mail_from: str | None = "bounce@esp.test",
    helo: str = "out.esp.test",
    peer: str = "203.0.113.1",
    seconds: float = 8.0,
) -> tuple[Stamp, str]:
    sender = parse(raw).sender
    assert sender is not None
    asked = Asked(raw=raw, address=sender.addr, mail_from=mail_from, helo=helo, peer=peer)
    where = Resolving(nameservers=("127.0.0.1",), port=names.port, seconds=seconds)
    return verify(asked, where)


@pytest.mark.parametrize(
    ("domain", "author", "expected"),
    [
        pytest.param("corp.test", "ana@corp.test", Stamp.ALIGNED, id="its own signature"),
        pytest.param(
            "corp.test", "ana@eu.corp.test", Stamp.ALIGNED, id="relaxed: one organisation"
        ),
        pytest.param("strict.test", "ana@strict.test", Stamp.ALIGNED, id="strict, and the same"),
        pytest.param("mail.strict.test", "ana@strict.test", Stamp.FAILED, id="strict (A7)"),
        pytest.param("evil.test", "ana@corp.test", Stamp.FAILED, id="another's signature (A7)"),
        pytest.param("plain.test", "ana@plain.test", Stamp.ALIGNED, id="no DMARC, signed"),
        pytest.param("plain.test", "ana@eu.plain.test", Stamp.NONE, id="no DMARC: the same only"),
        pytest.param("evil.test", "ana@plain.test", Stamp.NONE, id="no DMARC, another's (A7)"),
        pytest.param("evil.test", "ana@twice.test", Stamp.NONE, id="two records are none"),
        pytest.param("evil.test", "ana@other.test", Stamp.NONE, id="other records are none"),
        pytest.param("evil.test", "ana@broken.test", Stamp.ABSENT, id="DMARC cannot be looked up"),
    ],
)
def test_who_signed(
    names: NameServer, keys: Keys, domain: str, author: str, expected: Stamp
) -> None:
    stamp, reason = check(names, signed(keys, domain, author))
    assert stamp is expected, reason


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda raw: raw, Stamp.ALIGNED, id="as it was sent"),
        pytest.param(lambda raw: raw.replace(b"\r\n", b"\n"), Stamp.ALIGNED, id="with LF"),
        pytest.param(lambda raw: b"Received: x\r\n" + raw, Stamp.ALIGNED, id="a hop more"),
        pytest.param(lambda raw: raw + b"Send money.\r\n", Stamp.FAILED, id="words added"),
        pytest.param(lambda raw: raw.replace(b"Printer", b"X"), Stamp.FAILED, id="a new subject"),
        pytest.param(lambda raw: raw.replace(b"Ana", b"Bob"), Stamp.FAILED, id="a new name"),
        pytest.param(lambda raw: raw.replace(b"a=rsa-sha256", b"a=rsa-sha1"), Stamp.FAILED,
                     id="a retired algorithm"),
        pytest.param(lambda raw: raw.replace(b"d=corp.test", b"d=@"), Stamp.FAILED, id="no domain"),
        pytest.param(lambda raw: raw.replace(b"DKIM-Signature: v=1", b"DKIM-Signature: v=2"),
                     Stamp.FAILED, id="another version"),
        pytest.param(lambda raw: b"DKIM-Signature: d=corp.test; =\r\n" + raw, Stamp.ALIGNED,
                     id="a broken one above it"),
        pytest.param(lambda raw: b"DKIM-Signature: x\r\n" * 50 + raw, Stamp.ALIGNED,
                     id="many broken ones"),
    ],
)  # fmt: skip
def test_what_was_changed_on_the_way(
    names: NameServer, keys: Keys, change: Callable[[bytes], bytes], expected: Stamp
) -> None:
    stamp, reason = check(names, change(signed(keys, "corp.test", "ana@corp.test")))
    assert stamp is expected, reason


def test_a_signature_with_ed25519_counts_as_any_other(names: NameServer, curve: Keys) -> None:
    how = {"signature_algorithm": b"ed25519-sha256"}
    raw = signed(curve, "corp.test", "ana@corp.test", "curve", **how)
    assert check(names, raw)[0] is Stamp.ALIGNED
    assert check(names, raw + b"Send money.\r\n")[0] is Stamp.FAILED


def test_a_body_that_anybody_can_grow_is_not_signed(names: NameServer, keys: Keys) -> None:
    raw = signed(keys, "corp.test", "ana@corp.test", length=True)
    assert dkim.DKIM(raw + b"Send money.\r\n").verify(
        dnsfunc=lambda *_, **__: f"v=DKIM1; p={keys[1]}".encode()
    )  # so it is: the library takes it
    assert check(names, raw)[0] is Stamp.FAILED


@pytest.mark.parametrize(
    ("selector", "expected"),
    [("test1", Stamp.FAILED), ("none", Stamp.FAILED), ("lost", Stamp.ABSENT)],
    ids=["a domain that tests", "no key", "a key that cannot be looked up"],
)
def test_the_key(names: NameServer, keys: Keys, selector: str, expected: Stamp) -> None:
    assert check(names, signed(keys, "corp.test", "a@corp.test", selector))[0] is expected


@pytest.mark.parametrize(
    ("author", "mail_from", "peer", "expected"),
    [
        pytest.param("a@corp.test", "a@corp.test", PEER, Stamp.ALIGNED, id="SPF of the author"),
        pytest.param("a@corp.test", "b@eu.corp.test", PEER, Stamp.ALIGNED, id="SPF, relaxed"),
        pytest.param("a@strict.test", "b@mail.strict.test", PEER, Stamp.FAILED, id="SPF, strict"),
        pytest.param(
            "a@corp.test", "a@corp.test", "203.0.113.1", Stamp.FAILED, id="not from there"
        ),
        pytest.param("a@corp.test", "x@evil.test", PEER, Stamp.FAILED, id="SPF of evil (A7)"),
        pytest.param("a@plain.test", "a@plain.test", PEER, Stamp.NONE, id="SPF alone (A7)"),
        pytest.param("a@corp.test", "", PEER, Stamp.ALIGNED, id="a null sender: HELO"),
        pytest.param("a@corp.test", None, PEER, Stamp.FAILED, id="no envelope"),
        pytest.param("a@nospf.test", "a@nospf.test", PEER, Stamp.FAILED, id="no SPF"),
        pytest.param("a@lostspf.test", "a@lostspf.test", PEER, Stamp.ABSENT, id="SPF is not told"),
        pytest.param("a@mx.test", "a@mx.test", "198.51.100.9", Stamp.ALIGNED, id="its MX"),
        pytest.param("a@mx.test", "a@mx.test", "2001:db8::9", Stamp.ALIGNED, id="its MX, IPv6"),
        pytest.param("a@mx.test", "a@mx.test", PEER, Stamp.ALIGNED, id="included"),
        pytest.param("a@loop.test", "a@loop.test", PEER, Stamp.FAILED, id="a record in circles"),
        pytest.param("a@corp.test", "x", PEER, Stamp.FAILED, id="no domain in the envelope"),
    ],
)
def test_who_may_send(
    names: NameServer, author: str, mail_from: str | None, peer: str, expected: Stamp
) -> None:
    raw = f"From: {author}\r\n{BODY}".encode()
    stamp, reason = check(names, raw, mail_from=mail_from, helo="helo.corp.test", peer=peer)
    assert stamp is expected, reason


def test_a_long_key_comes_over_tcp(names: NameServer, keys: Keys) -> None:
    names.asked.clear()
    assert check(names, signed(keys, "corp.test", "a@corp.test", "long"))[0] is Stamp.ALIGNED
    ways = [way for way, name, _ in names.asked if name == "long._domainkey.corp.test"]
    assert ways == ["udp", "tcp"]


def test_signatures_of_others_are_not_even_looked_up(names: NameServer, keys: Keys) -> None:
    raw = b"".join(b"DKIM-Signature: d=x%d.test; s=s1\r\n" % n for n in range(100))
    names.asked.clear()
    check(names, raw + signed(keys, "evil.test", "ana@corp.test"))
    assert not [name for _, name, _ in names.asked if "_domainkey" in name]


def test_a_name_server_that_is_silent_ends_the_check_and_fails_nothing(
    names: NameServer, keys: Keys
) -> None:
    raw = signed(keys, "corp.test", "ana@corp.test", "slow")
    stamp, reason = check(names, raw, seconds=0.3)
    assert (stamp, "slow._domainkey" in reason) == (Stamp.ABSENT, True)


@pytest.mark.parametrize("raw", [b" x\r\nFrom: a@corp.test\r\n\r\nHi", b"From: a@corp.test"])
def test_any_mail_gets_a_verdict(names: NameServer, raw: bytes) -> None:
    asked = Asked(raw=raw, address="a@corp.test", mail_from="\0@\xff", helo="", peer="nonsense")
    where = Resolving(nameservers=("127.0.0.1",), port=names.port)
    stamp, reason = verify(asked, where)
    assert stamp is not Stamp.ALIGNED
    assert reason.startswith("own check:")


# --- beside the loop ---------------------------------------------------------------------


def parsed(raw: bytes) -> Future[ParsedMail]:
    done: Future[ParsedMail] = Future()
    done.set_result(parse(raw))
    return done


@pytest.fixture(scope="module")
def verifier(names: NameServer) -> Iterator[Verifier]:
    made = Verifier(TRUST, Resolving(nameservers=("127.0.0.1",), port=names.port))
    yield made
    made.close()


def test_the_whole_way_to_a_proof(verifier: Verifier, keys: Keys) -> None:
    raw = signed(keys, "corp.test", "ana@corp.test")
    envelope = Envelope(mail_from="b@esp.test", peer="203.0.113.1")
    begun = [verifier.start(raw, parsed(raw), envelope) for _ in range(6)]
    for future in begun:
        assert future is not None
        author = identify(parse(raw), envelope, replace(POLICY, trust=TRUST), future.result())
        assert author.proofs == ("aligned",)
        assert "DKIM" in author.stamp_reason


@pytest.mark.parametrize(
    ("trust", "peer", "wanted"),
    [
        (TRUST, "203.0.113.1", True),
        (TRUST, "127.0.0.1", False),
        (TRUST, "", False),
        (replace(TRUST, verify=False), "203.0.113.1", False),
    ],
    ids=["the Internet", "a server of ours", "this machine", "switched off"],
)
def test_only_strangers_are_checked(trust: Trust, peer: str, wanted: bool) -> None:
    made = Verifier(trust)
    try:
        assert made.wanted(Envelope(peer=peer)) is wanted
        future = made.start(b"", parsed(b""), Envelope(peer=peer))
        assert (future is not None) is wanted
        assert future is None or future.result()[0] is Stamp.ABSENT  # no author
    finally:
        made.close()


def test_a_check_without_end_is_killed(names: NameServer, keys: Keys) -> None:
    # 2 MB of blanks: the library's reading of them is quadratic.
    raw = signed(keys, "corp.test", "ana@corp.test") + b" " * (2 << 20) + b"x\r\n"
    raw = raw.replace(b"c=relaxed/simple", b"c=relaxed/relaxed")
    where = Resolving(nameservers=("127.0.0.1",), port=names.port)
    made = Verifier(TRUST, where, seconds=2.0)
    try:
        stamp, reason = made.check(raw, parse(raw), Envelope(peer=PEER))
    finally:
        made.close()
    assert (stamp, reason) == (Stamp.ABSENT, "own check: not done within 2 seconds")


def test_a_closed_verifier_gives_the_mail_back(names: NameServer, keys: Keys) -> None:
    raw = signed(keys, "corp.test", "ana@corp.test", "slow")
    made = Verifier(TRUST, Resolving(nameservers=("127.0.0.1",), port=names.port))
    begun = [made.start(raw, parsed(raw), Envelope(peer=PEER)) for _ in range(8)]
    made.close()
    for future in begun:
        assert future is not None
        with pytest.raises((CancelledError, RuntimeError)):
            future.result()


# --- where the libraries are missing -----------------------------------------------------


def test_a_configuration_that_wants_what_is_not_installed_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[helpdesk]\ndomain = "example.org"\n[[mailbox]]\naddress = "a@example.org"\n[trust]\n'
    path = tmp_path / "config.toml"
    path.write_text(text + "verify = true\n")
    assert load(path).trust.verify
    monkeypatch.setattr(checks, "_VERIFY_NEEDS", ("dkim", "no_such_library"))
    with pytest.raises(ConfigError, match=r"config.toml:6: .*no_such_library.*mailgate\[verify\]"):
        load(path)
    path.write_text(text + "verify = false\n")
    assert not load(path).trust.verify


def test_a_verifier_without_its_libraries_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spf", None)
    monkeypatch.delitem(sys.modules, "mailgate.dmarc")
    monkeypatch.delattr(mailgate, "dmarc")
    with pytest.raises(NotInstalled, match="spf"):
        Verifier(TRUST)
