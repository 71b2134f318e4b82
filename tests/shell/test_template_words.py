"""What agents read beside the templates: the commands and fixed notes, in each language."""

from __future__ import annotations

import tomllib
from itertools import product

import pytest

from mailgate import timers
from mailgate.core import answering, granting, opening
from mailgate.core.commands import COMMANDS
from mailgate.core.decision import Notice
from mailgate.core.strip import strip
from mailgate.render import SAMPLES
from tests.shell.notice_rig import RENDERER, TEMPLATES

OTHERS = [language for language in RENDERER.languages() if language != "en"]
NOTES = {
    **{want.value: note for want, note in granting.NOTES.items()},
    "empty": answering.NOTHING_SENT,
    "snoozed": timers.SNOOZED,
    "unproven": opening.CLAIMS_AGENT,
    "forged": opening.FORGED,
}
# One row of a list says how long ago; "{}" stands for the days.
AGO = [(0, "today"), (1, "day"), (2, "days"), (400, "days")]
SPANS = [(1, "hour", "1"), (2, "hours", "2"), (47, "hours", "47"), (48, "days", "2")]


def words(language: str, section: str) -> dict[str, str]:
    read = tomllib.loads((TEMPLATES / language / "words.toml").read_text("utf-8"))
    return dict(read.get(section, {}))


def told(language: str, notice: str, **values: object) -> str:
    """The text and HTML of a notice, with their line ends as blanks."""
    done = RENDERER.notice(language, notice, {**SAMPLES["plain"], **values})
    assert not done.failures
    return f"{done.text}\n{done.html}".replace("&#39;", "'")


@pytest.mark.parametrize("language", OTHERS)
def test_help_explains_every_command_in_the_language_of_the_house(language: str) -> None:
    said = words(language, "command")
    assert set(said) == set(COMMANDS)
    table = [{"name": c.name, "usage": c.usage, "effect": c.effect} for c in COMMANDS.values()]
    text = told(language, "help", commands=[{**row, "example": ""} for row in table])
    assert [effect for effect in said.values() if text.count(effect) < 2] == []
    assert [row["effect"] for row in table if row["effect"] in text] == []


def test_english_and_a_language_without_words_show_the_table_itself() -> None:
    assert words("en", "command") == {}
    row = {"name": "dance", "usage": "#dance", "effect": "the ticket dances", "example": "#dance"}
    for language in RENDERER.languages():
        assert told(language, "help", commands=[row]).count("the ticket dances") == 2


@pytest.mark.parametrize("language", OTHERS)
def test_a_fixed_note_is_in_the_language_of_the_house(language: str) -> None:
    said = words(language, "note")
    assert set(said) == set(NOTES)
    for key, note in NOTES.items():
        text = told(language, "agent-message", note=note)
        assert text.count(said[key]) == 2, key
        assert note not in text


def test_english_and_other_notes_are_shown_as_they_are() -> None:
    assert words("en", "note") == {}
    for note in NOTES.values():
        assert told("en", "agent-message", note=note).count(note) == 2
    for language in RENDERER.languages():
        assert told(language, "agent-message", note="forwarded by Ben").count("by Ben") == 2


@pytest.mark.parametrize(("language", "case"), list(product(RENDERER.languages(), AGO)))
def test_one_day_is_one_day_and_two_are_several(language: str, case: tuple[int, str]) -> None:
    days, key = case
    row = {"number": 1, "subject": "x", "status": "closed", "days": days}
    said = words(language, "past")[key].replace("{}", str(days))
    closed = words(language, "status")["closed"]
    assert told(language, "agent-new", earlier=(row,)).count(f"({said}, {closed})") == 2


@pytest.mark.parametrize(("language", "case"), list(product(RENDERER.languages(), SPANS)))
@pytest.mark.parametrize("notice", ["challenge", "agent-held", "collision"])
def test_one_hour_is_one_hour(notice: str, language: str, case: tuple[int, str, str]) -> None:
    hours, key, number = case
    span = f" {number} {words(language, 'span')[key]}"
    text = told(language, notice, valid_hours=hours)
    assert text.count(span) == 2


@pytest.mark.parametrize("language", RENDERER.languages())
def test_the_line_above_a_quote_is_known_as_one(language: str) -> None:
    lines = RENDERER.notice(language, "answer", SAMPLES["plain"]).text.splitlines()
    quote = next(at for at, line in enumerate(lines) if line.startswith(">"))
    parts = strip("\n".join(("Yes, please do.", "", *lines[quote - 1 : quote + 2])))
    assert parts.visible == "Yes, please do."
    assert [f"attribution line ({language})" in str(cut) for cut in parts.cuts] == [True]


@pytest.mark.parametrize("language", RENDERER.languages())
@pytest.mark.parametrize("notice", Notice)
def test_no_sentence_of_ours_looks_like_a_quote_or_a_signature(
    notice: Notice, language: str
) -> None:
    text = RENDERER.notice(language, notice, {**SAMPLES["plain"], "quoted": ()}).text
    assert strip(text.replace("##-", "our line")).cuts == ()
