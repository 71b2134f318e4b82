"""The one way in: bytes and envelope go to stable storage, then the source may acknowledge.

Many deliveries share one commit: whatever piles up while one commit runs goes into the next.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from datetime import UTC, datetime

from mailgate import crash, journal
from mailgate.core.mail import Envelope, Inbound
from mailgate.core.peek import MAX_HEAD, peek
from store.database import CommitUnknown, Database, Unavailable
from store.inbox import Arrival

MAX_GROUP = 200  # deliveries in one commit
MAX_GROUP_BYTES = 32 * 1024 * 1024
CLOSE_WITHIN = 30.0  # seconds for what is queued when intake is closed
FIND_OUT = 10.0  # seconds to find out whether a commit without an answer has happened
# The first header that tells a mail from its like, or the blank line after the headers.
_NAME_OR_END = re.compile(
    rb"^(?:(?P<name>(?:message-id|date)[ \t]*:(?:[ \t]|\r?\n[ \t])*\S)|\r?\n)", re.I | re.M
)


class Closed(Exception):
    """Intake is shutting down; the source must not acknowledge."""


def commit(database: Database, deliveries: Sequence[Inbound]) -> list[tuple[int, bool]]:
    """Commit deliveries in one transaction; returns (inbox id, whether it is new) in order.

    Raises Unavailable (or OSError from the blob folder): nothing of it was taken then.
    """
    now = datetime.now(UTC)
    with database.transaction(urgent=True) as tx:
        digests = tx.blobs.put_many([d.raw for d in deliveries], now)
        arrivals = [_arrival(d, digest) for d, digest in zip(deliveries, digests, strict=True)]
        crash.point("in.row_insert")
        taken = tx.inbox.add_many(arrivals)
        for source in sorted({a.source for a in arrivals if a.live}):
            tx.sources.report(source, ok=True, detail="", now=now)
        crash.point("in.before_commit")
    crash.point("in.after_commit")
    return taken


def commit_surely(database: Database, deliveries: Sequence[Inbound]) -> list[tuple[int, bool]]:
    """As `commit`, but a lost answer to COMMIT is no end: the source keys tell what is there.

    Committing again changes nothing where the first time has worked, and asks again for at most
    FIND_OUT seconds. Raises as `commit` does.
    """
    try:
        return commit(database, deliveries)
    except CommitUnknown as error:
        lost = error
    until = time.monotonic() + FIND_OUT
    while True:
        try:
            return commit(database, deliveries)
        except Unavailable:
            if time.monotonic() > until:
                raise lost from None
            time.sleep(0.2)


def _arrival(inbound: Inbound, digest: str) -> Arrival:
    seen = peek(inbound.raw)
    # Without either, a machine's second alarm differs from its first in trace headers only.
    first = _NAME_OR_END.search(inbound.raw, 0, MAX_HEAD)
    fingerprint = seen.fingerprint if first and first["name"] else digest
    e = inbound.envelope
    return Arrival(
        source=_plain(inbound.source),
        source_key=_plain(inbound.source_key),
        digest=digest,
        fingerprint=fingerprint,
        message_id=_plain(seen.message_id),
        envelope=Envelope(
            mail_from=None if e.mail_from is None else _plain(e.mail_from),
            rcpt_tos=tuple(_plain(r) for r in e.rcpt_tos),
            peer=_plain(e.peer),
            helo=_plain(e.helo),
            login=_plain(e.login),
        ),
        received=inbound.received,
        live=inbound.live,
    )


def _plain(value: str) -> str:
    """No NUL and no lone surrogate reaches a database: PostgreSQL and SQLite refuse them."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Intake:
    """A thread that commits deliveries in groups. `submit` may be called from any thread."""

    def __init__(self, database: Database, arrived: Callable[[], None] = lambda: None) -> None:
        """`arrived` is called after each commit, e.g. to wake the worker."""
        self._database = database
        self._arrived = arrived
        self._waiting: deque[tuple[Inbound, Future[int]]] = deque()
        self._changed = threading.Condition()
        self._committing: Sequence[tuple[Inbound, Future[int]]] = ()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def submit(self, inbound: Inbound) -> Future[int]:
        """Queue a delivery; the future gives its inbox id once it is committed.

        The future raises Unavailable, OSError or Closed when the delivery was not taken.
        """
        future: Future[int] = Future()
        with self._changed:
            if self._closing:
                future.set_exception(Closed("mailgate is shutting down"))
            else:
                self._waiting.append((inbound, future))
                self._changed.notify()
        return future

    def accept(self, inbound: Inbound) -> int:
        """Commit one delivery and return its inbox id. Raises as the future of `submit`."""
        return self.submit(inbound).result()

    def close(self, within: float = CLOSE_WITHIN) -> bool:
        """Commit what is queued, then stop; what is left after `within` seconds gets Closed.

        Whether all was committed. A commit that hangs may still succeed after that: nobody was
        told so, and its source will offer the mail again.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(within)
        with self._changed:
            left = [*self._committing, *self._waiting]
            self._waiting.clear()
        for _, future in left:
            if not future.cancelled():
                _answer(future, error=Closed("mailgate is shutting down"))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            if group:
                self._commit(group)
            self._committing = ()
            del group  # or a group of large mails would stay until the next one comes

    def _next_group(self) -> list[tuple[Inbound, Future[int]]] | None:
        """What waits, empty if all of it was taken back; None at the end."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            if not self._waiting:
                return None
            group: list[tuple[Inbound, Future[int]]] = []
            size = 0
            while self._waiting and len(group) < MAX_GROUP and size < MAX_GROUP_BYTES:
                inbound, future = self._waiting.popleft()
                if future.set_running_or_notify_cancel():  # from here on nobody can take it back
                    group.append((inbound, future))
                    size += len(inbound.raw)
            self._committing = group
            return group

    def _commit(self, group: list[tuple[Inbound, Future[int]]]) -> None:
        try:
            taken = commit_surely(self._database, [inbound for inbound, _ in group])
        except (Unavailable, OSError) as error:
            journal.trouble(what="intake", error=error, deliveries=len(group))
            _refuse(group, error)
        except Exception as error:
            # One delivery that the database will not have must not cost the others theirs.
            if len(group) > 1:
                for one in group:
                    self._commit([one])
                return
            journal.trouble(what="intake", error=error, source=group[0][0].source)
            _refuse(group, error)
        else:
            for (inbound, future), (inbox_id, new) in zip(group, taken, strict=True):
                if new:
                    journal.accepted(inbox=inbox_id, source=inbound.source, size=len(inbound.raw))
                _answer(future, inbox_id)
            self._arrived()


def _refuse(group: list[tuple[Inbound, Future[int]]], error: Exception) -> None:
    for _, future in group:
        _answer(future, error=error)


def _answer(future: Future[int], inbox_id: int = 0, *, error: Exception | None = None) -> None:
    """Answer a delivery, unless it was given up meanwhile."""
    with suppress(InvalidStateError):
        if error is None:
            future.set_result(inbox_id)
        else:
            future.set_exception(error)
