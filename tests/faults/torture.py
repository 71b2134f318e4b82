"""`make torture`: minutes of random schedules on both databases at once, and a table at the end.

    python -m tests.faults.torture --minutes 10 --seed 1 --only sqlite

Ends with 0 if the judge found nothing, 1 otherwise. The seed repeats the schedule, not the clock.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from store.database import Database
from tests.faults.campaign import SERVING, Campaign, Report, Soak
from tests.peers import postgres
from tests.peers.postgres import PostgresServer


def main(words: Sequence[str] | None = None) -> int:
    """Run and report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of fire; peace comes after")
    parser.add_argument("--seed", type=int, default=0, help="0 takes a random one")
    parser.add_argument("--soak", action="store_true", help="no kills: relay and IMAP flap instead")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database")
    options = parser.parse_args(words)
    seed = options.seed or secrets.randbelow(10**6) + 1
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)  # noqa: T201
    kinds = [options.only] if options.only else ["sqlite", "postgresql"]
    if "postgresql" in kinds and (why := postgres.missing()):
        print(f"without PostgreSQL: {why}")  # noqa: T201
        kinds.remove("postgresql")
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
        reports = _fire(Path(folder), kinds, options.minutes * 60, seed, options.soak)
    _print(reports)
    whole = len(reports) == len(kinds) and all(r.verdict.ok and flat(r) for r in reports)
    return 0 if whole else 1


def flat(report: Report) -> bool:
    """Whether a daemon that lived on holds no more memory at the end than after its warming up."""
    third = len(report.resident) // 3
    if not third:
        return True
    warm, end = max(report.resident[third : 2 * third]), max(report.resident[2 * third :])
    return end <= warm * 1.1 + 8 * 2**20


def _fire(
    folder: Path, kinds: Sequence[str], seconds: float, seed: int, soak: bool
) -> list[Report]:
    reports: list[Report] = []
    schedule = Soak if soak else Campaign

    def fire(kind: str, number: int) -> None:
        home = folder / kind
        home.mkdir()
        if kind == "sqlite":
            Database("sqlite", home / "data").ready()
            reports.append(
                schedule(kind=kind, folder=home, seconds=seconds, seed=seed + number).run()
            )
            return
        server = PostgresServer()
        try:
            server.start()
            url = server.url()
            Database(url, home / "data").ready()
            one = schedule(
                kind=kind, folder=home, seconds=seconds, seed=seed + number, server=server, url=url
            )
            reports.append(one.run())
        finally:
            server.remove()

    threads = [threading.Thread(target=fire, args=(k, n)) for n, k in enumerate(kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(reports, key=lambda report: kinds.index(report.kind))


def _rows(report: Report) -> list[tuple[str, str]]:
    v = report.verdict
    reached = sum(1 for point in SERVING if report.hit[point])
    return [
        ("mails handed in", str(v.mails)),
        ("answered in the end", str(v.answered)),
        ("kills", str(v.kills)),
        ("crash points that killed", f"{reached} of {len(SERVING)}"),
        ("copies the relay took", str(v.copies)),
        ("deliveries absorbed as repeats", str(v.absorbed)),
        ("lost", str(v.lost)),
        ("doubled tickets", str(v.doubled_tickets)),
        ("doubled automatic notices", str(v.doubled_notices)),
        ("repeats of people's words", f"{v.repeats} (allowed {v.allowed})"),
        ("automatic notices given up", str(v.given_up)),
        ("recovery, median", f"{_percentile(report.recoveries, 0.5):.2f} s"),
        ("recovery, p95", f"{_percentile(report.recoveries, 0.95):.2f} s"),
        ("peak memory, daemon and parsers", f"{report.peak / 2**20:.0f} MiB"),
        ("resident, by thirds of the time", _thirds(report.resident)),
        ("other faults", ", ".join(f"{n} {k}" for k, n in sorted(report.faults.items()) if n)),
        ("outcomes", ", ".join(f"{n} {k}" for k, n in sorted(v.outcomes.items()))),
        ("findings", str(len(v.findings))),
    ]


def _thirds(values: Sequence[int]) -> str:
    third = len(values) // 3
    if not third:
        return "one life was too short"
    parts = (values[:third], values[third : 2 * third], values[2 * third :])
    return " / ".join(f"{max(part) / 2**20:.0f}" for part in parts) + " MiB"


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _print(reports: Sequence[Report]) -> None:
    out = sys.stdout
    columns = [dict(_rows(report)) for report in reports]
    out.write("| | " + " | ".join(report.kind for report in reports) + " |\n")
    out.write("|---|" + "---|" * len(reports) + "\n")
    for name in columns[0] if columns else ():
        out.write(f"| {name} | " + " | ".join(column[name] for column in columns) + " |\n")
    for report in reports:
        for finding in report.verdict.findings[:50]:
            out.write(f"{report.kind}: {finding}\n")


if __name__ == "__main__":
    sys.exit(main())
