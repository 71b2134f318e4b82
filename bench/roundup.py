"""Roundup's mbox batch beside us: a tracker of its own from the classic template, mail to a sink.

Roundup is fetched from the package index into a virtual environment of its own; where that cannot
be had, the comparison is left out and the table says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from configparser import RawConfigParser
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from shutil import copytree, rmtree

from bench.corpus import Mail, people
from bench.peers import Result
from bench.processes import Failed, ask, run, served

_INSTALL = 120.0  # seconds
_BATCH = 600.0

# Senders are accounts beforehand: an unknown one costs Roundup a password hash, which is no
# part of taking mail.
_ACCOUNTS = """\
import sys
import roundup.instance
db = roundup.instance.open(sys.argv[1]).open("admin")
for address in sys.argv[2:]:
    db.user.create(username=address.partition("@")[0], address=address, roles="User")
db.commit()
"""


class Roundup:
    """An installed Roundup, and a tracker without tickets to copy for each run."""

    def __init__(self, folder: Path) -> None:
        """`folder` may hold the environment of an earlier run. Raises Failed."""
        self._bin = folder / "roundup-venv" / "bin"
        self._empty = folder / "roundup-tracker"
        if not (self._bin / "roundup-mailgw").exists():
            run([sys.executable, "-m", "venv", self._bin.parent], timeout=_INSTALL)
            run([self._bin / "pip", "install", "-q", "roundup"], timeout=_INSTALL)
        told = run([self._bin / "pip", "list", "--format=freeze"], timeout=_INSTALL)
        lines = dict(line.partition("==")[::2] for line in told.splitlines())
        self.version = lines.get("roundup", "?")

    def prepare(self) -> None:
        """Make the tracker. Raises Failed."""
        rmtree(self._empty, ignore_errors=True)
        admin: list[str | Path] = [self._bin / "roundup-admin", "-i", self._empty]
        run([*admin, "install", "classic", "sqlite"], timeout=_INSTALL)
        _configure(self._empty / "config.ini", 25)
        run([*admin, "initialise", "bench"], timeout=_INSTALL)
        words: list[str | Path] = [self._bin / "python", "-c", _ACCOUNTS, self._empty, *people()]
        run(words, timeout=_INSTALL)

    def batch(self, stream: Sequence[Mail], folder: Path) -> Result:
        """One batch into a fresh copy of the tracker, its start included. Raises Failed."""
        home, box = folder / "tracker", folder / "mbox"
        copytree(self._empty, home)
        box.write_bytes(b"".join(map(_in_mbox, stream)))
        with served("bench.relay", errors=folder / "relay.log") as (relay, port):
            _configure(home / "config.ini", port)
            before, began = getrusage(RUSAGE_CHILDREN), time.perf_counter()
            run([self._bin / "roundup-mailgw", home, "mailbox", box], timeout=_BATCH)
            took, after = time.perf_counter() - began, getrusage(RUSAGE_CHILDREN)
            sent = int(ask(relay)["count"])
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        requests = sum(not mail.answers for mail in stream)
        if sent < requests:
            raise Failed(f"Roundup sent {sent} confirmations for {requests} requests")
        return Result(settle=len(stream) / took, cpu=cpu / len(stream), sent=sent)


def _configure(path: Path, port: int) -> None:
    config = RawConfigParser()
    config.read(path, encoding="utf-8")
    for section, key, value in (
        ("main", "admin_email", "admin@example.org"),
        ("main", "password_pbkdf2_default_rounds", "1000"),
        ("tracker", "email", "support@example.org"),
        ("tracker", "web", "http://localhost/"),
        ("mail", "domain", "example.org"),
        ("mail", "host", "127.0.0.1"),
        ("mail", "port", str(port)),
        ("nosy", "messages_to_author", "new"),  # a mail back for each new ticket, as we send one
    ):
        config.set(section, key, value)
    with path.open("w", encoding="utf-8") as file:
        config.write(file)


def _in_mbox(mail: Mail) -> bytes:
    lines = mail.raw.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
    return f"From {mail.sender} Mon Mar  2 10:00:00 2026\n".encode() + lines + b"\n"
