"""Order and loss: merged tickets, mails that connect two, history beside live mail (T8, T9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailgate.core.decision import Outcome
from tests.flows.threading.clients import CLIENTS, Goes, Ids, Subject
from tests.flows.threading.letters import Letter, answer, fresh
from tests.flows.threading.reading import Reading
from tests.flows.threading.talk import SUPPORT, Came, Talk, opened_house

RITA, CARL, MALLORY = "rita@one.example", "carl@two.example", "mallory@evil.example"
PLAIN = CLIENTS[0]
NOTHING = replace(PLAIN, goes=Goes.UNTAGGED, ids=Ids.NONE, subject=Subject.OTHER)
# Each keeps one thing of the mail it answers.
KEEPS = {
    "reply address": replace(NOTHING, goes=Goes.REPLY_TO),
    "Message-ID": replace(NOTHING, ids=Ids.NEAR),
    "subject": replace(NOTHING, subject=Subject.KEPT),
}


@pytest.fixture
def talk(sqlite_template: Path, tmp_path: Path) -> Iterator[Talk]:
    with opened_house(sqlite_template, tmp_path / "desk") as house:
        yield Talk(house=house)


def opened(talk: Talk, who: str, subject: str = "Printer") -> tuple[int, Reading, Letter]:
    """A ticket, its confirmation, and the mail it began with."""
    letter = fresh(who, SUPPORT, subject, PLAIN, talk.words(f"It is broken, says {who}."))
    number = talk.deliver(letter).ticket
    assert number is not None
    return number, talk.readings(who)[-1], letter


def merged(talk: Talk, number: int, into: int) -> None:
    with talk.house.database.transaction() as tx:
        tx.tickets.merge(number, into, talk.house.now)


def answered(talk: Talk, reading: Reading, keeps: str) -> Came:
    return talk.deliver(answer(reading, KEEPS[keeps], talk.words("And more.")))


@pytest.mark.parametrize("keeps", KEEPS)
def test_what_names_a_merged_ticket_lands_in_the_survivor_T9(talk: Talk, keeps: str) -> None:
    """Its reply address, its Message-IDs and its number still lead somewhere: once, and there."""
    first, reading, _ = opened(talk, RITA)
    second, _, _ = opened(talk, RITA, "Printer again")
    third, _, _ = opened(talk, RITA, "Third time")
    merged(talk, first, second)
    merged(talk, second, third)
    came = answered(talk, reading, keeps)
    assert (came.outcome, came.ticket) == (Outcome.REPLY, third)
    with talk.house.database.reading() as tx:
        assert [m.author for m in tx.tickets.messages(third)].count(RITA) == 4
        row = tx.tickets.get(third)
        assert row is not None
        assert {why for _number, why in row.links} == {"merged"}


@pytest.mark.parametrize("keeps", KEEPS)
def test_merging_unites_nobody_silently_T9(talk: Talk, keeps: str) -> None:
    """Carl's ticket was merged into Rita's: he is heard by agents alone, and gets nothing."""
    carls, reading, _ = opened(talk, CARL)
    ritas, _, _ = opened(talk, RITA)
    merged(talk, carls, ritas)
    got = len(talk.readings(CARL))
    came = answered(talk, reading, keeps)
    assert (came.outcome, came.ticket) == (Outcome.HELD, ritas)
    assert talk.participants(ritas) == {RITA}
    assert len(talk.readings(CARL)) == got
    assert not any("And more." in mail.text for mail in talk.readings(RITA))


def test_a_live_mail_between_two_tickets_links_them_T9(talk: Talk) -> None:
    """Live mail never merges: whoever reads one ticket does not get to read the other."""
    first, _, one = opened(talk, RITA)
    second, _, two = opened(talk, RITA, "Printer again")
    bare = fresh(RITA, SUPPORT, "Both", PLAIN, talk.words("They are one matter."))
    head = f"References: {one.message_id} {two.message_id}\r\n"
    came = talk.deliver(replace(bare, raw=head.encode() + bare.raw))
    assert (came.outcome, came.ticket) == (Outcome.REPLY, second)
    with talk.house.database.reading() as tx:
        row = tx.tickets.get(second)
        assert row is not None
        assert [number for number, _why in row.links] == [first]
        assert tx.tickets.survivor_of([first, second]) == {}


def test_history_between_two_living_tickets_joins_nothing_T9(talk: Talk) -> None:
    """An old mail that answers ours goes to its ticket; the other one is left alone."""
    first, reading, _ = opened(talk, RITA)
    second, _, two = opened(talk, CARL)
    letter = answer(reading, KEEPS["Message-ID"], talk.words("An old mail."))
    head = f"References: {two.message_id}\r\n"
    came = talk.deliver(replace(letter, raw=head.encode() + letter.raw), live=False)
    assert came.ticket == first
    assert talk.participants(second) == {CARL}
    with talk.house.database.reading() as tx:
        assert tx.tickets.survivor_of([first, second]) == {}


def test_a_live_answer_to_history_T9(talk: Talk) -> None:
    """Whoever is on an imported ticket answers it; a stranger opens one of their own (T2)."""
    old = fresh(RITA, SUPPORT, "Old", PLAIN, talk.words("Long ago.", CARL))
    number = talk.deliver(old, live=False).ticket
    assert talk.readings(RITA) == []
    for who, joins in ((CARL, True), (RITA, True), (MALLORY, False)):
        bare = fresh(who, SUPPORT, "Re: Old", PLAIN, talk.words(f"Once more, says {who}."))
        head = f"In-Reply-To: {old.message_id}\r\n"
        came = talk.deliver(replace(bare, raw=head.encode() + bare.raw))
        assert (came.ticket == number) == joins
        assert came.outcome is (Outcome.REPLY if joins else Outcome.TICKET)


def test_the_first_mail_that_named_an_unknown_one_does_not_own_it_T8(talk: Talk) -> None:
    """Mallory names Carl's mail before it comes, and takes Carl in; Carl's answers stay his."""
    carls, _, letter = opened(talk, CARL)
    trap = fresh(MALLORY, SUPPORT, "Trap", PLAIN, talk.words("Hello.", CARL))
    head = f"In-Reply-To: {letter.message_id}\r\n"
    mallorys = talk.deliver(replace(trap, raw=head.encode() + trap.raw)).ticket
    assert mallorys != carls
    later = fresh(CARL, SUPPORT, "Re: Printer", PLAIN, talk.words("Secret words."))
    head = f"In-Reply-To: {letter.message_id}\r\n"
    assert talk.deliver(replace(later, raw=head.encode() + later.raw)).ticket == carls
    assert not any("Secret words." in mail.text for mail in talk.readings(MALLORY))


def test_an_id_belongs_first_to_the_ticket_of_its_own_mail_T8(talk: Talk) -> None:
    """Mallory, who has an older ticket with Carl on it, names Carl's mail there: it stays his."""
    trap = fresh(MALLORY, SUPPORT, "Trap", PLAIN, talk.words("Hello.", CARL))
    mallorys = talk.deliver(trap).ticket
    carls, _, letter = opened(talk, CARL)
    again = fresh(MALLORY, SUPPORT, "Re: Trap", PLAIN, talk.words("See that one."))
    head = f"In-Reply-To: {trap.message_id}\r\nReferences: {letter.message_id}\r\n"
    assert talk.deliver(replace(again, raw=head.encode() + again.raw)).ticket == mallorys
    later = fresh(CARL, SUPPORT, "Re: Printer", PLAIN, talk.words("Secret words."))
    head = f"In-Reply-To: {letter.message_id}\r\n"
    assert talk.deliver(replace(later, raw=head.encode() + later.raw)).ticket == carls
    assert not any("Secret words." in mail.text for mail in talk.readings(MALLORY))
