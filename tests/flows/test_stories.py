"""Stories: mails in, and everything that came of them, as it was read and found good.

Each folder beside this file is one story. `make goldens` renews the transcripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.core.commands import COMMANDS
from mailgate.parsing import Parsers
from store.database import Database
from tests.conftest import Golden
from tests.flows.private import leaks
from tests.flows.rig import House, config_of, play, rules_of

HERE = Path(__file__).parent
STORIES = sorted(path.name for path in HERE.iterdir() if list(path.glob("*.eml")))


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool; its processes serve all stories."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.mark.parametrize("story", STORIES)
def test_story(
    story: str, database: Database, parsers: Parsers, tmp_path: Path, golden: Golden
) -> None:
    folder = HERE / story
    house = House(database, parsers, tmp_path, rules_of(folder), config_of(folder))
    try:
        text = play(folder, house)
    finally:
        house.close()
    golden(folder / "want.txt", text)
    assert leaks(database, house.desk.policy) == []  # C8, V4


def test_every_command_was_carried_out_and_refused_in_a_story() -> None:
    wants = "\n".join((HERE / story / "want.txt").read_text("utf-8") for story in STORIES)
    done = " ".join(re.findall(r"^[0-9]+: (?:ticket|reply|note|command)\b.*", wants, re.MULTILINE))
    refused = set(re.findall(r"^ {4}\| line [0-9]+: #(\w+)", wants, re.MULTILINE))
    assert [name for name in COMMANDS if not re.search(rf"#{name}\b", done)] == []
    assert [name for name in COMMANDS if name not in refused] == []


def test_there_are_stories() -> None:
    assert len(STORIES) >= 20
