"""What effects lead to: the ticket as it will be, the notices of a change, what is illegal."""

from __future__ import annotations

import pytest

from mailgate.core.consequences import after, changes, legal
from mailgate.core.decision import AddParticipant, AddTag, Effect, SetField
from mailgate.core.mail import Address
from mailgate.core.ticket import TicketView
from tests.core.samples import ANA, POLICY, ticket


def put(field: str, value: str) -> SetField:
    return SetField(field=field, value=value, because="test")


def add(addr: str) -> AddParticipant:
    return AddParticipant(address=Address(addr=addr), added_by="test")


def test_after() -> None:
    effects: list[Effect] = [
        put("status", "waiting"),
        put("category", "billing"),
        add("dora@customer.test"),
        add("carl@customer.test"),
        AddTag(tag="money", because="test"),
        put("status", "resolved"),
    ]
    assert after(ticket(), effects) == ticket(
        status="resolved",
        category="billing",
        cc=("carl@customer.test", "dora@customer.test"),
        tags=("money",),
    )


@pytest.mark.parametrize(
    ("before", "then", "notices"),
    [
        pytest.param(ticket(), ticket(), [], id="nothing changed"),
        pytest.param(ticket(), ticket(priority="high"), [], id="nobody is told of a priority"),
        pytest.param(
            ticket(),
            ticket(assignee=ANA.address),
            ["assignment", "agent-assigned"],
            id="an agent is assigned",
        ),
        pytest.param(
            ticket(assignee=ANA.address),
            ticket(group="night"),
            ["assignment", "agent-assigned"],
            id="a group takes over",
        ),
        pytest.param(ticket(assignee=ANA.address), ticket(), [], id="nobody any more"),
        pytest.param(ticket(), ticket(status="resolved"), ["status"], id="a status"),
        pytest.param(ticket(), ticket(status="closed"), ["closure"], id="closed"),
        pytest.param(
            ticket(),
            ticket(status="closed", assignee=ANA.address),
            ["assignment", "agent-assigned", "closure"],
            id="both at once",
        ),
    ],
)
def test_changes(before: TicketView, then: TicketView, notices: list[str]) -> None:
    assert [n.notice.value for n in changes(before, then, POLICY)] == notices


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        pytest.param(put("status", "waiting"), "", id="a legal status"),
        pytest.param(put("status", "open"), "", id="the status it has"),
        pytest.param(put("status", "new"), "open -> new is not a legal change", id="a step back"),
        pytest.param(put("priority", "high"), "", id="another field"),
        pytest.param(put("priority", ""), "", id="an empty value"),
        pytest.param(add("dora@customer.test"), "", id="somebody on CC"),
        pytest.param(
            add("hilfe@help.test"), "hilfe@help.test is one of our own addresses", id="ourselves"
        ),
        pytest.param(AddTag(tag="money", because="test"), "", id="a tag"),
    ],
)
def test_legal(effect: Effect, reason: str) -> None:
    kept, steps = legal([effect], ticket(), POLICY)
    assert kept == ([] if reason else [effect])
    assert [(s.verdict, s.reason) for s in steps] == ([("skipped", reason)] if reason else [])
