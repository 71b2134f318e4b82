"""A run: node, relay, IMAP server and load client, with what drives them until nothing moves."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from mailgate.core.decision import FINAL_STATES, CopyState
from store.database import Database
from store.schema import inbox, outbox_recipients
from tests.faults import sink as relay
from tests.faults.judge import Verdict, judge
from tests.faults.ledgers import Tail
from tests.faults.load import Load, wait_for
from tests.faults.mails import Mail, Writer
from tests.faults.node import AGENT, Node, imap_account, leases_end, pauses_end
from tests.faults.sink import Sink
from tests.peers.fake_imap import FakeImap

QUIET = 120.0  # seconds in which everything must come to rest once the faults are gone


class Rig:
    """One installation under fire."""

    def __init__(self, node: Node, sink: Sink, imap: FakeImap, load: Load, seed: int) -> None:
        self.node = node
        self.sink = sink
        self.imap = imap
        self.load = load
        self.writer = Writer(seed)
        self._tail = Tail(sink.ledger)
        self.notices: list[str] = []  # Message-IDs of notices to the agent, not answered yet
        # Message-IDs of what people got, and who: no report was made about it yet
        self.sent: list[tuple[str, str]] = []
        self._posted: dict[bytes, Mail] = {}  # appended to the IMAP folder, not taken yet
        self._processed = 0  # how much of the folder of taken mail was read
        self._uid = 0
        self._looking = threading.Lock()

    # --- mail -----------------------------------------------------------------------------

    def look(self) -> bool:
        """Read what the relay took since the last look, and what left the IMAP folder. True."""
        return self.news() >= 0

    def news(self) -> int:
        """As `look`; how many mails the relay took."""
        lines = list(self._tail.news())
        for line in lines:
            for address in line.get("to", ()):
                if address == AGENT:
                    self.notices.append(line["message_id"])
                else:
                    self.sent.append((line["message_id"], address))
        with self._looking:
            self._look_at_imap()
        return len(lines)

    def _look_at_imap(self) -> None:
        processed, failed = self.imap.folders["Processed"], self.imap.folders["Failed"]
        while self._processed < len(processed):
            mail = self._posted.pop(processed[self._processed], None)
            self._processed += 1
            if mail:
                self.load.ledger.write(uuid=mail.uuid, answer="250 moved by the poller")
        while failed:  # set aside, as the server did not supply it: an operator moves it back
            self._append(failed.pop())

    def post(self, mail: Mail) -> None:
        """Put a mail into the IMAP folder; only while no session is open."""
        self.load.ledger.write(uuid=mail.uuid, kind=mail.kind, way="imap", sha256=mail.sha256)
        with self._looking:
            self._posted[mail.raw] = mail
            self._append(mail.raw)

    def _append(self, raw: bytes) -> None:
        self._uid += 1
        self.imap.append(self._uid, raw)

    def answer(self) -> Mail | None:
        """An agent's reply to a notice that the relay took; None before there is one."""
        return self.writer.reply(self.notices.pop()) if self.notices else None

    def lend(self) -> Mail | None:
        """An answer to an agent's notice from elsewhere; None before there is one.

        Whoever answers the notices in turn answers the challenge, too, and so releases the mail.
        """
        return self.writer.lent(self.notices[-1]) if self.notices else None

    def bounce(self) -> Mail | None:
        """A report about a mail that somebody got; None before there is one."""
        return self.writer.bounce(*self.sent.pop()) if self.sent else None

    def backlog(self) -> int:
        """Mails that are not settled yet, and copies that wait for nothing but the mailer."""
        database = self.node.database()
        try:
            with database.reading() as tx:
                mails = select(func.count()).where(inbox.c.outcome.is_(None))
                copies = select(func.count()).where(outbox_recipients.c.due <= datetime.now(UTC))
                return sum(tx.conn.execute(count).scalar_one() for count in (mails, copies))
        finally:
            database.close()

    def start(self, crash: str) -> None:
        """Start the node armed, as soon as the last one is dead.

        On PostgreSQL a node cannot know that it is alone: as if the leases had run out meanwhile.
        """
        if self.node.url != "sqlite":
            database = self.node.database()
            leases_end(database)
            database.close()
        self.node.start(crash)

    # --- the end --------------------------------------------------------------------------

    def settle(self, seconds: float = QUIET) -> Verdict:
        """Without faults: wait until every mail is answered and nothing waits; then judge."""
        self.sink.calm()
        database = self.node.database()
        try:
            if not self.node.alive():
                database.ready()  # a disk that lost power may hold an empty one
                leases_end(database)
                self.node.up()
            wait_for("all mails to be answered", lambda: self._all_answered(), seconds)

            def rest() -> bool:
                pauses_end(database)
                time.sleep(0.3)
                with database.reading() as tx:
                    depths = tx.stats.depths()
                return not depths.inbox and not depths.outbox

            try:
                wait_for("rest", rest, seconds)
            except AssertionError as error:
                log = self.node.log()[-3000:]
                raise AssertionError(f"{error}: {_left(database)}\n{log}") from error
            self.node.weigh()
            assert self.node.stop() == 0, self.node.log()[-3000:]
            self.look()
            return judge(database, self.load.ledger.path, self.sink.ledger, kills=self.node.kills)
        finally:
            database.close()

    def _all_answered(self) -> bool:
        self.look()
        return not self.load.waiting() and not self._posted


@contextmanager
def rig(
    folder: Path,
    *,
    url: str = "sqlite",
    seed: int = 1,
    tries: int = 10_000,
    data: Path | None = None,
) -> Iterator[Rig]:
    """All processes of a run; the node is not started yet."""
    with relay.running(folder / "relay.jsonl") as sink, FakeImap() as imap:
        imap.folders["Processed"] = []
        imap.folders["Failed"] = []
        node = Node(folder, url=url, relay=sink.port, imap=imap_account(imap.port), data=data)
        load = Load(node, folder / "load.jsonl", tries=tries)
        load.start(smtp=4)
        try:
            yield Rig(node, sink, imap, load, seed)
        finally:
            load.close()
            node.kill()


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Nobody else can write to this SQLite file."""
    conn = sqlite3.connect(file, isolation_level=None, timeout=30)
    try:
        conn.execute("BEGIN EXCLUSIVE")
        yield
        conn.execute("ROLLBACK")
    finally:
        conn.close()


def later(seconds: float, do: object) -> threading.Timer:
    """Call something in a while; returns the running timer."""
    assert callable(do)
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


def _left(database: Database) -> str:
    """What still waits: of the inbox when it is due, of the outbox in which state."""
    with database.reading() as tx:
        mails = tx.conn.execute(
            select(inbox.c.id, inbox.c.due, inbox.c.attempts).where(inbox.c.outcome.is_(None))
        ).all()
        copies = tx.conn.execute(
            select(outbox_recipients.c.state, outbox_recipients.c.due).where(
                outbox_recipients.c.state.in_(
                    tuple(state.value for state in set(CopyState) - FINAL_STATES)
                )
            )
        ).all()
    return f"mails {mails}, copies {copies}"
