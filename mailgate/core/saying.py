"""What an agent's mail on a ticket says: to us in commands, and in words to whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailgate.core import asides, commanding, commands, forwarded, parting, sign_off, strip
from mailgate.core.asked import Asked
from mailgate.core.case import Case
from mailgate.core.commanding import Plan
from mailgate.core.commands import Script, Slip
from mailgate.core.enclosures import SEALED, SIGNATURES
from mailgate.core.people import Agent
from mailgate.core.ticket import TicketView


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an agent's mail says: to us, and to whom else."""

    script: Script
    plan: Plan
    words: str
    files: bool
    inward: bool  # nothing of it goes to anybody of the ticket ...
    sides: tuple[str, ...] = ()  # ... but to these third parties; a note goes to nobody
    parted: bool = False  # not all of the mail's own words are `words`

    @property
    def speaks(self) -> bool:
        """Whether there is anything to keep on the ticket."""
        return bool(self.words or self.files)


def agent_of(case: Case) -> Agent | None:
    """The agent who answers: by the address in From, else whose held mail was approved."""
    return case.author.agent or case.standing.agent


def read(case: Case, ticket: TicketView) -> Said:
    """Split an agent's mail into commands, with what they come to, and words."""
    own = strip.own_words(case.mail.visible or case.mail.text)
    agent = agent_of(case)
    if not case.delivery.live or case.delivery.sent or agent is None:
        # History is what was said then: nothing in it is a command today. Nor is what people got.
        return _plain(case, own, inward=case.aside is not None)
    if case.delivery.as_note:
        # Its agent knows by now that the ticket has moved on: what it ordered is not done either.
        return _plain(case, own, inward=True)
    script = _script(own, agent)
    signs_off = sign_off.below_commands if script.lines else sign_off.without
    rest = signs_off(script.rest, agent, ticket.queue, case.policy)
    signed, script = rest != script.rest, replace(script, rest=rest)
    plan = commanding.plan(_asked(case, ticket, script, agent))
    noted = case.inward or script.has("note")
    sides = () if noted else plan.sides or case.aside or ()
    # A logo below a command is no answer.
    files = any(
        not (script.lines and a.inline) and a.content_type not in SIGNATURES | SEALED
        for a in case.mail.attachments
    )
    speaks = script.rest or files
    if speaks and (wrong := _unclear(case, ticket, plan, sides, script)):
        plan = Plan(problems=(Slip(at=1, text="To:", wrong=wrong), *plan.problems))
    notes = [line.value for line in script.lines if line.name == "note" and line.value]
    return Said(
        script=script,
        plan=plan,
        words="\n\n".join(filter(None, (*notes, script.rest))),
        files=files,
        inward=noted or case.aside is not None or bool(plan.sides),
        sides=sides,
        parted=bool(script.lines) or signed,
    )


def _plain(case: Case, own: str, *, inward: bool) -> Said:
    """A mail without commands."""
    files = bool(case.mail.attachments)
    return Said(script=Script(rest=own), plan=Plan(), words=own, files=files, inward=inward)


def _script(own: str, agent: Agent) -> Script:
    script = commands.read(own, forwarded.begins(own))
    if not script.lines:
        return script
    known = (*agent.signature.split("\n"), agent.name, agent.name.partition(" ")[0])
    return replace(script, rest=commands.without_signature(script.rest, known))


def _asked(case: Case, ticket: TicketView, script: Script, agent: Agent) -> Asked:
    facts = case.facts
    return Asked(
        script=script,
        ticket=ticket,
        policy=case.policy,
        now=case.delivery.received,
        agent=agent,
        others=facts.tickets,
        merged=facts.merged,
        away=facts.away,
        undoable=facts.undoable.get(ticket.number, ()),
        messages=facts.messages,
        about=parting.about(case.mail, facts, ticket.number),
    )


def _unclear(
    case: Case, ticket: TicketView, plan: Plan, sides: tuple[str, ...], script: Script
) -> str:
    """Why it is open who may read the words, "" where it is not."""
    if case.inward or script.has("note"):
        return asides.NOTED if plan.sides else ""
    if case.aside == () and not sides and not script.has("side"):
        return asides.unclear(case.unreached)
    return asides.on_ticket(sides, ticket)
