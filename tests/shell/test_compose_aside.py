"""What is said aside, as a mail: to a third party, and to the agents who read along."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from html import unescape
from itertools import product

import pytest

from mailgate.compose import compose
from mailgate.core.decision import Notice, Recipient, aside_to
from mailgate.core.notice import Unsent
from tests.shell.notice_rig import (
    BOB,
    CAROL,
    CONTEXT,
    FROM_ANA,
    POLICY,
    RENDERER,
    TEMPLATES,
    content,
    read,
)


def test_a_third_party_reads_an_agents_words_and_nothing_of_the_ticket() -> None:
    sam = Recipient(address="sam@supplier.example", role="side", why="said aside")
    ctx = replace(
        FROM_ANA,
        recipients=(sam,),
        message="Have you got a fuser?",
        note="A secret.",
        copies=(BOB.address, CAROL.address),
        ears=aside_to("kim@supplier.example"),
    )
    mail = compose(Notice.SIDE, replace(ctx, subject="Re: A fuser"), RENDERER, POLICY)
    assert str(read(mail, sam.address)["Subject"]) == "Re: A fuser"
    assert read(mail, sam.address)["References"] is None
    assert mail.ticket == 1042  # for us
    plain = compose(Notice.SIDE, ctx, RENDERER, POLICY)
    assert str(read(plain, sam.address)["Subject"]) == "A question from Support"
    for kind in ("plain", "html"):
        text = content(read(mail, sam.address), kind)
        assert "Have you got a fuser?" in text
        for secret in (
            "1042",
            "printer",
            "bob@",
            "carol@",
            "kim@",
            "secret",
            "Priority",
            "support]",
        ):
            assert secret not in text


def test_no_template_can_tell_a_third_party_more() -> None:
    told = compose_variables(Notice.SIDE)
    assert told["number"] == 0
    empty = ("subject", "requester", "status", "priority", "queue", "category", "assignee")
    assert [told[name] for name in (*empty, "note", "third", "whom", "note_address")] == [""] * 11
    assert told["copies"] == ()


def compose_variables(notice: Notice) -> dict[str, object]:
    """What a template gets to know."""
    seen: list[dict[str, object]] = []

    class Watching:
        def languages(self) -> tuple[str, ...]:
            return RENDERER.languages()

        def notice(self, language: str, name: str, context: dict[str, object]) -> object:
            seen.append(context)
            return RENDERER.notice(language, name, context)

    compose(notice, FROM_ANA, Watching(), POLICY)  # type: ignore[arg-type]
    return seen[0]


def test_agents_read_who_was_told_aside_and_whom_they_answer() -> None:
    ctx = replace(CONTEXT, ears=aside_to("sam@supplier.example"), subject="Re: A fuser")
    text = content(read(mail := compose(Notice.AGENT_SIDE, ctx, RENDERER, POLICY)), "plain")
    assert str(read(mail)["Subject"]) == "Re: [#1042] [support] A fuser"
    assert "Message from Bob Miller (bob@example.net), said aside" in text
    assert "Ticket: #1042 The printer" in text
    assert text.rstrip().endswith(
        "Reply to this message to write to sam@supplier.example and to nobody on the ticket."
    )
    by_ana = replace(FROM_ANA, recipients=ctx.recipients, ears=aside_to("sam@supplier.example"))
    text = content(read(compose(Notice.AGENT_SIDE, by_ana, RENDERER, POLICY)), "plain")
    assert "wrote aside to sam@supplier.example. The customer does not see it:" in text


UNSENT = Unsent(address="sam@supplier.example", said="", note="")
LAST = {Notice.AGENT_HELD: "third", Notice.AGENT_BOUNCE: "nobody", Notice.TRANSCRIPT: "nobody"}


@pytest.mark.parametrize(("language", "notice"), list(product(RENDERER.languages(), LAST)))
def test_what_is_about_words_aside_says_so_and_whom_its_answer_reaches(
    language: str, notice: Notice
) -> None:
    ears = aside_to("sam@supplier.example" if LAST[notice] == "third" else "")
    ctx = replace(CONTEXT, language=language, unsent=UNSENT, message="")
    mail = read(compose(notice, replace(ctx, ears=ears, subject=""), RENDERER, POLICY))
    words = tomllib.loads((TEMPLATES / language / "words.toml").read_text("utf-8"))["ears"]
    line = words[LAST[notice]].replace("{}", "sam@supplier.example")
    for kind in ("plain", "html"):
        text = " ".join(unescape(content(mail, kind)).split())
        assert text.count(line) == 1
        assert "bob@example.net" not in text.partition(line)[2]
    about = "" if notice is Notice.TRANSCRIPT else " (sam@supplier.example)"
    subject = str(mail["Subject"])
    assert "[#1042] [support] " in subject
    assert subject.endswith(f"{words['aside']}{about}")
    assert "jammed" not in subject


def test_an_address_is_no_html_where_it_is_told() -> None:
    ears = aside_to("<b>sam@supplier.example")
    mail = read(compose(Notice.AGENT_HELD, replace(CONTEXT, ears=ears), RENDERER, POLICY))
    assert "write to &lt;b&gt;sam@supplier.example" in content(mail, "html")
