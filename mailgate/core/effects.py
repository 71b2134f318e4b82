"""What a decision wants done: effects, and the notices they name.

Effects speak of "the target", never of a ticket number, so that a rule cannot care whether the
ticket exists yet. `mailgate.apply` holds the only `match` over Effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailgate.core.duty import DutyItem, Order
from mailgate.core.mail import Address, DeliveryReport, ParsedMail
from mailgate.core.notice import Notify
from mailgate.core.ticket import MessageKind


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
    aside: tuple[str, ...] = ()  # the third parties whom it goes to, or the one it came from


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
