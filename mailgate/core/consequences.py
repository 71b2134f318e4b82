"""What effects lead to: the ticket as it will be, the notices a change causes, what is illegal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from mailgate.core import audience
from mailgate.core.audience import Happening
from mailgate.core.decision import (
    AddParticipant,
    AddTag,
    AddTime,
    Effect,
    Mute,
    Notify,
    RemoveParticipant,
    RemoveTag,
    Reshape,
    SetCustom,
    SetField,
    SetRequester,
    Step,
)
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
        elif isinstance(effect, Reshape | AddTag):
            ticket = _reshaped(ticket, effect)
        elif isinstance(effect, Mute):
            others = tuple(a for a in ticket.muted if a != effect.address)
            muted = (*others, effect.address) if effect.muted else others
            ticket = replace(ticket, muted=muted)
    return ticket


def _reshaped(ticket: TicketView, effect: Reshape | AddTag) -> TicketView:
    match effect:
        case AddTag() if effect.tag not in ticket.tags:
            return replace(ticket, tags=(*ticket.tags, effect.tag))
        case RemoveTag():
            return replace(ticket, tags=tuple(t for t in ticket.tags if t != effect.tag))
        case RemoveParticipant():
            return without(ticket, {effect.address})
        case SetRequester():
            new = effect.address.addr
            return replace(without(ticket, {new}), requester=new)
        case SetCustom():
            return replace(ticket, fields={**ticket.fields, effect.key: effect.value})
        case AddTime():
            return replace(ticket, time_spent=max(0, ticket.time_spent + effect.minutes))
        case _:
            return ticket


def changes(
    before: TicketView, ticket: TicketView, policy: Policy, *, author: str = ""
) -> tuple[Notify, ...]:
    """The notices that a change of status or assignment causes; none to their author."""
    told: tuple[Notify, ...] = ()
    if (before.assignee, before.group) != (ticket.assignee, ticket.group) and (
        ticket.assignee or ticket.group
    ):
        told += audience.tell(Happening.ASSIGNED, ticket, policy, author=author)
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
