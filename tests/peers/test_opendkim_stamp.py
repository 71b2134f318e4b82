"""A real OpenDKIM before a real Postfix: its stamp is learned and read, and no sender's own is."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import dkim
import pytest

from mailgate.core.authres import judge
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Policy, Trust
from mailgate.ops.learning import Attack, Pin, attack, forged_probe, learn
from mailgate.sources.smtp import Wire
from tests.core.samples import NOW
from tests.peers.opendkim import OpenDkim, missing
from tests.peers.postfix import Postfix
from tests.peers.postfix import missing as no_postfix
from tests.shell.smtp_rig import Rig
from tests.signing import Keys, rsa_keys

pytestmark = pytest.mark.peer

HOST = "mta.example.net"
TRUST = Trust(trusted=(ip_network("127.0.0.0/8"),))
PINNED = Policy(trust=Pin(authserv_id=HOST, hops=1, below=False).within(TRUST))
PROBE = "From: Ana <ana@example.com>\r\nTo: support@example.org\r\nSubject: probe\r\n\r\nHello\r\n"
Through = Callable[[bytes], tuple[ParsedMail, Envelope]]


@pytest.fixture(scope="module")
def keys() -> Keys:
    return rsa_keys()


@pytest.fixture(scope="module", params=[HOST, "other.test"], ids=["removes", "leaves"])
def through(
    request: pytest.FixtureRequest, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Through]:
    """Hands a mail in, and gives it and its envelope as they come out behind Postfix.

    Once with an OpenDKIM that takes headers in its own name out, once with one that does not.
    """
    if why := missing() or no_postfix():
        pytest.skip(why)
    folder: Path = tmp_path_factory.mktemp("listener")
    public = {"s1._domainkey.example.com": f"v=DKIM1; k=rsa; p={keys[1]}"}
    with (
        OpenDkim(HOST, public, removes=request.param) as verifier,
        Rig(folder, protocol=Wire.LMTP) as rig,
        Postfix(lmtp_port=rig.port, main=verifier.main_cf) as postfix,
    ):

        def handed(raw: bytes) -> tuple[ParsedMail, Envelope]:
            mark = uuid.uuid4().hex.encode()
            marked = b"X-Mark: " + mark + b"\r\n" + raw
            postfix.send(marked, "ana@example.com", ["support@example.org"])
            postfix.wait_until_empty()
            [mail] = [m for m in rig.intake.mails() if mark in m["raw"]]
            return parse(mail["raw"]), Envelope(mail_from=mail["mail_from"], peer=mail["peer"])

        yield handed


def signed(keys: Keys, text: str = PROBE, domain: str = "example.com") -> bytes:
    raw = text.encode()
    return bytes(dkim.sign(raw, b"s1", domain.encode(), keys[0])) + raw


def test_a_stamp_of_opendkim_is_learned_and_believed_A6(through: Through, keys: Keys) -> None:
    mail, envelope = through(signed(keys))
    assert learn(mail, envelope, TRUST) == Pin(authserv_id=HOST, hops=1, below=False)
    stamp, reason = judge(mail, envelope, PINNED)
    said = f"Authentication-Results of {HOST}: dkim=pass with a signature of example.com"
    assert (stamp, reason) == (Stamp.ALIGNED, said)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PROBE, id="not signed"),
        pytest.param(f"Authentication-Results: {HOST}; dkim=pass header.d=example.com\r\n{PROBE}",
                     id="stamped by its sender"),
        pytest.param(f"Authentication-Results: {HOST};\r\n\tdmarc=pass header.from=example.com\r\n"
                     f"Received: by {HOST}; Mon, 4 May 2026 09:00:00 +0000\r\n{PROBE}",
                     id="stamped by its sender, with a hop"),
    ],
)  # fmt: skip
def test_what_is_not_signed_is_not_proven_by_its_own_words_A6(through: Through, text: str) -> None:
    assert judge(*through(text.encode()), PINNED)[0] is Stamp.NONE


def test_a_signature_of_another_domain_or_of_other_words_proves_nothing_A7(
    through: Through, keys: Keys
) -> None:
    other = signed(keys, PROBE.replace("example.com", "corp.test"))
    assert judge(*through(other), PINNED)[0] is Stamp.NONE
    changed = signed(keys).replace(b"Hello", b"Send money")
    assert judge(*through(changed), PINNED)[0] is not Stamp.ALIGNED


def test_the_forged_probe_is_seen_through_A6(
    through: Through, request: pytest.FixtureRequest
) -> None:
    pin = Pin(authserv_id=HOST, hops=1, below=False)
    forged = forged_probe(pin, "mallory@evil.test", "support@example.org", "c0de", NOW)
    mail, envelope = through(forged.replace("\n", "\r\n").encode())
    assert attack(mail, pin, TRUST) in (Attack.STRIPPED, Attack.IGNORED)
    assert judge(mail, envelope, PINNED)[0] is Stamp.NONE
