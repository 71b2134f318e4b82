"""Notices: the mails that mailgate makes from templates, and whom one is meant for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.core.duty import WaitingMail


class Notice(StrEnum):
    """A mail made from a template; the value is the template's file name."""

    CONFIRMATION = "confirmation"
    ASSIGNMENT = "assignment"
    STATUS = "status"
    CLOSURE = "closure"
    ANSWER = "answer"  # an agent's words to requester and CC
    COPY = "copy"  # a participant's words to the other participants
    SIDE = "side"  # an agent's words to a third party, with nothing else of the ticket
    AGENT_NEW = "agent-new"
    AGENT_ASSIGNED = "agent-assigned"
    AGENT_MESSAGE = "agent-message"
    AGENT_OVERDUE = "agent-overdue"  # the date that `#due` set has passed
    AGENT_SIDE = "agent-side"  # what was said aside; the answer goes to the third party
    AGENT_HELD = "agent-held"  # a mail waits for an agent's approval
    AGENT_BOUNCE = "agent-bounce"  # a mail of the ticket did not reach somebody
    STATE = "state"  # how a ticket stands, to a customer who asked
    RATED = "rated"  # a customer's rating was noted
    MUTED = "muted"  # the last mail to whoever wanted no more of a ticket
    TRANSCRIPT = "transcript"  # what came of an agent's commands, to that agent
    HELP = "help"  # the table of commands, to an agent
    LIST = "list"  # tickets that an agent asked to see, and nobody else
    DIGEST = "digest"  # an agent's tickets, in the morning
    DUTY = "duty"  # what waits in quarantine or is held, to an agent on duty
    DUTY_ANSWER = "duty-answer"  # what came of that agent's orders
    COLLISION = "collision"  # an answer that came after somebody else's, back to its agent
    CHALLENGE = "challenge"  # "did you write this?", to an agent's registered address
    ALERT = "alert"  # something is wrong with the desk itself, to the people who run it


# A person's words, which a machine only carries on: never capped, never marked as automatic.
HUMAN: frozenset[Notice] = frozenset({Notice.ANSWER, Notice.COPY, Notice.SIDE})
# A machine's answer to one mail (RFC 3834, section 5); all else that it writes is news.
REPLIES: frozenset[Notice] = frozenset(
    {Notice.CONFIRMATION, Notice.STATE, Notice.RATED, Notice.MUTED}
)
TO_AGENTS: frozenset[Notice] = frozenset(
    {
        Notice.AGENT_NEW,
        Notice.AGENT_ASSIGNED,
        Notice.AGENT_MESSAGE,
        Notice.AGENT_OVERDUE,
        Notice.AGENT_SIDE,
        Notice.AGENT_HELD,
        Notice.AGENT_BOUNCE,
        Notice.TRANSCRIPT,
        Notice.HELP,
        Notice.LIST,
        Notice.DIGEST,
        Notice.DUTY,
        Notice.DUTY_ANSWER,
        Notice.COLLISION,
        Notice.CHALLENGE,
        Notice.ALERT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Someone a notice goes to, and why."""

    address: str
    role: str  # requester | cc | agent | side
    why: str


class Whom(StrEnum):
    """Who reads an agent's answer to a notice."""

    CUSTOMER = "customer"  # the people of its ticket
    THIRD = "third"  # one third party, and nobody of the ticket
    NOBODY = "nobody"  # it comes back, with what the agent can do


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Whom an agent's answer to a notice reaches."""

    whom: Whom = Whom.CUSTOMER
    third: str = ""  # that third party; where it is NOBODY, the one whom mail did not reach


TO_CUSTOMER = Ears()
TO_NOBODY = Ears(whom=Whom.NOBODY)


def aside_to(third: str) -> Ears:
    """The ears of a third party; nobody's where nobody can tell who that is: ""."""
    return Ears(whom=Whom.THIRD, third=third) if third else TO_NOBODY


BOUNCED = "bounced: "  # so begins why nothing goes to an address that took no mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A mail of ours that somebody did not get, as agents are told of it."""

    address: str
    said: str  # why, in the words of who refused it
    note: str  # what follows from that: paused | counted | refused | withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Put a notice for these recipients through the gate into the outbox."""

    notice: Notice
    to: tuple[Recipient, ...]
    left_out: tuple[Recipient, ...] = ()  # who would have got it, and why not
    note: str = ""  # a word of ours to agents, e.g. why nothing was sent
    proven: bool = False  # the sender is proven: an automatic notice may go to more people
    words: str | None = None  # the words it carries, where they are not all of the mail's
    shows: tuple[int, ...] = ()  # tickets to be shown with all their messages, to agents
    wished: bool = False  # a customer's reply asked for what it tells
    lists: tuple[tuple[str, str], ...] = ()  # name and words of lists to be shown, to an agent
    hourly: bool = False  # said to each person once an hour at most
    beside: int | None = None  # a message of the ticket that is shown with it, to agents
    held: int | None = None  # the held mail that it asks about, where that was held before
    due: datetime | None = None  # by when an agent wanted it done
    of: int | None = None  # the message that was split off, whose words it carries
    duty: int | None = None  # the duty list that it is, or is about
    waiting: tuple[WaitingMail, ...] = ()  # the mails of that list
    more: tuple[int, int] = (0, 0)  # how many it does not show: in quarantine, held
    asks: bool = False  # it asks whether orders are genuine
    ears: Ears = TO_CUSTOMER  # whom an agent's answer to it reaches
    unsent: Unsent | None = None  # the mail that it tells of
    subject: str | None = None  # said aside: under which subject; "" one that says nothing
