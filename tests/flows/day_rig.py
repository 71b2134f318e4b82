"""Two help desks and the machines that write to them, on a clock that moves by ticks.

Mail in flight arrives at the next tick. A desk takes what came for it and settles it; what it has
to send is claimed from its outbox as a mailer would, and noted as sent. Machines answer at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr

from mailgate.core.decision import Attempt, CopyState, Fate
from store.outbox import Queued
from tests.flows.rig import House

TICK = timedelta(seconds=200)
LEASE = timedelta(minutes=1)
HEADERS = BytesHeaderParser()
BOUNCE = """\
From: MAILER-DAEMON@{domain}
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <{number}.bounce@{domain}>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=b="

--=b=
Content-Type: text/plain

The mailbox of {address} is full.

--=b=
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.{domain}

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 mailbox full

--=b=
Content-Type: text/rfc822-headers

Message-ID: {reported}
To: {address}

--=b=--
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail in flight."""

    mail_from: str
    to: str
    raw: bytes


def letter(headers: dict[str, str], words: str, *, to: str, mail_from: str) -> Letter:
    """A plain mail."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    raw = f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n".encode()
    return Letter(mail_from=mail_from, to=to, raw=raw)


@dataclass(kw_only=True)
class Machine:
    """Something that answers every mail, whatever it says."""

    address: str
    got: list[datetime] = field(default_factory=list)
    sent: int = 0

    def take(self, mail: Letter, now: datetime) -> Iterator[Letter]:
        """What it answers."""
        self.got.append(now)
        yield from self.answer(HEADERS.parsebytes(mail.raw), mail)

    def answer(self, _message: Message, _mail: Letter) -> Iterator[Letter]:
        """Nothing: a person who only reads."""
        yield from ()

    def nag(self, _desks: list[str]) -> Iterator[Letter]:
        """What it writes when nobody wrote to it for a tick."""
        yield from ()

    def write(self, to: str, subject: str, **more: str) -> Letter:
        """A mail of its own, with a new Message-ID and no marker of a machine."""
        self.sent += 1
        domain = self.address.partition("@")[2]
        headers = {
            "From": self.address,
            "To": to,
            "Subject": subject,
            "Message-ID": f"<{self.sent}.{self.address.partition('@')[0]}@{domain}>",
            **more,
        }
        words = f"Your request {self.sent} was received and will be processed."
        return letter(headers, words, to=to, mail_from=self.address)


@dataclass(kw_only=True)
class Threader(Machine):
    """Answers where it is asked to, with references; nags on the same thread."""

    last: dict[str, Message] = field(default_factory=dict)  # by the desk's domain

    def answer(self, message: Message, _mail: Letter) -> Iterator[Letter]:
        """In the thread."""
        yield self._again(message)

    def _again(self, message: Message) -> Letter:
        to = parseaddr(message["Reply-To"])[1]
        self.last[to.partition("@")[2]] = message
        ids = f"{message['References'] or ''} {message['Message-ID']}".strip()
        subject = f"Re: {message['Subject']}"
        return self.write(to, subject, **self._thread(str(message["Message-ID"]), ids))

    def _thread(self, parent: str, ids: str) -> dict[str, str]:
        return {"In-Reply-To": parent, "References": ids}

    def nag(self, desks: list[str]) -> Iterator[Letter]:
        """The same thread again, or a first mail."""
        for desk in desks:
            last = self.last.get(desk.partition("@")[2])
            yield self._again(last) if last else self.write(desk, "Status?")


@dataclass(kw_only=True)
class Forgetful(Threader):
    """Answers where it is asked to, but refers to nothing."""

    def _thread(self, _parent: str, _ids: str) -> dict[str, str]:
        return {}


@dataclass(kw_only=True)
class Renamer(Machine):
    """Answers with a new subject, to the address in From, and refers to nothing."""

    def answer(self, message: Message, _mail: Letter) -> Iterator[Letter]:
        """As if it were new."""
        yield self._new(parseaddr(message["From"])[1])

    def _new(self, to: str) -> Letter:
        return self.write(to, f"Case {self.sent + 1} opened")

    def nag(self, desks: list[str]) -> Iterator[Letter]:
        """Another matter for each desk."""
        yield from (self._new(desk) for desk in desks)


@dataclass(kw_only=True)
class Vacation(Machine):
    """Says that its owner is away (RFC 3834), each time anew."""

    def answer(self, message: Message, mail: Letter) -> Iterator[Letter]:
        """To the return path, as the standard wants it."""
        yield self.write(
            mail.mail_from,
            f"Auto: {message['Subject']}",
            **{"Auto-Submitted": "auto-replied", "In-Reply-To": str(message["Message-ID"])},
        )


@dataclass(kw_only=True)
class FullMailbox(Machine):
    """Bounces everything."""

    def answer(self, message: Message, mail: Letter) -> Iterator[Letter]:
        """A delivery status notification (RFC 3464) to the return path."""
        self.sent += 1
        text = BOUNCE.format(
            domain=self.address.partition("@")[2],
            to=mail.mail_from,
            number=self.sent,
            address=self.address,
            reported=message["Message-ID"],
        )
        yield Letter(mail_from="", to=mail.mail_from, raw=text.replace("\n", "\r\n").encode())


@dataclass(kw_only=True)
class World:
    """Everybody, and the mail between them."""

    desks: dict[str, House]  # by domain
    machines: list[Machine]
    now: datetime
    flight: list[Letter] = field(default_factory=list)
    rounds: int = 0
    left: dict[str, list[tuple[datetime, Queued]]] = field(default_factory=dict)  # by domain
    read: Counter[str] = field(default_factory=Counter)  # by people, who answer nothing

    def run(self, rounds: int) -> None:
        """Let ticks pass until so many mails were delivered, to whomever."""
        while self.rounds < rounds:
            self.now += TICK
            for house in self.desks.values():
                house.now = self.now
            arriving, self.flight = self.flight, []
            self.rounds += len(arriving)
            busy = {mail.to for mail in arriving}
            for mail in arriving:
                self._deliver(mail)
            for domain, house in self.desks.items():
                house.settle()
                self.flight += self._leaving(domain, house)
            for machine in self.machines:
                if machine.address not in busy:
                    self.flight += machine.nag([f"support@{domain}" for domain in self.desks])

    def _deliver(self, mail: Letter) -> None:
        domain = mail.to.partition("@")[2]
        if domain in self.desks:
            self.desks[domain].deliver(mail.raw, mail_from=mail.mail_from, rcpt=[mail.to])
            return
        for machine in self.machines:
            if machine.address == mail.to:
                self.flight += machine.take(mail, self.now)
                return
        self.read[mail.to] += 1

    def _leaving(self, domain: str, house: House) -> Iterator[Letter]:
        with house.database.transaction() as tx:
            copies = tx.outbox.claim_due(self.now, 10_000, LEASE)
            for copy in copies:
                done = Attempt(code=250, text="250 ok", at=self.now)
                tx.outbox.record(copy.id, done, Fate(state=CopyState.SENT))
        for copy in copies:
            self.left.setdefault(domain, []).append((self.now, copy))
            yield Letter(mail_from=copy.mail_from, to=copy.address, raw=copy.data)


def most_within(times: list[datetime], span: timedelta) -> int:
    """The most of these, in order, that fall into any such span."""
    most, begin = 0, 0
    for end, at in enumerate(times):
        while times[begin] <= at - span:
            begin += 1
        most = max(most, end - begin + 1)
    return most
