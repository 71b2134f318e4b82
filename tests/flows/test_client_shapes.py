"""Agents answer notices from the clients they have, in each of the ways people answer.

A folder below `shapes` is a client: a request, and five answers to the notice about it. What each
quotes is our own notice, as this client copies it (tests/flows/clients.py). Played on SQLite alone:
all that differs between these stories lies in the mail and is decided before any row is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.parsing import Parsers, read_mail
from store.database import Database
from tests.conftest import Golden
from tests.flows.clients import Bare, Shapes, apart, lines_of
from tests.flows.private import leaks
from tests.flows.rig import Sent, play

HERE = Path(__file__).parent / "shapes"
WAYS = ("02-top", "03-bottom", "04-interleaved", "05-signature", "06-phone")
CLIENTS = sorted(path.name for path in HERE.iterdir())
RITA = "rita@customer.example"
_DRESSED = re.compile(r'<div style="overflow-x:auto;">(.*?)</div>\s*</td></tr>', re.DOTALL)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool; its processes serve all clients."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[Shapes]:
    """A help desk with nothing in it."""
    made = Shapes(sqlite_database, parsers, tmp_path)
    yield made
    made.close()


def dressed(answer: Sent) -> list[str]:
    """The words of an answer as its HTML has them; nothing where the text is shown."""
    body = answer.mail.get_body(("html",))
    found = _DRESSED.search(str(body.get_content())) if body else None
    return [f"  | {line}" for line in found[1].splitlines()] if found else ["  | as the text"]


@pytest.mark.parametrize("client", CLIENTS)
def test_answers_of(client: str, house: Shapes, golden: Golden) -> None:
    text = [play(HERE / client, house)]
    for way, raw in zip(WAYS, house.delivered[1:], strict=True):
        mail = read_mail(raw, ("en",))
        text += apart(way, mail)
        parts = lines_of(mail.visible) + lines_of(mail.quoted) + lines_of(mail.signature)
        assert parts == lines_of(mail.text), way
    for answer in (mail for mail in house.sent(RITA) if mail.notice == "answer"):
        text += ["", "--- in HTML", *dressed(answer)]
    golden(HERE / client / "want.txt", "\n".join(text) + "\n")
    assert leaks(house.database, house.desk.policy) == []  # C8, V4


@pytest.mark.parametrize("client", CLIENTS)
def test_html_alone_says_the_same(
    client: str, sqlite_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    house = Bare(sqlite_database, parsers, tmp_path)
    try:
        text = play(HERE / client, house)
    finally:
        house.close()
    want = (HERE / client / "want.txt").read_text(encoding="utf-8")
    assert outcomes(text) == outcomes(want)
    assert said(text) == said(want)
    assert leaks(house.database, house.desk.policy) == []


def outcomes(transcript: str) -> list[str]:
    """What became of each mail."""
    return re.findall(r"^[0-9]+: \w+", transcript, re.MULTILINE)


def said(transcript: str) -> list[str]:
    """The words of the answers that customers got, without signs of formatting."""
    answers = re.findall(
        r"^  answer #.*?    \| (.*?)    \| Request #", transcript, re.DOTALL | re.M
    )
    return [" ".join(re.findall(r"[^\W_]+", answer)) for answer in answers]


def test_there_are_clients() -> None:
    assert len(CLIENTS) >= 8
    for client in CLIENTS:
        names = sorted(path.stem for path in (HERE / client).glob("*.eml"))
        assert names == ["01-request", *WAYS]
