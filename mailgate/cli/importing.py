"""`mailgate import`: mail that lies in files, a batch at a time; what cannot be read is named."""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from mailgate.cli import shapes
from mailgate.cli.house import STATE, Failure, House, house, print_json, printable
from mailgate.cli.settling import PATIENCE, parsers_of, settled
from mailgate.core.mail import Inbound
from mailgate.intake import commit
from mailgate.parsing import Parsers
from mailgate.sources import archive
from mailgate.worker import Worker
from store.inbox import Settled

_Handler = Callable[[int, FrameType | None], object] | signal.Handlers
BATCH = 50  # mails in one commit
SILENCE = 2.0  # seconds of waiting for somebody else before it is said

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
    tally = _Tally()
    with (
        house() as home,
        parsers_of(home) as parsers,
        _progress(len(found)) as bar,
        _watching(bar, parsers) as watch,
    ):
        worker = Worker(database=home.database, parsers=parsers, desk=home.desk)
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            mails = _read(batch, tally, bar, live=live)
            for row in _take(home, worker, mails, tally, watch) if mails else ():
                tally.ends[row.outcome.value if row.outcome else "waiting"] += 1
                if STATE.json:
                    print_json(shapes.mail_line(row))
            bar.advance(len(batch))
    if not STATE.json:
        total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.ends.items()))
        typer.echo(f"{len(found)} mails, {tally.fresh} new: {total or 'nothing to do'}")
    if tally.unread:
        raise Failure(f"{tally.unread} could not be read and were not taken; they are named above")


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """How far the import is, and the way to say something beside it."""

    progress: Progress
    task: TaskID

    def advance(self, count: int) -> None:
        self.progress.advance(self.task, count)

    def say(self, line: str) -> None:
        """A line on stderr, above the bar; what writes past the bar ends up inside it."""
        self.progress.console.out(line, highlight=False)


@dataclass(kw_only=True)
class _Tally:
    """What became of the mails so far."""

    ends: Counter[str] = field(default_factory=Counter)
    fresh: int = 0
    unread: int = 0


def _read(batch: Sequence[archive.Item], tally: _Tally, bar: _Bar, *, live: bool) -> list[Inbound]:
    """The mails of a batch; what cannot be read is named, and does not stop the others."""
    now = datetime.now(UTC)
    mails = []
    for item in batch:
        try:
            mails.append(archive.inbound(item, item.read(), live=live, now=now))
        except (OSError, KeyError) as error:
            which = f"{item.path}" if item.key == "" else f"{item.path}#{item.key}"
            why = getattr(error, "strerror", None) or error
            bar.say(printable(f"cannot read {which}: {why}"))
            tally.unread += 1
    return mails


def _take(
    home: House, worker: Worker, mails: Sequence[Inbound], tally: _Tally, watch: _Watch
) -> list[Settled]:
    """Commit and settle mails."""
    watch(0, 0.0)
    taken = commit(home.database, mails)
    tally.fresh += sum(new for _inbound, new in taken)
    return settled(home.database, worker, [inbound for inbound, _new in taken], watch)


@dataclass(kw_only=True)
class _Watch:
    """Ends an import after a signal, and says once that it has to wait for somebody."""

    bar: _Bar
    stopped: int = 0  # the signal
    said: bool = False

    def __call__(self, undecided: int, waited: float) -> None:
        """Raises Failure after a signal."""
        if self.stopped:
            raise Failure("stopped; run it again for the rest", 128 + self.stopped)
        if undecided and waited > SILENCE and not self.said:
            self.said = True
            self.bar.say(
                f"waiting for {undecided} mails that a running daemon or an import that was killed"
                f" has in hand, for {PATIENCE / 60:.0f} minutes at most"
            )


@contextmanager
def _watching(bar: _Bar, parsers: Parsers) -> Iterator[_Watch]:
    """The first SIGTERM or Ctrl-C ends the import between two mails, a second one at once.

    An exception out of a signal handler could come while a lock is about to be let go.
    """
    watch = _Watch(bar=bar)
    second: dict[int, _Handler] = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
    }

    def stop(number: int, _frame: FrameType | None) -> None:
        watch.stopped = number
        signal.signal(number, second[number])
        # Parse processes that die of the same signal must say nothing about their mail.
        threading.Thread(target=parsers.close).start()

    before = {number: signal.signal(number, stop) for number in second}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(total: int) -> Iterator[_Bar]:
    """A bar on a terminal, unless JSON lines would run into it."""
    console = Console(stderr=True)
    off = not console.is_terminal or (STATE.json and sys.stdout.isatty())
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=off) as progress:
        yield _Bar(progress=progress, task=progress.add_task("import", total=total))
