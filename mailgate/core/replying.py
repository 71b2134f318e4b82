"""A participant wrote again: the words join the ticket and go to the others on it."""

from __future__ import annotations

from mailgate.core import addressed, audience, granting, rules, thanks
from mailgate.core.audience import Happening
from mailgate.core.case import Case, context, copied
from mailgate.core.consequences import after, changes, legal, without
from mailgate.core.decision import (
    AddParticipant,
    AppendMessage,
    Decision,
    Effect,
    LinkTicket,
    Merge,
    Mute,
    Notify,
    Outcome,
    SetField,
    Step,
    Thanked,
)
from mailgate.core.people import Power, Role
from mailgate.core.telling import allowed, read_by, told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.wishes import Want, Wish


def reply(case: Case, ticket: TicketView, placed: Placement) -> Decision:
    """A participant (or, in an import, whoever the headers name) wrote again."""
    added, cc_steps = _added(case, ticket)
    wish = granting.wished(case, ticket)
    effects: list[Effect] = [
        *(Merge(merged=n, because=placed.how) for n in placed.merges),
        AppendMessage(kind=MessageKind.CUSTOMER, author=case.mail.sender),
        *added,
        *(LinkTicket(other=number, why=why) for number, why in placed.links),
        *case.noted(),
        *_unmuted(case, ticket, wish),
        *((Thanked(),) if is_thanks(case) and case.delivery.live else ()),
    ]
    woken, wake_steps = _woken(case, ticket, wish)
    effects += woken
    ruled = rules.evaluate(case.mail, context(case, ticket.queue, is_new=False), case.policy.rules)
    trace = (*case.trace, *cc_steps, *wake_steps, *ruled.steps)
    if ruled.ignore is not None:
        return Decision(outcome=Outcome.IGNORED, reason=ruled.ignore, trace=trace)
    wanted, steps = legal(ruled.effects, ticket, case.policy)
    if wish:
        wanted += granting.effects(wish, case, after(ticket, [*effects, *wanted]))
    told = _told(case, ticket, wish, effects, wanted)
    return Decision(
        outcome=Outcome.REPLY,
        reason=placed.how,
        target=ticket.number,
        effects=(*effects, *wanted, *told),
        trace=(*trace, *steps, *told_steps(told, case)),
    )


def noted(case: Case, ticket: TicketView) -> Decision:
    """An automatic mail on a ticket is kept and changes nothing (reliability: L2).

    Of somebody who may not write here it does not even lead later mail to the ticket.
    """
    joins = case.standing.power >= Power.ACT or not case.delivery.live
    aside = (case.author.address,) if case.standing.role is Role.SIDE else ()
    kept = AppendMessage(kind=MessageKind.SYSTEM, author=case.mail.sender, joins=joins, aside=aside)
    return Decision(
        outcome=Outcome.NOTE,
        reason=f"an automatic mail, kept as a note: {case.verdict.reason}",
        target=ticket.number,
        effects=(kept,),
        trace=case.trace,
    )


def is_thanks(case: Case) -> bool:
    """Nothing but thanks: kept and shown, and no reason to open a ticket again."""
    words = case.mail.visible or case.mail.text
    return not case.mail.attachments and thanks.bare_thanks(words, case.mail.language)


def _added(case: Case, ticket: TicketView) -> tuple[list[AddParticipant], list[Step]]:
    added, steps = copied(case, ticket)
    sender = case.mail.sender
    known = (*ticket.participants, *ticket.removed)
    if case.delivery.approved_by and sender and sender.addr not in known:
        # Whoever approved the mail of somebody new wants them to get the answer.
        added.append(AddParticipant(address=sender, added_by=case.delivery.approved_by))
    return added, steps


def _unmuted(case: Case, ticket: TicketView, wish: Wish | None) -> list[Effect]:
    """Whoever writes wants to hear the answer."""
    by = case.author.address
    if by not in ticket.muted or case.quiet or (wish and wish.want is Want.MUTE):
        return []
    return [Mute(address=by, muted=False, because="wrote again")]


def _woken(case: Case, ticket: TicketView, wish: Wish | None) -> tuple[list[Effect], list[Step]]:
    life = case.policy.life
    if wish:
        reason = f"nothing but {wish.words!r}"
        return [], [Step(step="wish", verdict=wish.want.value, reason=reason)]
    if ticket.status in (life.initial, life.active) or not life.may(ticket.status, life.active):
        return [], []
    if is_thanks(case):
        step = Step(step="thanks", verdict=f"stays {ticket.status}", reason="nothing but thanks")
        return [], [step]
    return [SetField(field="status", value=life.active, because="a participant wrote")], []


def _told(
    case: Case,
    ticket: TicketView,
    wish: Wish | None,
    effects: list[Effect],
    wanted: list[Effect],
) -> tuple[Notify, ...]:
    if case.quiet:
        return ()
    before, view = after(ticket, effects), after(ticket, [*effects, *wanted])
    if wish:
        return read_by(granting.told(wish, case, before, view), case.delivery.approved_by)
    told = (
        *audience.tell(
            Happening.CUSTOMER_WROTE,
            without(view, set(before.cc) - set(ticket.cc)),  # they have the mail itself
            case.policy,
            author=case.author.address,
            present=addressed.present(case.mail),
        ),
        *changes(before, view, case.policy),
    )
    return read_by(allowed(told, case.verdict), case.delivery.approved_by)
