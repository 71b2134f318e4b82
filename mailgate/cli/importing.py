"""`mailgate import`: mail that lies in files, a batch at a time; what cannot be read is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mailgate.cli import shapes
from mailgate.cli.house import STATE, Failure, House, house, print_json
from mailgate.cli.settling import parsers_of, settled
from mailgate.intake import commit
from mailgate.sources import archive
from mailgate.worker import Worker
from store.inbox import Settled

BATCH = 50  # mails in one commit

PATHS = typer.Argument(
    ..., metavar="PATH...", help="An mbox, a Maildir, a folder with .eml files below it, a file."
)


def import_(
    paths: list[Path] = PATHS,
    live: bool = typer.Option(
        False, "--live", help="Treat it as mail that comes in now: notices are sent."
    ),
) -> None:
    """Import mail; silent history unless --live. Running it again takes only what is missing."""
    for path in archive.skipped(paths):
        typer.echo(f"not taken: {path} (name an mbox itself to import it)", err=True)
    try:
        found = list(archive.items(paths))
    except OSError as error:
        raise Failure(str(error)) from error
    counts: Counter[str] = Counter()
    fresh = 0
    with house() as home, parsers_of(home) as parsers, _progress(len(found)) as advance:
        worker = Worker(database=home.database, parsers=parsers, desk=home.desk)
        for start in range(0, len(found), BATCH):
            new, rows = _take(home, worker, found[start : start + BATCH], live=live)
            fresh += new
            for row in rows:
                counts[row.outcome.value if row.outcome else "waiting"] += 1
                if STATE.json:
                    print_json(shapes.mail_line(row))
                advance()
    if not STATE.json:
        total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        typer.echo(f"{len(found)} mails, {fresh} new: {total or 'nothing to do'}")


def _take(
    home: House, worker: Worker, batch: Sequence[archive.Item], *, live: bool
) -> tuple[int, list[Settled]]:
    """Commit and settle a batch; returns how many are new, and the row of each."""
    now = datetime.now(UTC)
    mails = [archive.inbound(item, item.read(), live=live, now=now) for item in batch]
    taken = commit(home.database, mails)
    ids = [inbound for inbound, _new in taken]
    try:
        rows = settled(home.database, worker, ids)
    except KeyboardInterrupt:
        with home.database.transaction() as tx:  # or the next run waits for the lease of this one
            tx.inbox.release(ids, now)
        raise
    return sum(new for _inbound, new in taken), rows


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    with Progress(
        TextColumn("importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("import", total=total)
        yield lambda: progress.advance(task)
