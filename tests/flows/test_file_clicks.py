"""Many clicks on links to files, slow readers, and what is not there: mail goes on meanwhile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest

from mailgate.core.policy import FILES
from mailgate.fetching import Fetcher
from mailgate.parsing import Parsers
from mailgate.web import files, make_app
from mailgate.web.app import App
from store.database import Database
from store.files import StoredFile
from tests.flows.rig import START, House
from tests.flows.test_file_links import CONFIG, DATA, Web, link, refused, web, with_file
from tests.peers.daemon_rig import until
from tests.web_rig import InThread, Site

F = TypeVar("F", bound=Fetcher)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """A house to which Rita has sent a file."""
    house = House(sqlite_database, parsers, tmp_path, config=CONFIG)
    house.deliver(with_file())
    house.settle()
    yield house
    house.close()


@dataclass(frozen=True, kw_only=True)
class Gated(Fetcher):
    """Reads only when told to, and counts who waits in it."""

    go: threading.Event = field(default_factory=threading.Event)
    inside: list[int] = field(default_factory=list)

    def read(self, file: StoredFile) -> bytes | None:
        self.inside.append(file.inbox)
        assert self.go.wait(30)
        return super().read(file)


@dataclass(frozen=True, kw_only=True)
class Large(Fetcher):
    """Has a file that fits into no buffer of the network."""

    TIMES: ClassVar[int] = 3000

    def read(self, file: StoredFile) -> bytes | None:
        data = super().read(file)
        return data and data * self.TIMES


def taken(app: App) -> int:
    """How many places are taken."""
    return app._files._open


def served(house: House, kind: type[F]) -> tuple[App, F]:
    """The pages of a house, with another way to read files."""
    fetcher = kind(
        database=house.database,
        parsers=house.worker.parsers,
        policy=house.desk.policy,
        clock=lambda: house.now,
    )
    return make_app(house.database, name="x", started=START).with_files(fetcher), fetcher


def test_a_storm_of_clicks_takes_one_process_and_no_more_places_than_there_are(
    house: House,
) -> None:
    text = link(house)
    app, fetcher = served(house, Gated)
    with InThread(app) as server, ThreadPoolExecutor(files.AT_ONCE) as many:
        pages = Web(Site(house.database, server.port))
        clicks = [many.submit(pages.get, text) for _ in range(files.AT_ONCE)]
        try:
            until("all places to be taken", lambda: taken(app) == files.AT_ONCE)
            busy = pages.get(text)
            assert (busy.code, busy.headers["retry-after"]) == (503, "5")
            assert "Too much at once" in busy.text
            assert refused(pages.get("x"))  # nothing of the storm is told to strangers
            assert pages.site.ask("/readyz").code == 200
            assert len(fetcher.inside) == 1
            house.deliver(with_file('"more.mp4"'))
            house.settle()  # mail is parsed meanwhile
            assert "more.mp4" in link_text(house)
        finally:
            fetcher.go.set()
        assert {click.result().body for click in clicks} == {DATA}
        assert len(fetcher.inside) == files.AT_ONCE
        until("all places to be free", lambda: taken(app) == 0)
        assert pages.get(text).body == DATA


def link_text(house: House) -> str:
    body = house.last("ana@example.org").mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_who_stalls_is_hung_up_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STALL_SECONDS", 0.3)
    text = link(house)
    app, _ = served(house, Large)
    with InThread(app) as server:
        ask = f"GET {FILES}{text} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        stalled = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        for wire in stalled:
            wire.sendall(ask)
            assert wire.recv(12) == b"HTTP/1.1 200"
        until("all of them to be hung up on", lambda: taken(app) == 0)
        pages = Web(Site(house.database, server.port))
        assert pages.get(text).body == DATA * Large.TIMES
        for wire in stalled:
            wire.close()


def test_who_goes_away_in_the_middle_leaves_a_free_place(house: House) -> None:
    text = link(house)
    app, _ = served(house, Large)
    with InThread(app) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as wire:
            wire.sendall(f"GET {FILES}{text} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert wire.recv(12) == b"HTTP/1.1 200"
        until("the place to be free", lambda: taken(app) == 0)
        assert Web(Site(house.database, server.port)).get(text).code == 200


def test_a_pool_that_was_closed_means_come_again(house: House) -> None:
    text = link(house)
    closed = Parsers(workers=1)
    closed.close()
    with web(house, parsers=closed) as pages:
        answer = pages.get(text)
        assert (answer.code, answer.headers["retry-after"]) == (503, "5")


def test_an_outage_of_the_database_is_a_page(house: House) -> None:
    text = link(house)
    with web(house) as pages:
        folder = pages.site.file.parent
        house.database.close()
        folder.rename(folder.with_name("gone"))
        answer = pages.get(text)
        assert answer.code == 503
        assert "The database cannot be reached." in answer.text
        assert refused(pages.get("no-token"))
        folder.with_name("gone").rename(folder)
        assert pages.get(text).code == 200


def test_pages_without_a_desk_serve_no_file(house: House) -> None:
    app = make_app(house.database, name="x", started=START)
    with InThread(app) as server:
        assert refused(Web(Site(house.database, server.port)).get(link(house)))
