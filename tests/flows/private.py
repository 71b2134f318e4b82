"""What must never stand in a mail to somebody who is no agent: looked for in every copy we sent.

A third party of a side conversation reads an agent's words, and nothing else of the ticket.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.policy import default
from html import unescape

from mailgate.core.decision import CopyState
from mailgate.core.policy import Policy
from store.database import Database, Tx

PUBLIC = ("customer", "agent")
# Headers of ours; whatever else a mail has in its head came from somebody's client or server.
HEADERS = {
    *("to", "reply-to", "message-id", "in-reply-to", "references", "from", "subject", "date"),
    *("content-language", "mime-version", "content-type", "content-transfer-encoding"),
    *("x-mailgate-loop", "auto-submitted", "precedence", "x-auto-response-suppress"),
}
# Of agents' notices: the marker, addresses that act, and links to files.
OF_AGENTS = (
    *("##-", "mailto:support+", "mailto:sales+", "%23close", "mailgate held", "mailgate raw"),
    *("help.example.org/file", "help.example.org%2ffile"),
)
_TOKEN = re.compile(r"[a-z2-7]{47,56}", re.IGNORECASE)
_SEALED = re.compile(r"(?:\+|%2b|\bmg\.)[a-z2-7]{47,56}(?=@|%40)")
_CLIENT = re.compile(r"\b(?:received: from|x-originating-ip|user-agent:|x-mailer:)", re.IGNORECASE)


@dataclass(frozen=True)
class Copy:
    """One mail as it went to one recipient."""

    address: str
    role: str
    notice: str
    ticket: int | None
    path: str
    mail: EmailMessage

    @property
    def tokens(self) -> set[str]:
        """Those in its head: this recipient's own."""
        own = ("Reply-To", "Message-ID", "In-Reply-To", "References")
        return set(_TOKEN.findall(" ".join(str(self.mail[name]) for name in own) + self.path))

    @property
    def words(self) -> str:
        """All that a reader or a program finds in it, decoded."""
        return "\n".join(_decoded(self.mail))


def copies(tx: Tx) -> list[Copy]:
    """Everything that was ever queued and not called back, a copy for each recipient."""
    found = []
    for row in tx.outbox.list(limit=100_000):
        for to in row.recipients:
            if to.state is CopyState.CANCELLED:
                continue
            mail = email.message_from_bytes(tx.outbox.wire_bytes(to.id), policy=default)
            assert isinstance(mail, EmailMessage)
            copy = Copy(to.address, to.role, row.notice, row.ticket, to.mail_from, mail)
            found.append(copy)
    return found


def leaks(database: Database, policy: Policy) -> list[str]:
    """What stands in mail to customers and must not; [] is how it has to be."""
    with database.reading() as tx:
        sent = copies(tx)
        aside = [copy for copy in sent if copy.role == "side"]
        told = [f"side #{c.ticket} to {c.address}: {w}" for c in aside for w in _of_ticket(tx, c)]
        outside = [copy for copy in sent if copy.role not in ("agent", "side")]
        agents = {number: _agents_ids(tx, number) for number in {c.ticket for c in outside}}
        secret = {number: _secret_lines(tx, number) for number in {c.ticket for c in outside}}
    others: dict[str, set[str]] = {}
    for copy in sent:
        others.setdefault(copy.address.lower(), set()).update(copy.tokens)
    return told + [
        f"{copy.notice} #{copy.ticket} to {copy.address}: {what}"
        for copy in (*outside, *aside)
        for what in (
            *_in_head(copy, set() if copy in aside else agents.get(copy.ticket, set())),
            *_in_words(copy, policy, set() if copy in aside else secret[copy.ticket], others),
        )
    ]


def _of_ticket(tx: Tx, copy: Copy) -> Iterator[str]:
    """What a third party's copy tells of the ticket beside what was said aside to them."""
    row = tx.tickets.get(copy.ticket or 0)
    assert row is not None
    messages = tx.tickets.messages(row.view.number)
    here = [m for m in messages if copy.address in m.aside]
    theirs = " ".join(m.text.lower() for m in here)
    words = copy.words.lower()
    facts = (f"#{row.view.number}", f".{row.view.number}@", row.view.subject, row.view.requester)
    for fact in (*facts, *row.view.cc):
        if fact and fact.lower() in words and fact.lower() not in theirs:
            yield f"of the ticket: {fact}"
    for message in messages:
        lines = {line.strip().lower() for line in message.text.splitlines()}
        for line in lines if message not in here else ():
            if len(line) >= 12 and line in words and line not in theirs:
                yield f"of message {message.id}: {line}"
        if message not in here and message.message_id and message.message_id in words:
            yield f"the Message-ID of message {message.id}"


def _agents_ids(tx: Tx, number: int | None) -> set[str]:
    """Message-IDs that agents' clients gave their mail: they name private machines."""
    messages = tx.tickets.messages(number) if number is not None else []
    written = (m for m in messages if m.kind not in ("customer", "system"))
    return {m.message_id for m in written if m.message_id}  # at the command line there is none


def _in_head(copy: Copy, agents: set[str]) -> Iterator[str]:
    named = f"{copy.mail['In-Reply-To']} {copy.mail['References']}"
    yield from (f"an agent's Message-ID: {one}" for one in agents if one in named)
    for name in copy.mail:
        if name.lower() not in HEADERS:
            yield f"header {name}"
    if len(copy.mail["To"].addresses) != 1 or copy.mail["Bcc"]:
        yield "other recipients in its head"


def _in_words(
    copy: Copy, policy: Policy, secret: set[str], others: dict[str, set[str]]
) -> Iterator[str]:
    words = copy.words.lower()
    # One token in some thousands ends in the letters before the @ of an agent's address.
    plain = _SEALED.sub("token", words)
    for agent in policy.agents:
        for address in (agent.address, *agent.aliases):
            if address.lower() in plain or address.lower().replace("@", "%40") in plain:
                yield f"an agent's address: {address}"
    for who, tokens in others.items():
        if who != copy.address.lower() and any(token.lower() in words for token in tokens):
            yield f"a token of {who}"
    yield from (f"of agents' notices: {what}" for what in OF_AGENTS if what in words)
    yield from (f"a note: {line}" for line in secret if line in words)
    if found := _CLIENT.search(words):
        yield f"a client's header: {found[0]}"


def _secret_lines(tx: Tx, number: int | None) -> set[str]:
    """Lines of what is not public, as far as nobody said the same in public."""
    if number is None:
        return set()
    messages = tx.tickets.messages(number)
    public = " ".join(m.text.lower() for m in messages if m.kind in PUBLIC)
    inner = (m.visible or m.text for m in messages if m.kind not in PUBLIC)
    lines = {line.strip().lower() for text in inner for line in text.splitlines()}
    return {line for line in lines if len(line) >= 12 and line not in public}


def _decoded(mail: EmailMessage) -> Iterator[str]:
    yield from (f"{name}: {value}" for name, value in mail.items())
    for part in mail.walk():
        if part.is_multipart():
            continue
        yield from (f"{name}: {value}" for name, value in _named(part))
        data = part.get_payload(decode=True)
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else ""
        yield text
        if part.get_content_type() == "text/html":
            yield unescape(text)


def _named(part: Message) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in part.items()]
