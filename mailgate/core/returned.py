"""A customer's new words, told from our own mail that came back with them.

Many clients copy a mail without marks, or keep what is typed into a quote within its marks: by the
mail alone, an answer that stands there is folded with the quote, and one below it cannot be told
from it. But we know what our mail said: a line in the copy that it does not hold is new. Nothing is
deleted: each line stays in exactly one of `visible`, `quoted` and `signature`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mailgate.core import between, strip
from mailgate.core.mail import ParsedMail
from mailgate.core.strip_headings import MAX_LINE, Page, headings, label
from mailgate.core.strip_words import LABELS

_MOST = 200  # characters of our mail that a client may leave out between two lines
_LEAST = 2  # lines of ours with words, for a copy
_WHOLE = 0.8  # of our mail


def unclear(mail: ParsedMail) -> bool:
    """Whether new words may stand in what a mail quotes, or a quote in its new words."""
    return bool(mail.quoted.strip()) or any(cut.startswith("kept: ") for cut in mail.cuts)


def told_apart(mail: ParsedMail, ours: Sequence[str]) -> ParsedMail:
    """The mail with its new words as far as they can be told by `ours`: what the mail of ours that
    it answers said, its text first and its HTML second; () where that is not known."""
    if not any(ours) or max(len(mail.text), sum(map(len, ours))) > between.MAX_SAID:
        return mail  # too much to look through while others wait
    if not mail.quoted.strip():
        return _below(mail, ours)
    return _between(mail, ours)


def _between(mail: ParsedMail, ours: Sequence[str]) -> ParsedMail:
    """Words that were typed into the quote are to be seen, and so is what they answer."""
    typed = between.lost(mail.text, mail.visible, mail.signature, ours)
    if not typed:
        return mail
    signed = Counter(line for line in mail.signature.split("\n") if line.strip())
    seen = Counter(line for line in mail.visible.split("\n") if line.strip())
    parts: dict[str, list[str]] = {"v": [], "q": [], "s": []}
    kind = "v"
    for at, line in enumerate(mail.text.split("\n"), 1):
        if signed[line] > 0:
            signed[line] -= 1
            parts["s"].append(line)
            continue
        if line.strip():  # a blank line goes with the one before it
            kind = "v" if at <= typed[-1][0] or seen[line] > 0 else "q"
            seen[line] -= 1
        parts[kind].append(line)
    why = f"kept: words that our mail does not hold stand in the quote at line {typed[0][0]}"
    return replace(
        mail,
        visible="\n".join(parts["v"]),
        quoted="\n".join(parts["q"]),
        cuts=(*mail.cuts, why),
        new_html="",  # it shows less
    )


def _below(mail: ParsedMail, ours: Sequence[str]) -> ParsedMail:
    """A copy of our mail above everything else is no new word."""
    lines = mail.visible.split("\n")
    begin = _headed(lines)
    end = max(_copied(lines, begin, said) for said in between.readings(ours)) if begin else 0
    rest = "\n".join(lines[end:])
    if not end or not rest.strip():
        return mail
    below = strip.strip(rest)
    copied = "\n".join(lines[:end])
    return replace(
        mail,
        visible=below.visible,
        quoted=_joined(copied, below.quoted),
        signature=_joined(mail.signature, below.signature),
        cuts=("quote: our own mail, above the answer at line 1",),
        new_html="",
    )


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _headed(lines: Sequence[str]) -> int:
    """The end of what a client wrote above a mail it copied at the very top; 0 for nothing."""
    seen = [line[:MAX_LINE].rstrip("\r") for line in lines[: between.MAX_LINES]]
    first = next((at for at, line in enumerate(seen) if line.strip()), 0)
    heads = headings(Page(lines=seen, quoted=[False] * len(seen)), len(seen))
    found = next((head for head in heads if head.at >= first), None)
    if found is None or found.at != first:
        return 0
    at = found.at + found.count
    while at < len(seen) and (not seen[at].strip() or label(seen[at])[0] in LABELS):
        at += 1
    return at


def _copied(lines: Sequence[str], begin: int, said: str) -> int:
    """Where a copy of our mail that begins at line `begin` ends; 0 where there is none.

    Its words come in their order. A client may leave out some of them, and nothing at the end but
    what is short.
    """
    said = f" {between.words(said)} "
    found = read = end = 0
    for at, line in enumerate(lines[begin : between.MAX_LINES], begin):
        words = between.words(line)
        if not words:
            continue
        here = said.find(f" {words} ", read, read + _MOST + len(words))
        if here < 0:
            break
        read, found, end = here + len(words) + 1, found + 1, at + 1
    return end if found >= _LEAST and read >= len(said) * _WHOLE else 0
