"""Which part of a mail's HTML says its new words; whatever else is in it stays behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.core.body import to_text
from mailgate.core.strip import own_words, strip
from mailgate.parsing import dressed, read_mail
from mailgate.render import fitted, newest, plain_text
from mailgate.render.newest import MAX_NEW, letters

SECRET = "internal note 4711"
QUOTED = f"<p>{SECRET} <img src='cid:secret'></p>"
# (what a client writes, the text that was found to be new in it, what must be left of the HTML)
CLIENTS = {
    "Gmail": (
        '<div dir="ltr">Hello <b>Rita</b>,<div>try <a href="https://x.example/a">this</a>.</div>'
        '<div><img src="cid:ii_1" alt="p.png"></div></div><br><div class="gmail_quote">'
        f'<div class="gmail_attr">On Monday Support wrote:</div><blockquote>{QUOTED}</blockquote>',
        "Hello *Rita*,\ntry this <https://x.example/a>.\n[image: p.png]\n",
        ("<b>Rita</b>", 'href="https://x.example/a"', "cid:ii_1"),
    ),
    "Outlook": (
        '<html><head><style>p {margin:0}</style></head><body><p class="MsoNormal">Hello Rita,</p>'
        '<ol><li>switch it <b>off</b></li><li>wait</li></ol><div id="appendonsend"></div><hr>'
        f'<div id="divRplyFwdMsg"><b>From:</b> Support<br></div>{QUOTED}</body></html>',
        "Hello Rita,\n\n 1. switch it off\n 2. wait\n",
        ("<b>off</b>", "<ol>"),
    ),
    "Thunderbird": (
        "<body><p>Hello <i>Rita</i>!</p><div class='moz-signature'>-- <br>Ana Private<br></div>"
        f"<div class='moz-cite-prefix'>Am 4.5. schrieb Support:</div>{QUOTED}</body>",
        "Hello /Rita/!",
        ("<i>Rita</i>!",),
    ),
    "Apple Mail": (
        "<html><body>Hello Rita,<div><br></div><div>it is <b>done</b> 🙂</div><div><br>"
        f'<blockquote type="cite"><div>On 4 May Support wrote:</div>{QUOTED}</blockquote></div>',
        "Hello Rita,\n\nit is done 🙂\n",
        ("<b>done</b> 🙂",),
    ),
    "Thunderbird, below the quote": (
        "<body><div class='moz-cite-prefix'>Am 4.5. schrieb <a href='x'>Support</a>:<br></div>"
        f"<blockquote type='cite'><div>{QUOTED}</div></blockquote><p>Hello <b>Rita</b>!</p>"
        "<p><img src='cid:mine' alt=''></p><div class='moz-signature'>-- <br>Ana Private</div>",
        "Hello *Rita*!",
        ("<b>Rita</b>!", "cid:mine"),
    ),
    "Gmail, between the lines": (
        "<div dir='ltr'><div class='gmail_quote'><div dir='ltr' class='gmail_attr'>On Monday "
        f"<a href='mailto:x'>Support</a> wrote:<br></div><blockquote>{QUOTED}</blockquote>"
        f"<div><i>Yes</i>, it does.</div><blockquote><blockquote>{QUOTED}</blockquote>{QUOTED}"
        "</blockquote><div>No, <b>never</b>.</div></div></div>",
        "/Yes/, it does.\n\nNo, *never*.",
        ("<i>Yes</i>, it does.", "<b>never</b>."),
    ),
    "a client that nobody knows": (
        f"<section><h1>Hello</h1><em>Rita</em></section><section>Earlier: {QUOTED}</section>",
        "# Hello\n\nRita",
        ("<em>Rita</em>",),
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_formatting_stays_and_the_quote_goes_c8(client: str) -> None:
    html, text, kept = CLIENTS[client]
    made = newest(html, text)
    for piece in kept:
        assert piece in made
    assert "4711" not in made
    assert "cid:secret" not in made
    assert "Private" not in made


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>Hello Rita</p>", "Hello Rosa", id="other words"),
        pytest.param(f"<p>{SECRET}</p><p>Hello</p>", "Hello", id="the quote stands above"),
        pytest.param(
            "<blockquote>a</blockquote>x</blockquote>Hello", "Hello", id="one end too many"
        ),
        pytest.param("<blockquote>a<p>Hello", "Hello", id="a quote without an end"),
        pytest.param("<p>Hello <span style='display:none'>x</span>you</p>", "Hello you", id="more"),
        pytest.param("<p>Hello</p>", "Hello you", id="less"),
        pytest.param("<p>Hello</p>", "", id="nothing new"),
        pytest.param("", "Hello", id="no HTML"),
        pytest.param("<b>" + "<i></i>" * MAX_NEW + "x</b>", "x", id="too large"),
    ],
)
def test_what_does_not_say_the_same_is_not_used(html: str, text: str) -> None:
    assert newest(html, text) == ""


def test_what_runs_or_loads_is_gone() -> None:
    hostile = "<p onclick=x()>Hi <script>x()</script><img src='https://t.example/p.png'>you</p>"
    assert newest(hostile, "Hi you") == "<p>Hi <img>you</p>"


def test_commands_above_the_words_go_and_the_formatting_stays_c5() -> None:
    html = newest(
        "<div>#close<br>#tag a</div><div>It is <i>done</i>!</div>", "#close\n#tag a\nIt is done!"
    )
    assert fitted(html, "#close #tag a\nIt is done!") == html
    assert fitted(html, "It is done!") == "<div></div><div>It is <i>done</i>!</div>"
    assert fitted(html, "It is not") == ""
    assert fitted(html, "") == ""


_WORDS = st.text("abcäß 1<>&;.\n", max_size=30)
_TAGS = st.sampled_from(
    ["<b>", "</b>", "<br>", "<p>", "<blockquote>", "<img src='cid:a'>", "&amp;"]
)


def test_a_tag_that_is_none_swallows_no_word() -> None:
    assert newest("1<a<a>", "1a") == ""


@given(st.lists(st.one_of(_WORDS, _TAGS), max_size=12).map("".join), _WORDS)
def test_the_html_never_says_more_than_the_text(html: str, text: str) -> None:
    made = newest(html, text)
    if made:
        assert letters(plain_text(made)) in {letters(text), letters(text.replace("1.", ""))}


def test_a_mail_of_html_alone_keeps_its_formatting() -> None:
    html = (
        f"<p>Hello <b>Rita</b></p><p>see https://x.example/a</p><blockquote>{QUOTED}</blockquote>"
    )
    text, _ = to_text(html)
    made = dressed(html, strip(text).visible)
    assert made.startswith("<p>Hello <b>Rita</b></p>")
    assert "4711" not in made


def test_only_who_asks_pays_for_it() -> None:
    raw = b"Content-Type: text/html\r\n\r\n<p>Hello <b>you</b></p>\r\n"
    assert read_mail(raw, ("en",)).new_html == ""
    mail = read_mail(raw, ("en",), dress=True)
    assert mail.new_html == "<p>Hello <b>you</b></p>"
    assert own_words(mail.visible) == "Hello you"


def test_the_line_that_word_draws_above_a_quote_went_along() -> None:
    drawn = '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Support'
    html = f'<div class="WordSection1"><p>Hello Rita.</p><p>&nbsp;</p>{drawn}</p></div></div></div>'
    assert newest(html, "Hello Rita.") == "<div><p>Hello Rita.</p></div>"
