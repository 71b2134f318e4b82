"""One connection and its loop of command and reply: the only importer of aiosmtpd.

aiosmtpd supplies the protocol object, its states and STARTTLS. Its command loop is replaced: it
cancels a handler whose client hangs up, answers trouble with the text of the
exception, and counts neither errors nor harmless commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiosmtpd.smtp import SMTP, TLSSetupException

from mailgate import crash, journal
from mailgate.core.mail import Inbound
from mailgate.sources.smtp_proxy import NotProxied, read_header
from mailgate.sources.smtp_settings import ListenerSettings, Wire, plain_ip
from mailgate.sources.smtp_wire import Refused

TAKEN = "250 2.0.0 Taken"
FULL = "452 4.3.1 No room for it now, please try again later"
TROUBLE = "451 4.3.0 Temporary trouble, please try again later"
_CROWDED = "421 4.7.0 Too many connections, please try again later"
BLOCK = 64 * 1024
_LINE_MAX = 2048  # RFC 5321 gives 512, SMTPUTF8 and parameters more
_AUTH_LINE_MAX = 12288  # RFC 4954, section 4
_FLUSH = 5.0  # seconds a closing connection has for its last words
# A browser made to talk to a mail port (the ALPACA attack), or a proxy that nobody announced.
_HTTP = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI")
_FOREIGN = frozenset([*_HTTP, "PROXY"])


class Door(Protocol):
    """What a connection asks of the listener it belongs to."""

    settings: ListenerSettings
    accepts: Callable[[str], bool]

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; False when there are too many."""

    def place(self, connection: Connection) -> bool:
        """Count it for its network; False when too many are from there."""

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""

    def hold(self, octets: int) -> bool:
        """Count octets of mail kept in memory (or given back); False when that is too much."""

    def commit(self, mail: Inbound) -> asyncio.Task[str]:
        """Hand a mail over; the task gives the reply: TAKEN once it is on stable storage."""

    async def login(self, ip: str, login: str, password: str) -> bool:
        """Judge one SMTP AUTH attempt. Raises Refused after too many failures."""


class Connection(SMTP):
    """The life of a connection, from greeting to goodbye; a subclass fills `verbs`."""

    line_length_limit = BLOCK  # the stream's buffer is at most twice this, and one read

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        settings = door.settings
        super().__init__(
            None,
            data_size_limit=settings.limits.size,
            enable_SMTPUTF8=True,
            hostname=settings.hostname,
            tls_context=settings.tls,
            timeout=settings.limits.idle,
            loop=loop,
        )
        self.door = door
        self.ip = ""
        self.in_mail = False  # between DATA and its answer
        self.verbs: dict[str, Callable[[str], Awaitable[None]]] = {}
        self.commands = 0
        self._admitted = False
        self._proxied = False
        self._retiring = False
        self._errors = 0
        self._abort_handle: asyncio.TimerHandle | None = None

    # --- the transport -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, or answer 421; called again when TLS has begun."""
        if self._admitted:
            super().connection_made(transport)
            self.secured()
            return
        peer = transport.get_extra_info("peername")
        self.ip = plain_ip(str(peer[0])) if peer else ""
        self._proxied = self.door.settings.is_proxy(self.ip)
        if self._enter():
            self._admitted = True
            super().connection_made(transport)
            return
        self.log_deferred("too many connections")
        # Sockets always give a Transport; the event loop's interface does not say so.
        if isinstance(transport, asyncio.Transport):
            transport.write(f"{_CROWDED}\r\n".encode())
            transport.close()

    def _enter(self) -> bool:
        if not self.door.admit(self):
            return False
        if self._proxied or self.door.place(self):
            return True
        self.door.leave(self)
        return False

    def secured(self) -> None:
        """TLS has begun: forget all that was said before (RFC 3207, section 4.2)."""

    def connection_lost(self, error: Exception | None) -> None:
        """End the conversation; a commit under way goes on without it."""
        if not self._admitted:
            return
        self._admitted = False
        if self._abort_handle is not None:
            self._abort_handle.cancel()
        self.door.leave(self)
        super().connection_lost(error)

    def eof_received(self) -> bool:
        """Let a client that closed its sending half still read the answer to its mail."""
        if not self._admitted:
            return False
        asyncio.StreamReaderProtocol.eof_received(self)
        return self._tls_protocol is None and not crash.weakened("shield")

    def _timeout_cb(self) -> None:
        if self.in_mail:
            self.log_deferred("too slow")
        self.last_words("421 4.4.2 Too slow, closing the connection")

    def last_words(self, reply: str) -> None:
        """Say this and close, within bounds even if the peer never reads."""
        transport = self.transport
        if isinstance(transport, asyncio.Transport) and self.is_open():
            transport.write(f"{reply}\r\n".encode())
            transport.close()
            self._abort_handle = self.loop.call_later(_FLUSH, transport.abort)

    def is_open(self) -> bool:
        """Tell if the conversation can go on."""
        transport = self.transport
        return isinstance(transport, asyncio.Transport) and not transport.is_closing()

    def retire(self) -> None:
        """Close now, or after the answer when a mail is under way."""
        self._retiring = True
        if not self.in_mail:
            self.last_words("421 4.3.2 Shutting down, please try again later")

    def abort(self) -> None:
        """Drop the connection without a word."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    # --- the conversation ----------------------------------------------------------------

    async def _handle_client(self) -> None:
        try:
            await self._receive_guest()
            while self.is_open() and await self._turn():
                if self._retiring:
                    self.retire()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up, which it may do at any time
        except TLSSetupException as error:
            # The TLS layer does not report a connection lost in its handshake.
            if self._original_transport is not None:
                self._original_transport.close()
            self.connection_lost(error)
        finally:
            self._writer.close()

    async def _receive_guest(self) -> None:
        """Learn who it is, and greet. Whoever cannot wait for the greeting is no mail server."""
        settings = self.door.settings
        if self._proxied:
            await self._unmask()
        if settings.banner_delay and not settings.trusts(self.ip):
            await asyncio.sleep(settings.banner_delay)
            self.check_in_step()
        if self.is_open():
            word = "LMTP" if settings.protocol is Wire.LMTP else "ESMTP"
            await self.push(f"220 {settings.hostname} {word}")

    async def _unmask(self) -> None:
        """Take the peer's address from the proxy's header."""
        try:
            self.ip = await read_header(self._reader)
        except NotProxied as error:
            self.log_refused("no PROXY header")
            self.last_words("554 5.5.0 A PROXY header was expected")
            raise ConnectionAbortedError from error
        if not self.door.place(self):
            self.log_deferred("too many connections")
            self.last_words(_CROWDED)

    async def _turn(self) -> bool:
        """Read and answer one command. False when the conversation is over."""
        line = await self.read_line()
        verb, _, rest = line.rstrip(b"\r\n").partition(b" ")
        name = verb.decode("ascii", "replace").upper()
        if name in _FOREIGN or not name.isprintable():
            self.log_refused("not a mail client")
            self.last_words("554 5.5.0 This is a mail server")
            return False
        self.commands += 1
        if self.commands > self.door.settings.limits.commands:
            self.log_deferred("too many commands")
            self.last_words("421 4.7.0 Too many commands, closing the connection")
            return False
        self._reset_timeout()
        if len(line) > (_AUTH_LINE_MAX if name == "AUTH" else _LINE_MAX):
            await self.push("500 5.5.2 Line too long")
        else:
            await self._answer(name, rest.strip().decode("utf-8", "surrogateescape"))
        return True

    async def read_line(self) -> bytes:
        """Read one line, its end included. Raises IncompleteReadError or ConnectionError."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            self.last_words("500 5.5.2 Line too long, closing the connection")
            raise ConnectionAbortedError from error

    async def _answer(self, name: str, arg: str) -> None:
        command = self.verbs.get(name)
        try:
            if command is None:
                raise Refused("500 5.5.2 Command not recognised")
            await command(arg)
        except Refused as refused:
            await self.push(refused.reply)
        except (asyncio.IncompleteReadError, ConnectionError, TLSSetupException):
            raise
        except Exception as error:
            await self.push(await self.handle_exception(error))

    async def handle_exception(self, error: Exception) -> str:
        """Log our own trouble and give the one answer for it, which says nothing about it."""
        journal.trouble(what="smtp", error=error, source=self.door.settings.name, peer=self.ip)
        return TROUBLE

    async def push(self, status: str | bytes) -> None:
        """Send a reply. Errors are counted, and too many of them end the conversation.

        452 is no error: a client that splits a long list of recipients gets many of them.
        """
        text = status if isinstance(status, bytes) else status.encode()
        self._writer.write(text + b"\r\n")
        if text[:1] in (b"4", b"5") and not text.startswith(b"452"):
            self._errors += 1
            settings = self.door.settings
            if self._errors >= settings.limits.errors and not settings.trusts(self.ip):
                self.log_deferred("too many errors")
                self.last_words("421 4.7.0 Too many errors, closing the connection")
        await self._writer.drain()

    def check_in_step(self) -> None:
        """Raise Refused and close if the client talked out of turn (RFC 2920, section 3.1)."""
        if self._reader._buffer:  # type: ignore[attr-defined]
            self.log_refused("out of step")
            self.last_words("554 5.5.0 Protocol out of step, closing the connection")
            raise ConnectionAbortedError

    def log_refused(self, why: str) -> None:
        """Journal a 5xx, with one of a few fixed words."""
        journal.refused(source=self.door.settings.name, why=why, peer=self.ip)

    def log_deferred(self, why: str) -> None:
        """Journal a 4xx, with one of a few fixed words."""
        journal.deferred(source=self.door.settings.name, why=why, peer=self.ip)
