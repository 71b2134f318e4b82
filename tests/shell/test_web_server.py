"""The server as a guest in somebody's loop: signals, ports, the end, and many at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailgate.web import WebServer, make_app
from mailgate.web.lookout import Shared
from store.database import Database
from tests.web_rig import STARTED, InThread, Site


async def _ask(port: int, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_sigterm_stays_with_the_daemon_and_the_web_stays_up(sqlite_database: Database) -> None:
    async def daemon() -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, told.set)
        ours = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        server = WebServer(make_app(sqlite_database, name="x", started=STARTED), "127.0.0.1", 0)
        await server.start()
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == ours
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(told.wait(), 10)
        assert b"200 OK" in await _ask(server.port)
        await server.stop()
        assert loop.remove_signal_handler(signal.SIGTERM)

    asyncio.run(daemon())


def test_stop_gives_the_port_back_even_when_somebody_holds_a_connection(
    sqlite_database: Database,
) -> None:
    async def daemon() -> None:
        server = WebServer(make_app(sqlite_database, name="x", started=STARTED), "127.0.0.1", 0)
        await server.start()
        _, idle = await asyncio.open_connection("127.0.0.1", server.port)
        await server.stop()
        await server.stop()
        with socket.create_server(("127.0.0.1", server.port)):
            idle.close()
        with pytest.raises(RuntimeError):
            await server.start()

    asyncio.run(daemon())


def test_a_port_in_use_is_an_error_at_the_start(sqlite_database: Database) -> None:
    async def daemon() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            app = make_app(sqlite_database, name="x", started=STARTED)
            server = WebServer(app, "127.0.0.1", port)
            with pytest.raises(OSError, match="in use"):
                await server.start()
            await server.stop()

    asyncio.run(daemon())


def test_an_ipv6_address_is_served(sqlite_database: Database) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on loopback here")

    async def daemon() -> None:
        server = WebServer(make_app(sqlite_database, name="x", started=STARTED), "::1", 0)
        await server.start()
        assert b"200 OK" in await _ask(server.port, "::1")
        await server.stop()

    asyncio.run(daemon())


def test_garbage_is_refused_and_the_next_request_is_answered(sqlite_database: Database) -> None:
    app = make_app(sqlite_database, name="x", started=STARTED)
    with InThread(app) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
            wire.sendall(b"EHLO there\r\n\x00\xff\r\n\r\n")
            assert wire.recv(1000).startswith(b"HTTP/1.1 400")
        assert Site(sqlite_database, server.port).ask("/healthz").code == 200


def test_an_answer_is_shared_by_those_who_asked_before_it_was_read() -> None:
    # asked, begun; asked too early for that read; asked, begun
    ticks = iter([1.0, 3.0, 2.0, 4.0, 5.0])
    answers = iter("ab")
    shared = Shared(lambda: next(answers), lambda: next(ticks))
    assert [shared(), shared(), shared()] == ["a", "a", "b"]


def test_reads_never_overlap_and_nobody_gets_an_answer_from_before_the_question() -> None:
    begun, go = threading.Event(), threading.Event()
    running: list[int] = []
    reads: list[int] = []

    def read() -> int:
        assert not running
        running.append(1)
        reads.append(len(reads))
        begun.set()
        assert go.wait(10)
        running.pop()
        return reads[-1]

    shared = Shared(read)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared)
        assert begun.wait(10)
        crowd = [pool.submit(shared) for _ in range(8)]
        go.set()
        assert first.result(10) == 0
        late = [one.result(10) for one in crowd]
    assert 0 not in late
    assert set(late) <= set(reads)


def test_a_read_that_fails_fails_for_its_caller_and_the_next_one_reads_anew() -> None:
    answers: Iterator[ValueError | int] = iter([ValueError("away"), 7])

    def read() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    shared = Shared(read)
    with pytest.raises(ValueError, match="away"):
        shared()
    assert shared() == 7
