"""What an author may do on a ticket: From makes a customer, and never an agent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailgate.core.decision import Facts
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Agent, Power, Role, Standing
from mailgate.core.policy import Policy
from mailgate.core.token import Key
from tests.core.decisions import standings
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    ENVELOPE,
    FIRST,
    KEY,
    NOW,
    OURS,
    PINNED,
    POLICY,
    STRICT,
    TO_ANA,
    facts,
    mail,
    our_id,
    reply_to,
    stamped,
    ticket,
)

ACT, WIDEN, HOLD, LINK = Power.ACT, Power.WIDEN, Power.HOLD, Power.LINK
FRESH = {"date": NOW - timedelta(hours=1)}
GOOD = {**stamped(), **FRESH}
BAD = {**stamped("dmarc=fail"), **FRESH}
LOGIN = replace(ENVELOPE, login=ANA.address)
TO_ANA_AT = reply_to(ANA.address, role=Role.AGENT)
OPEN = facts()
WITH_ANA = facts(ticket(cc=("carl@customer.test", ANA.address)))
OF_ANA = facts(ticket(requester=ANA.address))


def on_seven(
    given: ParsedMail, known: Facts = OPEN, policy: Policy = POLICY, envelope: Envelope = ENVELOPE
) -> Standing:
    return standings(given, known, policy, envelope)[7]


def ana(**more: Any) -> ParsedMail:
    return mail(ANA.address, **more)


@pytest.mark.parametrize(
    ("given", "policy", "role", "power", "level"),
    [
        pytest.param(ana(in_reply_to=(TO_ANA,)), POLICY, "agent", ACT, 1, id="a token"),
        pytest.param(ana(to=(TO_ANA_AT,)), POLICY, "agent", ACT, 1, id="a reply address"),
        pytest.param(
            mail("ana@phone.test", in_reply_to=(TO_ANA,)), POLICY, "agent", ACT, 1, id="an alias"
        ),
        pytest.param(
            ana(in_reply_to=(TO_ANA,), **GOOD), PINNED, "agent", WIDEN, 2, id="token and stamp"
        ),
        pytest.param(ana(), POLICY, "stranger", LINK, 0, id="From alone (C1)"),
        pytest.param(ana(in_reply_to=(FIRST,)), POLICY, "stranger", LINK, 0, id="an id (C1)"),
        # --- one proof where two are asked for: the agent is asked (C3)
        pytest.param(ana(in_reply_to=(TO_ANA,)), STRICT, "agent", HOLD, 1, id="strict: a token"),
        pytest.param(ana(in_reply_to=(TO_ANA,)), PINNED, "agent", HOLD, 1, id="pinned: a token"),
        pytest.param(ana(**GOOD), PINNED, "agent", HOLD, 1, id="pinned: a stamp (C3)"),
        # --- a stamp that says no
        pytest.param(
            ana(in_reply_to=(TO_ANA,), **BAD), PINNED, "agent", HOLD, 0, id="DMARC failed (C2)"
        ),
        pytest.param(ana(**BAD), PINNED, "stranger", LINK, 0, id="DMARC failed, no token"),
        # --- replays (C9)
        pytest.param(
            ana(in_reply_to=(TO_ANA,), **stamped(), date=NOW - 6 * DAY),
            PINNED,
            "agent",
            HOLD,
            1,
            id="a stale Date (C9)",
        ),
        pytest.param(
            ana(in_reply_to=(TO_ANA,), **stamped(), date=NOW + 6 * DAY),
            PINNED,
            "agent",
            HOLD,
            1,
            id="a Date to come (C9)",
        ),
        pytest.param(
            ana(in_reply_to=(TO_ANA,), **stamped()), PINNED, "agent", HOLD, 1, id="no Date (C9)"
        ),
        # --- somebody else's token
        pytest.param(
            mail(BEN.address, in_reply_to=(TO_ANA,)), POLICY, "stranger", HOLD, 1, id="Ana's (A10)"
        ),
        pytest.param(
            mail("ana@home.test", in_reply_to=(TO_ANA,)),
            POLICY,
            "stranger",
            HOLD,
            1,
            id="another account (A10)",
        ),
        pytest.param(
            ana(in_reply_to=(OURS,)), POLICY, "stranger", HOLD, 1, id="a customer's token"
        ),
    ],
)
def test_agents(given: ParsedMail, policy: Policy, role: str, power: Power, level: int) -> None:
    found = on_seven(given, policy=policy)
    assert (found.role, found.power, found.level) == (role, power, level)
    assert found.reason
    # Whoever is asked is asked at a registered address.
    assert (found.owner != "") == (power is HOLD)
    assert found.owner in ("", ANA.address, BEN.address)


def test_a_login_needs_no_token() -> None:
    for policy in (POLICY, PINNED, STRICT):
        found = on_seven(ana(), policy=policy, envelope=LOGIN)
        assert (found.role, found.power, found.level) == (Role.AGENT, WIDEN, 3)


def test_a_login_of_somebody_else_is_none() -> None:
    other = replace(ENVELOPE, login=BEN.address)
    assert on_seven(ana(), envelope=other).power is LINK


def test_a_token_in_the_envelope_alone_is_no_second_proof_C9() -> None:
    """A signed mail sent again to the address of another ticket gains nothing."""
    sent_again = replace(ENVELOPE, rcpt_tos=(TO_ANA_AT,))
    found = on_seven(ana(**GOOD), policy=PINNED, envelope=sent_again)
    assert (found.power, found.owner) == (HOLD, ANA.address)
    assert "replay" in found.reason
    signed = ana(to=(TO_ANA_AT,), **GOOD)
    assert on_seven(signed, policy=PINNED, envelope=sent_again).power is WIDEN


def test_a_leaked_token_is_called_back_C2() -> None:
    found = on_seven(ana(in_reply_to=(TO_ANA,), **BAD), policy=PINNED)
    assert found.revoke == ANA.address


def test_what_was_called_back_is_no_proof() -> None:
    called_back = facts(generations={(7, ANA.address): 1})
    assert on_seven(ana(in_reply_to=(TO_ANA,)), called_back).power is LINK
    newer = our_id(ANA.address, role=Role.AGENT, generation=1)
    assert on_seven(ana(in_reply_to=(newer,)), called_back).role is Role.AGENT
    of_ben = facts(generations={(7, BEN.address): 1, (8, ANA.address): 1})
    assert on_seven(ana(in_reply_to=(TO_ANA,)), of_ben).role is Role.AGENT


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(our_id(ANA.address, role=Role.AGENT, days=-1), id="expired"),
        pytest.param(our_id(ANA.address, 8, role=Role.AGENT), id="of another ticket"),
        pytest.param(
            our_id(ANA.address, role=Role.AGENT, key=Key(id=1, secret=b"x", created=NOW)),
            id="sealed by somebody else",
        ),
        pytest.param(
            our_id(ANA.address, role=Role.AGENT, key=Key(id=2, secret=KEY.secret, created=NOW)),
            id="of a key that is gone",
        ),
    ],
)
def test_tokens_that_prove_nothing_T3(token: str) -> None:
    assert on_seven(ana(in_reply_to=(token,))).power is LINK


def test_a_key_proves_nothing_after_its_grace_time_E4() -> None:
    retired = replace(KEY, retired=NOW - DAY, valid_until=NOW)
    assert on_seven(ana(in_reply_to=(TO_ANA,)), facts(keys=(retired,))).role is Role.AGENT
    over = replace(retired, valid_until=NOW - timedelta(seconds=1))
    assert on_seven(ana(in_reply_to=(TO_ANA,)), facts(keys=(over,))).power is LINK


def test_each_ticket_has_its_own_standing() -> None:
    both = facts(ticket(), ticket(8, requester="olga@customer.test", cc=()))
    found = standings(ana(in_reply_to=(TO_ANA,)), both)
    assert (found[7].role, found[8].role) == (Role.AGENT, Role.STRANGER)


def test_an_agent_registered_in_capitals_holds_their_token() -> None:
    capital = replace(POLICY, agents=(Agent(address="Ana@agents.test"),))
    token = our_id("Ana@agents.test", role=Role.AGENT)
    assert on_seven(ana(in_reply_to=(token,)), policy=capital).role is Role.AGENT


def test_an_agent_of_another_queue_waits_for_those_of_this_one_T7() -> None:
    token = our_id(BEN.address, role=Role.AGENT)
    found = on_seven(mail(BEN.address, in_reply_to=(token,)))
    assert (found.role, found.power, found.owner) == (Role.AGENT, HOLD, "")
    assigned = facts(ticket(assignee=BEN.address))
    assert on_seven(mail(BEN.address, in_reply_to=(token,)), assigned).power is ACT
    in_group = facts(ticket(group="night"))
    assert on_seven(mail(BEN.address, in_reply_to=(token,)), in_group).power is ACT


# --- participants ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "policy", "role", "power"),
    [
        pytest.param(mail(), POLICY, "requester", ACT, id="the requester"),
        pytest.param(mail(in_reply_to=(OURS,)), POLICY, "requester", WIDEN, id="with a token"),
        pytest.param(mail("carl@customer.test"), POLICY, "cc", ACT, id="somebody on CC"),
        pytest.param(
            mail("carl@customer.test", in_reply_to=(OURS,)),
            POLICY,
            "cc",
            WIDEN,
            id="with the token of another participant",
        ),
        pytest.param(mail(), PINNED, "requester", HOLD, id="pinned: nothing proves it"),
        pytest.param(mail(), STRICT, "requester", ACT, id="strict is for agents"),
        pytest.param(mail(in_reply_to=(OURS,)), PINNED, "requester", WIDEN, id="pinned: a token"),
        pytest.param(
            mail(date=NOW, **stamped(domain="customer.test")),
            PINNED,
            "requester",
            WIDEN,
            id="a stamp",
        ),
        pytest.param(
            mail(**stamped("dmarc=fail", "customer.test")), PINNED, "requester", HOLD, id="failed"
        ),
        pytest.param(
            mail(in_reply_to=(TO_ANA,)), PINNED, "stranger", HOLD, id="an agent's token is no proof"
        ),
    ],
)
def test_participants(given: ParsedMail, policy: Policy, role: str, power: Power) -> None:
    found = on_seven(given, policy=policy)
    assert (found.role, found.power) == (role, power)


@pytest.mark.parametrize(
    ("sender", "ids", "known", "role"),
    [
        pytest.param(ANA.address, (), WITH_ANA, "cc", id="an agent on CC without a proof"),
        pytest.param(ANA.address, (TO_ANA,), WITH_ANA, "agent", id="an agent on CC with a proof"),
        pytest.param(ANA.address, (TO_ANA,), OF_ANA, "requester", id="an agent's own request"),
    ],
)
def test_agents_as_customers(sender: str, ids: tuple[str, ...], known: Facts, role: str) -> None:
    assert on_seven(mail(sender, in_reply_to=ids), known).role == role


def test_who_was_removed_stays_out_T7() -> None:
    removed = facts(ticket(cc=(), removed=("carl@customer.test",)))
    for ids in ((), (OURS,), (our_id("carl@customer.test", role=Role.CC),)):
        found = on_seven(mail("carl@customer.test", in_reply_to=ids), removed)
        assert (found.power, found.owner) == (HOLD, "")


def test_nobody_is_nobody_A1() -> None:
    nobody = facts(ticket(requester=""))
    assert on_seven(mail(""), nobody).power is LINK
    assert on_seven(mail("", in_reply_to=(OURS,)), nobody).power is HOLD
