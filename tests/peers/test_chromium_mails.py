"""The HTML of our mails in a real browser, as wide as a phone: nothing hangs over, light or dark.

With MAILGATE_SHOTS=FOLDER the pictures are kept there, for somebody to look at.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from mailgate.compose import (
    compose,
)
from mailgate.context import NoticeContext
from mailgate.core.decision import Notice, Recipient
from mailgate.render import SAMPLES, safe_html
from mailgate.surroundings import Earlier, LeftBehind, Past, Quoted, Solved, Surroundings
from mailgate.wire import Part
from tests.peers.test_chromium import Browser, browser
from tests.shell.notice_rig import (
    ANA,
    BOB,
    CAROL,
    CONTEXT,
    FROM_ANA,
    POLICY,
    RENDERER,
    content,
    read,
)
from tests.shell.notice_rig import head as own

__all__ = ["browser"]
pytestmark = pytest.mark.peer

PHONE = 360
LONG = "https://shop.example.net/" + "orders-of-the-year/" * 12
TO_ANA = Recipient(address=ANA.address, role="agent", why="assigned")
REPLY = "support+jaaqu6aaaaaah2mqqbrlwh5padrfqm2at4m5pfqo5qn62ti@example.org"
WORDS = safe_html(
    "<p>Hello,</p><p>it says <b>paper jam</b>, but there is <i>none</i>:</p>"
    f'<p><a href="{LONG}">{LONG}</a></p><table border="1" width="900"><tr><td>one</td>'
    "<td>" + "wide" * 40 + "</td></tr></table><pre>" + "x" * 200 + "</pre>"
    '<p><img src="cid:a" width="1200" height="40" alt="a wide picture"></p>'
)
PAST = Past(
    earlier=(
        Earlier(number=1001, subject="No toner", status="closed", queue="support", days=12),
        Earlier(number=987, subject="x" * 110, status="waiting", queue="support", days=401),
    ),
    solved=(
        Solved(number=950, subject="Jam in room 7", queue="support", resolution="Took it out."),
        Solved(number=7, subject=LONG[:110], queue="support", resolution=LONG[:290]),
    ),
)
FILES = (
    LeftBehind(
        filename="video of the printer.mp4",
        size=24_000_000,
        link=f"https://help.example.org/file/{'a' * 56}",
        inbox=17,
    ),
    LeftBehind(filename=f"{'x' * 120}.zip", size=900, inbox=17),
)
AGENTS = replace(
    CONTEXT,
    recipients=(TO_ANA,),
    html=WORDS,
    attachments=(
        Part(filename="photo.jpg", content_type="image/jpeg", data=b"x"),
        Part(filename="a.gif", content_type="image/gif", data=b"", inline=True, content_id="a"),
    ),
    around=Surroundings(past=PAST, left_behind=FILES),
    own={ANA.address: own(reply_to=REPLY)},
    note_address=REPLY,
)
ANSWER = replace(
    FROM_ANA,
    recipients=(BOB, CAROL),
    html=WORDS,
    message="Hello",
    around=Surroundings(
        quoted=Quoted(author="Bob Miller", at=CONTEXT.now, text=f"Hello,\n\n{LONG}\n> old\n\nBob")
    ),
)
PLAIN = replace(ANSWER, html="", message=f"Hello Bob,\n\nplease look at {LONG}\n\n" + "y" * 300)
MAILS = {
    "agent-new": (Notice.AGENT_NEW, AGENTS),
    "agent-message-es": (Notice.AGENT_MESSAGE, replace(AGENTS, html="", language="es")),
    "agent-assigned-fr": (Notice.AGENT_ASSIGNED, replace(AGENTS, language="fr")),
    "agent-held": (Notice.AGENT_HELD, replace(AGENTS, release=REPLY, valid_hours=336, note=LONG)),
    "answer": (Notice.ANSWER, ANSWER),
    "answer-of-text": (Notice.ANSWER, PLAIN),
    "copy": (Notice.COPY, replace(CONTEXT, recipients=(BOB, CAROL), html=WORDS)),
    "confirmation": (Notice.CONFIRMATION, CONTEXT),
}
_MEASURE = "<script>document.title = document.documentElement.scrollWidth</script></body>"


def page_of(notice: Notice, context: NoticeContext) -> str:
    """A mail's HTML as a mail program shows it, with a picture in place of its parts."""
    mail = compose(
        notice, context, RENDERER, replace(POLICY, public_url="https://help.example.org")
    )
    html = content(read(mail, context.recipients[0].address), "html")
    return re.sub(r"cid:[^\"]+", "data:image/gif;base64,R0lGODlhAQABAAAAACw=", html)


@pytest.mark.parametrize("name", MAILS)
def test_it_fits_a_phone_in_light_and_dark(name: str, browser: Browser, tmp_path: Path) -> None:
    html = page_of(*MAILS[name])
    file = tmp_path / "mail.html"
    file.write_text(html.replace("</body>", _MEASURE), encoding="utf-8")
    shots = {dark: browser.look(file.as_uri(), PHONE, dark=dark) for dark in (False, True)}
    kept = os.environ.get("MAILGATE_SHOTS")
    for dark, shot in shots.items():
        assert struct.unpack(">I", shot[16:20]) == (PHONE,)
        if kept:
            (Path(kept) / f"{name}-{'dark' if dark else 'light'}.png").write_bytes(shot)
    assert shots[False] != shots[True]
    seen = browser.visit(file.as_uri(), width=PHONE)
    title = re.search(r"<title>([^<]*)</title>", seen.dom)
    assert title is not None
    assert title[1] == str(PHONE)
    assert seen.hosts == frozenset()


# Each mail in a frame of its own; what hangs over is named in the title.
_SHEET = """<!doctype html><title></title><body style="margin:0">{frames}<script>
addEventListener('load', () => {{
  document.title = 'seen:' + [...document.querySelectorAll('iframe')].filter(frame => {{
    const root = frame.contentDocument.documentElement
    frame.height = root.scrollHeight
    return root.scrollWidth > {width}
  }}).map(frame => frame.name).join(' ')
}})</script>"""
_FRAME = (
    '<iframe name="{name}" srcdoc="{page}" width="{width}" height="900" frameborder="0"></iframe>'
)


def sheet(mails: dict[str, str]) -> str:
    """One page that shows all these mails, side by side, each as wide as a phone."""
    frames = "".join(
        _FRAME.format(name=name, page=escape(page), width=PHONE) for name, page in mails.items()
    )
    return _SHEET.format(frames=frames, width=PHONE)


@pytest.mark.parametrize("language", RENDERER.languages())
def test_every_notice_fits_a_phone(language: str, browser: Browser, tmp_path: Path) -> None:
    mails = {
        notice.value: RENDERER.notice(language, notice.value, SAMPLES["plain"]).html
        for notice in Notice
    }
    file = tmp_path / "sheet.html"
    file.write_text(sheet(mails), encoding="utf-8")
    assert "<title>seen:</title>" in browser.visit(file.as_uri(), width=5 * PHONE).dom
    if kept := os.environ.get("MAILGATE_SHOTS"):
        for dark in (False, True):
            shot = browser.look(file.as_uri(), 5 * PHONE, dark=dark)
            (Path(kept) / f"all-{language}-{'dark' if dark else 'light'}.png").write_bytes(shot)


def test_a_notice_that_hangs_over_would_be_named(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "sheet.html"
    file.write_text(sheet({"narrow": "<p>x", "wide": "<p style='width:900px'>x"}), "utf-8")
    assert "<title>seen:wide</title>" in browser.visit(file.as_uri(), width=5 * PHONE).dom


def test_what_hangs_over_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "wide.html"
    file.write_text(f"<title></title><body><p style='width:900px'>x</p>{_MEASURE}", "utf-8")
    assert "<title>9" in browser.visit(file.as_uri(), width=PHONE).dom
