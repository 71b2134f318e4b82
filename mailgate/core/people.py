"""Nouns: people. Agents and mailboxes come from the configuration, requesters and CC from mail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(StrEnum):
    """What a person is on a ticket."""

    REQUESTER = "requester"
    CC = "cc"
    AGENT = "agent"
    STRANGER = "stranger"
    SIDE = "side"  # a third party, whom agents talk to aside; no participant


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Someone who answers tickets; known by a registered address and its aliases."""

    address: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()  # empty: all queues
    lead: bool = False
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """An address we receive for, and the queue where its tickets live."""

    address: str
    name: str = ""
    queue: str = "support"
    aliases: tuple[str, ...] = ()
    language: str = "en"


class Stamp(StrEnum):
    """What our own mail server says of the From address (RFC 8601), or what we found ourselves."""

    ALIGNED = "aligned"  # DMARC passed, or a DKIM signature of the From domain is good
    FAILED = "failed"  # DMARC failed: the domain says that this is not from it
    NONE = "none"  # looked at, and neither
    ABSENT = "absent"  # nobody whom we trust looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a mail, as far as it is known, and what speaks for it."""

    address: str  # "" when the mail has no single author
    name: str = ""
    agent: Agent | None = None
    proofs: tuple[str, ...] = ()  # of "login", "aligned"; From alone is no proof
    stamp: Stamp = Stamp.ABSENT
    stamp_reason: str = ""  # one sentence for `explain`


class Power(IntEnum):
    """What a mail may do on a ticket; a higher one includes the lower."""

    LINK = 0  # a new ticket, with a link that agents see
    HOLD = 1  # stored for agents' eyes, waits for approval
    ACT = 2  # takes effect
    WIDEN = 3  # takes effect, and may change who sees the ticket or decides on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An author's role on a ticket, and what that is worth."""

    role: Role = Role.STRANGER
    power: Power = Power.LINK
    level: int = 0  # 0 nothing proven, 1 one proof, 2 two independent ones, 3 a login
    reason: str = "no participant, and no token of this ticket"
    owner: str = ""  # held: the registered address that may release it; "" agents of the queue
    revoke: str = ""  # whose tokens of this ticket must prove nothing any more
    agent: Agent | None = None  # whose token it was, or who proved to have written
    borrowed: bool = False  # the proof is somebody else's token: the address is not proven
    outside: bool = False  # an answer that people have already: it is recorded, and goes nowhere
