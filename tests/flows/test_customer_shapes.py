"""Customers reply from the clients they have, in each of the ways people reply, in six languages.

A folder below `shapes` is a client; its `customer` holds a request, five replies, and an agent's
answer. Four of them are replies to our confirmation, then all five to the answer: nobody writes
between the lines of a confirmation. Leo reads along. Played on SQLite alone, as the agents' are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.core.mail import ParsedMail
from mailgate.parsing import Parsers, read_mail
from mailgate.quoting import told_again
from store.database import Database
from tests.conftest import Golden
from tests.flows.clients import Shapes, apart, html_alone, lines_of
from tests.flows.private import leaks
from tests.flows.rig import Sent, play

HERE = Path(__file__).parent / "shapes"
CLIENTS = sorted(path.name for path in HERE.iterdir())
ROUNDS = (
    *("01-request", "02-top", "03-bottom", "05-signature", "06-phone"),
    *("07-answer", "02-top", "03-bottom", "04-interleaved", "05-signature", "06-phone"),
)
REPLIES = [step for step, name in enumerate(ROUNDS) if name[:2] not in ("01", "07")]
ANA, LEO = "ana@example.org", "leo@customer.example"
# What all replies have alike: the facts below a notice, and that a copy says the same.
_FACTS = re.compile(r"    \| Ticket: #1001 .*?(?=\n\n|\Z)", re.DOTALL)
_COPY = re.compile(r"(  copy #1001\n.*?)\n    \| .*?(?=\n\n|\Z)", re.DOTALL)


class Customers(Shapes):
    """A house whose customers reply with clients of their own."""

    asked = ("confirmation", "answer", "agent-message")

    def told(self, raw: bytes) -> ParsedMail:
        """A reply as `mailgate restrip` tells it apart once more."""
        with self.database.reading() as tx:
            return told_again(tx, read_mail(raw, ("en",)), self.desk.policy)

    def stored(self) -> list[str]:
        """The new words of all messages of customers, oldest first."""
        with self.database.reading() as tx:
            return [m.visible for m in tx.tickets.messages(1001) if m.kind == "customer"]


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool; its processes serve all clients."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[Customers]:
    """A help desk with nothing in it."""
    made = Customers(sqlite_database, parsers, tmp_path)
    yield made
    made.close()


def story_of(client: str, folder: Path) -> Path:
    """The mails of a client as a story: a reply that comes twice has two Message-IDs."""
    folder.mkdir()
    for step, name in enumerate(ROUNDS, start=1):
        path = HERE / client / "customer" / f"{name}.eml"
        text = path.read_text(encoding="utf-8")
        text = text.replace("Message-ID: <", f"Message-ID: <{step}", 1)
        (folder / f"{step:02}-{name[3:]}.eml").write_text(text, encoding="utf-8")
    return folder


def brief(transcript: str) -> str:
    """A transcript without what all its replies have alike."""
    return _COPY.sub(r"\1", _FACTS.sub("    | (facts)", transcript))


def words(text: str) -> list[str]:
    """What a text says, however it is set."""
    return re.findall(r"[^\W_]+", text)


def body(notice: Sent) -> str:
    """The text of a notice."""
    found = notice.mail.get_body(("plain",))
    assert found is not None
    return str(found.get_content())


@pytest.mark.parametrize("client", CLIENTS)
def test_replies_of(client: str, house: Customers, golden: Golden, tmp_path: Path) -> None:
    text = play(story_of(client, tmp_path / "story"), house)
    seen = {step: house.told(house.delivered[step]) for step in REPLIES}
    told = [line for step, mail in seen.items() for line in apart(name_of(step), mail)]
    golden(HERE / client / "customer" / "want.txt", "\n".join([brief(text), *told]) + "\n")
    assert re.findall(r"^[0-9]+: (.*?):", text, re.MULTILINE)[1:] == ["reply #1001"] * 10
    for step, mail in seen.items():
        parts = lines_of(mail.visible) + lines_of(mail.quoted) + lines_of(mail.signature)
        assert parts == lines_of(mail.text)
        alone = house.told(html_alone(house.delivered[step]))
        assert words(alone.visible) == words(mail.visible), name_of(step)
        assert bool(alone.signature) is bool(mail.signature), name_of(step)
    assert house.stored()[1:] == [mail.visible for mail in seen.values()]
    for who, notice in ((ANA, "agent-message"), (LEO, "copy")):
        got = [body(mail) for mail in house.sent(who) if mail.notice == notice]
        for mail, shown in zip(seen.values(), got, strict=True):
            assert " ".join(words(mail.visible)) in " ".join(words(shown))
    assert leaks(house.database, house.desk.policy) == []  # C8, V4


def name_of(step: int) -> str:
    """What a reply is, and to what."""
    return f"{ROUNDS[step][3:]} to the {'confirmation' if step < 5 else 'answer'}"


def test_all_five_ways_are_there() -> None:
    for client in CLIENTS:
        names = {path.stem for path in (HERE / client / "customer").glob("*.eml")}
        assert names == set(ROUNDS)
