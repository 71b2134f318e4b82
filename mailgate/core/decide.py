"""One page: screen, identify, authorise, thread, rules, audience -> Decision."""

from __future__ import annotations

from dataclasses import replace

from mailgate.core import (
    absence,
    addressed,
    answering,
    asides,
    authorise,
    bouncing,
    granting,
    hearing,
    holding,
    identify,
    lists,
    onbehalf,
    onduty,
    outside,
    proofs,
    replying,
    saying,
    screen,
    thirdparty,
    thread,
)
from mailgate.core.case import Case, Delivery
from mailgate.core.decision import Decision, Facts, NoteAbsence, Outcome, Step
from mailgate.core.mail import Kind, ParsedMail
from mailgate.core.people import Author, Power, Role, Standing
from mailgate.core.policy import Policy
from mailgate.core.proofs import Proof
from mailgate.core.screen import Treatment
from mailgate.core.thread import Placement
from mailgate.core.token import Purpose, hidden

__all__ = ["Delivery", "decide", "quarantine"]


def decide(mail: ParsedMail, delivery: Delivery, facts: Facts, policy: Policy) -> Decision:
    """What becomes of a mail. Pure: the same values give the same decision."""
    return _shown(_decided(mail, delivery, facts, policy))


def _shown(decision: Decision) -> Decision:
    """The same without tokens in its words: a reason may name an address that a mail went to."""
    steps = (
        replace(step, verdict=hidden(step.verdict), reason=hidden(step.reason))
        for step in decision.trace
    )
    return replace(decision, reason=hidden(decision.reason), trace=tuple(steps))


def _decided(mail: ParsedMail, delivery: Delivery, facts: Facts, policy: Policy) -> Decision:
    if facts.duplicate_of is not None:
        return _duplicate(facts.duplicate_of)
    if why := onduty.barred(delivery, facts, policy):
        step = Step(step="blocked", verdict="ignored", reason=why)
        return Decision(outcome=Outcome.IGNORED, reason=why, trace=(step,))
    if "too-complex" in mail.defects:
        return quarantine("too complex to parse within its limits")
    if failed := next((d for d in mail.defects if d.startswith("parser-failed")), ""):
        return quarantine(f"the parser failed on it: {failed}")
    case = _case(mail, delivery, facts, policy)
    if case.verdict.treatment is Treatment.DROP:
        return Decision(outcome=Outcome.IGNORED, reason=case.verdict.reason, trace=case.trace)
    if case.verdict.treatment is Treatment.BOUNCE:
        return bouncing.bounce(case)
    return _in_sent(case) if delivery.sent else _place(case)


def quarantine(reason: str, trace: tuple[Step, ...] = ()) -> Decision:
    """The decision for a mail that cannot be handled: its bytes wait for a human."""
    step = Step(step="quarantine", verdict="quarantined", reason=reason)
    return Decision(outcome=Outcome.QUARANTINED, reason=reason, trace=(*trace, step))


def _duplicate(first: int) -> Decision:
    reason = f"the same content as mail {first}"
    step = Step(step="content", verdict="duplicate", reason=reason)
    return Decision(outcome=Outcome.DUPLICATE, reason=reason, trace=(step,), duplicate_of=first)


def _case(mail: ParsedMail, delivery: Delivery, facts: Facts, policy: Policy) -> Case:
    verdict = screen.screen(mail, delivery.envelope, policy, sent=delivery.sent)
    author = identify.identify(mail, delivery.envelope, policy, delivery.stamp)
    author = outside.proven(author, policy) if delivery.sent else author
    if author.agent and delivery.approved_for is not None and facts.held is None:
        # Nobody can make an agent's words a customer's: it is accepted, and goes where it belongs.
        delivery = replace(delivery, approved_by="", approved_for=None)
    screened = f"{verdict.treatment} ({verdict.kind})"
    return Case(
        mail=mail,
        delivery=delivery,
        facts=facts,
        policy=policy,
        verdict=verdict,
        author=author,
        mailbox=addressed.mailbox(mail, delivery.envelope, policy),
        trace=(
            Step(step="screen", verdict=screened, reason=verdict.reason),
            Step(step="identify", verdict=author.address or "nobody", reason=_who(author, mail)),
            *_cuts(mail),
        ),
    )


def _cuts(mail: ParsedMail) -> tuple[Step, ...]:
    """What was taken out of the new words, and by what."""
    told = (cut.partition(": ") for cut in mail.cuts)
    return tuple(Step(step="strip", verdict=part, reason=why) for part, _, why in told)


def _place(case: Case) -> Decision:
    given = proofs.claims(case.mail, case.delivery.envelope, case.policy)
    automatic = case.verdict.kind is Kind.AUTO_REPLY
    if case.delivery.live and not automatic:
        released, steps = holding.approval(case, given)
        if released is not None:
            return released
        worked, more = onduty.answered(case, given)
        if worked is not None:
            return worked
        case = replace(case, trace=(*case.trace, *steps, *more))
    away = automatic and case.author.agent is not None  # answers a return path as well (RFC 3834)
    if case.facts.copy is not None and not away and (back := bouncing.returned(case)) is not None:
        return back
    known = proofs.proofs(given, case.facts, case.delivery.received)
    known = proofs.onward(known, case.mail, case.facts)
    placed = _placement(case, known)
    case = replace(
        case,
        standing=placed.standing,
        trace=(*case.trace, *placed.steps),
        # Whether it is to be believed or not: words for agents never go out by a doubt.
        inward=case.delivery.as_note or any(c.sealed.token.purpose is Purpose.NOTE for c in given),
    )
    if placed.number is not None:
        ticket = case.facts.tickets[placed.number]
        agent = saying.agent_of(case)
        case = replace(
            case,
            aside=asides.meant(given, agent, ticket),
            unreached=asides.unreached(given, agent, ticket),
        )
    if automatic and case.author.agent and (given or placed.number or placed.links):
        reason = f"an agent's automatic mail: {case.verdict.reason}"
        effects = _away(case)
        return Decision(outcome=Outcome.IGNORED, reason=reason, effects=effects, trace=case.trace)
    if placed.number is None:
        return lists.alone(case, known) or onbehalf.opened(case, placed.links)
    return _on_ticket(case, placed, placed.number)


def _in_sent(case: Case) -> Decision:
    """A mail in the Sent folder of an account of ours: an answer on a ticket, or none of ours."""
    given = proofs.claims(case.mail, case.delivery.envelope, case.policy)
    placed = _placement(case, proofs.proofs(given, case.facts, case.delivery.received))
    case = replace(case, standing=placed.standing, trace=(*case.trace, *placed.steps))
    why = outside.unfit(case) or outside.comes_by_mail(case, answers=bool(given))
    if not why and placed.number is not None and placed.standing.outside:
        return _on_ticket(case, placed, placed.number)
    if not why:
        named = (*((placed.number,) if placed.number else ()), *(n for n, _ in placed.links))
        why = f"it goes to nobody of #{named[0]}" if named else "it is on no ticket"
    reason = f"a mail in the Sent folder: {why}"
    return Decision(outcome=Outcome.IGNORED, reason=reason, trace=case.trace)


def _on_ticket(case: Case, placed: Placement, number: int) -> Decision:
    ticket, here = case.facts.tickets[number], case.standing
    if onbehalf.is_held(case):
        return onbehalf.released(case, ticket)
    if case.verdict.kind is Kind.AUTO_REPLY:
        return replying.noted(case, ticket)
    if here.role is Role.SIDE:
        return thirdparty.heard(case, ticket, placed)
    if outside.recorded(case, ticket):
        reason = f"another copy of an answer that is on #{number} already"
        return Decision(outcome=Outcome.IGNORED, reason=reason, trace=case.trace)
    # History is taken at its word: an agent's mail in it was an agent's answer.
    told_so = not case.delivery.live and here.role is Role.STRANGER and case.author.agent
    acts = here.power >= Power.ACT
    noted = acts and case.inward and case.author.agent is not None  # whatever else they are here
    if (here.role is Role.AGENT and acts) or told_so or noted:
        if (held := answering.lacking(case, ticket)) is not None:
            return holding.hold(replace(case, standing=held), ticket, placed)
        return answering.answer(case, ticket, placed)
    if here.power is Power.HOLD and case.delivery.live:
        return holding.hold(case, ticket, placed)
    return replying.reply(case, ticket, placed)


def _away(case: Case) -> tuple[NoteAbsence, ...]:
    """An agent's answering machine says that the agent is away.

    Believed without proof: it changes nothing but what agents are shown.
    """
    agent = case.author.agent
    if agent is None or not case.delivery.live or not absence.is_absent(case.mail):
        return ()
    return (NoteAbsence(agent=agent.address, away=True),)


def _placement(case: Case, known: tuple[Proof, ...]) -> Placement:
    asked = authorise.Question(
        author=case.author,
        proofs=known,
        policy=case.policy,
        date=case.mail.date,
        received=case.delivery.received,
    )
    found = thread.Found(
        mail=case.mail,
        facts=case.facts,
        proofs=known,
        standings=outside.standings(asked, case, authorise.standings(asked, case.facts)),
    )
    if case.delivery.approved_by:
        return _approved(case)
    if not case.delivery.live:
        return _past(case, thread.place_history(found, case.policy))
    opens_nothing = case.delivery.sent or replying.is_thanks(case) or granting.is_wish(case)
    placed = thread.place(found, case.policy, now=case.delivery.received, thanks=opens_nothing)
    if placed.number is None:
        return placed
    here = placed.standing
    step = Step(
        step="authorise",
        verdict=f"{here.power.name.lower()} (level {here.level})",
        reason=here.reason,
    )
    return replace(placed, steps=(*placed.steps, step))


def _past(case: Case, placed: Placement) -> Placement:
    """History is taken at its word, but words of a third party were no customer's then."""
    if placed.number is None or case.author.agent:
        return placed
    if not hearing.is_aside(case, case.facts.tickets[placed.number]):
        return placed
    here = placed.standing
    aside = replace(here, role=Role.SIDE, power=max(Power.ACT, here.power), owner="", agent=None)
    return replace(placed, standing=aside, merges=())


def _approved(case: Case) -> Placement:
    """A mail that somebody vouched for takes effect where it was held, or is wanted.

    Whoever answers what was said aside, or was talked to aside, is heard aside, and put on no CC
    list.
    """
    held = case.facts.held
    where = held.ticket if held else case.delivery.approved_for
    if where is None:
        raise ValueError("an approved mail needs its ticket, or the held mail among its facts")
    number = case.facts.merged.get(where, where)
    agent = case.policy.agent_for(held.owner) if held and held.owner else None
    ticket = case.facts.tickets[number]
    requester = case.author.address == ticket.requester
    customer = Role.REQUESTER if requester else Role.CC
    if hearing.is_aside(case, ticket):
        customer = Role.SIDE
    by = f"approved by {case.delivery.approved_by}"
    standing = Standing(
        role=Role.AGENT if agent else customer,
        power=Power.ACT,
        level=1,
        reason=by,
        agent=agent,
    )
    step = Step(step="release", verdict=f"#{number}", reason=by)
    return Placement(number=number, how=by, standing=standing, steps=(step,))


def _who(author: Author, mail: ParsedMail) -> str:
    if not author.address:
        return "; ".join(d for d in mail.defects if d.startswith("from-")) or "no single author"
    whose = "an agent's address" if author.agent else "the address in From"
    return f"{whose}; {', '.join(author.proofs) or 'no proof'}; {author.stamp_reason}".rstrip("; ")
