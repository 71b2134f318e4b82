"""The engine and its transactions. SQLite is the embedded default, PostgreSQL the shared one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, bindparam, select, text

from store.asides import Asides
from store.background import Background
from store.blobs import BlobFolder, Blobs, Step, no_step
from store.clocks import Clocks
from store.counting import Counting
from store.dialects import on, spelled
from store.duty import Duty
from store.engine import (
    CommitUnknown,
    Full,
    Unavailable,
    WeakDurability,
    make_engine,
    no_room,
    translated,
)
from store.facts import FactFinder
from store.files import Files
from store.held import Held
from store.history import History
from store.inbox import Inbox
from store.keys import Keys
from store.lists import Lists
from store.migrations import HEAD
from store.outbox import Outbox
from store.people import People
from store.reshaping import Reshaping
from store.schema import settings
from store.search import Search
from store.sources import Sources
from store.splitting import Splitting
from store.stats import Stats
from store.tickets import Tickets
from store.undeliverable import Undeliverable
from store.wishes import Wishes
from store.writer import Writer

__all__ = [
    "CommitUnknown",
    "Database",
    "Full",
    "Tx",
    "Unavailable",
    "WeakDurability",
    "WrongSchema",
    "no_room",
]

_KEEP = spelled(
    lambda insert: (row := insert(settings)).on_conflict_do_update(
        index_elements=["key"], set_={"value": row.excluded.value}
    )
)
_KEEP_FIRST = spelled(
    lambda insert: insert(settings).on_conflict_do_nothing(index_elements=["key"])
)
_SETTING = select(settings.c.value).where(settings.c.key == bindparam("key"))


class WrongSchema(Exception):
    """The database was made by another version of mailgate."""


class Tx:
    """One transaction: a room for each kind of row, all on the same connection."""

    def __init__(self, conn: Connection, folder: BlobFolder) -> None:
        self.conn = conn
        self._folder = folder

    @cached_property
    def blobs(self) -> Blobs:
        """Bytes by digest."""
        return Blobs(self.conn, self._folder)

    @cached_property
    def inbox(self) -> Inbox:
        """Accepted mail."""
        return Inbox(self.conn)

    @cached_property
    def tickets(self) -> Tickets:
        """Tickets with their messages, participants and events."""
        return Tickets(self.conn)

    @cached_property
    def reshaping(self) -> Reshaping:
        """What agents' commands do to a ticket, who is away, and what can be undone."""
        return Reshaping(self.conn)

    @cached_property
    def splitting(self) -> Splitting:
        """Messages that become tickets of their own."""
        return Splitting(self.conn)

    @cached_property
    def asides(self) -> Asides:
        """What was said aside, to third parties and by them."""
        return Asides(self.conn)

    @cached_property
    def people(self) -> People:
        """Addresses we know."""
        return People(self.conn)

    @cached_property
    def facts(self) -> FactFinder:
        """The one read before a decision."""
        return FactFinder(self.conn)

    @cached_property
    def files(self) -> Files:
        """Files that came with mails."""
        return Files(self.conn)

    @cached_property
    def outbox(self) -> Outbox:
        """Mail that has to leave."""
        return Outbox(self.conn, self.blobs)

    @cached_property
    def keys(self) -> Keys:
        """The secrets that tokens are sealed with."""
        return Keys(self.conn)

    @cached_property
    def held(self) -> Held:
        """Mails that wait for approval."""
        return Held(self.conn)

    @cached_property
    def undeliverable(self) -> Undeliverable:
        """Addresses that our mail does not reach."""
        return Undeliverable(self.conn)

    @cached_property
    def search(self) -> Search:
        """Messages by their words."""
        return Search(self.conn)

    @cached_property
    def background(self) -> Background:
        """What notices tell beside their message."""
        return Background(self.conn)

    @cached_property
    def history(self) -> History:
        """Messages as they were stored, to be read anew."""
        return History(self.conn)

    @cached_property
    def lists(self) -> Lists:
        """Agents' work lists."""
        return Lists(self.conn)

    @cached_property
    def clocks(self) -> Clocks:
        """Dates on which something falls due."""
        return Clocks(self.conn)

    @cached_property
    def sources(self) -> Sources:
        """IMAP cursors and the health of each source."""
        return Sources(self.conn)

    @cached_property
    def counting(self) -> Counting:
        """What the gate counts, and its marks."""
        return Counting(self.conn)

    @cached_property
    def stats(self) -> Stats:
        """Counts for people and machines that watch."""
        return Stats(self.conn)

    @cached_property
    def wishes(self) -> Wishes:
        """What customers can have by answering with a word."""
        return Wishes(self.conn)

    @cached_property
    def duty(self) -> Duty:
        """Lists of what waits for somebody to decide, and senders whose mail is ignored."""
        return Duty(self.conn)

    def setting(self, key: str, default: str = "") -> str:
        """A value kept by the installation itself, such as its instance id."""
        row = self.conn.execute(_SETTING, {"key": key}).first()
        return row.value if row else default

    def set_setting(self, key: str, value: str) -> None:
        """Keep a value."""
        self.conn.execute(on(self.conn, _KEEP), {"key": key, "value": value})

    def first_setting(self, key: str, value: str) -> str:
        """Keep a value unless there is one; returns the one that stays, on all nodes the same."""
        self.conn.execute(on(self.conn, _KEEP_FIRST), {"key": key, "value": value})
        return self.setting(key)


class Database:
    """An engine, the blob folder beside it, and the only two ways to use them."""

    def __init__(
        self,
        url: str,
        data_dir: Path,
        *,
        blob_inline_max: int = 65536,
        step: Step = no_step,
        synced: bool = True,
    ) -> None:
        """`url` is "sqlite" (a file in `data_dir`) or a SQLAlchemy URL of SQLite or PostgreSQL.

        `step` is called by name ahead of each step that a crash could part from the next one.
        `synced` False forces nothing onto stable storage, for tests that need to lose mail.
        """
        if url == "sqlite":
            url = f"sqlite:///{data_dir / 'mailgate.db'}"
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.url = url
        self.folder = BlobFolder(
            data_dir / "blobs", inline_max=blob_inline_max, step=step, synced=synced
        )
        self._step = step
        self._closing = threading.Event()
        self.engine = make_engine(url, synced=synced, closing=self._closing)
        self.sqlite = self.engine.dialect.name == "sqlite"
        self._writer = Writer() if self.sqlite else None
        # SQLite reads a snapshot anyway; PostgreSQL's default shows each statement another state.
        self._reading: dict[str, Any] = (
            {"mailgate_read": True} if self.sqlite else {"isolation_level": "REPEATABLE READ"}
        )

    @property
    def wanted(self) -> bool:
        """Whether somebody urgent waits for SQLite's one writer: end soon what can be ended."""
        return self._writer is not None and self._writer.wanted

    @contextmanager
    def transaction(self, *, urgent: bool = False) -> Iterator[Tx]:
        """A write transaction: commits at the end, rolls back on any exception.

        On SQLite the urgent ones go before all others that wait: a peer waits for their end.
        Raises Unavailable when the database cannot be reached or is locked, Full when it or its
        disk is, CommitUnknown when it went away while it was committing.
        """
        committing = False
        try:
            turn = self._writer.turn(urgent=urgent) if self._writer else nullcontext()
            with turn, translated(), self.engine.begin() as conn:
                yield Tx(conn, self.folder)
                committing = True
        except Unavailable as error:
            if not committing or isinstance(error, Full):
                raise
            raise CommitUnknown(str(error)) from error

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A consistent read. Raises Unavailable."""
        with translated(), self.engine.connect() as conn:
            yield Tx(conn.execution_options(**self._reading), self.folder)

    def version(self) -> str:
        """The schema revision of this database, "" when it is empty. Raises Unavailable."""
        with self.reading() as tx:
            if not sqlalchemy.inspect(tx.conn).has_table("alembic_version"):
                return ""
            return str(tx.conn.execute(text("SELECT version_num FROM alembic_version")).scalar())

    def ready(self) -> None:
        """Make the schema in an empty database; refuse one of another version.

        Raises WrongSchema with the way out, or Unavailable.
        """
        version = self.version()
        if not version:
            self.migrate()
        elif version != HEAD:
            raise WrongSchema(
                f"the database has schema {version}, this mailgate wants {HEAD}: "
                + (
                    "stop all nodes, take a backup, run `mailgate migrate`"
                    if version < HEAD
                    else "install the newer mailgate again"
                )
            )

    def migrate(self) -> None:
        """Bring the schema to this version. Raises Unavailable."""
        from store.migrations.run import upgrade  # Alembic costs 0.8 s: only where it is needed

        with translated():
            upgrade(self.engine, self._step)

    def hurry(self) -> None:
        """From now on give up soon where another process holds SQLite's lock: Unavailable."""
        self._closing.set()

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()
