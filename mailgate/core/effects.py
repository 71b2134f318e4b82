"""What a decision wants done: effects, and the notices they name.

Effects speak of "the target", never of a ticket number, so that a rule cannot care whether the
ticket exists yet. `mailgate.apply` holds the only `match` over Effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.core.duty import DutyItem, Order, WaitingMail
from mailgate.core.mail import Address, DeliveryReport, ParsedMail
from mailgate.core.ticket import MessageKind


class Notice(StrEnum):
    """A mail made from a template; the value is the template's file name."""

    CONFIRMATION = "confirmation"
    ASSIGNMENT = "assignment"
    STATUS = "status"
    CLOSURE = "closure"
    ANSWER = "answer"  # an agent's words to requester and CC
    COPY = "copy"  # a participant's words to the other participants
    AGENT_NEW = "agent-new"
    AGENT_ASSIGNED = "agent-assigned"
    AGENT_MESSAGE = "agent-message"
    AGENT_OVERDUE = "agent-overdue"  # the date that `#due` set has passed
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
HUMAN: frozenset[Notice] = frozenset({Notice.ANSWER, Notice.COPY})
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
class OpenTicket:
    """Make a new ticket; it becomes the target of the effects that follow."""

    subject: str
    requester: Address | None  # None: the mail has no single author
    queue: str
    status: str
    priority: str
    language: str
    source: str
    domain: str = ""  # whose mail it gathers; "" is the requester's


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendMessage:
    """Store the mail as a message on the target."""

    kind: MessageKind
    author: Address | None
    joins: bool = True  # its Message-IDs lead later mail here
    mail: ParsedMail | None = None  # what is stored, where it is not the whole mail that came


@dataclass(frozen=True, slots=True, kw_only=True)
class AddParticipant:
    """Put an address on the target's CC list."""

    address: Address
    added_by: str
    again: bool = False  # even somebody who was taken off


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveParticipant:
    """Take an address off the target's CC list; it is remembered, so that it cannot slip back."""

    address: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRequester:
    """The target is this person's from now on; the requester before is taken off."""

    address: Address
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCustom:
    """Set a custom field of the target; "" empties it."""

    key: str
    value: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTime:
    """Add to the time spent on the target; below zero takes off."""

    minutes: int
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClock:
    """Wind up a clock of the target, or stop it."""

    kind: str  # snooze | due
    due: datetime | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetField:
    """Change one field of the target: status, priority, category, queue, assignee, group."""

    field: str
    value: str
    because: str  # e.g. "rules.yaml:12 invoices", "customer wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTag:
    """Put a tag on the target."""

    tag: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTag:
    """Take a tag off the target."""

    tag: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTicket:
    """Note on the target that another ticket belongs to it; agents see it, nobody else."""

    other: int
    why: str  # e.g. "followup-of-closed", "claimed-by-stranger"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBounce:
    """Note a delivery report on the outbox row it is about."""

    outbox: int
    reports: tuple[DeliveryReport, ...]
    recipient: int | None = None  # the row of the one copy it is about, where that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Store the mail on the target for agents' eyes; it has no effect until it is released."""

    author: Address | None
    why: str
    owner: str  # the registered address that may release it by mail; "" agents of the queue
    patient: bool = False  # whoever owns it, it waits as long as what agents of the queue accept


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A held mail may take effect, once; `mailgate.releasing` carries it out."""

    held: int
    by: str
    as_note: bool = False  # its words become an internal note, and do nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class DropHeld:
    """A held mail will never take effect; it stays on the ticket for agents' eyes."""

    held: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeTokens:
    """Whatever tokens this address holds for the target prove nothing from now on."""

    address: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Another ticket lives on in the target, with its messages, ids and reply addresses."""

    merged: int
    because: str
    into: int | None = None  # the target itself is merged into this one, which then is the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A customer's message of the target becomes a new ticket, which then is the target."""

    message: int
    opened: OpenTicket
    because: str
    # On the new ticket, as if that message had opened it: CC, and what rules want.
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAbsence:
    """An agent's answering machine wrote, or the agent did again."""

    agent: str  # the registered address
    away: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Take back what an agent's mail did: `event` tells how, its answers never leave."""

    event: int  # id of the event that Acted left
    inbox: int | None  # the mail
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """An agent's mail did what stands before this; its inverse is kept in an event."""

    agent: str  # the registered address
    lines: tuple[str, ...] = ()  # the commands as they were written


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove:
    """Note that this address wrote with a proof; a paused one is written to again."""

    address: str
    proven: bool  # False: it wrote, that is all


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Send a participant nothing more of the target, or everything again."""

    address: str
    muted: bool
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Note how content a customer was, from 1 to 5; it replaces an earlier rating."""

    rating: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """The mail was a wish (`core.wishes`): its words are passed on to nobody but agents."""

    want: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thanked:
    """The mail said nothing but thanks (`core.thanks`): nobody's answer is too late by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryOut:
    """What an agent on duty wants done with one mail of a duty list; it happens once."""

    item: DutyItem
    order: Order
    by: str  # the registered address


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDuty:
    """Remember orders that too little proves, until their agent says that they are genuine."""

    duty: int  # the list that they answer
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleDuty:
    """The orders that were asked about are done; another answer does nothing any more."""

    duty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Someone a notice goes to, and why."""

    address: str
    role: str  # requester | cc | agent
    why: str


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


# What only an agent's command, or taking it back, does to a ticket.
Reshape = (
    RemoveParticipant | SetRequester | SetCustom | AddTime | SetClock | RemoveTag | NoteAbsence
)
# What comes of an answer to a duty list.
Duty = CarryOut | AskDuty | SettleDuty
Effect = (
    OpenTicket
    | AppendMessage
    | AddParticipant
    | SetField
    | AddTag
    | LinkTicket
    | RecordBounce
    | Hold
    | Approve
    | DropHeld
    | RevokeTokens
    | Merge
    | Split
    | Prove
    | Mute
    | Rate
    | Wished
    | Thanked
    | Notify
    | Reshape
    | Duty
    | Undo
    | Acted
)
