"""The HTML of strangers: made safe by two sanitisers in a row, or flattened to text by a scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape, unescape
from re import ASCII, IGNORECASE, Match
from re import compile as regex

import nh3
from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


MAX_HTML = 128 * 1024  # octets of UTF-8; above that bleach alone may need many seconds
PLAIN_OPEN = '<pre data-plain="1">'  # begins what was too large to be kept as HTML

_TAGS = _set(
    "a abbr b big blockquote br caption center code col colgroup dd del div dl dt em font h1 h2 h3"
    " h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table tbody"
    " td tfoot th thead tr tt u ul"
)
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "*": _set("align bgcolor border color dir height lang style title valign width"),
    "a": frozenset({"href"}),
    "font": frozenset({"face", "size"}),
    "img": frozenset({"alt", "src"}),
    "ol": frozenset({"start", "type"}),
    "table": frozenset({"cellpadding", "cellspacing"}),
    "td": frozenset({"colspan", "rowspan"}),
    "th": frozenset({"colspan", "rowspan"}),
}
# Nothing that loads, moves, covers or hides: a mail must not paint over the page around it.
_CSS = _set(
    "background-color border border-bottom border-collapse border-color border-left border-right"
    " border-spacing border-style border-top border-width color direction font font-family"
    " font-size font-style font-weight height max-width padding padding-bottom padding-left"
    " padding-right padding-top text-align text-decoration vertical-align white-space width"
)
MAX_NESTING = 1000  # elements open at a time; bleach is quadratic in them
_MAX_WORDS = 2000  # in one tag; it is quadratic in attributes too
_SET_HERE = ("rel", "target")  # by nh3 itself; bleach has removed the sender's
_LINK = regex(r"(?:https?|mailto|tel):", IGNORECASE | ASCII)
# bleach reads CSS without decoding entities; mail programs write quotes in it as &quot;.
_STYLE = regex(r'style="[^"<>]*"', IGNORECASE)
# Elements whose text is no text for readers. Comments go with them.
_UNREAD = (
    "script style title template noscript textarea xmp iframe noembed noframes object svg math"
)
_DROP_OPEN = regex(rf"<!--|<({_UNREAD.replace(' ', '|')})(?=[\s/>])", IGNORECASE | ASCII)
_DROP_CLOSE = {tag: regex(rf"</{tag}[^>]*>?", IGNORECASE | ASCII) for tag in _UNREAD.split()}
_DROP_CLOSE["!--"] = regex("-->")
# Elements that hold nothing, or that the next of their kind closes: they may stay open.
_FLAT = _set("area br col dd dt embed hr img input li link meta option p source td th tr wbr")
_TAG = regex(r"<(/?)([a-z][^\s<>/]*)([^<>]*)", IGNORECASE | ASCII)
_BREAKS = regex(r"(?:br|p|div|tr|li|h[1-6]|blockquote|table|ul|ol)\b", IGNORECASE | ASCII)


def _keep(allow_cid: bool, tag: str, name: str, value: str) -> bool:
    if name not in _ATTRIBUTES["*"] | _ATTRIBUTES.get(tag, frozenset()):
        return False
    if name == "href":
        return _LINK.match(value) is not None
    if name == "style":
        return "\\" not in value  # CSS escapes have no honest use here
    if name == "src":
        return allow_cid and value.lower().startswith("cid:")
    return True


def safe_html(html: str, allow_cid: bool = True) -> str:
    """HTML of a stranger as HTML that runs nothing, loads nothing and stays in its place.

    Links may lead to http, https, mailto and tel; pictures only to parts of the mail (`cid:`),
    and with `allow_cid` False nowhere. Above MAX_HTML octets or MAX_NESTING open elements the
    result is escaped plain text that begins with PLAIN_OPEN. Two sanitisers in a row: no slip of
    one is enough.

    The time is not bounded by the size: call it in a process that can be killed.
    """
    octets = html.encode("utf-8", "replace")  # lone surrogates, which nh3 refuses, become "?"
    html = octets.decode()
    if len(octets) > MAX_HTML or _too_dense(html):
        return f"{PLAIN_OPEN}{escape(plain_text(html))}</pre>"
    first = Cleaner(
        tags=_TAGS,
        attributes=lambda tag, name, value: _keep(allow_cid, tag, name, value),
        protocols={"http", "https", "mailto", "tel", "cid"},
        strip=True,
        strip_comments=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=_CSS, allowed_svg_properties=()),
    )
    return nh3.clean(
        first.clean(_STYLE.sub(_single_quotes, dropped(html))),
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=lambda tag, name, value: (
            value if name in _SET_HERE or _keep(allow_cid, tag, name, value) else None
        ),
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        filter_style_properties=set(_CSS),
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _too_dense(html: str) -> bool:
    """Whether cleaning would take seconds, judged by one linear look at the tags."""
    opened: Counter[str] = Counter()
    depth = 0
    for tag in _TAG.finditer(html):
        closing, name, rest = tag[1], tag[2].lower(), tag[3]
        if len(rest) > _MAX_WORDS and len(rest.split()) > _MAX_WORDS:
            return True
        if name in _FLAT or (closing and not opened[name]):
            continue
        step = -1 if closing else 1
        opened[name] += step
        depth += step
        if depth > MAX_NESTING:
            return True
    return False


def _single_quotes(style: Match[str]) -> str:
    return style[0].replace("&quot;", "'")


def dropped(html: str) -> str:
    """The source without unread elements and comments; an unclosed one runs to the end."""
    kept: list[str] = []
    at = 0
    while (start := _DROP_OPEN.search(html, at)) is not None:
        kept.append(html[at : start.start()])
        end = _DROP_CLOSE[(start[1] or "!--").lower()].search(html, start.end())
        at = end.end() if end else len(html)
    return "".join((*kept, html[at:]))


def plain_text(html: str) -> str:
    """The text of HTML by one linear scan; at most MAX_HTML characters, no claim to beauty."""
    pieces: list[str] = []
    source = dropped(html)
    at = size = 0
    while at < len(source) and size < MAX_HTML:
        start = source.find("<", at)
        pieces.append(source[at : start if start >= 0 else len(source)])
        size += len(pieces[-1])
        end = source.find(">", start) if start >= 0 else -1
        if end < 0:
            break
        if _BREAKS.match(source, start + 1):
            pieces.append("\n")
        at = end + 1
    text = unescape("".join(pieces))
    return text if len(text) <= MAX_HTML else text[:MAX_HTML] + " […]"
