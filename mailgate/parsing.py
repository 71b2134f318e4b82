"""Parsing in processes that can be killed: a mail may be built to take for ever, or all memory.

A mail whose parser runs too long, dies or runs out of memory still becomes a ParsedMail: what its
top headers tell, with the defect "too-complex". HTML is cleaned in the same processes.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from types import FrameType
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from mailgate.core.language import detect
from mailgate.core.mail import Attachment, ParsedMail
from mailgate.core.parse import enclosed, headers_only, parse, parts_bytes
from mailgate.core.strip import Stripped, own_words, strip
from mailgate.render import newest
from mailgate.wire import Part

SECONDS = 5.0  # for one mail
DRESS_SECONDS = 0.5  # of the processor's time, for the HTML of one mail
MEMORY = 512 << 20  # octets of address space of one process; the worst 25 MB need 260 MB
PASS_ON_MAX = 25 * 1024 * 1024  # octets of attachments that go along with one notice

R = TypeVar("R")


class WorkerDied(RuntimeError):
    """The process that did the work ended without an answer."""


def language_of(mail: ParsedMail, visible: str, languages: tuple[str, ...]) -> str:
    """Content-Language (RFC 3282) if we have that language, else what the new words look like."""
    for tag in mail.header("content-language").lower().split(","):
        primary = tag.strip().partition("-")[0]
        if primary in languages:
            return primary
    return detect(visible, languages)


def read_mail(raw: bytes, languages: tuple[str, ...], dress: bool = False) -> ParsedMail:
    """All that is read from a mail's bytes: parts, new words, quote, signature, language.

    With `dress` the new words as HTML, too: only who passes them on needs that, and it is slow.
    """
    mail = parse(raw)
    inside = tuple(_told_apart(one, languages, dress) for one in enclosed(raw, mail))
    return replace(_told_apart(mail, languages, dress), enclosed=inside)


def _told_apart(mail: ParsedMail, languages: tuple[str, ...], dress: bool) -> ParsedMail:
    parts = strip(mail.text, mail.html)
    return replace(
        _with_parts(mail, parts),
        language=language_of(mail, parts.visible, languages),
        new_html=dressed(mail.html, parts.visible or mail.text) if dress else "",
    )


def _with_parts(mail: ParsedMail, parts: Stripped) -> ParsedMail:
    return replace(
        mail,
        visible=parts.visible,
        quoted=parts.quoted,
        signature=parts.signature,
        cuts=tuple(map(str, parts.cuts)),
    )


def dressed(html: str, words: str) -> str:
    """A mail's new words as safe HTML; "" where there is none, or it takes too long to make."""
    if not html or threading.current_thread() is not threading.main_thread():
        return ""  # a signal, which ends what takes too long, comes to the main thread alone
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, DRESS_SECONDS)
    try:
        return newest(html, own_words(words))
    except TimeoutError:
        return ""
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def strip_again(raw: bytes, text: str) -> ParsedMail:
    """A mail with the text of it that was stored, told apart; for `Parsers.call`."""
    mail = parse(raw)
    return _with_parts(replace(mail, text=text), strip(text, mail.html))


def parts_of(raw: bytes, parts: list[int]) -> list[bytes]:
    """The decoded bytes of several attachments, for `Parsers.call`."""
    return parts_bytes(raw, parts)


def _confine(memory: int) -> None:
    """Runs first in each process: SIGTERM kills at once, and memory has an end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Parsers:
    """A pool of killable processes, started by the first mail; safe to use from many threads."""

    def __init__(
        self, *, workers: int | None = None, seconds: float = SECONDS, memory: int = MEMORY
    ) -> None:
        """`workers` defaults to the cores we may use; `seconds` of wall time for one mail."""
        self._workers = workers or len(os.sched_getaffinity(0))
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._closed = False
        # Touched without the lock: adding, discarding and copying are atomic.
        self._running: set[Future[Any]] = set()

    def submit(
        self, raw: bytes, languages: tuple[str, ...], *, dress: bool = False
    ) -> Future[ParsedMail]:
        """Parse a mail; the future gives a ParsedMail, whatever it does to its process.

        `dress` makes safe HTML of its new words, where it has HTML.
        Its `result()` raises CancelledError when the pool is closed before there is one, and
        BrokenProcessPool when another mail brought the whole pool down: submit it again.
        Raises RuntimeError after `close`.
        """
        done: Future[ParsedMail] = Future()
        with self._lock:
            work = self._schedule(read_mail, (raw, languages, dress), self._seconds)
        work.add_done_callback(lambda ended: self._settle(done, ended, raw))
        return done

    def run(self, raw: bytes, languages: tuple[str, ...]) -> ParsedMail:
        """Parse a mail and wait for it."""
        return self.submit(raw, languages).result()

    def call(self, fn: Callable[..., R], *args: object, timeout: float = SECONDS) -> R:
        """Run an importable function in one of the processes and wait for its result.

        Raises TimeoutError after `timeout` seconds of work, WorkerDied when the process ended,
        CancelledError when the pool was closed first, and whatever `fn` raises (MemoryError too).
        """
        with self._lock:
            work = self._schedule(fn, args, timeout)
        try:
            return work.result()
        except ProcessExpired as error:
            raise WorkerDied(f"exit code {error.exitcode}") from error
        except BrokenProcessPool as error:
            if not self._closed:
                raise
            # The pool may notice that its processes are gone before it hears that we closed it.
            raise CancelledError from error

    @property
    def busy(self) -> int:
        """How much work is running or waiting."""
        return len(self._running)

    def close(self, timeout: float = 1.0) -> None:
        """Take no more work, wait `timeout` seconds for what runs, then kill it."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        running = set(self._running)
        wait(running, timeout)
        if pool is not None:
            _end(pool)
        for future in running:
            future.cancel()

    def _settle(self, done: Future[ParsedMail], ended: Future[ParsedMail], raw: bytes) -> None:
        """Pass a result on; what the mail did to its process becomes what its headers tell."""
        error = CancelledError() if ended.cancelled() else ended.exception()
        if self._closed and error is not None:  # our doing, not the mail's
            done.cancel()
        if not done.set_running_or_notify_cancel():
            return
        if error is None:
            done.set_result(ended.result())
        elif isinstance(error, TimeoutError | MemoryError | ProcessExpired):
            done.set_result(headers_only(raw, "too-complex"))
        else:
            done.set_exception(error)

    def _schedule(
        self, fn: Callable[..., R], args: tuple[object, ...], seconds: float
    ) -> Future[R]:
        """Hand work to the pool; a pool that broke (a process killed mid-word) is replaced."""
        if self._closed:
            raise RuntimeError("the parsers are closed")
        if self._pool is not None and not self._pool.active:
            _end(self._pool)
            self._pool = None
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])
            self._pool = ProcessPool(
                self._workers, initializer=_confine, initargs=(self._memory,), context=context
            )
        work: Future[R] = self._pool.schedule(fn, args=args, timeout=seconds)
        self._running.add(work)
        work.add_done_callback(self._running.discard)
        return work


def passed_on(
    parsers: Parsers, raw: bytes, mail: ParsedMail
) -> tuple[tuple[Part, ...], tuple[Attachment, ...]]:
    """Attachments that a notice may have to pass on, and those too large for it.

    Raises what `Parsers.call` raises.
    """
    wanted: list[Attachment] = []
    for a in mail.attachments:
        if a.size + sum(w.size for w in wanted) <= PASS_ON_MAX:
            wanted.append(a)
    left = tuple(a for a in mail.attachments if a not in wanted)
    if not wanted:
        return (), left
    data = parsers.call(parts_of, raw, [a.part for a in wanted])
    return tuple(_part(a, d) for a, d in zip(wanted, data, strict=True)), left


def _part(attachment: Attachment, data: bytes) -> Part:
    return Part(
        filename=attachment.filename,
        content_type=attachment.content_type,
        data=data,
        inline=attachment.inline,
        content_id=attachment.content_id,
    )


def _end(pool: ProcessPool) -> None:
    """Kill the processes of a pool and wait for its threads."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
