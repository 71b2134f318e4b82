"""Who gets what: the table of docs/design.md, section "Who is told", as code.

Minus, always: the author; our own addresses; whoever muted the ticket. Minus, where a person's
words are passed on: whoever already stood in To or CC of the mail itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mailgate.core.decision import Notice, Notify, Recipient
from mailgate.core.people import Agent
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView

LATE = timedelta(hours=24)  # a confirmation of an older mail confuses more than it tells
TOO_LATE = "too late for a confirmation"
# Until an agent has done something with a ticket, words go to so many on its CC list: else two
# mails of a stranger would have us mail anything to ten people whom the first one named.
UNSEEN_MAX = 3
UNSEEN = "no agent has dealt with the ticket yet, and its CC list is long"


class Happening(StrEnum):
    """What there is to tell."""

    OPENED = "opened"
    CUSTOMER_WROTE = "customer-wrote"
    AGENT_ANSWERED = "agent-answered"
    NOTE = "note"
    SAID_ASIDE = "said-aside"  # by an agent to a third party
    HEARD_ASIDE = "heard-aside"  # from a third party
    HELD = "held"
    BOUNCED = "bounced"
    ASSIGNED = "assigned"
    STATUS = "status"
    CLOSED = "closed"
    REMINDED = "reminded"  # what an agent snoozed is open again
    OVERDUE = "overdue"  # the date that an agent set has passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Which notice each circle gets; None: nothing."""

    requester: Notice | None = None
    cc: Notice | None = None
    assignee: Notice | None = None
    queue: Notice | None = None  # the queue's agents, when nobody is assigned
    words: bool = False  # passes on a person's words
    leads: bool = False  # of the queue's agents, its leads alone where there are any


AUDIENCE: Mapping[Happening, Telling] = {
    Happening.OPENED: Telling(
        requester=Notice.CONFIRMATION,
        cc=Notice.CONFIRMATION,
        assignee=Notice.AGENT_ASSIGNED,
        queue=Notice.AGENT_NEW,
    ),
    Happening.CUSTOMER_WROTE: Telling(
        requester=Notice.COPY,
        cc=Notice.COPY,
        assignee=Notice.AGENT_MESSAGE,
        queue=Notice.AGENT_MESSAGE,
        words=True,
    ),
    Happening.AGENT_ANSWERED: Telling(
        requester=Notice.ANSWER, cc=Notice.ANSWER, assignee=Notice.AGENT_MESSAGE, words=True
    ),
    Happening.NOTE: Telling(assignee=Notice.AGENT_MESSAGE, words=True),
    Happening.SAID_ASIDE: Telling(assignee=Notice.AGENT_SIDE, words=True),
    Happening.HEARD_ASIDE: Telling(assignee=Notice.AGENT_SIDE, queue=Notice.AGENT_SIDE, words=True),
    Happening.HELD: Telling(assignee=Notice.AGENT_HELD, queue=Notice.AGENT_HELD),
    Happening.BOUNCED: Telling(assignee=Notice.AGENT_BOUNCE, queue=Notice.AGENT_BOUNCE),
    Happening.ASSIGNED: Telling(
        requester=Notice.ASSIGNMENT, cc=Notice.ASSIGNMENT, assignee=Notice.AGENT_ASSIGNED
    ),
    Happening.STATUS: Telling(requester=Notice.STATUS, cc=Notice.STATUS),
    Happening.REMINDED: Telling(assignee=Notice.AGENT_MESSAGE, queue=Notice.AGENT_MESSAGE),
    Happening.OVERDUE: Telling(
        assignee=Notice.AGENT_OVERDUE, queue=Notice.AGENT_OVERDUE, leads=True
    ),
    Happening.CLOSED: Telling(requester=Notice.CLOSURE, cc=Notice.CLOSURE),
}


def tell(
    happening: Happening,
    ticket: TicketView,
    policy: Policy,
    *,
    author: str = "",
    present: frozenset[str] = frozenset(),
) -> tuple[Notify, ...]:
    """The notices for a happening; `present` are the addresses in To and CC of the mail."""
    telling = AUDIENCE[happening]
    wanted: dict[Notice, list[Recipient]] = {}
    circles = (
        (telling.requester, _requester(ticket)),
        (telling.cc, _copied(ticket)),
        *_agents(telling, ticket, policy),
    )
    # Somebody who is both gets what agents get: it says more, and answering it is a proof.
    at_work = {p.address for notice, people in circles for p in people if notice and _works(p)}
    for notice, people in circles:
        if notice:
            both = [p for p in people if _works(p) or p.address not in at_work]
            wanted.setdefault(notice, []).extend(both)
    unseen = happening is Happening.CUSTOMER_WROTE and _unseen(ticket, policy)
    taken: set[str] = set()
    result = []
    for notice, people in wanted.items():
        to: list[Recipient] = []
        left_out: list[Recipient] = []
        for person in people:
            why = _why_not(
                person, ticket, policy, author, present if telling.words else frozenset()
            )
            if not why and unseen and person.role == "cc":
                why = UNSEEN
            if person.address in taken:
                continue
            taken.add(person.address)
            (left_out if why else to).append(_because(person, why) if why else person)
        if to or left_out:
            result.append(Notify(notice=notice, to=tuple(to), left_out=tuple(left_out)))
    return tuple(result)


def _unseen(ticket: TicketView, policy: Policy) -> bool:
    return ticket.status == policy.life.initial and len(ticket.cc) > UNSEEN_MAX


def timely(
    told: tuple[Notify, ...], received: datetime, now: datetime | None
) -> tuple[Notify, ...]:
    """The same notices, but nobody gets a confirmation of a mail that waited longer than `LATE`.

    `now` None: it did not wait.
    """
    if now is None or now - received <= LATE:
        return told
    return tuple(_unsent(n) if n.notice is Notice.CONFIRMATION else n for n in told)


def _unsent(notify: Notify) -> Notify:
    late = tuple(_because(person, TOO_LATE) for person in notify.to)
    return replace(notify, to=(), left_out=(*notify.left_out, *late))


def _works(person: Recipient) -> bool:
    return person.role == "agent"


def _requester(ticket: TicketView) -> list[Recipient]:
    if not ticket.requester:
        return []
    return [Recipient(address=ticket.requester, role="requester", why="requester")]


def _copied(ticket: TicketView) -> list[Recipient]:
    return [Recipient(address=a, role="cc", why="on the CC list") for a in ticket.cc]


def _agents(
    telling: Telling, ticket: TicketView, policy: Policy
) -> tuple[tuple[Notice | None, list[Recipient]], ...]:
    # Who or what is no longer in the configuration is nobody: the queue hears of it instead.
    if policy.agent_for(ticket.assignee):
        return ((telling.assignee, [_agent(ticket.assignee, "assigned")]),)
    if members := policy.groups.get(ticket.group, ()):
        return ((telling.assignee, [_agent(m, f"group {ticket.group}") for m in members]),)
    on_queue: list[Agent] = list(policy.agents_of(ticket.queue))
    if not on_queue:
        why = f"nobody works in queue {ticket.queue}"
        return ((telling.queue, [_agent(a.address, why) for a in policy.agents]),)
    leads = [a for a in on_queue if a.lead] if telling.leads else []
    why = f"{'lead of ' if leads else ''}queue {ticket.queue}"
    return ((telling.queue, [_agent(a.address, why) for a in leads or on_queue]),)


def _agent(address: str, why: str) -> Recipient:
    return Recipient(address=address, role="agent", why=why)


def _because(person: Recipient, why: str) -> Recipient:
    return Recipient(address=person.address, role=person.role, why=why)


def _why_not(
    person: Recipient, ticket: TicketView, policy: Policy, author: str, present: frozenset[str]
) -> str:
    address = person.address.lower()
    writer = policy.agent_for(author)
    if address == author.lower() or (writer and writer == policy.agent_for(address)):
        return "wrote it"
    if policy.own(address):
        return "our own address"
    if person.address in ticket.muted:
        return "muted this ticket"
    if address in present:
        return "already in To or CC of the mail"
    return ""
