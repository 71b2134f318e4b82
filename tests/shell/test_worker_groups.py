"""Mails that share a transaction: each keeps its own outcome, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from mailgate.apply import Desk
from mailgate.core.mail import Envelope, Inbound
from mailgate.core.people import Mailbox
from mailgate.core.policy import Policy
from mailgate.gate import Caps
from mailgate.intake import commit
from mailgate.parsing import Parsers
from mailgate.render import Renderer
from mailgate.resources import resource
from mailgate.worker import MAX_ATTEMPTS, Worker
from store.database import Database

BOX = "support@example.org"

# The database itself refuses one mail, in the middle of its effects.
REFUSE = """\
CREATE TRIGGER refuse BEFORE INSERT ON outbox WHEN NEW.ticket IN
    (SELECT number FROM tickets WHERE subject = 'mail 2')
BEGIN SELECT RAISE(ABORT, 'not this one'); END
"""


class Clock:
    """A clock that moves when it is told to."""

    now = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """One pool for all tests here."""
    pool = Parsers(workers=1)
    yield pool
    pool.close()


@pytest.fixture
def database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """An empty SQLite database: only there do mails share a transaction."""
    (tmp_path / "mailgate.db").write_bytes(sqlite_template.read_bytes())
    one = Database("sqlite", tmp_path)
    yield one
    one.close()


def _worker(database: Database, parsers: Parsers, clock: Clock) -> Worker:
    renderer = Renderer([resource("templates") / "mail"])
    policy = Policy(mailboxes=(Mailbox(address=BOX),), languages=renderer.languages())
    desk = Desk(policy=policy, renderer=renderer, caps=Caps())
    return Worker(database=database, parsers=parsers, desk=desk, clock=clock)


def _take(database: Database, clock: Clock, count: int) -> None:
    commit(
        database,
        [
            Inbound(
                raw=(
                    f"From: person{n}@example.net\r\nTo: {BOX}\r\nSubject: mail {n}\r\n"
                    f"Message-ID: <{n}@example.net>\r\n\r\nHello, this is number {n}.\r\n"
                ).encode(),
                source="smtp test",
                source_key=str(n),
                received=clock.now,
                envelope=Envelope(mail_from=f"person{n}@example.net", rcpt_tos=(BOX,)),
                live=True,
            )
            for n in range(count)
        ],
    )


def _subjects(database: Database) -> dict[str, int]:
    with database.reading() as tx:
        return {row.view.subject: row.view.number for row in tx.tickets.find()}


def test_mails_that_share_a_transaction_settle_in_order(
    database: Database, parsers: Parsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.worker.GROUP_SECONDS", 60.0)  # however slow this machine is
    clock = Clock()
    _take(database, clock, 5)
    commits: list[object] = []
    worker = _worker(database, parsers, clock)
    claimed = worker.step()  # the first alone perhaps: nothing else is parsed at once
    for job in worker._jobs:
        job.parsing.result()
    sqlalchemy.event.listen(database.engine, "commit", commits.append)
    worker.drain()
    assert claimed
    # One commit for all that was left, and those of the claims.
    assert len(commits) <= 3
    numbers = _subjects(database)
    assert [numbers[f"mail {n}"] for n in range(5)] == sorted(numbers.values())
    with database.reading() as tx:
        assert {row.outcome for row in tx.inbox.find()} == {"ticket"}


def test_a_mail_that_cannot_be_settled_costs_the_others_nothing(
    database: Database, parsers: Parsers
) -> None:
    clock = Clock()
    with database.engine.begin() as conn:
        conn.exec_driver_sql(REFUSE)
    _take(database, clock, 5)
    worker = _worker(database, parsers, clock)
    for _ in range(MAX_ATTEMPTS):
        worker.drain()
        clock.now = clock.now.replace(minute=clock.now.minute + 1)
    with database.reading() as tx:
        outcomes = {row.message_id: row.outcome for row in tx.inbox.find()}
        queued = [row.recipients[0].address for row in tx.outbox.list()]
    assert outcomes.pop("<2@example.net>") == "quarantined"
    assert list(outcomes.values()) == ["ticket"] * 4
    # Nothing was done twice, and nothing of the refused mail stayed.
    assert sorted(queued) == [f"person{n}@example.net" for n in (0, 1, 3, 4)]
    assert sorted(_subjects(database)) == ["mail 0", "mail 1", "mail 3", "mail 4"]
