"""The ledger and the counts: every accepted mail is somewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from mailgate.core.decision import Attempt, CopyState, Fate, Outcome
from mailgate.core.mail import ParsedMail
from mailgate.core.ticket import MessageKind
from store.database import Database
from store.stats import Depths, LedgerLine
from tests.store.samples import ANNA, MINUTE, NOW, accept, arrival, decision, queue, ticket


def test_an_empty_ledger(database: Database) -> None:
    with database.reading() as tx:
        assert tx.stats.ledger() == []
        assert tx.stats.tickets_by("status") == {}
        assert tx.stats.outbox_states() == {}
        assert tx.stats.notices() == {}
        assert tx.stats.depths() == Depths(
            inbox=0, inbox_oldest=None, outbox=0, outbox_oldest=None, outbox_failed=0, quarantined=0
        )


def test_the_ledger_balances_per_day_and_source(database: Database) -> None:
    with database.transaction() as tx:
        ids = [
            number
            for number, _ in tx.inbox.add_many(
                [
                    arrival(tx, "a"),
                    arrival(tx, "b"),
                    arrival(tx, "c"),
                    arrival(tx, "d", source="imap support"),
                    arrival(tx, "e", day=1),
                ]
            )
        ]
        tx.inbox.settle(ids[0], decision(Outcome.TICKET), None, NOW)
        tx.inbox.settle(ids[1], decision(Outcome.TICKET), None, NOW)
        tx.inbox.settle(ids[3], decision(Outcome.QUARANTINED), None, NOW)
    with database.reading() as tx:
        lines = tx.stats.ledger()
        depths = tx.stats.depths()
    first, second = "2026-03-29", "2026-03-30"
    assert lines == [
        LedgerLine(
            day=first, source="imap support", accepted=1, waiting=0, outcomes={"quarantined": 1}
        ),
        LedgerLine(day=first, source="smtp", accepted=3, waiting=1, outcomes={"ticket": 2}),
        LedgerLine(day=second, source="smtp", accepted=1, waiting=1, outcomes={}),
    ]
    assert all(line.balanced for line in lines)
    assert (depths.inbox, depths.inbox_oldest, depths.quarantined) == (2, NOW, 1)


def test_days_are_days_in_utc(database: Database) -> None:
    """NOW is half past midnight in UTC, and still the day before in New York."""
    with database.transaction() as tx:
        late = arrival(tx, "a")
        tx.inbox.add_many([late])
        if not database.sqlite:
            tx.conn.exec_driver_sql("SET TIME ZONE 'America/New_York'")
        (line,) = tx.stats.ledger()
    assert line.day == "2026-03-29"


def test_an_unbalanced_line_is_seen() -> None:
    line = LedgerLine(day="", source="", accepted=3, waiting=1, outcomes={"ticket": 1})
    assert not line.balanced


def stored(database: Database, inbox: int, *, outcome: Outcome, times: int) -> None:
    """Settle a mail, and store it on a ticket so many times."""
    number = ticket(database)
    mail = ParsedMail(digest="0" * 64, size=1, message_id="<m@example.org>")
    with database.transaction() as tx:
        tx.inbox.settle(inbox, decision(outcome), number, NOW)
        for _ in range(times):
            tx.tickets.add_message(number, mail, MessageKind.CUSTOMER, ANNA, now=NOW, inbox=inbox)


@pytest.mark.parametrize(
    ("outcome", "times", "wrong"),
    [
        pytest.param(Outcome.TICKET, 1, [], id="a ticket with its message"),
        pytest.param(Outcome.HELD, 1, [], id="a held message"),
        pytest.param(Outcome.BOUNCE, 0, [], id="a bounce has no message"),
        pytest.param(Outcome.REPLY, 0, ["no message on a ticket"], id="a reply that is nowhere"),
        pytest.param(Outcome.TICKET, 2, ["two messages"], id="the same mail twice"),
        pytest.param(
            Outcome.IGNORED, 1, ["a message without that outcome"], id="ignored, and yet stored"
        ),
    ],
)
def test_outcomes_are_held_against_what_is_there(
    database: Database, outcome: Outcome, times: int, wrong: list[str]
) -> None:
    _waiting, inbox = accept(database, "waits", "is settled")
    stored(database, inbox, outcome=outcome, times=times)
    with database.reading() as tx:
        found = tx.stats.imbalances()
    assert [(one.what, one.detail) for one in found] == [(what, f"mail {inbox}") for what in wrong]


def test_an_outcome_without_its_ticket_is_found(database: Database) -> None:
    (inbox,) = accept(database, "a")
    stored(database, inbox, outcome=Outcome.NOTE, times=1)
    with database.transaction() as tx:
        tx.conn.execute(text("UPDATE inbox SET ticket = NULL"))
        assert "no ticket" in {one.what for one in tx.stats.imbalances()}


def test_tickets_are_counted_by_what_they_are(database: Database) -> None:
    for _ in range(3):
        number = ticket(database)
    with database.transaction() as tx:
        tx.tickets.set_field(number, "status", "closed", NOW)
    with database.reading() as tx:
        assert tx.stats.tickets_by("status") == {"closed": 1, "new": 2}
        assert tx.stats.tickets_by("queue") == {"support": 3}
        assert tx.stats.people_known() == 1


def test_copies_are_counted_by_state(database: Database) -> None:
    queue(database, "a@example.org", "b@example.org", "c@example.org")
    with database.transaction() as tx:
        sent, failed = tx.outbox.claim_due(NOW, 2, MINUTE)
        answer = Attempt(code=250, text="", at=NOW)
        tx.outbox.record(sent.id, answer, Fate(state=CopyState.SENT))
        tx.outbox.record(failed.id, answer, Fate(state=CopyState.FAILED))
    with database.reading() as tx:
        assert tx.stats.outbox_states() == {"failed": 1, "pending": 1, "sent": 1}
        assert tx.stats.notices() == {"confirmation": 1}
        depths = tx.stats.depths()
    assert (depths.outbox, depths.outbox_oldest, depths.outbox_failed) == (1, NOW, 1)


def test_the_oldest_mail_is_told(database: Database) -> None:
    with database.transaction() as tx:
        tx.inbox.add_many([arrival(tx, "new", day=1), arrival(tx, "old")])
    accept(database, "between")
    with database.reading() as tx:
        assert tx.stats.depths().inbox_oldest == NOW
        assert tx.inbox.next_due() == NOW
    with database.transaction() as tx:
        tx.inbox.claim(NOW + timedelta(days=9), 9, MINUTE)
        assert tx.stats.depths().inbox == 3, "claimed mail still waits"
