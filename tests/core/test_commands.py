"""What counts as a command, what as a slip that holds the mail, and what as plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core.commands import COMMANDS, MOST_LINES, Script, mentions, read, without_signature
from mailgate.core.people import Power


def names(script: Script) -> list[tuple[str, str]]:
    return [(line.name, line.value) for line in script.lines]


@pytest.mark.parametrize(
    ("words", "commands", "rest"),
    [
        pytest.param("Hello", [], "Hello", id="none"),
        pytest.param("#close", [("close", "")], "", id="alone"),
        pytest.param("\n\n#close\n\nHello", [("close", "")], "Hello", id="below blank lines"),
        pytest.param("#take\n\n#tag a", [("take", ""), ("tag", "a")], "", id="blank between"),
        pytest.param("#CLOSE", [("close", "")], "", id="in capitals"),
        pytest.param("#assign: ben", [("assign", "ben")], "", id="with a colon"),
        pytest.param("  #assign\xa0 ben  x", [("assign", "ben x")], "", id="odd blanks"),
        pytest.param("\u200b#close", [("close", "")], "", id="behind a mark without width"),
        pytest.param("\ufeff #take\nHi", [("take", "")], "Hi", id="behind another one"),
        pytest.param("#take\nHello\n\nBye", [("take", "")], "Hello\n\nBye", id="words at once"),
        pytest.param("#1 thing", [], "#1 thing", id="a number is none"),
        pytest.param("# close", [], "# close", id="nor is a heading"),
        pytest.param("##close", [], "##close", id="nor are two signs"),
        pytest.param("I like #close", [], "I like #close", id="nor is a word in a line"),
        pytest.param("Hi\n#printing is fun", [], "Hi\n#printing is fun", id="nor a hashtag below"),
        pytest.param(
            "Hi\n#status is green now, as you can see",
            [],
            "Hi\n#status is green now, as you can see",
            id="nor a sentence below that begins like one",
        ),
        pytest.param("#send\nHi\n#close", [("send", "")], "Hi\n#close", id="sent as it is"),
    ],
)
def test_reading(words: str, commands: list[tuple[str, str]], rest: str) -> None:
    script = read(words)
    assert (names(script), script.rest, script.problems) == (commands, rest, ())


@pytest.mark.parametrize(
    ("words", "line", "wrong", "nearest"),
    [
        pytest.param("#clsoe", 1, "there is no command", "#close [RESOLUTION]", id="typo"),
        pytest.param("\n#tag a\n#solve", 3, "there is no command", "", id="unknown"),
        pytest.param("#c++", 1, "there is no command", "", id="odd signs"),
        pytest.param("#re x", 1, "may be #requester or #resolution", "", id="ambiguous"),
        pytest.param("#prio high", 1, "there is no command", "#priority PRIORITY", id="short"),
        pytest.param("#hashtag\nHi", 1, "there is no command", "#tag TAG, ...", id="hashtag"),
        pytest.param("#assign", 1, "needs to be told what", "#assign NAME", id="no value"),
        pytest.param("#take now", 1, "stands alone", "#take", id="a value too many"),
        pytest.param("Hi\n#close", 2, "must stand above", "#close [RESOLUTION]", id="below"),
        pytest.param("Hi\n#note she pays late", 2, "must stand above", "#note [TEXT]", id="note"),
        pytest.param("#take\nHi\n#close", 3, "must stand above", "#close [RESOLUTION]", id="both"),
        pytest.param("#take\n#assign ben", 2, "contradicts line 1", "", id="rivals"),
        pytest.param("#note\n#send", 2, "contradicts line 1", "", id="inside and outside"),
    ],
)
def test_slips_hold_the_mail_C5(words: str, line: int, wrong: str, nearest: str) -> None:
    [slip] = read(words).problems
    assert (slip.at, slip.nearest) == (line, nearest)
    assert wrong in slip.wrong


def test_what_somebody_else_wrote_is_not_read_C4() -> None:
    words = "#take\nSee below.\n\nBegin forwarded message:\n#close\n#unknown"
    assert read(words, own=3).problems == ()
    assert read("#close\n#take", own=0).lines == ()


def test_a_mail_holds_so_many_commands_and_no_more() -> None:
    assert read("\n".join(["#tag a"] * MOST_LINES)).problems == ()
    [slip] = read("\n".join(["#tag a"] * (MOST_LINES + 1))).problems
    assert slip.at == MOST_LINES + 1


def test_the_slip_says_how_it_is_written() -> None:
    [slip] = read("#assign").problems
    assert slip.said().endswith("It is written `#assign NAME`.")
    [slip] = read("#clsoe").problems
    assert slip.said().endswith("Did you mean `#close [RESOLUTION]`?")


def test_the_table_is_whole() -> None:
    assert all(row.usage.startswith(f"#{name}") for name, row in COMMANDS.items())
    assert all(row.effect and not row.effect.endswith(".") for row in COMMANDS.values())
    wide = {name for name, row in COMMANDS.items() if row.power is Power.WIDEN}
    assert wide == {"cc", "uncc", "requester", "side", "merge", "split"}


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.name)
def test_every_example_is_understood(row: object) -> None:
    example = getattr(row, "example", "")
    script = read(example)
    assert [line.name for line in script.lines] == [getattr(row, "name", None)]
    assert script.problems == ()


def test_numbers_that_have_to_be_looked_up() -> None:
    assert mentions("#link #7\nHi\n#merge into 8\n#show\n#tag 9") == (7, 8)
    assert mentions("\n".join(f"#link {n}" for n in range(100)))[-1] == 9


@pytest.mark.parametrize(
    ("rest", "left"),
    [
        ("Kind regards,\nAna Torres", ""),
        ("Ana", ""),
        ("", ""),
        ("Un saludo\n\nAna Torres\nSupport, floor 2", ""),
        ("Done.\n\nAna", "Done.\n\nAna"),
        ("Ana Lima", "Ana Lima"),
    ],
)
def test_a_signature_below_a_command_is_no_answer_C5(rest: str, left: str) -> None:
    known = ("Ana Torres", "Ana", "Support, floor 2")
    assert without_signature(rest, known) == left


@given(st.text(alphabet="#acelost \n\xa0:-é1", max_size=80))
def test_no_words_are_lost_and_none_are_both(words: str) -> None:
    script = read(words)
    known = {line.at for line in script.lines} | {slip.at for slip in script.problems}
    lines = words.split("\n")
    top = [text for text in lines if text.strip()]
    kept = [text for text in script.rest.split("\n") if text.strip()]
    assert top[len(top) - len(kept) :] == kept
    assert all(1 <= at <= len(lines) for at in known)


@pytest.mark.parametrize("line", ["#takex", "#take", "#tag x"])
def test_very_many_commands_are_no_work_and_hold_the_mail(line: str) -> None:
    script = read(f"{line}\n" * 100_000)
    assert len(script.lines) <= MOST_LINES + 1
    assert 1 <= len(script.problems) <= MOST_LINES + 1


def test_very_many_commands_below_words_are_told_as_few() -> None:
    assert len(read("Hi\n" + "#close\n" * 1000).problems) == MOST_LINES


def test_a_logo_below_a_command_is_no_answer() -> None:
    assert without_signature("Ana\n\n[cid:image001.png@01D9A]\n[image: Logo]", ("Ana",)) == ""


def test_a_german_greeting_below_a_command_was_an_answer() -> None:
    for greeting in ("Viele Grüße", "Gruß,", "Mit freundlichen Grüßen"):
        assert without_signature(f"{greeting}\nAna", ("Ana",)) == ""


@pytest.mark.parametrize("before", ["\u202b", "\u2067", "\u061c", " " * 12])
@pytest.mark.parametrize("sign", ["#", "＃", "﹟"])
def test_a_note_with_a_wide_sign_or_behind_a_mark_of_direction_went_to_the_customer(
    before: str, sign: str
) -> None:
    script = read(f"{before}{sign}note she pays late\n\nmore")
    assert (names(script), script.problems) == ([("note", "she pays late")], ())
    assert script.rest == "more"
    assert mentions(f"{before}{sign}show 12") == (12,)


@pytest.mark.parametrize(
    "line",
    [
        "*#note* she pays late",
        "**#note**",
        "_#note_",
        "- #note she pays late",
        "  * #note",
        "# #note",
        "\\#note",
        "“#note she pays late”",
        "[#note](https://social.example/tag/note) she pays late",
    ],
)
def test_a_note_that_a_client_dressed_up_went_to_the_customer(line: str) -> None:
    [slip] = read(f"{line}\n\nmore").problems
    assert "nothing may stand before `#note`" in slip.wrong
    assert "#note [TEXT]" in slip.said()
    assert read(f"#send\n{line}").problems == ()
    assert read(f"Hello\n{line}").problems == ()


def test_an_answer_that_begins_with_a_hashtag_was_held_in_spite_of_send() -> None:
    script = read("#send\n\n#printing is fun\nHello")
    assert (names(script), script.problems) == ([("send", "")], ())
    assert script.rest == "#printing is fun\nHello"
    assert names(read("#send\n#take\nHello")) == [("send", ""), ("take", "")]


@pytest.mark.parametrize("line", ["- #sales is where you find us", "*#printing* is fun", "(#1) no"])
def test_other_words_behind_such_marks_are_words(line: str) -> None:
    assert read(line) == Script(rest=line)
