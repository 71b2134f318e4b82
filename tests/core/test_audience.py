"""Who is told what: design.md section 6 cell by cell, and who is left out and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.core.audience import AUDIENCE, Happening, tell
from mailgate.core.decision import Notify
from tests.core.samples import ANA, BEN, POLICY, ticket

OPEN = ticket()
ANAS = ticket(assignee=ANA.address)
NIGHT = ticket(group="night")


def told(notices: tuple[Notify, ...]) -> dict[str, str]:
    """Address -> the notice it gets."""
    return {person.address: notice.notice.value for notice in notices for person in notice.to}


def left_out(notices: tuple[Notify, ...]) -> dict[str, str]:
    """Address -> why it gets nothing."""
    return {person.address: person.why for notice in notices for person in notice.left_out}


def test_every_happening_has_a_row() -> None:
    assert set(AUDIENCE) == set(Happening)


@pytest.mark.parametrize(
    ("happening", "requester", "copied", "assignee", "queue"),
    [
        pytest.param("opened", "confirmation", "confirmation", "agent-assigned", "agent-new"),
        pytest.param("assigned", "assignment", "assignment", "agent-assigned", None),
        pytest.param("status", "status", "status", None, None),
        pytest.param("closed", "closure", "closure", None, None),
        pytest.param("customer-wrote", "copy", "copy", "agent-message", "agent-message"),
        pytest.param("agent-answered", "answer", "answer", "agent-message", None),
        pytest.param("note", None, None, "agent-message", None),
        pytest.param("overdue", None, None, "agent-overdue", "agent-overdue"),
    ],
)
def test_the_table(
    happening: str,
    requester: str | None,
    copied: str | None,
    assignee: str | None,
    queue: str | None,
) -> None:
    people = {"rita@customer.test": requester, "carl@customer.test": copied}
    assigned = told(tell(Happening(happening), ANAS, POLICY))
    waiting = told(tell(Happening(happening), OPEN, POLICY))
    assert assigned == {k: v for k, v in {**people, ANA.address: assignee}.items() if v}
    # Ana works in every queue, Ben only in sales; with an assignee the queue is not told.
    assert waiting == {k: v for k, v in {**people, ANA.address: queue}.items() if v}


def test_a_queue_is_told_with_all_of_its_agents() -> None:
    found = told(tell(Happening.OPENED, ticket(queue="sales", requester="", cc=()), POLICY))
    assert found == {ANA.address: "agent-new", BEN.address: "agent-new"}


def test_leads_alone_hear_of_what_nobody_did_in_time() -> None:
    led = replace(POLICY, agents=(ANA, replace(BEN, lead=True)))
    waiting = ticket(queue="sales", requester="", cc=())
    assert told(tell(Happening.OVERDUE, waiting, led)) == {BEN.address: "agent-overdue"}
    both = {ANA.address: "agent-overdue", BEN.address: "agent-overdue"}
    assert told(tell(Happening.OVERDUE, waiting, POLICY)) == both


def test_a_group_is_told_like_an_assignee() -> None:
    found = told(tell(Happening.OPENED, NIGHT, POLICY))
    assert found[ANA.address] == found[BEN.address] == "agent-assigned"


def test_a_group_that_is_no_more_is_nobody() -> None:
    found = tell(Happening.ASSIGNED, ticket(requester="", cc=(), group="gone"), POLICY)
    assert found == ()


def test_a_ticket_of_nobody_has_no_requester_to_tell() -> None:
    assert told(tell(Happening.STATUS, ticket(requester=""), POLICY)) == {
        "carl@customer.test": "status"
    }


@pytest.mark.parametrize(
    ("happening", "author", "present", "person", "why"),
    [
        pytest.param(
            "customer-wrote",
            "Rita@customer.test",
            (),
            "rita@customer.test",
            "wrote it",
            id="author",
        ),
        pytest.param(
            "agent-answered", "ana@phone.test", (), ANA.address, "wrote it", id="an agent's alias"
        ),
        pytest.param(
            "customer-wrote",
            "rita@customer.test",
            ("carl@customer.test",),
            "carl@customer.test",
            "already in To or CC of the mail",
            id="has the mail itself",
        ),
        pytest.param(
            "agent-answered",
            "ben@agents.test",
            (ANA.address,),
            ANA.address,
            "already in To or CC of the mail",
            id="an agent in CC",
        ),
        pytest.param(
            "status", "", (), "muted@customer.test", "muted this ticket", id="who muted it"
        ),
        pytest.param("status", "", (), "Sales@help.test", "our own address", id="an own address"),
        pytest.param(
            "status", "", (), "support+7@help.test", "our own address", id="our address with a tag"
        ),
    ],
)
def test_minus(
    happening: str, author: str, present: tuple[str, ...], person: str, why: str
) -> None:
    on = ticket(
        assignee=ANA.address,
        cc=(
            "carl@customer.test",
            "muted@customer.test",
            "Sales@help.test",
            "support+7@help.test",
        ),
        muted=("muted@customer.test",),
    )
    found = tell(Happening(happening), on, POLICY, author=author, present=frozenset(present))
    assert left_out(found)[person] == why
    assert person not in told(found)


def test_a_confirmation_goes_to_those_in_to_and_cc_too() -> None:
    """It passes on nobody's words: the mail they have says nothing of a ticket."""
    found = tell(Happening.OPENED, OPEN, POLICY, present=frozenset({"carl@customer.test"}))
    assert told(found)["carl@customer.test"] == "confirmation"


def test_nobody_is_told_twice() -> None:
    """Ana is requester, on CC and assigned: she hears of it once, as the agent she is."""
    on = ticket(requester=ANA.address, cc=(ANA.address,), assignee=ANA.address)
    found = tell(Happening.AGENT_ANSWERED, on, POLICY, author=BEN.address)
    assert [(n.notice, [p.role for p in n.to]) for n in found] == [("agent-message", ["agent"])]


def test_who_is_left_out_once_does_not_slip_in_by_another_role() -> None:
    on = ticket(requester=ANA.address, cc=(), assignee=ANA.address, muted=(ANA.address,))
    assert told(tell(Happening.ASSIGNED, on, POLICY)) == {}


def test_reasons_are_given() -> None:
    found = tell(Happening.OPENED, ticket(group="night"), POLICY)
    assert {p.address: p.why for n in found for p in n.to} == {
        "rita@customer.test": "requester",
        "carl@customer.test": "on the CC list",
        ANA.address: "group night",
        BEN.address: "group night",
    }
    queue = tell(Happening.OPENED, OPEN, POLICY)
    assert queue[-1].to[0].why == "queue support"
    assigned = tell(Happening.ASSIGNED, ANAS, POLICY)
    assert assigned[-1].to[0].why == "assigned"
