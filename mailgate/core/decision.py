"""What passes between deciding and doing: Keys, Facts, and the Decision with its trace.

Its effects live in `core.effects` and are read from here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailgate.core.duty import Blocked, DutyList
from mailgate.core.effects import (
    Acted,
    AddParticipant,
    AddTag,
    AddTime,
    AppendMessage,
    Approve,
    AskDuty,
    CarryOut,
    DropHeld,
    Duty,
    Effect,
    Hold,
    LinkTicket,
    Merge,
    Mute,
    NoteAbsence,
    OpenTicket,
    Prove,
    Rate,
    RecordBounce,
    RemoveParticipant,
    RemoveTag,
    Reshape,
    RevokeTokens,
    SetClock,
    SetCustom,
    SetField,
    SetRequester,
    SettleDuty,
    Split,
    Thanked,
    Undo,
    Wished,
)
from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.notice import (
    HUMAN,
    REPLIES,
    TO_AGENTS,
    TO_CUSTOMER,
    TO_NOBODY,
    Ears,
    Notice,
    Notify,
    Recipient,
    Whom,
    aside_to,
)
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.token import Key

__all__ = [
    "FINAL_STATES",
    "HUMAN",
    "REPLIES",
    "TO_AGENTS",
    "TO_CUSTOMER",
    "TO_NOBODY",
    "Acted",
    "AddParticipant",
    "AddTag",
    "AddTime",
    "AppendMessage",
    "Approve",
    "AskDuty",
    "Attempt",
    "CarryOut",
    "CopyState",
    "Decision",
    "DropHeld",
    "Duty",
    "Ears",
    "Effect",
    "Facts",
    "Fate",
    "Flood",
    "HeldMail",
    "Hold",
    "Keys",
    "LastWord",
    "LinkTicket",
    "Merge",
    "Mute",
    "New",
    "NoteAbsence",
    "Notice",
    "Notify",
    "OpenTicket",
    "Outcome",
    "Outgoing",
    "OutgoingCopy",
    "Prove",
    "Rate",
    "Recipient",
    "RecordBounce",
    "RemoveParticipant",
    "RemoveTag",
    "Reshape",
    "RevokeTokens",
    "SentCopy",
    "SentMail",
    "SetClock",
    "SetCustom",
    "SetField",
    "SetRequester",
    "SettleDuty",
    "Split",
    "Step",
    "StoredMessage",
    "Target",
    "Thanked",
    "Undo",
    "Undoable",
    "Whom",
    "Wished",
    "aside_to",
]


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
    duty: int | None = None  # the duty list that a token names, not yet believed
    agents: bool = False  # it may be an agent's: who is away is looked up as well
    mentioned: tuple[int, ...] = ()  # tickets that an agent's commands may speak of
    undo: bool = False  # it may want something taken back
    answers: bool = False  # it may be a second copy of an agent's answer
    split: bool = False  # it may want a message to become a ticket of its own
    messages: tuple[int, ...] = ()  # ... and may name it by its number


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail of ours that somebody refers to."""

    outbox: int
    ticket: int
    notice: str
    recipients: tuple[str, ...]  # who was sent it
    created: datetime | None = None  # it tells what was known then
    inbox: int | None = None  # the mail that caused it


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
    state: str = "waiting"  # waiting | approved | as-note | released | dropped | expired
    by: str = ""  # who approved or dropped it


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message that an agent's command may name."""

    id: int
    ticket: int
    inbox: int | None
    kind: MessageKind
    author: Address | None
    at: datetime
    others: int  # customers' messages beside it on its ticket
    envelope: Envelope = field(default_factory=Envelope)
    mail: ParsedMail | None = None  # None: its bytes were not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoable:
    """What an agent's last mail on a ticket did, as its event tells."""

    event: int
    inbox: int | None
    agent: str
    at: datetime
    lines: tuple[str, ...] = ()  # its commands


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """A public message of a ticket: whose, and since when it counts."""

    message: int
    author: str  # an address; of a held answer its agent's registered one
    at: datetime  # of one that was held: when it was released


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
    duty: DutyList | None = None
    blocked: Blocked | None = None  # the sender, where mail from there is ignored
    flood: Flood = Flood()
    challenges: int = 0  # to the sender, in the last seven days
    away: Mapping[str, datetime] = field(default_factory=dict)  # agent -> since when
    undoable: Mapping[int, tuple[Undoable, ...]] = field(default_factory=dict)  # newest first
    answered: tuple[int, ...] = ()  # tickets with an agent's answer of this very Message-ID
    # For an agent's mail: public messages since the oldest of the mails of ours it refers to.
    last_words: Mapping[int, tuple[LastWord, ...]] = field(default_factory=dict)
    # The text and the HTML of the mail of ours that it answers; () unknown, or not asked for.
    notice: tuple[str, ...] = field(default=(), repr=False)
    messages: Mapping[int, StoredMessage] = field(default_factory=dict)  # that it may name
    parted: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # -> those it was split off


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

    @property
    def spoken_by_agent(self) -> bool:
        """Whether an agent proved to have written it; an agent's address in From does not."""
        said = [e for e in self.effects if isinstance(e, AppendMessage)]
        aside = any(e.aside and e.author and e.author.addr not in e.aside for e in said)
        acts = any(isinstance(e, Acted | Undo) for e in self.effects)
        return acts or aside or any(e.kind is MessageKind.AGENT for e in said)


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
