"""Whoever writes with whatever program: a reply finds its ticket, and nothing joins a wrong one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.threading.clients import CLIENTS, Client, Goes, Ids, Subject
from tests.flows.threading.judge import judged
from tests.flows.threading.letters import Letter, answer, forward, fresh
from tests.flows.threading.reading import Reading
from tests.flows.threading.talk import AGENT, SUPPORT, Talk, opened_house

BY_NAME = {client.name: client for client in CLIENTS}
# What keeps no signal at all, or one that an agent's proof cannot be made of.
LOSES_ALL = {"rewriter"}
LOSES_TOKENS = {"form-mailer", *LOSES_ALL}


@pytest.fixture(scope="module")
def talk(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """One house for all talks of this file: what belongs to another talk is a wrong ticket."""
    with opened_house(sqlite_template, tmp_path_factory.mktemp("talks")) as house:
        yield Talk(house=house)


# --- each client by itself ---------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_an_answer_written_with(client: Client, talk: Talk) -> None:
    """Requester, colleague on CC and agent each answer what they last got, with one client."""
    domain = f"{client.name}.example"
    rita, carl = f"rita@{domain}", f"carl@{domain}"
    talk.house.now += timedelta(days=1)
    first = fresh(rita, SUPPORT, "Printer on floor two", client, talk.words("It is broken.", carl))
    came = talk.deliver(first)
    for person in (rita, carl, AGENT, rita):
        reading = talk.readings(person)[-1]
        letter = answer(reading, client, talk.words(f"More of it, says {person}."))
        again, fault = judged(talk, letter)
        assert fault == ""
        lost = client.name in (LOSES_TOKENS if person == AGENT else LOSES_ALL)
        assert (again.ticket != came.ticket) == lost, again.reason


def test_the_table_has_every_sort_of_loss() -> None:
    assert {client.ids for client in CLIENTS} == set(Ids)
    assert {client.goes for client in CLIENTS} == set(Goes)
    assert {client.subject for client in CLIENTS} == set(Subject)


# --- any talk ----------------------------------------------------------------------------


class Act(StrEnum):
    """What somebody does."""

    OPEN = "open"
    ANSWER = "answer"  # a mail they got, the last or an older one
    AGENT = "agent"  # the agent answers
    FORWARD = "forward"  # to the desk, as a new mail about an old one
    LEAK = "leak"  # a stranger answers a mail that somebody else got
    GUESS = "guess"  # a stranger makes evidence up


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One mail of a talk."""

    act: Act
    who: int = 0
    which: int = 0  # how far back the mail is that is answered
    client: Client = CLIENTS[0]
    to_all: bool = False


LOSSY = st.builds(
    replace,
    st.sampled_from(CLIENTS),
    ids=st.sampled_from(Ids),
    goes=st.sampled_from(Goes),
    subject=st.sampled_from(Subject),
)
TURNS = st.builds(
    Turn,
    act=st.sampled_from((Act.ANSWER, *Act, Act.ANSWER, Act.AGENT, Act.LEAK)),
    who=st.integers(0, 2),
    which=st.integers(0, 3),
    client=LOSSY | st.sampled_from(CLIENTS),
    to_all=st.booleans(),
)
_SERIAL = itertools.count()


@settings(
    max_examples=28,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(TURNS, min_size=5, max_size=9))
def test_any_talk(talk: Talk, turns: list[Turn]) -> None:
    """A reply with one good signal joins its ticket; nobody joins what is not theirs (T1-T4)."""
    serial = next(_SERIAL)
    talk.house.now += timedelta(days=1)
    scene = Scene(talk=talk, domain=f"c{serial}.example")
    for turn in [Turn(act=Act.OPEN, to_all=True), *turns]:
        letter = scene.letter(turn)
        if letter is None:
            continue
        came, fault = judged(talk, letter)
        assert fault == "", f"{turn.act} with {turn.client.name}: {came}"
        scene.number = scene.number or came.ticket


@dataclass(slots=True, kw_only=True)
class Scene:
    """The people of one talk, and the ticket that it began with."""

    talk: Talk
    domain: str
    number: int | None = None

    @property
    def people(self) -> list[str]:
        """Whoever may come to be on the ticket."""
        return [f"{name}@{self.domain}" for name in ("rita", "carl", "dora")]

    @property
    def stranger(self) -> str:
        """Somebody from elsewhere."""
        return f"mallory@not-{self.domain}"

    def letter(self, turn: Turn) -> Letter | None:
        """The mail of a turn; None when there is nothing that it could answer."""
        person = self.people[turn.who]
        match turn.act:
            case Act.OPEN:
                cc = [p for p in self.people if p != person] if turn.to_all else []
                words = self.talk.words("It does not print.", *cc)
                return fresh(person, SUPPORT, "Printer", turn.client, words)
            case Act.GUESS:
                return self._guessed(turn)
            case Act.AGENT:
                return self._answered(AGENT, AGENT, turn)
            case Act.LEAK:
                return self._answered(person, self.stranger, turn)
            case Act.FORWARD:
                reading = self._reading(person, turn.which)
                words = self.talk.words("See below.")
                return forward(reading, turn.client, SUPPORT, words) if reading else None
            case Act.ANSWER:
                return self._answered(person, person, turn)

    def _answered(self, reader: str, writer: str, turn: Turn) -> Letter | None:
        reading = self._reading(reader, turn.which)
        if reading is None:
            return None
        others = [a for a in reading.copied if turn.to_all and not a.endswith("@example.org")]
        words = self.talk.words(f"So says {writer}.", *(a for a in others if a != writer))
        own = Reading(message=reading.message, reader=writer)
        return answer(own, turn.client, words)

    def _reading(self, reader: str, back: int) -> Reading | None:
        """A mail that somebody got, of this talk."""
        got = self.talk.readings(reader)
        if reader == AGENT:
            got = [r for r in got[-40:] if self.domain in r.text]
        return got[-1 - back % len(got)] if got else None

    def _guessed(self, turn: Turn) -> Letter:
        number = self.number
        letter = fresh(
            self.stranger, SUPPORT, f"Re: [#{number}] Printer", turn.client, self.talk.words("Hm.")
        )
        forged = (f"<mg.{number}.0123456789abcdef@example.org>", f"<mg.{number}@example.org>")
        head = f"In-Reply-To: {forged[turn.which % 2]}\r\nReferences: {' '.join(forged)}\r\n"
        return replace(letter, raw=head.encode() + letter.raw)
