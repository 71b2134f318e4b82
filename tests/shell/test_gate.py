"""The one door out: how many automatic mails may leave, and which mails are not counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.core.decision import Notice
from mailgate.gate import Caps, Passed
from store.database import Database
from tests.shell.gate_rig import (
    ANA,
    CARL,
    DAY,
    HOUR,
    OPEN,
    OPS,
    RITA,
    SECOND,
    ask,
    notes,
    person,
    sent,
    whys,
)
from tests.store.samples import NOW

HOURLY = "the cap of 3 automatic mails an hour to this address is reached"
DAILY = "the cap of 3 automatic mails a day to this address is reached"
TOTAL = "the cap of 3 automatic mails an hour is reached"
TICKET = "the cap of 3 automatic mails an hour on this ticket is reached"
KIND = "the cap of 3 automatic mails an hour of the kind confirmation is reached"
DOMAIN = "the cap of 3 automatic mails an hour to unproven senders of this domain is reached"


@pytest.mark.parametrize(
    ("caps", "ages", "why"),
    [
        pytest.param(replace(OPEN, per_address_hour=3), [SECOND] * 2, [], id="an hour: one more"),
        pytest.param(
            replace(OPEN, per_address_hour=3), [SECOND] * 3, [HOURLY], id="an hour: full (L1)"
        ),
        pytest.param(
            replace(OPEN, per_address_hour=3),
            [SECOND, SECOND, HOUR + SECOND],
            [],
            id="an hour: the first is over",
        ),
        pytest.param(
            replace(OPEN, per_address_day=3),
            [HOUR, 2 * HOUR, DAY],
            [DAILY],
            id="a day: full (L1)",
        ),
        pytest.param(
            replace(OPEN, per_address_day=3),
            [HOUR, HOUR, DAY + SECOND],
            [],
            id="a day: it is over",
        ),
        pytest.param(replace(OPEN, total_hour=3), [SECOND] * 3, [TOTAL], id="in all: full (L6)"),
        pytest.param(replace(OPEN, total_hour=3), [SECOND] * 2, [], id="in all: one more"),
        pytest.param(replace(OPEN, total_hour=3), [HOUR + SECOND] * 3, [], id="in all: it is over"),
        pytest.param(replace(OPEN, per_domain_hour=3), [SECOND] * 3, [DOMAIN], id="a domain: full"),
        pytest.param(
            replace(OPEN, per_domain_hour=3), [HOUR + SECOND] * 3, [], id="a domain: it is over"
        ),
        pytest.param(replace(OPEN, changes_hour=3), [SECOND] * 9, [], id="changes are for agents"),
        pytest.param(OPEN, [SECOND] * 9, [], id="no caps"),
    ],
)
def test_caps(database: Database, caps: Caps, ages: list[timedelta], why: list[str]) -> None:
    sent(database, *ages)
    assert whys(ask(database, caps)) == why


@pytest.mark.parametrize(("before", "why"), [(2, []), (3, [TICKET])])
def test_a_ticket_has_a_cap_of_its_own(database: Database, before: int, why: list[str]) -> None:
    caps = replace(OPEN, per_ticket_hour=3)
    number = sent(database, *[SECOND] * before, to=CARL)
    assert whys(ask(database, caps, ticket=number)) == why
    assert whys(ask(database, caps, ticket=sent(database, SECOND))) == []


@pytest.mark.parametrize(
    ("notice", "why"), [(Notice.CONFIRMATION, [KIND]), (Notice.CLOSURE, [])], ids=str
)
def test_a_kind_has_a_cap_of_its_own(database: Database, notice: Notice, why: list[str]) -> None:
    sent(database, *[SECOND] * 3, notice=Notice.CONFIRMATION)
    assert whys(ask(database, replace(OPEN, per_kind_hour=3), notice=notice)) == why


def test_one_notice_to_many_is_many_mails(database: Database) -> None:
    people = [person(n) for n in range(6)]
    for caps in (
        replace(OPEN, total_hour=4),
        replace(OPEN, per_ticket_hour=4),
        replace(OPEN, per_domain_hour=4),
        replace(OPEN, per_kind_hour=4),
        replace(OPEN, storm_mails=4),
    ):
        found = ask(database, caps, *people, ticket=sent(database, HOUR + SECOND))
        assert found.to == tuple(people[:4]), caps
        assert len(found.stopped) == 2


def test_the_cap_of_a_domain_is_for_senders_whom_nothing_proves(database: Database) -> None:
    caps = replace(OPEN, per_domain_hour=3)
    for number in range(3):
        sent(database, SECOND, to=person(number))
    assert whys(ask(database, caps)) == [DOMAIN]
    assert whys(ask(database, caps, proven=True)) == []
    assert whys(ask(database, caps, by_mail=False, notice=Notice.CLOSURE)) == []
    for other in ("other.test", "sub.customer.test", "xcustomer.test", "customer_test"):
        assert whys(ask(database, caps, person(1, other))) == []


def test_a_domain_with_wildcards_counts_for_itself(database: Database) -> None:
    caps = replace(OPEN, per_domain_hour=1)
    sent(database, SECOND)
    assert whys(ask(database, caps, person(1, "c_stomer.test"))) == []
    assert whys(ask(database, caps, person(1, "%.test"))) == []


def test_what_an_agent_sets_off_has_a_cap_of_its_own(database: Database) -> None:
    caps = replace(OPEN, per_address_hour=3, changes_hour=4)
    sent(database, SECOND, SECOND, SECOND)
    assert whys(ask(database, caps, by_mail=False)) == []
    sent(database, SECOND, by_mail=False)
    reason = "the cap of 4 automatic mails an hour to this address is reached"
    assert whys(ask(database, caps, by_mail=False)) == [reason]


def test_what_an_agent_set_off_does_not_keep_a_customer_from_a_confirmation(
    database: Database,
) -> None:
    sent(database, SECOND, SECOND, SECOND, by_mail=False)
    assert whys(ask(database, replace(OPEN, per_address_hour=3))) == []


def test_words_of_people_do_not_count(database: Database) -> None:
    sent(database, *[SECOND] * 3, notice=Notice.COPY)
    assert whys(ask(database, replace(OPEN, per_address_hour=3, total_hour=3))) == []


def test_each_address_counts_for_itself(database: Database) -> None:
    sent(database, SECOND, SECOND, SECOND)
    found = ask(database, replace(OPEN, per_address_hour=3), RITA, CARL)
    assert found.to == (CARL,)
    assert [(p.address, p.role) for p in found.stopped] == [(RITA.address, RITA.role)]


def test_the_total_counts_all_addresses(database: Database) -> None:
    sent(database, SECOND, to=CARL)
    sent(database, SECOND, SECOND, to=RITA)
    assert whys(ask(database, replace(OPEN, total_hour=3))) == [TOTAL]


def test_notices_to_agents_leave_the_total_to_customers(database: Database) -> None:
    sent(database, *[SECOND] * 9, to=ANA)
    assert whys(ask(database, replace(OPEN, total_hour=3))) == []
    sent(database, SECOND, SECOND, SECOND, to=CARL)
    assert whys(ask(database, replace(OPEN, total_hour=3))) == [TOTAL]


@pytest.mark.parametrize("by_mail", [True, False])
def test_notices_to_an_agent_are_not_held_against_the_same_person_as_a_customer(
    database: Database, by_mail: bool
) -> None:
    sent(database, *[SECOND] * 9, to=ANA, by_mail=by_mail)
    caps = replace(OPEN, per_address_hour=3, per_address_day=3, changes_hour=3)
    assert whys(ask(database, caps, replace(ANA, role="requester"), by_mail=by_mail)) == []


STRICT = Caps(
    per_address_hour=1,
    per_address_day=1,
    changes_hour=1,
    per_ticket_hour=1,
    per_kind_hour=1,
    per_domain_hour=1,
    total_hour=1,
    copies_hour=6,
    storm_mails=1,
)


@pytest.mark.parametrize("notice", [Notice.ANSWER, Notice.COPY])
def test_words_of_people_are_not_capped(database: Database, notice: Notice) -> None:
    number = sent(database, *[SECOND] * 5)
    assert ask(database, STRICT, RITA, CARL, notice=notice, ticket=number) == Passed(
        to=(RITA, CARL)
    )


def test_an_agents_words_are_never_capped(database: Database) -> None:
    number = sent(database, *[SECOND] * 9, notice=Notice.ANSWER)
    found = ask(database, STRICT, RITA, notice=Notice.ANSWER, ticket=number)
    assert found == Passed(to=(RITA,))


@pytest.mark.parametrize(
    ("caps", "span", "name"),
    [
        (replace(OPEN, copies_hour=6, ops=OPS), HOUR, "an hour"),
        (replace(OPEN, copies_day=6, ops=OPS), DAY, "a day"),
    ],
    ids=["hour", "day"],
)
def test_machines_on_one_cc_list_do_not_talk_for_ever_L1(
    database: Database, caps: Caps, span: timedelta, name: str
) -> None:
    number = sent(database, *[SECOND] * 5, notice=Notice.COPY)
    assert whys(ask(database, caps, notice=Notice.COPY, ticket=number)) == []
    sent(database, SECOND, notice=Notice.COPY, on=number)
    found = ask(database, caps, RITA, CARL, notice=Notice.COPY, ticket=number)
    reason = f"the cap of 6 copies {name} to this address on this ticket is reached"
    assert (found.to, whys(found)) == ((CARL,), [reason])
    assert [(notice, to) for notice, to, _ in notes(found)] == [(Notice.ALERT, OPS[0])]
    other = sent(database, HOUR)
    assert whys(ask(database, caps, notice=Notice.COPY, ticket=other)) == []
    assert whys(ask(database, caps, notice=Notice.COPY, ticket=number, after=span)) == []


def test_strangers_do_not_have_us_carry_any_number_of_words(database: Database) -> None:
    caps = replace(OPEN, copies_total_hour=6, ops=OPS)
    for number in range(5):
        sent(database, SECOND, to=person(number), notice=Notice.COPY)
    other = sent(database, SECOND)
    found = ask(database, caps, RITA, CARL, notice=Notice.COPY, ticket=other)
    reason = "the cap of 6 copies of people's words an hour is reached"
    assert (found.to, whys(found)) == ((RITA,), [reason])
    assert [to for _, to, _ in notes(found)] == [OPS[0]]
    assert ask(database, caps, RITA, CARL, notice=Notice.ANSWER, ticket=other).stopped == ()
    assert whys(ask(database, caps, RITA, notice=Notice.COPY, ticket=other, after=HOUR)) == []


# --- confirmations to the CC list ----------------------------------------------------------


def test_confirmations_may_be_for_the_requester_alone(database: Database) -> None:
    caps = replace(OPEN, confirm_cc=False)
    found = ask(database, caps, RITA, CARL, proven=True)
    assert ask(database, caps, RITA, CARL, notice=Notice.CLOSURE).to == (RITA, CARL)
    assert found.to == (RITA,)
    assert whys(found) == ["confirmations go to the requester alone ([gate].confirm_cc)"]


def on_cc(number: int) -> list[str]:
    return [f"c{n}@victim.test" for n in range(number)]


@pytest.mark.parametrize(
    ("brought", "provable", "proven", "confirmed"),
    [
        pytest.param(3, False, False, 3, id="few, and nothing can prove a sender"),
        pytest.param(4, False, False, 0, id="many, and nothing can prove a sender (L7)"),
        pytest.param(1, True, False, 0, id="no proof where there could be one (L7)"),
        pytest.param(10, True, True, 10, id="proven"),
        pytest.param(10, False, True, 10, id="proven by a token"),
    ],
)
def test_cc_people_are_confirmed_to_by_proof(
    database: Database, brought: int, provable: bool, proven: bool, confirmed: int
) -> None:
    caps = replace(OPEN, provable=provable)
    people = [replace(CARL, address=address) for address in on_cc(brought)]
    found = ask(database, caps, RITA, *people, proven=proven)
    assert found.to == (RITA, *people[:confirmed])
    assert len(found.stopped) == brought - confirmed
    # What an agent sets off goes to all of them, whoever put them on the ticket.
    closed = ask(database, caps, RITA, *people, notice=Notice.CLOSURE, by_mail=False)
    assert closed.to == (RITA, *people)


def test_who_was_left_out_counts_among_those_the_mail_brought_L7(database: Database) -> None:
    people = [replace(CARL, address=address) for address in on_cc(4)]
    found = ask(database, OPEN, RITA, people[0], left_out=tuple(people[1:]))
    assert found.to == (RITA,)
    assert whys(found) == ["more than 3 CC people, and nothing proves the sender"]


# --- addresses that bounced ----------------------------------------------------------------


@pytest.mark.parametrize("notice", list(Notice))
def test_an_address_that_bounced_gets_nothing_at_all(database: Database, notice: Notice) -> None:
    with database.transaction() as tx:
        tx.undeliverable.failed("Rita@Customer.test", hard=True, reason="550 gone", now=NOW)
    for role in ("requester", "cc", "agent"):
        gone = replace(RITA, role=role)
        found = ask(database, OPEN, gone, replace(CARL, role=role), notice=notice, proven=True)
        assert [p.address for p in found.to] == [CARL.address]
        assert whys(found) == ["bounced: 550 gone"]
