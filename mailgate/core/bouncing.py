"""A delivery report goes to the copy it is about; it never makes a ticket and is never answered."""

from __future__ import annotations

from dataclasses import replace

from mailgate.core import asides, audience, bounces, unsent
from mailgate.core.audience import Happening
from mailgate.core.bounces import Match
from mailgate.core.case import Case
from mailgate.core.decision import (
    TO_AGENTS,
    AppendMessage,
    Decision,
    Notify,
    Outcome,
    RecordBounce,
    Step,
)
from mailgate.core.people import Role
from mailgate.core.policy import folded
from mailgate.core.telling import told_steps
from mailgate.core.ticket import MessageKind


def bounce(case: Case) -> Decision:
    """Match a delivery report with a mail of ours; one about nothing of ours changes nothing."""
    found = _match(case)
    if not found.genuine or found.outbox is None:
        step = Step(step="bounce", verdict="unmatched", reason=found.reason)
        return Decision(outcome=Outcome.BOUNCE, reason=found.reason, trace=(*case.trace, step))
    told = _told(case, found)
    record = RecordBounce(outbox=found.outbox, reports=found.reports, recipient=found.recipient)
    step = Step(step="bounce", verdict=f"outbox {found.outbox}", reason=found.reason)
    return Decision(
        outcome=Outcome.BOUNCE,
        reason=f"a delivery report about outbox mail {found.outbox}",
        target=found.ticket,
        effects=(record, *told),
        trace=(*case.trace, step, *told_steps(told, case)),
    )


def returned(case: Case) -> Decision | None:
    """A mail to a return path of ours that is no report: only machines write there.

    Kept with the ticket it came back from, and without any effect.
    """
    found = _match(case)
    ticket = case.facts.tickets.get(found.ticket or 0)
    if found.how != "return path" or ticket is None:
        return None
    told: tuple[Notify, ...] = ()
    # Whoever is on the ticket as well speaks aside where they answer what was said aside.
    copy, author = case.facts.copy, case.author.address
    public = author in ticket.participants and not (copy and copy.role == Role.SIDE)
    if not case.quiet and public:
        # A client that answers at the return path: somebody waits to be read.
        told = audience.tell(Happening.CUSTOMER_WROTE, ticket, case.policy)
        told = tuple(n for n in told if n.notice in TO_AGENTS)
    sides = {folded(third) for third in ticket.sides}
    aside = (author,) if folded(author) in sides and not public else ()
    if not case.quiet and aside:
        told = asides.shared(
            Happening.HEARD_ASIDE,
            ticket,
            case.policy,
            case.mail,
            aside[0],
            author=aside[0],
        )
    return Decision(
        outcome=Outcome.NOTE,
        reason="it came to a return path, where only machines write: kept as a note",
        target=found.ticket,
        effects=(
            AppendMessage(
                kind=MessageKind.SYSTEM, author=case.mail.sender, joins=False, aside=aside
            ),
            *told,
        ),
        trace=(
            *case.trace,
            Step(step="bounce", verdict="no report", reason=found.reason),
            *told_steps(told, case),
        ),
    )


def _match(case: Case) -> Match:
    delivery = case.delivery
    found = bounces.match(case.mail, delivery.envelope, case.facts, delivery.received)
    number = case.facts.merged.get(found.ticket, found.ticket) if found.ticket else None
    return replace(found, ticket=number)


def _notice(case: Case) -> str:
    """What it was that came back."""
    if case.facts.copy is not None:
        return case.facts.copy.notice
    ids = (i for i in (case.mail.reported_id, *case.mail.ancestors()) if i in case.facts.sent)
    return next((case.facts.sent[i].notice for i in ids), "")


def _told(case: Case, found: Match) -> tuple[Notify, ...]:
    """Agents hear of what did not arrive; delays and successes are only noted."""
    ticket = case.facts.tickets.get(found.ticket or 0)
    if _notice(case) in unsent.NEVER_TOLD:
        return ()
    if ticket is None or not case.delivery.live or not bounces.failures(found.reports):
        return ()
    # Whose own notice came back is not written to about it.
    told = audience.tell(Happening.BOUNCED, ticket, case.policy, author=found.address)
    ears = unsent.ears(_notice(case), found.address)
    return tuple(replace(notify, ears=ears) for notify in told)
