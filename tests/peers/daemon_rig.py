"""The real daemon in a folder of its own, as an operator runs it: `mailgate --config ... serve`.

    with Serving(folder, Site(relay=relay.port)) as daemon:
        daemon.send(mail("hello"))
        daemon.settled(1)

Leaving the block stops it by SIGTERM: it must end with 0 within 10 s and without a traceback.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from store.database import Database
from store.inbox import Settled
from tests.peers.ports import free_port

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds; a bound against hanging, not a measure
STOP_WITHIN = 10.0  # seconds from SIGTERM to the end, as the design promises
QUEUE = "support@example.org"

_HEAD = """\
[helpdesk]
domain = "example.org"
name = "Support"
data_dir = "{data}"

[database]
url = "{url}"

[[mailbox]]
address = "support@example.org"
aliases = ["help@example.org"]

[[agent]]
address = "ana@example.net"
name = "Ana"

[[agent]]
address = "bruno@example.net"
name = "Bruno"

[web]
listen = "127.0.0.1:{web}"

[gate]
per_address_hour = 0
per_address_day = 0
changes_hour = 0
per_ticket_hour = 0
per_domain_hour = 0
total_hour = 0
copies_hour = 0
copies_day = 0
agent_hour = 0
agent_ticket_hour = 0
storm_mails = 0

[limits]
flood_mails = 0
flood_domain_mails = 0
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a configuration is made of; ports are on loopback, 0 leaves the part out."""

    url: str = "sqlite"
    smtp: int = field(default_factory=free_port)
    lmtp: int = 0
    web: int = field(default_factory=free_port)
    relay: int = 0
    imap: Sequence[Mapping[str, object]] = ()  # keys of [[imap]]
    extra: str = ""  # TOML

    def toml(self, data: Path) -> str:
        """The text of config.toml."""
        parts = [_HEAD.format(data=data, url=self.url, web=self.web)]
        ports = (("smtp", self.smtp), ("lmtp", self.lmtp))
        for protocol, port in ports:
            if port:
                parts.append(f'[[smtp]]\nlisten = "127.0.0.1:{port}"\nprotocol = "{protocol}"\n')
        if self.relay:
            parts.append(f'[[relay]]\nhost = "127.0.0.1"\nport = {self.relay}\ntls = "none"\n')
        for account in self.imap:
            # A JSON string, number or truth value reads the same in TOML.
            lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in account.items())
            parts.append(f"[[imap]]\n{lines}")
        return "\n".join([*parts, self.extra])


def until(what: str, look: Callable[[], T | bool | None], seconds: float = PATIENCE) -> T:
    """Look until there is something to see, and return it; fails naming `what`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.02)
    return seen  # type: ignore[return-value]


def mail(
    subject: str,
    *,
    sender: str = "Carmen <carmen@example.com>",
    body: str = "Hello\n",
    message_id: str = "",
    cc: str = "",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A small mail to the queue, with a Message-ID of its own."""
    one = EmailMessage()
    one["From"], one["To"], one["Subject"] = sender, QUEUE, subject
    one["Date"] = "Sun, 22 Nov 2026 08:00:00 +0000"
    one["Message-ID"] = message_id or f"<{uuid4().hex}@example.com>"
    if cc:
        one["Cc"] = cc
    for name, value in (headers or {}).items():
        one[name] = value
    one.set_content(body)
    return bytes(one).replace(b"\n", b"\r\n")


def run_cli(
    config: Path | None, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """One command in a process of its own."""
    named = ["--config", str(config)] if config else []
    return subprocess.run(
        [sys.executable, "-m", "mailgate", *named, *words],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        timeout=110,
    )


class Serving:
    """A daemon on a configuration; `start` may follow `stop` or `kill` with the same data."""

    def __init__(self, folder: Path, site: Site, *, name: str = "node") -> None:
        """Write the configuration; nodes that share a PostgreSQL share their blobs too."""
        self.site = site
        self.folder = folder
        self.config = folder / f"{name}.toml"
        self.log_path = folder / f"{name}.log"
        self.config.write_text(site.toml(folder / "data"), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.stop()
            return
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        error.add_note(f"--- {self.log_path.name}\n{self.log()[-4000:]}")

    # --- its life -------------------------------------------------------------------------

    def start(self, **env: str) -> Self:
        """Start, and return when it is up; `env` adds variables."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailgate", "--config", str(self.config), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            )
        until("the daemon to be up", self._up)
        return self

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon ended at once:\n{self.log()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.site.web}/healthz", timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> float:
        """SIGTERM; it must end with 0, in time, without a traceback. Returns the seconds."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_WITHIN)
        took = time.monotonic() - began
        self.process = None
        assert code == 0, f"exit {code}:\n{self.log()[-4000:]}"
        assert "Traceback" not in self.log(), self.log()[-4000:]
        return took

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self) -> str:
        """Everything it has said so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # --- what people do -------------------------------------------------------------------

    def cli(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """One command on the same configuration."""
        return run_cli(self.config, *words, stdin=stdin)

    def json(self, *words: str) -> list[dict[str, Any]]:
        """The objects that a command prints; it must exit with 0."""
        done = self.cli("--json", *words)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def send(self, *raws: bytes, sender: str = "carmen@example.com", rcpt: str = QUEUE) -> None:
        """Hand mails in over SMTP, in one session."""
        with smtplib.SMTP("127.0.0.1", self.site.smtp, timeout=PATIENCE) as client:
            for raw in raws:
                client.sendmail(sender, [rcpt], raw)

    # --- what the tables say --------------------------------------------------------------

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Its database, to look at."""
        database = Database(self._url(), self.folder / "data")
        try:
            yield database
        finally:
            database.close()

    def _url(self) -> str:
        return self.site.url

    def rows(self) -> list[Settled]:
        """All of the inbox, in order of arrival."""
        with self.database() as database, database.reading() as tx:
            return tx.inbox.find(limit=100_000)[::-1]

    def settled(self, count: int, seconds: float = PATIENCE) -> list[Settled]:
        """Wait until so many mails are settled and none waits; all of the inbox."""

        def all_settled() -> list[Settled] | None:
            rows = self.rows()
            done = len(rows) >= count and all(row.outcome for row in rows)
            return rows if done else None

        return until(f"{count} settled mails", all_settled, seconds)

    def outcomes(self) -> Counter[str]:
        """How many mails ended in each outcome."""
        return Counter(row.outcome.value if row.outcome else "waiting" for row in self.rows())

    def quiet(self) -> None:
        """Wait until nothing waits to leave."""

        def nothing_due() -> bool:
            with self.database() as database, database.reading() as tx:
                return tx.stats.depths().outbox == 0

        until("an empty outbox", nothing_due)

    def balanced(self) -> None:
        """`ledger --check` is content."""
        done = self.cli("ledger", "--check")
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
