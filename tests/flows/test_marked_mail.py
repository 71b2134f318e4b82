"""Mail that says it is a machine's: kept, and answered by nothing (L2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.core.decision import Outcome
from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import House

HELLO = "From: robot@machine.test\r\nTo: support@example.org\r\nSubject: Hello\r\n"


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("marks", "mail_from", "confirmed"),
    [
        pytest.param("Auto-Submitted: auto-replied", "r@m.test", False, id="replied (L2)"),
        pytest.param("Auto-Submitted: auto-generated", "r@m.test", False, id="generated (L2)"),
        pytest.param("Auto-Submitted: auto-notified", "r@m.test", False, id="notified (L2)"),
        pytest.param("AUTO-SUBMITTED: (x) Auto-Replied; y=z", "r@m.test", False, id="comment (L2)"),
        pytest.param("Auto-Submitted: no", "r@m.test", True, id="no is a person (L2)"),
        pytest.param("Precedence: bulk", "r@m.test", False, id="bulk (L2)"),
        pytest.param("Precedence: junk\r\nPrecedence: first", "r@m.test", False, id="twice (L2)"),
        pytest.param("X-Auto-Response-Suppress: All", "r@m.test", False, id="suppress (L2)"),
        pytest.param("List-Id: <news.m.test>", "r@m.test", False, id="list (L2)"),
        pytest.param("X-Nothing: at all", "", False, id="null sender (L2)"),
        pytest.param("X-Nothing: at all", "r@m.test", True, id="no marker"),
    ],
)
def test_a_marker_silences_us_and_loses_nothing(
    sqlite_database: Database,
    parsers: Parsers,
    tmp_path: Path,
    marks: str,
    mail_from: str,
    confirmed: bool,
) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    house = House(sqlite_database, parsers, folder)
    try:
        raw = f"{HELLO}{marks}\r\nMessage-ID: <1@machine.test>\r\n\r\nWords of it.\r\n"
        inbox = house.deliver(raw.encode(), mail_from=mail_from)
        house.settle()
    finally:
        house.close()
    with sqlite_database.reading() as tx:
        settled = tx.inbox.get(inbox)
        assert settled is not None
        assert settled.outcome in (Outcome.TICKET, Outcome.NOTE)
        assert settled.ticket is not None
        [message] = tx.tickets.messages(settled.ticket)
        assert message.visible.strip() == "Words of it."
        roles = {p.role for row in tx.outbox.list() for p in row.recipients}
    assert ("requester" in roles) is confirmed
