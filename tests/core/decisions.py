"""A decision in short: decide one mail, and look at one side of what comes of it."""

from __future__ import annotations

from typing import Any

from mailgate.core.decide import Delivery, decide
from mailgate.core.decision import (
    AddParticipant,
    AppendMessage,
    Decision,
    Facts,
    New,
    Notify,
    OpenTicket,
    SetField,
)
from mailgate.core.mail import DeliveryReport, ParsedMail
from mailgate.core.policy import Policy
from tests.core.samples import (
    ENVELOPE,
    NOW,
    POLICY,
    headers,
)

AUTOMATIC = headers(auto_submitted="auto-replied")
LIST = headers(list_id="<users.lists.test>")
NOTHING = Facts()
REPORTS = (DeliveryReport(recipient="carl@customer.test", action="failed", status="5.1.1"),)


def delivery(**more: Any) -> Delivery:
    return Delivery(**{"envelope": ENVELOPE, "received": NOW, **more})


def decided(
    given: ParsedMail, known: Facts = NOTHING, policy: Policy = POLICY, **how: Any
) -> Decision:
    found = decide(given, delivery(**how), known, policy)
    assert found.reason
    return found


def told(decision: Decision) -> dict[str, str]:
    """Address -> the notice it gets."""
    return {
        person.address: effect.notice.value
        for effect in decision.effects
        if isinstance(effect, Notify)
        for person in effect.to
    }


def fields(decision: Decision) -> dict[str, str]:
    return {e.field: e.value for e in decision.effects if isinstance(e, SetField)}


def copied(decision: Decision) -> list[str]:
    return [e.address.addr for e in decision.effects if isinstance(e, AddParticipant)]


def kinds(decision: Decision) -> list[str]:
    return [e.kind.value for e in decision.effects if isinstance(e, AppendMessage)]


def opened(decision: Decision) -> OpenTicket:
    assert decision.target == New()
    first = decision.effects[0]
    assert isinstance(first, OpenTicket)
    return first
