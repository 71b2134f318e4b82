"""`mailgate restrip`: tell new words from quotes again, in messages that are stored already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import typer

from mailgate.cli.fields import LAST_ID
from mailgate.cli.house import STATE, Failure, House, house, print_json, printable
from mailgate.cli.settling import parsers_of
from mailgate.core.mail import ParsedMail
from mailgate.core.strip import Stripped, strip
from mailgate.parsing import Parsers, WorkerDied, strip_again
from mailgate.quoting import told_again
from store.blobs import BlobMissing
from store.history import Stored
from store.ticket_rows import Event

NUMBER = typer.Argument(None, metavar="[N]", min=1, max=LAST_ID, help="Only this ticket.")
SINCE = typer.Option("", "--since", metavar="WHEN", help="Only since then: 30d, 12h, 2026-05-04.")
_SPAN = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, kw_only=True)
class _Change:
    """A message that would read differently."""

    message: Stored
    parts: Stripped | ParsedMail


@dataclass(kw_only=True)
class _Tally:
    seen: int = 0
    changed: int = 0
    without_bytes: int = 0
    overtaken: int = 0


def register(app: typer.Typer) -> None:
    """Put the command at the top level."""
    app.command()(restrip)


def restrip(
    number: int = NUMBER,
    since: str = SINCE,
    write: bool = typer.Option(False, "--write", help="Store it; without this it is only shown."),
) -> None:
    """Strip stored messages of customers again; shows what would change, --write stores it."""
    begin = _when(since, datetime.now(UTC)) if since else None
    tally = _Tally()
    with house() as home, parsers_of(home) as parsers:
        if number is not None:
            _must_exist(home, number)
        for changes in _batches(home, parsers, tally, number, begin):
            if write:
                changes = _store(home, changes, tally)
            tally.changed += len(changes)
            for change in changes:
                _tell(change)
    _sum_up(tally, write)


def _batches(
    home: House, parsers: Parsers, tally: _Tally, number: int | None, begin: datetime | None
) -> Iterator[list[_Change]]:
    """What would change, batch by batch; no transaction is open while mails are parsed."""
    last = 0
    while True:
        with home.database.reading() as tx:
            batch = tx.history.batch(last, ticket=number, since=begin)
        if not batch:
            return
        last = batch[-1].id
        tally.seen += len(batch)
        found = (_Change(message=m, parts=_again(home, parsers, m, tally)) for m in batch)
        yield [change for change in found if change.parts.visible != change.message.visible]


def _again(home: House, parsers: Parsers, message: Stored, tally: _Tally) -> Stripped | ParsedMail:
    """The message stripped with the mail's HTML, or without where that cannot be had."""
    try:
        with home.database.reading() as tx:
            raw = tx.blobs.get(message.digest)
        mail = parsers.call(strip_again, raw, message.text)
        with home.database.reading() as tx:
            return told_again(tx, mail, home.desk.policy)
    except BlobMissing:
        tally.without_bytes += 1
    except (TimeoutError, MemoryError, WorkerDied) as error:
        # The mail was built to take for ever; its text, which is stored, is not.
        typer.echo(f"mail {message.inbox}: its HTML is not read: {error!r}", err=True)
    return strip(message.text)


def _store(home: House, changes: list[_Change], tally: _Tally) -> list[_Change]:
    """Store changes, with an event for each; returns those that nobody overtook."""
    now = datetime.now(UTC)
    with home.database.transaction() as tx:
        done = [c for c in changes if tx.history.reword(c.message, c.parts.visible)]
        tx.tickets.record_many(
            [
                Event(
                    at=now,
                    actor="command line",
                    kind="restripped",
                    data={"message": c.message.id, "cuts": [str(cut) for cut in c.parts.cuts]},
                    ticket=c.message.ticket,
                    inbox=c.message.inbox,
                )
                for c in done
            ]
        )
    tally.overtaken += len(changes) - len(done)
    return done


def _must_exist(home: House, number: int) -> None:
    with home.database.reading() as tx:
        if tx.tickets.get(number) is None:
            raise Failure(f"there is no ticket #{number}")


def _tell(change: _Change) -> None:
    message, parts = change.message, change.parts
    if STATE.json:
        print_json(
            {
                "message": message.id,
                "ticket": message.ticket,
                "inbound": message.inbox,
                "before": message.visible,
                "visible": parts.visible,
                "quoted": parts.quoted,
                "signature": parts.signature,
                "cuts": [str(cut) for cut in parts.cuts],
            }
        )
        return
    sizes = f"{len(message.visible)} -> {len(parts.visible)} characters"
    typer.echo(f"#{message.ticket} message {message.id} (mail {message.inbox}): {sizes}")
    for cut in parts.cuts:
        typer.echo(printable(f"  {cut}"))


def _sum_up(tally: _Tally, write: bool) -> None:
    if not STATE.json:
        verb = "changed" if write else "would change; --write stores it"
        typer.echo(f"{tally.seen} messages, {tally.changed} {verb}")
    if tally.overtaken:
        typer.echo(f"{tally.overtaken} were changed meanwhile: run it again", err=True)
    if tally.without_bytes:
        raise Failure(
            f"the bytes of {tally.without_bytes} mails are missing: stripped by their text alone;"
            " `mailgate ledger --check --deep` names them"
        )


def _when(words: str, now: datetime) -> datetime:
    """A span before now, or the beginning of a day (UTC). Raises Failure."""
    try:
        if match := _SPAN.fullmatch(words):
            return now - int(match[1]) * _UNITS[match[2]]
        return datetime.combine(date.fromisoformat(words), time(), UTC)
    except ValueError as error:
        what = f"--since {words!r}: write 30d, 12h, 2w or a date such as 2026-05-04"
        raise Failure(what, 2) from error
