"""The processes of a run: started, asked, weighed and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]  # where `python -m bench...` finds us
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A process of the run did not do its part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a process and its children have cost so far."""

    peak: int  # octets: the sum of each one's highest resident set, shared pages counted in each
    cpu: float  # seconds, children that have ended included


@contextmanager
def served(module: str, *words: str, errors: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `python -m module words` that prints its port first; ends it afterwards."""
    with errors.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    try:
        yield process, int(_line(process))
    finally:
        end(process)


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Send an empty line, read a line of JSON."""
    if process.stdin is None:
        raise Failed("the process takes no questions")
    process.stdin.write("\n")
    process.stdin.flush()
    return dict(json.loads(_line(process)))


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise Failed(f"{process.args!r} ended before it answered")
    return line


def end(process: subprocess.Popen[Any], patience: float = 20.0) -> None:
    """SIGTERM, then SIGKILL after `patience` seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def run(words: Sequence[str | Path], *, timeout: float) -> str:
    """Run a program to its end; returns what it printed. Raises Failed."""
    try:
        done = subprocess.run(
            [str(w) for w in words],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd=ROOT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{words[0]}: {error}") from error
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words))}: {done.stderr.strip()[-500:]}")
    return done.stdout


def weigh(pid: int) -> Weight:
    """The process and all that descend from it, from /proc; zero where there is none."""
    peak, ticks = 0, 0
    for one in _family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
            stat = Path(f"/proc/{one}/stat").read_text(encoding="utf-8")
        except OSError:
            continue
        high = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        peak += int(high[0]) * 1024 if high else 0
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return Weight(peak=peak, cpu=ticks / _TICKS)


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(word) for word in children.read_text(encoding="utf-8").split()]
            except OSError:
                continue
    return found
