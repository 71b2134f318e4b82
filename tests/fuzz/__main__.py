"""`python -m tests.fuzz`: break mails for some minutes and tell what did not hold."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom

from rich.console import Console
from rich.table import Table

from mailgate.parsing import Parsers
from tests.fuzz.bombs import BOMBS
from tests.fuzz.campaign import Campaign, Tally
from tests.fuzz.seeds import load

_ABOUT = """\
Breaks mails on purpose (octets, lines, headers, MIME structure, charsets; and bombs of up to
25 MB) and runs them through the real parse processes. A fault is an exception, a reading that is
not set aside after 5 s, more than 256 MiB, text that a database would refuse or that got lost,
an author that changes with the spelling, or HTML that is not safe. Exits 1 when there was any.
"""
_UNITS = {"read": "s", "html": "s", "outside": "s", "memory": "MiB"}
_NAMES = {
    "read": "worst CPU, reading",
    "html": "worst CPU, cleaning HTML",
    "outside": "worst CPU, in the daemon",
    "memory": "worst memory, resident",
}


def main(words: Sequence[str]) -> int:
    """Run, print the table; 0 when nothing was found."""
    options = _arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 110)
    seeds = load()
    console.print(f"seed {options.seed}, {len(seeds)} mails to begin with", highlight=False)
    began = time.monotonic()
    parsers = Parsers(workers=options.workers)
    campaign = Campaign(
        parsers=parsers,
        folder=options.findings,
        tell=lambda line: console.print(line, highlight=False, markup=False),
    )
    try:
        campaign.bombs([name for name in BOMBS if not options.no_bombs])
        started = time.monotonic()
        until = max(began + options.minutes * 60, started + 1)
        campaign.mutations(seeds, options.seed, until, options.workers)
        took = time.monotonic() - started
    finally:
        parsers.close()
    _print(console, campaign.tally, took, options.seed)
    return 1 if campaign.tally.findings else 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, help="in all, bombs included (10)")
    add("--seed", type=int, default=SystemRandom().randrange(1 << 32), help="of the mutations")
    add("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes at once")
    add("--no-bombs", action="store_true", help="mutations only")
    folder = Path("scratch") / "fuzz"
    add("--findings", type=Path, default=folder, help=f"folder for mails with a fault ({folder})")
    return parser.parse_args(words)


def _print(console: Console, tally: Tally, took: float, seed: int) -> None:
    table = Table("what", "value", "mail", title="Fuzzing the parse processes")
    table.add_row("mails mutated", f"{tally.mails:,}", "")
    table.add_row("mutations a second", f"{tally.mails / took:.0f}", "")
    table.add_row("bombs", f"{tally.bombs:,}", "")
    table.add_row("too complex, set aside", f"{tally.set_aside:,}", "")
    for what, name in _NAMES.items():
        value, mail = tally.worst.get(what, (0.0, ""))
        shown = f"{value / (1 << 20):.0f}" if what == "memory" else f"{value:.2f}"
        table.add_row(name, f"{shown} {_UNITS[what]}", mail)
    table.add_row("findings", f"{sum(tally.findings.values()):,}", f"{len(tally.findings)} kinds")
    table.add_row("seed", str(seed), "")
    console.print(table)
    for fault, times in tally.findings.most_common():
        console.print(f"{times:6} x {fault}", highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
