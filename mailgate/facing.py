"""An accepted mail as a decision sees it: how it came, who vouched for it, what to look up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from mailgate.core import thread
from mailgate.core.case import Delivery
from mailgate.core.decision import Keys
from mailgate.core.mail import ParsedMail
from mailgate.core.policy import Policy
from mailgate.verifying import Stamped
from store.inbox import Waiting

# The first word of a source's name -> what the ticket says it came by.
CAME_BY = {"smtp": "email", "lmtp": "email", "imap": "email"}


def keys_of(waiting: Waiting, mail: ParsedMail, policy: Policy) -> Keys:
    """What has to be looked up, with the ticket that an agent wants it on."""
    keys, to = thread.keys(mail, waiting.envelope, policy), waiting.vouched_for
    return keys if to is None else replace(keys, tickets=(*keys.tickets, to))


def delivery(waiting: Waiting, now: datetime, stamp: Stamped | None) -> Delivery:
    """How a mail came; `stamp` is our own look at its sender."""
    kind = waiting.source.partition(" ")[0]
    return Delivery(
        envelope=waiting.envelope,
        received=waiting.received,
        source=CAME_BY.get(kind, kind),
        live=waiting.live,
        now=now,
        stamp=stamp,
        accepted_by=waiting.vouched_by,
        approved_by=waiting.vouched_by if waiting.vouched_for else "",
        approved_for=waiting.vouched_for,
    )
