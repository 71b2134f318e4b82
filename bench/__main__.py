"""`python -m bench`: rounds of all contestants by turns, a table of this run, and its ratios."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from bench.bomb import Phase, Waits, bombed
from bench.corpus import Mix, digest, make
from bench.peers import Load, Result, bare_sink, fresh, mailgate
from bench.processes import Failed
from bench.roundup import Roundup
from bench.stages import Stage, measure
from bench.tables import MAILGATE, ROUNDUP, SINK, bomb_ratios, medians, ratios, show

_ABOUT = """\
Measures mailgate under load beside other programs, in turns and in one run:

  mailgate   a real `mailgate serve` on an empty database, its mail going to a relay that counts
  bare sink  aiosmtpd that writes and fsyncs a file per mail: what accepting costs at the least
  Roundup    from the package index, its mbox batch: a help desk that makes tickets of mail;
             left out where it cannot be had
  bomb       10,000 mails in five minutes from one sender, and from one domain, beside ordinary
             mail: how much longer ordinary mail takes to its outcome
"""
_NOTES = """\
Absolute figures belong to this machine and this minute; the ratios are what to compare. Rates
are mails a second. "accept" ends with the last 250; "settle" begins with the first connection and
ends when every mail has its outcome and every confirmation is with the relay. The stages are
timed one mail at a time in one process, without the network. Everything happens on loopback and
below --scratch; put that on the disk you want to know about. docs/performance.md says more.
"""
_LOADS = ((Mix.PLAIN, 1), (Mix.PLAIN, 10), (Mix.PLAIN, 50), (Mix.MIXED, 50))
_PARTS = ("mailgate", "sink", "roundup", "stages", "bomb")

T = TypeVar("T")
Run = tuple[str, Load, Callable[[], Result]]


def main(words: Sequence[str]) -> int:
    """Measure and print; 0 unless a contestant failed."""
    options, console = _arguments(words), Console(width=None if sys.stdout.isatty() else 130)
    wanted = set(options.only or _PARTS)
    options.scratch = options.scratch.resolve()
    options.scratch.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    runs = _runs(options, wanted, console)
    rounds: dict[tuple[str, Load], list[Result]] = {(name, load): [] for name, load, _ in runs}
    stages: dict[str, list[Stage]] = {}
    bombs: list[dict[Phase, Waits]] = []
    try:
        if "stages" in wanted:
            stages = _stage_costs(options)
        for number in range(options.rounds):
            console.print(f"round {number + 1} of {options.rounds}", highlight=False)
            for name, load, run in runs:
                rounds[name, load].append(run())
            if "bomb" in wanted:
                bombs.append(bombed(fresh(options.scratch / "run"), options.database))
    except Failed as error:
        console.print(f"FAILED: {error}", markup=False, highlight=False)
        return 1
    show(console, rounds, stages, bombs)
    console.print(f"{options.mails} mails a run; {time.monotonic() - began:.0f} s in all")
    if options.json:
        _keep(options, rounds, stages, bombs)
    return 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=_ABOUT,
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rounds", type=_positive, default=3, help="rounds of all contestants (default 3)")
    add("--mails", type=_positive, default=200, help="mails of one run (default 200)")
    add("--seed", type=int, default=1, help="of the stream of mail (default 1)")
    about = "what mailgate runs on: sqlite (default), or the URL of a database that may be EMPTIED"
    add("--database", default="sqlite", metavar="URL", help=about)
    about = "measure this and leave the rest out; may be given more than once"
    add("--only", choices=_PARTS, action="append", help=about)
    about = "folder for databases, mail and Roundup (default scratch/bench)"
    add("--scratch", type=Path, default=Path("scratch") / "bench", metavar="DIR", help=about)
    add("--json", type=Path, metavar="FILE", help="append this run to FILE as one line of JSON")
    return parser.parse_args(words)


def _positive(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError("a number above 0")
    return int(word)


def _runs(options: argparse.Namespace, wanted: set[str], console: Console) -> list[Run]:
    """Every run of one round in order: what is compared stands side by side."""
    roundup = _roundup(options.scratch, console) if "roundup" in wanted else None
    folder: Path = options.scratch / "run"
    runs: list[Run] = []
    for mix, connections in _LOADS:
        load = Load(mix=mix, connections=connections, mails=options.mails, seed=options.seed)
        if "sink" in wanted:
            runs.append((SINK, load, partial(_in, folder, bare_sink, load)))
        if "mailgate" in wanted:
            ours = partial(mailgate, database=options.database)
            runs.append((MAILGATE, load, partial(_in, folder, ours, load)))
        if roundup and connections == 50:
            stream = make(options.mails, seed=options.seed, mix=mix)
            batch = replace(load, connections=0)
            runs.append((ROUNDUP, batch, partial(_in, folder, roundup.batch, stream)))
    return runs


def _in(folder: Path, measured: Callable[[T, Path], Result], load: T) -> Result:
    return measured(load, fresh(folder))


def _roundup(scratch: Path, console: Console) -> Roundup | None:
    try:
        roundup = Roundup(scratch)
        roundup.prepare()
    except Failed as error:
        console.print(f"without Roundup: {error}", markup=False, highlight=False)
        return None
    console.print(f"Roundup {roundup.version}", highlight=False)
    return roundup


def _stage_costs(options: argparse.Namespace) -> dict[str, list[Stage]]:
    streams = {mix.value: make(options.mails, seed=options.seed, mix=mix) for mix in Mix}
    return {mix: measure(stream, fresh(options.scratch / "run")) for mix, stream in streams.items()}


def _keep(
    options: argparse.Namespace,
    rounds: dict[tuple[str, Load], list[Result]],
    stages: dict[str, list[Stage]],
    bombs: list[dict[Phase, Waits]],
) -> None:
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "mails": options.mails,
        "corpus": digest(make(options.mails, seed=options.seed)),
        "medians": [
            {"who": name, **asdict(load), **asdict(medians(results))}
            for (name, load), results in rounds.items()
        ],
        "ratios": [asdict(ratio) for ratio in (*ratios(rounds), *bomb_ratios(bombs))],
        "stages": {mix: [asdict(stage) for stage in found] for mix, found in stages.items()},
    }
    with options.json.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
