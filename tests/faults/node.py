"""One mailgate as a process: started armed or not, watched, weighed, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.processes import weigh
from store.database import Database
from tests.peers.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
AGENT = "ana@example.org"
QUEUE = "support@example.org"
PATIENCE = 30.0  # seconds; a bound against hanging, not a measure

_CONFIG = """\
[helpdesk]
domain = "example.org"
name = "Support"
data_dir = {data}

[database]
url = {url}

[[mailbox]]
address = "support@example.org"

[[agent]]
address = "ana@example.org"
name = "Ana"

[[smtp]]
listen = "127.0.0.1:{smtp}"

[[smtp]]
listen = "127.0.0.1:{lmtp}"
protocol = "lmtp"

[[relay]]
host = "127.0.0.1"
port = {relay}
tls = "none"

[web]
listen = ""

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


class Node:
    """A configuration, its data, and at most one process that serves it."""

    def __init__(
        self,
        folder: Path,
        *,
        url: str = "sqlite",
        relay: int = 9,
        imap: Mapping[str, object] | None = None,
        data: Path | None = None,
    ) -> None:
        self.data = data or folder / "data"
        self.url = url
        self.smtp, self.lmtp = free_port(), free_port()
        self.config = folder / "config.toml"
        self.log_path = folder / "node.log"
        text = _CONFIG.format(
            data=json.dumps(str(self.data)),
            url=json.dumps(url),
            smtp=self.smtp,
            lmtp=self.lmtp,
            relay=relay,
        )
        if imap:
            text += "\n[[imap]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in imap.items())
        self.config.write_text(text, encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.starts = 0
        self.recoveries: list[float] = []  # seconds from a death to the next greeting
        self.peak = 0  # octets: highest resident set of the daemon and its children together
        self._died: float | None = None
        self._ready = False

    # --- its life -------------------------------------------------------------------------

    def start(self, crash: str | None = None, weaken: str = "") -> None:
        """Start; with `crash` armed. Returns at once: see `ready`."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAILGATE_")}
        env["PYTHONPATH"] = str(ROOT)
        if crash is not None:
            env["MAILGATE_CRASH"] = crash
        if weaken:
            env["MAILGATE_WEAKEN"] = weaken
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailgate", "--config", str(self.config), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
            )
        self.starts += 1
        self._ready = False

    def alive(self) -> bool:
        """Whether the process runs; a death that was not asked for elsewhere is counted here."""
        if self.process is None:
            return False
        if self.process.poll() is None:
            return True
        self._dead()
        return False

    def _dead(self) -> None:
        assert self.process is not None
        if self.process.returncode == -signal.SIGKILL:
            self.kills += 1
        if self._died is None:
            self._died = time.monotonic()
        self.process = None

    def ready(self) -> bool:
        """Whether it greets; the first time after a death gives a recovery time."""
        if not self._ready and self._greets():
            self._ready = True
            if self._died is not None:
                self.recoveries.append(time.monotonic() - self._died)
                self._died = None
        return self._ready

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.smtp), 5) as one:
                return one.recv(100).startswith(b"220")
        except OSError:
            return False

    def up(self, crash: str | None = None, weaken: str = "") -> None:
        """Start and wait until it greets; fails when it ends before."""
        self.start(crash, weaken)
        until = time.monotonic() + PATIENCE
        while not self.ready():
            assert self.alive(), f"the daemon ended at once:\n{self.log()[-3000:]}"
            assert time.monotonic() < until, f"no greeting:\n{self.log()[-3000:]}"
            time.sleep(0.02)

    def weigh(self) -> None:
        """Note how much memory it has used at most."""
        if self.process is not None:
            self.peak = max(self.peak, weigh(self.process.pid).peak)

    def resident(self) -> int:
        """Octets that the daemon holds now, without its children; 0 when it is dead."""
        if self.process is None:
            return 0
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(found[0]) * 1024 if found else 0

    def kill(self) -> None:
        """SIGKILL, if it is alive."""
        if self.alive():
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            self._dead()

    def freeze(self, seconds: float) -> None:
        """SIGSTOP for a time."""
        if self.alive():
            assert self.process is not None
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # --- beside it ------------------------------------------------------------------------

    def cli(
        self, *words: str, stdin: bytes = b"", crash: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """One command on the same configuration, in a process of its own."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAILGATE_")}
        env["PYTHONPATH"] = str(ROOT)
        if crash is not None:
            env["MAILGATE_CRASH"] = crash
        return subprocess.run(
            [sys.executable, "-m", "mailgate", "--config", str(self.config), *words],
            input=stdin,
            capture_output=True,
            check=False,
            env=env,
            timeout=timeout,
        )

    def database(self) -> Database:
        """Its database, to look at; close it afterwards."""
        return Database(self.url, self.data)


def imap_account(port: int) -> dict[str, object]:
    """The keys of [[imap]] for a server without TLS on loopback."""
    return {
        "name": "box",
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "username": "support",
        "password": "secret",
        "mailbox": QUEUE,
        "poll_seconds": 1,
        "processed": "Processed",
        "failed": "Failed",
    }


def leases_end(database: Database) -> None:
    """As if the leases of dead processes had run out; only while no process is alive."""
    with database.transaction() as tx:
        tx.sources.release_all()
        tx.conn.exec_driver_sql("UPDATE inbox SET due = received WHERE due IS NOT NULL")
        tx.conn.exec_driver_sql("UPDATE outbox_recipients SET due = queued WHERE due IS NOT NULL")


def pauses_end(database: Database) -> None:
    """As if the pauses before retries were over; copies on the wire are left alone."""
    with database.transaction() as tx:
        tx.conn.exec_driver_sql(
            "UPDATE outbox_recipients SET due = queued WHERE due IS NOT NULL AND state <> 'sending'"
        )
