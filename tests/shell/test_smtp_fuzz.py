"""Several clients say anything in any order while the house behind the listener fails at random."""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mailgate import journal
from mailgate.core.mail import Inbound
from mailgate.sources import smtp, smtp_connection
from mailgate.sources.smtp import Limits, Wire
from tests.shell.smtp_rig import Client, Rig, accepts
from tests.shell.test_smtp_faults import wait_until

FULL = os.environ.get("MAILGATE_TEST_FULL") == "1"
SECRET = "hunter2"  # in the text of every exception of ours; no client may ever see it
LIMITS = Limits(
    size=5_000, memory=12_000, small=2_000, recipients=3, connections=7, per_ip=3, errors=6,
    commands=15,
)  # fmt: skip
SOURCES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
LINES = st.sampled_from(
    """EHLO x|LHLO x|HELO x|EHLO|MAIL FROM:<a@example.com>|MAIL FROM:<>|MAIL FROM:<a@b.c> SIZE=9999
|MAIL FROM:<a@b.c> BODY=8BITMIME SMTPUTF8|RCPT TO:<support@example.org>|RCPT TO:<x@example.org>
|RCPT TO:<sales@example.org>|RCPT TO:<grüße@example.org>|DATA|DATA now|.|RSET|NOOP|VRFY x|EXPN y
|HELP|QUIT|STARTTLS|AUTH PLAIN|AUTH PLAIN AGEAYg==|BDAT 5 LAST|ETRN z|XCLIENT a=b|TURN
|Subject: hello|..stuffed|GET / HTTP/1.1|PROXY TCP4 1.2.3.4 1.2.3.4 1 2""".replace("\n", "").split(
        "|"
    )
)
GOOD = (b"MAIL FROM:<a@example.com>", b"RCPT TO:<support@example.org>", b"DATA")
REPLIES = re.compile(rb"(?:[2345]\d\d[ -][\x20-\x7e]+\r\n)*")
LEAK = re.compile(rb"hunter2|Error|Exception|Traceback|[/\\]|\.py")


class House:
    """What is behind the listener: fails on request, and counts how often it did."""

    def __init__(self) -> None:
        self.mood = "well"
        self.broken = {"smtp": 0, "commit": 0}

    def submit(self, _mail: Inbound) -> Future[int]:
        """Commit, or do not."""
        if self.mood == "raises":
            self.broken["commit"] += 1
            raise OSError(5, SECRET, f"/var/lib/{SECRET}")
        future: Future[int] = Future()
        match self.mood:
            case "fails":
                future.set_exception(RuntimeError(f"{SECRET}: database is locked"))
            case "lets go":
                future.cancel()
            case _:
                future.set_result(1)
        return future

    def accepts(self, address: str) -> bool:
        """Look a recipient up, or break."""
        if self.mood == "lost its list":
            self.broken["smtp"] += 1
            raise KeyError(SECRET)
        return accepts(address)


class Crowd(RuleBasedStateMachine):
    """Clients from three addresses; `rig`, `house` and `loose` come from the test."""

    rig: Rig
    house: House
    loose: list[dict[str, Any]]  # exceptions that nobody caught in the listener's loop

    @initialize()
    def enter(self) -> None:
        self.clients: list[tuple[Client, bytearray]] = []  # with all that each one heard
        self.house.mood = "well"
        self.house.broken = {"smtp": 0, "commit": 0}
        self.before = {what: journal.COUNTS["trouble", what] for what in self.house.broken}

    @rule(source=st.sampled_from(SOURCES))
    def connect(self, source: str) -> None:
        self.clients.append((self.rig.client(source), bytearray()))
        self.hear(*self.clients[-1])

    @precondition(lambda self: self.clients)
    @rule(who=st.integers(0, 20), line=LINES)
    def ask(self, who: int, line: str) -> None:
        self.send(who, line.encode() + b"\r\n")

    @rule(source=st.sampled_from(SOURCES), body=st.binary(max_size=200), end=st.booleans())
    def mail(self, source: str, body: bytes, end: bool) -> None:
        self.connect(source)
        hello = b"LHLO x" if self.rig.settings.protocol is Wire.LMTP else b"EHLO x"
        for data in (hello, *GOOD, body + b"\r\n." * end):
            self.send(-1, data + b"\r\n", wait=0.1)

    @precondition(lambda self: self.clients)
    @rule(who=st.integers(0, 20), size=st.sampled_from([1_500, 4_000, 6_000, 80_000]))
    def flood(self, who: int, size: int) -> None:
        self.send(who, b"x" * size + b"\r\n.\r\n")

    @precondition(lambda self: self.clients)
    @rule(who=st.integers(0, 20), noise=st.binary(max_size=60))
    def shout(self, who: int, noise: bytes) -> None:
        self.send(who, noise, wait=0.0)

    @precondition(lambda self: self.clients)
    @rule(who=st.integers(0, 20))
    def half_close(self, who: int) -> None:
        client, _ = self.clients[who % len(self.clients)]
        try:
            client.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the server was first

    @precondition(lambda self: self.clients)
    @rule(who=st.integers(0, 20))
    def hang_up(self, who: int) -> None:
        self.clients.pop(who % len(self.clients))[0].close()

    @rule(mood=st.sampled_from(["well", "raises", "fails", "lets go", "lost its list"]))
    def change_mood(self, mood: str) -> None:
        self.house.mood = mood

    def send(self, who: int, data: bytes, *, wait: float = 0.01) -> None:
        client, heard = self.clients[who % len(self.clients)]
        try:
            client.send(data)
        except OSError:
            return  # the server has hung up on this one
        self.hear(client, heard, wait)

    def hear(self, client: Client, heard: bytearray, patience: float = 0.01) -> bool:
        """Take what was said, if anything comes soon; False at the end."""
        while select.select([client.socket], [], [], patience)[0]:
            try:
                block = client.socket.recv(65536)
            except OSError:
                return False
            if not block:
                return False
            heard += block
            assert not LEAK.search(heard), bytes(heard)
            whole = heard[: heard.rfind(b"\n") + 1]
            assert REPLIES.fullmatch(whole), bytes(heard)
            patience = min(patience, 0.001)  # an answer is there; look once for more
        return True

    @invariant()
    def limits_hold(self) -> None:
        listener = self.rig.listener
        assert len(listener._connections) <= LIMITS.connections
        assert max(listener._per_net.copy().values(), default=0) <= LIMITS.per_ip
        assert self.loose == []

    def teardown(self) -> None:
        listener = self.rig.listener
        for client, heard in getattr(self, "clients", []):
            try:
                client.socket.shutdown(socket.SHUT_WR)
            except OSError:
                heard.clear()  # the server was first; what is left to hear still counts
            while self.hear(client, heard, patience=1.0):
                continue
            client.close()
        wait_until(lambda: not listener._connections and not listener._commits)
        assert (listener._held, listener._per_net, listener._nets) == (0, {}, {})
        assert self.loose == []
        for what, count in self.house.broken.items():
            assert journal.COUNTS["trouble", what] == self.before[what] + count


@contextmanager
def crowd_at(folder: Path, protocol: Wire) -> Iterator[type[Crowd]]:
    house, loose = House(), []
    rig = Rig(folder, limits=LIMITS, submit=house.submit, protocol=protocol)
    rig.listener.accepts = house.accepts
    with rig:

        async def watch() -> None:
            rig._loop.set_exception_handler(lambda _loop, context: loose.append(context))

        rig.run(watch())
        yield type("CrowdHere", (Crowd,), {"rig": rig, "house": house, "loose": loose})


def run(crowd: type[Crowd], examples: int) -> None:
    """Run the crowd; a failure is reported as it was found."""
    run_state_machine_as_test(
        crowd,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", list(Wire))
def test_no_dialogue_breaks_the_listener_or_its_limits(tmp_path: Path, protocol: Wire) -> None:
    with crowd_at(tmp_path, protocol) as crowd:
        run(crowd, 1000 if FULL else 25)


@pytest.mark.parametrize("room", [smtp, smtp_connection])
def test_a_listener_that_tells_of_its_trouble_would_be_found_out(
    tmp_path: Path, room: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "TROUBLE", f"451 4.3.0 {SECRET}")
    with crowd_at(tmp_path, Wire.SMTP) as crowd, pytest.raises(AssertionError, match=SECRET):
        run(crowd, 200)
