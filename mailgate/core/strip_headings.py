"""Where a quote may begin: "On ... X wrote:", header blocks, dividers, in the languages of clients.

Lines are looked up in tables and searched for phrases; the few patterns have no repetition inside
a repetition and see a few hundred characters (reliability R2).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailgate.core.strip_words import BEGINS, DIVIDERS, LABELS, LEADS, WROTE

MAX_LINE = 400  # characters of a line looked at
_MAX_ATTRIBUTION = 600  # characters, over four lines at most
_MAX_LABEL = 30
_BLOCK_LINES = 14  # within which the subject of a header block stands

_TIME = re.compile(r"[0-9]{1,2}(?::|\.|h| h )[0-9]{2}(?![0-9])|[0-9]{1,2} ?[ap]\.?m\b")
_DATE = re.compile(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{2,4}|(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")
_ADDRESS = re.compile(r"[<\[(\"' :][^<>\[\]()\s@]{1,120}@[^<>\[\]()\s@]{1,120}")
_WORD = re.compile(r"[^\W\d_]+")
_DASHES = "-_=*—–~ \t"
_LABEL_DRESS = " \t\xa0*_|>•#"
_SINGLE = {v: lang for lang, verbs in WROTE.items() for v in verbs if " " not in v and v.isascii()}
_LONG = {v: lang for lang, verbs in WROTE.items() for v in verbs if v not in _SINGLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The lines of a text, and which of them a client marked as quoted."""

    lines: Sequence[str]
    quoted: Sequence[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading above a quote: `copied` when a whole mail follows it, not marked lines."""

    at: int
    count: int  # lines
    what: str
    copied: bool = False


def headings(page: Page, end: int) -> Iterator[Heading]:
    """All lines of `page.lines[:end]` where a quote may open, in order."""
    at = 0
    while at < end:
        found = None
        if page.lines[at].strip() and not _prefixed(page, at):
            found = heading(page, at, end)
        if found:
            yield found
        at += found.count if found else 1


def heading(page: Page, at: int, end: int) -> Heading | None:
    """The heading that begins at a line, if there is one."""
    if what := divider(page.lines[at]):
        return Heading(at=at, count=1, what=what, copied=True)
    if what := _ruled_block(page, at, end):
        return Heading(at=at, count=1, what=what, copied=True)
    if language := header_block(page.lines, at, end):
        return Heading(at=at, count=1, what=f"header block ({language})", copied=True)
    if found := attribution(page, at, end):
        count, language = found
        known = "" if language == "?" else f" ({language})"
        return Heading(at=at, count=count, what=f"attribution line{known}")
    return None


def _prefixed(page: Page, at: int) -> bool:
    return page.quoted[at] and page.lines[at].lstrip()[:1] == ">"


def next_words(lines: Sequence[str], at: int, end: int, within: int = 3) -> int:
    """Index of the next line with words, `end` when none is near."""
    return next((i for i in range(at, min(at + within, end)) if lines[i].strip()), end)


# --- dividers ----------------------------------------------------------------------------


def divider(line: str) -> str:
    """What a line such as "-----Original Message-----" is, "" when it is none."""
    bare = line.strip().replace("’", "'")
    core = bare.strip(_DASHES).rstrip(": \xa0").lower()
    if core in BEGINS and bare.endswith(":"):
        return f"line of a forward ({BEGINS[core]})"
    left = len(bare) - len(bare.lstrip(_DASHES))
    right = len(bare) - len(bare.rstrip(_DASHES))
    if left < 2 or right < 2 or not core:
        return ""
    if core in DIVIDERS:
        return f"divider line ({DIVIDERS[core]})"
    # Lotus Notes and Zoho put the attribution between dashes.
    said = len(core) < MAX_LINE and (_ADDRESS.search(f" {core}") or _TIME.search(core))
    language = _verb(core) if said or bare.rstrip(_DASHES).endswith(":") else ""
    return f"attribution between dashes ({language})" if language else ""


def is_rule(line: str) -> bool:
    """Whether a line is drawn, not written: dashes, underscores, stars."""
    bare = line.strip()
    return len(bare) >= 5 and not bare.strip("-_*=—– ")


def _ruled_block(page: Page, at: int, end: int) -> str:
    if not is_rule(page.lines[at]):
        return ""
    below = next_words(page.lines, at + 1, end)
    language = header_block(page.lines, below, end) if below < end else ""
    return f"header block below a line ({language})" if language else ""


# --- header blocks -----------------------------------------------------------------------


def label(line: str) -> tuple[str, str]:
    """The label at the beginning of a line, in lower case, and what follows; "" when none."""
    head, colon, rest = line[: MAX_LINE + 1].replace("：", ":", 1).partition(":")
    bare = head.strip(_LABEL_DRESS).lower().replace("’", "'")
    return (bare, rest.strip(_LABEL_DRESS)) if colon and len(bare) <= _MAX_LABEL else ("", "")


def header_block(lines: Sequence[str], at: int, end: int) -> str:
    """The language of a block of From:, Sent:, To:, Subject: that begins here, "" for none.

    Clients put them in any order, some with blank lines between, some with long values folded. A
    sender, a subject and one more have to be there, the first two labels one after the other.
    """
    first, value = label(lines[at])
    if first not in LABELS or not value:
        return ""
    roles: dict[str, set[str]] = {language: set() for language in LABELS[first]}
    strange = 0
    for line in lines[at : min(at + _BLOCK_LINES, end)]:
        if not line.strip():
            continue
        known = LABELS.get(label(line)[0], {})
        strange += not known
        if strange > 2 or (strange and max(map(len, roles.values())) < 2):
            return ""
        for language in roles.keys() & known.keys():
            roles[language].add(known[language])
        if done := _complete(roles):
            return done
    return ""


def _complete(roles: dict[str, set[str]]) -> str:
    whole = [lang for lang, found in roles.items() if {"from", "subject"} <= found]
    return next((lang for lang in whole if len(roles[lang]) >= 3), "")


# --- attributions ------------------------------------------------------------------------


def attribution(page: Page, at: int, end: int) -> tuple[int, str] | None:
    """How many lines from `at` say "On ... wrote:", and in which language; None: they do not.

    Without marked lines below it, it has to name a date and a time, or an address.
    """
    joined = ""
    for count, line in enumerate(page.lines[at : min(at + 4, end)], 1):
        if not line.strip() or _prefixed(page, at + count - 1):
            return None
        joined = f"{joined} {line.strip()}".lstrip()
        if len(joined) > _MAX_ATTRIBUTION or (count == 1 and not _may_begin(joined)):
            return None
        if joined.rstrip("*_ \xa0").endswith((":", "：", "写道", "寫道")):
            below = next_words(page.lines, at + count, end, 6)
            marked = below < end and page.quoted[below]
            language = _said(joined, marked=marked, wrapped=count > 1)
            return (count, language) if language else None
    return None


def _may_begin(line: str) -> bool:
    """Cheap, and true for whatever the first line of an attribution may be."""
    return (
        line.rstrip("*_ \xa0").endswith((":", "：", "写道", "寫道"))
        or _leads(line)
        or "<" in line
        or any(c.isdigit() for c in line)
    )


def _leads(line: str) -> bool:
    return line.split(" ", 1)[0].lower().strip(",.*_") in LEADS


def _said(line: str, *, marked: bool, wrapped: bool) -> str:
    """The language of a whole attribution, "?" for one we do not know, "" when it is none."""
    language = _verb(line.lower())
    if not (marked or language):
        return ""
    address = _ADDRESS.search(f" {line}") is not None
    begins = _leads(line) or line.lstrip(' "*_')[:1].isdigit() or address
    if marked and language:
        return language if begins or not wrapped else ""
    time, date = _TIME.search(line) is not None, _DATE.search(line) is not None
    if marked:
        return "?" if address and (time or date) else ""
    return language if (date and time) or (begins and (time or address)) else ""


def _verb(line: str) -> str:
    found = Counter(_SINGLE[word] for word in _WORD.findall(line) if word in _SINGLE)
    if found:
        return found.most_common(1)[0][0]
    return next((language for phrase, language in _LONG.items() if phrase in line), "")
