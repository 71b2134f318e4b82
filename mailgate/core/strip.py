"""Tell the new words of a mail from what it quotes, from its signature and from disclaimers.

Nothing is deleted: each line of the text is in exactly one of the three, and each cut has a reason.
Only a quote at the end, or one at the very top, is taken out; answers between quoted lines keep the
quotes they answer, and a mail that only quotes stays as it is. Where a mail has HTML, its client's
own marks say which lines are quoted; `docs/stripping.md` tells the order of things.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailgate.core.strip_align import align
from mailgate.core.strip_headings import (
    MAX_LINE,
    Heading,
    Page,
    attribution,
    headings,
    is_rule,
    label,
    next_words,
)
from mailgate.core.strip_html import Mark, read
from mailgate.core.strip_tail import banner, tail
from mailgate.core.strip_words import ANSWERS_BELOW, LABELS

# Written above the words of every mail we send; what stands below it in an answer is ours.
REPLY_MARKER = "##- Please type your reply above this line -##"

MAX_LINES = 2000  # looked at; later lines go where the last one went
_PEELED = 4  # signatures and disclaimers one above the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One cut and its reason, or with the part "kept" the reason why there is none."""

    part: str  # quote, signature, disclaimer, kept
    what: str
    line: int  # of the text, from 1

    def __str__(self) -> str:
        return f"{self.part}: {self.what} at line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """The three parts of a text; each keeps its lines whole and in order."""

    visible: str
    quoted: str = ""
    signature: str = ""  # with the disclaimers
    cuts: tuple[Cut, ...] = ()  # from top to bottom


@dataclass(slots=True, kw_only=True)
class _Sheet:
    """A text while parts are taken off it."""

    page: Page
    by_html: Sequence[str]  # for each line the element that marks it, "" for none
    signed: Sequence[str]  # the same for signatures
    kinds: list[str]
    end: int  # of what is visible
    heads: Sequence[Heading]
    red: bool  # words in red stand in a mail that was copied
    fences: Sequence[int]  # lines that are quoted, or a heading of a quote
    cuts: list[Cut] = field(default_factory=list)

    def take(self, start: int, part: str, what: str) -> None:
        """Give the lines from `start` to a part, with the blank ones before them."""
        self.cuts.append(Cut(part=part, what=what, line=start + 1))
        while start and not self.page.lines[start - 1].strip():
            start -= 1
        self.kinds[start : self.end] = ("q" if part == "quote" else "s") * (self.end - start)
        self.end = start


def strip(text: str, html: str = "") -> Stripped:
    """Split a text (lines ending in LF) into new words, quote and signature.

    `html` is the mail's HTML as received, which says the same or which `text` was made from.
    """
    lines = text.split("\n", MAX_LINES)  # what is never looked at stays one piece
    sheet = _sheet([line[:MAX_LINE].rstrip("\r") for line in lines[:MAX_LINES]], html)
    if len(lines) <= MAX_LINES:
        _peel(sheet)
    _cut_quote(sheet)
    _peel(sheet)
    _cut_top(sheet)
    seen = sheet.page.lines
    if not any(k == "v" and line.strip() for k, line in zip(sheet.kinds, seen, strict=True)):
        return Stripped(visible=text, cuts=_all_kept(sheet))
    kinds = sheet.kinds + [sheet.kinds[-1]] * (len(lines) - len(seen))
    part = {
        name: "\n".join(line for line, kind in zip(lines, kinds, strict=True) if kind == name)
        for name in "vqs"
    }
    return Stripped(
        visible=part["v"],
        quoted=part["q"],
        signature=part["s"],
        cuts=tuple(sorted(sheet.cuts, key=lambda cut: cut.line)),
    )


def _all_kept(sheet: _Sheet) -> tuple[Cut, ...]:
    if not sheet.cuts:
        return ()
    return (Cut(part="kept", what="all of it, nothing else would be left", line=1),)


def _sheet(seen: list[str], html: str) -> _Sheet:
    marked = read(html) if html else None
    known = align(seen, marked) if marked else None
    told = known or [(Mark.NEW, "")] * len(seen)
    quoted = [
        bool(line.strip())
        and (mark is Mark.QUOTE or (_is_quote(line) and mark is not Mark.INDENTED))
        for line, (mark, _) in zip(seen, told, strict=True)
    ]
    page = Page(lines=seen, quoted=quoted)
    heads = list(headings(page, len(seen)))
    return _Sheet(
        page=page,
        by_html=[f"marked by {why}" if mark is Mark.QUOTE else "" for mark, why in told],
        signed=[f"marked by {why}" if mark is Mark.SIGNATURE else "" for mark, why in told],
        kinds=["v"] * len(seen),
        end=len(seen),
        heads=heads,
        red=marked is not None and known is not None and marked.red,
        fences=[*_covered(heads), *(i for i, marked in enumerate(quoted) if marked)],
    )


def _covered(heads: Sequence[Heading]) -> set[int]:
    return {i for h in heads for i in range(h.at, h.at + h.count)}


def _is_quote(line: str) -> bool:
    return line.lstrip(" \t")[:1] == ">" and len(line) - len(line.lstrip(" \t")) <= 3


def _is_marker(line: str) -> bool:
    bare = line.lstrip(" \t*|")
    return bare.startswith("##-") or (not _is_quote(line) and "-##" in bare.partition("##-")[2])


def _lead(marker: str) -> str:
    """What stands before our marker in its line: some clients put no line break before a quote."""
    return marker.partition("##-")[0].strip(" \t*|")


# --- signatures and disclaimers ----------------------------------------------------------


def _peel(sheet: _Sheet) -> None:
    """Take signatures and disclaimers off the end; none reaches over a quote or a heading."""
    first = max((i + 1 for i in sheet.fences if i < sheet.end), default=0)
    for _ in range(_PEELED):
        found = tail(sheet.page.lines, first, sheet.end, sheet.signed)
        if found is None:
            return
        sheet.take(found.at, found.part, found.what)


def _cut_top(sheet: _Sheet) -> None:
    """Take off a warning at the top, and a quote there when it is the only one."""
    end, language = banner(sheet.page.lines, sheet.end)
    if end:
        sheet.kinds[:end] = "s" * end
        what = f"warning of a mail server ({language})"
        sheet.cuts.append(Cut(part="disclaimer", what=what, line=1))
    top = _top_quote(sheet.page, end, sheet.end)
    if top:
        at = next(i for i in range(end, top) if sheet.page.quoted[i])
        sheet.kinds[end:top] = "q" * (top - end)
        why = sheet.by_html[at] or "lines marked with '>'"
        sheet.cuts.append(Cut(part="quote", what=f"{why}, above the answer", line=end + 1))


def _top_quote(page: Page, begin: int, end: int) -> int:
    """The end of a quote at the very top when it is the only one, else 0."""
    at = next((i for i in range(begin, end) if page.lines[i].strip()), end)
    found = attribution(page, at, end) if at < end else None
    at += found[0] if found else 0
    first = at
    while at < end and (page.quoted[at] or not page.lines[at].strip()):
        at += 1
    return at if any(page.quoted[first:at]) and not any(page.quoted[at:end]) else 0


# --- the quote ---------------------------------------------------------------------------


def _cut_quote(sheet: _Sheet) -> None:
    """Take off the quote that fills the end, unless answers may stand in it."""
    start, what = _quote(sheet)
    if start >= sheet.end:
        return
    told = _answers_below(sheet, start)
    if told:
        sheet.cuts.append(Cut(part="kept", what=f"{what}: {told}", line=start + 1))
    else:
        sheet.take(start, "quote", what)


def _quote(sheet: _Sheet) -> tuple[int, str]:
    """Where the quote that fills the end begins, or `sheet.end`, and how it is known."""
    page, end = sheet.page, sheet.end
    run = _run(page, end)
    found: list[tuple[int, str]] = []
    if opened := _opening(sheet, run):
        html = sheet.by_html[opened.at]
        found.append((opened.at, f"{html}, {opened.what}" if html else opened.what))
    if run < end:
        found.append((run, sheet.by_html[run] or "lines marked with '>'"))
    marker = next((i for i in range(end) if _is_marker(page.lines[i])), end)
    if marker < end:
        lead = _lead(page.lines[marker])
        begins = marker + (not _attributes(lead)) if lead else _heading(page.lines, marker)
        found.append((begins, "our marker line"))
    return min(found, key=lambda one: one[0], default=(end, ""))


def _run(page: Page, end: int) -> int:
    """Where the marked lines begin that fill the end, or `end`."""
    at = end
    while at and (page.quoted[at - 1] or not page.lines[at - 1].strip()):
        at -= 1
    return next((i for i in range(at, end) if page.quoted[i]), end)


def _opening(sheet: _Sheet, run: int) -> Heading | None:
    """The first heading with nothing but a quote below it."""
    page, end = sheet.page, sheet.end
    found = [h for h in sheet.heads if h.at < end]
    covered = _covered(found)
    words = (i for i in range(run) if page.lines[i].strip() and not page.quoted[i])
    last_words = max((i for i in words if i not in covered), default=-1)
    first_quote = [end] * (end + 1)
    for i in range(end - 1, -1, -1):
        first_quote[i] = i if page.quoted[i] else first_quote[i + 1]
    # Words below a marked line are an answer to it: such an opening is no cut. Where a whole mail
    # was copied without marks there is no telling, and all of it is the quote.
    return next(
        (h for h in found if first_quote[h.at] > last_words or _unmarked(page, h, end)), None
    )


def _unmarked(page: Page, opened: Heading, end: int) -> bool:
    """Whether a copied mail follows whose lines carry no marks."""
    if not opened.copied:
        return False
    at = opened.at + opened.count
    while at < end and (not page.lines[at].strip() or label(page.lines[at])[0] in LABELS):
        at += 1
    return at < end and not page.quoted[at]


def _answers_below(sheet: _Sheet, start: int) -> str:
    """The words that announce answers within unmarked lines of the quote; "" for none."""
    page = sheet.page
    if not any(
        line.strip() and not _is_quote(line) and label(line)[0] not in LABELS and not is_rule(line)
        for line in page.lines[start + 1 : sheet.end]
    ):
        return ""
    if sheet.red:
        return "words in red stand in it"
    said = f" {' '.join(page.lines[:start]).lower()}".replace("’", "'")
    for language, phrases in ANSWERS_BELOW.items():
        for phrase in phrases:
            at = said.find(phrase)
            if at > 0 and not said[at - 1].isalnum():
                return f'"{phrase}" says that answers stand in it ({language})'
    return ""


# --- an agent's own words ----------------------------------------------------------------

_LABEL = re.compile(r"[*\s]{0,9}[^\s:]{1,20}(?: [^\s:]{1,20})?\s?:")
_TAG = re.compile(r"\[[^\]\s#]{0,30}#[0-9]{1,12}\]")
_RULE = re.compile(r"[-_\s]{4,}")


def own_words(visible: str) -> str:
    """What an agent wrote, and nothing of the notice below or between: for the customer's copy.

    Everything from our marker line on goes, with the client's heading above it, and everything
    from a mail that was copied without marks; so do all lines quoted with ">" and the headings
    above them. A notice holds facts and notes that no customer may see.
    """
    lines = visible.split("\n")
    marker = next((i for i, line in enumerate(lines) if _is_marker(line)), -1)
    if marker >= 0:
        lead = _lead(lines[marker])
        lines = [*lines[:marker], lead] if lead else lines[: _heading(lines, marker)]
    seen = [line[:MAX_LINE].rstrip("\r") for line in lines[:MAX_LINES]]
    page = Page(lines=seen, quoted=[_is_quote(line) for line in seen])
    heads = list(headings(page, len(seen)))
    copied = next((h.at for h in heads if not _above_marks(page, h)), len(lines))
    gone = _covered(heads)
    kept = [line for i, line in enumerate(lines[:copied]) if i not in gone and not _is_quote(line)]
    if all(is_rule(line) for line in kept if line.strip()):
        return ""  # the line that a client drew above its quote
    return "\n".join(kept).strip()


def _above_marks(page: Page, opened: Heading) -> bool:
    """Whether marked lines follow a heading, not a whole mail."""
    below = next_words(page.lines, opened.at + opened.count, len(page.lines), within=6)
    return not opened.copied and below < len(page.lines) and page.quoted[below]


def _heading(lines: Sequence[str], end: int) -> int:
    """Where what a mail client wrote above the quote `lines[end:]` begins, or `end`.

    Either lines such as "Sent: ..." of which one holds the tag that every subject of ours has,
    or one line with a date or an address that ends in a colon.
    """
    last = _without_blanks(lines, end)
    first = last
    while first and _LABEL.match(lines[first - 1][:MAX_LINE]):
        first -= 1
    if any(_TAG.search(line[:MAX_LINE]) for line in lines[first:last]):
        above = _without_blanks(lines, first)
        ruled = above and _RULE.fullmatch(lines[above - 1][:MAX_LINE])
        return above - 1 if ruled else first
    return last - 1 if last and _attributes(lines[last - 1][:MAX_LINE]) else last


def _attributes(line: str) -> bool:
    """Whether a line may be what a client wrote above a quote, in any language."""
    return line.rstrip().endswith(":") and any(c.isdigit() or c == "@" for c in line)


def _without_blanks(lines: Sequence[str], end: int) -> int:
    while end and not lines[end - 1].strip():
        end -= 1
    return end
