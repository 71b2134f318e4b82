"""Mail that may be what it says: stored for agents' eyes until somebody who knows approves it."""

from __future__ import annotations

from dataclasses import replace

from mailgate.core import audience, collision, denying, hearing, strip, token
from mailgate.core.audience import Happening
from mailgate.core.case import Case
from mailgate.core.collision import Order
from mailgate.core.decision import (
    TO_CUSTOMER,
    TO_NOBODY,
    Approve,
    Decision,
    DropHeld,
    Effect,
    HeldMail,
    Hold,
    LinkTicket,
    Notice,
    Notify,
    Outcome,
    Recipient,
    RevokeTokens,
    Step,
)
from mailgate.core.people import Stamp
from mailgate.core.proofs import IN_REFERENCES, Claim
from mailgate.core.telling import told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose

DROPPED = (
    "Your answer is dropped: nothing of it was sent, and no command in it was carried out."
    " It stays on the ticket as held, for agents' eyes."
)


def hold(case: Case, ticket: TicketView, placed: Placement) -> Decision:
    """Store the mail on the ticket, without effect, and ask whoever can tell.

    The owner of a token or address is asked at the registered address; where there is none, the
    ticket's agents decide. Nobody outside hears of it (reliability: T4, T5, A10, C2, C3).
    """
    here = case.standing
    effects: list[Effect] = [Hold(author=case.mail.sender, why=here.reason, owner=here.owner)]
    if here.revoke:
        effects.append(RevokeTokens(address=here.revoke, because=here.reason))
    effects += [LinkTicket(other=number, why=why) for number, why in placed.links]
    told = () if case.quiet else _asked(case, ticket)
    return Decision(
        outcome=Outcome.HELD,
        reason=f"held: {here.reason}",
        target=ticket.number,
        effects=(*effects, *told),
        trace=(*case.trace, *told_steps(told, case)),
    )


def _asked(case: Case, ticket: TicketView) -> tuple[Notify, ...]:
    owner, reason = case.standing.owner, case.standing.reason
    ears = hearing.of_held(case, ticket)
    if not owner:
        told = audience.tell(Happening.HELD, ticket, case.policy, author="")
        return tuple(replace(notify, note=reason, ears=ears) for notify in told)
    to = Recipient(address=owner, role="agent", why="can tell whether the mail is genuine")
    asked = Notify(notice=Notice.CHALLENGE, to=(to,), note=reason)
    if case.facts.challenges < case.policy.trust.challenges_week:
        return (asked,)
    leads = tuple(
        Recipient(address=a.address, role="agent", why="lead")
        for a in case.policy.agents
        if a.lead and a.address != owner
    )
    often = f"{owner} has been asked {case.facts.challenges} times this week: {reason}"
    shown = Notify(notice=Notice.AGENT_HELD, to=leads, note=often, ears=ears)
    return (asked, shown) if leads else (asked,)


def approval(case: Case, given: tuple[Claim, ...]) -> tuple[Decision | None, list[Step]]:
    """The decision for a mail to a release address; None when it is not for whoever wrote it.

    It releases the one mail it was made for, once, when it comes from the person it was made for.
    What else it says is looked at only where the held mail is an answer that came too late.
    """
    # Further up in the thread it only tells what was talked of before.
    claim = next((c for c in given if _answers_challenge(c)), None)
    if claim is None:
        return None, []
    held = case.facts.held
    wrong = _not_theirs(case, claim, held)
    if wrong or held is None:
        reason = f"a release address: {wrong or 'there is no such held mail'}"
        return None, [Step(step="release", verdict="no evidence", reason=reason)]
    order = _order(case, held)
    late = _too_late(case, held)
    if order is None and not late:
        return _asked_again(case, held), []
    if not late and _denied(case, held):
        return _left_waiting(case, held), []
    done, effect = _carried_out(order or Order.SEND, held.id, case.author.address)
    reason = f"held mail {held.id}: {late or f'{done} by {case.author.address}'}"
    told = (_told_late(case, late),) if late else _told_dropped(case, effect)
    decision = Decision(
        outcome=Outcome.COMMAND,
        reason=reason,
        target=held.ticket,
        effects=told if late else (effect, *told),
        trace=(*case.trace, Step(step="release", verdict=late or done, reason=reason)),
    )
    return decision, []


def _told_late(case: Case, late: str) -> Notify:
    """An order that comes too late does nothing; what stands in its mail is not lost on the way."""
    to = Recipient(address=case.author.address, role="agent", why="tried to release a held mail")
    own = strip.own_words(case.mail.visible or case.mail.text).strip()
    lines = [f"Nothing was done: {late}."]
    lines += [f"What you wrote now reached nobody:\n\n{own}"] if own else []
    held = case.facts.held
    # Only what crossed a public message is known to be for the customer, and not said aside.
    public = held is not None and held.why.startswith(collision.COLLIDED)
    ears = TO_CUSTOMER if public else TO_NOBODY
    return Notify(notice=Notice.TRANSCRIPT, to=(to,), note="\n\n".join(lines), ears=ears)


def _told_dropped(case: Case, effect: Effect) -> tuple[Notify, ...]:
    """What is released says by itself what came of it; what is dropped takes no effect."""
    if not isinstance(effect, DropHeld) or case.policy.transcripts != "always":
        return ()
    to = Recipient(address=case.author.address, role="agent", why="dropped a held mail")
    return (Notify(notice=Notice.TRANSCRIPT, to=(to,), note=DROPPED),)


def _order(case: Case, held: HeldMail) -> Order | None:
    """What is to become of a held mail; any words at all let one take effect, as a rule."""
    if not held.why.startswith(collision.COLLIDED):
        return Order.SEND
    return collision.order(strip.own_words(case.mail.visible or case.mail.text))


def _denied(case: Case, held: HeldMail) -> bool:
    """Whether the agent who is asked for their word says that the mail is not theirs."""
    asked = bool(held.owner) and not held.why.startswith(collision.COLLIDED)
    return asked and denying.denies(strip.own_words(case.mail.visible or case.mail.text))


def _left_waiting(case: Case, held: HeldMail) -> Decision:
    """Nothing takes effect by a no; the mail waits on, for it may have been a yes."""
    to = Recipient(address=case.author.address, role="agent", why="said no to a held mail")
    told = Notify(notice=Notice.TRANSCRIPT, to=(to,), note=f"{denying.SAID_NO}.", ears=TO_NOBODY)
    reason = f"held mail {held.id}: its agent says no"
    return Decision(
        outcome=Outcome.COMMAND,
        reason=reason,
        target=held.ticket,
        effects=(told,),
        trace=(*case.trace, Step(step="release", verdict="denied", reason=reason)),
    )


def _asked_again(case: Case, held: HeldMail) -> Decision:
    """Neither send, note nor drop: what the mail says reaches nobody, and its agent hears that."""
    own = strip.own_words(case.mail.visible or case.mail.text)
    to = Recipient(address=held.owner, role="agent", why="said neither send, note nor drop")
    told = Notify(notice=Notice.COLLISION, to=(to,), words=own, held=held.id)
    reason = f"held mail {held.id}: {collision.ASKED_FOR}"
    return Decision(
        outcome=Outcome.COMMAND,
        reason=reason,
        target=held.ticket,
        effects=(told,),
        trace=(*case.trace, Step(step="release", verdict="not understood", reason=reason)),
    )


def _carried_out(order: Order, held: int, by: str) -> tuple[str, Effect]:
    match order:
        case Order.SEND:
            return "released", Approve(held=held, by=by)
        case Order.NOTE:
            return "released as a note", Approve(held=held, by=by, as_note=True)
        case Order.DROP:
            return "dropped", DropHeld(held=held, by=by)


def _answers_challenge(claim: Claim) -> bool:
    return claim.sealed.token.purpose is Purpose.RELEASE and claim.where != IN_REFERENCES


def _not_theirs(case: Case, claim: Claim, held: HeldMail | None) -> str:
    wrong = token.fault(claim.sealed, case.facts.keys, case.delivery.received)
    if wrong:
        return wrong
    agent = case.author.agent
    addresses = (agent.address, *agent.aliases) if agent else ()
    if claim.sealed.token.holder not in {token.holder_of(a) for a in addresses}:
        return "it was made for somebody else"
    if held and held.owner and case.policy.agent_for(held.owner) != agent:
        return f"the held mail waits for {held.owner}"
    return case.author.stamp_reason if case.author.stamp is Stamp.FAILED else ""


def _too_late(case: Case, held: HeldMail) -> str:
    if held.state != "waiting":
        return f"it is {held.state} already"
    return "the time for it is over" if case.delivery.received > held.expires else ""
