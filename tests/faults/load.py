"""The load client: hands mails in and tries again, as an MTA does, until a final answer.

Its ledger has a line before each try and one for each answer; both are synced.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.ledgers import Ledger
from tests.faults.mails import Mail
from tests.faults.node import QUEUE, Node

PAUSE = 0.2  # seconds between two tries
PATIENCE = 20.0  # seconds for one answer


class NoAnswer(Exception):
    """The conversation ended before a final answer; nobody knows what became of the mail."""


class Load:
    """Threads that deliver what is put into their queues."""

    def __init__(self, node: Node, ledger: Path, *, tries: int = 10_000) -> None:
        self._node = node
        self.ledger = Ledger(ledger)
        self._tries = tries
        self._end = threading.Event()
        self._queues: dict[str, queue.Queue[Mail]] = {w: queue.Queue() for w in self._ways()}
        self._threads: list[threading.Thread] = []
        self.answered = 0  # mails with a final answer, over all ways
        self.offered = 0
        self._count = threading.Lock()

    def _ways(self) -> dict[str, Callable[[Mail], str]]:
        return {
            "smtp": lambda mail: converse(self._node.smtp, mail),
            "lmtp": lambda mail: converse(self._node.lmtp, mail, hello="LHLO"),
            "half": lambda mail: converse(self._node.smtp, mail, after="half-close"),
            "rude": self._rudely,
            "pipe": self._pipe,
        }

    def start(self, *, smtp: int = 2) -> None:
        """Start a thread for each way, `smtp` threads for SMTP."""
        for way, deliver in self._ways().items():
            for _ in range(smtp if way == "smtp" else 1):
                thread = threading.Thread(target=self._run, args=(way, deliver), daemon=True)
                thread.start()
                self._threads.append(thread)

    def put(self, way: str, mail: Mail) -> None:
        """Hand one mail to a way."""
        with self._count:
            self.offered += 1
        self._queues[way].put(mail)

    def waiting(self) -> int:
        """How many mails have no final answer yet."""
        with self._count:
            return self.offered - self.answered

    def close(self) -> None:
        """End the threads."""
        self._end.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self.ledger.close()

    def _run(self, way: str, deliver: Callable[[Mail], str]) -> None:
        while not self._end.is_set():
            try:
                mail = self._queues[way].get(timeout=0.1)
            except queue.Empty:
                continue
            self._until_final(way, mail, deliver)

    def _until_final(self, way: str, mail: Mail, deliver: Callable[[Mail], str]) -> None:
        for _ in range(self._tries):
            if self._end.is_set():
                return
            self.ledger.write(uuid=mail.uuid, kind=mail.kind, way=way, sha256=mail.sha256)
            try:
                answer = deliver(mail)
            except (NoAnswer, OSError) as error:
                answer = f"none: {type(error).__name__}"
            self.ledger.write(uuid=mail.uuid, answer=answer)
            if answer[0] in "25":
                break
            self._end.wait(PAUSE)
        with self._count:
            self.answered += 1

    def _rudely(self, mail: Mail) -> str:
        """Hang up right after the final dot, the first time; then deliver as one should."""
        try:
            converse(self._node.smtp, mail, after="hang up")
        except NoAnswer:
            self.ledger.write(uuid=mail.uuid, answer="none: hung up")
        return converse(self._node.smtp, mail)

    def _pipe(self, mail: Mail) -> str:
        done = self._node.cli("deliver", "--from", mail.sender, "--rcpt", QUEUE, stdin=mail.raw)
        return f"250 exit {done.returncode}" if done.returncode == 0 else f"4 {done.returncode}"


def converse(port: int, mail: Mail, *, hello: str = "EHLO", after: str = "") -> str:
    """One session with one mail; returns the last answer. Raises NoAnswer or OSError."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as sock,
        sock.makefile("rb") as lines,
    ):
        commands = (
            "",
            f"{hello} load.example.com",
            f"MAIL FROM:<{mail.sender}>",
            f"RCPT TO:<{QUEUE}>",
            "DATA",
        )
        for command in commands:
            if command:
                sock.sendall(f"{command}\r\n".encode())
            answer = _answer(lines.readline)
            if answer[0] not in "23":
                return answer
        sock.sendall(mail.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        if after == "hang up":
            raise NoAnswer
        if after == "half-close":
            sock.shutdown(socket.SHUT_WR)
        return _answer(lines.readline)


def _answer(readline: Callable[[], bytes]) -> str:
    while (line := readline())[3:4] == b"-":
        continue
    if not line.endswith(b"\n"):
        raise NoAnswer
    return line.decode(errors="replace").strip()


def wait_for(what: str, holds: Callable[[], object], seconds: float) -> None:
    """Wait until it holds; fails naming it."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)
