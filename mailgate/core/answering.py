"""An agent answered from a mail client: the words go to requester and CC."""

from __future__ import annotations

from mailgate.core import addressed, audience, strip
from mailgate.core.audience import Happening
from mailgate.core.case import Case
from mailgate.core.consequences import after
from mailgate.core.decision import (
    AppendMessage,
    Decision,
    Effect,
    LinkTicket,
    Notice,
    Notify,
    Outcome,
    Recipient,
    SetField,
)
from mailgate.core.people import Agent
from mailgate.core.telling import read_by, told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import MessageKind, TicketView

NOTHING_SENT = "nothing was sent: your mail held no words above the quoted notice"


def answer(case: Case, ticket: TicketView, placed: Placement) -> Decision:
    """An agent's answer; without words of its own it is a note, and the agent is told."""
    if not strip.own_words(case.mail.visible or case.mail.text) and not case.mail.attachments:
        return _empty_answer(case, ticket)
    effects: list[Effect] = [
        AppendMessage(kind=MessageKind.AGENT, author=case.mail.sender),
        *(LinkTicket(other=number, why=why) for number, why in placed.links),
        *_settled(case, ticket),
    ]
    told: tuple[Notify, ...] = ()
    if not case.quiet:
        told = audience.tell(
            Happening.AGENT_ANSWERED,
            after(ticket, effects),
            case.policy,
            author=case.author.address,
            present=addressed.present(case.mail),
        )
        told = read_by(told, case.delivery.approved_by)
    return Decision(
        outcome=Outcome.REPLY,
        reason=f"an agent's answer: {placed.how}",
        target=ticket.number,
        effects=(*effects, *told),
        trace=(*case.trace, *told_steps(told, case)),
    )


def agent_of(case: Case) -> Agent | None:
    """The agent who answers: by the address in From, else whose held mail was approved."""
    return case.author.agent or case.standing.agent


def _settled(case: Case, ticket: TicketView) -> list[SetField]:
    life, fields = case.policy.life, []
    waits = ticket.status not in (life.closed, life.pending)
    if waits and life.may(ticket.status, life.pending):
        fields.append(SetField(field="status", value=life.pending, because="an agent answered"))
    agent = agent_of(case)
    if not ticket.assignee and agent:
        fields.append(
            SetField(field="assignee", value=agent.address, because="the first to answer")
        )
    return fields


def _empty_answer(case: Case, ticket: TicketView) -> Decision:
    """Nothing of an agent's own stands in the mail: the customer gets nothing, the agent is told.

    What is quoted is our notice, with facts and notes that are not for customers.
    """
    told: tuple[Notify, ...] = ()
    if not case.quiet:
        to = Recipient(address=case.author.address, role="agent", why="wrote an empty answer")
        told = (Notify(notice=Notice.AGENT_MESSAGE, to=(to,), note=NOTHING_SENT),)
    return Decision(
        outcome=Outcome.NOTE,
        reason="an agent's answer without words of its own; nothing was sent to the customer",
        target=ticket.number,
        effects=(AppendMessage(kind=MessageKind.NOTE, author=case.mail.sender), *told),
        trace=(*case.trace, *told_steps(told, case)),
    )
