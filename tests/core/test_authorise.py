"""What an author is on a ticket: From makes a customer, and never an agent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.core.authorise import roles
from mailgate.core.decision import Facts, SentMail
from mailgate.core.people import Agent, Author
from mailgate.core.ticket import TicketView
from tests.core.samples import ANA, BEN, FACTS, FIRST, OURS, TO_ANA, facts, ticket

RITA = Author(address="rita@customer.test")
CARL = Author(address="carl@customer.test")
MALLORY = Author(address="mallory@evil.test")
UNPROVEN = Author(address=ANA.address, agent=ANA)
LOGGED_IN = replace(UNPROVEN, proofs=("login",))
ON_THE_PHONE = Author(address="ana@phone.test", agent=ANA)
WITH_ANA = ticket(cc=("carl@customer.test", ANA.address))
OF_ANA = ticket(requester=ANA.address)
REMOVED = ticket(cc=(), removed=("carl@customer.test",))
ELSEWHERE = ticket(8, requester="olga@customer.test", cc=())


def sent_to(*recipients: str) -> Facts:
    """Ticket 7, and a notice about it that went to these people."""
    notice = SentMail(outbox=3, ticket=7, notice="agent-new", recipients=recipients)
    return facts(sent={**FACTS.sent, "<n@help.test>": notice})


@pytest.mark.parametrize(
    ("author", "on", "ids", "role"),
    [
        pytest.param(RITA, ticket(), (), "requester", id="the requester"),
        pytest.param(CARL, ticket(), (), "cc", id="somebody on CC"),
        pytest.param(CARL, REMOVED, (), "stranger", id="a removed CC stays out (T7)"),
        pytest.param(MALLORY, ticket(), (OURS,), "stranger", id="an id of ours is no proof (T2)"),
        pytest.param(MALLORY, ticket(), (TO_ANA,), "stranger", id="an agent's token alone (C2)"),
        pytest.param(Author(address=""), ticket(requester=""), (OURS,), "stranger", id="nobody"),
        # --- agents (C1, C3)
        pytest.param(UNPROVEN, ticket(), (), "stranger", id="From alone is no agent"),
        pytest.param(UNPROVEN, ticket(), (FIRST,), "stranger", id="a customer's id is no proof"),
        pytest.param(UNPROVEN, ticket(), (OURS,), "stranger", id="a customer's notice neither"),
        pytest.param(UNPROVEN, ticket(), ("<unknown@x>",), "stranger", id="an id nobody knows"),
        pytest.param(UNPROVEN, ticket(), (FIRST, TO_ANA), "agent", id="their own notice is"),
        pytest.param(ON_THE_PHONE, ticket(), (TO_ANA,), "agent", id="from an alias too"),
        pytest.param(LOGGED_IN, ticket(), (), "agent", id="a login is"),
        pytest.param(UNPROVEN, ELSEWHERE, (TO_ANA,), "stranger", id="another ticket's notice"),
        pytest.param(
            Author(address=BEN.address, agent=BEN), ticket(), (TO_ANA,), "stranger", id="Ana's"
        ),
        # --- agents as customers
        pytest.param(UNPROVEN, WITH_ANA, (), "cc", id="an agent on CC without a proof"),
        pytest.param(UNPROVEN, WITH_ANA, (TO_ANA,), "agent", id="an agent on CC with a proof"),
        pytest.param(LOGGED_IN, OF_ANA, (TO_ANA,), "requester", id="an agent's own request"),
    ],
)
def test_role(author: Author, on: TicketView, ids: tuple[str, ...], role: str) -> None:
    assert roles(author, facts(on), ids) == {on.number: role}


def test_each_ticket_has_its_own_role() -> None:
    assert roles(UNPROVEN, facts(ticket(), ELSEWHERE), (TO_ANA,)) == {7: "agent", 8: "stranger"}


def test_a_notice_that_others_saw_is_no_proof() -> None:
    shared = sent_to(ANA.address, BEN.address)
    assert roles(UNPROVEN, shared, ("<n@help.test>",)) == {7: "stranger"}


def test_a_notice_to_both_addresses_of_an_agent_is_a_proof() -> None:
    both = sent_to(ANA.address, "ana@phone.test")
    assert roles(UNPROVEN, both, ("<n@help.test>",)) == {7: "agent"}


def test_a_notice_to_nobody_proves_nothing() -> None:
    assert roles(UNPROVEN, sent_to(), ("<n@help.test>",)) == {7: "stranger"}


def test_an_agent_registered_in_capitals_holds_their_token() -> None:
    capital = Agent(address="Ana@agents.test")
    author = Author(address="ana@agents.test", agent=capital)
    assert roles(author, sent_to("Ana@agents.test"), ("<n@help.test>",)) == {7: "agent"}
