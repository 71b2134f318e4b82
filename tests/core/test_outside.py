"""Answers that an agent wrote to the customer directly: what a copy of one is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgate.core.decision import Facts, Outcome
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import Policy
from tests.core.decisions import decided, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    FIRST,
    NOW,
    PINNED,
    POLICY,
    TO_ANA,
    headers,
    mail,
    our_id,
    stamped,
    ticket,
)
from tests.core.samples import facts as known_facts

RITA, CARL = "rita@customer.test", "carl@customer.test"
ALIGNED: dict[str, Any] = stamped(domain="agents.test")
FORGED: dict[str, Any] = stamped("dmarc=fail", "agents.test")


def written(sender: str = ANA.address, **more: Any) -> ParsedMail:
    """An agent's mail to Rita, in answer to her own."""
    given: dict[str, Any] = {"to": (RITA,), "in_reply_to": (FIRST,), "date": NOW}
    return mail(sender, **{**given, **more})


def known(**more: Any) -> Facts:
    return known_facts(ticket(requester=RITA, cc=(CARL,)), **more)


@pytest.mark.parametrize(
    ("given", "policy", "outcome"),
    [
        pytest.param(written(**ALIGNED), PINNED, Outcome.REPLY, id="a stamp"),
        pytest.param(written(in_reply_to=(TO_ANA,)), POLICY, Outcome.REPLY, id="a token, unpinned"),
        pytest.param(written(in_reply_to=(TO_ANA,)), PINNED, Outcome.HELD, id="a token, pinned"),
        pytest.param(written(), PINNED, Outcome.HELD, id="From alone"),
        pytest.param(written(), POLICY, Outcome.HELD, id="From alone, unpinned"),
        pytest.param(written(**FORGED), PINNED, Outcome.TICKET, id="a forged From"),
        pytest.param(
            written(**ALIGNED, to=("otto@elsewhere.test",)),
            PINNED,
            Outcome.HELD,
            id="to nobody of the ticket",
        ),
        pytest.param(
            written(**{**ALIGNED, "date": NOW - 9 * DAY}), PINNED, Outcome.HELD, id="an old stamp"
        ),
        pytest.param(written(BEN.address, **ALIGNED), PINNED, Outcome.HELD, id="another queue's"),
        pytest.param(written("otto@elsewhere.test"), POLICY, Outcome.TICKET, id="a stranger"),
    ],
)
def test_one_proof_is_enough_to_record_an_answer_that_is_out_C3(
    given: ParsedMail, policy: Policy, outcome: Outcome
) -> None:
    decision = decided(given, known(), policy)
    assert decision.outcome is outcome
    people = {who for who, notice in told(decision).items() if notice in ("answer", "copy")}
    assert people == set()
    if outcome is Outcome.REPLY:
        assert kinds(decision) == ["agent"]
        assert any(CARL in s.verdict and "written outside" in s.reason for s in decision.trace)


def test_full_proof_brings_it_to_whoever_did_not_get_it() -> None:
    given = written(**ALIGNED, in_reply_to=(TO_ANA,), cc=("support@help.test",))
    assert told(decided(given, known(), PINNED))[CARL] == "answer"


def test_the_token_of_a_customer_does_not_make_an_agent_C2() -> None:
    given = written(in_reply_to=(our_id(RITA, role=Role.REQUESTER),))
    assert decided(given, known(), POLICY).outcome is Outcome.HELD


def test_a_mail_to_us_with_people_in_copy_is_an_answer_as_ever() -> None:
    given = written(in_reply_to=(TO_ANA,), to=("support@help.test",), cc=(CARL,))
    assert told(decided(given, known(), POLICY))[RITA] == "answer"


def test_commands_want_more_than_one_proof_C4() -> None:
    given = replace(written(**ALIGNED), text="#close\n\nDone.", visible="#close\n\nDone.")
    decision = decided(given, known(), PINNED)
    assert decision.outcome is Outcome.HELD
    assert "#close asks for two proofs" in decision.reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(written("support@help.test"), "an agent's answer", id="a mailbox"),
        pytest.param(written(), "an agent's answer", id="an agent"),
        pytest.param(written("otto@elsewhere.test"), "neither an agent", id="a stranger"),
        pytest.param(
            written(to=("otto@elsewhere.test",)), "goes to nobody of #7", id="to somebody else"
        ),
        pytest.param(written(in_reply_to=()), "on no ticket", id="no ticket"),
        pytest.param(written(date=NOW - 9 * DAY), "its Date is more than 5 days off", id="old"),
        pytest.param(written(date=None), "its Date is more than 5 days off", id="no Date"),
        pytest.param(
            written(headers=headers(auto_submitted="auto-replied")),
            "no person's answer",
            id="automatic",
        ),
        pytest.param(
            written("support@help.test", headers=headers(x_mailgate_loop="house-1")),
            "loop",
            id="ours",
        ),
    ],
)
def test_the_sent_folder_tells_answers_and_nothing_else(given: ParsedMail, reason: str) -> None:
    decision = decided(given, known(), PINNED, source="sent")
    assert reason in decision.reason
    answered = reason == "an agent's answer"
    assert decision.outcome is (Outcome.REPLY if answered else Outcome.IGNORED)
    assert kinds(decision) == (["agent"] if answered else [])
    assert told(decision) == {}


def test_our_own_address_counts_in_the_sent_folder_alone_L1() -> None:
    assert decided(written("support@help.test"), known()).outcome is Outcome.IGNORED


def test_words_that_look_like_commands_were_sent_as_they_are() -> None:
    given = replace(written(), text="#close\n\nDone.", visible="#close\n\nDone.")
    assert decided(given, known(), source="sent").outcome is Outcome.REPLY


@pytest.mark.parametrize("how", [{}, {"source": "sent"}])
def test_a_second_copy_is_not_recorded(how: dict[str, Any]) -> None:
    again = replace(known(), answered=(7,))
    decision = decided(written(**ALIGNED), again, PINNED, **how)
    assert decision.outcome is Outcome.IGNORED
    assert "another copy" in decision.reason
