"""What applying needs besides a transaction, and what set it off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailgate.core.decision import HeldMail
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Agent, Author
from mailgate.core.policy import Policy
from mailgate.gate import Caps
from mailgate.render import Renderer
from mailgate.wire import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What applying needs besides a transaction; made once by the daemon."""

    policy: Policy
    renderer: Renderer
    caps: Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What set the effects off: a mail, an agent at the command line, or a clock."""

    now: datetime
    actor: str  # for the audit trail: an address, "command line", "timer", "rules.yaml:12 ..."
    mail: ParsedMail | None = None
    inbox: int | None = None
    author: Author | None = None
    parts: tuple[Part, ...] = ()  # the mail's attachments, as far as they are passed on
    left_behind: tuple[str, ...] = ()  # names of those too large to be passed on
    live: bool = True
    by_agent: bool = False  # an agent's doing: the strict caps are for outsiders' mail
    agent: Agent | None = None  # who that is, whatever address the mail came from
    held: HeldMail | None = None  # the mail was held, and takes effect now
