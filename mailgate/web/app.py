"""The Starlette app: six addresses, GET and HEAD only, and no way to change anything."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from mailgate import journal
from mailgate.core.policy import FILES
from mailgate.fetching import Fetcher
from mailgate.render import Markup, Renderer
from mailgate.resources import resource
from mailgate.web import metrics
from mailgate.web.files import Files
from mailgate.web.health import DATABASE_DOWN
from mailgate.web.lookout import Lookout
from mailgate.web.view import numbers, page
from store.database import Database, Unavailable

GONE = {
    "title": "There is no file here",
    "words": "A link to a file works for some weeks, for the agent it was sent to, and as long as "
    "that agent works on the ticket. Whoever runs this desk can still have the file: "
    "mailgate raw gives the whole mail.",
}
BUSY = {
    "title": "Too much at once",
    "words": "Several files are being fetched just now. Try again in a few seconds.",
}


def _now() -> datetime:
    return datetime.now(UTC)


def make_app(
    database: Database,
    *,
    name: str,
    started: datetime,
    template_dirs: Sequence[Path] = (),
    sources: Collection[str] | None = None,
    clock: Callable[[], datetime] = _now,
) -> App:
    """The web of one installation.

    `name` heads the page. `template_dirs` are the operator's own, looked at before the shipped
    `templates/web`. `sources` are the names of the sources that the configuration has; None shows
    every source that ever reported. Raises TemplateFailure when the style sheet is broken.
    """
    renderer = Renderer([*template_dirs, resource("templates") / "web"])
    lookout = Lookout(database, started=started, sources=sources, clock=clock)
    pages = _Pages(lookout, renderer, name=name, started=started)
    return App(pages)


class App(Starlette):
    """Starlette whose every answer, errors included, carries the strict headers."""

    def __init__(self, pages: _Pages) -> None:
        self._files = Files(gone=pages.gone, busy=pages.busy, outage=pages.outage)
        super().__init__(
            routes=[
                Route("/", pages.status, methods=["GET"]),
                Route("/status.json", pages.status_json, methods=["GET"]),
                Route("/healthz", pages.healthz, methods=["GET"]),
                Route("/readyz", pages.readyz, methods=["GET"]),
                Route("/metrics", pages.metrics, methods=["GET"]),
                Route(f"{FILES}{{token:path}}", self._files.file, methods=["GET"]),
            ],
            exception_handlers={Exception: pages.broken},
        )
        # The redirect would be built from the Host header, which anybody can forge.
        self.router.redirect_slashes = False
        self._strict = [(k.encode(), v.encode()) for k, v in _headers(pages.style).items()]

    def with_files(self, fetcher: Fetcher) -> App:
        """The same, and it serves files to agents; without this every link leads nowhere."""
        self._files.fetcher = fetcher
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._strict]
            await send(message)

        # At the end of the daemon nobody waits for who is still reading a file.
        with suppress(asyncio.CancelledError):
            await super().__call__(scope, receive, strict)


def _headers(style: str) -> Mapping[str, str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex, nofollow",
        "cross-origin-resource-policy": "same-origin",
    }


class _Pages:
    """One method per page. They are no coroutines: Starlette runs each in a thread."""

    def __init__(
        self, lookout: Lookout, renderer: Renderer, *, name: str, started: datetime
    ) -> None:
        self._lookout = lookout
        self._renderer = renderer
        self._name = name
        self._started = started
        self._registry: CollectorRegistry = metrics.registry_for(lookout)
        self.style = renderer.page("style.css", {})

    def status(self, _request: Request) -> Response:
        """The page for people; 503 and few words while the database is away."""
        try:
            picture = self._lookout.picture()
        except Unavailable as error:
            return self.outage(error)
        context = page(picture, self._started)
        return HTMLResponse(self._render("status.html.j2", context))

    def status_json(self, _request: Request) -> Response:
        """The numbers of the page for machines."""
        try:
            picture = self._lookout.picture()
        except Unavailable as error:
            return _no_database(error)
        return JSONResponse({"name": self._name, **numbers(picture, self._started)})

    def healthz(self, _request: Request) -> Response:
        """200 when nothing is wrong, else 503, with a sentence per problem."""
        try:
            found = self._lookout.vitals().problems
        except Unavailable as error:
            return _no_database(error)
        return _verdict(found)

    def readyz(self, _request: Request) -> Response:
        """Whether this node can do its work at all: does the database answer?"""
        try:
            self._lookout.vitals()
        except Unavailable as error:
            return _no_database(error)
        return _verdict(())

    def metrics(self, _request: Request) -> Response:
        """The text format of Prometheus."""
        text = metrics.exposition(self._registry)
        return Response(text, headers={"content-type": metrics.CONTENT_TYPE})

    def broken(self, _request: Request, error: Exception) -> Response:
        """A fault of ours: recorded here, and nothing of it shown to strangers."""
        journal.trouble(what="web", error=error)
        return PlainTextResponse("Internal error; the journal of mailgate says more.\n", 500)

    def gone(self) -> Response:
        """A file that cannot be had by this link, whatever the reason."""
        return HTMLResponse(self._render("refused.html.j2", GONE), 404)

    def busy(self) -> Response:
        """A file that can be had a little later."""
        body = self._render("refused.html.j2", BUSY)
        return HTMLResponse(body, 503, headers={"retry-after": "5"})

    def outage(self, error: Unavailable) -> Response:
        """What people read while the database is away."""
        journal.trouble(what="web", error=error)
        body = self._render("outage.html.j2", {"problem": DATABASE_DOWN})
        return HTMLResponse(body, 503, headers={"retry-after": "15"})

    def _render(self, template: str, context: Mapping[str, object]) -> str:
        # The header names the digest of exactly these words, so they must not be escaped.
        own = {"name": self._name, "style": Markup(self.style)}
        return self._renderer.page(template, {**own, **context})


def _verdict(problems: Sequence[str]) -> Response:
    status = "degraded" if problems else "ok"
    body = {"status": status, "problems": list(problems)}
    return JSONResponse(body, 503 if problems else 200)


def _no_database(error: Unavailable) -> Response:
    journal.trouble(what="web", error=error)
    return _verdict([DATABASE_DOWN])
