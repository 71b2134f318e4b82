"""Random schedules against one installation: kills at all points, freezes, moods, restarts."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mailgate import crash
from tests.faults.judge import Verdict
from tests.faults.mails import Mail
from tests.faults.rig import Rig, locked, rig
from tests.peers.postgres import PostgresServer

APART = ("pipe.before_exit", "gc.delete", "migrate.step")  # not reached by a serving daemon
SERVING = tuple(name for name, _ in crash.POINTS if name not in APART)

BACKLOG = 12  # mails on the way to the daemon at a time
OUTBOX_MOODS = (
    ("MAIL", "451 4.3.0 later", 4),
    ("RCPT", "451 4.2.1 later", 3),
    ("DATA", "hangup", 2),
    ("dot", "hangup", 2),
    ("kept", "hangup", 2),
    ("connect", "421 4.3.2 closing", 2),
    ("RSET", "hangup", 3),
)


@dataclass(kw_only=True)
class Report:
    """What a campaign has to say."""

    kind: str
    verdict: Verdict
    starts: int
    recoveries: list[float]
    peak: int  # octets
    hit: Counter[str]  # deaths by point
    faults: Counter[str]
    resident: list[int]  # octets of the daemon alone, as time went by


@dataclass(kw_only=True)
class Campaign:
    """Fire for a time, then peace, then judgement."""

    kind: str
    folder: Path
    seconds: float
    seed: int
    server: PostgresServer | None = None
    url: str = "sqlite"
    hit: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    resident: list[int] = field(default_factory=list)

    def run(self) -> Report:
        """The whole of it."""
        self._dice = random.Random(self.seed)  # noqa: S311 - a run has to be repeatable
        self._until = time.monotonic() + self.seconds
        with rig(self.folder, url=self.url, seed=self.seed) as run:
            feeder = threading.Thread(target=self._feed, args=(run,), daemon=True)
            feeder.start()
            deck: list[str] = []
            while time.monotonic() < self._until:
                if not deck:
                    deck = list(SERVING)
                    self._dice.shuffle(deck)
                self._cycle(run, deck.pop())
            feeder.join(60)
            verdict = run.settle(1200)
            return Report(
                kind=self.kind,
                verdict=verdict,
                starts=run.node.starts,
                recoveries=run.node.recoveries,
                peak=run.node.peak,
                hit=self.hit,
                faults=self.faults,
                resident=self.resident,
            )

    # --- mail -----------------------------------------------------------------------------

    def _feed(self, run: Rig) -> None:
        dice = random.Random(self.seed + 1)  # noqa: S311
        last_pipe = 0.0
        while time.monotonic() < self._until:
            run.look()
            if run.load.waiting() >= BACKLOG or not run.node.ready():
                time.sleep(0.01)
                continue
            run.load.put(self._way(dice), self._mail(run, dice))
            if time.monotonic() - last_pipe > 8:
                last_pipe = time.monotonic()
                run.load.put("pipe", run.writer.new())

    def _way(self, dice: random.Random) -> str:
        return dice.choices(("smtp", "lmtp", "half", "rude"), (80, 12, 4, 4))[0]

    def _mail(self, run: Rig, dice: random.Random) -> Mail:
        kinds = ("new", "auto", "big", "reply", "lent", "dsn")
        kind = dice.choices(kinds, (28, 54, 4, 7, 2, 5))[0]
        asked = {"reply": run.answer, "lent": run.lend, "dsn": run.bounce}.get(kind)
        if asked and (found := asked()):
            return found
        return run.writer.new(size=90_000 if kind == "big" else 0, auto=kind == "auto")

    # --- trouble --------------------------------------------------------------------------

    def _cycle(self, run: Rig, point: str) -> None:
        """From one start to the next death."""
        for _ in range(3 if point.startswith("imap.") else self._dice.choice((0, 0, 1))):
            run.post(run.writer.new(auto=True))
        mode = self._dice.choices(("kill", "raise", "enospc", "eio"), (88, 4, 4, 4))[0]
        nth = self._dice.choice((1, 1, 2, 3, 5, 8))
        run.start(f"{point}:{nth}:{mode}")
        self.faults[mode] += mode != "kill"
        trouble = self._dice.choices(self._troubles(), (60, 15, 5, 5))[0]
        life = self._dice.uniform(1.0, 2.5)
        began: float | None = None
        while run.node.alive():
            time.sleep(0.02)
            if began is None and run.node.ready():
                began = time.monotonic()
                trouble(run)
                run.node.weigh()
            if began is not None and time.monotonic() - began > life:
                run.node.weigh()
                run.node.kill()
                self.hit["at any moment"] += 1
                return
        self.hit[point if mode == "kill" else f"{mode}, then the end"] += 1

    def _troubles(self) -> tuple[Callable[[Rig], None], ...]:
        return (lambda _run: None, self._mood, self._freeze, self._database)

    def _mood(self, run: Rig) -> None:
        """The relay refuses, hangs up or takes a mail without a word."""
        step, what, times = self._dice.choice(OUTBOX_MOODS)
        run.sink.calm()
        run.sink.mood(step, what, times)
        self.faults["relay moods"] += 1

    def _freeze(self, run: Rig) -> None:
        run.node.freeze(self._dice.uniform(0.5, 2.0))
        self.faults["freezes"] += 1

    def _database(self, run: Rig) -> None:
        self.faults["database locked or restarted"] += 1
        if self.server is not None:
            self._dice.choice((self.server.restart, self._power_off))()
            return
        with locked(run.node.data / "mailgate.db"):
            time.sleep(self._dice.uniform(0.5, 2.0))

    def _power_off(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server.start()


@dataclass(kw_only=True)
class Soak(Campaign):
    """No kills: one daemon lives through a flapping relay and a flapping IMAP server."""

    def _cycle(self, run: Rig, point: str) -> None:  # noqa: ARG002 - none is armed
        if not run.node.alive():
            run.node.up()
        self._flap(run)
        run.post(run.writer.new(auto=True))
        time.sleep(self._dice.uniform(0.5, 2.0))
        self.resident.append(run.node.resident())
        run.node.weigh()
        run.imap.refused.clear()
        run.imap.on_idle = "news"
        run.imap.greeting = "* OK ready"

    def _flap(self, run: Rig) -> None:
        self.faults["IMAP flaps"] += 1
        what = self._dice.choice(("MOVE", "FETCH", "SEARCH", "SELECT", "bye", "eof", "greeting"))
        if what in ("bye", "eof"):
            run.imap.on_idle = what
        elif what == "greeting":
            run.imap.greeting = "* BYE too many connections"
        else:
            run.imap.refused.add(what)
        self._mood(run)
