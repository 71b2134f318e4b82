"""The only loop over inbound mail: claim -> parse -> facts -> decide -> apply, in order.

Parsing runs ahead in other processes; settling is one mail after another, so that an answer never
overtakes the mail it answers. On SQLite, where a commit can cost as much as settling a mail and
all wait for the one writer, a few mails share a transaction.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mailgate import crash, journal, quoting
from mailgate.apply import apply
from mailgate.core import thread
from mailgate.core.decide import decide, quarantine
from mailgate.core.decision import Decision, Keys, Outcome
from mailgate.core.identify import identify
from mailgate.core.mail import Attachment, ParsedMail
from mailgate.desk import Cause, Desk, Reread
from mailgate.facing import delivery, keys_of
from mailgate.parsing import Parsers, passed_on
from mailgate.releasing import Releaser
from mailgate.rereading import reread, with_mails
from mailgate.verifying import Stamped, Verifier
from mailgate.wire import Part
from store.blobs import BlobMissing
from store.database import Database, Tx, Unavailable
from store.inbox import AlreadySettled, Waiting

LEASE = timedelta(minutes=3)
WINDOW = 20  # mails claimed at a time: parsing runs ahead of settling by that much
WINDOW_BYTES = 32 * 1024 * 1024  # claimed mails of this size together are enough
GROUP = 10  # mails settled in one transaction
GROUP_SECONDS = 0.025  # an older transaction takes no more mails: whoever accepts waits for its end
MAX_ATTEMPTS = 3  # then the mail is set aside for a human
RETRY_AFTER = timedelta(seconds=5)
PARENT_PATIENCE = timedelta(minutes=10)  # how long an answer waits for the mail it answers


@dataclass(kw_only=True)
class _Job:
    waiting: Waiting
    raw: bytes
    parsing: Future[ParsedMail]
    claimed: datetime
    stamping: Future[Stamped] | None = None  # our own look at SPF, DKIM and DMARC

    def done(self) -> bool:
        """Whether nothing has to be waited for."""
        return self.parsing.done() and (self.stamping is None or self.stamping.done())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A mail that can be settled now."""

    waiting: Waiting
    mail: ParsedMail
    parts: tuple[Part, ...]
    left_behind: tuple[Attachment, ...] = ()
    stamp: Stamped | None = None
    reread: Mapping[int, Reread] = field(default_factory=dict)


_Settled = tuple[Decision, int | None]  # the ticket's number, None where there is none


@dataclass(kw_only=True)
class Worker:
    """Settles waiting mail. `settled` is called after each one, e.g. to wake the mailer."""

    database: Database
    parsers: Parsers
    desk: Desk
    settled: Callable[[], None] = lambda: None
    verifier: Verifier | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _jobs: deque[_Job] = field(default_factory=deque)
    _approved: bool = True  # somebody may have approved a held mail

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Settle mail until `stop` is set; `wake` cuts the waiting short."""
        while not stop.is_set():
            try:
                busy = self.step()
            except (Unavailable, OSError) as error:
                # The claims stay ours for a while: what was not settled is settled next.
                journal.trouble(what="worker", error=error)
                stop.wait(1.0)
                continue
            if not busy:
                wake.wait(0.5)
                wake.clear()
                self._approved = True  # at the command line, or on another node
        self.hand_back()

    def step(self, only: Collection[int] | None = None) -> bool:
        """Settle some mail; False when none is due. Raises Unavailable, or OSError (the disk)."""
        if len(self._jobs) <= WINDOW // 2 and not self._full():
            self._claim(only)
        if not self._jobs:
            return self._release()
        group = self._group()
        try:
            self._settle(group)
        except (Unavailable, OSError):
            self._jobs.extendleft(reversed(group))
            raise
        self._release()  # whatever a mail of the group approved: not behind all that waits
        return True

    def _release(self) -> bool:
        """Let approved mail take effect; False when there was none."""
        asked, self._approved = self._approved, False
        if not asked:
            return False
        releaser = Releaser(
            database=self.database, desk=self.desk, parsers=self.parsers, clock=self.clock
        )
        released = releaser.run() > 0
        if released:
            self.settled()
        return released

    def drain(self, only: Collection[int] | None = None) -> None:
        """Settle all mail that is due. Raises Unavailable."""
        while self.step(only):
            pass

    def hand_back(self) -> None:
        """Give claimed mail back untouched, so that the next worker need not wait for the lease."""
        ids = [job.waiting.id for job in self._jobs]
        self._jobs.clear()
        try:
            with self.database.transaction() as tx:
                tx.inbox.release(ids, self.clock(), refund=True)
        except Unavailable as error:
            journal.trouble(what="worker", error=error, unreleased=len(ids))

    def _full(self) -> bool:
        return sum(len(job.raw) for job in self._jobs) >= WINDOW_BYTES

    def _claim(self, only: Collection[int] | None) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            claimed = tx.inbox.claim(now, WINDOW - len(self._jobs), LEASE, only=only)
        if claimed:
            crash.point("work.claim")
        unreadable, beyond = self._take_up(claimed, now)
        if beyond:
            with self.database.transaction() as tx:
                tx.inbox.release(beyond, now, refund=True)
        for waiting, error in unreadable:
            if isinstance(error, BlobMissing):
                self._set_aside(waiting, "its bytes are missing from the blob folder, or damaged")
            else:
                self._failed(waiting, error)

    def _take_up(
        self, claimed: Sequence[Waiting], now: datetime
    ) -> tuple[list[tuple[Waiting, Exception]], list[int]]:
        """Begin to parse; returns what cannot be read, and what is beyond the window."""
        unreadable: list[tuple[Waiting, Exception]] = []
        beyond: list[int] = []
        with self.database.reading() as tx:
            for waiting in claimed:
                if self._full():
                    beyond.append(waiting.id)
                    continue
                try:
                    raw = tx.blobs.get(waiting.digest)
                except (BlobMissing, OSError) as error:
                    unreadable.append((waiting, error))
                    continue
                languages = self.desk.policy.languages
                parsing = self.parsers.submit(raw, languages, dress=waiting.live)
                stamping = self._stamping(waiting, raw, parsing)
                job = _Job(
                    waiting=waiting, raw=raw, parsing=parsing, claimed=now, stamping=stamping
                )
                self._jobs.append(job)
        return unreadable, beyond

    def _stamping(
        self, waiting: Waiting, raw: bytes, parsing: Future[ParsedMail]
    ) -> Future[Stamped] | None:
        if self.verifier is None or not waiting.live:
            return None
        return self.verifier.start(raw, parsing, waiting.envelope)

    def _group(self) -> list[_Job]:
        """The next mail, and on SQLite those behind it that have been parsed already."""
        group = [self._jobs.popleft()]
        # On PostgreSQL nodes would wait for each other's tickets: there it is one at a time.
        room = GROUP if self.database.sqlite else 1
        while self._jobs and len(group) < room and self._jobs[0].done():
            group.append(self._jobs.popleft())
        return group

    def _settle(self, jobs: Sequence[_Job]) -> None:
        mails = [mail for job in jobs if (mail := self._read(job))]
        if mails:
            crash.point("work.parsed")
        while mails:
            mails = mails[self._together(mails) :]

    def _read(self, job: _Job) -> _Read | None:
        """Wait for the parser; None when the mail cannot be settled now."""
        if self.clock() - job.claimed > LEASE / 2:
            # Somebody else may take it soon; a mail is never settled on a stale claim.
            self._give_back(job.waiting)
            return None
        try:
            mail = job.parsing.result()
            keys = thread.keys(mail, job.waiting.envelope, self.desk.policy)
            parts, left_behind = self._parts(job, mail, keys)
            return _Read(
                waiting=job.waiting,
                mail=mail,
                parts=parts,
                left_behind=left_behind,
                stamp=_stamp(job),
                reread=reread(self.database, self.parsers, keys, self.desk.policy),
            )
        except Unavailable:
            raise
        except CancelledError as error:
            # The pool was closed under it; that says nothing about this mail.
            journal.trouble(what="parsers", error=error, inbox=job.waiting.id)
            self._give_back(job.waiting)
        except Exception as error:
            self._failed(job.waiting, error)
        return None

    def _give_back(self, waiting: Waiting) -> None:
        with self.database.transaction() as tx:
            tx.inbox.release([waiting.id], self.clock(), refund=True)

    def _together(self, mails: Sequence[_Read]) -> int:
        """Settle mails in one transaction, the first of them at least; returns how many."""
        try:
            settled = self._in_one_transaction(mails)
        except (Unavailable, OSError):  # the disk of the blob folder says nothing about a mail
            raise
        except Exception as error:
            if len(mails) == 1:
                self._not_settled(mails[0].waiting, error)
                return 1
            # One mail that cannot be settled must not cost the others theirs.
            return sum(self._together([mail]) for mail in mails)
        for mail, result in zip(mails, settled, strict=False):
            if result:
                self._tell(mail.waiting, *result)
        return len(settled)

    def _in_one_transaction(self, mails: Sequence[_Read]) -> list[_Settled | None]:
        settled: list[_Settled | None] = []
        with self.database.transaction() as tx:
            until = time.monotonic() + GROUP_SECONDS
            for mail in mails:
                settled.append(self._settle_in(tx, mail))
                if time.monotonic() > until:
                    break
            crash.point("work.before_commit")
        crash.point("work.after_commit")
        return settled

    def _settle_in(self, tx: Tx, read: _Read) -> _Settled | None:
        """Decision and ticket; None for a mail that waits for the one it answers."""
        now, waiting = self.clock(), read.waiting
        parent = tx.inbox.waiting_parent(read.mail.ancestors(), waiting.id)
        if parent is not None and now - waiting.received < PARENT_PATIENCE:
            tx.inbox.release([waiting.id], now + timedelta(seconds=1), refund=True)
            return None
        return self._decide_and_apply(tx, read, now)

    def _tell(self, waiting: Waiting, decision: Decision, ticket: int | None) -> None:
        journal.settled(
            inbox=waiting.id,
            outcome=decision.outcome,
            ticket=ticket,
            reason=decision.reason,
            message_id=waiting.message_id,
        )
        self._approved |= decision.outcome is Outcome.COMMAND
        self.settled()

    def _decide_and_apply(self, tx: Tx, read: _Read, now: datetime) -> _Settled:
        policy, waiting, mail = self.desk.policy, read.waiting, read.mail
        duplicate_of = _duplicate_of(tx, waiting)
        facts = tx.facts.gather(
            keys_of(waiting, mail, policy),
            duplicate_of=duplicate_of,
            now=waiting.received,
            flood_minutes=policy.flood_minutes,
        )
        facts = quoting.with_notice(tx, mail, facts, policy)
        mail = quoting.told_apart(mail, facts, policy)
        facts = replace(facts, messages=with_mails(facts.messages, read.reread))
        crash.point("work.thread")
        decision = decide(mail, delivery(waiting, now, read.stamp), facts, policy)
        crash.point("work.rules")
        author = identify(mail, waiting.envelope, policy, read.stamp)
        cause = Cause(
            now=now if waiting.live else waiting.received,
            actor=author.address or "unknown sender",
            mail=mail,
            inbox=waiting.id,
            author=author,
            parts=read.parts,
            left_behind=read.left_behind,
            live=waiting.live,
            by_agent=decision.spoken_by_agent,
            reread=read.reread,
        )
        target = decision.target if isinstance(decision.target, int) else None
        ticket = apply(tx, decision.effects, cause, self.desk, target) or None
        tx.inbox.settle(waiting.id, decision, ticket, now)
        return decision, ticket

    def _parts(
        self, job: _Job, mail: ParsedMail, keys: Keys
    ) -> tuple[tuple[Part, ...], tuple[Attachment, ...]]:
        """What a notice may have to pass on; read in a killable process, before the transaction."""
        if not job.waiting.live or not (self.desk.policy.agents or keys.ids or keys.numbers):
            return (), ()
        return passed_on(self.parsers, job.raw, mail)

    def _not_settled(self, waiting: Waiting, error: Exception) -> None:
        if isinstance(error, AlreadySettled):
            journal.trouble(what="worker", error="settled elsewhere", inbox=waiting.id)
        else:
            self._failed(waiting, error)

    def _failed(self, waiting: Waiting, error: Exception) -> None:
        journal.trouble(what="settle", error=error, inbox=waiting.id, attempts=waiting.attempts)
        if waiting.attempts >= MAX_ATTEMPTS:
            self._set_aside(waiting, f"{MAX_ATTEMPTS} attempts failed: {type(error).__name__}")
            return
        with self.database.transaction() as tx:
            tx.inbox.release([waiting.id], self.clock() + RETRY_AFTER * waiting.attempts)

    def _set_aside(self, waiting: Waiting, reason: str) -> None:
        try:
            with self.database.transaction() as tx:
                tx.inbox.settle(waiting.id, quarantine(reason), None, self.clock())
        except AlreadySettled as error:
            self._not_settled(waiting, error)
            return
        journal.settled(
            inbox=waiting.id,
            outcome=Outcome.QUARANTINED,
            ticket=None,
            reason=reason,
            message_id=waiting.message_id,
        )


def _duplicate_of(tx: Tx, waiting: Waiting) -> int | None:
    """The row that had this content first.

    A mail from the network is the same when all but its trace headers is the same; an import
    is history, where only equal bytes are the same mail.
    """
    if crash.weakened("dedupe"):
        return None
    if waiting.source.startswith("import"):
        return tx.inbox.first_with(waiting.digest, waiting.fingerprint, waiting.id)
    first = tx.inbox.first_with(waiting.fingerprint, waiting.digest, waiting.id)
    return None if first is not None and tx.inbox.supersede(waiting, first) else first


def _stamp(job: _Job) -> Stamped | None:
    """Our own look at the sender. Raises CancelledError when it was ended under the mail."""
    try:
        return job.stamping.result() if job.stamping else None
    except RuntimeError as error:
        raise CancelledError from error
