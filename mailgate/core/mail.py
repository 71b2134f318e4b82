"""Nouns of mail: what arrives (Inbound) and what a decision may see of it (ParsedMail)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What sort of mail this is, judged from its headers alone (RFC 3834, RFC 3464, RFC 2919)."""

    NORMAL = "normal"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The SMTP envelope (RFC 5321, section 2.3.1), or as much of it as a source has.

    `mail_from` is "" for the null sender and None where the source had no envelope.
    """

    mail_from: str | None = None
    rcpt_tos: tuple[str, ...] = ()
    peer: str = ""  # IP address of the client, "" when local
    helo: str = ""
    login: str = ""  # SMTP AUTH identity, "" when not authenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One delivery: the exact bytes a source was given, not yet acknowledged.

    `source_key` names this delivery within its source (mailbox + UIDVALIDITY + UID, an SMTP
    transaction, a file and offset): the same key twice is the same delivery.
    """

    raw: bytes
    source: str  # the source's name, e.g. "smtp 127.0.0.1:2525", "imap support", "pipe", "import"
    source_key: str
    received: datetime
    envelope: Envelope = Envelope()
    live: bool = True  # False: history; nothing is sent, no clock starts

    def __post_init__(self) -> None:
        if self.received.tzinfo is None:
            raise ValueError("Inbound.received must be timezone-aware")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An addr-spec (domain in lower case, A-label form) and a display name cleaned for display."""

    addr: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What is known of one attached part; its bytes stay in the raw mail (`parse.part_bytes`)."""

    part: int  # index of the part in walk order
    filename: str  # cleaned: no path, no control characters, never empty
    content_type: str
    size: int  # decoded octets
    digest: str  # sha256 of the decoded octets, hexadecimal
    inline: bool = False
    content_id: str = ""  # without angle brackets


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """One recipient's line of a delivery status notification (RFC 3464, section 2.3)."""

    recipient: str
    action: str  # failed, delayed, delivered, relayed, expanded; "" unknown
    status: str = ""  # e.g. "5.1.1"
    diagnostic: str = ""
    final: str = ""  # what `recipient` had become when it failed, "" where that is the same


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMail:
    """One mail after parsing; the only form of it that decisions ever see.

    All text is valid Unicode without NUL or lone surrogates. `defects` tells what the parser had
    to mend; a defect is never an exception.
    """

    digest: str  # sha256 of the raw bytes, hexadecimal
    size: int
    message_id: str  # "<...>"; made from the digest when the header is missing or broken
    has_message_id: bool = True
    sender: Address | None = None  # the one author, or None when From is missing or ambiguous
    from_: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    date: datetime | None = None  # of the Date header, UTC; never used to order anything
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()  # header order: oldest first
    headers: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # lower-case names, decoded
    language: str = ""  # ISO 639-1, "" unknown
    text: str = ""  # the whole body as text
    visible: str = ""  # the new words; with `quoted` and `signature` all of `text`
    quoted: str = ""
    signature: str = ""
    cuts: tuple[str, ...] = ()  # why what is not `visible` was taken out of it: "quote: ..."
    html: str = ""  # as received, NOT safe; see render.safe_html
    # What own_words finds in `visible`, as safe HTML of the sender's; "" where the text is shown.
    new_html: str = ""
    attachments: tuple[Attachment, ...] = ()
    reports: tuple[DeliveryReport, ...] = ()  # of a DSN
    reported_id: str = ""  # Message-ID of the mail a DSN is about, "" unknown
    top_type: str = "text/plain"  # content type of the whole mail
    calendar: str = ""  # METHOD of an iTIP part (RFC 5546) in capitals, "" where there is none
    # Trace headers in the order they stand in, topmost first: (lower-case name, unfolded value)
    # of Received, Authentication-Results, Delivered-To, X-Original-To and Return-Path.
    trail: tuple[tuple[str, str], ...] = ()
    defects: tuple[str, ...] = ()
    # Mails that are attached (message/rfc822); `part` of their attachments counts in this mail.
    enclosed: tuple[ParsedMail, ...] = ()

    def header(self, name: str) -> str:
        """The first value of a header, or ""."""
        return next(iter(self.headers.get(name.lower(), ())), "")

    def ancestors(self) -> tuple[str, ...]:
        """Ids this mail claims to answer, nearest first: In-Reply-To, then References backwards."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))
