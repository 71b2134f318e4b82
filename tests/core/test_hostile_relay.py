"""Ways to have us carry a stranger's words to people they name, or to silence somebody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.core.decision import AppendMessage, Flood, SentCopy
from mailgate.core.people import Role
from mailgate.core.token import Purpose
from tests.core.decisions import AUTOMATIC, decided, told
from tests.core.samples import (
    ANA,
    OURS,
    PINNED,
    facts,
    mail,
    reply_to,
    sealed,
    stamped,
    ticket,
)

TEN = tuple(f"v{n}@victim.test" for n in range(10))


@pytest.mark.parametrize(
    ("status", "cc", "copies"),
    [
        pytest.param("new", TEN[:3], 3, id="a short list"),
        pytest.param("new", TEN[:4], 0, id="a long list that no agent has seen"),
        pytest.param("open", TEN, 10, id="a long list, and an agent has answered"),
    ],
)
def test_words_go_to_few_until_an_agent_has_dealt_with_the_ticket(
    status: str, cc: tuple[str, ...], copies: int
) -> None:
    found = decided(mail(in_reply_to=(OURS,)), facts(ticket(status=status, cc=cc)))
    assert sum(notice == "copy" for notice in told(found).values()) == copies
    assert told(found)[ANA.address] == "agent-message"


def test_an_automatic_mail_of_a_stranger_leads_no_later_mail_to_the_ticket_T4() -> None:
    given = mail("mallory@evil.test", in_reply_to=(OURS,), headers=AUTOMATIC)
    (kept,) = [e for e in decided(given, facts()).effects if isinstance(e, AppendMessage)]
    assert (kept.kind, kept.joins) == ("system", False)
    own = mail(in_reply_to=(OURS,), headers=AUTOMATIC)
    (kept,) = [e for e in decided(own, facts()).effects if isinstance(e, AppendMessage)]
    assert kept.joins


def test_a_person_who_writes_to_a_return_path_is_heard() -> None:
    path = reply_to("rita@customer.test", 99, Role.REQUESTER, purpose=Purpose.BOUNCE)
    assert sealed("rita@customer.test", 99, purpose=Purpose.BOUNCE) in path
    copy = SentCopy(
        outbox=1, recipient=1, ticket=7, address="rita@customer.test", role="requester", notice="x"
    )
    known = facts(copy=copy)
    found = decided(mail(to=(path,)), known)
    assert (found.outcome, told(found)) == ("note", {ANA.address: "agent-message"})
    machine = decided(mail("robot@machine.test", to=(path,)), known)
    assert (machine.outcome, told(machine)) == ("note", {})


def test_forged_mail_in_a_name_does_not_bury_what_that_person_writes_L9() -> None:
    flooded = replace(facts(), flood=Flood(of_sender=99, ticket=7))
    forged = decided(mail(), flooded, PINNED)
    assert (forged.target, told(forged)) == (7, {})
    own = decided(mail(**stamped(domain="customer.test")), flooded, PINNED)
    assert (own.target, told(own)) == (7, {ANA.address: "agent-message"})


def test_an_agents_responder_that_answers_the_return_path_is_ignored_C7() -> None:
    path = reply_to(ANA.address, 99, Role.AGENT, purpose=Purpose.BOUNCE)
    copy = SentCopy(
        outbox=2, recipient=2, ticket=7, address=ANA.address, role="agent", notice="agent-new"
    )
    found = decided(mail(ANA.address, to=(path,), headers=AUTOMATIC), facts(copy=copy))
    assert (found.outcome, told(found)) == ("ignored", {})
