"""What effects lead to: the ticket as it will be, the notices a change causes, what is illegal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from mailgate.core import audience
from mailgate.core.audience import Happening
from mailgate.core.decision import AddParticipant, Effect, Notify, SetField, Step
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView


def after(ticket: TicketView, effects: Sequence[Effect]) -> TicketView:
    """The ticket as it will be when these effects have been applied."""
    for effect in effects:
        if isinstance(effect, SetField):
            changed: dict[str, Any] = {effect.field: effect.value}
            ticket = replace(ticket, **changed)
        elif isinstance(effect, AddParticipant) and effect.address.addr not in ticket.cc:
            ticket = replace(ticket, cc=(*ticket.cc, effect.address.addr))
    return ticket


def changes(before: TicketView, ticket: TicketView, policy: Policy) -> tuple[Notify, ...]:
    """The notices that a change of status or assignment causes."""
    told: tuple[Notify, ...] = ()
    if (before.assignee, before.group) != (ticket.assignee, ticket.group) and (
        ticket.assignee or ticket.group
    ):
        told += audience.tell(Happening.ASSIGNED, ticket, policy)
    if before.status != ticket.status:
        closed = ticket.status == policy.life.closed
        told += audience.tell(Happening.CLOSED if closed else Happening.STATUS, ticket, policy)
    return told


def without(ticket: TicketView, people: Collection[str]) -> TicketView:
    """The ticket with these people off the CC list."""
    return replace(ticket, cc=tuple(a for a in ticket.cc if a not in people))


def legal(
    effects: Sequence[Effect], ticket: TicketView, policy: Policy
) -> tuple[list[Effect], list[Step]]:
    """Drop what a rule may not do now: an illegal status change, adding one of our addresses."""
    kept: list[Effect] = []
    steps: list[Step] = []
    for effect in effects:
        status = effect.value if isinstance(effect, SetField) and effect.field == "status" else ""
        if status and not policy.life.may(ticket.status, status):
            reason = f"{ticket.status} -> {status} is not a legal change"
            steps.append(Step(step="rules", verdict="skipped", reason=reason))
        elif isinstance(effect, AddParticipant) and policy.own(effect.address.addr):
            reason = f"{effect.address.addr} is one of our own addresses"
            steps.append(Step(step="rules", verdict="skipped", reason=reason))
        else:
            kept.append(effect)
    return kept, steps
