"""Which words of a mail's HTML its client marked as quoted, or as a signature.

One pass over the tags, linear in the length, without a parser: names of elements, classes and ids
of the common clients are enough, and no element has to be well formed.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

MAX_HTML = 600_000  # characters looked at
_MAX_TAGS = 30_000
MAX_WORDS = 60_000
# First words of the red line that a mail server puts above a mail from outside.
_WARNINGS = frozenset(
    {"caution", "external", "warning", "attention", "achtung", "extern", "aviso", "attenzione"}
)
_MAX_DEPTH = 400  # open elements remembered
_MAX_ATTRIBUTES = 2000  # characters of one tag
WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9:-]{0,30}")
_ATTRIBUTE = re.compile(
    r"\s(class|id|type|cite|name|style|color|data-marker)\s?=\s?(\"[^\"]{0,900}\"|'[^']{0,900}'|[^\s>\"']{1,300})",
    re.IGNORECASE,
)
_VOID = frozenset("br hr img input meta link area base col embed source track wbr".split())  # noqa: SIM905
_BORDER = re.compile(r"border-top:\s?(?:solid|[0-9.]{1,4}p[tx]|#|rgb)")
_SIDE = re.compile(r"border-left(?:-width|-style)?:(?!\s?(?:none|0|medium none))")
_RED = re.compile(r"(?:^|[;\s])color:\s?(?:red|#f00|#ff0000|#c00000|rgb\(255, ?0, ?0\))")
_LABELS_NEAR = 700  # characters below an element in which a header block shows itself


class Mark(StrEnum):
    """What an element says of the words in it."""

    NEW = "v"
    QUOTE = "q"
    HOLDER = "h"  # holds the heading and the quote; what follows the quote inside is new
    REST = "r"  # and all that follows in the mail
    SIGNATURE = "s"
    INDENTED = "i"  # new, although a text shows it behind ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The words of the HTML in order, and for each the index of its mark in `marks`."""

    words: list[str]
    marks: list[int]
    meaning: list[tuple[Mark, str]]  # no HOLDER, no REST; and the element that says so
    red: bool = False  # whether words in red stand in what is quoted to the end


# (attribute, how it is found in the value, mark, name of the client)
_HOLDERS = (
    ("class", "gmail_quote", "Gmail"),
    ("class", "protonmail_quote", "Proton Mail"),
    ("name", "messagereplysection", "Spark"),
    ("class", "zmail_extra", "Zoho"),
)
_QUOTES = (
    ("class", "yahoo_quoted", "Yahoo"),
    ("id", "yahoo_quoted", "Yahoo"),
    ("id", "olk_src_body_section", "Outlook for Mac"),
    ("id", "mail-editor-reference-message-container", "Outlook"),
    ("class", "moz-cite-prefix", "Thunderbird"),
    ("class", "moz-forward-container", "Thunderbird"),
    ("class", "gmail_attr", "Gmail"),
    ("id", "reply-intro", "Roundcube"),
    ("data-marker", "__quoted_text__", "Zimbra"),
    ("data-marker", "__headers__", "Zimbra"),
    ("class", "tutanota_quote", "Tuta"),
    ("id", "blockquote_zmail", "Zoho"),
    ("class", "freshdesk_quote", "Freshdesk"),
    ("class", "gmx_quote", "GMX"),
)
_SIGNATURES = (
    ("class", "gmail_signature", "Gmail"),
    ("class", "moz-signature", "Thunderbird"),
    ("id", "applemailsignature", "Apple Mail"),
    ("id", "ms-outlook-mobile-signature", "Outlook mobile"),
    ("class", "protonmail_signature_block", "Proton Mail"),
    ("id", "composer_signature", "Samsung"),
    ("id", "_rc_sig", "Roundcube"),
    ("class", "k9mail-signature", "K-9"),
    ("name", "messagesignaturesection", "Spark"),
    ("data-marker", "__sig_pre__", "Zimbra"),
    ("data-marker", "__sig_post__", "Zimbra"),
)


@dataclass(slots=True, kw_only=True)
class _Element:
    name: str
    mark: Mark | None = None
    why: str = ""
    whole: bool = True  # of a holder: no quote has ended in it yet
    first: bool = True  # of a holder: nothing was said in it yet
    red: bool = False


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Where a scan is; `read` fills it."""

    stack: list[_Element] = field(default_factory=list)
    marked: list[_Element] = field(default_factory=list)  # of the stack, those with a mark
    open: Counter[str] = field(default_factory=Counter)  # of the stack, how many of each name
    rest: str = ""  # from here on all is quoted, by this
    reds: int = 0  # of the stack, those in red
    red: bool = False
    words: list[str] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    meaning: dict[tuple[Mark, str], int] = field(default_factory=lambda: {(Mark.NEW, ""): 0})


def read(source: str) -> Marked | None:
    """The words of HTML with their marks; None where none says anything, or it is too much."""
    small = source[:MAX_HTML].lower()
    if not any(hint in small for hint in _HINTS):
        return None
    reading = _Reading()
    for count, (tag, text, at) in enumerate(_pieces(small)):
        if count > _MAX_TAGS or len(reading.words) > MAX_WORDS:
            return None
        if tag:
            _open_or_close(reading, tag, small, at)
        if text:
            _say(reading, text)
    if len(reading.meaning) == 1:
        return None
    return Marked(
        words=reading.words, marks=reading.marks, meaning=list(reading.meaning), red=reading.red
    )


_HINTS = (
    *{value for _, value, _ in (*_HOLDERS, *_QUOTES, *_SIGNATURES)},
    "blockquote",
    "divrplyfwdmsg",
    "border-top",
    "zwchr",
    "ymail_android_quoted_text_header",
    "stopspelling",
    'name="quote"',
    "signature",
)


def _pieces(small: str) -> Iterator[tuple[str, str, int]]:
    """(tag without its brackets, the text behind it, where that begins), each once."""
    at = small.find("<")
    yield "", small[: at if at >= 0 else len(small)], 0
    endless: set[str] = set()  # what has no end is not looked for again
    while 0 <= at < len(small):
        comment = small.startswith("<!--", at)
        end = _find(small, "-->", at, endless) + 2 if comment else -1
        end = end if end > 1 else small.find(">", at)
        if end < 0:
            return
        tag = small[at + 1 : min(end, at + _MAX_ATTRIBUTES)]
        closing = _find(small, f"</{skipped}", end, endless) if (skipped := _hidden(tag)) else -1
        if closing >= 0:
            end, tag = closing - 1, ""
        following = small.find("<", end + 1)
        until = following if following >= 0 else len(small)
        yield tag, small[end + 1 : until], end + 1
        at = following


def _find(small: str, what: str, at: int, endless: set[str]) -> int:
    """Where `what` comes next, -1 for nowhere."""
    found = -1 if what in endless else small.find(what, at)
    if found < 0:
        endless.add(what)
    return found


def _hidden(tag: str) -> str:
    return next((name for name in ("style", "script", "title") if tag.startswith(name)), "")


# --- elements ----------------------------------------------------------------------------


def _open_or_close(reading: _Reading, tag: str, small: str, at: int) -> None:
    match = _NAME.match(tag)
    if match is None:
        return
    name = match.group()
    if name.startswith("/"):
        _close(reading, name[1:])
        return
    element = _element(name, tag, small, at)
    if element.mark is Mark.REST:
        reading.rest = reading.rest or element.why
        return
    if name in _VOID or tag.endswith("/") or len(reading.stack) >= _MAX_DEPTH:
        return
    reading.stack.append(element)
    reading.open[name] += 1
    reading.reds += element.red
    if element.mark:
        reading.marked.append(element)


def _close(reading: _Reading, name: str) -> None:
    """Close the nearest element of this name, and those left open in it."""
    if not reading.open[name]:
        return
    stack = reading.stack
    at = next(i for i in range(len(stack) - 1, -1, -1) if stack[i].name == name)
    reading.open.subtract(e.name for e in stack[at:])
    reading.reds -= sum(e.red for e in stack[at:])
    gone = [e for e in stack[at:] if e.mark]
    del stack[at:]
    if gone:
        del reading.marked[len(reading.marked) - len(gone) :]
        outer = reading.marked[-1] if reading.marked else None
        if outer and outer.mark is Mark.HOLDER and any(e.name == "blockquote" for e in gone):
            outer.whole = False


def _element(name: str, tag: str, small: str, at: int) -> _Element:
    given = {key: value.strip("\"'") for key, value in _ATTRIBUTE.findall(tag)}
    if not given:
        return _Element(name=name)
    mark, why = _meaning(name, given, small, at)
    red = given.get("color") in ("red", "#ff0000") or _RED.search(given.get("style", ""))
    return _Element(name=name, mark=mark, why=why, red=bool(red))


def _meaning(name: str, given: dict[str, str], small: str, at: int) -> tuple[Mark | None, str]:
    if name == "blockquote":
        return _cited(given)
    for mark, table in (
        (Mark.HOLDER, _HOLDERS),
        (Mark.QUOTE, _QUOTES),
        (Mark.SIGNATURE, _SIGNATURES),
    ):
        for key, value, why in table:
            if value in given.get(key, ""):
                return mark, why
    named = (given.get("id", ""), *given.get("class", "").split())
    if any(one.endswith("signature") for one in named):
        return Mark.SIGNATURE, "an element of that name"
    if name == "div" and given.get("name") == "quote":
        return Mark.HOLDER, "GMX or web.de"
    return _outlook(given, small, at)


def _cited(given: dict[str, str]) -> tuple[Mark | None, str]:
    """A blockquote is a quote where its client says so, or draws a line at its side."""
    kind = given.get("class", "")
    for value, why in (
        ("gmail_quote", "Gmail"),
        ("protonmail_quote", "Proton Mail"),
        ("tutanota_quote", "Tuta"),
        ("clean_bq", "Airmail"),
        ("front-blockquote", "Front"),
    ):
        if value in kind:
            return Mark.QUOTE, why
    if given.get("type") == "cite" or given.get("cite"):
        return Mark.QUOTE, "type=cite (Apple Mail, Thunderbird, others)"
    if "border:none" in given.get("style", "").replace(" ", ""):
        return Mark.INDENTED, "Gmail"
    if _SIDE.search(given.get("style", "")):
        return Mark.QUOTE, "a line at its side"
    return None, ""


def _outlook(given: dict[str, str], small: str, at: int) -> tuple[Mark | None, str]:
    """Outlook, Zimbra, Windows Mail and Yahoo on phones say where a quote begins, not its end."""
    if given.get("id") in ("divrplyfwdmsg", "stopspelling"):
        return Mark.REST, "Outlook on the web"
    if given.get("id") == "appendonsend" and _near(small, "divrplyfwdmsg", at):
        return Mark.REST, "Outlook on the web"
    if given.get("id") == "zwchr":
        return Mark.REST, "Zimbra"
    if given.get("id") == "ymail_android_quoted_text_header":
        return Mark.REST, "Yahoo on a phone"
    if _BORDER.search(given.get("style", "")) and _labels(small[at : at + _LABELS_NEAR]):
        return Mark.REST, "Outlook"
    return None, ""


def _near(small: str, what: str, at: int) -> bool:
    return small.find(what, at, at + _LABELS_NEAR) >= 0


def _labels(near: str) -> bool:
    """Whether labels in bold follow, as in "<b>From:</b>": three of them, in any language."""
    return len(_BOLD_LABEL.findall(near)) >= 3


_BOLD_LABEL = re.compile(r"<(?:b|strong)\b[^<>]{0,200}>(?:<[^<>]{0,200}>){0,3}[^<>:]{1,30}:")


# --- words -------------------------------------------------------------------------------


def _say(reading: _Reading, text: str) -> None:
    words = WORD.findall(html.unescape(text))
    if words:
        key = _now(reading, text)
        index = reading.meaning.setdefault(key, len(reading.meaning))
        reading.words += words
        reading.marks += [index] * len(words)


def _now(reading: _Reading, text: str) -> tuple[Mark, str]:
    """What the open elements say of a piece of text."""
    if why := next((e.why for e in reading.marked if _quotes(e, text)), ""):
        return Mark.QUOTE, why
    if reading.rest:
        said = WORD.search(text)
        warned = said is None or said.group() in _WARNINGS
        reading.red = reading.red or (reading.reds > 0 and not warned)
        return Mark.QUOTE, reading.rest
    for mark in (Mark.SIGNATURE, Mark.INDENTED):
        if why := next((e.why for e in reading.marked if e.mark is mark), ""):
            return mark, why
    return Mark.NEW, ""


def _quotes(element: _Element, text: str) -> bool:
    """Whether a piece of text in this element is quoted."""
    if element.mark is not Mark.HOLDER:
        return element.mark is Mark.QUOTE
    if element.first:
        element.first = False
        # A forward has a divider; what is quoted in it has an end, the forward has not.
        element.mark = Mark.QUOTE if text.strip().startswith("-----") else element.mark
    return element.whole
