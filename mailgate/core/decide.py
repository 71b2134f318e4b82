"""One page: screen, identify, authorise, thread, rules, audience -> Decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailgate.core import addressed, audience, authorise, identify, rules, screen, strip, thread
from mailgate.core.audience import Happening
from mailgate.core.consequences import after, changes, legal, without
from mailgate.core.decision import (
    TO_AGENTS,
    AddParticipant,
    AppendMessage,
    Decision,
    Effect,
    Facts,
    LinkTicket,
    New,
    Notice,
    Notify,
    OpenTicket,
    Outcome,
    Recipient,
    RecordBounce,
    SetField,
    Step,
)
from mailgate.core.mail import DeliveryReport, Envelope, Kind, ParsedMail
from mailgate.core.people import Author, Mailbox, Role
from mailgate.core.policy import Policy
from mailgate.core.screen import Treatment, Verdict
from mailgate.core.ticket import MessageKind, TicketView

NO_SUBJECT = "(no subject)"
NOTHING_SENT = "nothing was sent: your mail held no words above the quoted notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a mail came: its envelope, when, by which kind of source, and whether it is history."""

    envelope: Envelope
    received: datetime
    source: str = "email"  # email | pipe | import
    live: bool = True
    now: datetime | None = None  # when it is decided; None: at once


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that the branches below share."""

    mail: ParsedMail
    delivery: Delivery
    facts: Facts
    policy: Policy
    verdict: Verdict
    author: Author
    mailbox: Mailbox | None
    trace: tuple[Step, ...]

    @property
    def quiet(self) -> bool:
        """Nothing is sent because of this mail."""
        return not self.delivery.live or self.verdict.kind is Kind.AUTO_REPLY


def decide(mail: ParsedMail, delivery: Delivery, facts: Facts, policy: Policy) -> Decision:
    """What becomes of a mail. Pure: the same values give the same decision."""
    if facts.duplicate_of is not None:
        reason = f"the same content as mail {facts.duplicate_of}"
        step = Step(step="content", verdict="duplicate", reason=reason)
        return Decision(
            outcome=Outcome.DUPLICATE,
            reason=reason,
            trace=(step,),
            duplicate_of=facts.duplicate_of,
        )
    if "too-complex" in mail.defects:
        return quarantine("too complex to parse within its limits")
    if failed := next((d for d in mail.defects if d.startswith("parser-failed")), ""):
        return quarantine(f"the parser failed on it: {failed}")
    verdict = screen.screen(mail, delivery.envelope, policy)
    author = identify.identify(mail, delivery.envelope, policy)
    case = _Case(
        mail=mail,
        delivery=delivery,
        facts=facts,
        policy=policy,
        verdict=verdict,
        author=author,
        mailbox=addressed.mailbox(mail, delivery.envelope, policy),
        trace=(
            Step(
                step="screen",
                verdict=f"{verdict.treatment} ({verdict.kind})",
                reason=verdict.reason,
            ),
            Step(step="identify", verdict=author.address or "nobody", reason=_who(author, mail)),
        ),
    )
    if verdict.treatment is Treatment.DROP:
        return Decision(outcome=Outcome.IGNORED, reason=verdict.reason, trace=case.trace)
    return _bounce(case) if verdict.treatment is Treatment.BOUNCE else _place(case)


def quarantine(reason: str, trace: tuple[Step, ...] = ()) -> Decision:
    """The decision for a mail that cannot be handled: its bytes wait for a human."""
    step = Step(step="quarantine", verdict="quarantined", reason=reason)
    return Decision(outcome=Outcome.QUARANTINED, reason=reason, trace=(*trace, step))


def _bounce(case: _Case) -> Decision:
    """A delivery report goes to the outbox row it is about; it never makes a ticket."""
    sent = case.facts.sent.get(case.mail.reported_id)
    if sent is None:
        ids = [i for i in case.mail.ancestors() if i in case.facts.sent]
        sent = case.facts.sent[ids[0]] if ids else None
    if sent is None:
        reason = "a delivery report about no mail of ours"
        step = Step(step="bounce", verdict="unmatched", reason=reason)
        return Decision(outcome=Outcome.BOUNCE, reason=reason, trace=(*case.trace, step))
    reason = f"a delivery report about outbox mail {sent.outbox}"
    step = Step(step="bounce", verdict=f"outbox {sent.outbox}", reason=reason)
    return Decision(
        outcome=Outcome.BOUNCE,
        reason=reason,
        target=sent.ticket,
        effects=(RecordBounce(outbox=sent.outbox, reports=case.mail.reports or _told_by(case)),),
        trace=(*case.trace, step),
    )


def _told_by(case: _Case) -> tuple[DeliveryReport, ...]:
    """A report that follows no standard: all that is known is its subject."""
    return (DeliveryReport(recipient="", action="failed", diagnostic=case.mail.subject),)


def _place(case: _Case) -> Decision:
    roles = authorise.roles(case.author, case.facts, case.mail.ancestors())
    placed = thread.place(
        case.mail,
        case.facts,
        roles,
        case.policy,
        now=case.delivery.received,
        history=not case.delivery.live,
    )
    case = replace(case, trace=(*case.trace, *placed.steps))
    automatic = case.verdict.kind is Kind.AUTO_REPLY
    if automatic and case.author.agent and (placed.number is not None or placed.links):
        reason = f"an agent's automatic mail: {case.verdict.reason}"
        return Decision(outcome=Outcome.IGNORED, reason=reason, trace=case.trace)
    if placed.number is None:
        return _new_ticket(case, placed.links)
    ticket = case.facts.tickets[placed.number]
    role = roles.get(placed.number, Role.STRANGER)
    if automatic:
        return _noted(case, ticket)
    # History is taken at its word: an agent's mail in it was an agent's answer.
    told_so = not case.delivery.live and role is Role.STRANGER and case.author.agent
    if role is Role.AGENT or told_so:
        return _answer(case, ticket, placed.how)
    return _reply(case, ticket, placed.how)


def _new_ticket(case: _Case, links: Sequence[tuple[int, str]]) -> Decision:
    policy, mail = case.policy, case.mail
    queue = case.mailbox.queue if case.mailbox else "support"
    language = _language(case)
    opened = OpenTicket(
        subject=mail.subject or NO_SUBJECT,
        requester=mail.sender,
        queue=queue,
        status=policy.life.initial,
        priority=policy.default_priority,
        language=language,
        source=case.delivery.source,
    )
    view = TicketView(
        number=0,
        subject=opened.subject,
        status=opened.status,
        priority=opened.priority,
        queue=queue,
        requester=case.author.address,
        language=language,
    )
    effects: list[Effect] = [
        opened,
        AppendMessage(kind=MessageKind.CUSTOMER, author=mail.sender),
        *_copied(case, view),
        *(LinkTicket(other=number, why=why) for number, why in links),
    ]
    ruled = rules.evaluate(mail, _context(case, queue, is_new=True), policy.rules)
    trace = (*case.trace, *ruled.steps)
    if ruled.ignore is not None:
        return Decision(outcome=Outcome.IGNORED, reason=ruled.ignore, trace=trace)
    wanted, steps = legal(ruled.effects, view, policy)
    effects += wanted
    view = after(view, effects)
    told = (
        ()
        if case.quiet
        else audience.tell(Happening.OPENED, view, policy, author="", present=frozenset())
    )
    told = audience.timely(_allowed(told, case.verdict), case.delivery.received, case.delivery.now)
    return Decision(
        outcome=Outcome.TICKET,
        reason=_because_new(links),
        target=New(),
        effects=(*effects, *told),
        trace=(*trace, *steps, *_told(told, case)),
    )


def _reply(case: _Case, ticket: TicketView, how: str) -> Decision:
    """A participant (or, in an import, whoever the headers name) wrote again."""
    policy = case.policy
    effects: list[Effect] = [
        AppendMessage(kind=MessageKind.CUSTOMER, author=case.mail.sender),
        *_copied(case, ticket),
    ]
    life = policy.life
    settled = ticket.status in (life.initial, life.active)
    if not settled and life.may(ticket.status, life.active):
        effects.append(SetField(field="status", value=life.active, because="a participant wrote"))
    ruled = rules.evaluate(case.mail, _context(case, ticket.queue, is_new=False), policy.rules)
    trace = (*case.trace, *ruled.steps)
    if ruled.ignore is not None:
        return Decision(outcome=Outcome.IGNORED, reason=ruled.ignore, trace=trace)
    wanted, steps = legal(ruled.effects, ticket, policy)
    before, view = after(ticket, effects), after(ticket, [*effects, *wanted])
    effects += wanted
    told: tuple[Notify, ...] = ()
    if not case.quiet:
        told = (
            *audience.tell(
                Happening.CUSTOMER_WROTE,
                without(view, set(before.cc) - set(ticket.cc)),  # they have the mail itself
                policy,
                author=case.author.address,
                present=addressed.present(case.mail),
            ),
            *changes(before, view, policy),
        )
    told = _allowed(told, case.verdict)
    return Decision(
        outcome=Outcome.REPLY,
        reason=how,
        target=ticket.number,
        effects=(*effects, *told),
        trace=(*trace, *steps, *_told(told, case)),
    )


def _answer(case: _Case, ticket: TicketView, how: str) -> Decision:
    """An agent answered from a mail client: the words go to requester and CC."""
    if not strip.own_words(case.mail.visible or case.mail.text) and not case.mail.attachments:
        return _empty_answer(case, ticket)
    life = case.policy.life
    effects: list[Effect] = [AppendMessage(kind=MessageKind.AGENT, author=case.mail.sender)]
    settled = ticket.status in (life.closed, life.pending)
    if not settled and life.may(ticket.status, life.pending):
        effects.append(SetField(field="status", value=life.pending, because="an agent answered"))
    if not ticket.assignee and case.author.agent:
        effects.append(
            SetField(
                field="assignee", value=case.author.agent.address, because="the first to answer"
            )
        )
    told: tuple[Notify, ...] = ()
    if not case.quiet:
        told = audience.tell(
            Happening.AGENT_ANSWERED,
            after(ticket, effects),
            case.policy,
            author=case.author.address,
            present=addressed.present(case.mail),
        )
    return Decision(
        outcome=Outcome.REPLY,
        reason=f"an agent's answer: {how}",
        target=ticket.number,
        effects=(*effects, *told),
        trace=(*case.trace, *_told(told, case)),
    )


def _empty_answer(case: _Case, ticket: TicketView) -> Decision:
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
        trace=(*case.trace, *_told(told, case)),
    )


def _noted(case: _Case, ticket: TicketView) -> Decision:
    """An automatic mail on a ticket is kept and changes nothing (reliability: L2)."""
    return Decision(
        outcome=Outcome.NOTE,
        reason=f"an automatic mail, kept as a note: {case.verdict.reason}",
        target=ticket.number,
        effects=(AppendMessage(kind=MessageKind.SYSTEM, author=case.mail.sender),),
        trace=case.trace,
    )


# --- details -----------------------------------------------------------------------------


def _language(case: _Case) -> str:
    """Of the mail, else what the sender wrote before, else the mailbox's, if we have templates."""
    box = case.mailbox.language if case.mailbox else ""
    for language in (case.mail.language, case.facts.sender_language, box):
        if language in case.policy.languages:
            return language
    return case.policy.language


def _context(case: _Case, queue: str, *, is_new: bool) -> rules.RuleContext:
    return rules.RuleContext(queue=queue, is_new=is_new, kind=case.verdict.kind)


def _copied(case: _Case, ticket: TicketView) -> list[AddParticipant]:
    """People in To and Cc become CC; nobody does by a machine's mail or through a list.

    A list on CC would get whatever the ticket sends later.
    """
    by = case.author.address
    if not by or case.verdict.kind in (Kind.LIST, Kind.AUTO_REPLY):
        return []
    return [
        AddParticipant(address=address, added_by=by)
        for address in addressed.others(case.mail, ticket, case.policy)
    ]


def _allowed(told: tuple[Notify, ...], verdict: Verdict) -> tuple[Notify, ...]:
    """RFC 3834, section 2: a list or a machine's address is never answered by a machine.

    Nor is anything sent on to customers because of a list.
    """
    if verdict.kind is Kind.LIST:
        return tuple(n for n in told if n.notice in TO_AGENTS)
    if verdict.treatment is Treatment.QUIET:
        return tuple(n for n in told if n.notice is not Notice.CONFIRMATION)
    return told


def _who(author: Author, mail: ParsedMail) -> str:
    if not author.address:
        return "; ".join(d for d in mail.defects if d.startswith("from-")) or "no single author"
    if author.agent:
        return f"an agent's address, proofs: {', '.join(author.proofs) or 'none'}"
    return "the address in From"


def _because_new(links: Sequence[tuple[int, str]]) -> str:
    if not links:
        return "a new matter"
    number, why = links[0]
    words = {
        "claimed-by-stranger": f"refers to #{number}, but the sender is no participant there",
        "follow-up-of-closed": f"follows #{number}, which was closed too long ago",
    }
    return words[why]


def _told(told: Sequence[Notify], case: _Case) -> list[Step]:
    """Who is told what, and who is not and why."""
    if case.quiet:
        why = "history is silent" if not case.delivery.live else case.verdict.reason
        return [Step(step="audience", verdict="nobody", reason=why)]
    steps = []
    for notify in told:
        for person in notify.to:
            steps.append(
                Step(
                    step="audience",
                    verdict=f"{notify.notice} to {person.address}",
                    reason=person.why,
                )
            )
        for person in notify.left_out:
            verdict = f"no {notify.notice} to {person.address}"
            steps.append(Step(step="audience", verdict=verdict, reason=person.why))
    return steps
