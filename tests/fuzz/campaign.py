"""A time-boxed run: every bomb in doubling sizes, then mutations until the time is up."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mailgate.parsing import SECONDS, Parsers, WorkerDied
from tests.fuzz.bombs import BOMBS
from tests.fuzz.mutations import mutate
from tests.fuzz.probe import LANGUAGES, Probe, measure, measure_many

MEMORY = 256 << 20  # resident octets that a mail of 25 MB may take
OUTSIDE = 1.0  # CPU seconds that a mail may take in the daemon itself
TOP = 25 << 20  # octets of the largest bomb
TOP_HTML = 120 * 1024  # octets of HTML that is still cleaned rather than flattened
GROWTH = 16.0  # three doublings may cost that much more; linear is 8
NOTABLE = 0.5  # CPU seconds below which growth says nothing
BATCH = 25  # mutations in one call
PATIENCE = 60.0  # seconds for one call, the comparisons of the probe included
KEPT = 10  # mails written down of one kind of fault


@dataclass(kw_only=True)
class Tally:
    """What a run came to."""

    mails: int = 0
    bombs: int = 0
    set_aside: int = 0  # too complex
    findings: Counter[str] = field(default_factory=Counter)
    worst: dict[str, tuple[float, str]] = field(default_factory=dict)  # measure -> value, mail

    def note(self, name: str, probe: Probe) -> None:
        """Remember the most expensive mail of each kind."""
        self.set_aside += probe.complex
        for what in ("read", "html", "outside", "memory"):
            value = float(getattr(probe, what))
            if value > self.worst.get(what, (0.0, ""))[0]:
                self.worst[what] = (value, name)


@dataclass(kw_only=True)
class Campaign:
    """Runs mails through the real pool and writes down those with a fault."""

    parsers: Parsers
    folder: Path
    tell: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def bombs(self, names: Sequence[str]) -> None:
        """Each bomb in doubling sizes; those of HTML also in sizes that are still cleaned."""
        for name in names:
            self._ladder(name, TOP)
            if name.startswith("html"):
                self._ladder(name, TOP_HTML)

    def _ladder(self, name: str, top: int) -> None:
        costs: list[float] = []
        for share in (8, 4, 2, 1):
            raw = BOMBS[name](top // share)
            label = f"{name} {len(raw) >> 10} KB"
            probe = self._alone(raw)
            self.tally.bombs += 1
            self._judge(raw, probe, label)
            costs.append(0.0 if probe.complex else probe.read + probe.outside)
        if costs[-1] > NOTABLE and costs[-1] > GROWTH * max(costs[0], 0.02):
            shown = ", ".join(f"{cost:.2f}" for cost in costs)
            self._found(f"growth: {name} {shown} s", raw)

    def mutations(self, seeds: Sequence[bytes], seed: int, until: float, threads: int) -> None:
        """Mutations of the seeds until that monotonic time, as many batches at once as threads."""
        with ThreadPoolExecutor(threads) as pool:
            for done in [
                pool.submit(self._mutate, seeds, Random(f"{seed} {number}"), until)  # noqa: S311
                for number in range(threads)
            ]:
                done.result()

    def _mutate(self, seeds: Sequence[bytes], chance: Random, until: float) -> None:
        while time.monotonic() < until:
            batch = [mutate(chance, chance.choice(seeds), seeds) for _ in range(BATCH)]
            try:
                probes = self.parsers.call(measure_many, batch, timeout=PATIENCE)
            except (TimeoutError, WorkerDied, MemoryError):
                probes = [self._alone(raw) for raw in batch]
            with self._lock:
                for raw, probe in zip(batch, probes, strict=True):
                    self.tally.mails += 1
                    self._judge(raw, probe, f"mutation {hashlib.sha256(raw).hexdigest()[:12]}")

    def _alone(self, raw: bytes) -> Probe:
        """One mail by itself, and what `Parsers.run` makes of it if it is beyond the limits."""
        faults: tuple[str, ...] = ()
        try:
            probe = self.parsers.call(measure, raw, timeout=PATIENCE)
        except MemoryError:
            probe = Probe(complex=True)
        except (TimeoutError, WorkerDied) as error:
            probe = Probe(read=PATIENCE)
            faults = (f"pool: {type(error).__name__} {error}",)
        if probe.read > SECONDS or not probe.read:
            mail = self.parsers.run(raw, LANGUAGES)
            if mail.defects[:1] == ("too-complex",):
                return Probe(complex=True, read=SECONDS, faults=faults)
            faults = (*faults, "time: over the limit and not too complex")
        return Probe(
            read=probe.read,
            html=probe.html,
            outside=probe.outside,
            memory=probe.memory,
            complex=probe.complex,
            faults=(*probe.faults, *faults),
        )

    def _judge(self, raw: bytes, probe: Probe, label: str) -> None:
        self.tally.note(label, probe)
        faults = list(probe.faults)
        if probe.read > SECONDS:
            faults.append("time: a reading over 5 s in a batch")
        if probe.html > SECONDS:
            faults.append("time: cleaning its HTML takes over 5 s")
        if probe.outside > OUTSIDE:
            faults.append("time: over 1 s in the daemon itself")
        if probe.memory > MEMORY:
            faults.append("memory: over 256 MiB")
        for fault in faults:
            self._found(fault, raw)

    def _found(self, fault: str, raw: bytes) -> None:
        self.tally.findings[fault] += 1
        if self.tally.findings[fault] > KEPT:
            return
        name = f"{hashlib.sha256(fault.encode()).hexdigest()[:8]}-{hashlib.sha256(raw).hexdigest()}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name[:21]}.eml").write_bytes(raw)
        (self.folder / f"{name[:8]}.txt").write_text(fault + "\n", encoding="utf-8")
        if self.tally.findings[fault] == 1:
            self.tell(f"found: {fault} -> {name[:21]}.eml")
