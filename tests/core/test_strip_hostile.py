"""Texts and HTML made to take for ever, and any text with any HTML (R2)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.parse import parse
from mailgate.core.strip import REPLY_MARKER, Cut, own_words, strip

LINES = 2000  # as many as are looked at
# Per line a beginning of everything that is looked for, and no end.
BOMBS = {
    "on": "On " * 8000,
    "on-at": " on xxx at yyy" * 1000,
    "on-lines": "On 1\n" * LINES,
    "on-wrapped": f"On {'x' * 140}\n" * LINES,
    "on-colons": f"On {'1 ' * 90}:\n" * LINES,
    "wrote": f"On {'wrote ' * 60}:\n" * LINES,
    "addresses": f"{'<a@' * 130}:\n" * LINES,
    "brackets": f"{'(' * 399}:\n" * LINES,
    "at-signs": f"{'@' * 399}:\n" * LINES,
    "times": f"{'1:' * 199}:\n" * LINES,
    "digits": f"On {'9' * 390}:\n" * LINES,
    "from": "From: a\n" * LINES,
    "from-to": "From: a\nTo: b\n" * (LINES // 2),
    "labels": f"{'From: ' * 66}\n" * LINES,
    "blank-labels": "From: a\n\n\n\n" * (LINES // 4),
    "dashes": f"{'-' * 400}\n" * LINES,
    "dashes-words": f"{'- ' * 190}wrote{' -' * 9}\n" * LINES,
    "underscores": f"{'_' * 31}\n" * LINES,
    "quotes": ">" * 766_000,
    "quoted-lines": "> > > >\n" * LINES,
    "sent-from": f"Sent from my {'x ' * 30}\n\n" * (LINES // 2),
    "links": f"Sent from my {'<' * 380}\n\n" * (LINES // 2),
    "disclaimers": "Disclaimer\n" * LINES,
    "legal": f"{'confidential mail intended recipient in error ' * 8}\n" * LINES,
    "legal-paragraphs": f"{'confidential mail intended recipient in error ' * 8}\n\n"
    * (LINES // 2),
    "markers": f"{REPLY_MARKER}\n" * LINES,
    "delimiters": "--\n" * LINES,
    "blanks": "\n" * 500_000,
    "spaces": " " * 500_000,
    "see": "see below " * 20_000,
    "words": "a " * 400_000,
    "returns": "\r" * 500_000,
    "wide": "：" * 300_000,
}
PAGES = {
    "open": "<" * 300_000,
    "comments": "<!--" * 80_000,
    "styles": "<style>" * 60_000,
    "titles": "<title><script>" * 30_000,
    "divs": '<div class="gmail_quote">' * 20_000,
    "quotes": '<blockquote type="cite">a ' * 20_000,
    "closings": "<div>" * 399 + "</b>" * 59_000,
    "closings-of-quotes": '<blockquote type="cite"></blockquote>' * 16_000,
    "attributes": f"<div {'class=' * 90_000}>",
    "attributes-quoted": "<div " + 'class="a" ' * 60_000 + ">",
    "attributes-open": "<div class='" * 50_000,
    "borders": '<div style="border-top:solid"><b' * 18_000,
    "borders-bold": '<div style="border-top:solid">' + "<b><i><u>" * 60_000,
    "appended": '<div id="appendonsend">' * 26_000,
    "entities": "<div class='gmail_quote'>" + "&amp;" * 100_000,
    "same-words": "<div class='gmail_quote'>" + "a " * 50_000,
    "hinted": "<blockquote>" + "<p>a" * 59_000,
}


def whole(text: str, html: str = "") -> bool:
    """Whether nothing is lost when it is stripped."""
    done = strip(text, html)
    parts = "".join((done.visible, done.quoted, done.signature))
    return Counter(parts.replace("\n", "")) == Counter(text.replace("\n", ""))


# The figures are in docs/stripping.md; what is quadratic would run into the suite's time limit.
@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", BOMBS)
def test_a_text_takes_no_time_R2(name: str) -> None:
    assert whole(BOMBS[name])
    assert whole(f"new\n\n{BOMBS[name]}\n> quoted\n")
    assert own_words(f"Yes.\n\n##- a\n{BOMBS[name]}") == "Yes."
    assert "##-" not in own_words(f"{BOMBS[name]}\n##- a")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", PAGES)
def test_html_takes_no_time_R2(name: str) -> None:
    text = "\n".join(["a b c a a d"] * LINES)
    assert whole(text, PAGES[name] + '<blockquote type="cite">a b c a a</blockquote>')


@pytest.mark.timeout(10)
@pytest.mark.parametrize("value", ["<a@b> ", "<", "<a@", "(((", "a b "])
def test_a_forged_header_of_a_megabyte_R2(value: str) -> None:
    forged = value * (1_000_000 // len(value))
    folded = "\r\n ".join(forged[at : at + 900] for at in range(0, len(forged), 900))
    raw = f"From: a@acme.test\r\nIn-Reply-To: {folded}\r\n\r\nHello\r\n".encode()
    mail = parse(raw)
    assert mail.size == len(raw)
    assert mail.defects


# --- any text with any HTML --------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from(
        [
            "> quoted words of somebody",
            "-- ",
            "On Mon, 4 May 2026 at 11:02, Bo <bo@acme.test> wrote:",
            "Am 04.05.26 um 11:02 schrieb Bo:",
            "пн, 4 мая 2026 г. в 11:02, Bo <bo@acme.test>:",
            "From: Bo <bo@acme.test>",
            "Sent: Monday",
            "To: Al",
            "Subject: Printer",
            "-----Original Message-----",
            "________________________________",
            "Sent from my iPhone",
            "Disclaimer",
            "This e-mail is confidential and meant for the intended recipient only; if you got it"
            " in error, notify the sender and delete it.",
            "CAUTION: this email originated from outside of the organization.",
            REPLY_MARKER,
            "see below",
            "The red one.",
            "",
        ]
    ),
    st.text(max_size=12).map(lambda text: text.replace("\n", " ")),
)
TAGS = st.sampled_from(
    [
        '<div class="gmail_quote">',
        '<blockquote type="cite">',
        "</blockquote>",
        "</div>",
        '<div id="divRplyFwdMsg">',
        '<div class="gmail_signature">',
        '<div class="yahoo_quoted">',
        "<br>",
        "<!-- x",
        "<p>",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(PIECES, TAGS), max_size=30))
def test_no_line_is_lost_whatever_the_html_says(parts: list[tuple[str, str]]) -> None:
    text = "\n".join(piece for piece, _ in parts)
    html = "".join(f"{tag}{piece}\n" for piece, tag in parts)
    for source in (html, "", html.upper()):
        done = strip(text, source)
        out = Counter[str]()
        for part in (done.visible, done.quoted, done.signature):
            out.update(line for line in part.split("\n") if line)
        assert out == Counter(line for line in text.split("\n") if line)
        assert done.visible.strip() or not text.strip()
        assert all(isinstance(cut, Cut) and 1 <= cut.line <= len(parts) for cut in done.cuts)
        taken = {cut.part for cut in done.cuts}
        assert bool(done.quoted.strip()) == ("quote" in taken)
        assert bool(done.signature.strip()) == bool(taken & {"signature", "disclaimer"})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(PIECES, TAGS), max_size=20))
def test_no_line_is_lost_of_a_mail_in_html(parts: list[tuple[str, str]]) -> None:
    html = "".join(f"{tag}<div>{piece}</div>\n" for piece, tag in parts)
    raw = f"From: a@acme.test\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}"
    mail = parse(raw.encode("utf-8", "replace"))
    done = strip(mail.text, mail.html)
    words = Counter(mail.text.split())
    assert words == Counter(" ".join((done.visible, done.quoted, done.signature)).split())
