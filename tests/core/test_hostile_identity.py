"""Somebody would like to be somebody else: from the bytes of a mail to what comes of it (A1 to A8).

The victim is Ana, an agent; the prize is an answer that leaves in her name, mail to people who are
no participants of the ticket, or an automatic notice at the victim's address.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from mailgate.core.decide import Delivery, decide
from mailgate.core.decision import (
    AddParticipant,
    AppendMessage,
    Decision,
    OpenTicket,
    SetField,
)
from mailgate.core.identify import identify
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.policy import Policy, Trust
from mailgate.core.ticket import MessageKind
from tests.core.decisions import told
from tests.core.samples import ANA, NOW, POLICY, facts, ticket

ID = "mx.help.test"
TRUST = Trust(authserv_id=ID, trusted=(ip_network("192.0.2.0/28"),))
PINNED = replace(POLICY, trust=TRUST)
OURS = "Received: from evil.test by mx.help.test; Mon, 4 May 2026 09:30:00 +0000"
EVIL = f"Authentication-Results: {ID}; dmarc=pass header.from=evil.test"
CLAIM = f"Authentication-Results: {ID}; dmarc=pass header.from=agents.test"
NONE = f"Authentication-Results: {ID}; dmarc=none header.from=agents.test"
VICTIM = "victim@bank.test"
FROM_ANA = f"From: Ana <{ANA.address}>"
FROM_EVIL = "From: Mallory <mallory@evil.test>"

LOOK_ALIKES = ("\u0430na@agents.test", "an\u0430@agents.test", "ana@xn--gents-3ve.test")

ATTACKS = [
    pytest.param(f"From: {ANA.address}, mallory@evil.test", id="two mailboxes (A1)"),
    pytest.param(f"{FROM_EVIL}\r\n{FROM_ANA}", id="two From headers (A1)"),
    pytest.param(f"{FROM_ANA}\r\n{FROM_EVIL}", id="two From headers, Ana first (A1)"),
    pytest.param(f"From: Team: {ANA.address};", id="a group (A1)"),
    pytest.param("From: undisclosed-recipients:;", id="nobody (A1)"),
    pytest.param(f"{FROM_EVIL}\r\nSender: {ANA.address}", id="Sender (A1)"),
    pytest.param(f"From: {ANA.address}(<mallory@evil.test>", id="an open comment (A2)"),
    pytest.param(f"From: {ANA.address};mallory@evil.test", id="a semicolon (A2)"),
    pytest.param(f"From: <mallory@evil.test> <{ANA.address}>", id="two angles (A2)"),
    pytest.param(f"From: {ANA.address}@evil.test", id="two at signs (A2)"),
    pytest.param(f'From: "{ANA.address}" <mallory@evil.test>', id="in the name (A3)"),
    pytest.param(
        "From: =?utf-8?q?=3Cana=40agents=2Etest=3E=2C?= <mallory@evil.test>",
        id="in an encoded name (A3)",
    ),
    pytest.param("From: \u202etset.stnega@ana\u202c <mallory@evil.test>", id="turned round (A3)"),
    pytest.param("From: Ana <\u0430na@agents.test>", id="a Cyrillic letter (A4)"),
    pytest.param("From: Ana <an\u0430@agents.test>", id="another (A4)"),
    pytest.param("From: Ana <ana@\u0430gents.test>", id="a Cyrillic domain (A4)"),
    pytest.param(f"From: Ana <{ANA.address}.>", id="a trailing dot (A4)"),
    pytest.param(f"{FROM_EVIL}\r\nReply-To: {ANA.address}", id="Reply-To an agent (A5)"),
    pytest.param(f"{FROM_EVIL}\r\nReply-To: {VICTIM}", id="Reply-To a victim (A5)"),
    pytest.param(f"{OURS}\r\n{CLAIM}\r\n{FROM_ANA}", id="a forged result (A6)"),
    pytest.param(f"{NONE}\r\n{OURS}\r\n{CLAIM}\r\n{FROM_ANA}", id="a second result (A6)"),
    pytest.param(f"{EVIL}\r\n{OURS}\r\n{FROM_ANA}", id="a pass for evil (A7)"),
    pytest.param(f"{OURS}\r\nX-Mailgate-Login: {ANA.address}\r\n{FROM_ANA}", id="ours (A8)"),
    pytest.param(f"Return-Path: <{ANA.address}>\r\n{OURS}\r\n{FROM_ANA}", id="Return-Path (A8)"),
    pytest.param(f"{OURS}\r\nDelivered-To: {ANA.address}\r\n{FROM_ANA}", id="Delivered-To (A8)"),
]


def attacked(head: str, policy: Policy, peer: str = "192.0.2.7") -> Decision:
    raw = f"{head}\r\nTo: support@help.test\r\nSubject: [HELP#7] Printer\r\n\r\n#close\r\nDone.\r\n"
    envelope = Envelope(mail_from="mallory@evil.test", rcpt_tos=("support@help.test",), peer=peer)
    mail = parse(raw.encode())
    assert not identify(mail, envelope, policy).proofs
    return decide(mail, Delivery(envelope=envelope, received=NOW), facts(ticket()), policy)


@pytest.mark.parametrize("policy", [POLICY, PINNED], ids=["nothing pinned", "pinned"])
@pytest.mark.parametrize("head", ATTACKS)
def test_nobody_becomes_an_agent(head: str, policy: Policy) -> None:
    decision = attacked(head, policy)
    kinds = {e.kind for e in decision.effects if isinstance(e, AppendMessage)}
    assert MessageKind.AGENT not in kinds
    assert MessageKind.NOTE not in kinds
    assert decision.target != 7 or kinds <= {MessageKind.HELD}
    assert not [e for e in decision.effects if isinstance(e, SetField | AddParticipant)]
    # In Ana's name without a proof: a stranger's new ticket, as anybody's would be (C1).
    alone = [line for line in head.split("\r\n") if line.startswith("From:")] == [FROM_ANA]
    people = {
        e.requester.addr for e in decision.effects if isinstance(e, OpenTicket) and e.requester
    }
    assert people <= ({ANA.address} if alone else {"mallory@evil.test", *LOOK_ALIKES})
    assert set(told(decision)) <= people | {agent.address for agent in policy.agents}


def test_the_same_mail_with_a_real_result_is_ana_s() -> None:
    """The control: what the attacks above lack is the proof, nothing else."""
    raw = f"{CLAIM}\r\n{OURS}\r\n{FROM_ANA}\r\n\r\nHello\r\n".encode()
    assert identify(parse(raw), Envelope(peer="192.0.2.7"), PINNED).proofs == ("aligned",)
    assert not identify(parse(raw), Envelope(peer="198.51.100.7"), PINNED).proofs
    assert not identify(parse(raw), Envelope(peer="192.0.2.7"), POLICY).proofs
