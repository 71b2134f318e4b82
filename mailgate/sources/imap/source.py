"""The poller of one folder: leases, connections, back-off, and waiting for mail."""

from __future__ import annotations

import random
import threading
import time

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential_jitter,
)

from mailgate import journal
from mailgate.sources.imap.session import LoginRefused, Refused, Session
from mailgate.sources.imap.settings import Cursors, Health, ImapSettings, Submit
from mailgate.sources.imap.taker import Taker
from mailgate.sources.imap.wire import Stopped
from mailgate.sources.oauth import TokenSource

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
        self._sent_trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Take mail until `stop` is set; returns within two seconds of it, unless a connection is
        just being made (10 s) or a token fetched (its timeout)."""
        journal.started(what="imap", where=self._settings.key)
        taker, sent = self._taker(self._settings, stop), None
        if settings := self._settings.for_sent():
            sent = self._taker(settings, stop)
        retrying = self._retrying(stop)
        while not stop.is_set():
            try:
                retrying(self._serve, taker, sent, stop)
            except Exception as error:
                if not stop.is_set():
                    raise
                self._failed(error)  # tenacity gives up when the stop comes with a failure
        journal.stopped(what="imap", why=self._settings.key)

    def _taker(self, settings: ImapSettings, stop: threading.Event) -> Taker:
        return Taker(settings, self._submit, self._cursors, self._leased, stop)

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

    def _tell(self, ok: bool, detail: str) -> None:
        try:
            self._health(self._settings.name, ok, detail)
        except Exception as error:
            # Who keeps the health may be away just when there is something to tell.
            journal.trouble(what="imap health", error=error, source=self._settings.key)

    def _serve(self, taker: Taker, sent: Taker | None, stop: threading.Event) -> None:
        """One connection, from dialling to its end."""
        if stop.is_set():
            return
        if not self._leased():
            self._tell(True, "another node polls this mailbox")
            stop.wait(min(self._settings.poll_seconds, self._settings.lease_seconds / 3))
            return
        began = time.monotonic()
        try:
            self._converse(taker, sent, stop)
        except Stopped:
            return
        except Exception as error:
            if time.monotonic() - began < _STEADY_SECONDS:
                raise
            self._failed(error)

    def _converse(self, taker: Taker, sent: Taker | None, stop: threading.Event) -> None:
        session = Session(self._settings, self._tokens, stop)
        try:
            taker.connected()
            while self._leased():
                if sent:
                    self._look_at_sent(sent, session)
                # The folder itself comes last: IDLE tells news of the one that is selected.
                while taker.look(session):
                    pass
                self._tell(True, "; ".join(filter(None, (taker.notes(), self._sent_trouble))))
                self._rest(session, stop)
                taker.rested()
        finally:
            session.close()

    def _look_at_sent(self, sent: Taker, session: Session) -> None:
        """A Sent folder that cannot be read is told, and keeps no mail of the other one waiting."""
        trouble = ""
        try:
            while sent.look(session):
                pass
        except Refused as error:
            trouble = f"the folder {self._settings.sent} cannot be read: {error}"
            if trouble != self._sent_trouble:
                journal.trouble(what="imap sent", error=error, source=self._settings.key)
        notes = sent.notes()
        self._sent_trouble = trouble or (notes and f"{self._settings.sent}: {notes}")

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
        seconds = self._settings.idle_seconds * random.uniform(1, 1.8)  # noqa: S311
        if self._settings.sent:  # of its news IDLE says nothing
            seconds = min(seconds, self._settings.poll_seconds)
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._leased():
            if session.news(1.0):
                break
        session.idle_done()

    def _pause(self, seconds: float, stop: threading.Event) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._leased():
            if stop.wait(min(left, self._settings.lease_seconds / 4)):
                raise Stopped
