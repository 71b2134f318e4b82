"""Every notice in every language against its golden file, and the rules all templates keep.

Renew the files with MAILGATE_UPDATE_GOLDENS=1 and read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mailgate.compose import (
    compose,
)
from mailgate.context import NoticeContext
from mailgate.core.decision import HUMAN, Notice, Recipient, aside_to
from mailgate.core.notice import Unsent
from mailgate.core.people import Author
from mailgate.core.policy import Policy
from mailgate.core.ticket import LifeCycle
from mailgate.render import SAMPLES, Markup
from mailgate.surroundings import LeftBehind, Quoted, Surroundings
from tests.shell.notice_rig import (
    ANA,
    BOB,
    CAROL,
    CONTEXT,
    FROM_ANA,
    POLICY,
    RENDERER,
    TEMPLATES,
    content,
    head,
    read,
)

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "templates"
LANGUAGES = ("en", "de", "es", "fr", "it", "pt")
EVERY = [pytest.param(x, n, id=f"{x}-{n.value}") for x, n in product(LANGUAGES, Notice)]
RELEASE = "support+eiaqaaaabvzqaaaaaabqgzdfmzuhcd3ovlyaabnxmq2f4wy@example.org"
FILES = sorted(TEMPLATES.rglob("*.j2"))


def held(why: str, hours: int) -> dict[str, Any]:
    """What a notice to Ana about a held mail has that others have not."""
    return {
        "recipients": (Recipient(address=ANA.address, role="agent", why="assigned"),),
        "note": why,
        "release": RELEASE,
        "valid_hours": hours,
        "own": {ANA.address: head(reply_to=RELEASE, in_reply_to="")},
    }


LINK = "mailto:support%2Btoken@example.org?subject=1%20accept&body=1%20accept"
QUARANTINED = {
    "number": 1,
    "sender": "",
    "subject": "Invoice <b>7</b>",
    "date": "2026-05-01 09:30",
    "size": "12 KiB",
    "reason": "too complex to parse within its limits",
    "ticket": 0,
    "words": "see https[:]//example.net/<script>",
    "actions": dict.fromkeys(("accept", "ticket", "drop"), LINK),
}
HELD = {
    **QUARANTINED,
    "number": 2,
    "sender": "sol@example.net",
    "reason": "a token of this ticket, but no participant",
    "ticket": 1042,
    "actions": dict.fromkeys(("accept", "ticket", "drop", "drop-sender"), LINK),
}

LISTED = {
    "name": "mine",
    "words": "",
    "more": 2,
    "rows": (
        {
            "number": 1042,
            "subject": "The printer <in> room 12 is jammed",
            "status": "waiting",
            "priority": "high",
            "requester": "bob@example.net",
            "assignee": "",
            "updated": "2026-05-04 09:30",
            "due": "2026-05-05 12:00",
        },
    ),
}
OCCASIONS: dict[Notice, dict[str, Any]] = {
    Notice.SIDE: {
        "author": FROM_ANA.author,
        "recipients": (Recipient(address="sam@supplier.example", role="side", why=""),),
        "message": "Hello Sam,\n\nhave you got a fuser?",
    },
    Notice.AGENT_SIDE: {
        "author": Author(address="sam@supplier.example", name="Sam Stone"),
        "ears": aside_to("sam@supplier.example"),
        "subject": "A fuser for a model 9",
        "message": "Hello,\n\nit comes on Thursday.",
    },
    Notice.CHALLENGE: {
        **held("an agent, proven by a stamp alone: no token of this ticket", 24),
        "author": FROM_ANA.author,
    },
    Notice.AGENT_OVERDUE: {
        "author": None,
        "message": "",
        "due": datetime(2026, 5, 4, 12, 0, tzinfo=UTC),
        "around": Surroundings(newer=Quoted(author="Bob Miller", at=CONTEXT.now, text="Any news?")),
    },
    Notice.AGENT_HELD: held("a token of this ticket, but no participant", 336),
    Notice.COLLISION: {
        **held("somebody wrote first: ben@example.org", 336),
        "author": None,
        "message": "Hello Bob,\n\nplease try again.",
        "around": Surroundings(
            newer=Quoted(
                author="Ben",
                at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
                text="Hello Bob,\n\nplease open the flap at the back.",
            )
        ),
    },
    Notice.STATE: {"last_message": datetime(2026, 5, 1, 9, 30, tzinfo=UTC), "proven": True},
    Notice.RATED: {"ticket": replace(CONTEXT.ticket, status="closed", rating=4), "proven": True},
    Notice.MUTED: {"proven": True},
    Notice.AGENT_BOUNCE: {
        "unsent": Unsent(
            address="carol@example.com",
            said="550 5.1.1 <carol@example.com>: user unknown",
            note="paused",
        ),
    },
    Notice.TRANSCRIPT: {
        "recipients": (Recipient(address=ANA.address, role="agent", why="wrote the commands"),),
        "author": None,
        "message": "#take: assigned to Ana Torres\nYour answer goes to bob@example.net.",
    },
    Notice.HELP: {
        "recipients": (Recipient(address=ANA.address, role="agent", why="wrote the commands"),),
        "author": None,
        "message": "",
        "note_address": RELEASE.replace("+e", "+f"),
    },
    Notice.LIST: {
        "ticket": replace(CONTEXT.ticket, number=0),
        "author": None,
        "message": "Ticket #1042: The printer in room 12 is jammed\nstatus: open",
        "note": "There is no ticket #1099 that you work on",
        "lists": (LISTED, {**LISTED, "name": "find", "words": "fax", "rows": (), "more": 0}),
    },
    Notice.DIGEST: {
        "ticket": replace(CONTEXT.ticket, number=0),
        "author": None,
        "message": "",
        "lists": ({**LISTED, "name": "overdue"}, {**LISTED, "name": "waiting", "more": 0}),
    },
    Notice.DUTY: {
        "ticket": replace(CONTEXT.ticket, number=0),
        "author": None,
        "message": "",
        "waiting": (
            {"name": "quarantined", "rows": (QUARANTINED,), "more": 23},
            {"name": "held-mail", "rows": (HELD,), "more": 0},
        ),
    },
    Notice.DUTY_ANSWER: {
        "ticket": replace(CONTEXT.ticket, number=0),
        "author": None,
        "message": "1 ticket 1042: accepted for #1042\n2 drop: dropped",
    },
    Notice.ALERT: {
        "ticket": replace(CONTEXT.ticket, number=0, subject="Automatic mail is paused"),
        "author": None,
        "message": "",
        "note": "More than 200 automatic mails left within 10 minutes; none leaves for an hour.",
    },
}


LEFT_BEHIND = Surroundings(
    left_behind=(
        LeftBehind(
            filename="A <b>film</b>.mp4",
            size=24_499_999,
            link=f"https://help.example.org/file/{'x' * 56}",
            inbox=17,
        ),
        LeftBehind(filename="log.txt", size=999_000, inbox=17),
    )
)


def story(language: str, notice: Notice) -> NoticeContext:
    """A plausible occasion for each notice."""
    base = replace(CONTEXT, language=language, recipients=(BOB, CAROL))
    match notice:
        case Notice.CONFIRMATION:
            return replace(base, recipients=(BOB,))
        case Notice.ASSIGNMENT:
            return replace(base, new=ANA.address)
        case Notice.STATUS:
            return replace(base, old="open", new="resolved", proven=True)
        case Notice.CLOSURE:
            return replace(base, old="resolved", new="closed", proven=True)
        case Notice.ANSWER:
            return replace(base, author=FROM_ANA.author, message="Hello Bob,\n\nplease try again.")
        case Notice.AGENT_MESSAGE:
            return replace(
                base, html=Markup("<p>Hello,</p><p>still <b>jammed</b>.</p>"), around=LEFT_BEHIND
            )
        case Notice.AGENT_HELD:
            return replace(base, **OCCASIONS[notice], around=LEFT_BEHIND)
        case _:
            return replace(base, **OCCASIONS.get(notice, {}))


def mail(language: str, notice: Notice) -> EmailMessage:
    """The mail of a story, as its first recipient gets it."""
    context = story(language, notice)
    return read(compose(notice, context, RENDERER, POLICY), context.recipients[0].address)


def shown(language: str, notice: Notice) -> str:
    """A mail as a golden file holds it: header, text, HTML, all decoded."""
    message = mail(language, notice)
    kept = [f"{name}: {value}" for name, value in message.items() if name != "Content-Type"]
    parts = ["\n".join(kept), content(message, "plain"), content(message, "html")]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


@pytest.mark.parametrize(("language", "notice"), EVERY)
def test_golden(language: str, notice: Notice) -> None:
    path = GOLDENS / language / f"{notice.value}.txt"
    if os.environ.get("MAILGATE_UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shown(language, notice), "utf-8")
    assert shown(language, notice) == path.read_text("utf-8")


def test_no_golden_file_is_left_over() -> None:
    expected = {f"{language}/{n.value}.txt" for language, n in product(LANGUAGES, Notice)}
    assert {str(p.relative_to(GOLDENS)) for p in GOLDENS.rglob("*.*")} == expected


def test_the_shipped_templates_pass_the_check() -> None:
    assert RENDERER.languages() == LANGUAGES
    assert RENDERER.check() == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_priority_and_label_has_a_word(language: str) -> None:
    words = tomllib.loads((TEMPLATES / language / "words.toml").read_text("utf-8"))
    english = tomllib.loads((TEMPLATES / "en" / "words.toml").read_text("utf-8"))
    assert set(words["status"]) == set(LifeCycle().statuses)
    assert set(words["priority"]) == set(Policy().priorities)
    assert {section: set(words[section]) for section in words if section in english} == {
        section: set(english[section]) for section in english
    }


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(TEMPLATES)))
def test_no_template_loads_runs_or_tracks(path: Path) -> None:
    source = path.read_text("utf-8").lower()
    assert not re.search(
        r"https?:|//|url\(|@import|<script|<link|<iframe|<form|<img|\bon\w+=", source
    )
    assert not re.search(r"\|\s*safe|autoescape", source)


@pytest.mark.parametrize(("language", "notice"), EVERY)
def test_mails_are_polite_to_readers_and_clients(language: str, notice: Notice) -> None:
    message = mail(language, notice)
    text, html = content(message, "plain"), content(message, "html")
    assert f'<html lang="{language}">' in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "max-width:600px" in html
    assert ("#1042" in text) == (notice not in (Notice.ALERT, Notice.SIDE))
    assert not re.search(r"\n{3,}| \n|[{}]", text)
    assert not re.search(r"(?m)^--", text)  # no line that a client takes for a signature or a cut
    assert len(html) < 12_000


@pytest.mark.parametrize("notice", sorted(HUMAN - {Notice.SIDE}))
def test_a_persons_words_come_first(notice: Notice) -> None:
    for language in LANGUAGES:
        text = content(mail(language, notice), "plain")
        assert text.index("Hello") < text.index("carol@example.com") < text.index("#1042")


@pytest.mark.parametrize("name", sorted(SAMPLES["plain"]))
def test_the_manual_knows_every_variable(name: str) -> None:
    manual = (TEMPLATES.parents[1] / "docs" / "templates.md").read_text("utf-8")
    assert re.search(rf"(?m)^\|.*`{name}`.*\|", manual)
