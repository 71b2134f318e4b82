"""Processes that can be killed: every mail comes back as a ParsedMail, and the pool ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from mailgate.core.mail import ParsedMail
from mailgate.core.parse import parse
from mailgate.parsing import Parsers, WorkerDied, language_of, parts_of, read_mail

MAIL = (
    b"From: Carla <carla@acme.test>\r\nMessage-ID: <1@acme.test>\r\nSubject: Help\r\n\r\n"
    b"Hello, can you help me with this?\r\n\r\n-- \r\nCarla\r\n\r\n"
    b"On 1 May 2025, S <s@example.org> wrote:\r\n> old\r\n"
)
# Of all that may stand in 25 MB, short lines of uuencoded text take longest.
SLOW = (
    b"From: eve@evil.test\r\nMessage-ID: <2@evil.test>\r\nSubject: slow\r\n"
    b"Content-Type: image/png\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\n"
    + b"!00\n"
    * 12_000_000
)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=2)
    yield pool
    pool.close()


def test_what_is_read_in_one_go() -> None:
    mail = read_mail(MAIL, ("en", "fr"))
    assert mail.visible == "Hello, can you help me with this?"
    assert mail.signature.strip() == "-- \nCarla"
    assert mail.quoted.strip() == "On 1 May 2025, S <s@example.org> wrote:\n> old"
    assert mail.language == "en"


@pytest.mark.parametrize(
    ("header", "language"),
    [("fr-CA, en", "fr"), ("nl, EN-us", "en"), ("nl", "en"), ("", "en")],
)
def test_content_language_goes_first_if_we_have_it(header: str, language: str) -> None:
    mail = parse(b"Content-Language: " + header.encode() + b"\r\n\r\nhi")
    assert language_of(mail, "Hello, can you help me?", ("en", "fr")) == language


def test_many_threads_share_the_pool(parsers: Parsers) -> None:
    def one(n: int) -> ParsedMail:
        return parsers.run(MAIL.replace(b"<1@", b"<%d@" % n), ("en",))

    with ThreadPoolExecutor(8) as threads:
        mails = list(threads.map(one, range(100)))
    assert [m.message_id for m in mails] == [f"<{n}@acme.test>" for n in range(100)]
    assert {m.visible for m in mails} == {"Hello, can you help me with this?"}


def test_a_mail_that_takes_too_long_is_known_by_its_headers() -> None:
    pool = Parsers(workers=1, seconds=0.4)
    try:
        slow = pool.submit(SLOW, ("en",))
        quick = pool.submit(MAIL, ("en",))
        mail = slow.result()
        assert mail.defects[0] == "too-complex"
        assert (mail.subject, mail.message_id) == ("slow", "<2@evil.test>")
        assert mail.size == len(SLOW)
        assert mail.sender is None
        assert quick.result().visible == "Hello, can you help me with this?"
    finally:
        pool.close()


def test_a_mail_that_takes_too_much_memory_is_known_by_its_headers() -> None:
    pool = Parsers(workers=1, memory=220 << 20, seconds=60)
    raw = MAIL + b"x" * (80 << 20)
    try:
        assert "too-complex" in pool.run(raw, ("en",)).defects
        assert pool.run(MAIL, ("en",)).language == "en"
    finally:
        pool.close()


def test_any_function_runs_there(parsers: Parsers) -> None:
    assert parsers.call(parts_of, MAIL, [0]) == [MAIL.partition(b"\r\n\r\n")[2]]
    with pytest.raises(LookupError):
        parsers.call(parts_of, MAIL, [7])
    with pytest.raises(MemoryError):
        parsers.call(bytearray, 4 << 30)


def test_a_dead_process_fails_one_call_and_no_more(parsers: Parsers) -> None:
    with pytest.raises(WorkerDied, match="exit code 3"):
        parsers.call(os._exit, 3)
    with pytest.raises(TimeoutError):
        parsers.call(time.sleep, 60, timeout=0.2)
    assert parsers.run(MAIL, ("en",)).subject == "Help"


def test_closing_kills_what_hangs_and_tells_those_who_wait() -> None:
    pool = Parsers(workers=1)
    assert pool.run(MAIL, ("en",)).subject == "Help"
    with ThreadPoolExecutor(1) as threads:
        hung = threads.submit(pool.call, time.sleep, 3600, timeout=3600)
        while not pool.busy:
            time.sleep(0.01)
        queued = pool.submit(MAIL, ("en",))
        pool.close(0.1)
        with pytest.raises(CancelledError):
            queued.result()
        with pytest.raises(CancelledError):
            hung.result()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(MAIL, ("en",))
    pool.close()


def test_a_pool_that_never_worked_closes() -> None:
    Parsers().close()
