"""The poller of one folder: fetch, submit, wait for the commit, advance the cursor, move.

State lives in our database. Flags on the server are never asked for whether a mail is new, and
never set on one that was taken: \\Seen belongs to people.

Whatever happens to a mail, it is in one of these states: its UID is above the cursor (it will be
fetched); committed and above it (submitted again, absorbed by its source key); at or below the
cursor and still in the folder (the sweep moves it, when `processed` is configured); or set aside,
because it is too large or the server failed three times to supply it: moved to `failed`, or left
in place with \\Flagged, and in the journal either way. A mail that was set aside is taken again
when an operator moves it back, for then it has a new UID.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import UTC, datetime

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential_jitter,
)

from mailgate import journal
from mailgate.core.mail import Envelope, Inbound
from mailgate.intake import Closed
from mailgate.sources.imap.session import (
    WHOLE,
    Gone,
    Incomplete,
    LoginRefused,
    Refused,
    Selected,
    Session,
)
from mailgate.sources.imap.settings import Cursor, Cursors, Health, ImapSettings, Submit
from mailgate.sources.imap.wire import Stopped
from mailgate.sources.oauth import TokenSource
from store.database import Unavailable

_BATCH = 50  # mails of one FETCH
_BATCH_BYTES = 8 << 20
_TRIES = 3
_COMMIT_SECONDS = 120.0
_AWAY = (Unavailable, Closed, OSError)  # says nothing about the mail
_STEADY_SECONDS = 60.0  # a connection that lasted so long is replaced without back-off


class ImapSource:
    """One folder, polled in one thread for as long as the lease is ours."""

    def __init__(
        self, settings: ImapSettings, *, submit: Submit, cursors: Cursors, health: Health
    ) -> None:
        self._settings = settings
        self._submit = submit
        self._cursors = cursors
        self._health = health
        self._tokens = TokenSource(settings.oauth) if settings.oauth else None
        self._leased_at = -settings.lease_seconds
        self._idle = settings.idle
        self._checked = (0, 0)  # UIDVALIDITY and UIDNEXT up to which nothing is left to take
        self._sweeping = True
        self._tries: Counter[tuple[int, int]] = Counter()
        self._refusals: Counter[tuple[int, int]] = Counter()  # by intake
        self._alone: set[tuple[int, int]] = set()  # not to be fetched together with others
        self._aside = 0
        self._moved_ok = True

    def run(self, stop: threading.Event) -> None:
        """Take mail until `stop` is set; returns within two seconds of it, unless a connection is
        just being made (10 s) or a token fetched (its timeout)."""
        journal.started(what="imap", where=self._settings.key)
        retrying = self._retrying(stop)
        while not stop.is_set():
            try:
                retrying(self._serve, stop)
            except Exception as error:
                if not stop.is_set():
                    raise
                self._failed(error)  # tenacity gives up when the stop comes with a failure
        journal.stopped(what="imap", why=self._settings.key)

    def _retrying(self, stop: threading.Event) -> Retrying:
        first, most = self._settings.retry_first, self._settings.retry_max
        return Retrying(
            retry=retry_if_exception_type(Exception),
            wait=wait_exponential_jitter(multiplier=first, max=most, jitter=first),
            sleep=sleep_using_event(stop),
            stop=stop_when_event_set(stop),
            before_sleep=self._before_sleep,
            reraise=True,
        )

    def _before_sleep(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if self._tokens and isinstance(error, LoginRefused):
            self._tokens.forget()
        journal.trouble(what="imap", error=error, source=self._settings.key)
        self._tell(False, f"{type(error).__name__}: {error}")

    def _fine(self) -> None:
        notes = [f"{self._aside} mails set aside"] if self._aside else []
        notes += [] if self._moved_ok else ["the server refuses to move mail"]
        self._tell(True, "; ".join(notes))

    def _tell(self, ok: bool, detail: str) -> None:
        try:
            self._health(self._settings.name, ok, detail)
        except Exception as error:
            # Who keeps the health may be away just when there is something to tell.
            journal.trouble(what="imap health", error=error, source=self._settings.key)

    def _serve(self, stop: threading.Event) -> None:
        """One connection, from dialling to its end."""
        if stop.is_set():
            return
        if not self._leased():
            self._tell(True, "another node polls this mailbox")
            stop.wait(min(self._settings.poll_seconds, self._settings.lease_seconds / 3))
            return
        began = time.monotonic()
        try:
            self._converse(stop)
        except Stopped:
            return
        except Exception as error:
            if time.monotonic() - began < _STEADY_SECONDS:
                raise
            self._failed(error)

    def _converse(self, stop: threading.Event) -> None:
        session = Session(self._settings, self._tokens, stop)
        try:
            self._sweeping = True
            while self._leased():
                while self._round(session, stop):
                    pass
                self._fine()
                self._rest(session, stop)
        finally:
            session.close()

    def _leased(self) -> bool:
        seconds = self._settings.lease_seconds
        if time.monotonic() - self._leased_at < seconds / 3:
            return True
        asked = time.monotonic()
        if not self._cursors.lease(self._settings.key, seconds):
            self._leased_at = asked - seconds
            return False
        self._leased_at = asked
        return True

    # --- waiting for mail ----------------------------------------------------------------

    def _rest(self, session: Session, stop: threading.Event) -> None:
        """Wait until it is worth looking again."""
        if not (self._idle and session.can_idle()):
            self._pause(self._settings.poll_seconds, stop)
            return
        if not session.idle():
            self._idle = False
            raise ConnectionError("the server offers IDLE and refuses it; polling from now on")
        # Renewed well before the half hour of RFC 2177, and before a NAT forgets the connection.
        until = time.monotonic() + self._settings.idle_seconds * random.uniform(1, 1.8)  # noqa: S311
        while time.monotonic() < until and self._leased():
            if session.news(1.0):
                break
        session.idle_done()

    def _pause(self, seconds: float, stop: threading.Event) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._leased():
            if stop.wait(min(left, self._settings.lease_seconds / 4)):
                raise Stopped

    # --- one look at the folder ----------------------------------------------------------

    def _round(self, session: Session, stop: threading.Event) -> bool:
        """Take what is there. False: at the moment of SELECT there was nothing to do, so that
        whatever comes later is news to a following IDLE."""
        folder = session.select()
        cursor = self._cursor(folder)
        work = self._swept(session, folder, cursor)
        mark = (folder.uidvalidity, folder.uidnext)
        if self._checked == mark:
            return work
        for uids in session.search(cursor.last_uid + 1, folder.uidnext):
            sizes = session.sizes(uids)
            for portion in self._portions(folder, uids, sizes):
                self._take(session, folder, portion, stop)
            work = True
        if folder.uidnext:
            self._checked = mark
        return work

    def _cursor(self, folder: Selected) -> Cursor:
        key = self._settings.key
        cursor = self._cursors.load(key)
        if cursor and cursor.uidvalidity == folder.uidvalidity:
            return cursor
        if cursor:
            # The server forgot its UIDs (RFC 3501, 2.3.1.1). All mail is taken again; intake
            # knows by its content what it already has.
            journal.trouble(
                what="imap renumbered",
                error="UIDVALIDITY changed, the folder is read from its beginning",
                source=key,
                was=cursor.uidvalidity,
                now=folder.uidvalidity,
            )
        fresh = Cursor(uidvalidity=folder.uidvalidity, last_uid=0)
        self._cursors.save(key, fresh)
        self._checked = (0, 0)
        return fresh

    def _swept(self, session: Session, folder: Selected, cursor: Cursor) -> bool:
        """Move what a crash or a refusal left between cursor and move."""
        target = self._settings.processed
        if not (self._sweeping and target and folder.writable and cursor.last_uid):
            return False
        self._sweeping = False
        swept = False
        for uids in session.search(1, cursor.last_uid + 1, "UNFLAGGED", "UNDELETED"):
            swept = self._move(session, uids, target)
            if not swept:
                break
        return swept

    def _portions(
        self, folder: Selected, uids: Sequence[int], sizes: Mapping[int, int]
    ) -> Iterator[dict[int, int]]:
        """Split into what is fetched at once, in order; UIDs of unknown size have size 0."""
        portion: dict[int, int] = {}
        for uid in uids:
            size = sizes.get(uid, 0)
            alone = not size or size > WHOLE or (folder.uidvalidity, uid) in self._alone
            full = len(portion) == _BATCH or sum(portion.values()) + size > _BATCH_BYTES
            if portion and (alone or full):
                yield portion
                portion = {}
            portion[uid] = size
            if alone:
                yield portion
                portion = {}
        if portion:
            yield portion

    # --- taking mail ---------------------------------------------------------------------

    def _take(
        self, session: Session, folder: Selected, portion: dict[int, int], stop: threading.Event
    ) -> None:
        if not self._leased():
            raise ConnectionError("the lease went to another node")
        bodies = self._together(session, folder, portion) if len(portion) > 1 else {}
        for uid, size in portion.items():
            if uid not in bodies and (body := self._one(session, folder, uid, size, stop)):
                bodies[uid] = body
        taken = self._commit(session, folder, bodies, stop)
        self._cursors.save(
            self._settings.key, Cursor(uidvalidity=folder.uidvalidity, last_uid=max(portion))
        )
        if taken and self._settings.processed and folder.writable:
            self._move(session, taken, self._settings.processed)

    def _commit(
        self, session: Session, folder: Selected, bodies: dict[int, bytes], stop: threading.Event
    ) -> list[int]:
        """Submit mails and wait; returns the committed UIDs, the others are set aside.

        Raises what intake raises when it can take nothing now, TimeoutError, or Stopped.
        """
        futures = {
            uid: self._submit(self._inbound(folder, uid, bodies[uid])) for uid in sorted(bodies)
        }
        _settled(list(futures.values()), stop)
        errors = {uid: error for uid, future in futures.items() if (error := future.exception())}
        for uid, error in errors.items():
            if isinstance(error, _AWAY):
                raise error
            # It may go away too, but must not keep all later mail waiting for ever.
            self._refusals[folder.uidvalidity, uid] += 1
            if self._refusals[folder.uidvalidity, uid] < _TRIES:
                raise error
            self._set_aside(session, folder, uid, f"intake refuses it: {type(error).__name__}")
        return [uid for uid in futures if uid not in errors]

    def _inbound(self, folder: Selected, uid: int, raw: bytes) -> Inbound:
        return Inbound(
            raw=raw,
            source=f"imap {self._settings.name}",
            source_key=f"{self._settings.key}/{folder.uidvalidity}/{uid}",
            received=datetime.now(UTC),
            envelope=Envelope(mail_from=None, rcpt_tos=(self._settings.mailbox,)),
        )

    def _together(
        self, session: Session, folder: Selected, portion: dict[int, int]
    ) -> dict[int, bytes]:
        keys = {(folder.uidvalidity, uid) for uid in portion}
        # Should the connection die of one of them, the next one fetches each alone.
        self._alone |= keys
        try:
            bodies = session.bodies(portion)
        except Refused:
            return {}
        self._alone -= keys
        return bodies

    def _one(
        self, session: Session, folder: Selected, uid: int, size: int, stop: threading.Event
    ) -> bytes | None:
        """One mail, within three tries over however many connections; None: gone or set aside."""
        if size > self._settings.max_bytes:
            self._set_aside(session, folder, uid, f"too large: {size} octets")
            return None
        key, why = (folder.uidvalidity, uid), "the connection broke at each try"
        while self._tries[key] < _TRIES:
            self._tries[key] += 1
            try:
                body = session.body(uid)
            except Gone:
                body = None
            except (Incomplete, Refused) as error:
                why = str(error)
                self._pause(self._settings.retry_first, stop)
                continue
            self._forget(key)
            return body
        self._set_aside(session, folder, uid, f"the server cannot supply it: {why}")
        self._forget(key)
        return None

    def _forget(self, key: tuple[int, int]) -> None:
        del self._tries[key]
        self._alone.discard(key)

    # --- putting mail away ---------------------------------------------------------------

    def _set_aside(self, session: Session, folder: Selected, uid: int, why: str) -> None:
        self._aside += 1
        journal.trouble(what="imap set aside", error=why, source=self._settings.key, uid=uid)
        failed = self._settings.failed
        if not folder.writable or (failed and self._move(session, [uid], failed)):
            return
        try:
            session.flag(uid)
        except Refused as error:
            journal.trouble(what="imap flag", error=error, source=self._settings.key, uid=uid)

    def _move(self, session: Session, uids: Sequence[int], target: str) -> bool:
        """Whether the server did it. A refusal is told once; each connection's sweep retries."""
        try:
            session.move(uids, target)
        except Refused as error:
            if self._moved_ok:
                journal.trouble(
                    what="imap move", error=error, source=self._settings.key, target=target
                )
            self._moved_ok = False
            return False
        self._moved_ok = True
        return True


def _settled(futures: Sequence[Future[int]], stop: threading.Event) -> None:
    """Wait for intake. Raises TimeoutError or Stopped."""
    until = time.monotonic() + _COMMIT_SECONDS
    while wait(futures, timeout=0.2).not_done:
        if stop.is_set() and wait(futures, timeout=1.0).not_done:
            raise Stopped
        if time.monotonic() > until:
            raise TimeoutError(f"no commit within {_COMMIT_SECONDS:g} s")
