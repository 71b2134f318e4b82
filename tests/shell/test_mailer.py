"""The mailer against a relay that misbehaves as told; ids are those of the fault list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.relay_sink import RelaySink
from tests.shell.mailer_rig import BODY, Desk, relay


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[RelaySink]:
    with RelaySink(ledger=tmp_path / "ledger") as sink:
        yield sink


def test_each_recipient_gets_the_own_bytes_once(desk: Desk, sink: RelaySink) -> None:
    desk.queue("ann@example.net", "bob@example.com")
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
        desk.wait_for("bob@example.com", "sent")
    assert [m.data for m in sink.to("ann@example.net")] == [b"To: ann@example.net\r\n" + BODY]
    assert [m.data for m in sink.to("bob@example.com")] == [b"To: bob@example.com\r\n" + BODY]
    assert {m.mail_from for m in sink.mails} == {"support@example.org"}
    assert sorted(desk.events("sent")) == ["ann@example.net", "bob@example.com"]
    row = desk.copies()["ann@example.net"]
    assert (row.attempts, row.code, row.due) == (1, 250, None)
    assert "kept as number" in row.text
