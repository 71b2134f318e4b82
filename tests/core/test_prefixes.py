"""What clients put before a subject, in many languages and spellings."""

from __future__ import annotations

import pytest

from mailgate.core.prefixes import ANSWER, FORWARD, bare_subject, is_answer, without_lists

ANSWERS = sorted({word for row in ANSWER.values() for word in row.split()})
FORWARDS = sorted({w for row in FORWARD.values() for w in row.split()} - {"إعادة", "توجيه"})


@pytest.mark.parametrize("word", ANSWERS)
@pytest.mark.parametrize("form", ["{}: ", "{}:", "{} : ", "{}：", "{}[2]: ", "{}^3: ", "{} (4): "])
def test_every_answer_prefix(word: str, form: str) -> None:
    for written in (word, word.upper(), word.capitalize()):
        subject = form.format(written) + "Printer"
        assert is_answer(subject)
        assert bare_subject(subject) == "Printer"


@pytest.mark.parametrize("word", [*FORWARDS, "إعادة توجيه", "WG", "Fwd", "İLT"])
def test_every_forward_prefix(word: str) -> None:
    assert bare_subject(f"{word}: Printer") == "Printer"
    assert not is_answer(f"{word}: Re: Printer"), "the outermost counts"
    assert is_answer(f"Re: {word}: Printer")


@pytest.mark.parametrize(
    ("subject", "bare", "answer"),
    [
        ("Re: AW: SV: RV: TR: VS: Printer", "Printer", True),
        ("Re: [list] AW: Printer", "Printer", True),
        ("[list] Re: Printer", "Printer", True),
        ("[Ext][list] RE: [#7] Printer", "[#7] Printer", True),
        ("[#7] Printer", "[#7] Printer", False),
        ("Printer", "Printer", False),
        ("  Re:  ", "", True),
        ("", "", False),
        ("Re", "Re", False),
        ("Reply: Printer", "Reply: Printer", False),
        ("Ref: invoice 7", "Ref: invoice 7", False),
        ("Printer re: paper", "Printer re: paper", False),
        ("I need: paper", "I need: paper", False),
        ("Auto: kaputt", "Auto: kaputt", False),
        ("Respuesta automática: x", "Respuesta automática: x", False),
    ],
)
def test_subjects(subject: str, bare: str, answer: bool) -> None:
    assert bare_subject(subject) == bare
    assert is_answer(subject) is answer


def test_without_lists_takes_a_few_tags_away() -> None:
    assert without_lists("[a] [b] x [c]") == "x [c]"
    assert without_lists("[a]" * 9) == "[a]" * 4


@pytest.mark.parametrize("start", ["Re: ", "[", "[a]", " ", "Re[1]", "R", "Re^"])
def test_hostile_subjects_end(start: str) -> None:
    """A subject of 1,000 characters is all that `parse` gives; this is a hundred times more."""
    subject = start * (100_000 // len(start))
    assert len(bare_subject(subject)) <= len(subject)
