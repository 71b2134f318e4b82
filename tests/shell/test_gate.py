"""The one door out: how many automatic mails may leave, and which mails are not counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.core.decision import Notice, Notify, Outgoing, Recipient
from mailgate.gate import Caps, Passed, pass_gate
from store.database import Database, Tx
from tests.store.samples import NOW, accept, ticket

RITA = Recipient(address="rita@customer.test", role="requester", why="requester")
CARL = Recipient(address="carl@customer.test", role="cc", why="on the CC list")
ANA = Recipient(address="ana@example.org", role="agent", why="assigned")
OPEN = Caps(per_address_hour=0, per_address_day=0, changes_hour=0, total_hour=0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(seconds=1)


def sent(
    database: Database,
    *ago: timedelta,
    to: Recipient = RITA,
    by_mail: bool = True,
    automatic: bool = True,
) -> None:
    """Mails that were queued for somebody so long ago."""
    inbox = accept(database, f"{to.address} {len(ago)} {by_mail} {automatic}")[0]
    number = ticket(database)
    with database.transaction() as tx:
        for n, age in enumerate(ago):
            mail = Outgoing(
                notice=Notice.STATUS if automatic else Notice.COPY,
                ticket=number,
                message_id=f"<{number}.{n}@example.org>",
                mail_from="support@example.org",
                raw=b"\r\n",
                heads={to.address: b""},
                automatic=automatic,
            )
            tx.outbox.add(mail, [to], NOW - age, inbox=inbox if by_mail else None)


def asked(
    tx: Tx,
    caps: Caps,
    *to: Recipient,
    notice: Notice = Notice.CONFIRMATION,
    by_mail: bool = True,
) -> Passed:
    return pass_gate(tx, Notify(notice=notice, to=to or (RITA,)), caps, NOW, by_mail=by_mail)


def why_not(database: Database, caps: Caps, *to: Recipient, by_mail: bool = True) -> list[str]:
    with database.reading() as tx:
        return [person.why for person in asked(tx, caps, *to, by_mail=by_mail).stopped]


HOURLY = "the cap of 3 automatic mails an hour to this address is reached"
DAILY = "the cap of 3 automatic mails a day to this address is reached"
TOTAL = "the cap of 3 automatic mails an hour is reached"


@pytest.mark.parametrize(
    ("caps", "ages", "why"),
    [
        pytest.param(replace(OPEN, per_address_hour=3), [TICK] * 2, [], id="an hour: one more"),
        pytest.param(replace(OPEN, per_address_hour=3), [TICK] * 3, [HOURLY], id="an hour: full"),
        pytest.param(
            replace(OPEN, per_address_hour=3),
            [TICK, TICK, HOUR + TICK],
            [],
            id="an hour: the first is over",
        ),
        pytest.param(
            replace(OPEN, per_address_day=3), [HOUR, 2 * HOUR, DAY], [DAILY], id="a day: full"
        ),
        pytest.param(
            replace(OPEN, per_address_day=3), [HOUR, HOUR, DAY + TICK], [], id="a day: it is over"
        ),
        pytest.param(replace(OPEN, total_hour=3), [TICK] * 3, [TOTAL], id="in all: full"),
        pytest.param(replace(OPEN, total_hour=3), [TICK] * 2, [], id="in all: one more"),
        pytest.param(replace(OPEN, total_hour=3), [HOUR + TICK] * 3, [], id="in all: it is over"),
        pytest.param(replace(OPEN, changes_hour=3), [TICK] * 9, [], id="changes are for agents"),
        pytest.param(OPEN, [TICK] * 9, [], id="no caps"),
    ],
)
def test_caps(database: Database, caps: Caps, ages: list[timedelta], why: list[str]) -> None:
    sent(database, *ages)
    assert why_not(database, caps) == why


def test_what_an_agent_sets_off_has_a_cap_of_its_own(database: Database) -> None:
    caps = Caps(changes_hour=4)
    sent(database, TICK, TICK, TICK)
    assert why_not(database, caps, by_mail=False) == []
    sent(database, TICK, by_mail=False)
    reason = "the cap of 4 automatic mails an hour to this address is reached"
    assert why_not(database, caps, by_mail=False) == [reason]


def test_what_an_agent_set_off_does_not_keep_a_customer_from_a_confirmation(
    database: Database,
) -> None:
    sent(database, TICK, TICK, TICK, by_mail=False)
    assert why_not(database, Caps(per_address_hour=3)) == []


def test_words_of_people_do_not_count(database: Database) -> None:
    sent(database, TICK, TICK, TICK, automatic=False)
    assert why_not(database, Caps(per_address_hour=3, total_hour=3)) == []


def test_each_address_counts_for_itself(database: Database) -> None:
    sent(database, TICK, TICK, TICK)
    with database.reading() as tx:
        found = asked(tx, Caps(per_address_hour=3), RITA, CARL)
    assert found.to == (CARL,)
    assert [(p.address, p.role) for p in found.stopped] == [(RITA.address, RITA.role)]


def test_the_total_counts_all_addresses(database: Database) -> None:
    sent(database, TICK, to=CARL)
    sent(database, TICK, TICK, to=RITA)
    assert why_not(database, replace(OPEN, total_hour=3)) == [TOTAL]


def test_notices_to_agents_leave_the_total_to_customers(database: Database) -> None:
    sent(database, *[TICK] * 9, to=ANA)
    assert why_not(database, replace(OPEN, total_hour=3)) == []
    sent(database, TICK, TICK, TICK, to=CARL)
    assert why_not(database, replace(OPEN, total_hour=3)) == [TOTAL]


@pytest.mark.parametrize("by_mail", [True, False])
def test_notices_to_an_agent_are_not_held_against_the_same_person_as_a_customer(
    database: Database, by_mail: bool
) -> None:
    sent(database, *[TICK] * 9, to=ANA, by_mail=by_mail)
    caps = Caps(per_address_hour=3, per_address_day=3, changes_hour=3)
    assert why_not(database, caps, replace(ANA, role="requester"), by_mail=by_mail) == []


def test_agents_are_not_capped(database: Database) -> None:
    sent(database, *[TICK] * 5, to=ANA)
    caps = Caps(per_address_hour=1, per_address_day=1, changes_hour=1, total_hour=1)
    with database.reading() as tx:
        assert asked(tx, caps, ANA, notice=Notice.AGENT_NEW).to == (ANA,)


@pytest.mark.parametrize("notice", [Notice.ANSWER, Notice.COPY])
def test_words_of_people_are_not_capped(database: Database, notice: Notice) -> None:
    sent(database, *[TICK] * 5)
    caps = Caps(per_address_hour=1, per_address_day=1, changes_hour=1, total_hour=1)
    with database.reading() as tx:
        assert asked(tx, caps, RITA, CARL, notice=notice) == Passed(to=(RITA, CARL))


def test_confirmations_may_be_for_the_requester_alone(database: Database) -> None:
    caps = Caps(confirm_cc=False)
    with database.reading() as tx:
        found = asked(tx, caps, RITA, CARL)
        assert asked(tx, caps, RITA, CARL, notice=Notice.CLOSURE).to == (RITA, CARL)
    assert found.to == (RITA,)
    reason = "confirmations go to the requester alone ([gate].confirm_cc)"
    assert [p.why for p in found.stopped] == [reason]
