"""`#split`: a customer's message becomes a ticket of its own, as if it had opened one.

The requester is whoever wrote that message: never the agent, nor whoever asked for help on the
ticket that it leaves.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mailgate.core import addressed, audience, authorise, rules, screen
from mailgate.core.asked import Asked, Means, Part
from mailgate.core.audience import Happening
from mailgate.core.consequences import after, legal
from mailgate.core.decision import (
    AddParticipant,
    Effect,
    Facts,
    Notice,
    Notify,
    OpenTicket,
    Split,
    StoredMessage,
)
from mailgate.core.mail import Kind, ParsedMail
from mailgate.core.naming import Wrong
from mailgate.core.people import Agent
from mailgate.core.policy import Policy
from mailgate.core.prefixes import bare_subject
from mailgate.core.screen import Treatment, Verdict
from mailgate.core.ticket import MessageKind, TicketView

LONGEST_SUBJECT = 900  # characters; it stands in one header line of every notice
NUMBERS = "`#show` tells the numbers of messages"
_NUMBER = re.compile(r"([0-9]{1,12})(?:\s+|$)(.*)", re.DOTALL)
_LABELS = {
    MessageKind.AGENT: "an agent's answer",
    MessageKind.NOTE: "a note",
    MessageKind.SYSTEM: "an automatic mail",
    MessageKind.HELD: "held; whoever may release it decides first",
}
# They tell people the number of the new ticket by themselves.
_TELLING = frozenset({Notice.ANSWER, Notice.STATUS, Notice.CLOSURE})


def about(mail: ParsedMail, facts: Facts, number: int) -> int | None:
    """The message that the notice was about which `mail` answers; None where nothing says so."""
    for message_id in mail.ancestors():
        sent = facts.sent.get(message_id)
        if sent is None or facts.merged.get(sent.ticket, sent.ticket) != number:
            continue
        came = [m for m in facts.messages.values() if m.inbox is not None and m.inbox == sent.inbox]
        came.sort(key=lambda m: (m.kind is not MessageKind.CUSTOMER, m.id))
        return came[0].id if came else None
    return None


def split(value: str, asked: Asked) -> Means:
    """Check what is wanted, and say what the new ticket will be. Raises Wrong."""
    found = _NUMBER.fullmatch(value)
    number = int(found[1]) if found else asked.about
    subject = (found[2] if found else value).strip().strip('"').strip()
    if number is None:
        raise Wrong(f"it is not clear which message is meant: name its number; {NUMBERS}")
    message = _message(number, asked)
    if len(subject) > LONGEST_SUBJECT:
        raise Wrong(f"a subject has {LONGEST_SUBJECT} characters at most")
    part = _part(message, subject, asked)
    who = message.author.addr if message.author else "nobody"
    return Means(part=part, said=f"message {number}, from {who}, leaves #{asked.ticket.number}")


def _message(number: int, asked: Asked) -> StoredMessage:
    here, found = asked.ticket.number, asked.messages.get(number)
    if found is None or not _seen(found, asked):
        raise Wrong(f"there is no message {number} on this ticket; {NUMBERS}")
    if found.ticket != here:
        raise Wrong(f"message {number} is on #{found.ticket}, not on this ticket")
    if found.kind is not MessageKind.CUSTOMER:
        raise Wrong(
            f"message {number} is {_LABELS[found.kind]}; only what a customer wrote can be"
            f" split off; {NUMBERS}"
        )
    if not found.others:
        raise Wrong(
            f"message {number} is the only one of a customer: nothing would be left on #{here}"
        )
    who = found.author.addr if found.author else ""
    if asked.policy.own(who) or asked.policy.agent_for(who):
        raise Wrong(f"message {number} is from {who}, who cannot be a requester")
    if found.mail is None:
        raise Wrong(f"the bytes of message {number} cannot be read")
    return found


def _seen(message: StoredMessage, asked: Asked) -> bool:
    """Whether the agent may know of it: a number is no way to look into other tickets."""
    if asked.agent is None or message.ticket == asked.ticket.number:
        return True
    other = asked.others.get(message.ticket)
    return other is not None and authorise.has_access(asked.agent, other, asked.policy)


def _part(message: StoredMessage, subject: str, asked: Asked) -> Part:
    """The new ticket. Its view goes by the number of the old one: it has none of its own yet."""
    policy, ticket, mail = asked.policy, asked.ticket, message.mail
    if mail is None:
        raise ValueError("a message without its mail cannot be split off")
    verdict = screen.screen(mail, message.envelope, policy)
    opened = OpenTicket(
        subject=subject or bare(mail.subject, policy) or ticket.subject,
        requester=message.author,
        queue=ticket.queue,
        status=policy.life.initial,
        priority=policy.default_priority,
        language=mail.language if mail.language in policy.languages else ticket.language,
        source="split",
    )
    view = TicketView(
        number=ticket.number,
        subject=opened.subject,
        status=opened.status,
        priority=opened.priority,
        queue=opened.queue,
        requester=message.author.addr if message.author else "",
        language=opened.language,
        removed=ticket.removed,
    )
    ruled = rules.evaluate(
        mail, rules.RuleContext(queue=view.queue, is_new=True, kind=verdict.kind), policy.rules
    )
    wanted, _ = legal(ruled.effects, view, policy)
    effects: tuple[Effect, ...] = (*_copied(mail, view, verdict, asked), *wanted)
    because = asked.because
    made = Split(message=message.id, opened=opened, because=because, effects=effects)
    return Part(split=made, view=replace(after(view, effects), removed=()), verdict=verdict)


def _copied(
    mail: ParsedMail, view: TicketView, verdict: Verdict, asked: Asked
) -> list[AddParticipant]:
    """People in its To and Cc, as of any mail that opens a ticket."""
    if not view.requester or verdict.kind in (Kind.LIST, Kind.AUTO_REPLY):
        return []
    people, _ = addressed.taken_over(mail, view, asked.policy)
    return [AddParticipant(address=address, added_by=view.requester) for address in people]


def bare(subject: str, policy: Policy) -> str:
    """A subject without "Re:" and the like, and without any ticket's number."""
    tags = "|".join(re.escape(t) for t in dict.fromkeys(("", policy.subject_tag, *policy.old_tags)))
    plain = re.sub(rf"\[(?:{tags})#[0-9]{{1,12}}\]", " ", subject, flags=re.IGNORECASE)
    return bare_subject(" ".join(plain.split()))[:LONGEST_SUBJECT]


def announced(
    part: Part, view: TicketView, told: tuple[Notify, ...], policy: Policy, agent: Agent | None
) -> tuple[Notify, ...]:
    """The notices of the new ticket (`view`), and those of `told` without what these say.

    People learn the new number once: by the answer or the new status that the same mail brings,
    else by a confirmation. Whoever split knows of the assignment.
    """
    known = any(n.notice in _TELLING and n.to for n in told)
    machine = part.verdict.kind is Kind.LIST or part.verdict.treatment is Treatment.QUIET
    who = (agent.name or agent.address) if agent else "the command line"
    fresh: list[Notify] = []
    for notify in audience.tell(Happening.OPENED, view, policy):
        if notify.notice is Notice.CONFIRMATION:
            if not (known or machine):
                fresh.append(replace(notify, proven=True, of=part.split.message))
        else:
            to = tuple(p for p in notify.to if not _knows(p.address, notify, agent, policy))
            note = f"split off #{view.number} by {who}"
            fresh += [replace(notify, to=to, note=note, of=part.split.message)] if to else []
    return (*fresh, *(n for notify in told for n in _besides(notify)))


def _knows(address: str, notify: Notify, agent: Agent | None, policy: Policy) -> bool:
    assigned = notify.notice is Notice.AGENT_ASSIGNED
    return assigned and agent is not None and policy.agent_for(address) == agent


def _besides(notify: Notify) -> tuple[Notify, ...]:
    """An assignment is part of the news of the ticket; an agent's own words are not."""
    if notify.notice is Notice.AGENT_ASSIGNED:
        return (replace(notify, notice=Notice.AGENT_MESSAGE),) if notify.words else ()
    return () if notify.notice is Notice.ASSIGNMENT else (notify,)
