"""Which ticket a mail belongs to, in the fixed order of docs/design.md, with the reason.

1 a Message-ID of ours; 2 a stored Message-ID, seen or only ever referred to; 3 a subject token.
Evidence counts only for participants of the ticket and for agents with a proof; a stranger's
evidence makes a link that agents see, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mailgate.core.decision import Facts, Keys, Step
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView

_MAX_NUMBERS = 5  # subject tokens looked at; more of them are a guessing game


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The ticket a mail goes to (None: a new one), and tickets it should be linked with."""

    number: int | None
    how: str
    links: tuple[tuple[int, str], ...] = ()
    steps: tuple[Step, ...] = ()


def keys(mail: ParsedMail, policy: Policy) -> Keys:
    """What has to be looked up to place this mail."""
    return Keys(
        ids=mail.ancestors(),
        own_id=mail.message_id if mail.has_message_id else "",
        reported_id=mail.reported_id,
        numbers=subject_numbers(mail.subject, policy),
        sender=mail.sender.addr if mail.sender else "",
    )


def subject_numbers(subject: str, policy: Policy) -> tuple[int, ...]:
    """Ticket numbers in tokens such as `[#1042]` or `[TAG#1042]`, old tags included."""
    tags = "|".join(re.escape(t) for t in dict.fromkeys(("", policy.subject_tag, *policy.old_tags)))
    found = re.findall(rf"\[(?:{tags})#([0-9]{{1,12}})\]", subject, re.IGNORECASE)
    return tuple(dict.fromkeys(int(n) for n in found))[:_MAX_NUMBERS]


def place(
    mail: ParsedMail,
    facts: Facts,
    roles: Mapping[int, Role],
    policy: Policy,
    *,
    now: datetime,
    history: bool,
) -> Placement:
    """Find the ticket. With `history`, Message-IDs are taken at their word (import)."""
    steps: list[Step] = []
    links: list[tuple[int, str]] = []
    for number, how, by_id in _evidence(mail, facts, policy):
        ticket, role = facts.tickets[number], roles.get(number, Role.STRANGER)
        if role is Role.STRANGER and not (history and by_id):
            steps.append(_step(f"not #{number}", f"{how}, but the sender is no participant"))
            links.append((number, "claimed-by-stranger"))
        elif not history and role is not Role.AGENT and _over(ticket, policy, now):
            steps.append(_step(f"not #{number}", f"{how}, but it was closed too long ago"))
            links.append((number, "follow-up-of-closed"))
        else:
            steps.append(_step(f"#{number}", f"{how}; the sender is {role}"))
            return Placement(number=number, how=how, steps=tuple(steps))
    if not steps:
        steps.append(_step("new", "no evidence of an earlier ticket"))
    return Placement(number=None, how="new", links=tuple(dict.fromkeys(links)), steps=tuple(steps))


def _evidence(mail: ParsedMail, facts: Facts, policy: Policy) -> Iterator[tuple[int, str, bool]]:
    """(ticket, how it was found, whether by Message-ID), strongest first, each ticket once."""
    done: set[int] = set()
    for number, how, by_id in _signals(mail, facts, policy):
        if number in facts.tickets and number not in done:
            done.add(number)
            yield number, how, by_id


def _signals(mail: ParsedMail, facts: Facts, policy: Policy) -> Iterator[tuple[int, str, bool]]:
    for message_id in mail.ancestors():
        if message_id in facts.sent:
            # Never the id itself: an agent's is a proof, and reasons are logged.
            sent = facts.sent[message_id]
            yield sent.ticket, f"answers our outbox mail {sent.outbox}", True
    for message_id in mail.ancestors():
        for number in facts.seen.get(message_id, ()):
            yield number, "refers to an earlier mail of it", True
    if mail.has_message_id:
        for number in facts.seen.get(mail.message_id, ()):
            yield number, "an earlier mail refers to this one", True
    for number in subject_numbers(mail.subject, policy):
        yield number, f"subject token #{number}", False


def _over(ticket: TicketView, policy: Policy, now: datetime) -> bool:
    """Closed so long ago that an answer is a new matter."""
    if ticket.status != policy.life.closed or ticket.closed is None:
        return False
    return now - ticket.closed > policy.reopen_within


def _step(verdict: str, reason: str) -> Step:
    return Step(step="thread", verdict=verdict, reason=reason)
