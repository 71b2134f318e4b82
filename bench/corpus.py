"""A deterministic stream of mail: the same count and seed always give the same bytes.

Of each twenty mails twelve are plain text of 1 to 4 KB, five are replies with 12 KB of HTML to
earlier mails of the stream, two carry 100 KB and one carries 1 MB of attachment.
"""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from random import Random

PEOPLE = 40  # senders; a peer that keeps accounts knows them all beforehand
QUEUE = "support@example.org"
APART = 60  # mails between a reply and what it answers, where the stream is long enough


class Kind(StrEnum):
    """What a mail of the stream is."""

    PLAIN = "plain"
    REPLY = "reply"
    FILE = "file"
    BIG = "big"


class Mix(StrEnum):
    """Which mails a stream is made of."""

    PLAIN = "plain"
    MIXED = "mixed"


SHARES = {Kind.REPLY: 0.25, Kind.FILE: 0.10, Kind.BIG: 0.05}  # all others are plain
_SIZES = {Kind.FILE: 100_000, Kind.BIG: 1_000_000}  # octets of the attachment

_TOPICS = ("Invoice", "Printer", "Login", "Delivery", "Contract", "Refund", "Update", "Backup")
_SENTENCES = (
    "The device stopped working after the update of last night and shows a red light.",
    "Could you please tell me when the order will be delivered to our office?",
    "I have tried to log in from another machine, but the page stays empty.",
    "We were charged twice this month and would like to have one amount back.",
    "Two colleagues see the same message, so it is not only my computer.",
    "The number on the contract does not match the one on the invoice.",
    "It would be good to have an answer before the end of the week.",
    "Everything worked until the backup ran, and nobody changed a setting.",
    "If you need the log file, tell me where I should send it.",
    "Thank you very much for your help with this.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail: `raw` has CRLF line ends and no envelope."""

    kind: Kind
    message_id: str
    sender: str
    subject: str
    answers: str  # Message-ID of the mail it answers, "" for a new request
    raw: bytes


def people() -> list[str]:
    """The addresses of all senders."""
    return [f"person{n}@customers.example.net" for n in range(PEOPLE)]


def make(count: int, *, seed: int = 1, mix: Mix = Mix.MIXED) -> list[Mail]:
    """A stream of `count` mails; the first of them are never replies."""
    random = Random(f"{seed} {mix}")
    kinds = _kinds(count, random) if mix is Mix.MIXED else [Kind.PLAIN] * count
    stream: list[Mail] = []
    requests: list[Mail] = []  # what can be answered; None of them is younger than APART mails
    for place, kind in enumerate(kinds):
        before = [m for m in stream[: max(place - APART, 1)] if not m.answers]
        requests = before or requests
        message_id = f"<{seed}.{place}@customers.example.net>"
        parent = random.choice(requests) if kind is Kind.REPLY else None
        stream.append(_mail(kind, message_id, parent, random))
    return stream


def digest(stream: Sequence[Mail]) -> str:
    """The sha256 of all bytes of a stream, in hexadecimal."""
    return sha256(b"\0".join(mail.raw for mail in stream)).hexdigest()


def _kinds(count: int, random: Random) -> list[Kind]:
    special = [kind for kind, share in SHARES.items() for _ in range(round(count * share))]
    replies = [kind for kind in special if kind is Kind.REPLY]
    others = [kind for kind in special if kind is not Kind.REPLY]
    others += [Kind.PLAIN] * (count - len(special))
    random.shuffle(others)
    # What replies answer comes first, so that no peer meets an answer before its question.
    head = min(len(others), max(1, min(count // 3, APART)))
    tail = others[head:] + replies
    random.shuffle(tail)
    return others[:head] + tail


def _mail(kind: Kind, message_id: str, parent: Mail | None, random: Random) -> Mail:
    sender = parent.sender if parent else random.choice(people())
    subject = (
        f"{random.choice(_TOPICS)} {random.randrange(10_000)} {random.choice(_TOPICS).lower()}"
    )
    if parent:
        subject = f"Re: {parent.subject}"
    number = sender.partition("@")[0].removeprefix("person")
    head = [
        f"Received: from desk{number} by mx.customers.example.net; Mon, 02 Mar 2026 10:00:00 +0000",
        f"From: Person Number {number} <{sender}>",
        f"To: Support <{QUEUE}>",
        f"Subject: {subject}",
        "Date: Mon, 02 Mar 2026 10:00:00 +0000",
        f"Message-ID: {message_id}",
        "User-Agent: Bench/1.0",
        "MIME-Version: 1.0",
    ]
    if parent:
        head += [f"In-Reply-To: {parent.message_id}", f"References: {parent.message_id}"]
    body = _reply(random) if parent else _request(kind, random)
    raw = "\r\n".join([*head, *body, ""]).encode()
    return Mail(
        kind=kind,
        message_id=message_id,
        sender=sender,
        subject=subject,
        answers=parent.message_id if parent else "",
        raw=raw,
    )


def _request(kind: Kind, random: Random) -> list[str]:
    if kind is Kind.PLAIN:
        return [*_PLAIN_TEXT, "", *_words(random.randrange(700, 3700), random)]
    name = random.choice(_TOPICS).lower()
    file = encodebytes(random.randbytes(_SIZES[kind])).decode().splitlines()
    return [
        'Content-Type: multipart/mixed; boundary="bench-mixed"',
        "",
        "--bench-mixed",
        *_PLAIN_TEXT,
        "",
        *_words(1500, random),
        "--bench-mixed",
        f'Content-Type: application/pdf; name="{name}.pdf"',
        f'Content-Disposition: attachment; filename="{name}.pdf"',
        "Content-Transfer-Encoding: base64",
        "",
        *file,
        "--bench-mixed--",
    ]


def _reply(random: Random) -> list[str]:
    new, quoted = _words(600, random), _words(2400, random)
    style = "font-family:Calibri,sans-serif;font-size:11.0pt;margin:0"
    rows = [f'<p style="{style}">{line}</p>' for line in (*new, "", *quoted)]
    while sum(map(len, rows)) < 12_000:
        rows.append(f'<p style="{style}">{random.choice(_SENTENCES)}</p>')
    return [
        'Content-Type: multipart/alternative; boundary="bench-alternative"',
        "",
        "--bench-alternative",
        *_PLAIN_TEXT,
        "",
        *new,
        "",
        "On Mon, 2 Mar 2026 at 10:00, Support <support@example.org> wrote:",
        *(f"> {line}" for line in quoted),
        "--bench-alternative",
        "Content-Type: text/html; charset=utf-8",
        "",
        "<html><body>",
        *rows,
        "</body></html>",
        "--bench-alternative--",
    ]


_PLAIN_TEXT = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")


def _words(octets: int, random: Random) -> list[str]:
    lines: list[str] = ["Hello,", ""]
    while sum(map(len, lines)) < octets:
        lines.append(random.choice(_SENTENCES))
        if random.random() < 0.2:
            lines.append("")
    return lines
