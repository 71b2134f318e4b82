"""Invariants 1-3, 6, 10-12 and 16 under any order of deliveries, crashes and relay answers.

The reference model is what a post office clerk would keep: which contents came, what each copy was
answered, how often somebody died while the answer was open. A crash is the end of all objects in
the middle of a transaction; the database file is all that stays.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailgate import crash
from mailgate.apply import Desk
from mailgate.assembly import make_desk
from mailgate.config import load
from mailgate.core.decision import FINAL_STATES, Attempt, CopyState, Notice, Outcome
from mailgate.core.mail import Envelope, Inbound
from mailgate.core.retry import Schedule, judge, may_send
from mailgate.intake import commit
from mailgate.mailer.copies import Copies, Result
from mailgate.parsing import Parsers
from mailgate.worker import Worker
from store.database import Database
from store.outbox import Queued
from tests.faults.mails import Mail, Writer
from tests.faults.node import AGENT, QUEUE, Node

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
STRANGER = "stranger@example.net"
WORK_POINTS = tuple(name for name, _ in crash.POINTS if name.startswith(("work.", "out.render")))
IN_POINTS = ("in.row_insert", "in.before_commit", "in.after_commit")
PARSERS = Parsers(workers=1)

# Invariant 10: how a copy may move between two looks, by way of `sending`.
MOVES: Mapping[CopyState, frozenset[CopyState]] = {
    CopyState.PENDING: frozenset(CopyState) - {CopyState.CANCELLED},
    CopyState.SENDING: frozenset(CopyState) - {CopyState.PENDING, CopyState.CANCELLED},
    CopyState.DEFERRED: frozenset(CopyState) - {CopyState.PENDING, CopyState.CANCELLED},
    CopyState.UNCERTAIN: frozenset(CopyState) - {CopyState.PENDING, CopyState.CANCELLED},
    CopyState.SENT: frozenset({CopyState.SENT}),
    CopyState.FAILED: frozenset({CopyState.FAILED}),
    CopyState.CANCELLED: frozenset({CopyState.CANCELLED}),
}


class Killed(BaseException):
    """The process ends here; nothing below may catch it."""


def _die(name: str) -> None:
    raise Killed(name)


@cache
def _house() -> tuple[Path, Desk]:
    """A migrated, empty database file to copy, and a desk."""
    folder = Path(tempfile.mkdtemp(prefix="model-"))
    node = Node(folder)
    database = Database("sqlite", folder)
    database.ready()
    database.close()
    return folder / "mailgate.db", make_desk(load(node.config), "model")


class Desktop(RuleBasedStateMachine):
    """The whole way in and out, one step at a time."""

    def __init__(self) -> None:
        super().__init__()
        template, self.desk = _house()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        shutil.copy(template, self.folder / "mailgate.db")
        self.now = START
        self.writer = Writer(1)
        self.keys = 0
        self.mails: list[Mail] = []  # the model: every content that was ever handed in
        self.last_key: tuple[str, Mail] | None = None
        self.committed: dict[int, str] = {}  # inbox id -> digest, once intake has said so
        self.ended: dict[int, Outcome] = {}
        self.states: dict[int, CopyState] = {}
        self.bytes: dict[int, str] = {}
        self.taken: Counter[int] = Counter()  # acceptances by the relay, per copy
        self.windows: Counter[int] = Counter()  # deaths and lost answers after the final dot
        self.flying: Queued | None = None
        self.acts = crash._ACTS
        crash._ACTS = {**self.acts, "kill": _die}
        self._open()

    def teardown(self) -> None:
        """Liveness: without faults everything comes to its end, and then once more to judge."""
        try:
            crash.arm({})
            self.restart()
            for _ in range(60):
                self._rest()
                self.now += timedelta(hours=6)
            self.all_is_in_order()
            with self.database.reading() as tx:
                assert tx.stats.depths().inbox == 0
                states = {c.state for m in tx.outbox.list(limit=10_000) for c in m.recipients}
                assert states <= FINAL_STATES
        finally:
            crash.arm({})
            crash._ACTS = self.acts
            self.database.close()
            shutil.rmtree(self.folder)

    def _rest(self) -> None:
        self.worker.drain()
        while copy := self.copies.take(self.now):
            self.flying = copy
            self._answer(250)

    def _open(self) -> None:
        self.database = Database("sqlite", self.folder)
        self.copies = Copies(self.database, LEASE)
        self.worker = Worker(
            database=self.database, parsers=PARSERS, desk=self.desk, clock=lambda: self.now
        )

    # --- mail comes in --------------------------------------------------------------------

    def _hand_in(self, mail: Mail, key: str = "") -> None:
        self.keys += not key
        self.last_key = (key or f"key {self.keys}", mail)
        inbound = Inbound(
            raw=mail.raw,
            source="smtp model",
            source_key=self.last_key[0],
            received=self.now,
            envelope=Envelope(mail_from=mail.sender, rcpt_tos=(QUEUE,)),
        )
        if mail not in self.mails:
            self.mails.append(mail)
        [(number, _new)] = commit(self.database, [inbound])
        self.committed[number] = mail.sha256
        self._is_there(number, mail)

    def _is_there(self, number: int, mail: Mail) -> None:
        """Invariant 2: whoever opens the file now, or after a crash, finds envelope and bytes."""
        conn = sqlite3.connect(self.folder / "mailgate.db")
        query = (
            "SELECT b.data FROM inbox i JOIN blobs b ON b.digest = i.digest"
            " WHERE i.id = ? AND i.mail_from = ?"
        )
        assert conn.execute(query, (number, mail.sender)).fetchall() == [(mail.raw,)]
        conn.close()

    @rule(auto=st.booleans())
    def deliver(self, auto: bool) -> None:
        """A new mail of somebody nobody knows."""
        self._hand_in(self.writer.new(auto=auto))

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """The same bytes by another transaction, as after a lost answer."""
        self._hand_in(data.draw(st.sampled_from(self.mails)))

    @precondition(lambda self: self.last_key)
    @rule()
    def submit_again(self) -> None:
        """The same delivery, as an IMAP poller does after a crash."""
        assert self.last_key
        key, mail = self.last_key
        before = dict(self.committed)
        self._hand_in(mail, key)
        if before:
            assert len(self.committed) - len(before) <= 1

    def _notices(self, to_agent: bool) -> list[tuple[str, int]]:
        """(Message-ID, ticket) of what the relay took."""
        with self.database.reading() as tx:
            return [
                (mail.message_id, mail.ticket)
                for mail in tx.outbox.list(limit=10_000)
                for copy in mail.recipients
                if mail.ticket and self.taken[copy.id] and (copy.address == AGENT) == to_agent
            ]

    @rule(data=st.data())
    def agent_answers(self, data: st.DataObject) -> None:
        """An agent replies to a notice of ours."""
        if notices := self._notices(to_agent=True):
            self._hand_in(self.writer.reply(data.draw(st.sampled_from(notices))[0]))

    @rule(data=st.data())
    def stranger_guesses(self, data: st.DataObject) -> None:
        """A stranger refers to somebody else's ticket."""
        if notices := self._notices(to_agent=False):
            known, ticket = data.draw(st.sampled_from(notices))
            forged = self.writer.reply(known)
            raw = forged.raw.replace(AGENT.encode(), STRANGER.encode())
            raw = raw.replace(b"Re: your notice", f"Re: [#{ticket}] mine".encode())
            self._hand_in(Mail(uuid=forged.uuid, kind="forged", sender=STRANGER, raw=raw))

    @rule(point=st.sampled_from(IN_POINTS), data=st.data())
    def die_taking(self, point: str, data: st.DataObject) -> None:
        """Killed while taking a mail; the peer tries again or does not."""
        crash.arm({"MAILGATE_CRASH": f"{point}:1:kill"})
        mail = self.writer.new()
        try:
            self._hand_in(mail)
        except Killed:
            self.restart()
        crash.arm({})
        if data.draw(st.booleans()):
            self._hand_in(mail)

    # --- work -----------------------------------------------------------------------------

    @rule()
    def work(self) -> None:
        """The worker settles something."""
        self.worker.step()

    @rule(point=st.sampled_from(WORK_POINTS), nth=st.integers(1, 2))
    def die_working(self, point: str, nth: int) -> None:
        """Killed somewhere in the worker."""
        crash.arm({"MAILGATE_CRASH": f"{point}:{nth}:kill"})
        try:
            self.worker.step()
        except Killed:
            self.restart()
        finally:
            crash.arm({})

    @rule()
    def restart(self) -> None:
        """Start again, twice: the second time changes nothing (invariant 16)."""
        self.database.close()
        self.flying = None
        self._open()
        self._recover()
        once = self._dump()
        self._recover()
        assert self._dump() == once

    def _recover(self) -> None:
        """What the daemon does when it starts on SQLite."""
        with self.database.transaction() as tx:
            tx.inbox.release_all(self.now)
            tx.outbox.orphaned(self.now)
            tx.sources.release_all()

    def _dump(self) -> list[str]:
        conn = sqlite3.connect(self.folder / "mailgate.db")
        lines = list(conn.iterdump())
        conn.close()
        return lines

    @rule(minutes=st.sampled_from((1, 10, 120)))
    def time_passes(self, minutes: int) -> None:
        """The clock goes on; leases end, retries fall due."""
        if self.flying is None:  # a live mailer's deadline is shorter than its lease
            self.now += timedelta(minutes=minutes)

    # --- mail goes out --------------------------------------------------------------------

    @precondition(lambda self: self.flying is None)
    @rule()
    def claim(self) -> None:
        """The mailer takes a copy."""
        self.flying = self.copies.take(self.now)

    @precondition(lambda self: self.flying is not None)
    @rule(code=st.sampled_from((250, 250, 250, 451, 550, 0)), lost=st.booleans())
    def relay_says(self, code: int, lost: bool) -> None:
        """The relay takes it, puts it off, refuses it, or breaks off with or without having it."""
        self._answer(code, lost=lost and code == 0)

    @precondition(lambda self: self.flying is not None)
    @rule(accepted=st.booleans())
    def die_sending(self, accepted: bool) -> None:
        """Killed with a copy on the wire, before or after the relay had it."""
        copy = self.flying
        assert copy
        if accepted and may_send(copy.before, automatic=copy.automatic):
            self.taken[copy.id] += 1
            self.windows[copy.id] += 1
        self.restart()

    def _answer(self, code: int, *, lost: bool = False) -> None:
        copy = self.flying
        assert copy
        self.flying = None
        sent = may_send(copy.before, automatic=copy.automatic)
        if sent and (code == 250 or lost):
            self.taken[copy.id] += 1
            self.windows[copy.id] += lost
        attempt = Attempt(
            code=code if sent else 0, text="model", at=self.now, uncertain=lost or not sent
        )
        fate = judge(
            attempt,
            attempts=copy.attempts,
            queued=copy.queued,
            automatic=copy.automatic,
            schedule=Schedule(jitter=0),
        )
        result = Result(copy=copy, attempt=attempt, fate=fate)
        self.copies.settle(result, [], self.now, take_next=False)

    # --- what always holds ----------------------------------------------------------------

    @invariant()
    def all_is_in_order(self) -> None:
        """Invariants 1, 3, 6, 10, 11 and 12."""
        with self.database.reading() as tx:
            rows = {row.id: row for row in tx.inbox.find(limit=10_000)}
            outbox = tx.outbox.list(limit=10_000)
            assert tx.stats.imbalances() == []
            wire = {
                c.id: hashlib.sha256(tx.outbox.wire_bytes(c.id)).hexdigest()
                for m in outbox
                for c in m.recipients
            }
            tickets = {n: tx.tickets.get(n) for n in {m.ticket for m in outbox if m.ticket}}
        self._inbox_is(rows)
        for mail in outbox:
            ticket = tickets.get(mail.ticket or 0)
            if ticket is None:
                assert mail.notice == Notice.ALERT  # all others belong to a ticket
                continue
            welcome = {ticket.view.requester, *ticket.view.cc, AGENT}
            assert {copy.address for copy in mail.recipients} <= welcome  # 6
            assert STRANGER not in ticket.view.cc
            for copy in mail.recipients:
                self._copy_is(copy, mail.automatic, wire[copy.id])
        caused = Counter((m.inbox, m.notice, c.address) for m in outbox for c in m.recipients)
        assert max(caused.values(), default=1) == 1  # 12: no act has its effect twice

    def _inbox_is(self, rows: Mapping[int, Any]) -> None:
        digests = {mail.sha256 for mail in self.mails}
        for number, digest in self.committed.items():
            assert rows[number].digest == digest  # 1: what was acknowledged is there
        ends: Counter[str] = Counter()
        for number, row in rows.items():
            assert row.digest in digests  # nothing comes from nowhere
            if number in self.ended:
                assert row.outcome is self.ended[number]  # 1: an outcome is for ever
            elif row.outcome:
                self.ended[number] = row.outcome
            ends[row.digest] += row.outcome not in (None, Outcome.DUPLICATE)
        assert max(ends.values(), default=0) <= 1  # 3

    def _copy_is(self, copy: Any, automatic: bool, digest: str) -> None:
        before = self.states.get(copy.id, CopyState.PENDING)
        assert copy.state in MOVES[before], (before, copy.state)  # 10
        self.states[copy.id] = copy.state
        assert self.bytes.setdefault(copy.id, digest) == digest
        if copy.state is CopyState.SENT:
            assert self.taken[copy.id] >= 1  # 11
        assert self.taken[copy.id] - 1 <= self.windows[copy.id]
        if automatic:
            assert self.taken[copy.id] <= 1


def teardown_module() -> None:
    """End the parse processes, and remove the template."""
    PARSERS.close()
    shutil.rmtree(_house()[0].parent)


TestDesktop = Desktop.TestCase
TestDesktop.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
