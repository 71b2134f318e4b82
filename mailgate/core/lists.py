"""Work lists by mail: `#mine`, `#find` and `#show`, below any notice or in a mail of their own.

What is asked for goes to the agent's registered address and nowhere else, so reading asks for no
more than acting does. A mail of its own has no ticket whose token could speak for it; a list is
answered at an address with a token for ticket 0, which is none, and so is the word that a mail
proves too little: an answer to that word has what was missing.
"""

from __future__ import annotations

from mailgate.core import authorise, commands, strip
from mailgate.core.case import Case
from mailgate.core.commands import Line, Script
from mailgate.core.decision import Decision, Notice, Notify, Outcome, Recipient, Step
from mailgate.core.mail import Kind
from mailgate.core.naming import Wrong, ticket_number
from mailgate.core.people import Agent, Power
from mailgate.core.proofs import Proof
from mailgate.core.screen import Treatment
from mailgate.core.ticket import TicketView

LISTS = frozenset({"mine", "find"})
READING = LISTS | {"show", "help"}  # commands that change nothing
ASKED = "asked for it"
NOTHING = "nothing proves that it is from you"
UNPROVEN = (
    "A mail with {names} came in your name and was not answered: {why}. If it was yours, answer "
    "this message with the same words."
)


def wanted(script: Script) -> tuple[tuple[str, str], ...]:
    """The lists that are asked for: name and words of each."""
    return tuple((line.name, line.value) for line in script.lines if line.name in LISTS)


def reads(script: Script) -> bool:
    """Whether the commands change nothing: there is nothing to take back."""
    return bool(script.lines) and all(line.name in READING for line in script.lines)


def listed(agent: Agent, script: Script) -> tuple[Notify, ...]:
    """The notice with the lists that were asked for; nothing where none was."""
    lists = wanted(script)
    return (Notify(notice=Notice.LIST, to=(_to(agent),), lists=lists),) if lists else ()


def alone(case: Case, proofs: tuple[Proof, ...]) -> Decision | None:
    """What becomes of a mail that asks for lists and belongs to no ticket; None: it asks for none.

    Where too little proves the agent it is ignored, and the registered address hears of it.
    """
    agent = case.author.agent
    script = _script(case, agent)
    if agent is None or script is None:
        return None
    names = ", ".join(f"#{line.name}" for line in script.lines)
    here = authorise.standing(question(case, proofs), desk(agent))
    if here.power < Power.ACT:
        why = here.reason.replace("of this ticket", "of ours") if here.agent else NOTHING
        note = UNPROVEN.format(names=names, why=why)
        told = (Notify(notice=Notice.LIST, to=(_to(agent),), note=note, hourly=True),)
        return _decision(case, Outcome.IGNORED, f"{names} of an agent: {why}", told)
    return _decision(
        case, Outcome.COMMAND, f"{names}: {here.reason}", _answers(case, agent, script)
    )


def _decision(case: Case, outcome: Outcome, reason: str, told: tuple[Notify, ...]) -> Decision:
    step = Step(step="commands", verdict=outcome.value, reason=reason)
    return Decision(outcome=outcome, reason=reason, effects=told, trace=(*case.trace, step))


def _script(case: Case, agent: Agent | None) -> Script | None:
    """The mail's commands, where it holds nothing else and they all only read."""
    verdict = case.verdict
    by_hand = verdict.kind is Kind.NORMAL and verdict.treatment is Treatment.ACCEPT
    files = any(not a.inline for a in case.mail.attachments)
    if agent is None or case.quiet or files or not by_hand or case.delivery.approved_by:
        return None
    script = commands.read(strip.own_words(case.mail.visible or case.mail.text))
    known = (*agent.signature.split("\n"), agent.name, agent.name.partition(" ")[0])
    only = not script.problems and not commands.without_signature(script.rest, known)
    return script if only and reads(script) else None


def question(case: Case, proofs: tuple[Proof, ...]) -> authorise.Question:
    """What the power of a mail on no ticket depends on."""
    return authorise.Question(
        author=case.author,
        proofs=proofs,
        policy=case.policy,
        date=case.mail.date,
        received=case.delivery.received,
    )


def desk(agent: Agent) -> TicketView:
    """What the token of a list speaks of: no ticket, and every agent works on it."""
    return TicketView(
        number=0,
        subject="",
        status="",
        priority="",
        queue="",
        requester="",
        assignee=agent.address,
    )


def _answers(case: Case, agent: Agent, script: Script) -> tuple[Notify, ...]:
    helps = any(line.name == "help" for line in script.lines)
    shows, wrong = _shown(case, agent, [x for x in script.lines if x.name == "show"])
    lists = wanted(script)
    told = [Notify(notice=Notice.HELP, to=(_to(agent),))] if helps else []
    if lists or shows or wrong:
        note = "; ".join(wrong)
        told.append(
            Notify(notice=Notice.LIST, to=(_to(agent),), note=note, lists=lists, shows=shows)
        )
    return tuple(told)


def _shown(case: Case, agent: Agent, lines: list[Line]) -> tuple[tuple[int, ...], list[str]]:
    """Tickets to be shown, and why others are not."""
    shows: list[int] = []
    wrong: list[str] = []
    facts = case.facts
    for line in lines:
        try:
            _, number = ticket_number(line.value)
        except Wrong as error:
            wrong.append(f"{line.text[:100]}: {error}")
            continue
        view = facts.tickets.get(facts.merged.get(number, number))
        if view is not None and authorise.has_access(agent, view, case.policy):
            shows.append(view.number)
        else:
            wrong.append(f"There is no ticket #{number} that you work on")
    return tuple(shows), wrong


def _to(agent: Agent) -> Recipient:
    return Recipient(address=agent.address, role="agent", why=ASKED)
