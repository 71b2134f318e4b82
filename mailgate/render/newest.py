"""The new words of a mail as HTML: only so much of it as says what was found in its text.

The text decides. A piece of HTML is used when it says the text's words, in their order, and not one
more; else there is none, and the text is shown. So no fault in here can show a reader a quote, a
signature or a note that the text does not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape, unescape
from re import ASCII, IGNORECASE
from re import compile as regex

from mailgate.render.html import dropped, safe_html

MAX_NEW = 32 * 1024  # characters of new words with their tags; bleach takes 4 ms for each 1,000

_TOKEN = regex(r"<[a-z/!?][^<>]*>|[^<]+|<", IGNORECASE)
_NO_LETTER = regex(r"[\W_]+")
_CHARACTER = regex(r"&#?\w{1,32};|.", ASCII | IGNORECASE)
# What stands for a picture, or beside the words of a link, where a client makes text of its HTML.
_PICTURE = regex(r"\[(?:image|cid|inline image)\s?:[^\]\n]{0,300}\]", IGNORECASE)
_TARGET = regex(r"\]\([^()\s]{0,2000}\)|<(?:https?|mailto|tel):[^<>\s]{0,2000}>", IGNORECASE)
_NUMBERED = regex(r"(?m)^[ \t]*[0-9]{1,3}[.)][ \t]")
# Where clients begin their quote or signature.
_BEYOND = regex(
    r"<blockquote\b|<hr\b|type=[\"']?cite|gmail_(?:quote|attr|signature|extra)|moz-cite-prefix"
    r"|moz-signature|moz-forward|yahoo_quoted|divRplyFwdMsg|appendonsend|protonmail_quote"
    r"|zmail_extra|id=[\"']?(?:x_)*Signature|ms-outlook-mobile|AppleMailSignature"
    r"|border-top:\s?solid",
    IGNORECASE,
)
_QUOTE_TAG = regex(r"<(/?)blockquote\b", IGNORECASE)
# What a client writes above its quote, in an element of its own.
_HEADING = regex(
    r"<div\b[^<>]{0,500}\b(?:moz-cite-prefix|gmail_attr)\b[^<>]{0,500}>"
    r"(?:[^<]|<(?!/?div\b)){0,2000}</div>",
    IGNORECASE,
)
_MARKS = regex(r"[\W_]+")
_EMPTY_END = regex(r"(?:<br[^<>]*>|</?(?:div|p|span|font|o:p)\b[^<>]*>|&nbsp;|\s)+\Z", IGNORECASE)
# Where a quote stood above: empty elements, inside those that are still open.
_EMPTY_START = regex(
    r"\A((?:<(?:div|p|span)\b[^<>]*>){0,9})(?:<br[^<>]*>|\s|&nbsp;"
    r"|<(div|p|span|font)\b[^<>]*>(?:<br[^<>]*>|\s|&nbsp;){0,9}</\2>){1,99}",
    IGNORECASE,
)
_PICTURE_TAG = regex(r"<img\b", IGNORECASE)
_BREAK_TAG = regex(r"<br\b", IGNORECASE)


def newest(html: str, text: str) -> str:
    """The beginning of a mail's HTML that says `text`, as safe HTML, or "" where none does.

    `text` is what was found to be new in the text part. It may stand below the quote or between
    its pieces, too: then the HTML begins with it once the quotes are out. Pictures behind the last
    word still belong to it, unless a quote or signature of a known client begins before them.

    The time is not bounded by the size: call it in a process that can be killed.
    """
    source = dropped(html)
    for piece in (source, _unquoted(source)):
        for wanted in _readings(text, source):
            if safe := _beginning(piece, wanted):
                # Tags that are none may swallow words when a real parser reads them.
                return safe if fitted(safe, text) == safe else ""
    return ""


def _unquoted(source: str) -> str:
    """HTML without its quotes and what clients write above them."""
    kept, depth = [], 0
    for token in _TOKEN.finditer(_HEADING.sub("", source)):
        quote = _QUOTE_TAG.match(token[0])
        if quote is None and not depth:
            kept.append(token[0])
        elif quote:
            depth = max(0, depth + (-1 if quote[1] else 1))
    return "".join(kept)


def _beginning(source: str, wanted: str) -> str:
    """As much of HTML as says `wanted`, as safe HTML; "" where it does not begin so."""
    end = _end(source, wanted)
    cut = source[:end] + _after(source, end) if end else ""
    if len(cut) > MAX_NEW:
        return ""
    return _EMPTY_START.sub(r"\1", safe_html(_EMPTY_END.sub("", cut)))


def fitted(html: str, text: str) -> str:
    """Safe HTML that says exactly `text`: all of it, its end or its beginning, or "".

    Commands at the top of an agent's mail are words that nobody else reads; nor is what signs it.
    """
    said = "".join(letters(unescape(run)) for run in _TOKEN.findall(html) if run[:1] != "<")
    for wanted in _readings(text, html):
        if said == wanted:
            return html
        if wanted and said.endswith(wanted):
            return _without_head(html, len(said) - len(wanted))
        if wanted and said.startswith(wanted):
            return _beginning(html, wanted)
    return ""


def before_quote(html: str) -> str:
    """What stands above the quote or signature of a known client; all of it where there is none."""
    found = _BEYOND.search(html)
    return html[: found.start()] if found else html


def letters(text: str) -> str:
    """Letters and digits of a text, and nothing between them: what two renderings share."""
    return _NO_LETTER.sub("", text)


def _readings(text: str, html: str) -> Iterator[str]:
    """What a text may say in HTML: clients write links and lists in different ways."""
    bare = _PICTURE.sub("", text)
    numbered = "<ol" in html.lower()
    found = {}
    for one in (_TARGET.sub("", bare), bare):
        found[letters(one)] = True
        if numbered:
            found[letters(_NUMBERED.sub("", one))] = True
    return (one for one in found if one)


def _end(source: str, wanted: str) -> int:
    """The place behind the last letter of `wanted`, with which the source begins; else 0."""
    have = 0
    for token in _TOKEN.finditer(source):
        run = token[0]
        if run[0] == "<":
            continue
        said = letters(unescape(run))
        left = len(wanted) - have
        if not wanted.startswith(said[:left], have):
            return 0
        if len(said) >= left:
            return token.start() + _letters_long(run, left)
        have += len(said)
    return 0


def _letters_long(run: str, count: int) -> int:
    """The length of the beginning of a run of text that holds `count` letters."""
    at = 0
    for character in _CHARACTER.finditer(run.replace("\n", " ")):
        if count <= 0:
            break
        count -= len(letters(unescape(character[0])))
        at = character.end()
    return at


def _after(source: str, at: int) -> str:
    """What still belongs to the last word: the marks that end it, closing tags, pictures."""
    kept = []
    for token in _TOKEN.finditer(source, at):
        run = token[0]
        if run[0] != "<":
            marks = _MARKS.match(said := unescape(run))
            kept.append(escape(marks[0].rstrip(" -–—_=*|>")) if marks else "")
            if letters(said):
                break
        elif _BEYOND.search(run):
            break
        else:
            kept.append(run)
    return "".join(kept)


def _without_head(html: str, count: int) -> str:
    """The HTML without its first `count` letters, its tags kept."""
    kept = []
    for token in _TOKEN.finditer(html):
        run = token[0]
        if count <= 0:
            kept.append(html[token.start() :])
            break
        if run[0] != "<":
            said = len(letters(unescape(run)))
            kept.append("" if said <= count else run[_letters_long(run, count) :].lstrip())
            count -= said
        elif not (_PICTURE_TAG.match(run) or _BREAK_TAG.match(run)):
            kept.append(run)
    return "".join(kept)
