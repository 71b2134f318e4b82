"""An agent wrote: commands are done, words go to requester and CC, aside, or stay inside.

A mail that is not clear to the last line does nothing at all: it is held, and the agent is told.
"""

from __future__ import annotations

from dataclasses import replace

from mailgate.core import (
    addressed,
    asides,
    audience,
    between,
    collision,
    commanding,
    commands,
    hearing,
    lists,
    outside,
    parting,
    saying,
    strip,
)
from mailgate.core.audience import Happening
from mailgate.core.case import Case
from mailgate.core.commanding import Plan
from mailgate.core.commands import Slip
from mailgate.core.consequences import after, changes
from mailgate.core.decision import (
    TO_CUSTOMER,
    TO_NOBODY,
    Acted,
    AppendMessage,
    Decision,
    Effect,
    Hold,
    LastWord,
    LinkTicket,
    NoteAbsence,
    Notice,
    Notify,
    Outcome,
    Recipient,
    SetField,
    Step,
)
from mailgate.core.people import Power, Standing
from mailgate.core.policy import folded
from mailgate.core.saying import Said, agent_of
from mailgate.core.telling import read_by, told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import MessageKind, TicketView

NOTHING_SENT = "nothing was sent: your mail held no words above the quoted notice"
_STATUS_COMMANDS = ("status", "close", "snooze")


def answer(case: Case, ticket: TicketView, placed: Placement) -> Decision:
    """What becomes of an agent's mail on a ticket; `lacking` was asked before."""
    said = saying.read(case, ticket)
    if said.plan.problems:
        return mistaken(case, ticket, said.plan, aside=said.script.has("side"))
    if not said.speaks and not said.script.lines:
        return _empty_answer(case, ticket)
    if (said.sides or not said.inward) and (lost := between.slips(case, said.script)):
        plan = replace(said.plan, problems=lost)
        return mistaken(case, ticket, plan, commands.BETWEEN, aside=said.script.has("side"))
    leaves = _goes_out(case, said)
    if leaves and not (said.script.lines or said.files) and collision.is_stray(said.words):
        slip = Slip(at=1, text=said.words, wrong=collision.STRAY)
        return mistaken(case, ticket, Plan(problems=(slip,)))
    if leaves and (newer := _crossed(case, ticket)) is not None:
        return _handed_back(case, ticket, placed, newer)
    part = said.plan.part
    ticket = part.view if part else ticket
    view = after(ticket, said.plan.effects)
    links = tuple(LinkTicket(other=number, why=why) for number, why in placed.links)
    done = (*_returned(case), *links, *said.plan.effects, *_settled(case, view, said))
    told = () if case.quiet else _told(case, ticket, view, done, said)
    if part and not case.quiet:
        told = parting.announced(part, after(ticket, done), told, case.policy, agent_of(case))
    acted = _acted(case, said)
    asked_for = () if case.quiet else _transcripts(case, ticket, said, told)
    return Decision(
        outcome=_outcome(said),
        reason=_reason(said, placed),
        target=ticket.number,
        effects=(*_kept(case, said), *done, *told, *acted, *said.plan.last, *asked_for),
        trace=(*case.trace, *_steps(said), *told_steps((*told, *asked_for), case)),
    )


def lacking(case: Case, ticket: TicketView) -> Standing | None:
    """What the author is held as, where the commands want more than this mail proves; else None.

    Whoever approved a held mail vouched for it; mistakes are told before anybody is asked.
    """
    if not case.delivery.live or case.delivery.approved_by or case.standing.power >= Power.WIDEN:
        return None
    said, agent = saying.read(case, ticket), agent_of(case)
    wide = commanding.widening(said.script)
    if case.standing.outside:  # one proof is enough because nothing is done but to record it
        wide = tuple(dict.fromkeys(f"#{line.name}" for line in said.script.lines))
    if not wide or said.plan.problems or agent is None:
        return None
    reason = f"{', '.join(wide)} asks for two proofs: {case.standing.reason}"
    return replace(case.standing, power=Power.HOLD, reason=reason, owner=agent.address)


def _outcome(said: Said) -> Outcome:
    if not said.speaks:
        return Outcome.COMMAND
    return Outcome.NOTE if said.inward else Outcome.REPLY


def _reason(said: Said, placed: Placement) -> str:
    names = ", ".join(f"#{line.name}" for line in said.script.lines)
    ordered = f" with {names}" if names else ""
    if not said.speaks:
        return f"an agent's commands {names}: {placed.how}"
    what = f"words aside to {', '.join(said.sides)}" if said.sides else "note"
    return f"an agent's {what if said.inward else 'answer'}{ordered}: {placed.how}"


def _steps(said: Said) -> list[Step]:
    return [Step(step="commands", verdict="done", reason=line) for line in said.plan.said]


# --- doing -----------------------------------------------------------------------------------


def _kept(case: Case, said: Said) -> tuple[Effect, ...]:
    kind = MessageKind.NOTE if said.inward else MessageKind.AGENT
    words = AppendMessage(kind=kind, author=case.mail.sender, aside=said.sides)
    return (*said.plan.off, words) if said.speaks else said.plan.off


def _returned(case: Case) -> tuple[NoteAbsence, ...]:
    agent = agent_of(case)
    if agent is None or folded(agent.address) not in case.facts.away:
        return ()
    return (NoteAbsence(agent=agent.address, away=False),)


def _settled(case: Case, ticket: TicketView, said: Said) -> list[SetField]:
    """What an answer changes by itself; what a command says goes before it."""
    if said.inward or not said.speaks:
        return []
    life, fields, script = case.policy.life, [], said.script
    waits = ticket.status not in (life.closed, life.pending)
    told = any(script.has(name) for name in _STATUS_COMMANDS)
    if waits and not told and life.may(ticket.status, life.pending):
        fields.append(SetField(field="status", value=life.pending, because="an agent answered"))
    agent = agent_of(case)
    free = not ticket.assignee and not script.has("assign")
    if free and agent and case.policy.first_answer_takes:
        fields.append(
            SetField(field="assignee", value=agent.address, because="the first to answer")
        )
    return fields


def _acted(case: Case, said: Said) -> tuple[Acted, ...]:
    """What can be taken back, and how, is remembered; taking back itself cannot."""
    agent = agent_of(case)
    wanted = said.script.lines or case.policy.undo_within
    if agent is None or not wanted or said.script.has("undo") or not case.delivery.live:
        return ()
    if lists.reads(said.script) and not said.speaks:
        return ()
    lines = tuple(line.text[:200] for line in said.script.lines)
    return (Acted(agent=agent.address, lines=lines),)


# --- telling ---------------------------------------------------------------------------------


def _told(
    case: Case, before: TicketView, view: TicketView, done: tuple[Effect, ...], said: Said
) -> tuple[Notify, ...]:
    author = case.author.address
    told: tuple[Notify, ...] = ()
    if said.speaks and said.sides:
        told = _aside(case, after(before, done), said)
    elif said.speaks:
        told = audience.tell(
            Happening.NOTE if said.inward else Happening.AGENT_ANSWERED,
            after(before, done),
            case.policy,
            author=author,
            present=addressed.present(case.mail),
        )
    # Whoever puts a ticket off says so in words, or does not want to say it.
    known = replace(before, status=view.status) if said.script.has("snooze") else before
    told += changes(known, view, case.policy, author=author)
    if said.parted:
        told = tuple(replace(notify, words=_words(notify, said)) for notify in told)
    told = outside.kept_in(told) if case.standing.outside else told
    return read_by(_once(told), case.delivery.approved_by)


def _aside(case: Case, ticket: TicketView, said: Said) -> tuple[Notify, ...]:
    """The words to each third party, and agents hear of it."""
    mail, policy, author = case.mail, case.policy, case.author.address
    line = _line(case, ticket, said)
    shared = (
        notify
        for third in said.sides
        for notify in asides.shared(
            Happening.SAID_ASIDE, ticket, policy, replace(mail, subject=line), third, author=author
        )
    )
    return (asides.said(said.words, said.sides, line), *shared)


def _line(case: Case, ticket: TicketView, said: Said) -> str:
    """The subject of words aside."""
    return asides.subject(case.mail, ticket, case.policy, said.sides, case.aside or ())


def _words(notify: Notify, said: Said) -> str:
    """Whoever is not told what was said aside reads nothing of it in other notices."""
    aside = notify.notice in (Notice.SIDE, Notice.AGENT_SIDE)
    return said.words if aside or not said.sides else ""


def _once(told: tuple[Notify, ...]) -> tuple[Notify, ...]:
    """No agent gets the same words twice: who is assigned reads them in that notice."""
    assigned = {p.address for n in told if n.notice is Notice.AGENT_ASSIGNED for p in n.to}
    result = []
    for notify in told:
        if notify.notice is Notice.AGENT_MESSAGE:
            notify = replace(notify, to=tuple(p for p in notify.to if p.address not in assigned))
        if notify.to or notify.left_out:
            result.append(notify)
    return tuple(result)


def _transcripts(
    case: Case, ticket: TicketView, said: Said, told: tuple[Notify, ...]
) -> tuple[Notify, ...]:
    agent, plan = agent_of(case), said.plan
    settled = case.delivery.approved_by and collision.was_late(case.facts.held)
    if agent is None or not (said.script.lines or settled):
        return ()
    to = (Recipient(address=agent.address, role="agent", why="wrote the commands"),)
    # It is about no side conversation, but an agent who was in one answers no customer with it.
    ears = TO_CUSTOMER if case.aside is None else TO_NOBODY
    helps = (Notify(notice=Notice.HELP, to=to, ears=ears),) if plan.wants_help else ()
    brought = (*helps, *lists.listed(agent, said.script))
    only_reads = not said.speaks and all(
        line.name == "help" or line.name in lists.LISTS for line in said.script.lines
    )
    wanted = case.policy.transcripts == "always" or plan.shows
    if only_reads or not wanted:
        return brought
    lines = [*plan.said, _went(said, told)]
    transcript = Notify(notice=Notice.TRANSCRIPT, to=to, note="\n".join(lines), shows=plan.shows)
    # What an agent adds to it is meant for the same ears, and its subject goes there.
    sides = said.sides or case.aside
    if sides and said.script.has("undo"):
        sides = ()  # who was written to aside may be none any more
    return (*brought, _kept_aside(case, ticket, transcript, sides))


def _went(said: Said, told: tuple[Notify, ...]) -> str:
    """Who got the words."""
    if not said.speaks:
        return "There were no words in your mail for anybody else."
    if said.sides:
        return asides.went(said.sides)
    if said.inward:
        return "Your words are an internal note; nothing of them leaves the house."
    answers = [p.address for n in told if n.notice is Notice.ANSWER for p in n.to]
    return f"Your answer goes to {', '.join(answers) or 'nobody'}."


def mistaken(
    case: Case,
    ticket: TicketView,
    plan: Plan,
    what_for: str = commands.MISTAKES,
    *,
    aside: bool = False,
) -> Decision:
    """Nothing is done and nothing is sent (reliability: C5); the words are not lost.

    Approving such a mail cannot mend it: it becomes a note. Where it names a third party (`aside`)
    it cannot be told any more whom the next try is for.
    """
    agent = agent_of(case)
    first = plan.problems[0]
    why = f"{what_for}: line {first.at}, {first.wrong}"
    approved = bool(case.delivery.approved_by)
    owner = agent.address if agent else ""
    kept: Effect = Hold(author=case.mail.sender, why=why, owner=owner)
    what = "held"
    if approved:
        kept, what = AppendMessage(kind=MessageKind.NOTE, author=case.mail.sender), "a note now"
    told: tuple[Notify, ...] = ()
    if agent and not case.quiet:
        to = (Recipient(address=agent.address, role="agent", why="wrote the commands"),)
        lines = (
            f"Nothing was done and nothing was sent: your mail is {what}.",
            *(slip.said() for slip in plan.problems),
            commands.AGAIN[what_for],
        )
        note = "\n\n".join(lines)
        transcript = Notify(notice=Notice.TRANSCRIPT, to=to, note=note)
        told = (_kept_aside(case, ticket, transcript, () if aside else case.aside),)
    step = Step(step="commands", verdict="held", reason=why)
    return Decision(
        outcome=Outcome.NOTE if approved else Outcome.HELD,
        reason=f"{what}: {why}",
        target=ticket.number,
        effects=(kept, *told),
        trace=(*case.trace, step, *told_steps(told, case)),
    )


def _kept_aside(
    case: Case, ticket: TicketView, notify: Notify, sides: tuple[str, ...] | None
) -> Notify:
    """What came of words aside: the next ones are meant for the same ears; None: for the ticket."""
    if sides is None:
        return notify
    line = asides.subject(case.mail, ticket, case.policy, sides, case.aside or ())
    return replace(notify, ears=hearing.of_sides(case, sides), subject=line)


def _goes_out(case: Case, said: Said) -> bool:
    """Whether words are to leave now; whoever approved them knows what was said since."""
    here = case.delivery
    unread = here.live and not here.approved_by and not case.standing.outside
    return unread and said.speaks and not said.inward


def _crossed(case: Case, ticket: TicketView) -> LastWord | None:
    """What somebody else said before this answer came."""
    agent = agent_of(case)
    if agent is None:
        return None
    return collision.newer(case.mail, case.facts, ticket.number, agent, case.policy)


def _handed_back(case: Case, ticket: TicketView, placed: Placement, newer: LastWord) -> Decision:
    """The answer waits for one word of its agent, who reads the newer message first."""
    agent = agent_of(case)
    owner = agent.address if agent else ""
    why = f"{collision.COLLIDED}: {newer.author}"
    links = tuple(LinkTicket(other=number, why=because) for number, because in placed.links)
    told: tuple[Notify, ...] = ()
    if not case.quiet:
        to = Recipient(address=owner, role="agent", why="answered what was not the last word")
        own = strip.own_words(case.mail.visible or case.mail.text)
        beside = newer.message
        told = (Notify(notice=Notice.COLLISION, to=(to,), note=why, words=own, beside=beside),)
    step = Step(step="collision", verdict="held", reason=why)
    return Decision(
        outcome=Outcome.HELD,
        reason=f"held: {why}",
        target=ticket.number,
        effects=(Hold(author=case.mail.sender, why=why, owner=owner, patient=True), *links, *told),
        trace=(*case.trace, step, *told_steps(told, case)),
    )


def _empty_answer(case: Case, ticket: TicketView) -> Decision:
    """Nothing of an agent's own stands in the mail: the customer gets nothing, the agent is told.

    What is quoted is our notice, with facts and notes that are not for customers.
    """
    told: tuple[Notify, ...] = ()
    agent = agent_of(case)
    if agent and not case.quiet and not case.standing.outside:
        # The registered address: a mail that an agent approved came from another one.
        to = Recipient(address=agent.address, role="agent", why="wrote an empty answer")
        # What else tells agents of a ticket has the customer's subject, and is answered there.
        notice = Notice.AGENT_MESSAGE if case.aside is None else Notice.TRANSCRIPT
        transcript = Notify(notice=notice, to=(to,), note=NOTHING_SENT)
        told = (_kept_aside(case, ticket, transcript, case.aside),)
    return Decision(
        outcome=Outcome.NOTE,
        reason="an agent's answer without words of its own; nothing was sent to the customer",
        target=ticket.number,
        effects=(AppendMessage(kind=MessageKind.NOTE, author=case.mail.sender), *told),
        trace=(*case.trace, *told_steps(told, case)),
    )
