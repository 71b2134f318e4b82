"""D4: the answer to COMMIT is lost on the way; the source key tells what happened."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from mailgate import intake
from mailgate.core.mail import Envelope, Inbound
from mailgate.intake import Intake, commit
from store.database import CommitUnknown, Database
from tests.faults.mails import Writer

pytestmark = pytest.mark.peer


class Wire:
    """Stands between us and PostgreSQL; when armed, it lets a COMMIT through and not its answer."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.cuts = 0  # how many answers are still to be lost
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            lost = threading.Event()
            threading.Thread(target=self._up, args=(client, server, lost), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server, lost), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        while data := _receive(client):
            if self.cuts and b"COMMIT" in data:
                self.cuts -= 1
                lost.set()
            _send(server, data)
        _hang_up(server)

    def _down(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        while data := _receive(server):
            if lost.is_set():
                break  # the server has committed and says so to nobody
            _send(client, data)
        _hang_up(client)

    def close(self) -> None:
        """Cut everything."""
        self._server.close()
        for one in self._sockets:
            one.close()


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except OSError:
        return b""  # the other side of the wire closed it


def _send(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
    except OSError:
        return  # cut meanwhile: the next read tells


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


@contextmanager
def through_a_wire(url: str, folder: Path) -> Iterator[tuple[Database, Wire]]:
    parsed = make_url(url)
    assert parsed.port
    with closing(Wire(parsed.port)) as wire:
        through = parsed.set(port=wire.port).render_as_string(hide_password=False)
        database = Database(through, folder)
        yield database, wire
        database.close()


def inbound() -> Inbound:
    return Inbound(
        raw=Writer(7).new().raw,
        source="smtp test",
        source_key=uuid4().hex,
        received=datetime.now(UTC),
        envelope=Envelope(),
    )


def test_d4_a_lost_answer_to_commit_is_told_from_a_refusal(
    postgres_database_url: str, tmp_path: Path
) -> None:
    with through_a_wire(postgres_database_url, tmp_path) as (database, wire):
        one = inbound()
        wire.cuts = 1
        with pytest.raises(CommitUnknown):
            commit(database, [one])
        with database.reading() as tx:
            assert tx.inbox.by_key(one.source_key) is not None  # and yet it is there


@pytest.mark.parametrize("cuts", [1, 3])
def test_d4_intake_finds_out_what_a_lost_answer_meant(
    cuts: int, postgres_database_url: str, tmp_path: Path
) -> None:
    with through_a_wire(postgres_database_url, tmp_path) as (database, wire):
        taker = Intake(database)
        one = inbound()
        wire.cuts = cuts
        number = taker.accept(one)
        taker.close()
        with database.reading() as tx:
            rows = tx.inbox.find()
        assert [(row.id, row.digest == rows[0].digest) for row in rows] == [(number, True)]


def test_d4_nobody_finds_out_for_ever(
    postgres_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FIND_OUT", 0.5)
    with through_a_wire(postgres_database_url, tmp_path) as (database, wire):
        taker = Intake(database)
        wire.cuts = 10**6
        with pytest.raises(CommitUnknown):
            taker.accept(inbound())
        wire.cuts = 0
        taker.close()
