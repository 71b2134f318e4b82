"""Mail that has to leave: fixed bytes, a row per recipient, states that cannot go backwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import exc, update

from mailgate.core.decision import Attempt, CopyState, Fate, Notice, Outgoing, Recipient
from store.database import Database
from store.outbox import OutboxRow
from store.schema import outbox_recipients
from tests.store.samples import MINUTE, NOW, accept, queue, ticket

SECOND = timedelta(seconds=1)
A, B = "anna@example.org", "bert@example.org"
SENT = Fate(state=CopyState.SENT)


def answer(code: int, text: str = "said the relay") -> Attempt:
    return Attempt(code=code, text=text, at=NOW + SECOND, route="relay.test:25")


def states(database: Database) -> dict[str, str]:
    with database.reading() as tx:
        return {r.address: r.state.value for row in tx.outbox.list() for r in row.recipients}


def only(rows: list[OutboxRow]) -> OutboxRow:
    (row,) = rows
    return row


# --- queueing ----------------------------------------------------------------------------


def test_a_queued_mail_reads_as_it_was_composed(database: Database) -> None:
    number, outbox = queue(database, A, B)
    with database.reading() as tx:
        row = only(tx.outbox.list())
        assert [tx.outbox.wire_bytes(r.id) for r in row.recipients] == [
            f"To: {a}\r\nSubject: [#1001]\r\n\r\nWe have it.\r\n".encode() for a in (A, B)
        ]
        with pytest.raises(LookupError, match="4711"):
            tx.outbox.wire_bytes(4711)
    assert (row.id, row.ticket, row.notice, row.inbox) == (outbox, number, "confirmation", None)
    assert (row.message_id, row.mail_from, row.automatic) == (
        "<1@mailgate.test>",
        "help@example.com",
        True,
    )
    assert [(r.address, r.role, r.state, r.attempts, r.due) for r in row.recipients] == [
        (a, "requester", CopyState.PENDING, 0, NOW) for a in (A, B)
    ]


def test_a_message_id_is_used_once(database: Database) -> None:
    queue(database, A)
    with pytest.raises(exc.IntegrityError):
        queue(database, B)


def test_an_address_gets_a_mail_once(database: Database) -> None:
    with pytest.raises(exc.IntegrityError):
        queue(database, A, A)


def test_lists_are_the_newest_oldest_first(database: Database) -> None:
    (inbox,) = accept(database, "a")
    one, first = queue(database, A, message_id="<1@mailgate.test>")
    two, second = queue(database, B, message_id="<2@mailgate.test>")
    mail = Outgoing(
        notice=Notice.ANSWER,
        ticket=two,
        message_id="<3@mailgate.test>",
        mail_from="",
        raw=b"",
        heads={A: b""},
        automatic=False,
    )
    with database.transaction() as tx:
        third = tx.outbox.add(mail, [Recipient(address=A, role="cc", why="")], NOW, inbox=inbox)
        (copy,) = tx.outbox.claim_due(NOW, 1, MINUTE)
        tx.outbox.record(copy.id, answer(250), SENT)
    with database.reading() as tx:

        def listed(**by: object) -> list[int]:
            return [row.id for row in tx.outbox.list(**by)]  # type: ignore[arg-type]

        assert listed() == [first, second, third]
        assert listed(limit=2) == [second, third]
        assert listed(ids=[first, third]) == [first, third]
        assert listed(ticket=two) == [second, third]
        assert listed(inbox=inbox) == [third]
        assert listed(unfinished=True) == [second, third]
        assert listed(ticket=one, unfinished=True) == []


# --- claiming ----------------------------------------------------------------------------


def test_claims_hide_copies_until_the_lease_ends(database: Database) -> None:
    number, outbox = queue(database, A, B)
    with database.transaction() as tx:
        assert tx.outbox.claim_due(NOW - SECOND, 9, MINUTE) == []
        assert tx.outbox.next_due() == NOW
        (copy,) = tx.outbox.claim_due(NOW, 1, MINUTE)
    assert (copy.address, copy.role, copy.attempts, copy.queued) == (A, "requester", 1, NOW)
    assert (copy.outbox, copy.ticket, copy.notice) == (outbox, number, "confirmation")
    assert (copy.message_id, copy.mail_from) == ("<1@mailgate.test>", "help@example.com")
    assert copy.data == f"To: {A}\r\nSubject: [#1001]\r\n\r\nWe have it.\r\n".encode()
    assert (copy.automatic, copy.before) == (True, CopyState.PENDING)
    assert states(database) == {A: "sending", B: "pending"}
    with database.transaction() as tx:
        assert [c.address for c in tx.outbox.claim_due(NOW, 9, MINUTE)] == [B]
        again = tx.outbox.claim_due(NOW + MINUTE, 9, MINUTE)
    assert [(c.address, c.attempts, c.before) for c in again] == [
        (A, 2, CopyState.SENDING),
        (B, 2, CopyState.SENDING),
    ]


@pytest.mark.peer
def test_two_mailers_never_claim_one_copy(postgres_database: Database) -> None:
    queue(postgres_database, A, B)
    with postgres_database.transaction() as one, postgres_database.transaction() as other:
        first = [c.address for c in one.outbox.claim_due(NOW, 1, MINUTE)]
        second = [c.address for c in other.outbox.claim_due(NOW, 9, MINUTE)]
    assert (first, second) == ([A], [B])


def test_a_mail_without_its_bytes_fails_alone_and_can_be_retried(database: Database) -> None:
    number = ticket(database)
    database.folder.inline_max = 10
    raw = b"Subject: large\r\n\r\n"
    mail = Outgoing(
        notice=Notice.ANSWER,
        ticket=number,
        message_id="<large@mailgate.test>",
        mail_from="",
        raw=raw,
        heads={B: b"To: bert\r\n"},
        automatic=False,
    )
    with database.transaction() as tx:
        tx.outbox.add(mail, [Recipient(address=B, role="cc", why="")], NOW)
        digest = only(tx.outbox.list()).digest
    database.folder.inline_max = 65536
    queue(database, A)
    database.folder.path(digest).unlink()
    with database.transaction() as tx:
        assert [c.address for c in tx.outbox.claim_due(NOW, 9, MINUTE)] == [A]
    with database.reading() as tx:
        lost = next(row for row in tx.outbox.list() if row.digest == digest)
    assert lost.recipients[0].state is CopyState.FAILED
    assert "missing" in lost.recipients[0].text
    database.folder.write(digest, raw)
    with database.transaction() as tx:
        assert tx.outbox.retry([lost.id], NOW) == 1
        (copy,) = tx.outbox.claim_due(NOW, 9, MINUTE)
    assert copy.data == b"To: bert\r\n" + raw


# --- fates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "due_again"),
    [
        pytest.param(Fate(state=CopyState.SENT), False, id="sent"),
        pytest.param(Fate(state=CopyState.FAILED), False, id="failed"),
        pytest.param(Fate(state=CopyState.DEFERRED, due=NOW + MINUTE), True, id="deferred"),
        pytest.param(Fate(state=CopyState.UNCERTAIN, due=NOW + MINUTE), True, id="uncertain"),
    ],
)
def test_an_attempt_leaves_its_mark(database: Database, fate: Fate, due_again: bool) -> None:
    queue(database, A)
    with database.transaction() as tx:
        (copy,) = tx.outbox.claim_due(NOW, 1, timedelta(hours=1))
        tx.outbox.record(copy.id, answer(451, "x" * 600), fate)
    with database.transaction() as tx:
        recipient = only(tx.outbox.list()).recipients[0]
        assert tx.outbox.next_due() == fate.due
        again = tx.outbox.claim_due(NOW + MINUTE, 1, MINUTE)
    assert (recipient.state, recipient.code, recipient.text) == (fate.state, 451, "x" * 500)
    assert (recipient.attempts, recipient.changed) == (1, NOW + SECOND)
    assert [c.before for c in again] == ([fate.state] if due_again else [])


def test_what_was_sent_stays_sent(database: Database) -> None:
    _, outbox = queue(database, A)
    with database.transaction() as tx:
        (slow,) = tx.outbox.claim_due(NOW, 1, MINUTE)
        (quick,) = tx.outbox.claim_due(NOW + MINUTE, 1, MINUTE)
        tx.outbox.record(quick.id, answer(250), SENT)
        tx.outbox.record(slow.id, answer(0), Fate(state=CopyState.DEFERRED, due=NOW))
        tx.outbox.release([slow], NOW, NOW)
        assert tx.outbox.retry([outbox], NOW) == 0
        assert tx.outbox.cancel([outbox], NOW) == 0
        assert tx.outbox.next_due() is None
    assert states(database) == {A: "sent"}


def test_released_copies_are_as_they_were(database: Database) -> None:
    queue(database, A, B)
    with database.transaction() as tx:
        (first,) = tx.outbox.claim_due(NOW, 1, MINUTE)
        tx.outbox.record(first.id, answer(451), Fate(state=CopyState.DEFERRED, due=NOW))
        copies = tx.outbox.claim_due(NOW, 9, MINUTE)
        tx.outbox.release(copies, NOW + SECOND, NOW)
        rows = only(tx.outbox.list()).recipients
    assert [(r.state, r.attempts, r.due) for r in rows] == [
        (CopyState.DEFERRED, 1, NOW + SECOND),
        (CopyState.PENDING, 0, NOW + SECOND),
    ]


def test_a_copy_left_by_a_dead_mailer_is_uncertain_when_given_back(database: Database) -> None:
    queue(database, A)
    with database.transaction() as tx:
        tx.outbox.claim_due(NOW, 1, MINUTE)
    with database.transaction() as tx:
        tx.outbox.release(tx.outbox.claim_due(NOW + MINUTE, 1, MINUTE), NOW, NOW)
    assert states(database) == {A: "uncertain"}


def test_retry_and_cancel_leave_alone_what_is_on_the_wire(database: Database) -> None:
    _, outbox = queue(database, A, B)
    with database.transaction() as tx:
        tx.outbox.claim_due(NOW, 1, MINUTE)
        assert tx.outbox.cancel([outbox], NOW) == 1
        assert tx.outbox.retry([outbox], NOW) == 0
        assert tx.outbox.cancel([], NOW) == 0
    assert states(database) == {A: "sending", B: "cancelled"}


def test_a_failed_copy_can_be_tried_again(database: Database) -> None:
    _, outbox = queue(database, A)
    with database.transaction() as tx:
        (copy,) = tx.outbox.claim_due(NOW, 1, MINUTE)
        tx.outbox.record(copy.id, answer(550), Fate(state=CopyState.FAILED))
        assert tx.outbox.claim_due(NOW + MINUTE, 1, MINUTE) == []
        assert tx.outbox.retry([outbox], NOW + MINUTE) == 1
        assert [c.attempts for c in tx.outbox.claim_due(NOW + MINUTE, 1, MINUTE)] == [2]


@pytest.mark.parametrize("state", list(CopyState))
def test_the_database_holds_a_date_for_exactly_what_is_unfinished(
    database: Database, state: CopyState
) -> None:
    queue(database, A)
    final = state in (CopyState.SENT, CopyState.FAILED, CopyState.CANCELLED)
    right, wrong = (None, NOW) if final else (NOW, None)
    with database.transaction() as tx:
        tx.conn.execute(update(outbox_recipients).values(state=state.value, due=right))
    with pytest.raises(exc.IntegrityError), database.transaction() as tx:
        tx.conn.execute(update(outbox_recipients).values(state=state.value, due=wrong))
