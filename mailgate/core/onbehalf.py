"""An agent's fresh mail for a customer: `#requester ADDRESS` at its top, or a forwarded mail.

The customer becomes the requester and what the customer wrote the first message; the agent's own
words are a note, and the agent is no participant. There is no ticket yet, and so no token of it:
a login acts, anything less is kept on a ticket of the agent's until the agent says yes at the
registered address. A customer who forwards a mail opens a ticket of their own, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailgate.core import addressed, answering, commanding, commands, forwarded, holding, opening
from mailgate.core.asked import Asked
from mailgate.core.audience import Happening, tell
from mailgate.core.case import Case
from mailgate.core.commanding import Plan
from mailgate.core.commands import Script, Slip
from mailgate.core.decision import (
    TO_AGENTS,
    Acted,
    AppendMessage,
    Decision,
    Effect,
    Flood,
    LinkTicket,
    New,
    Notice,
    Notify,
    OpenTicket,
    Outcome,
    Recipient,
    SetField,
    SetRequester,
    Step,
)
from mailgate.core.forwarded import Forwarded, Original
from mailgate.core.identify import LOGIN
from mailgate.core.language import detect
from mailgate.core.mail import Address, Kind, ParsedMail
from mailgate.core.people import Agent, Author, Power, Role, Stamp, Standing
from mailgate.core.prefixes import bare_subject, is_answer
from mailgate.core.saying import agent_of
from mailgate.core.strip import own_words, strip
from mailgate.core.telling import told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import MessageKind, TicketView

WAITS = "opens a ticket for a customer"  # why a mail is held
_ENCLOSED = "message/rfc822"
# About tickets that are there.
_ELSEWHERE = ("side", "merge", "split", "undo", "show", "mine", "find")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """What an agent wants for a customer."""

    agent: Agent
    script: Script
    words: str  # the agent's own
    plan: Plan
    customer: Address | None
    original: ParsedMail | None  # the customer's mail, where one was forwarded
    how: str  # for the trace


def opened(case: Case, links: Sequence[tuple[int, str]]) -> Decision:
    """The decision for a mail that belongs to no ticket, whoever wrote it."""
    ticket = opening.first_view(case)[1]
    errand = _errand(case, ticket)
    if isinstance(errand, Step):
        return opening.new_ticket(replace(case, trace=(*case.trace, errand)), links)
    if errand is None:
        return opening.new_ticket(case, links)
    if LOGIN not in case.author.proofs:
        return _held(case, links, errand)
    if errand.plan.problems:
        return _mistaken(case, links, errand)
    return _carried_out(case, links, errand)


def is_held(case: Case) -> bool:
    """Whether an approved mail waited on a ticket that it opened for a customer."""
    held = case.facts.held
    return bool(case.delivery.approved_by and held and held.why.startswith(WAITS))


def released(case: Case, ticket: TicketView) -> Decision:
    """The ticket that was opened in the agent's name becomes the customer's."""
    errand = _errand(case, replace(ticket, requester=""))
    kept = AppendMessage(kind=MessageKind.NOTE, author=case.mail.sender)
    if errand is None or isinstance(errand, Step):
        why = errand.reason if errand else "no customer can be read from it any more"
        return Decision(
            outcome=Outcome.NOTE,
            reason=f"a note: {why}",
            target=ticket.number,
            effects=(kept,),
            trace=case.trace,
        )
    if errand.plan.problems:
        return answering.mistaken(case, ticket, errand.plan)
    decision = _carried_out(case, (), errand)
    effects = tuple(x for effect in decision.effects for x in _here(effect, errand, ticket))
    outcome = Outcome.REPLY if effects else Outcome.NOTE
    return replace(decision, outcome=outcome, target=ticket.number, effects=effects or (kept,))


def _here(effect: Effect, errand: _Errand, ticket: TicketView) -> tuple[Effect, ...]:
    """What an effect of a new ticket is on one that is there."""
    if not isinstance(effect, OpenTicket):
        return (effect,)
    because = _because(errand)
    fields = {"subject": effect.subject, "language": effect.language}
    changed = tuple(
        SetField(field=name, value=value, because=because)
        for name, value in fields.items()
        if getattr(ticket, name) != value
    )
    customer = effect.requester
    same = customer is None or customer.addr == ticket.requester
    owner = () if customer is None or same else (SetRequester(address=customer, because=because),)
    return (*owner, *changed)


# --- reading ---------------------------------------------------------------------------------


def _errand(case: Case, ticket: TicketView) -> _Errand | Step | None:
    """What the agent wants; None when it is a mail like any other, a step where it must be one."""
    agent = agent_of(case)
    if agent is None or not case.delivery.live or case.verdict.kind is not Kind.NORMAL:
        return None
    vouched = case.delivery.approved_by or LOGIN in case.author.proofs
    if not vouched and not _may_ask(case):
        return None
    mail = case.mail
    found = None if is_answer(mail.subject) else forwarded.find(mail, mail.enclosed)
    script = _script(mail, agent, found)
    if found is None and not script.has("requester"):
        return None
    plan = _plan(case, agent, script, ticket)
    named = next((e.address for e in plan.effects if isinstance(e, SetRequester)), None)
    if not script.has("requester") and found and (why := _nobody(found, case)):
        return Step(step="forward", verdict="taken as it came", reason=why)
    original = _original(case, found) if found else None
    customer = named or (original.sender if original else None)
    how = f"forwarded ({found.how})" if found else "#requester"
    notes = [line.value for line in script.lines if line.name == "note" and line.value]
    return _Errand(
        agent=agent,
        script=script,
        words="\n\n".join(filter(None, (*notes, script.rest))),
        plan=plan,
        customer=customer,
        original=original,
        how=how,
    )


def _may_ask(case: Case) -> bool:
    """Whether the agent is asked: with a stamp, or where nothing could give one."""
    trust = case.policy.trust
    provable = bool(trust.authserv_id) or trust.verify
    return case.author.stamp is Stamp.ALIGNED or (
        not provable and case.author.stamp is not Stamp.FAILED
    )


def _script(mail: ParsedMail, agent: Agent, found: Forwarded | None) -> Script:
    own = strip(found.words).visible if found else own_words(mail.visible or mail.text)
    script = commands.read(own)
    known = (*agent.signature.split("\n"), agent.name, agent.name.partition(" ")[0])
    return replace(script, rest=commands.without_signature(script.rest, known))


def _plan(case: Case, agent: Agent, script: Script, ticket: TicketView) -> Plan:
    facts = case.facts
    slips = tuple(
        Slip(
            at=line.at,
            text=line.text,
            wrong="it is about tickets that are there, not about a new one",
        )
        for line in script.lines
        if line.name in _ELSEWHERE
    )
    sensible = tuple(line for line in script.lines if line.name not in _ELSEWHERE)
    asked = Asked(
        script=replace(script, lines=sensible, problems=(*script.problems, *slips)),
        ticket=replace(ticket, requester=""),
        policy=case.policy,
        now=case.delivery.received,
        agent=agent,
        others=facts.tickets,
        merged=facts.merged,
        away=facts.away,
    )
    return commanding.plan(asked)


def _nobody(found: Forwarded, case: Case) -> str:
    """Why whoever wrote the forwarded mail must not become the requester, "" when they may."""
    sender = found.original.sender
    if sender is None or not sender.addr:
        return "it forwards a mail whose author has no address in it"
    why = addressed.why_not(sender.addr, case.policy)
    return f"it forwards a mail of {sender.addr}: {why}" if why else ""


def _original(case: Case, found: Forwarded) -> ParsedMail:
    """The customer's mail as if it had come by itself, but for what nobody saw of its way."""
    inside = found.original
    subject = inside.subject or bare_subject(case.mail.subject)
    if found.how == "attached":
        whole = next(one for one in case.mail.enclosed if one.sender is not None)
        return replace(whole, subject=subject, trail=())
    return _inline(case, inside, subject)


def _inline(case: Case, inside: Original, subject: str) -> ParsedMail:
    parts = strip(inside.body)
    return ParsedMail(
        digest=case.mail.digest,
        size=case.mail.size,
        message_id="",
        has_message_id=False,
        sender=inside.sender,
        to=_known(inside.to),
        cc=_known(inside.cc),
        subject=subject,
        date=inside.date,
        text=inside.body,
        visible=parts.visible,
        quoted=parts.quoted,
        signature=parts.signature,
        language=detect(parts.visible, case.policy.languages),
        attachments=case.mail.attachments,
    )


def _known(people: tuple[Address, ...]) -> tuple[Address, ...]:
    """Without those of whom only a name stands there."""
    return tuple(person for person in people if person.addr)


# --- doing -----------------------------------------------------------------------------------


def _carried_out(case: Case, links: Sequence[tuple[int, str]], errand: _Errand) -> Decision:
    theirs = _as_theirs(case, errand)
    more = [effect for effect in errand.plan.effects if not isinstance(effect, SetRequester)]
    decision = opening.new_ticket(theirs, links, more)
    if decision.outcome is not Outcome.TICKET:
        return decision
    kept = _kept(case, errand)
    effects: list[Effect] = []
    for effect in decision.effects:
        if isinstance(effect, AppendMessage):
            effects += kept
        else:
            effects.append(_told(effect, errand))
    lines = tuple(line.text[:200] for line in errand.script.lines)
    transcript = _transcript(case, errand)
    return replace(
        decision,
        reason=f"an agent's mail for {errand.customer.addr if errand.customer else 'nobody'}:"
        f" {errand.how}",
        effects=(*effects, Acted(agent=errand.agent.address, lines=lines), *transcript),
        trace=(*decision.trace, *told_steps(transcript, case)),
    )


def _as_theirs(case: Case, errand: _Errand) -> Case:
    """The same case, as if the customer had written; what is known of the agent is not theirs."""
    customer = errand.customer or Address(addr="")
    mail = errand.original
    if mail is None:
        mail = replace(case.mail, text=errand.words, visible=errand.words)
    facts = replace(
        case.facts, flood=Flood(), sender_language="", sender_proven=False, sender_paused=False
    )
    return replace(
        case,
        mail=replace(mail, sender=customer),
        author=Author(address=customer.addr, name=customer.name),
        facts=facts,
        standing=Standing(),
    )


def _kept(case: Case, errand: _Errand) -> list[AppendMessage]:
    """The customer's message, and the agent's words as a note."""
    kept = []
    mail, files = errand.original, case.mail.attachments
    if mail is not None:
        kept = [AppendMessage(kind=MessageKind.CUSTOMER, author=mail.sender, mail=mail)]
        attached = mail.attachments != files
        files = tuple(a for a in files if attached and a.content_type != _ENCLOSED)
    if errand.words or files or mail is None:
        note = replace(
            case.mail,
            text=errand.words,
            visible=errand.words,
            quoted="",
            signature="",
            html="",
            new_html="",
            attachments=files,
            date=None,
            # Whatever customers get answers no mail that they never saw.
            has_message_id=False,
        )
        kept.append(AppendMessage(kind=MessageKind.NOTE, author=case.mail.sender, mail=note))
    return kept


def _told(effect: Effect, errand: _Errand) -> Effect:
    """Agents read the customer's words, and the agent's own as a note of ours."""
    if not isinstance(effect, Notify):
        return effect
    if effect.notice not in TO_AGENTS:
        return replace(effect, proven=True)  # the agent vouches for the people
    who = errand.agent.name or errand.agent.address
    if errand.original is None:
        return replace(effect, words=errand.words, note=f"opened by {who}")
    said = f": {errand.words}" if errand.words else ""
    return replace(effect, note=f"forwarded by {who}{said}")


def _transcript(case: Case, errand: _Errand) -> tuple[Notify, ...]:
    """What the commands did, for the agent; a forward alone is told by the notice of the ticket."""
    if not errand.script.lines or case.policy.transcripts != "always":
        return ()
    to = (Recipient(address=errand.agent.address, role="agent", why="wrote the commands"),)
    kept = "Your words are an internal note; nothing of them leaves the house."
    said = (*errand.plan.said, *([kept] if errand.words else []))
    return (Notify(notice=Notice.TRANSCRIPT, to=to, note="\n".join(said)),)


def _because(errand: _Errand) -> str:
    return f"{errand.how} by {errand.agent.address}"


# --- holding ---------------------------------------------------------------------------------


def _held(case: Case, links: Sequence[tuple[int, str]], errand: _Errand) -> Decision:
    """A ticket in the agent's name, and on it the mail, which waits for the agent's word."""
    flooded = opening.gathered(case)
    if flooded is not None:
        return flooded
    what, ticket = opening.first_view(case)
    agent = errand.agent
    here = Standing(
        role=Role.AGENT,
        power=Power.HOLD,
        level=int(bool(case.author.proofs)),
        reason=f"{WAITS}, which asks for a login or your word",
        owner=agent.address,
        agent=agent,
    )
    placed = Placement(number=None, how=errand.how, links=tuple(links))
    decision = holding.hold(replace(case, standing=here), ticket, placed)
    told = tuple(n for n in tell(Happening.OPENED, ticket, case.policy) if n.notice in TO_AGENTS)
    asked = f"asked of {agent.address}: {WAITS}"
    told = tuple(replace(n, note=asked) for n in _without(told, agent.address))
    return replace(
        decision,
        target=New(),
        effects=(what, *decision.effects, *told),
        trace=(*decision.trace, *told_steps(told, case)),
    )


def _without(told: tuple[Notify, ...], owner: str) -> tuple[Notify, ...]:
    """The owner is asked, which says it all."""
    left = (replace(n, to=tuple(p for p in n.to if p.address != owner)) for n in told)
    return tuple(n for n in left if n.to)


def _mistaken(case: Case, links: Sequence[tuple[int, str]], errand: _Errand) -> Decision:
    """Nothing is done; the mail waits on a ticket in the agent's name (reliability: C5)."""
    what, ticket = opening.first_view(case)
    decision = answering.mistaken(case, ticket, errand.plan)
    others = [LinkTicket(other=number, why=why) for number, why in links]
    return replace(decision, target=New(), effects=(what, *others, *decision.effects))
