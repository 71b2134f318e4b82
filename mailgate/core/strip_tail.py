"""Signatures and disclaimers: what stands at the end of a mail's own words and is none of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailgate.core import strip_legal
from mailgate.core.strip_words import DEVICES, SENT_FROM, SENT_FROM_MY

_MAX_SIGNATURE = 20  # lines
_MAX_DISCLAIMER = 60  # lines
_LINKS = re.compile(r"<[^<>]{0,300}>|\(https?[^()\s]{0,300}\)|[\[\]]")
_POSTSCRIPT = ("ps:", "p.s.", "pd:", "p.d.", "ps ")  # somebody goes on to write
_TOKEN = re.compile(r"[^\W_]+")
_DASH_NAME = re.compile(r"[-–—]{1,2}[^\W\d_][\w.'’]{0,30}(?: [^\W\d_][\w.'’-]{0,30}){0,3}\s{0,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Lines from `at` on that are no words of the mail."""

    at: int
    part: str  # "signature" or "disclaimer"
    what: str


def tail(lines: Sequence[str], first: int, end: int, known: Sequence[str]) -> Tail | None:
    """What to take off the end of `lines[first:end]`; None when its last line belongs to the words.

    `known` says for each line by which element of the HTML it is a signature, "" for none.
    """
    last = end
    while last > first and not lines[last - 1].strip():
        last -= 1
    if last == first:
        return None
    return (
        _delimited(lines, first, last)
        or _by_html(lines, first, last, known)
        or _legal(lines, first, last)
        or _one_line(lines, last)
    )


def banner(lines: Sequence[str], end: int) -> tuple[int, str]:
    """Where a warning of a mail server at the very top ends, and its language; 0 for none."""
    first = next((i for i in range(min(end, 10)) if lines[i].strip()), end)
    at = first
    while at < end and lines[at].strip() and at - first < 10:
        at += 1
    if at == first:
        return 0, ""
    language = strip_legal.banner(" ".join(lines[first:at]))
    return (at, language) if language else (0, "")


def _delimited(lines: Sequence[str], first: int, last: int) -> Tail | None:
    for at in range(last - 1, max(first - 1, last - 1 - _MAX_SIGNATURE), -1):
        line = lines[at].rstrip()
        if line in ("--", "—", "\\--"):
            if any(below.lower().startswith(_POSTSCRIPT) for below in lines[at + 1 : last]):
                return None
            return Tail(at=at, part="signature", what=repr(f"{line} "))
        footer = len(line) >= 30 and not line.strip("_") and at + 1 < last
        if footer and "mailing list" in lines[at + 1].lower():
            return Tail(at=at, part="signature", what="mailing list footer")
    return None


def _by_html(lines: Sequence[str], first: int, last: int, known: Sequence[str]) -> Tail | None:
    at = last
    while at > first and (known[at - 1] or not lines[at - 1].strip()):
        at -= 1
    while at < last and not lines[at].strip():
        at += 1
    if at == last:
        return None
    return Tail(at=at, part="signature", what=known[at])


# --- one line ----------------------------------------------------------------------------


def _one_line(lines: Sequence[str], last: int) -> Tail | None:
    final = lines[last - 1].strip()
    if last >= 2 and lines[last - 2].strip():  # it goes on from the line above
        return None
    if language := phone(final):
        return Tail(at=last - 1, part="signature", what=f"line of a phone or an app ({language})")
    if _DASH_NAME.fullmatch(final):
        return Tail(at=last - 1, part="signature", what="a name after a dash")
    return None


def phone(line: str) -> str:
    """The language of a line that a phone or an app signs with, "" when it is none."""
    text = " ".join(_LINKS.sub("", line).lower().replace("’", "'").split()).strip(" *_.")
    if not text or len(text) > 90 or any(c in text for c in ",;?"):
        return ""
    for language, beginnings in SENT_FROM_MY.items():
        if any(_begins(text, b) for b in beginnings):
            return language
    if DEVICES.isdisjoint(_TOKEN.findall(text)) or len(text.split()) > 10:
        return ""
    return next((lang for lang, verbs in SENT_FROM.items() if _has_verb(text, verbs)), "")


def _begins(text: str, beginning: str) -> bool:
    return text.startswith(beginning) and not text[len(beginning) : len(beginning) + 1].isalpha()


def _has_verb(text: str, verbs: Sequence[str]) -> bool:
    # German puts its verb last: "Von meinem iPhone gesendet".
    return any(_begins(text, v) and (v != "von" or text.endswith("gesendet")) for v in verbs)


# --- disclaimers -------------------------------------------------------------------------


def _legal(lines: Sequence[str], first: int, last: int) -> Tail | None:
    """Disclaimers fill the last paragraphs, or one with a title does to the end."""
    found: Tail | None = None
    end = last
    while end > first and last - end < _MAX_DISCLAIMER:
        at = end
        while at > first and lines[at - 1].strip() and end - at < _MAX_DISCLAIMER:
            at -= 1
        if language := strip_legal.disclaimer(" ".join(lines[at:end])):
            found = Tail(at=at, part="disclaimer", what=f"its phrases ({language})")
        elif not is_drawn(lines[at:end]):
            break
        end = at
        while end > first and not lines[end - 1].strip():
            end -= 1
    return _titled(lines, first, last) or found


def is_drawn(lines: Sequence[str]) -> bool:
    """Whether these lines hold no letter and no digit."""
    return not any(c.isalnum() for line in lines for c in line)


def _titled(lines: Sequence[str], first: int, last: int) -> Tail | None:
    """The last line that says "Disclaimer", when what is below it reads like one."""
    for at in range(last - 1, max(first - 1, last - 1 - _MAX_DISCLAIMER), -1):
        if language := strip_legal.title(lines[at]) if len(lines[at]) < 60 else "":
            if not strip_legal.disclaimer(" ".join(lines[at + 1 : last])):
                return None
            return Tail(at=at, part="disclaimer", what=f"its title ({language})")
    return None
