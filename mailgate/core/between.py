"""What an agent typed between the lines of our notice, and what would be lost there.

Many clients copy a mail without marks, or cannot end their quote within a table: an answer that is
typed there looks like a part of the notice, and none of the notice may reach a customer. But we
know what the notice said: a line below its beginning and above its end that it does not hold is the
agent's. It is only looked for, never sent: the notice holds facts and notes, and a client may have
written these in a way of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import unescape

from mailgate.core import strip
from mailgate.core.case import Case
from mailgate.core.commands import Script, Slip

_UNTOLD = "it stands between the lines of the notice and cannot be told from them"
_TAKEN = "it is taken for a quote, which goes to nobody: write it without its `>`"
_MOST_TOLD = 10  # lines
MAX_LINES = 2000
MAX_SAID = 200_000  # characters of the notice, of its text and of its HTML
_WORD = re.compile(r"[^\W_]+")
_SURE = 3  # words of a line that tell where the notice begins, in one without our marker line
_GREETING = 4  # words; an answer is longer
# Where a client writes links, pictures and numbers of its own; they are nobody's words.
_LINK = re.compile(r"<[^<>\s]{1,2000}>|\]\([^()\s]{1,2000}\)|\b[a-z]{2,8}:[^\s<>]{5,2000}")
_PICTURE = re.compile(r"\[(?:image|cid|inline image)\s?:[^\]\n]{0,300}\]", re.IGNORECASE)
_NUMBERED = re.compile(r"^[ \t>]{0,40}[0-9]{1,3}[.)]\s", re.MULTILINE)
_HIDDEN = re.compile(r"<(head|style|script)\b.{0,20000}?</\1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]{1,2000}>")


def slips(case: Case, script: Script) -> tuple[Slip, ...]:
    """What an agent typed into the quoted notice, where it cannot go to anybody; () for nothing.

    Whoever wrote `#send` wants no more sent than stands above.
    """
    if script.has("send") or not case.delivery.live or case.delivery.sent:
        return ()
    mail = case.mail
    own = strip.own_words(mail.visible or mail.text)
    kept, notice = (own, mail.signature), case.facts.notice
    found = [(at, text, _UNTOLD) for at, text in lost(mail.text, *kept, notice)]
    if any(parent in case.facts.sent for parent in mail.in_reply_to):
        found += [(at, text, _TAKEN) for at, text in lost_above(mail.text, *kept, notice)]
    told = sorted(found)[:_MOST_TOLD]
    return tuple(Slip(at=at, text=text, wrong=wrong) for at, text, wrong in told)


def lost(text: str, own: str, signature: str, notice: Sequence[str]) -> list[tuple[int, str]]:
    """Lines (from 1) of a mail's `text` that are an agent's and would go with the quoted notice.

    `own` words and `signature` are what was found not to be quoted. `notice` is what our notice
    said, its text first and its HTML second; without it nothing can be told.
    """
    if not any(notice):
        return []
    lines = text.split("\n", MAX_LINES)[:MAX_LINES]
    marker = next((at for at, line in enumerate(lines) if "##-" in line), -1)
    asked = _asked(lines, marker + 1, f"{own}\n{signature}")
    ours = _ours(asked, [f" {words(said)} " for said in readings(notice)])
    sure = (at for at in sorted(ours) if marker >= 0 or asked[at].count(" ") + 1 >= _SURE)
    begin, end = next(sure, len(lines)), max(ours, default=0)
    if len(_WORD.findall(own)) <= _GREETING:
        end = len(lines)  # below the notice, too: a greeting alone is no answer
    strange = (at for at in asked if begin < at < end and at not in ours)
    return [(at + 1, lines[at].lstrip(" \t>").rstrip()) for at in strange]


def lost_above(text: str, own: str, signature: str, notice: Sequence[str]) -> list[tuple[int, str]]:
    """Lines (from 1) among an agent's words, above the notice that a mail answers, which are marked
    as quotes and are none of it: "> Settings > Network", or a piece of another mail.
    """
    lines = text.split("\n", MAX_LINES)[:MAX_LINES]
    end = next((at for at, line in enumerate(lines) if "##-" in line), 0)
    if not any(notice):
        return []
    asked = _asked(lines, 0, f"{own}\n{signature}")
    last = max((at for at in range(end) if at not in asked and words(lines[at])), default=0)
    said = [f" {words(one)} " for one in readings(notice)]
    return [
        (at + 1, lines[at].strip())
        for at, here in asked.items()
        if at < last
        and lines[at].lstrip(" \t")[:1] == ">"
        and not any(f" {here} " in one for one in said)
    ]


def _asked(lines: Sequence[str], begin: int, kept: str) -> dict[int, str]:
    """The words of the lines from `begin` that were not kept."""
    known = Counter(line.strip() for line in kept.split("\n"))
    asked: dict[int, str] = {}
    for at, line in enumerate(lines):
        if known[line.strip()] > 0:
            known[line.strip()] -= 1
        elif at >= begin and (said := words(line)):
            asked[at] = said
    return asked


def readings(notice: Sequence[str]) -> list[str]:
    """What our mail says, by its text and by its HTML."""
    text, html = (*notice, "")[:2]
    page = unescape(_TAG.sub(" ", _HIDDEN.sub(" ", html[: 2 * MAX_SAID])))
    return [text[:MAX_SAID], page[:MAX_SAID]]


def words(line: str) -> str:
    """The words of a line and one blank between them, as far as clients leave them alone."""
    bare = _LINK.sub(" ", _PICTURE.sub(" ", _NUMBERED.sub(" ", line)))
    return " ".join(_WORD.findall(bare.lower()))


def _ours(asked: dict[int, str], said: list[str]) -> set[int]:
    """Lines that the notice holds. Long ones first, and each of its words is read once: a "yes" is
    no word of ours because a longer line of ours has it."""
    found = set()
    for at in sorted(asked, key=lambda at: len(asked[at]), reverse=True):
        here = f" {asked[at]} "
        for i, one in enumerate(said):
            if here in one:
                found.add(at)
                said[i] = one.replace(here, " \0 ", 1)
    return found
