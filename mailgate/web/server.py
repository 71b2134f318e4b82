"""uvicorn as a guest in the daemon's event loop: our socket, our signals, our journal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from mailgate import journal

STOP_SECONDS = 1  # how long requests under way may take at the end
CONNECTIONS = 128  # above that a request is answered with 503 at once


class _Guest(uvicorn.Server):
    """Leaves signals alone and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would take SIGTERM from the daemon and stop the web before mail has drained."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, then set `up`."""
        await super().startup(sockets)
        self.up.set()


class _IntoJournal(logging.Handler):
    """Warnings of uvicorn, tracebacks included, as lines of our journal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record on."""
        logging.getLogger("mailgate").handle(record)


class WebServer:
    """Serves an app on one address until it is stopped; can be started once."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """`port` 0 lets the system choose; see the property `port`."""
        self._app = app
        self._host = host
        self._port = port
        self._guest: _Guest | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; before `start` the one that was asked for."""
        return self._port

    async def start(self) -> None:
        """Bind and serve in the running loop. Raises OSError when the address cannot be had."""
        if self._task is not None:
            raise RuntimeError("a WebServer starts once")
        _adopt_log()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family)
        self._port = listener.getsockname()[1]
        self._guest = guest = _Guest(_config(self._app))
        self._task = task = asyncio.create_task(guest.serve(sockets=[listener]), name="web")
        up = asyncio.create_task(guest.up.wait())
        await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if task.done():
            listener.close()
            await task  # raises what went wrong
        journal.started(what="web", where=f"http://{self._where()}/")

    async def stop(self) -> None:
        """Take no new requests, finish those under way for STOP_SECONDS, close everything."""
        if self._guest is None or self._task is None:
            return
        self._guest.should_exit = True
        await self._task
        self._guest = None
        journal.stopped(what="web")

    def _where(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _adopt_log() -> None:
    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.WARNING)
    log.propagate = False
    log.handlers[:] = [_IntoJournal()]
