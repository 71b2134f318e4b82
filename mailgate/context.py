"""What a notice is made from: one value for all its copies, and each copy's own head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailgate.core.decision import TO_CUSTOMER, Ears, Recipient
from mailgate.core.notice import Unsent
from mailgate.core.people import Author, Mailbox
from mailgate.core.ticket import TicketView
from mailgate.core.token import Key
from mailgate.surroundings import Surroundings
from mailgate.wire import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHead:
    """What stands in one recipient's copy alone: nobody else may learn their tokens."""

    message_id: str
    reply_to: str
    mail_from: str  # the return path
    number: int | None = None  # of the return path's token
    in_reply_to: str = ""  # Message-ID of the mail this one answers, as this recipient knows it
    references: tuple[str, ...] = ()  # oldest first, without in_reply_to


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeContext:
    """Everything a notice is made from, apart from templates and policy."""

    ticket: TicketView  # number 0: an alert, which belongs to no ticket
    recipients: tuple[Recipient, ...]
    mailbox: Mailbox  # the queue's: From, Reply-To and envelope sender
    now: datetime  # UTC-aware
    token: str  # random, of letters and digits; makes the mail unique
    language: str = ""  # "" is the ticket's
    author: Author | None = None  # of the message shown
    message: str = ""  # its visible text
    html: str = ""  # the same as SAFE HTML (render.safe_html), or "": the text is shown
    attachments: tuple[Part, ...] = ()
    own: Mapping[str, OwnHead] = field(default_factory=dict)  # by address
    old: str = ""  # status or assignee before
    new: str = ""  # status or assignee now; "" is the ticket's
    note: str = ""  # internal words; only agents ever see them
    copies: tuple[str, ...] = ()  # participants who have the message already
    proven: bool = False  # the requester's address is known to be theirs: may be quoted back
    keys: tuple[Key, ...] = field(default=(), repr=False)  # tokens made with them are blotted out
    release: str = ""  # the address that releases the held mail this notice is about
    valid_hours: int = 0  # how long that address works
    unsent: Unsent | None = None  # the mail that it tells of
    around: Surroundings = field(default_factory=Surroundings)
    wished: bool = False  # a customer's reply asked for it
    apart: bool = False  # a message of another ticket has become this one
    note_address: str = ""  # what this one agent sends there is an internal note
    last_message: datetime | None = None  # when the last public message before came
    lists: tuple[Mapping[str, object], ...] = ()  # for an agent: `mailgate.listing`
    due: datetime | None = None  # by when an agent wanted it done
    waiting: tuple[Mapping[str, object], ...] = ()  # for one on duty: `mailgate.waiting`
    ears: Ears = TO_CUSTOMER  # for an agent: whom the answer reaches
    subject: str | None = None  # of what is said aside; None: the ticket's

    def head(self, address: str, domain: str) -> OwnHead:
        """A recipient's own head; without tokens where none was made (an alert)."""
        own = self.own.get(address)
        return own or OwnHead(
            message_id=f"<mg.{self.ticket.number}.{self.token}@{domain}>",
            reply_to=self.mailbox.address,
            mail_from=self.mailbox.address,
        )
