"""A file from a stranger in a real browser: saved, and never a page of the desk's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailgate.core.policy import FILES
from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import House
from tests.flows.test_file_links import CONFIG, link, web, with_file
from tests.peers.test_chromium import Browser, browser
from tests.web_rig import InThread

pytestmark = pytest.mark.peer

__all__ = ["browser"]

PAGE = b"<title>mine</title><script>document.title='it ran'; console.log('ran')</script>" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="it ran"</script></svg>' * 40


@pytest.fixture
def house(sqlite_database: Database, tmp_path: Path) -> Iterator[House]:
    parsers = Parsers(workers=1, seconds=30)
    house = House(sqlite_database, parsers, tmp_path, config=CONFIG)
    yield house
    house.close()
    parsers.close()


def seen(browser: Browser, url: str) -> str:
    """What the browser makes a page of, and says; "" where it shows nothing."""
    try:
        visit = browser.visit(url)
    except subprocess.CalledProcessError as error:  # a download is no page to it
        return f"{error.stdout}{error.stderr}"
    return f"{visit.dom}{visit.console}"


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [("page.html", "text/html", PAGE), ("picture.svg", "image/svg+xml", SVG)],
)
def test_what_would_run_in_a_page_is_not_shown(
    house: House, browser: Browser, name: str, kind: str, data: bytes
) -> None:
    house.deliver(with_file(f'"{name}"', data, kind))
    house.settle()
    with web(house) as pages:
        url = f"http://127.0.0.1:{pages.site.port}{FILES}"
        assert pages.get(link(house)).body == data
        shown = seen(browser, f"{url}{link(house)}")
        gone = browser.visit(f"{url}x")
    assert "it ran" not in shown
    assert "mine" not in shown
    assert "<svg" not in shown
    assert "There is no file here" in gone.dom
    assert gone.console == "" or "404" in gone.console


def test_the_same_as_a_page_would_run(browser: Browser) -> None:
    async def page(_request: Request) -> Response:
        return HTMLResponse(PAGE)

    with InThread(Starlette(routes=[Route("/", page)])) as server:
        assert "<title>it ran</title>" in seen(browser, f"http://127.0.0.1:{server.port}/")
