"""Carry what the HTML of a mail says of its words over to the lines of its text.

Text and HTML hold the same words in the same order, but for links, labels of images and marks such
as ">". They are walked side by side; where they part, three words in a row find the place again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailgate.core.strip_html import MAX_WORDS, WORD, Mark, Marked

_NEAR = 80  # words that may be skipped where three in a row are not the only ones of their kind
_ENOUGH = 0.6  # of the text's words have to be found, or the two are different texts
_Three = tuple[str, str, str]


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Where the walk through the HTML's words is."""

    marked: Marked
    at: int = 0
    places: dict[_Three, list[int]] | None = None
    found: int = 0
    lines: list[Counter[int]] = field(default_factory=list)


def align(lines: Sequence[str], marked: Marked) -> list[tuple[Mark, str]] | None:
    """For each line what it is by the HTML, and by which element; None where they do not match."""
    words = [WORD.findall(line.lower()) for line in lines]
    flat = [word for line in words for word in line][:MAX_WORDS]
    walk = _Walk(marked=marked)
    at = 0
    for line in words:
        votes: Counter[int] = Counter()
        for _ in line:
            if at < len(flat) and (mark := _match(walk, flat, at)) is not None:
                votes[mark] += 1
            at += 1
        walk.lines.append(votes)
    if not flat or walk.found < _ENOUGH * len(flat):
        return None
    return _filled(lines, [_verdict(votes, marked) for votes in walk.lines])


def _match(walk: _Walk, flat: list[str], at: int) -> int | None:
    """The mark of a word of the text; None when the HTML does not hold it here."""
    words = walk.marked.words
    if walk.at >= len(words) or words[walk.at] != flat[at]:
        there = _again(walk, flat, at)
        if there is None:
            return None
        walk.at = there
    walk.at += 1
    walk.found += 1
    return walk.marked.marks[walk.at - 1]


def _again(walk: _Walk, flat: list[str], at: int) -> int | None:
    """Where in the HTML three words in a row come next."""
    if at + 2 >= len(flat):
        return None
    if walk.places is None:
        walk.places = _places(walk.marked.words)
    found = walk.places.get((flat[at], flat[at + 1], flat[at + 2]), ())
    next_one = bisect_left(found, walk.at)
    if next_one >= len(found):
        return None
    there = found[next_one]
    return there if there - walk.at <= _NEAR or len(found) == 1 else None


def _places(words: list[str]) -> dict[_Three, list[int]]:
    places: dict[_Three, list[int]] = {}
    for at in range(len(words) - 2):
        places.setdefault((words[at], words[at + 1], words[at + 2]), []).append(at)
    return places


def _verdict(votes: Counter[int], marked: Marked) -> tuple[Mark, str] | None:
    if not votes:
        return None
    return marked.meaning[votes.most_common(1)[0][0]]


def _filled(
    lines: Sequence[str], known: Sequence[tuple[Mark, str] | None]
) -> list[tuple[Mark, str]]:
    """Lines whose words are not in the HTML belong to what is around them, or are new."""
    below: list[tuple[Mark, str] | None] = [None] * len(lines)
    for at in range(len(lines) - 1, -1, -1):
        below[at] = known[at] or (below[at + 1] if at + 1 < len(lines) else None)
    out: list[tuple[Mark, str]] = []
    above: tuple[Mark, str] = (Mark.NEW, "")
    for at, line in enumerate(lines):
        above = known[at] or _between(line, above, below[at])
        out.append(above)
    return out


def _between(
    line: str, above: tuple[Mark, str], below: tuple[Mark, str] | None
) -> tuple[Mark, str]:
    """What a line is of which the HTML does not know a word."""
    if below is None or above[0] is below[0]:
        return above
    drawn = not any(c.isalnum() for c in line)  # a line across the page opens what is below it
    return below if drawn else (Mark.NEW, "")
