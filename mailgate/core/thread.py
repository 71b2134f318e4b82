"""Which ticket a mail belongs to, in the fixed order of docs/design.md, with the reason.

1 a reply address with a token; 2 a Message-ID of ours, with a token; 3 a stored Message-ID, seen
or only ever referred to; 4 a subject token. What a piece of evidence is worth depends on who shows
it (`authorise`): it places the mail, has it held, or makes a link that agents see and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailgate.core import commands, duty
from mailgate.core.bounces import copy_number
from mailgate.core.decision import Facts, Keys, Step
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Power, Role, Standing
from mailgate.core.policy import Policy
from mailgate.core.proofs import Claim, Proof, claims, named
from mailgate.core.relatives import relatives
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose

_OF_TICKETS = (Purpose.REPLY, Purpose.MESSAGE, Purpose.NOTE, Purpose.SIDE)
_MAX_NUMBERS = 5  # subject tokens looked at; more of them are a guessing game

CLAIMED = "claimed-by-stranger"
FOLLOWS = "follow-up-of-closed"
ALSO = "also-referred-to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing in a mail that speaks for a ticket."""

    number: int
    how: str  # for the trace; never with a token in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The ticket a mail goes to (None: a new one), and tickets it should be linked with."""

    number: int | None
    how: str
    standing: Standing = field(default_factory=Standing)
    links: tuple[tuple[int, str], ...] = ()
    merges: tuple[int, ...] = ()  # history: tickets that this mail shows to be one with `number`
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is to place a mail by."""

    mail: ParsedMail
    facts: Facts
    proofs: Sequence[Proof]
    standings: Mapping[int, Standing]


def keys(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Keys:
    """What has to be looked up to place this mail."""
    given = claims(mail, envelope, policy)
    agents = _by_agent(mail, given, policy)
    words = (mail.visible or mail.text) if agents else ""
    split, messages = commands.parted(words)
    on_duty = next(iter(named(given, Purpose.DUTY)), None)
    return Keys(
        ids=mail.ancestors(),
        own_id=mail.message_id if mail.has_message_id else "",
        reported_id=mail.reported_id,
        numbers=subject_numbers(mail.subject, policy),
        sender=_writer(mail),
        tickets=named(given, *_OF_TICKETS)[:_MAX_NUMBERS],
        held=next(iter(named(given, Purpose.RELEASE)), None),
        copy=copy_number(mail, envelope),
        duty=on_duty,
        agents=agents,
        answers=agents or bool(mail.sender and policy.own(mail.sender.addr)),
        mentioned=duty.mentions(words) if on_duty is not None else commands.mentions(words),
        undo="undo" in words.lower(),
        split=split,
        messages=messages,
    )


def _writer(mail: ParsedMail) -> str:
    """The sender; of a mail that no parser could read, whom its only From names."""
    if mail.sender:
        return mail.sender.addr
    unread = any(d == "too-complex" or d.startswith("parser-failed") for d in mail.defects)
    return mail.from_[0].addr if unread and len(mail.from_) == 1 else ""


def _by_agent(mail: ParsedMail, given: Sequence[Claim], policy: Policy) -> bool:
    """Whether it may be an agent's, not yet believed: then it may hold commands."""
    if mail.sender and policy.agent_for(mail.sender.addr):
        return True
    return any(claim.sealed.token.role is Role.AGENT for claim in given)


def subject_numbers(subject: str, policy: Policy) -> tuple[int, ...]:
    """Ticket numbers in tokens such as `[#1042]` or `[TAG#1042]`, old tags included."""
    tags = "|".join(re.escape(t) for t in dict.fromkeys(("", policy.subject_tag, *policy.old_tags)))
    found = re.findall(rf"\[(?:{tags})#([0-9]{{1,12}})\]", subject, re.IGNORECASE)
    return tuple(dict.fromkeys(int(n) for n in found))[:_MAX_NUMBERS]


def place(found: Found, policy: Policy, *, now: datetime, thanks: bool = False) -> Placement:
    """Find the ticket. Mere `thanks`, or a wish, goes to a ticket however long it is closed."""
    steps: list[Step] = [*_refused(found.proofs)]
    links: list[tuple[int, str]] = []
    evidence = list(_evidence(found, policy))
    for at, piece in enumerate(evidence):
        ticket = found.facts.tickets[piece.number]
        here = found.standings[piece.number]
        if here.power is Power.LINK:
            steps.append(_step(f"not #{piece.number}", f"{piece.how}; the sender: {here.reason}"))
            links.append((piece.number, CLAIMED))
        elif not thanks and _over(here, ticket, policy, now):
            steps.append(_step(f"not #{piece.number}", f"{piece.how}, but closed too long ago"))
            links.append((piece.number, FOLLOWS))
        else:
            steps.append(_step(f"#{piece.number}", piece.how))
            apart = found.facts.parted.get(piece.number, ())
            others, more = _others(evidence[at + 1 :], found, here, apart)
            return Placement(
                number=piece.number,
                how=piece.how,
                standing=here,
                links=tuple(dict.fromkeys((*_followed(links, here), *others))),
                steps=(*steps, *more),
            )
    if not evidence:
        steps.append(_step("new", "no evidence of an earlier ticket"))
    return Placement(number=None, how="new", links=tuple(dict.fromkeys(links)), steps=tuple(steps))


def place_history(found: Found, policy: Policy) -> Placement:
    """Find the ticket of a mail in an import, whose Message-IDs are taken at their word.

    Ids of several tickets show that these are one conversation: they join the oldest.
    """
    numbers = relatives(found.mail, found.facts)
    if numbers:
        steps = [_step(f"#{numbers[0]}", "its Message-IDs; history is taken at its word")]
        steps += [_step(f"#{n} joins #{numbers[0]}", "it belongs to both") for n in numbers[1:]]
        return _at(numbers[0], "its Message-IDs", found, steps, numbers[1:])
    for piece in _evidence(found, policy):
        if found.standings[piece.number].power >= Power.ACT:
            return _at(piece.number, piece.how, found, [_step(f"#{piece.number}", piece.how)])
    step = _step("new", "no evidence of an earlier ticket")
    return Placement(number=None, how="new", steps=(step,))


def _at(
    number: int, how: str, found: Found, steps: Sequence[Step], merges: Sequence[int] = ()
) -> Placement:
    return Placement(
        number=number,
        how=how,
        standing=found.standings[number],
        merges=tuple(merges),
        steps=tuple(steps),
    )


def _followed(links: Sequence[tuple[int, str]], here: Standing) -> list[tuple[int, str]]:
    """Links of a mail that found its ticket: a stranger's guesses beside it are worth none."""
    return [link for link in links if link[1] == FOLLOWS and here.power >= Power.ACT]


def _others(
    rest: Sequence[Evidence], found: Found, here: Standing, apart: Sequence[int]
) -> tuple[list[tuple[int, str]], list[Step]]:
    """Further tickets that the mail speaks of: linked, where the sender may write to both.

    A ticket that was split off another one is linked with that already.
    """
    links: list[tuple[int, str]] = []
    steps: list[Step] = []
    for piece in rest:
        there = found.standings[piece.number]
        if piece.number in apart:
            steps.append(_step(f"not #{piece.number}", f"{piece.how}; it was split off that"))
        elif here.power >= Power.ACT and there.power >= Power.ACT:
            steps.append(_step(f"linked with #{piece.number}", piece.how))
            links.append((piece.number, ALSO))
        else:
            steps.append(_step(f"not #{piece.number}", f"{piece.how}; weaker evidence"))
    return links, steps


def _evidence(found: Found, policy: Policy) -> Iterator[Evidence]:
    """Strongest first, each ticket once, merged ones as the ticket they live on in."""
    done: set[int] = set()
    for piece in _signals(found, policy):
        number = found.facts.merged.get(piece.number, piece.number)
        if number in found.facts.tickets and number not in done:
            done.add(number)
            yield Evidence(number=number, how=piece.how)


def _signals(found: Found, policy: Policy) -> Iterator[Evidence]:
    for proof in found.proofs:
        if proof.good:
            yield Evidence(number=proof.number, how=proof.claim.where)
    yield from _by_id(found.mail, found.facts)
    for number in subject_numbers(found.mail.subject, policy):
        yield Evidence(number=number, how=f"subject token #{number}")


def _by_id(mail: ParsedMail, facts: Facts) -> Iterator[Evidence]:
    for message_id in mail.ancestors():
        if message_id in facts.sent and (number := facts.sent[message_id].ticket):
            # Known to us, and yet not with a good token: it says where, and proves nothing.
            yield Evidence(number=number, how="refers to a mail of ours")
        for number in facts.seen.get(message_id, ()):
            yield Evidence(number=number, how="refers to an earlier mail of it")
    if mail.has_message_id:
        for number in facts.seen.get(mail.message_id, ()):
            yield Evidence(number=number, how="an earlier mail refers to this one")


def _refused(proofs: Sequence[Proof]) -> Iterator[Step]:
    for proof in proofs:
        if not proof.good:
            yield _step("no evidence", f"{proof.claim.where}: {proof.fault}")


def _over(here: Standing, ticket: TicketView, policy: Policy, now: datetime) -> bool:
    """Closed so long ago that a customer's answer is a new matter; what is said aside never is."""
    inner = here.agent is not None or here.role is Role.SIDE
    if inner or ticket.status != policy.life.closed or ticket.closed is None:
        return False
    return now - ticket.closed > policy.reopens_within(ticket.queue)


def _step(verdict: str, reason: str) -> Step:
    return Step(step="thread", verdict=verdict, reason=reason)
