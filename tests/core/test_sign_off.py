"""An agent's name, and what stands below it: left out at the end, and nowhere else."""

from __future__ import annotations

import pytest

from mailgate.core.people import Agent, Mailbox
from mailgate.core.policy import Policy
from mailgate.core.sign_off import below_commands, without

ANA = Agent(address="ana@example.org", name="Ana Torres", signature="Ana T.\nThe lamp people")
DESK = Policy(
    domain="example.org",
    name="Example",
    mailboxes=(Mailbox(address="support@example.org", name="Support", queue="support"),),
    agents=(ANA,),
)


def left(words: str) -> str:
    return without(words, ANA, "support", DESK)


@pytest.mark.parametrize(
    "signature",
    [
        "\nAna Torres",
        "\n**Ana Torres**\nSupport\n+34 600 111 222",
        "\nAna Torres\n\nana@example.org | www.example.org",
        "\nAna Torres\nThe lamp people\nExample",
        "\n-- \nAna Torres",
    ],
)
def test_a_signature_without_a_delimiter_was_said_twice(signature: str) -> None:
    assert left(f"Switch it off.\n{signature}\n").splitlines()[0] == "Switch it off."
    assert "Ana" not in left(f"Switch it off.\n{signature}\n")
    assert "Example" not in left(f"Switch it off.\n{signature}\n")


@pytest.mark.parametrize("greeting", ["Kind regards,", "Mit freundlichen Grüßen / Kind regards"])
@pytest.mark.parametrize("name", ["Ana Torres", "Ana", "ANA TORRES,"])
def test_the_greeting_stays_above_our_signature(greeting: str, name: str) -> None:
    words = f"Switch it off.\n\n{greeting}\n{name}\n"
    assert left(words) == f"Switch it off.\n\n{greeting}"


def test_below_a_greeting_short_lines_are_a_signature() -> None:
    below = "Senior Lamp Engineer\nExample Ltd, 4 High Street\n+34 600 111 222"
    assert left(f"Yes.\n\nThanks\n\nAna Torres\n{below}") == "Yes.\n\nThanks"


@pytest.mark.parametrize(
    "words",
    [
        "The one who knows is\nAna Torres",
        "Please ask\n\nAna Torres\nShe comes on Monday",
        "Yes.\n\nKind regards,\nAna Torres\nPS: switch it off first",
        "Yes.\n\nKind regards,\nAna Torres\n\nDoes it blink now?",
        "Yes.\n\nKind regards,\nAna Torres\n\nBy the way, the lamp that you sent us is on its way",
        "Ana Torres\nSupport",
        "Who is it?\n\nAna",
        "Ana Torres will come.",
        "",
    ],
)
def test_what_may_be_an_answer_stays(words: str) -> None:
    assert left(words) == words


@pytest.mark.parametrize(
    "words",
    [
        "From now on please write to:\n\nAna Torres\nana.torres@example.org",
        "**Your contact person is:**\n\nAna Torres\n+34 600 111 222\nwww.example.org",
    ],
)
def test_the_address_that_an_answer_announced_was_cut_off_as_a_signature(words: str) -> None:
    assert left(words) == words


@pytest.mark.parametrize(
    "more",
    [
        "Please also send me the serial number",
        "and do not forget the invoice",
        "Por favor envíe también el número de serie",
    ],
)
def test_a_line_without_a_full_stop_below_a_signature_was_lost(more: str) -> None:
    words = f"Switch it off.\n\nThanks\nAna Torres\n\n{more}"
    assert left(words) == words


@pytest.mark.parametrize(
    "below",
    [
        "Head of Customer Service",
        "Leiterin der technischen Abteilung",
        "Directora de Atención al Cliente",
    ],
)
def test_a_title_below_a_gap_is_still_a_signature(below: str) -> None:
    assert left(f"Yes.\n\nThanks\nAna\n\n{below}\nExample Ltd") == "Yes.\n\nThanks"


def test_a_name_far_above_the_end_is_no_signature() -> None:
    words = "Yes.\n\nKind regards,\nAna Torres\n" + "one more line\n" * 7
    assert left(words) == words


@pytest.mark.parametrize(
    "signature",
    [
        "Kind regards,\nAna Torres\nSenior Lamp Engineer\n+34 600 111 222",
        "Mit freundlichen Grüßen / Kind regards\n\nAna Torres\n\nSupport",
        "Ana Torres\nSenior Lamp Engineer\n+34 600 111 222",
        "\n**Ana Torres**\nana@example.org",
        "",
    ],
)
def test_the_greeting_of_a_signature_below_commands_was_an_answer(signature: str) -> None:
    assert below_commands(signature, ANA, "support", DESK) == ""


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Yes.\n\nThanks\nAna Torres", "Yes.\n\nThanks"),
        ("Ana Torres\nwill be there tomorrow", "Ana Torres\nwill be there tomorrow"),
        (
            "Ana Torres\nis back on Monday. Her number:\n+34 600 111 222",
            "Ana Torres\nis back on Monday. Her number:\n+34 600 111 222",
        ),
    ],
)
def test_words_below_commands_stay(words: str, kept: str) -> None:
    assert below_commands(words, ANA, "support", DESK) == kept
