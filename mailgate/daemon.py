"""The composition root: starts every room, watches over it, and ends it in order.

Order of the end: listeners stop taking mail, sources stop, intake commits what it holds, worker
and mailer finish the mail in hand and give the rest back, the web goes last. Under 10 seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from mailgate import activation, journal
from mailgate.assembly import (
    imap,
    instance_of,
    listener,
    make_desk,
    make_parsers,
    make_verifier,
    ready_database,
    relays,
)
from mailgate.config import Config
from mailgate.core.policy import Policy
from mailgate.fetching import Fetcher
from mailgate.intake import Intake
from mailgate.mailer import Mailer
from mailgate.memory import return_large_blocks
from mailgate.notify import notify, watchdog_seconds
from mailgate.sources.imap import DatabaseCursors, ImapSource
from mailgate.sources.smtp import Listener
from mailgate.timers import Timers
from mailgate.upkeep import BOOKS, Upkeep
from mailgate.web import WebServer, make_app
from mailgate.worker import Worker
from store.database import Database, Unavailable

LISTENER_GRACE = 3.0  # seconds for mails that are just coming in
INTAKE_GRACE = 0.5  # seconds for the commit of what the listeners took
THREAD_GRACE = 6.0  # seconds for worker, mailer and sources together
LAST_STEPS = 1.5  # seconds kept for web and parsers
END = 8.0  # seconds for all of it


@dataclass(kw_only=True)
class _Threads:
    """Named threads that end with one event; the first that fails ends the daemon."""

    stop: threading.Event
    failed: Callable[[str], None]
    running: list[threading.Thread] = field(default_factory=list)

    def start(self, name: str, run: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                run()
            except Exception as error:
                journal.trouble(what=name, error=error)
                self.failed(name)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        self.running.append(thread)

    def end(self, within: float) -> list[str]:
        """Stop all; returns the names of those that did not come to an end."""
        self.stop.set()
        until = datetime.now(UTC).timestamp() + within
        for thread in self.running:
            thread.join(max(0.0, until - datetime.now(UTC).timestamp()))
        return [thread.name for thread in self.running if thread.is_alive()]


class Daemon:
    """Everything that runs in one process; `run` returns the exit status."""

    def __init__(self, config: Config) -> None:
        return_large_blocks()
        self.config = config
        self.database = ready_database(config)
        self.desk = make_desk(config, instance_of(self.database))
        self.parsers = make_parsers(config)
        self.verifier = make_verifier(self.desk)
        self._worker_wake = threading.Event()
        self._mailer_wake = threading.Event()
        self._ended = asyncio.Event()
        self._failed = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = _Threads(stop=threading.Event(), failed=self._fail)
        self._listeners: list[Listener] = []
        self._lock: BinaryIO | None = None
        self.web: WebServer | None = None

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT: 0; 1 when a room failed. Raises OSError at the start."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._alone()
        intake = Intake(self.database, self._worker_wake.set)
        try:
            await self._start(intake)
            notify("READY=1\nSTATUS=taking mail")
            await self._until_ended()
        finally:
            notify("STOPPING=1")
            await self._stop(intake)
        return 1 if self._failed else 0

    def _alone(self) -> None:
        """On SQLite one daemon serves; the claims of one that died are given back.

        Raises OSError when another one is running.
        """
        file = self.database.engine.url.database
        if not self.database.sqlite or not file:
            return
        self._lock = open(f"{file}.lock", "wb")  # noqa: SIM115 - held until the end
        try:
            # A record lock: unlike flock(2) it does not live on in a child of ours.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OSError(f"another mailgate serves {file}; SQLite is for one") from error
        with self.database.transaction() as tx:
            tx.inbox.release_all(datetime.now(UTC))
            tx.outbox.orphaned(datetime.now(UTC))
            tx.sources.release_all()

    async def _start(self, intake: Intake) -> None:
        """Ports first: where one is taken, nothing else has begun to work."""
        await self._start_listeners(intake)
        await self._start_web()
        self._start_threads(intake)

    async def _start_listeners(self, intake: Intake) -> None:
        sockets = activation.inherited()
        for section in self.config.smtp:
            settings, name = listener(section, self.config), section.listen.inherited
            one = Listener(settings, accepts_for(self.desk.policy), intake.submit)
            with _naming(f"{settings.protocol} listener at {section.listen}"):
                await one.start(activation.take(sockets, name) if name else ())
            self._listeners.append(one)
            report(self.database, settings.name, True, "listening")
        for name in sockets:
            journal.trouble(what="sockets", error=f"no [[smtp]] listens at fd:{name}")

    def _reload(self) -> None:
        """SIGHUP: read certificates and logins again; where they are broken the old ones stay."""
        for section, one in zip(self.config.smtp, self._listeners, strict=False):
            try:
                one.renew(listener(section, self.config))
            except (OSError, ValueError) as error:
                journal.trouble(what="reload", error=error, source=one.settings.name)

    def _start_threads(self, intake: Intake) -> None:
        config, stop = self.config, self._threads.stop
        worker = Worker(
            database=self.database,
            parsers=self.parsers,
            desk=self.desk,
            settled=self._mailer_wake.set,
            verifier=self.verifier,
        )
        mailer = Mailer(self.database, relays(config))
        timers = Timers(self.database, self.desk, rung=self._mailer_wake.set)
        self._threads.start("worker", lambda: worker.run(stop, self._worker_wake))
        self._threads.start("mailer", lambda: mailer.run(stop, self._mailer_wake))
        self._threads.start("timers", lambda: timers.run(stop))
        upkeep = Upkeep(self.database, functools.partial(report, self.database))
        self._threads.start("upkeep", lambda: upkeep.run(stop))
        cursors = DatabaseCursors(self.database, _holder())
        for account in config.imap:
            source = ImapSource(
                imap(account, config),
                submit=intake.submit,
                cursors=cursors,
                health=lambda name, ok, detail: report(self.database, f"imap {name}", ok, detail),
            )
            self._threads.start(f"imap {account.label}", lambda s=source: s.run(stop))  # type: ignore[misc]

    async def _start_web(self) -> None:
        config = self.config
        if config.web.listen is None:
            return
        own = config.helpdesk.templates
        app = make_app(
            self.database,
            name=config.helpdesk.name,
            started=datetime.now(UTC),
            template_dirs=[own / "web"] if own else [],
            sources=source_names(config),
        )
        fetcher = Fetcher(database=self.database, parsers=self.parsers, policy=self.desk.policy)
        app = app.with_files(fetcher)
        self.web = WebServer(app, config.web.listen.host, config.web.listen.port)
        with _naming(f"web at {config.web.listen}"):
            await self.web.start()

    async def _until_ended(self) -> None:
        every = watchdog_seconds()
        while not self._ended.is_set():
            try:
                await asyncio.wait_for(self._ended.wait(), every or None)
            except TimeoutError:
                notify("WATCHDOG=1")

    def _fail(self, name: str) -> None:
        self._failed = name
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)

    async def _stop(self, intake: Intake) -> None:
        until = time.monotonic() + END - LAST_STEPS
        ends = [asyncio.create_task(one.stop(LISTENER_GRACE)) for one in self._listeners]
        if ends:
            await asyncio.wait(ends, timeout=LISTENER_GRACE / 3)
        # While connections are still open: whoever waits for a commit that hangs is told.
        if not await asyncio.to_thread(intake.close, INTAKE_GRACE):
            journal.trouble(what="intake", error="a commit did not end in time; not acknowledged")
            self.database.hurry()
        await asyncio.gather(*ends)
        self._threads.stop.set()
        self._worker_wake.set()
        self._mailer_wake.set()
        grace = min(THREAD_GRACE, max(0.0, until - time.monotonic()))
        left = await asyncio.to_thread(self._threads.end, grace)
        self.database.hurry()
        for name in left:
            journal.trouble(what=name, error="did not end in time; its claims fall due again")
        if self.web is not None:
            await self.web.stop()
        await asyncio.to_thread(self.parsers.close)
        if self.verifier is not None:
            await asyncio.to_thread(self.verifier.close)
        self.database.close()
        if self._lock is not None:
            self._lock.close()
        journal.stopped(what="mailgate", why=self._failed and f"{self._failed} failed")


def accepts_for(policy: Policy) -> Callable[[str], bool]:
    """Which recipients a listener takes: our mailboxes, their aliases, with any +tag."""
    return policy.own


def source_names(config: Config) -> tuple[str, ...]:
    """The names under which the ways in and out report."""
    listeners = [f"{s.protocol} {s.listen}" for s in config.smtp]
    accounts = [f"imap {account.label}" for account in config.imap]
    accounts += [f"sent {account.label}" for account in config.imap if account.sent]
    return (*listeners, *accounts, *(f"relay {r.host}:{r.port}" for r in config.relay), BOOKS)


def report(database: Database, name: str, ok: bool, detail: str) -> None:
    """Note the health of a source; a database that is away has its own red light."""
    try:
        with database.transaction() as tx:
            tx.sources.report(name, ok=ok, detail=detail, now=datetime.now(UTC))
    except Unavailable as error:
        journal.trouble(what="health", error=error, source=name)


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Say which part of the configuration an OSError is about."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{what}: {error.strerror or error}") from error


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
