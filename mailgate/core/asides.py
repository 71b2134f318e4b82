"""Side conversations: an agent's words to a third party, and back, which no customer ever sees.

`#side ADDRESS` begins one. Whoever is written to gets the agent's words and nothing else of the
ticket, under a token of their own (`Purpose.SIDE`); an agent's notice of what is said aside has a
token that names the agent and the third party, so that pressing Reply leads there. Where it cannot
lead to one third party it leads to nobody, and never to the customer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mailgate.core import audience
from mailgate.core.audience import Happening
from mailgate.core.decision import Notice, Notify, Recipient, aside_to
from mailgate.core.mail import ParsedMail
from mailgate.core.naming import Wrong, addresses
from mailgate.core.people import Agent
from mailgate.core.policy import Policy, folded
from mailgate.core.prefixes import bare_subject, is_answer, is_forward
from mailgate.core.proofs import IN_REFERENCES, Claim
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose, dead_end_of, pair_of

UNCLEAR = (
    "nobody can tell whom your words are for: the customer, or whom you talk to aside. Write "
    "`#side ADDRESS` or `#note` above them. To write to the customer, answer the customer's message"
)
NOTED = "a note leaves the house to nobody: take `#side` or the note away"
_MOST = 10  # third parties of one mail
_LEADING = (Purpose.SIDE, Purpose.REPLY, Purpose.MESSAGE)


def third_parties(written: str, ticket: TicketView, policy: Policy) -> tuple[str, ...]:
    """Whom `#side` names. Raises Wrong for people of the ticket, for agents and for ourselves."""
    people = addresses(written, policy, instead="`#note` and `#assign` are for agents")
    if len(people) > _MOST:
        raise Wrong(f"a mail goes aside to {_MOST} people at most")
    named = tuple(person.addr for person in people)
    if why := on_ticket(named, ticket):
        raise Wrong(why)
    return named


def on_ticket(named: Sequence[str], ticket: TicketView) -> str:
    """Why some of these are no third parties, "" where all are: people of the ticket."""
    participants = {folded(address) for address in ticket.participants}
    there = [address for address in named if folded(address) in participants]
    if not there:
        return ""
    return f"{', '.join(there)} is on the ticket: a plain answer goes there, and nothing aside"


def meant(
    given: Sequence[Claim], agent: Agent | None, ticket: TicketView
) -> tuple[str, ...] | None:
    """Whom an agent's words go to by the tokens of their mail: `Case.aside` says how.

    What the mail is sent to and what it answers counts; what was said further up only where
    nothing else of ours is named.
    """
    ours = [claim for claim in given if claim.sealed.token.purpose in _LEADING]
    near = [claim for claim in ours if claim.where != IN_REFERENCES] or ours[:1]
    aside = [claim for claim in near if claim.sealed.token.purpose is Purpose.SIDE]
    if not aside:
        return None
    if len(aside) < len(near) or agent is None:
        return ()
    pairs = {pair_of(a, t): t for a in (agent.address, *agent.aliases) for t in ticket.sides}
    holders = (claim.sealed.token.holder for claim in aside)
    return tuple(dict.fromkeys(pairs[holder] for holder in holders if holder in pairs))


def unreached(given: Sequence[Claim], agent: Agent | None, ticket: TicketView) -> str:
    """The third party whom mail did not reach, where an agent answers what tells of it; else ""."""
    if agent is None:
        return ""
    ends = {dead_end_of(a, t): t for a in (agent.address, *agent.aliases) for t in ticket.sides}
    aside = (c.sealed.token for c in given if c.sealed.token.purpose is Purpose.SIDE)
    return next((ends[token.holder] for token in aside if token.holder in ends), "")


def unclear(third: str) -> str:
    """Why an agent's words reach nobody; `third` is whom mail did not reach, "" nobody."""
    if not third:
        return UNCLEAR
    return (
        f"mail to {third} does not arrive, as the message says that you answered: your words would "
        "reach nobody. Write `#side ADDRESS` with an address that works above them, or `#note`. To "
        "write to the customer, answer the customer's message"
    )


def subject(
    mail: ParsedMail, ticket: TicketView, policy: Policy, to: Sequence[str], known: Sequence[str]
) -> str:
    """The subject of an agent's words aside; "" where it may be the customer's.

    `known` is who wrote what the agent answers: to them it goes on under its own subject. Else it
    is the agent's only where it was written anew, without a prefix or a tag of ours. One that names
    whom it goes to is a notice's, of a mail that is held.
    """
    plain = _untagged(mail.subject, policy)
    bare = _bare(plain, ticket)
    theirs = _bare(_untagged(ticket.subject, policy), ticket)
    if any(line and line.casefold() in bare.casefold() for line in (theirs, *to)):
        return ""
    if to and set(to) <= set(known):
        return f"Re: {bare}" if bare else ""
    inherited = plain != mail.subject.strip() or is_answer(plain) or is_forward(plain)
    return "" if inherited else bare


def _untagged(written: str, policy: Policy) -> str:
    tags = "|".join(re.escape(tag) for tag in ("", policy.subject_tag, *policy.old_tags))
    plain = re.sub(rf"\[(?:{tags})#[0-9]{{1,12}}\]", " ", written, flags=re.IGNORECASE)
    return " ".join(plain.split()) if plain != written else written.strip()


def _bare(plain: str, ticket: TicketView) -> str:
    """Without prefixes, and without the queue that stands in front of it for agents."""
    bare = bare_subject(plain)
    place = f"[{ticket.queue}]"
    return bare_subject(bare.removeprefix(place)) if bare.startswith(place) else bare


def said(words: str, to: Sequence[str], line: str) -> Notify:
    """The notice that carries an agent's words to third parties, to each a mail of their own."""
    people = tuple(Recipient(address=a, role="side", why="said aside") for a in to)
    return Notify(notice=Notice.SIDE, to=people, words=words, subject=line)


def went(to: Sequence[str]) -> str:
    """Who got the words, for the transcript."""
    return f"Your words go aside to {', '.join(to)}, and to nobody of the ticket."


def shared(
    happening: Happening,
    ticket: TicketView,
    policy: Policy,
    mail: ParsedMail,
    third: str,
    *,
    author: str,
) -> tuple[Notify, ...]:
    """What agents hear of words to or from a third party; their answer goes to the third party."""
    present = frozenset(a.addr.lower() for a in (*mail.to, *mail.cc))
    told = audience.tell(happening, ticket, policy, author=author, present=present)
    line = _bare(_untagged(mail.subject, policy), ticket)
    return tuple(replace(notify, ears=aside_to(third), subject=line) for notify in told)
