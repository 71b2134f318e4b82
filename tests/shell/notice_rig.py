"""A queue, two agents, a ticket and its people: what the tests of outgoing mail compose from."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from mailgate.context import NoticeContext, OwnHead
from mailgate.core.decision import Outgoing, Recipient
from mailgate.core.people import Agent, Author, Mailbox
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView
from mailgate.render import Renderer

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "mail"
RENDERER = Renderer([TEMPLATES])
BOX = Mailbox(address="support@example.org", name="Support")
ANA = Agent(address="ana@private.example.com", name="Ana Torres")
EVE = Agent(address="eve@private.example.com", name="Eve", signature="Eve Adams\nSecond floor")
POLICY = Policy(
    domain="example.org",
    name="Example Ltd",
    instance="test-1",
    mailboxes=(BOX,),
    agents=(ANA, EVE),
)
TICKET = TicketView(
    number=1042,
    subject="The printer in room 12 is jammed",
    status="open",
    priority="high",
    queue="support",
    category="hardware",
    requester="bob@example.net",
    assignee=ANA.address,
)
BOB = Recipient(address="bob@example.net", role="requester", why="requester")
CAROL = Recipient(address="carol@example.com", role="cc", why="on the CC list")


def head(**changes: Any) -> OwnHead:
    """What stands in one recipient's copy alone."""
    plain = OwnHead(
        message_id="<mg.1042.k3ep@example.org>",
        reply_to=BOX.address,
        mail_from=BOX.address,
        in_reply_to="<first@example.net>",
    )
    return replace(plain, **changes)


CONTEXT = NoticeContext(
    ticket=TICKET,
    recipients=(BOB,),
    mailbox=BOX,
    now=datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
    token="k3ep",
    author=Author(address="bob@example.net", name="Bob Miller"),
    message="Hello,\n\nit says “paper jam”, but there is none.\n\nBob",
    own={person.address: head() for person in (BOB, CAROL)},
)
FROM_ANA = replace(CONTEXT, author=Author(address=ANA.address, name="Private Name", agent=ANA))


def wire(mail: Outgoing, address: str = "bob@example.net") -> bytes:
    """The bytes that go to one recipient."""
    return mail.heads[address] + mail.raw


def read(mail: Outgoing, address: str = "bob@example.net") -> EmailMessage:
    """The same, read back by the standard library."""
    message = email.message_from_bytes(wire(mail, address), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def content(message: EmailMessage, kind: str) -> str:
    """The text of the plain or html body."""
    part = message.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")
