"""What passes between deciding and doing: Keys, Facts, Effects and the Decision with its trace.

Effects speak of "the target", never of a ticket number, so that a rule cannot care whether the
ticket exists yet. `mailgate.apply` holds the only `match` over Effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailgate.core.mail import Address, DeliveryReport
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.token import Key


class Outcome(StrEnum):
    """How a mail ended; exactly one per accepted mail."""

    TICKET = "ticket"
    REPLY = "reply"
    NOTE = "note"
    COMMAND = "command"
    HELD = "held"
    QUARANTINED = "quarantined"
    BOUNCE = "bounce"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"


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
    AGENT_HELD = "agent-held"  # a mail waits for an agent's approval
    AGENT_BOUNCE = "agent-bounce"  # a mail of the ticket did not reach somebody
    CHALLENGE = "challenge"  # "did you write this?", to an agent's registered address
    ALERT = "alert"  # something is wrong with the desk itself, to the people who run it


# A person's words, which a machine only carries on: never capped, never marked as automatic.
HUMAN: frozenset[Notice] = frozenset({Notice.ANSWER, Notice.COPY})
TO_AGENTS: frozenset[Notice] = frozenset(
    {
        Notice.AGENT_NEW,
        Notice.AGENT_ASSIGNED,
        Notice.AGENT_MESSAGE,
        Notice.AGENT_HELD,
        Notice.AGENT_BOUNCE,
        Notice.CHALLENGE,
        Notice.ALERT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a trace: what was looked at, what came of it, and why."""

    step: str  # screen, identify, thread, authorise, rules, audience, ...
    verdict: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What has to be looked up before this mail can be decided."""

    ids: tuple[str, ...] = ()  # Message-IDs it may answer, nearest first
    own_id: str = ""
    reported_id: str = ""  # of a DSN: the mail it is about
    numbers: tuple[int, ...] = ()  # ticket numbers in the subject
    sender: str = ""
    tickets: tuple[int, ...] = ()  # named by tokens in addresses and ids, not yet believed
    held: int | None = None  # the held mail that a release address names, not yet believed
    copy: int | None = None  # the copy that a return path names, not yet believed


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail of ours that somebody refers to."""

    outbox: int
    ticket: int
    notice: str
    recipients: tuple[str, ...]  # who was sent it


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCopy:
    """One recipient's copy of a mail of ours, found by its return path."""

    outbox: int
    recipient: int  # id of the recipient's row
    ticket: int | None
    address: str
    role: str
    notice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMail:
    """A mail that waits for approval."""

    id: int
    ticket: int
    message: int
    inbox: int
    author: str  # the address in its From
    owner: str  # the registered address that may release it by mail; "" agents of the queue
    why: str
    created: datetime
    expires: datetime
    state: str = "waiting"  # waiting | approved | released | dropped | expired
    by: str = ""  # who approved or dropped it


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """New matters that one sender, and one domain, brought lately: opened or gathered."""

    of_sender: int = 0
    of_domain: int = 0
    ticket: int | None = None  # the sender's flood ticket, if one got mail lately
    domain_ticket: int | None = None  # the same of the domain; it has no requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the store knows about a mail's keys; read once, in the transaction that applies."""

    duplicate_of: int | None = None  # inbox row with the same content, settled earlier
    sent: Mapping[str, SentMail] = field(default_factory=dict)  # by Message-ID
    seen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # Message-ID -> tickets
    tickets: Mapping[int, TicketView] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)  # ticket -> the one it lives on in
    sender_language: str = ""  # stored for the sender, "" unknown
    sender_proven: bool = False  # an earlier mail of the sender carried a proof
    sender_paused: bool = False  # nothing is sent there any more: it bounced
    keys: tuple[Key, ...] = field(default=(), repr=False)  # that tokens are sealed with
    # (ticket, address in lower case) -> generation of the tokens that are still good; else 0
    generations: Mapping[tuple[int, str], int] = field(default_factory=dict)
    held: HeldMail | None = None
    copy: SentCopy | None = None
    flood: Flood = Flood()
    challenges: int = 0  # to the sender, in the last seven days


# --- effects -----------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AddParticipant:
    """Put an address on the target's CC list."""

    address: Address
    added_by: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A held mail may take effect, once; `mailgate.releasing` carries it out."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove:
    """Note that this address wrote with a proof; a paused one is written to again."""

    address: str
    proven: bool  # False: it wrote, that is all


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
    | RevokeTokens
    | Merge
    | Prove
    | Notify
)


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """The target does not exist yet: the OpenTicket effect makes it."""


Target = New | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one mail, and why."""

    outcome: Outcome
    reason: str  # one sentence, for `explain`, the journal and --json
    target: Target = None
    effects: tuple[Effect, ...] = ()
    trace: tuple[Step, ...] = ()
    duplicate_of: int | None = None


# --- outgoing ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A composed mail: its bytes and Message-ID are fixed before the first attempt, for ever.

    The bytes that go to a recipient are `heads[address] + raw`: the head carries what only that
    recipient may see (To, Reply-To, Message-ID, References), `raw` the rest of the header and the
    body. CRLF throughout.
    """

    notice: Notice
    ticket: int | None
    message_id: str  # of the first recipient's copy
    mail_from: str  # envelope sender where a copy has none of its own; "" for the null sender
    raw: bytes
    heads: Mapping[str, bytes]
    automatic: bool
    copies: Mapping[str, OutgoingCopy] = field(default_factory=dict)  # by address


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCopy:
    """What is one recipient's alone."""

    message_id: str
    mail_from: str  # the return path; a bounce to it names this copy
    number: int | None = None  # the number in the return path's token


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the relay said of one recipient. `code` 0 means that no answer came."""

    code: int
    text: str
    at: datetime
    uncertain: bool = False  # the connection was lost between the final dot and the answer
    route: str = ""
    about_us: bool = False  # said before the recipient was named: it judges our set-up, not them


class CopyState(StrEnum):
    """Where one recipient's copy of an outgoing mail stands."""

    PENDING = "pending"  # never tried, or given back
    SENDING = "sending"  # claimed; falls due again if the sender dies
    DEFERRED = "deferred"  # a temporary refusal; due again at a date
    UNCERTAIN = "uncertain"  # the answer to the final dot was lost; due again at a date
    SENT = "sent"
    FAILED = "failed"  # a permanent refusal, or too old
    CANCELLED = "cancelled"


FINAL_STATES = frozenset({CopyState.SENT, CopyState.FAILED, CopyState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What an attempt means for a copy: its new state, and when to try again unless final."""

    state: CopyState
    due: datetime | None = None
    reason: str = ""  # why it ended, where the answer does not say it
