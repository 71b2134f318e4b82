"""The text of a mail: which parts are its words, format=flowed, and HTML as text.

Part of `parse`. HTML is turned into text only when there is no plain text worth reading.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO

import html2text

from mailgate.core.charset import decode, scrub
from mailgate.core.mime import Node

MAX_TEXT = 4_000_000  # characters
_MAX_OCTETS = 4 * MAX_TEXT  # of one part that are decoded
MAX_HTML = 1_000_000
MAX_CONVERT = 256 * 1024  # characters of HTML that html2text is given
_BLOCKS = re.compile(r"</?(?:p|div|br|tr|li|h[1-6]|table|ul|ol|blockquote|hr|pre)\b", re.IGNORECASE)
_WIDE = re.compile(r"\s{20,}")
_BLANK_LINES = re.compile(r"\n{3,}")
_WORDS = re.compile(r"\w{3,}")
# Some programs put nothing but a mark without width into the plain text beside their HTML.
_SEEN = re.compile(r"[^\s\u00ad\u034f\u200b-\u200f\u2060\ufeff]")


def _verbatim(text: str, snob: bool = False) -> str:  # noqa: ARG001 - the name is theirs
    return text


# Its regular expressions are quadratic, and it would turn the signature line "-- " into "\--".
setattr(html2text, "escape_md_section", _verbatim)  # noqa: B010 - they do not export it


@dataclass(slots=True, kw_only=True)
class Words:
    """What was found on the way through the parts; filled by `collect`."""

    html: str = ""
    used: set[int] = field(default_factory=set)  # parts that are body, not attachments
    defects: set[str] = field(default_factory=set)
    both: bool = False  # HTML stood beside plain text that says the same, or should
    room: int = MAX_TEXT + 1  # characters; one more than fits, so that a cut shows


def _lines(text: str) -> Iterator[str]:
    """Lines one at a time: a list of millions would take many times the text's memory."""
    at = 0
    while (end := text.find("\n", at)) >= 0:
        yield text[at:end]
        at = end + 1
    yield text[at:]


def unflow(text: str, delsp: bool) -> str:
    """Undo format=flowed (RFC 3676, section 4): lines ending in a space go on in the next."""
    out = StringIO()
    depth, begun = -1, False  # of the paragraph that may go on
    for line in _lines(text):
        rest = line.lstrip(">")
        quotes = len(line) - len(rest)
        rest = rest[1:] if rest.startswith(" ") else rest
        if depth < 0 or quotes != depth or rest == "-- ":
            out.write(f"{chr(10) if begun else ''}{'>' * quotes}{' ' if quotes else ''}")
        flowed = rest.endswith(" ") and rest != "-- "
        out.write(rest[:-1] if flowed and delsp else rest)
        depth, begun = (quotes if flowed else -1), True
    return out.getvalue()


def _plain(node: Node, words: Words) -> str:
    """The text of a text/* part, lines ending in LF."""
    data, broken = node.content()
    done = decode(data[:_MAX_OCTETS], node.params.get("charset", ""))
    words.defects |= {d for d in (broken, done.defect) if d}
    text = scrub(done.text.replace("\r\n", "\n").replace("\r", "\n"))[: MAX_TEXT + 1]
    if node.kind == "text/plain" and node.params.get("format", "").lower() == "flowed":
        text = unflow(text, node.params.get("delsp", "").lower() == "yes")
    return text


def _without_tags(source: str) -> str:
    """Text between tags, found by a scan that is linear whatever the input."""
    out: list[str] = []
    small = source.lower()
    at = 0
    while (start := source.find("<", at)) >= 0:
        out.append(source[at:start])
        hidden = next((t for t in ("script", "style", "!--") if small.startswith(t, start + 1)), "")
        closing = {"": ">", "!--": "-->"}.get(hidden, f"</{hidden}")
        end = source.find(closing, start) if hidden == "!--" else small.find(closing, start)
        if end < 0:
            at = len(source)
            break
        out.append("\n" if _BLOCKS.match(source, start) else "")
        at = end if hidden in ("script", "style") else end + len(closing)
    return html.unescape("".join([*out, source[at:]]))


def _dense(source: str) -> bool:
    """Whether html2text would take seconds: it is quadratic in open tags, levels and comments."""
    small = source.lower()
    opened = small.count("<")
    return (
        opened > 12_000
        or opened - small.count(">") > 200
        or small.count("<!") > 200
        or small.count("<li") > 1000
        or small.count("<blockquote") > 200
        or small.count("&") > 20_000
    )


def to_text(source: str) -> tuple[str, str]:
    """HTML as plain text, and "html-too-large" where only its tags could be taken out."""
    if len(source) > MAX_CONVERT or _dense(source):
        text, defect = _without_tags(source[: 8 * MAX_CONVERT]), "html-too-large"
    else:
        converter = html2text.HTML2Text(bodywidth=0)
        converter.ignore_images = True
        converter.ignore_emphasis = True
        converter.ignore_mailto_links = True
        converter.unicode_snob = True
        text, defect = converter.handle(_WIDE.sub("\n", source)), ""
    lines = (line.rstrip() for line in scrub(text).replace("\xa0", " ").split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n") + "\n", defect


def _fitting(text: str, words: Words) -> str:
    """As much of a text as there is room for in the whole."""
    fits = text[: words.room]
    words.room -= len(fits)
    return fits


def _is_words(node: Node, words: Words, first: bool) -> bool:
    """Whether a leaf is body text; a name makes it an attachment unless it comes first."""
    if node.disposition == "attachment" or node.kind not in ("text/plain", "text/html"):
        return False
    return not node.name or (first and not words.used)


def _leaf(node: Node, words: Words, first: bool) -> str:
    if not _is_words(node, words, first):
        return ""
    words.used.add(node.index)
    text = _plain(node, words)
    if node.kind == "text/plain":
        return _fitting(text, words)
    words.html = words.html or text[:MAX_HTML]
    if not _says(text):
        return ""
    made, defect = to_text(text)
    if defect:
        words.defects.add(defect)
    return _fitting(made, words)


def collect(node: Node, words: Words, first: bool = True) -> str:
    """The words below `node` as text; of alternatives the plain one, unless it is empty."""
    if not node.children:
        broken = node.kind.startswith("multipart/")
        return _fitting(_plain(node, words), words) if broken else _leaf(node, words, first)
    if node.kind == "multipart/alternative":
        return _alternative(node, words, first)
    texts: list[str] = []
    plain = False
    for at, child in enumerate(node.children):
        twice = child.kind == "text/html" and plain and _is_words(child, words, at == 0)
        if twice and _said_before(child, texts):
            _skip_html(child, words)
            continue
        text = collect(child, words, first and at == 0)
        if _says(text):
            texts.append(text)
            plain = plain or child.kind == "text/plain"
    return (
        "\n".join(t.removesuffix("\n") for t in texts) + "\n" if len(texts) > 1 else "".join(texts)
    )


def _says(text: str) -> bool:
    """Whether there is anything in a text that a reader sees."""
    return _SEEN.search(text) is not None


def _said_before(node: Node, texts: list[str]) -> bool:
    """Whether HTML says again what the plain text beside it said; else it goes on behind a file."""
    theirs = set(_WORDS.findall(_without_tags(_plain(node, Words())[:MAX_HTML])[:20_000].lower()))
    ours = set(_WORDS.findall("\n".join(text[:20_000] for text in texts[:5]).lower()))
    return 2 * len(theirs & ours) >= len(theirs)


def _skip_html(node: Node, words: Words) -> None:
    """Take HTML that says again what the plain text said."""
    words.used.add(node.index)
    words.both = words.both or not words.html
    words.html = words.html or _plain(node, words)[:MAX_HTML]


def _alternative(node: Node, words: Words, first: bool) -> str:
    """The first child with words wins, plain before others; the others count as read."""
    order = sorted(node.children, key=lambda child: child.kind != "text/plain")
    found = ""
    for child in order:
        if not _says(found):
            found = collect(child, words, first)
        else:
            for leaf in child.walk():
                if leaf.kind == "text/html" and leaf.disposition != "attachment":
                    _skip_html(leaf, words)
    return found


def disagree(text: str, source: str) -> bool:
    """Whether plain text and HTML say different things (reliability P9)."""
    ours = set(_WORDS.findall(text[:20_000].lower()))
    theirs = set(_WORDS.findall(_without_tags(source[:200_000]).lower()))
    return (
        len(ours) >= 8 and len(theirs) >= 8 and len(ours & theirs) * 4 < min(len(ours), len(theirs))
    )
