"""A real Postfix stamps mail as policyd-spf does: its stamp is learned, a forged one is nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailgate.core.authres import judge, trusted_recipients
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.people import Stamp
from mailgate.core.policy import Policy, Trust
from mailgate.ops.learning import Attack, Pin, attack, forged_probe, learn
from mailgate.sources.smtp import Wire
from tests.core.samples import NOW
from tests.peers.postfix import Postfix, missing
from tests.shell.smtp_rig import Rig

pytestmark = pytest.mark.peer

HOST = "mta.example.net"
SAYS = f"PREPEND Authentication-Results: {HOST}; dmarc=pass header.from=example.com"
TRUST = Trust(trusted=(ip_network("127.0.0.0/8"),))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Postfix]]:
    if why := missing():
        pytest.skip(why)
    folder: Path = tmp_path_factory.mktemp("listener")
    stamping = {"smtpd_data_restrictions": f"check_client_access static:{{{SAYS}}}"}
    with (
        Rig(folder, protocol=Wire.LMTP) as rig,
        Postfix(domains=("example.org",), lmtp_port=rig.port, main=stamping) as postfix,
    ):
        yield rig, postfix


def through(pair: tuple[Rig, Postfix], text: str) -> tuple[ParsedMail, Envelope]:
    """The mail and envelope as they come out behind Postfix."""
    rig, postfix = pair
    mark = uuid.uuid4().hex
    raw = f"X-Mark: {mark}\n{text}".replace("\n", "\r\n").encode()
    postfix.send(raw, "ana@example.com", ["support@example.org"])
    postfix.wait_until_empty()
    [mail] = [m for m in rig.intake.mails() if mark.encode() in m["raw"]]
    return parse(mail["raw"]), Envelope(mail_from=mail["mail_from"], peer=mail["peer"])


def test_the_stamp_of_a_real_postfix_is_learned_and_no_other_believed_A6(
    pair: tuple[Rig, Postfix],
) -> None:
    mail, envelope = through(pair, "From: ana@example.com\nSubject: probe\n\nHello\n")
    pin = learn(mail, envelope, TRUST)
    assert pin == Pin(authserv_id=HOST, hops=1, below=False)
    policy = Policy(trust=pin.within(TRUST))
    assert judge(mail, envelope, policy)[0] is Stamp.ALIGNED

    forged = forged_probe(pin, "mallory@evil.test", "support@example.org", "c0de", NOW)
    mail, envelope = through(pair, forged)
    assert [name for name, _ in mail.trail] == [
        *("authentication-results", "received"),  # Postfix
        *("authentication-results", "received", "authentication-results"),  # the forger
    ]
    assert attack(mail, pin, TRUST) is Attack.IGNORED
    assert judge(mail, envelope, policy)[0] is Stamp.NONE
    # Pinned with a hop too many, the same mail is still read by its topmost header.
    assert judge(mail, envelope, replace(policy, trust=replace(policy.trust, hops=2)))[0] is (
        Stamp.NONE
    )


def test_a_delivered_to_from_outside_says_nothing_A8(pair: tuple[Rig, Postfix]) -> None:
    text = "Delivered-To: support+token@example.org\nX-Original-To: x@example.org\n"
    mail, envelope = through(pair, f"{text}From: mallory@evil.test\nSubject: x\n\nHello\n")
    assert ("delivered-to", "support+token@example.org") in mail.trail
    assert trusted_recipients(mail, envelope, Policy(trust=TRUST)) == ()
