"""Answers written outside: an agent wrote to the customer, and we only got a copy.

The queue stood in To, Cc or Bcc of it, or it lies in the Sent folder of an account of ours. The
people have the mail already: it is recorded as the agent's answer. Nothing leaves the house by it,
so that one proof is enough; with full proof (an agent's token and a stamp, or a login) it is an
answer like any other, and whoever of the ticket did not get it gets it from us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mailgate.core import addressed, authorise
from mailgate.core.authorise import Question
from mailgate.core.case import Case
from mailgate.core.decision import Notice, Notify, Recipient
from mailgate.core.mail import Kind
from mailgate.core.people import Agent, Author, Power, Role, Stamp, Standing
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView

SENT = "sent"  # the proof of a mail in a Sent folder, where only the account's users put mail
LEFT_OUT = "the answer was written outside, with one proof only: nobody else gets it"


def proven(author: Author, policy: Policy) -> Author:
    """The author of a mail in a Sent folder."""
    if not _ours(author, policy):
        return author
    return replace(author, proofs=(*author.proofs, SENT))


def unfit(case: Case) -> str:
    """Why a mail in a Sent folder is no answer, "" where it may be one."""
    if not _ours(case.author, case.policy):
        return "From is neither an agent nor one of our mailboxes"
    if case.verdict.kind is not Kind.NORMAL:
        return f"no person's answer: {case.verdict.reason}"
    # A folder that is read from its beginning again holds answers of years.
    date, received = case.mail.date, case.delivery.received
    asked = Question(
        author=case.author, proofs=(), policy=case.policy, date=date, received=received
    )
    return authorise.dated(asked).partition(":")[0]


def comes_by_mail(case: Case, *, answers: bool) -> str:
    """Why another copy of a mail in a Sent folder says more, "" where it is on its own.

    An answer to a notice of ours (it `answers` by a token) that is addressed to us reaches us as
    mail. That copy may do all an answer does; this one only tells that somebody has written.
    """
    if answers and any(case.policy.own(address) for address in addressed.present(case.mail)):
        return "it is an answer to us, and what reaches us counts"
    return ""


def standings(asked: Question, case: Case, found: Mapping[int, Standing]) -> Mapping[int, Standing]:
    """What the author may do on each ticket, where a mail to its people may be all there is."""
    if not case.delivery.live or case.delivery.approved_by:
        return found
    tickets = case.facts.tickets
    return {number: _standing(asked, case, tickets[number], here) for number, here in found.items()}


def recorded(case: Case, ticket: TicketView) -> bool:
    """Whether another copy of the same answer has been recorded: sent to us, and in Sent."""
    numbers = {case.facts.merged.get(number, number) for number in case.facts.answered}
    return case.delivery.live and ticket.number in numbers and bool(reached(case, ticket))


def kept_in(told: tuple[Notify, ...]) -> tuple[Notify, ...]:
    """The same notices, but the answer goes to nobody: whoever it was for has it."""
    public = (Notice.ANSWER, Notice.SIDE)
    return tuple(_unsent(n) if n.notice in public else n for n in told)


def reached(case: Case, ticket: TicketView) -> tuple[str, ...]:
    """People of the ticket who stand in To or Cc of the mail, other than whoever wrote it."""
    there = addressed.present(case.mail)
    own = {case.author.address.lower()}
    return tuple(a for a in ticket.participants if a.lower() in there and a.lower() not in own)


def _unsent(notify: Notify) -> Notify:
    missed = tuple(Recipient(address=p.address, role=p.role, why=LEFT_OUT) for p in notify.to)
    return replace(notify, to=(), left_out=(*notify.left_out, *missed))


def _ours(author: Author, policy: Policy) -> bool:
    return author.agent is not None or policy.mailbox_for(author.address) is not None


def _standing(asked: Question, case: Case, ticket: TicketView, here: Standing) -> Standing:
    agent = case.author.agent
    people = reached(case, ticket)
    if not people or case.author.address == ticket.requester:
        return here
    to = f"who wrote to {', '.join(people)}"
    if case.delivery.sent:
        who = "an agent" if agent else "one of our mailboxes"
        reason = f"{who}, proven by the account's Sent folder, {to}"
        return _acting(agent, reason) if _ours(case.author, case.policy) else here
    if agent is None:
        return here
    if here.power >= Power.ACT:
        return replace(here, outside=_aside(case, here))
    if here.revoke or case.author.stamp is Stamp.FAILED:
        return here
    if "aligned" in case.author.proofs and here.role is Role.AGENT:
        return _stamped(asked, agent, ticket, here, to)
    return _unproven(agent, here, to)


def _aside(case: Case, here: Standing) -> bool:
    """Whether a mail that may act went past us: one proof, and we do not stand in its To."""
    to_us = any(case.policy.own(person.addr) for person in case.mail.to)
    return here.role is Role.AGENT and here.level < 2 and not to_us


def _stamped(
    asked: Question, agent: Agent, ticket: TicketView, here: Standing, to: str
) -> Standing:
    if not authorise.has_access(agent, ticket, asked.policy):
        return here
    if stale := authorise.dated(asked):
        return replace(here, reason=f"an agent, proven by a stamp, {to}, but {stale}")
    return _acting(agent, f"an agent, proven by a stamp, {to}")


def _unproven(agent: Agent, here: Standing, to: str) -> Standing:
    """From alone: the agent is asked, where anybody else would have opened a new ticket."""
    if here.power is not Power.LINK:
        return here
    reason = f"an agent's address alone, {to}: nothing proves it"
    return Standing(
        role=Role.AGENT, power=Power.HOLD, reason=reason, owner=agent.address, agent=agent
    )


def _acting(agent: Agent | None, reason: str) -> Standing:
    return Standing(
        role=Role.AGENT, power=Power.ACT, level=1, reason=reason, agent=agent, outside=True
    )
