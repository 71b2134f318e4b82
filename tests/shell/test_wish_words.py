"""The words that our mails and manual show to customers are words that a reply can wish with."""

from __future__ import annotations

import re
import tomllib

import pytest

from mailgate.core.policy import Policy
from mailgate.core.wishes import LANGUAGES, Want, bare, wish
from mailgate.render import SAMPLES
from tests.core.samples import ticket
from tests.shell.notice_rig import RENDERER, TEMPLATES

MANUAL = (TEMPLATES.parents[1] / "docs" / "customers.md").read_text("utf-8")
ROWS = {"state": Want.STATE, "end": Want.CLOSE, "rating": Want.RATE, "silence": Want.MUTE}
POLICY = Policy()


def wanted(words: str, language: str) -> Want | None:
    found = bare(words, language, POLICY)
    return found.want if found else None


def manual(row: str) -> list[str]:
    """The words in the second column of a row of the table in docs/customers.md."""
    found = re.search(rf"(?m)^\| {row} \|([^|]*)\|", MANUAL)
    assert found is not None
    return re.findall(r"`([^`]+)`", found[1])


def test_every_language_of_wishes_has_templates_and_the_other_way_round() -> None:
    assert set(RENDERER.languages()) == set(LANGUAGES)


@pytest.mark.parametrize("row", ROWS)
def test_each_word_of_the_manual_does_what_it_says(row: str) -> None:
    assert {word: wanted(word, "") for word in manual(row)} == dict.fromkeys(manual(row), ROWS[row])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_manual_names_a_word_of_each_language_for_each_wish(language: str) -> None:
    for row, want in ROWS.items():
        assert want in {wanted(word, language) for word in manual(row)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("notice", ["closure", "status"])
def test_the_digits_that_a_mail_asks_for_are_ratings(notice: str, language: str) -> None:
    done = RENDERER.notice(language, notice, {**SAMPLES["plain"], "status": "resolved"})
    for text in (done.text, re.sub(r"(?s)<style.*?</style>|<[^>]*>", "", done.html)):
        asked = [line for line in text.splitlines() if re.search(r"\b1 \(.*\b5 \(", line)]
        assert len(asked) == 1
        assert re.findall(r"\d", asked[0]) == ["1", "5"]
    for digit in "12345":
        found = wish(digit, language, ticket(status="resolved"), POLICY)
        assert found is not None
        assert (found.want, found.rating) == (Want.RATE, int(digit))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_customer_reads_about_the_status_is_understood(language: str) -> None:
    words = tomllib.loads((TEMPLATES / language / "words.toml").read_text("utf-8"))
    assert wanted(words["status"]["resolved"], language) is Want.CLOSE
    assert wanted(f"{words['label']['status']}?", language) is Want.STATE
    state = RENDERER.notice(language, "state", SAMPLES["plain"]).text
    assert f"\n{words['label']['status']}{words['label']['colon']}" in state
