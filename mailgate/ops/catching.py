"""A relay that takes every mail and delivers none: where mail goes in a demo or on a test stand."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_LONGEST_LINE = 1024 * 1024
_PATH = re.compile(r"(?:FROM|TO):\s*<([^>]*)>", re.I)
_UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtMail:
    """A mail as it came: the envelope, and the exact bytes after dot-unstuffing."""

    number: int  # 1 is the first
    mail_from: str
    rcpt_tos: tuple[str, ...]
    options: str  # what followed the path in MAIL
    data: bytes
    path: Path | None = None


class Hangup(Exception):
    """Break the connection without another word."""


@dataclass(slots=True)
class _Transaction:
    mail_from: str | None = None
    options: str = ""
    rcpt_tos: list[str] = field(default_factory=list)


class Conversation:
    """One SMTP session (RFC 5321). `objection` is there to be overridden by a relay with moods."""

    def __init__(
        self, relay: CatchingRelay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.relay = relay
        self.reader = reader
        self.writer = writer
        self._mail = _Transaction()
        self.commands: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail_from,
            "RCPT": self._rcpt_to,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }

    def extensions(self) -> list[str]:
        """The lines of the EHLO answer after the first."""
        return ["SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]

    async def objection(self, step: str, argument: str) -> str | None:  # noqa: ARG002 - a hook
        """A reply that refuses a step, None to go on. Raises Hangup.

        Steps are `connect`, the verbs, `dot` (all data are here, nothing is kept yet) and `kept`
        (the mail is kept, the answer has not been given).
        """
        return None

    async def run(self) -> None:
        """Speak until QUIT, Hangup or the end of the connection."""
        try:
            await self._answer("connect", "", "220 catching ESMTP")
            while line := await self.reader.readline():
                text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
                verb, _, argument = text.partition(" ")
                await self.commands.get(verb.upper(), self._unknown)(argument)
        except (Hangup, ConnectionError, ValueError):  # ValueError: a line without end
            self.writer.transport.abort()

    async def say(self, *lines: str) -> None:
        """Send a reply; the lines of a longer one come with their code and hyphen."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8"))
        await self.writer.drain()

    async def _answer(self, step: str, argument: str, *good: str) -> bool:
        objection = await self.objection(step, argument)
        await self.say(*([objection] if objection else good))
        return objection is None

    async def _ehlo(self, name: str) -> None:
        self._mail = _Transaction()
        lines = [f"catching greets {name}", *self.extensions()]
        parts = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        await self._answer("EHLO", name, *parts)

    async def _helo(self, name: str) -> None:
        self._mail = _Transaction()
        await self._answer("HELO", name, "250 catching")

    async def _mail_from(self, argument: str) -> None:
        path = _PATH.match(argument)
        if not path or self._mail.mail_from is not None:
            await self.say("503 5.5.1 one MAIL FROM:<address> at a time")
        elif await self._answer("MAIL", path[1], "250 2.1.0 sender taken"):
            self._mail = _Transaction(path[1], argument[path.end() :].strip())

    async def _rcpt_to(self, argument: str) -> None:
        path = _PATH.match(argument)
        if not path or self._mail.mail_from is None:
            await self.say("503 5.5.1 RCPT TO:<address> comes after MAIL")
        elif await self._answer("RCPT", path[1], "250 2.1.5 recipient taken"):
            self._mail.rcpt_tos.append(path[1])

    async def _data(self, _argument: str) -> None:
        if not self._mail.rcpt_tos:
            await self.say("503 5.5.1 DATA comes after RCPT")
        elif await self._answer("DATA", "", "354 end with a dot on a line of its own"):
            await self._take(await self._read_data())
            self._mail = _Transaction()

    async def _take(self, data: bytes) -> None:
        refusal = await self.objection("dot", "")
        if refusal:
            await self.say(refusal)
            return
        mail = self._mail
        number = self.relay.keep(mail.mail_from or "", tuple(mail.rcpt_tos), mail.options, data)
        await self._answer("kept", "", f"250 2.0.0 kept as number {number}")

    async def _read_data(self) -> bytes:
        lines = []
        # Only CRLF . CRLF is the end (RFC 5321, 4.1.1.4): ".\n" is a line like any other.
        while (line := await self.reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise ConnectionResetError("gone in the middle of the data")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    async def _rset(self, _argument: str) -> None:
        self._mail = _Transaction()
        await self._answer("RSET", "", "250 2.0.0 forgotten")

    async def _noop(self, _argument: str) -> None:
        await self.say("250 2.0.0 nothing done")

    async def _quit(self, _argument: str) -> None:
        await self._answer("QUIT", "", "221 2.0.0 goodbye")
        raise Hangup

    async def _unknown(self, _argument: str) -> None:
        await self.say("500 5.5.2 unknown command")


class CatchingRelay:
    """Listens on `host` in a thread of its own; mails are in `mails` and, as .eml, in `folder`.

    For loopback: no limits and no login are kept, whoever reaches the port may fill the disk.
    """

    conversation: type[Conversation] = Conversation

    def __init__(
        self,
        folder: Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_mail: Callable[[CaughtMail], None] | None = None,
    ) -> None:
        """`port` 0 lets the system choose. `on_mail` is called before the mail is acknowledged."""
        self.host = host
        self.port = port
        self.mails: list[CaughtMail] = []
        self._folder = folder
        self._on_mail = on_mail
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self.closing = asyncio.Event()

    def start(self) -> Self:
        """Listen; returns when the port is open. Raises OSError."""
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
        try:
            server = self._loop.run_until_complete(self.listen())
        except OSError:
            self._loop.close()
            raise
        self.port = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._serve, args=(server,), name="catching")
        self._thread.start()
        return self

    async def listen(self) -> asyncio.Server:
        """Open the port."""
        return await asyncio.start_server(
            self._connected, self.host, self.port, limit=_LONGEST_LINE
        )

    def _serve(self, server: asyncio.Server) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed(server))

    async def _until_closed(self, server: asyncio.Server) -> None:
        await self.closing.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        while self._writers:
            await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self.conversation(self, reader, writer).run()
        finally:
            writer.close()
            self._writers.discard(writer)

    def keep(self, mail_from: str, rcpt_tos: tuple[str, ...], options: str, data: bytes) -> int:
        """Store a mail; returns its number."""
        number = len(self.mails) + 1
        path = None
        if self._folder:
            name = _UNSAFE.sub("_", rcpt_tos[0])[:80]
            path = self._folder / f"{number:05}-{name}.eml"
            path.write_bytes(data)
        mail = CaughtMail(
            number=number,
            mail_from=mail_from,
            rcpt_tos=rcpt_tos,
            options=options,
            data=data,
            path=path,
        )
        if self._on_mail:
            self._on_mail(mail)
        self.mails.append(mail)
        return number

    def stop(self) -> None:
        """Close the port and every connection; mails stay where they are."""
        if self._thread:
            self._loop.call_soon_threadsafe(self.closing.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
