"""A private Postfix instance on loopback, for tests; it leaves the system's own alone.

    with Postfix(domains=("example.org",), lmtp_port=port) as postfix:
        postfix.send(raw, "alice@example.com", ["support@example.org"])
        postfix.wait_until_empty()

Mail goes in over SMTP only. Mail for `domains` leaves by LMTP, or into a command; any other
mail goes to the relay, or is thrown away.
"""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pwd import getpwnam

from tests.peers.ports import free_port

_PATIENCE = 20.0  # seconds until a wait fails


def missing() -> str:
    """Why Postfix cannot run here; "" when it can."""
    if shutil.which("postfix") is None:
        return "Postfix is not installed"
    if os.geteuid() != 0:
        return "Postfix starts as root only"
    return ""


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Where the mail of an instance goes.

    `pipe_command` is a pipe(8) command line, a word each, where `${sender}`, `${recipient}` and
    the like are filled in by Postfix; the word with `${recipient}` is repeated for each recipient
    of the mail. It runs as `pipe_user`, which may be neither root nor postfix.
    `main` adds lines to main.cf, `pipe_options` words before argv, e.g. "flags=DR".
    """

    domains: Sequence[str] = ("example.org",)
    lmtp_port: int = 0
    pipe_command: Sequence[str] = ()
    pipe_user: str = "nobody"
    pipe_options: Sequence[str] = ("null_sender=",)
    relay_to: int = 0  # port on loopback
    main: Mapping[str, str] = field(default_factory=dict)

    def inbound(self) -> str:
        """The transport of our own domains."""
        if self.lmtp_port:
            return f"lmtp:inet:127.0.0.1:{self.lmtp_port}"
        return "ourpipe:" if self.pipe_command else "discard:"

    def outbound(self) -> str:
        """The transport of every other domain."""
        return f"smtp:[127.0.0.1]:{self.relay_to}" if self.relay_to else "discard:"


class Postfix:
    """One instance; all its files lie in a temporary folder of its own."""

    def __init__(self, **routes: object) -> None:
        self.routes = Routes(**routes)  # type: ignore[arg-type]
        self.port = free_port()
        self.folder = Path()

    def start(self) -> None:
        """Write the configuration and start; returns when the port answers."""
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.folder.chmod(0o755)  # Postfix's own user has to get in
        for name in ("config", "queue", "data"):
            (self.folder / name).mkdir(mode=0o755)
        owner = getpwnam("postfix")
        os.chown(self.folder / "data", owner.pw_uid, owner.pw_gid)
        (self.folder / "config" / "main.cf").write_text(self._main_cf())
        (self.folder / "config" / "master.cf").write_text(self._master_cf())
        try:
            self._run("postfix", "start")
            _wait(self._greets, "Postfix does not answer")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all processes of this instance and remove its files."""
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            self._run("postfix", "stop")
        shutil.rmtree(self.folder)

    def __enter__(self) -> Postfix:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def send(
        self, raw: bytes, mail_from: str, rcpts: Sequence[str], options: Sequence[str] = ()
    ) -> None:
        """Hand a mail in over SMTP. Raises smtplib.SMTPException when it is not taken."""
        with smtplib.SMTP("127.0.0.1", self.port, "client.example.com") as client:
            client.sendmail(mail_from, list(rcpts), raw, list(options))

    def queue(self) -> list[dict[str, object]]:
        """What waits, as postqueue(1) tells it: queue_name, queue_id, sender, recipients..."""
        return [json.loads(line) for line in self._run("postqueue", "-j").splitlines()]

    def queue_len(self) -> int:
        """Count the mails that wait or are under way."""
        return len(self.queue())

    def queue_flush(self) -> None:
        """Try every waiting mail at once."""
        self._run("postqueue", "-f")

    def wait_until_empty(self) -> None:
        """Wait until every mail has left, one way or the other."""
        _wait(lambda: self.queue_len() == 0, "mail stays in the queue")

    def wait_until_deferred(self, count: int = 1) -> None:
        """Wait until `count` mails were put off."""

        def reached() -> bool:
            return sum(mail["queue_name"] == "deferred" for mail in self.queue()) == count

        _wait(reached, f"the queue does not come to hold {count} deferred mails")

    def log(self) -> str:
        """Everything this instance has logged."""
        path = self.folder / "maillog"
        return path.read_text() if path.exists() else ""

    # --- inside --------------------------------------------------------------------------

    def _run(self, command: str, *words: str) -> str:
        path = shutil.which(command) or f"/usr/sbin/{command}"
        done = subprocess.run(
            [path, "-c", str(self.folder / "config"), *words], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command} {words}: {done.stderr}{self.log()[-2000:]}")
        return done.stdout

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                return client.recv(3) == b"220"
        except OSError:
            return False

    def _main_cf(self) -> str:
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.folder / "queue"),
            "data_directory": str(self.folder / "data"),
            "maillog_file": str(self.folder / "maillog"),
            "maillog_file_prefixes": str(self.folder),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mta.example.net",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "local_transport": "discard:",
            "relay_domains": ", ".join(self.routes.domains),
            "relay_recipient_maps": "",
            "relay_transport": self.routes.inbound(),
            "default_transport": self.routes.outbound(),
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "local_header_rewrite_clients": "",  # header and body go through as they came
            "smtp_dns_support_level": "disabled",
            # Only queue_flush() makes a second attempt, so that tests decide when.
            "queue_run_delay": "1h",
            "minimal_backoff_time": "1h",
            "maximal_backoff_time": "2h",
        }
        return "".join(
            f"{key} = {text}\n" for key, text in {**settings, **self.routes.main}.items()
        )

    def _master_cf(self) -> str:
        lines = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        lines += [f"{name} unix n - n - 0 {name}" for name in ("cleanup", "showq", "flush")]
        lines += ["pickup unix n - n 60 1 pickup"]  # postqueue -f asks for it
        lines += ["qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite"]
        lines += [f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")]
        lines += [f"{name} unix - - n - 1 {name}" for name in ("verify", "anvil", "scache")]
        lines += [
            f"{n} unix - - n - - {n}" for n in ("smtp", "lmtp", "error", "discard", "proxymap")
        ]
        lines += ["retry unix - - n - - error", "tlsmgr unix - - n 1000? 1 tlsmgr"]
        lines += ["virtual unix - n n - - virtual", "postlog unix-dgram n - n - 1 postlogd"]
        if self.routes.pipe_command:
            argv = " ".join(
                f"{{{word}}}" if " " in word else word for word in self.routes.pipe_command
            )
            options = " ".join(self.routes.pipe_options)
            user = self.routes.pipe_user
            lines.append(f"ourpipe unix - n n - - pipe user={user} {options} argv={argv}")
        return "\n".join(lines) + "\n"


def _wait(reached: Callable[[], bool], complaint: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not reached():
        if time.monotonic() > until:
            raise AssertionError(complaint)
        time.sleep(0.05)
