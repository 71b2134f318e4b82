"""Our own mail, and that of another installation, coming in (A9, L8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from mailgate.core.decision import Facts, Notify, Outcome
from mailgate.core.mail import Kind, ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import Trust
from mailgate.core.screen import screen
from mailgate.core.token import (
    NONCE_OCTETS,
    Key,
    Purpose,
    Token,
    address,
    holder_of,
    message_id,
    seal,
)
from tests.core.decisions import decided
from tests.core.samples import ENVELOPE, NOW, POLICY, headers, mail
from tests.core.test_screen import judged

KEY = Key(id=1, secret=b"k" * 32, created=NOW)


def token(purpose: Purpose, nonce: bytes = b"") -> str:
    made = Token(
        purpose=purpose,
        role=Role.REQUESTER,
        key=1,
        last_day=date(2027, 1, 1),
        number=7,
        holder=holder_of("rita@customer.test"),
        nonce=nonce,
    )
    return seal(made, KEY)


REPLY_ADDRESS = address(token(Purpose.REPLY), "support@help.test", "help.test")
OUR_ID = message_id(token(Purpose.MESSAGE, b"n" * NONCE_OCTETS), "help.test")


def outsiders(decision_effects: tuple[object, ...]) -> set[str]:
    told = (effect for effect in decision_effects if isinstance(effect, Notify))
    return {to.address for notify in told for to in notify.to if to.role != "agent"}


@pytest.mark.parametrize(
    "sender",
    [
        "support@help.test",
        "hilfe@help.test",
        "support+anything@help.test",
        "sales@help.test",
        REPLY_ADDRESS,
        "whoever@reply.help.test",
        "support+x@reply.help.test",
    ],
)
def test_nothing_from_our_own_addresses_counts_A9(sender: str) -> None:
    policy = replace(POLICY, trust=Trust(reply_domain="reply.help.test"))
    given = mail(sender)
    assert judged(given, policy=policy) == "drop normal own-sender"
    found = decided(given, policy=policy)
    assert (found.outcome, found.effects) == (Outcome.IGNORED, ())


@pytest.mark.parametrize(
    ("given", "check"),
    [
        pytest.param(mail(message_id=OUR_ID), "own-id", id="our Message-ID"),
        pytest.param(mail(message_id=OUR_ID.upper()), "own-id", id="our Message-ID in capitals"),
        pytest.param(mail(headers={"x-mailgate-loop": ("house-1",)}), "own-loop", id="loop header"),
        pytest.param(
            mail(headers={"x-mailgate-loop": ("house-2", " HOUSE-1 ")}), "own-loop", id="the second"
        ),
        pytest.param(
            mail(headers={"x-mailgate-loop": ("house-2, house-1",)}), "own-loop", id="in a list"
        ),
        pytest.param(mail(headers={"received": ("by x",) * 51}), "hops", id="51 hops"),
    ],
)
def test_our_own_mail_comes_back_L8(given: ParsedMail, check: str) -> None:
    assert judged(given) == f"drop normal {check}"
    found = decided(given)
    assert (found.outcome, found.effects) == (Outcome.IGNORED, ())


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(mail(message_id=OUR_ID.replace("@help", "@other")), id="another desk's id"),
        pytest.param(mail(message_id="<mg.7.c0ffee@help.test>"), id="no token"),
        pytest.param(mail(in_reply_to=(OUR_ID,), references=(OUR_ID,)), id="an answer to us"),
        pytest.param(mail(headers={"received": ("by x",) * 50}), id="50 hops"),
    ],
)
def test_this_is_not_our_own_mail_L8(given: ParsedMail) -> None:
    assert judged(given) == "accept normal default"


def test_two_installations_facing_each_other_L8() -> None:
    """A machine's mail of the other house is automatic; its people's words count, unconfirmed."""
    notice = mail(headers=headers(x_mailgate_loop="house-2", auto_submitted="auto-generated"))
    assert screen(notice, ENVELOPE, POLICY).kind is Kind.AUTO_REPLY
    answer = mail(headers=headers(x_mailgate_loop="house-2"))
    assert judged(answer) == "quiet normal other-desk"
    for given in (notice, answer):
        found = decided(given, Facts())
        assert found.outcome is Outcome.TICKET
        assert outsiders(found.effects) == set()
