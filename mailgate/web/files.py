"""Files by the links in agents' notices: one address, one refusal for every reason.

Whoever tries links learns nothing from how they are refused. What is served is bytes to be saved,
never a page: it comes from strangers, and this is the address of the desk's own pages.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mailgate import journal
from mailgate.core.filename import clean_name
from mailgate.fetching import Fetcher
from store.database import Unavailable
from store.files import StoredFile

AT_ONCE = 8  # files in memory, one of which is being taken out of its mail
STALL_SECONDS = 60.0  # how long a reader may take nothing before it is hung up on
_PIECE = 64 * 1024
_ODD = re.compile(r"[^A-Za-z0-9._ ()-]")
# Why a file cannot be had just now, as this never happens for the file's own sake.
_ENDED = (RuntimeError, CancelledError)

Refusal = Callable[[], Response]


class Files:
    """The endpoint; `gone`, `busy` and `outage` make its refusals."""

    def __init__(
        self, *, gone: Refusal, busy: Refusal, outage: Callable[[Unavailable], Response]
    ) -> None:
        self.fetcher: Fetcher | None = None  # until there is one no file is served
        self._gone = gone
        self._busy = busy
        self._outage = outage
        self._open = 0
        # Mail that waits to be parsed needs the same processes: never more than one is ours.
        self._turn = asyncio.Semaphore(1)

    async def file(self, request: Request) -> Response:
        """The file that the link names, as bytes to be saved; else 404, or 503 to come again."""
        fetcher = self.fetcher
        if fetcher is None:
            return await run_in_threadpool(self._gone)
        try:
            found = await run_in_threadpool(fetcher.find, request.path_params["token"])
            if found is None:
                return await run_in_threadpool(self._gone)
            if self._open >= AT_ONCE:
                return await run_in_threadpool(self._busy)
            return await self._fetched(fetcher, found)
        except Unavailable as error:
            return await run_in_threadpool(self._outage, error)

    async def _fetched(self, fetcher: Fetcher, found: StoredFile) -> Response:
        self._open += 1
        data: bytes | None = None
        try:
            async with self._turn:
                data = await run_in_threadpool(fetcher.read, found)
        except _ENDED as error:
            journal.trouble(what="file", error=error, inbox=found.inbox, ticket=found.ticket)
            return await run_in_threadpool(self._busy)
        finally:
            if data is None:
                self._open -= 1
        if data is None:
            return await run_in_threadpool(self._gone)
        journal.fetched(ticket=found.ticket, inbox=found.inbox, part=found.part)
        return _Download(data, found.filename, self._sent)

    def _sent(self) -> None:
        self._open -= 1


class _Download(Response):
    """Bytes to be saved, sent piece by piece as the reader takes them."""

    def __init__(self, data: bytes, filename: str, done: Callable[[], None]) -> None:
        super().__init__(headers=head(filename, len(data)))
        self._data = memoryview(data)
        self._done = done

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it. Of a reader that stalls the connection ends before the file does."""
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            left = self._data[:0] if scope["method"] == "HEAD" else self._data
            while left:
                piece, left = left[:_PIECE], left[_PIECE:]
                async with asyncio.timeout(STALL_SECONDS):
                    await send(
                        {"type": "http.response.body", "body": bytes(piece), "more_body": True}
                    )
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError as error:
            journal.trouble(what="file", error=error)
        finally:
            self._done()


def head(filename: str, size: int) -> Mapping[str, str]:
    """The headers of a file (RFC 6266); its name is a stranger's, whatever was stored."""
    name = clean_name(filename) or "file.bin"
    plain = _ODD.sub("_", name)
    return {
        "content-type": "application/octet-stream",
        "content-length": str(size),
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''"
        + quote(name, safe=""),
    }
