"""One look at the folder: fetch, submit, wait for the commit, advance the cursor, move.

State lives in our database. Flags on the server are never asked for whether a mail is new, and
never set on one that was taken: \\Seen belongs to people.

Whatever happens to a mail, it is in one of these states: its UID is above the cursor (it will be
fetched); committed and above it (submitted again, absorbed by its source key); at or below the
cursor and still in the folder (the sweep moves it, when `processed` is configured); or set aside,
because it is too large, intake will not have it, or the server failed three times to supply it:
moved to `failed`, or left in place with \\Flagged, and in the journal either way. A mail that was
set aside is taken again when an operator moves it back, for then it has a new UID.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import UTC, datetime

from mailgate import crash, journal
from mailgate.core.mail import Envelope, Inbound
from mailgate.intake import Closed
from mailgate.sources.imap.session import (
    WHOLE,
    Gone,
    Incomplete,
    Refused,
    Selected,
    Session,
    TooLarge,
)
from mailgate.sources.imap.settings import Cursor, Cursors, ImapSettings, Submit
from mailgate.sources.imap.wire import Stopped
from store.database import Unavailable

_BATCH = 50  # mails of one FETCH
_BATCH_BYTES = 8 << 20
_TRIES = 3
_COMMIT_SECONDS = 120.0
_AWAY = (Unavailable, Closed, OSError)  # says nothing about the mail


class Taker:
    """Takes the mail of one folder, over however many connections. For one thread."""

    def __init__(
        self,
        settings: ImapSettings,
        submit: Submit,
        cursors: Cursors,
        leased: Callable[[], bool],
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._submit = submit
        self._cursors = cursors
        self._leased = leased
        self._stop = stop
        self._checked = (0, 0)  # UIDVALIDITY and UIDNEXT up to which nothing is left to take
        self._sweeping = True
        self._tries: Counter[tuple[int, int]] = Counter()
        self._refusals: Counter[tuple[int, int]] = Counter()  # by intake
        self._alone: set[tuple[int, int]] = set()  # not to be fetched together with others
        self._aside = 0
        self._moved_ok = True

    def notes(self) -> str:
        """What an operator should know although all is well."""
        notes = [f"{self._aside} mails set aside"] if self._aside else []
        notes += [] if self._moved_ok else ["the server refuses to move mail"]
        return "; ".join(notes)

    def connected(self) -> None:
        """A new connection: what the last one left is to be swept."""
        self._sweeping = True

    def rested(self) -> None:
        """Some time went by: a move that was refused is worth another try."""
        self._sweeping = not self._moved_ok

    def look(self, session: Session) -> bool:
        """Take what is there. True: look again before you rest.

        Mail may be announced in the answer to any command, where nobody reads it. So the last look
        is one that said nothing after SELECT: whatever comes later is news to a following IDLE.
        """
        sent = self._settings.of_sent
        folder = session.select(self._settings.folder, writable=not sent)
        cursor = self._cursor(session, folder)
        if self._sweep(session, folder, cursor):
            return True
        mark = (folder.uidvalidity, folder.uidnext)
        if self._checked == mark:
            return False
        found = False
        for uids in session.search(cursor.last_uid + 1, folder.uidnext):
            for portion in self._portions(folder, uids, _sizes(session, uids)):
                self._take(session, folder, portion)
            found = True
        if folder.uidnext:
            self._checked = mark
            return True
        return found

    def _cursor(self, session: Session, folder: Selected) -> Cursor:
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
        # What was sent before we were asked to look is history.
        first = 0 if cursor or not self._settings.of_sent else _last(session, folder)
        fresh = Cursor(uidvalidity=folder.uidvalidity, last_uid=first)
        self._cursors.save(key, fresh)
        self._checked = (0, 0)
        return fresh

    def _sweep(self, session: Session, folder: Selected, cursor: Cursor) -> bool:
        """Move what a crash or a refusal left between cursor and move; whether it was tried."""
        target = self._settings.processed
        if not (self._sweeping and target and folder.writable and cursor.last_uid):
            return False
        self._sweeping = False
        for uids in session.search(1, cursor.last_uid + 1, "UNFLAGGED", "UNDELETED"):
            if not self._move(session, uids, target):
                break
        return True

    def _portions(
        self, folder: Selected, uids: Sequence[int], sizes: Mapping[int, int]
    ) -> Iterator[dict[int, int]]:
        """Split into what is fetched at once, in order; UIDs of unknown size have size 0."""
        most = min(WHOLE, self._settings.max_bytes)
        portion: dict[int, int] = {}
        for uid in uids:
            size = sizes.get(uid, 0)
            alone = not 0 < size <= most or (folder.uidvalidity, uid) in self._alone
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

    def _take(self, session: Session, folder: Selected, portion: dict[int, int]) -> None:
        if not self._leased():
            raise ConnectionError("the lease went to another node")
        bodies = self._together(session, folder, portion) if len(portion) > 1 else {}
        for uid in portion:
            if uid not in bodies and (body := self._one(session, folder, uid)):
                bodies[uid] = body
        crash.point("imap.after_fetch")
        taken = self._commit(session, folder, bodies)
        crash.point("imap.after_commit")
        self._cursors.save(
            self._settings.key, Cursor(uidvalidity=folder.uidvalidity, last_uid=max(portion))
        )
        if taken and self._settings.processed and folder.writable:
            self._move(session, taken, self._settings.processed)
            crash.point("imap.after_store")

    def _commit(self, session: Session, folder: Selected, bodies: dict[int, bytes]) -> list[int]:
        """Submit mails and wait; returns the committed UIDs, the others are set aside.

        Raises what intake raises when it can take nothing now, TimeoutError, or Stopped.
        """
        futures = {
            uid: self._submit(self._inbound(folder, uid, bodies[uid])) for uid in sorted(bodies)
        }
        _settled(list(futures.values()), self._stop)
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
            source=self._settings.source,
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

    def _one(self, session: Session, folder: Selected, uid: int) -> bytes | None:
        """One mail, within three tries over however many connections; None: gone or set aside."""
        key, why = (folder.uidvalidity, uid), "the connection broke at each try"
        while self._tries[key] < _TRIES:
            self._tries[key] += 1
            try:
                body = session.body(uid, self._settings.max_bytes)
            except Gone:
                body = None
            except TooLarge as error:
                why = f"too large: {error}"
                break
            except (Incomplete, Refused) as error:
                why = f"the server cannot supply it: {error}"
                if self._stop.wait(self._settings.retry_first):
                    raise Stopped from None
                continue
            self._forget(key)
            return body
        self._set_aside(session, folder, uid, why)
        self._forget(key)
        self._alone.clear()  # it was this one
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
        """Whether the server did it. A refusal is told once; the next sweep tries again."""
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


def _last(session: Session, folder: Selected) -> int:
    """The last UID that the folder has given."""
    if folder.uidnext:
        return folder.uidnext - 1
    return max((uid for uids in session.search(1, 0) for uid in uids), default=0)


def _sizes(session: Session, uids: Sequence[int]) -> dict[int, int]:
    try:
        return session.sizes(uids)
    except Refused:
        return {}  # because of one of them, it may be; each is asked for alone
