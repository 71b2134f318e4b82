"""An address that looks like ours, or folds to it, is somebody else's (reliability: A4)."""

from __future__ import annotations

import pytest

from mailgate.core.identify import identify
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.people import Agent, Mailbox
from mailgate.core.policy import Policy
from mailgate.core.token import holder_of

POLICY = Policy(
    mailboxes=(Mailbox(address="desk@Example.ORG", aliases=("Kiosk@example.org",)),),
    agents=(Agent(address="Mike@example.org", aliases=("sk@example.org",)),),
)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        pytest.param("mike@example.org", True, id="small (A4)"),
        pytest.param("MIKE@EXAMPLE.ORG", True, id="capitals (A4)"),
        pytest.param("SK@example.org", True, id="an alias (A4)"),
        pytest.param("mi\u212ae@example.org", False, id="a Kelvin sign (A4)"),
        pytest.param("m\u0131ke@example.org", False, id="a dotless i (A4)"),
        pytest.param("m\u0130ke@example.org", False, id="a dotted capital I (A4)"),
        pytest.param("\u017fk@example.org", False, id="a long s (A4)"),
        pytest.param("mik\u0435@example.org", False, id="a Cyrillic e (A4)"),
    ],
)
def test_only_ascii_letters_have_a_case(address: str, same: bool) -> None:
    mail = parse(f"From: {address}\r\nTo: desk@example.org\r\n\r\nHello\r\n".encode())
    author = identify(mail, Envelope(mail_from=address), POLICY)
    assert (author.agent is not None) is same
    ours = {holder_of("mike@example.org"), holder_of("sk@example.org")}
    assert (holder_of(address) in ours) is same


def test_our_own_addresses_are_told_apart_too() -> None:
    assert POLICY.own("DESK+x@example.org")
    assert POLICY.own("kIOSK@EXAMPLE.org")
    assert not POLICY.own("des\u212a@example.org")
    assert POLICY.mailbox_for("\u212aiosk@example.org") is None
