"""Mails as people send them: answers, forwards and new matters, by the habits of their client."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses, parseaddr

from tests.flows.threading.clients import Client, Goes, Ids, Subject
from tests.flows.threading.reading import Reading

_TAG = re.compile(r"\s*\[[^\]\s]*#\d+\]\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What somebody writes, and when; `serial` makes the mail different from any other."""

    said: str
    at: datetime
    serial: int
    cc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail ready for delivery."""

    raw: bytes
    rcpt: tuple[str, ...]
    message_id: str
    sender: str


def answer(reading: Reading, client: Client, words: Words) -> Letter:
    """The mail that `client` sends when its user presses Reply."""
    message = _begin(reading.reader, client, words)
    message["To"] = _to(reading, client)
    message["Subject"] = _subject(reading.header("Subject"), client)
    _refer(message, reading, client)
    _body(message, client.quote(reading, words.said), client)
    return _letter(message)


def forward(reading: Reading, client: Client, to: str, words: Words) -> Letter:
    """The mail passed on as an attachment-free forward: a new thread in most programs."""
    message = _begin(reading.reader, client, words)
    message["To"] = to
    message["Subject"] = f"Fwd: {reading.header('Subject')}"
    if client.ids in (Ids.FULL, Ids.CUT):
        message["References"] = reading.header("Message-ID")
    head = f"From: {reading.header('From')}\nReply-To: {reading.header('Reply-To')}"
    said = f"{words.said}\n\n---------- Forwarded message ----------\n{head}\n\n{reading.text}"
    _body(message, said, client)
    return _letter(message)


def fresh(writer: str, to: str, subject: str, client: Client, words: Words) -> Letter:
    """A mail that answers none."""
    message = _begin(writer, client, words)
    message["To"] = to
    message["Subject"] = subject
    if client.thread_index:
        message["Thread-Index"] = thread_index(f"{writer} {words.serial}")
        message["Thread-Topic"] = subject
    _body(message, words.said, client)
    return _letter(message)


def thread_index(topic: str, child_of: str = "") -> str:
    """Outlook's header: 22 octets that name a conversation, and five more for each answer."""
    head = base64.b64decode(child_of) if child_of else b"\x01" + _digest(topic)[:21]
    return base64.b64encode(head + _digest(topic)[:5] if child_of else head).decode()


def _begin(writer: str, client: Client, words: Words) -> EmailMessage:
    domain = writer.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{writer.partition('@')[0].capitalize()} <{writer}>"
    message["Date"] = format_datetime(words.at)
    unique = _digest(f"{writer} {words.serial} {client.name}").hex()
    form = client.id_form.format(hex=unique[:24], HEX=unique[:24].upper(), domain=domain)
    message["Message-ID"] = form
    if words.cc:
        message["Cc"] = ", ".join(words.cc)
    for name, value in client.headers:
        message[name] = value
    return message


def _letter(message: EmailMessage) -> Letter:
    names = ("To", "Cc")
    rcpt = tuple(
        addr for _name, addr in getaddresses([str(message[n]) for n in names if message[n]])
    )
    return Letter(
        raw=message.as_bytes(),
        rcpt=rcpt,
        message_id=str(message["Message-ID"]),
        sender=parseaddr(str(message["From"]))[1],
    )


def _to(reading: Reading, client: Client) -> str:
    sender = parseaddr(reading.header("From"))[1]
    if client.goes is Goes.FROM:
        return sender
    address = parseaddr(reading.header("Reply-To"))[1] or sender
    if client.goes is Goes.FOLDED:
        return address.upper()
    if client.goes is Goes.UNTAGGED:
        return re.sub(r"\+[^@]*@", "@", address)
    return address


def _subject(read: str, client: Client) -> str:
    if client.subject is Subject.OTHER:
        return "One more thing"
    kept = _TAG.sub(" ", read).strip() if client.subject is Subject.UNTAGGED else read
    return kept if kept.lower().startswith(client.prefix.lower()) else f"{client.prefix}{kept}"


def _refer(message: EmailMessage, reading: Reading, client: Client) -> None:
    if client.thread_index:
        parent = reading.header("Thread-Index")
        message["Thread-Index"] = thread_index(message["Message-ID"], parent)
        message["Thread-Topic"] = _TAG.sub(" ", reading.header("Subject")).strip()
    near, far = _ids(reading, client)
    if near:
        message["In-Reply-To"] = near
    if far:
        message["References"] = " ".join(far)


def _ids(reading: Reading, client: Client) -> tuple[str, list[str]]:
    """In-Reply-To and References as this client writes them."""
    own = reading.header("Message-ID")
    older = reading.header("References").split()
    strange = f"<{_digest(own).hex()[:20]}@relay.example>"
    forms: dict[Ids, tuple[str, list[str]]] = {
        Ids.FULL: (own, [*older, own]),
        Ids.NEAR: (own, []),
        Ids.LAST: ("", [own]),
        Ids.CUT: (own, [*older, own][:1] + [*older, own][1:][-2:]),
        Ids.FOREIGN: (strange, [strange]),
        Ids.OTHER: (f"<OF{strange[1:17].upper()}.ON{strange[3:11].upper()}@notes.example>", []),
        Ids.NONE: ("", []),
    }
    return forms[client.ids]


def _body(message: EmailMessage, text: str, client: Client) -> None:
    message.set_content(text, cte=client.encoding)
    if client.html:
        lines = "".join(f"<div>{_escaped(line) or '<br>'}</div>" for line in text.splitlines())
        message.add_alternative(
            f"<html><body>{lines}</body></html>", subtype="html", cte=client.encoding
        )


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
