"""What an agent or the command line may change, what that causes, and every mistake at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgate.core.change import FIELDS, LONGEST, plan_change
from mailgate.core.decision import Notify, SetField
from mailgate.core.ticket import LifeCycle
from tests.core.samples import ANA, POLICY, ticket


def said(wanted: dict[str, str], **of: Any) -> tuple[list[str], list[str]]:
    """The fields that are set, as `field=value`, and the notices."""
    change = plan_change(ticket(**of), wanted, POLICY, actor="ana")
    assert change.problems == ()
    fields = [e for e in change.effects if isinstance(e, SetField)]
    assert all(e.because == "set by ana" for e in fields)
    notices = [e.notice.value for e in change.effects if isinstance(e, Notify)]
    return [f"{e.field}={e.value}" for e in fields], notices


@pytest.mark.parametrize(
    ("wanted", "fields", "notices"),
    [
        pytest.param({}, [], [], id="nothing"),
        pytest.param({"status": "resolved"}, ["status=resolved"], ["status"], id="status"),
        pytest.param({"status": "closed"}, ["status=closed"], ["closure"], id="close"),
        pytest.param({"status": "open"}, [], [], id="the status it has"),
        pytest.param({"priority": "high"}, ["priority=high"], [], id="priority"),
        pytest.param({"category": "billing"}, ["category=billing"], [], id="category"),
        pytest.param({"queue": "sales"}, ["queue=sales"], [], id="queue"),
        pytest.param({"subject": "Ink"}, ["subject=Ink"], [], id="subject"),
        pytest.param(
            {"resolution": "new ink"}, ["resolution=new ink"], [], id="a field decisions never see"
        ),
        pytest.param(
            {"assign": "ana@agents.test"},
            ["assignee=ana@agents.test"],
            ["assignment", "agent-assigned"],
            id="an agent",
        ),
        pytest.param(
            {"assign": "night"}, ["group=night"], ["assignment", "agent-assigned"], id="a group"
        ),
        pytest.param({"assign": ""}, [], [], id="nobody, as before"),
        pytest.param(
            {"status": "closed", "resolution": "ink", "assign": "night"},
            ["status=closed", "resolution=ink", "group=night"],
            ["assignment", "agent-assigned", "closure"],
            id="several at once",
        ),
    ],
)
def test_change(wanted: dict[str, str], fields: list[str], notices: list[str]) -> None:
    assert said(wanted) == (fields, notices)


def test_an_agent_replaces_a_group_and_a_group_an_agent() -> None:
    assert said({"assign": "night"}, assignee=ANA.address)[0] == ["assignee=", "group=night"]
    assert said({"assign": ANA.address}, group="night")[0] == [f"assignee={ANA.address}", "group="]


def test_taking_it_away_tells_nobody() -> None:
    assert said({"assign": ""}, assignee=ANA.address) == (["assignee="], [])


def test_a_category_may_be_taken_away_again() -> None:
    assert said({"category": ""}, category="billing") == (["category="], [])


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        pytest.param(
            {"colour": "red"},
            f"colour: no such field; it is one of {', '.join(FIELDS)}",
            id="no such field",
        ),
        pytest.param(
            {"status": "burnt"},
            "status: 'burnt' is not one of new, open, waiting, resolved, closed",
            id="no such status",
        ),
        pytest.param(
            {"status": "new"},
            "status: a ticket that is open may become waiting, resolved, closed, not new",
            id="an illegal status",
        ),
        pytest.param(
            {"priority": "very"},
            "priority: 'very' is not one of low, normal, high, urgent",
            id="no such priority",
        ),
        pytest.param(
            {"category": "ink"}, "category: 'ink' is not one of billing", id="no such category"
        ),
        pytest.param(
            {"queue": "ink"}, "queue: 'ink' is not one of support, sales", id="no such queue"
        ),
        pytest.param(
            {"assign": "mallory@evil.test"},
            "assign: 'mallory@evil.test' is not one of ana@agents.test, ben@agents.test, night",
            id="no agent",
        ),
    ],
)
def test_problem(wanted: dict[str, str], problem: str) -> None:
    change = plan_change(ticket(), wanted, POLICY, actor="ana")
    assert change.problems == (problem,)
    assert change.effects == ()


def test_all_problems_are_told_and_nothing_is_done() -> None:
    wanted = {"status": "burnt", "priority": "high", "colour": "red", "assign": "mallory"}
    change = plan_change(ticket(), wanted, POLICY, actor="ana")
    assert [p.partition(":")[0] for p in change.problems] == ["status", "colour", "assign"]
    assert change.effects == ()


def test_without_a_list_any_category_will_do() -> None:
    free = replace(POLICY, categories=())
    assert plan_change(ticket(), {"category": "ink"}, free, actor="ana").problems == ()


def test_a_status_that_leads_nowhere() -> None:
    dead = replace(POLICY, life=LifeCycle(transitions={"new": ("open",)}))
    change = plan_change(ticket(), {"status": "closed"}, dead, actor="ana")
    assert change.problems == ("status: a ticket that is open may become nothing, not closed",)


def test_words_too_long_for_a_database_are_told_all_at_once() -> None:
    free = replace(POLICY, categories=())
    wanted = {"category": "x" * 101, "subject": "x" * 901, "priority": "nope"}
    change = plan_change(ticket(), wanted, free, actor="ana")
    assert change.problems[:2] == (
        "category: 101 characters are too long, 100 are the most",
        "subject: 901 characters are too long, 900 are the most",
    )
    assert change.problems[2].startswith("priority: ")
    assert change.effects == ()
    longest = {"category": "x" * 100, "subject": "x" * 900}
    assert plan_change(ticket(), longest, free, actor="ana").problems == ()
    assert set(LONGEST) == set(FIELDS)
