"""A real listener on loopback in a thread of its own, with a durable file behind it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from mailgate.core.mail import Inbound
from mailgate.sources.smtp import Limits, Listener, ListenerSettings, Wire

T = TypeVar("T")
MAILBOXES = {"support@example.org", "sales@example.org", "billing@example.org", "postmaster"}
PATIENCE = 20.0  # seconds a test waits for a reply before it fails


def accepts(address: str) -> bool:
    """Our mailboxes, plus-addresses of support, and one that needs SMTPUTF8."""
    local, _, domain = address.lower().rpartition("@")
    plain = f"{local.partition('+')[0]}@{domain}" if local else domain
    return plain in MAILBOXES or address == "grüße@example.org"


class FileIntake:
    """Appends each mail to a file and syncs it, one after another, as an intake would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before: Callable[[Inbound], None] = lambda _mail: None  # runs ahead of each write
        self._thread = ThreadPoolExecutor(1)

    def submit(self, mail: Inbound) -> Future[int]:
        """Write in the thread; the future gives the number of the line."""
        return self._thread.submit(self._write, mail)

    def _write(self, mail: Inbound) -> int:
        self.before(mail)
        row = {
            "mail_from": mail.envelope.mail_from,
            "rcpt_tos": list(mail.envelope.rcpt_tos),
            "login": mail.envelope.login,
            "helo": mail.envelope.helo,
            "peer": mail.envelope.peer,
            "source": mail.source,
            "source_key": mail.source_key,
            "raw": base64.b64encode(mail.raw).decode(),
        }
        with self.path.open("a") as journal:
            journal.write(json.dumps(row) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        return len(self.path.read_text().splitlines())

    def mails(self) -> list[dict[str, Any]]:
        """What is on the disk, with `raw` decoded; waits for writes under way."""
        self._thread.submit(int).result()
        if not self.path.exists():
            return []
        rows = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [row | {"raw": base64.b64decode(row["raw"])} for row in rows]

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


class Rig:
    """`with Rig(tmp_path, ...) as rig:` gives a running listener and clients to it."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits | None = None,
        submit: Callable[[Inbound], Future[int]] | None = None,
        **settings: Any,
    ) -> None:
        self.intake = FileIntake(folder / "taken.jsonl")
        self.settings = ListenerSettings(
            name="smtp test",
            host="127.0.0.1",
            port=0,
            hostname="mx.example.org",
            limits=limits or Limits(),
            **settings,
        )
        self.listener = Listener(self.settings, accepts, submit or self.intake.submit)

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the listener's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE)

    def __enter__(self) -> Rig:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self.listener.start())
        self.port = self.listener.port
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.run(self.listener.stop(2.0))
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.intake.close()

    def client(self, source: str = "") -> Client:
        """Connect, without reading the greeting; from an address in 127.0.0.0/8 if one is given."""
        return Client(self.port, source)

    def greeted(self, hello: str = "", source: str = "") -> Client:
        """Connect and say hello in the listener's protocol."""
        client = self.client(source)
        client.expect("220")
        verb = "LHLO" if self.settings.protocol is Wire.LMTP else "EHLO"
        client.say(hello or f"{verb} client.example.com")
        client.reply()
        return client

    def ready(self, *rcpts: str, mail_from: str = "alice@example.com", params: str = "") -> Client:
        """Connect and go on until DATA was answered with 354."""
        client = self.greeted()
        client.ask(f"MAIL FROM:<{mail_from}>{params}", "250")
        for rcpt in rcpts or ("support@example.org",):
            client.ask(f"RCPT TO:<{rcpt}>", "250")
        client.ask("DATA", "354")
        return client


class Client:
    """A blocking socket that speaks lines."""

    def __init__(self, port: int, source: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(data)

    def say(self, line: str) -> None:
        """Send one line."""
        self.send(line.encode() + b"\r\n")

    def line(self) -> str:
        """Read one line; "" at the end of the conversation."""
        try:
            return self._file.readline().decode().rstrip("\r\n")
        except ConnectionResetError:
            return ""

    def reply(self) -> list[str]:
        """Read one reply, which may have several lines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def expect(self, start: str) -> str:
        """Read one reply and check how its last line starts."""
        last = self.reply()[-1]
        assert last.startswith(start), (last, start)
        return last

    def ask(self, line: str, start: str) -> str:
        """Say a line and check the start of the reply."""
        self.say(line)
        return self.expect(start)

    def at_end(self) -> bool:
        """Tell if the server has closed the conversation."""
        return self.line() == ""

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
