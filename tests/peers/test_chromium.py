"""A real browser opens the real page: what it makes of it, and whom it talks to."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailgate.core.decision import Outcome
from store.database import Database
from tests.web_rig import CANARY, NOON, InThread, Site, arrive, fill, served, settle

pytestmark = pytest.mark.peer

PROGRAM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    # What a page asks for elsewhere is seen in the log of requests, and leads nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True)
class Visit:
    """The page as the browser holds it, the hosts it turned to, what it complained about."""

    dom: str
    hosts: frozenset[str]
    console: str


class Browser:
    """Headless Chromium with an empty profile for every visit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._visits = 0

    def _run(self, url: str, *flags: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        self._visits += 1
        log = self._folder / f"net{self._visits}.json"
        profile = f"--user-data-dir={self._folder / f'profile{self._visits}'}"
        command = [str(PROGRAM), *FLAGS, profile, f"--log-net-log={log}", *flags, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
        return done, log

    def visit(self, url: str, width: int = 1280) -> Visit:
        """Open a page and read its DOM."""
        done, log = self._run(url, f"--window-size={width},1400", "--dump-dom")
        console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        return Visit(dom=done.stdout, hosts=_hosts(log), console=console)

    def look(self, url: str, width: int, *, dark: bool) -> bytes:
        """A PNG of the page."""
        shot = self._folder / "shot.png"
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        self._run(url, f"--window-size={width},1400", scheme, f"--screenshot={shot}")
        return shot.read_bytes()


def _hosts(log: Path) -> frozenset[str]:
    """`host:port` of every request that was begun, from Chromium's own log."""
    events = json.loads(log.read_text())["events"]
    urls = [str(event.get("params", {}).get("url", "")) for event in events]
    return frozenset(urlsplit(url).netloc for url in urls if url.startswith(("http", "ws")))


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """A browser, or a skipped test."""
    if PROGRAM is None:
        pytest.skip("no Chromium here: apt-get install chromium-headless-shell")
    folder = tmp_path / "browser"
    folder.mkdir()
    return Browser(folder)


@pytest.fixture
def site(sqlite_database: Database) -> Iterator[Site]:
    """A calm day behind a real server."""
    with served(sqlite_database) as running:
        fill(running)
        yield running


def test_the_page_is_what_we_wrote_and_talks_to_nobody_else(site: Site, browser: Browser) -> None:
    seen = browser.visit(f"http://127.0.0.1:{site.port}/")
    assert "<title>All well · Example Support</title>" in seen.dom
    assert seen.dom.count('<rect class="fill"') == 4 + 4 + 3 + 2
    assert 'class="state good">working</span>' in seen.dom
    assert "&lt;b&gt;shop&lt;/b&gt;" in seen.dom
    assert CANARY not in seen.dom
    assert "<script" not in seen.dom
    assert seen.hosts == {f"127.0.0.1:{site.port}"}
    assert seen.console == ""  # a style sheet that the policy refuses would be named here


def test_a_page_that_did_talk_to_others_would_be_caught(browser: Browser) -> None:
    async def leaky(_request: Request) -> Response:
        return HTMLResponse(
            '<img src="http://tracker.example.net/p.png"><script>console.log("x")</script>'
        )

    with InThread(Starlette(routes=[Route("/", leaky)])) as server:
        seen = browser.visit(f"http://127.0.0.1:{server.port}/")
    assert "tracker.example.net" in seen.hosts
    assert "CONSOLE" in seen.console


def test_a_fault_is_told_in_words(site: Site, browser: Browser) -> None:
    with site.database.transaction() as tx:
        settle(tx, arrive(tx, "bad", NOON), Outcome.QUARANTINED, NOON)
    seen = browser.visit(f"http://127.0.0.1:{site.port}/")
    assert "<title>Needs attention · Example Support</title>" in seen.dom
    assert "<li>Quarantine: 1 mail needs a decision (mailgate quarantine list).</li>" in seen.dom


def test_it_has_a_light_and_a_dark_face_on_phone_and_desk(site: Site, browser: Browser) -> None:
    url = f"http://127.0.0.1:{site.port}/"
    for width in (390, 1280):
        light, dark = (browser.look(url, width, dark=dark) for dark in (False, True))
        assert struct.unpack(">I", light[16:20]) == (width,)
        assert light != dark
