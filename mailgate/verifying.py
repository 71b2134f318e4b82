"""Checks SPF, DKIM and DMARC ourselves for mail that came straight from the Internet.

Each check runs beside the loop over mail, in a process that can be killed, and has an end: what is
not found out in time counts as not looked at, and never holds up or fails a mail.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from mailgate.core.authres import foreign
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Stamp
from mailgate.core.policy import Trust
from mailgate.parsing import Parsers, WorkerDied

if TYPE_CHECKING:
    from mailgate.dmarc import Asked, Resolving

SECONDS = 12.0  # of work for one mail, lookups included
WORKERS = 4  # mails checked at a time: most of it is waiting for the name system

Stamped = tuple[Stamp, str]


class NotInstalled(RuntimeError):
    """The libraries of the extra `verify` are missing."""


class Verifier:
    """Finds out who sent a mail. Safe to use from many threads; starts with the first mail."""

    def __init__(
        self, trust: Trust, resolving: Resolving | None = None, *, seconds: float = SECONDS
    ) -> None:
        """Raises NotInstalled."""
        try:
            from mailgate import dmarc
        except ImportError as error:
            raise NotInstalled(
                f"[trust] verify needs more libraries (pip install 'mailgate[verify]'): {error}"
            ) from error
        self._dmarc = dmarc
        self._trust = trust
        self._resolving = resolving or dmarc.Resolving()
        self._seconds = seconds
        self._processes = Parsers(workers=WORKERS, seconds=seconds)
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="verify")

    def wanted(self, envelope: Envelope) -> bool:
        """Whether a mail is one of those to check: it came from a peer that is not ours."""
        return self._trust.verify and bool(foreign(envelope, self._trust))

    def start(
        self, raw: bytes, parsing: Future[ParsedMail], envelope: Envelope
    ) -> Future[Stamped] | None:
        """Begin to check a mail that is being parsed; None where it is not to be checked.

        The future fails with nothing but what parsing failed with, or CancelledError after `close`.
        """
        if not self.wanted(envelope):
            return None
        return self._threads.submit(lambda: self.check(raw, parsing.result(), envelope))

    def check(self, raw: bytes, mail: ParsedMail, envelope: Envelope) -> Stamped:
        """What the mail proves about its author, and the reason; ABSENT when that took too long.

        Raises CancelledError when the verifier was closed under it, RuntimeError after that.
        """
        if mail.sender is None:
            return Stamp.ABSENT, "the mail has no single author that could be proven"
        asked = self._dmarc.Asked(
            raw=raw,
            address=mail.sender.addr,
            mail_from=envelope.mail_from,
            helo=envelope.helo,
            peer=envelope.peer,
        )
        try:
            return self._in_process(asked)
        except TimeoutError:
            return Stamp.ABSENT, f"own check: not done within {self._seconds:g} seconds"
        except (WorkerDied, MemoryError, BrokenProcessPool) as error:
            return Stamp.ABSENT, f"own check: ended with {type(error).__name__}"

    def _in_process(self, asked: Asked) -> Stamped:
        verify: Callable[..., Stamped] = self._dmarc.verify
        try:
            return self._processes.call(verify, asked, self._resolving, timeout=self._seconds)
        except BrokenProcessPool:  # another mail brought it down
            return self._processes.call(verify, asked, self._resolving, timeout=self._seconds)

    def close(self) -> None:
        """Kill what runs; what was begun is cancelled, so that another worker does it again."""
        self._processes.close(timeout=0.0)
        self._threads.shutdown(wait=True, cancel_futures=True)
