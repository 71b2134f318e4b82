"""What an agent typed into the quoted notice: found, and nothing else taken for it."""

from __future__ import annotations

import pytest

from mailgate.core.between import MAX_LINES, lost, lost_above
from mailgate.core.strip import REPLY_MARKER, own_words

TEXT = f"""{REPLY_MARKER}

Message from Rita Vega:

Hello,

yes, the printer hums since yesterday.
1. Shall I switch it off?
Which paper does it take, see https://paper.example/a4 ?

Ticket: #1001 Printer
Assigned to: Ana Torres

Take: <mailto:support%2Babc@example.org?body=%23take>
Close: <mailto:support%2Babc@example.org?body=%23close>
"""
HTML = f"""<html><head><title>Printer</title><style>p {{ color: red }}</style></head><body>
<p>{REPLY_MARKER}</p><p>Message from Rita Vega:</p><div>Hello,<br><br>yes, the printer hums since
yesterday.<ol><li>Shall I switch it off?</ol>Which paper does it take, see
<a href="https://paper.example/a4">https://paper.example/a4</a> ?</div>
<p><a href="mailto:x">Take</a> <a href="mailto:x">Close</a></p>
<table><tr><td>Ticket</td><td>#1001 Printer</td></tr>
<tr><td>Assigned to</td><td>Ana Torres</td></tr>
</table></body></html>"""
HEAD = "From: Support\nSent: Monday\nTo: Ana Torres\nSubject: Printer\n\n"


def found(text: str, own: str = "Hello Rita, so it goes then.", signature: str = "") -> list[str]:
    return [line for _, line in lost(text, own, signature, (TEXT, HTML))]


@pytest.mark.parametrize("notice", [(TEXT, ""), (TEXT, HTML), ("", HTML)])
def test_words_between_the_lines_of_a_notice_vanished(notice: tuple[str, ...]) -> None:
    text = f"Hello Rita,\n\n{HEAD}{TEXT}".replace("off?\n", "off?\n\nYes, please do.\n\n")
    assert lost(text, own_words(text), "", notice) == [(17, "Yes, please do.")]


@pytest.mark.parametrize(
    "shown", [TEXT, f"> {TEXT}".replace("\n", "\n> "), TEXT.replace("1. ", "")]
)
def test_a_notice_that_was_only_quoted_holds_nothing_of_the_agents(shown: str) -> None:
    assert found(f"Hello Rita,\n\n{HEAD}{shown}") == []


def test_what_clients_make_of_a_page_is_ours() -> None:
    shown = f"""{REPLY_MARKER}
Message from Rita Vega:
Hello,
yes, the printer hums
since yesterday.
  1. Shall I switch it off?
Which paper does it take, see [https://paper.example/a4](https://safe.example/?u=paper) ?
[cid:logo@example.org]
[Take](mailto:support%2Bxyz@example.org)    Close<https://safe.example/?u=close>
Ticket\t#1001 Printer
* * *
Assigned to\tAna Torres
"""
    assert found(HEAD + shown) == []


def test_a_short_answer_is_not_ours_because_a_line_of_ours_has_the_word() -> None:
    assert found(TEXT.replace("off?\n", "off?\nYes.\n")) == ["Yes."]


def test_what_stands_beside_a_notice_is_no_answer_in_it() -> None:
    """Servers put warnings above, and footers below."""
    text = f"CAUTION: from outside of the house\n{HEAD}{TEXT}\nScanned by a good scanner"
    assert found(text) == []
    assert found(text.replace(REPLY_MARKER, "")) == []
    assert found(text, own="Hello Rita,") == ["Scanned by a good scanner"]


def test_own_words_and_signatures_are_not_lost() -> None:
    text = TEXT.replace("off?\n", "off?\nYes, do.\nSent from my phone\n")
    assert found(text, own="Hello.\nYes, do.", signature="Sent from my phone") == []


def test_without_a_notice_nothing_can_be_told() -> None:
    assert lost(TEXT, "", "", ()) == lost(TEXT, "", "", ("", "")) == []
    assert found("Hello Rita,\n\nsomething else altogether\n") == []


def test_no_mail_is_too_long() -> None:
    text = TEXT + "word\n" * 40_000 + "Take\n"
    assert len(lost(text, "", "", (TEXT * 50, HTML * 50))) <= MAX_LINES


QUOTE = "\n\nOn Mon, 4 May 2026 at 09:00, Support wrote:\n" + f"> {TEXT}".replace("\n", "\n> ")


def above(words: str, quote: str = QUOTE) -> list[str]:
    text = f"{words}{quote}"
    return [line for _, line in lost_above(text, own_words(text), "", (TEXT, HTML))]


def test_what_an_agent_typed_behind_a_mark_of_quotes_vanished() -> None:
    typed = "Please go to\n\n> Settings > Network\n> Reset\n\nand press the button."
    assert above(typed) == ["> Settings > Network", "> Reset"]


@pytest.mark.parametrize(
    "typed",
    [
        "> yes, the printer hums since\n> yesterday.\n\nThat is the fan.",
        "> > Shall I switch it off?\n\nYes.\n\n> Shall I switch it off?\n\nYes!",
        "Yes.\n\nRita wrote on Monday:\n> Shall I switch it off?",
        "Yes.",
    ],
)
@pytest.mark.parametrize("quote", [QUOTE, f"\n\n{HEAD}{TEXT}", "\n\nHän kirjoitti 4.5.:\n" + TEXT])
def test_an_answer_between_quoted_lines_is_none_of_it(typed: str, quote: str) -> None:
    assert above(typed, quote) == []


def test_without_the_notice_nothing_is_told_above_it() -> None:
    assert lost_above(f"Go to\n> Settings{QUOTE}", "Go to", "", ("", "")) == []
    assert lost_above("Go to\n> Settings", "Go to", "", (TEXT, HTML)) == []
