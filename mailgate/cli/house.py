"""What commands share: the global options, the opened house, and ways to print."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from mailgate.apply import Desk
from mailgate.assembly import instance_of, make_desk, ready_database
from mailgate.config import Config, find, load
from store.blobs import BlobMissing
from store.database import Database, Tx
from store.inbox import Settled

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # surrogates: bytes that were not UTF-8


class Failure(Exception):
    """A command cannot do what was asked; the text says why and what to do instead."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class _State:
    config: str = ""
    json: bool = False


STATE = _State()  # the global options of this run


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An opened installation."""

    config: Config
    database: Database
    desk: Desk


def configuration() -> Config:
    """The configuration that the options name. Raises ConfigError."""
    return load(find(STATE.config or None))


@contextmanager
def database_only() -> Iterator[Database]:
    """The database, for commands that only read."""
    database = ready_database(configuration())
    try:
        yield database
    finally:
        database.close()


@contextmanager
def house() -> Iterator[House]:
    """The whole installation, for commands that decide."""
    config = configuration()
    database = ready_database(config)
    try:
        yield House(config=config, database=database, desk=make_desk(config, instance_of(database)))
    finally:
        database.close()


def print_json(value: object) -> None:
    """One JSON object on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_table(rows: Iterable[Mapping[str, object]], empty: str) -> None:
    """Rows in aligned columns under their names; `empty` when there are none."""
    cells = [{k: one_line(v) for k, v in row.items()} for row in rows]
    if not cells:
        typer.echo(empty)
        return
    width = {k: max(len(k), *(len(row[k]) for row in cells)) for k in cells[0]}
    typer.echo("  ".join(k.upper().ljust(width[k]) for k in width).rstrip())
    for row in cells:
        typer.echo("  ".join(row[k].ljust(width[k]) for k in width).rstrip())


def one_line(value: object) -> str:
    """A value for a terminal: no control characters, at most 70 columns."""
    clean = printable("" if value is None else str(value)).replace("\t", " ")
    return clean if len(clean) <= 70 else clean[:69] + "…"


def printable(line: str) -> str:
    """A line of a stranger's words, unable to steer a terminal; tabs stay."""
    return "".join(c if c.isprintable() or c == "\t" else " " for c in line)


def storable(words: str) -> str:
    """Words from the command line as every database takes them: no NUL, nothing that is no text."""
    return _UNSTORABLE.sub("\ufffd", words)


def write_bytes(tx: Tx, row: Settled) -> None:
    """The exact bytes of a mail to stdout. Raises Failure when they are gone."""
    try:
        data = tx.blobs.get(row.digest)
    except BlobMissing as error:
        raise Failure(
            f"the bytes of mail {row.id} are missing: restore them from a backup"
        ) from error
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
