"""A decision in short: decide one mail, and look at one side of what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailgate.core.authorise import Question
from mailgate.core.authorise import standings as authorised
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
from mailgate.core.identify import identify
from mailgate.core.mail import DeliveryReport, Envelope, ParsedMail
from mailgate.core.people import Standing
from mailgate.core.policy import Policy
from mailgate.core.proofs import claims, proofs
from mailgate.core.thread import Found, Placement, place, place_history
from tests.core.samples import (
    ENVELOPE,
    NOW,
    POLICY,
    headers,
)

AUTOMATIC = headers(auto_submitted="auto-replied")
LIST = headers(list_id="<users.lists.test>")
NOTHING = Facts()
REPORTS = (DeliveryReport(recipient="rita@customer.test", action="failed", status="5.1.1"),)


def delivery(**more: Any) -> Delivery:
    return Delivery(**{"envelope": ENVELOPE, "received": NOW, **more})


def decided(
    given: ParsedMail, known: Facts = NOTHING, policy: Policy = POLICY, **how: Any
) -> Decision:
    found = decide(given, delivery(**how), known, policy)
    assert found.reason
    return found


def standings(
    given: ParsedMail, known: Facts, policy: Policy = POLICY, envelope: Envelope = ENVELOPE
) -> Mapping[int, Standing]:
    """What the author may do on each ticket."""
    return found_by(given, known, policy, envelope).standings


def found_by(
    given: ParsedMail, known: Facts, policy: Policy = POLICY, envelope: Envelope = ENVELOPE
) -> Found:
    """What there is to place a mail by."""
    proven = proofs(claims(given, envelope, policy), known, NOW)
    asked = Question(
        author=identify(given, envelope, policy),
        proofs=proven,
        policy=policy,
        date=given.date,
        received=NOW,
    )
    return Found(mail=given, facts=known, proofs=proven, standings=authorised(asked, known))


def placed(
    given: ParsedMail,
    known: Facts,
    policy: Policy = POLICY,
    *,
    history: bool = False,
    thanks: bool = False,
) -> Placement:
    """Where a mail goes."""
    found = found_by(given, known, policy)
    if history:
        return place_history(found, policy)
    return place(found, policy, now=NOW, thanks=thanks)


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
