"""A mail that belongs to no ticket opens one, with links to those it spoke of in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from mailgate.core import audience, flood, rules
from mailgate.core.audience import Happening
from mailgate.core.case import Case, context, copied
from mailgate.core.consequences import after, legal
from mailgate.core.decision import (
    TO_AGENTS,
    AddTag,
    AppendMessage,
    Decision,
    Effect,
    LinkTicket,
    New,
    Notice,
    Notify,
    OpenTicket,
    Outcome,
    Step,
)
from mailgate.core.flood import Gathering
from mailgate.core.people import Stamp
from mailgate.core.telling import allowed, told_steps
from mailgate.core.thread import CLAIMED, FOLLOWS
from mailgate.core.ticket import MessageKind, TicketView

NO_SUBJECT = "(no subject)"
Links = Sequence[tuple[int, str]]


def new_ticket(case: Case, links: Links, more: Sequence[Effect] = ()) -> Decision:
    """Open a ticket; requester and CC get a confirmation, agents the words.

    `more` is what an agent wants done besides.
    """
    flooded = gathered(case)
    if flooded is not None:
        return flooded
    opened, view = first_view(case)
    added, cc_steps = copied(case, view)
    effects: list[Effect] = [
        opened,
        AppendMessage(kind=MessageKind.CUSTOMER, author=case.mail.sender),
        *added,
        *(LinkTicket(other=number, why=why) for number, why in links),
        *case.noted(),
    ]
    ruled = rules.evaluate(case.mail, context(case, view.queue, is_new=True), case.policy.rules)
    trace = (*case.trace, *cc_steps, *ruled.steps)
    if ruled.ignore is not None:
        return Decision(outcome=Outcome.IGNORED, reason=ruled.ignore, trace=trace)
    wanted, steps = legal(ruled.effects, view, case.policy)
    effects += [*wanted, *more]
    told = _told(case, after(view, effects), links)
    return Decision(
        outcome=Outcome.TICKET,
        reason=_because(links),
        target=New(),
        effects=(*effects, *told),
        trace=(*trace, *steps, *told_steps(told, case)),
    )


def gathered(case: Case) -> Decision | None:
    """The decision for one mail of a flood, None where there is no flood."""
    gathering = _gathering(case)
    return None if gathering is None else _gathered(case, gathering)


def _gathering(case: Case) -> Gathering | None:
    """Whether the mail is one of a flood. A backlog after a stop is none, however much it is."""
    delivery = case.delivery
    waited = (delivery.now or delivery.received) - delivery.received
    if not delivery.live or waited > timedelta(minutes=case.policy.flood_minutes):
        return None
    lately = case.facts.flood
    if case.facts.sender_proven and case.author.proofs:
        # Strangers in the name of a mail provider must not hide the mail of people we know there.
        lately = replace(lately, of_domain=0)
    return flood.judge(lately, case.policy, case.author.address)


def _gathered(case: Case, into: Gathering) -> Decision:
    """One of very many mails: kept with the others of its flood (reliability: L9)."""
    words = AppendMessage(kind=MessageKind.CUSTOMER, author=case.mail.sender)
    step = Step(step="flood", verdict="gathered", reason=into.reason)
    trace = (*case.trace, step)
    if into.ticket and into.ticket in case.facts.tickets:
        # Forged mail in somebody's name must not bury what that person really writes.
        view = case.facts.tickets[into.ticket]
        told = audience.tell(Happening.CUSTOMER_WROTE, view, case.policy)
        told = tuple(n for n in told if n.notice in TO_AGENTS) if case.author.proofs else ()
        return Decision(
            outcome=Outcome.REPLY,
            reason=into.reason,
            target=into.ticket,
            effects=(words, *told),
            trace=(*trace, *told_steps(told, case)),
        )
    opened, view = first_view(case)
    opened = replace(opened, subject=into.subject)
    if into.domain:
        opened = replace(opened, requester=None, domain=into.domain)
        view = replace(view, requester="")
    told = () if case.quiet else audience.tell(Happening.OPENED, view, case.policy)
    told = tuple(n for n in told if n.notice in TO_AGENTS)
    return Decision(
        outcome=Outcome.TICKET,
        reason=into.reason,
        target=New(),
        effects=(opened, words, AddTag(tag=flood.TAG, because=into.reason), *told),
        trace=(*trace, *told_steps(told, case)),
    )


def first_view(case: Case) -> tuple[OpenTicket, TicketView]:
    """A ticket as the mail alone opens it, and how it looks then; its number is 0 yet."""
    policy, mail = case.policy, case.mail
    opened = OpenTicket(
        subject=mail.subject or NO_SUBJECT,
        requester=mail.sender,
        queue=case.mailbox.queue if case.mailbox else "support",
        status=policy.life.initial,
        priority=policy.default_priority,
        language=language(case),
        source=case.delivery.source,
    )
    view = TicketView(
        number=0,
        subject=opened.subject,
        status=opened.status,
        priority=opened.priority,
        queue=opened.queue,
        requester=case.author.address,
        language=opened.language,
    )
    return opened, view


def _told(case: Case, view: TicketView, links: Links) -> tuple[Notify, ...]:
    if case.quiet:
        return ()
    told = audience.tell(Happening.OPENED, view, case.policy, author="", present=frozenset())
    told = tuple(_marked(n, case, links) for n in allowed(told, case.verdict))
    return audience.timely(told, case.delivery.received, case.delivery.now)


def _marked(notify: Notify, case: Case, links: Links) -> Notify:
    if notify.notice is Notice.CONFIRMATION:
        return replace(notify, proven=case.proven)
    agent = case.author.agent
    claimed = agent is not None and not case.author.proofs and bool(links)
    forged = FORGED if case.author.stamp is Stamp.FAILED else ""
    return replace(notify, note=CLAIMS_AGENT if claimed else forged)


CLAIMS_AGENT = (
    "the sender's address is an agent's, but nothing proves it: it was not treated as one"
)
FORGED = "the domain in From says that this mail is not from there: it may be forged"


def language(case: Case) -> str:
    """Of the mail, else what the sender wrote before, else the mailbox's, if we have templates."""
    box = case.mailbox.language if case.mailbox else ""
    for found in (case.mail.language, case.facts.sender_language, box):
        if found in case.policy.languages:
            return found
    return case.policy.language


def _because(links: Links) -> str:
    if not links:
        return "a new matter"
    number, why = links[0]
    words = {
        CLAIMED: f"refers to #{number}, but the sender is no participant there",
        FOLLOWS: f"follows #{number}, which was closed too long ago",
    }
    return words.get(why, f"refers to #{number}")
