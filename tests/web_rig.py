"""A real site for the web tests: a database full of private words, and uvicorn in front of it."""

from __future__ import annotations

import asyncio
import http.client
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from starlette.applications import Starlette

from mailgate.core.decision import (
    Attempt,
    CopyState,
    Decision,
    Fate,
    Notice,
    OpenTicket,
    Outcome,
    Outgoing,
    Recipient,
    Step,
)
from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.ticket import MessageKind
from mailgate.web import WebServer, make_app
from store.database import Database, Tx
from store.inbox import Arrival

CANARY = "xq7canary"
PAYLOAD = f"<script>{CANARY}()</script>\"'><img src=x onerror={CANARY}()>"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
IMAP = f"imap support@{CANARY}.example.org/INBOX"
STARTED = NOON - timedelta(days=3)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """The database, its clock and the address of the server."""

    database: Database
    port: int = 0
    clock: Clock = field(default_factory=Clock)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            wire.request(method, path, headers=headers)
            reply = wire.getresponse()
            names = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, names, reply.read())
        finally:
            wire.close()

    @property
    def file(self) -> Path:
        return Path(str(self.database.engine.url.database))

    def dump(self) -> list[str]:
        """Every row, read by nobody's code but sqlite's."""
        wire = sqlite3.connect(self.file)
        try:
            return list(wire.iterdump())
        finally:
            wire.close()


class InThread:
    """Runs a WebServer in an event loop of its own."""

    def __init__(self, app: Starlette) -> None:
        self.server = WebServer(app, "127.0.0.1", 0)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> WebServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(10)
        return self.server

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@contextmanager
def served(database: Database, sources: tuple[str, ...] | None = None) -> Iterator[Site]:
    """A database behind a real server."""
    site = Site(database)
    app = make_app(
        database, name="Example Support", started=STARTED, sources=sources, clock=site.clock
    )
    with InThread(app) as server:
        site.port = server.port
        yield site


def arrive(tx: Tx, key: str, at: datetime, source: str = "smtp 127.0.0.1:2525") -> int:
    """Put a mail into the inbox; returns its id."""
    secret = f"{CANARY}-{key}@example.com"
    arrival = Arrival(
        source=source,
        source_key=key,
        digest=tx.blobs.put(f"Subject: {PAYLOAD} {key}".encode(), at),
        fingerprint=key,
        message_id=f"<{secret}>",
        envelope=Envelope(mail_from=secret, rcpt_tos=(secret,), helo=PAYLOAD),
        received=at,
        live=True,
    )
    return tx.inbox.add_many([arrival])[0][0]


def settle(tx: Tx, inbox: int, outcome: Outcome, at: datetime) -> None:
    """Give a mail its outcome."""
    trace = (Step(step="screen", verdict=PAYLOAD, reason=CANARY),)
    decision = Decision(outcome=outcome, reason=PAYLOAD, trace=trace)
    tx.inbox.settle(inbox, decision, None, at)


def open_ticket(
    tx: Tx, at: datetime, status: str = "new", priority: str = "normal", queue: str = "support"
) -> int:
    """A ticket whose every private field says the canary."""
    who = Address(addr=f"{CANARY}{at:%H%M%S}@example.com", name=PAYLOAD)
    effect = OpenTicket(
        subject=PAYLOAD,
        requester=who,
        queue=queue,
        status=status,
        priority=priority,
        language="en",
        source="smtp",
    )
    number = tx.tickets.open(effect, at)
    mail = ParsedMail(digest="0" * 64, size=1, message_id=f"<{CANARY}>", text=PAYLOAD)
    tx.tickets.add_message(number, mail, MessageKind.CUSTOMER, who, now=at)
    tx.tickets.set_field(number, "assignee", f"{CANARY}@example.org", at)
    tx.tickets.add_tag(number, CANARY)
    return number


def enqueue(tx: Tx, ticket: int, key: str, at: datetime) -> None:
    """Put a mail into the outbox."""
    to = f"{CANARY}-{key}@example.com"
    mail = Outgoing(
        notice=Notice.ANSWER,
        ticket=ticket,
        message_id=f"<{key}@example.org>",
        mail_from="support@example.org",
        raw=f"Subject: {PAYLOAD}\r\n\r\n{CANARY}\r\n".encode(),
        heads={to: f"To: {to}\r\n".encode()},
        automatic=False,
    )
    tx.outbox.add(mail, [Recipient(address=to, role="requester", why=CANARY)], at)


def finish(tx: Tx, state: CopyState, at: datetime) -> None:
    """End every copy that is due in this state."""
    for copy in tx.outbox.claim_due(at, 100, timedelta(minutes=5)):
        attempt = Attempt(code=550, text=f"{PAYLOAD} refused", at=at)
        tx.outbox.record(copy.id, attempt, Fate(state=state))


def fill(site: Site, now: datetime = NOON) -> None:
    """A calm working day: nothing wrong, every table in use."""
    rows = [
        ("new", "normal", "support"),
        ("open", "urgent", "support"),
        ("open", "high", "billing"),
        ("waiting", "normal", "support"),
        ("closed", "low", "<b>shop</b>"),
    ]
    with site.database.transaction() as tx:
        for at, (status, priority, queue) in enumerate(rows):
            made = now - timedelta(hours=30 * (len(rows) - at), seconds=at)
            number = open_ticket(tx, made, status, priority, queue)
            enqueue(tx, number, f"sent{at}", made)
        finish(tx, CopyState.SENT, now)
        enqueue(tx, number, "fresh", now - timedelta(minutes=2))
        for at, outcome in enumerate((Outcome.TICKET, Outcome.REPLY, Outcome.REPLY)):
            settle(tx, arrive(tx, f"k{at}", now - timedelta(hours=at)), outcome, now)
        arrive(tx, "waits", now - timedelta(minutes=1))
        for name in ("smtp 127.0.0.1:2525", IMAP):
            tx.sources.report(name, ok=True, detail=CANARY, now=now - timedelta(minutes=3))
