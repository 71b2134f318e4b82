"""What applying needs besides a transaction, and what set it off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailgate.core.decision import HeldMail
from mailgate.core.mail import Attachment, ParsedMail
from mailgate.core.people import Agent, Author
from mailgate.core.policy import Policy
from mailgate.gate import Caps
from mailgate.render import Renderer
from mailgate.wire import Part
from store.ticket_rows import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What applying needs besides a transaction; made once by the daemon."""

    policy: Policy
    renderer: Renderer
    caps: Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """A mail that is on a ticket, read again: an agent's command speaks of it."""

    mail: ParsedMail
    parts: tuple[Part, ...] = ()
    left_behind: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What set the effects off: a mail, an agent at the command line, or a clock."""

    now: datetime
    actor: str  # for the audit trail: an address, "command line", "timer", "rules.yaml:12 ..."
    mail: ParsedMail | None = None
    inbox: int | None = None
    author: Author | None = None
    parts: tuple[Part, ...] = ()  # the mail's attachments, as far as they are passed on
    left_behind: tuple[Attachment, ...] = ()  # those too large to be passed on
    live: bool = True
    by_agent: bool = False  # an agent's doing: the strict caps are for outsiders' mail
    agent: Agent | None = None  # who that is, whatever address the mail came from
    held: HeldMail | None = None  # the mail was held, and takes effect now
    reread: Mapping[int, Reread] = field(default_factory=dict)  # by message


def aside(cause: Cause, said: Reread, message: Message) -> Cause:
    """The cause of what is done with another message of the ticket, as if that had just come."""
    return replace(
        cause,
        mail=said.mail,
        inbox=message.inbox,
        author=Author(address=message.author, name=message.author_name),
        parts=said.parts,
        left_behind=said.left_behind,
        agent=None,
        held=None,
    )
