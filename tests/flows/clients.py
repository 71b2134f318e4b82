"""What mail clients make of a mail of ours when somebody presses Reply, for stories.

In the mails of such a story `{FORM:ADDRESS}` is our last notice to that address as a client copies
it below an answer. FORM is one of

- `text>`: the text part behind "> ", as mutt does,
- `shown>`: the text that a client makes of the HTML part, behind "> ",
- `shown`: the same without marks (Outlook, Notes, Yahoo, Samsung),
- `html`: the elements of the HTML part, as webmail and Apple Mail keep them,
- `word`: the same paragraphs as Word writes them,
- `lines`: the same as lines that end in <br>, as Notes and Samsung write them.

`{subject:ADDRESS}` is its subject without "Re:" as a header has it, `{about:ADDRESS}` the same as
people read it, `{from:ADDRESS}` the name it came from.

`{FORM:ADDRESS|FROM|TO}` is a piece of it: what comes after the words FROM (or from the beginning)
up to the words TO (or to the end). What stands between two pieces was typed into the quote.

The text of a part stands in the story as it is read. It is encoded on the way, as its
Content-Transfer-Encoding says, and flowed where its Content-Type says so.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from collections import Counter
from collections.abc import Callable
from email import message_from_string
from email.generator import Generator
from email.header import Header
from email.message import Message
from html import escape
from html.parser import HTMLParser
from io import StringIO
from quopri import encodestring
from textwrap import wrap
from typing import Any

from mailgate.core.mail import ParsedMail
from tests.flows.rig import House, Sent

_FORM = re.compile(r"\{(text>|shown>|shown|html|word|lines):([^}|]+)(?:\|([^}|]*)\|([^}|]*))?\}")
_SAID = re.compile(r"\{(subject|about|from):([^}]+)\}")
_HIDDEN = frozenset({"head", "style", "title", "script"})
_BLOCKS = frozenset({"p", "div", "tr", "table", "blockquote", "hr", "h1", "h2", "h3", "li"})
_APART = frozenset({"p", "table", "h1", "h2", "h3"})  # with a blank line before them
_WIDTH = 74
_BODY = re.compile(r"<body\b[^<>]*>(.*)</body>", re.DOTALL)


class Shapes(House):
    """A house whose people reply with clients of their own."""

    asked: tuple[str, ...] = ("agent-new", "answer")  # what they reply to

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.delivered: list[bytes] = []

    def last(self, address: str) -> Sent:
        """Our last mail to an address that asks for an answer."""
        asked = [mail for mail in self.sent(address) if mail.notice in self.asked]
        return asked[-1]

    def filled(self, text: str) -> str:
        """A text with its wishes fulfilled, those for quotes among them."""

        def copied(found: re.Match[str]) -> str:
            form, address, *ends = found.groups("")
            begin, end = (words.encode("latin-1").decode("utf-8") for words in ends)
            whole = _FORMS[form](self.last(address))
            piece = _piece(whole, begin, end, by_line=form not in ("html", "word", "lines"))
            return piece.encode("utf-8").decode("latin-1")  # as the rig reads a story's bytes

        def said(found: re.Match[str]) -> str:
            words = _said(found[1], self.last(found[2]))
            return words.encode("utf-8").decode("latin-1")

        return super().filled(_FORM.sub(copied, _SAID.sub(said, text)))

    def deliver(self, raw: bytes, **how: Any) -> int:
        """Take one mail in, its parts encoded as they say."""
        self.delivered.append(encoded(raw))
        return super().deliver(self.delivered[-1], **how)


class Bare(Shapes):
    """The same house, where mail comes without its text part."""

    def deliver(self, raw: bytes, **how: Any) -> int:
        """Take the HTML of a mail in, or the mail where it has none."""
        return super().deliver(html_alone(raw), **how)


def html_alone(raw: bytes) -> bytes:
    """A mail as if its client had written no text beside the HTML."""
    head, _, body = raw.partition(b"\r\nContent-Type: multipart/alternative;")
    if not body:
        return raw
    boundary = body.split(b'"')[1]
    page = body.split(b"--" + boundary)[2]
    return head + page


def lines_of(text: str) -> Counter[str]:
    """The lines of a text that say something."""
    return Counter(line for line in text.split("\n") if line.strip())


def apart(name: str, mail: ParsedMail) -> list[str]:
    """What a reply was taken to be."""
    out = ["", f"--- {name}", *(f"  {cut}" for cut in mail.cuts)]
    for part in ("visible", "signature"):
        lines = [line for line in getattr(mail, part).split("\n") if line.strip()]
        out += [f"  {part}: {lines[0]}" if lines else f"  {part}: nothing"]
        out += [f"    {line}" for line in lines[1:4]]
        out += [f"    ... {len(lines) - 4} more lines"] if len(lines) > 4 else []
    quoted = sum(bool(line.strip()) for line in mail.quoted.split("\n"))
    return [*out, f"  quoted: {quoted} lines"]


def encoded(raw: bytes) -> bytes:
    """A mail whose parts are written out, with each part encoded as its headers say."""
    mail = message_from_string(raw.decode("latin-1").replace("\r\n", "\n"))
    for part in mail.walk():
        if not part.is_multipart():
            _encode(part)
    out = StringIO()
    Generator(out, mangle_from_=False, maxheaderlen=0).flatten(mail, linesep="\r\n")
    return out.getvalue().encode("latin-1")


def _encode(part: Message) -> None:
    lines = str(part.get_payload()).encode("latin-1")
    if part.get_param("format") == "flowed":
        lines = b"\n".join(_flowed(line) for line in lines.split(b"\n"))
    how = str(part["Content-Transfer-Encoding"] or "").lower()
    if how == "base64":
        lines = encodebytes(lines.replace(b"\n", b"\r\n"))
    elif how == "quoted-printable":
        lines = encodestring(lines)
    part.set_payload(lines.decode("latin-1"))


def _flowed(line: bytes) -> bytes:
    """One line as RFC 3676 has it: soft breaks end in a space, the quote marks on each piece."""
    text = line.decode("utf-8")
    if len(text) <= _WIDTH or " " not in text:
        return line
    marks = re.match(r"(?:>+ ?)?", text)
    lead = marks[0] if marks else ""
    pieces = wrap(text[len(lead) :], _WIDTH - len(lead), break_long_words=False)
    return " \n".join(lead + piece for piece in pieces).encode("utf-8")


def _piece(whole: str, begin: str, end: str, *, by_line: bool) -> str:
    if by_line:
        lines = whole.split("\n")
        first = _line_with(lines, begin) + 1 if begin else 0
        last = _line_with(lines, end) + 1 if end else len(lines)
        return "\n".join(lines[first:last])
    first = whole.index(begin) + len(begin) if begin else 0
    return whole[first : whole.index(end) + len(end) if end else len(whole)]


def _line_with(lines: list[str], words: str) -> int:
    return next(at for at, line in enumerate(lines) if words in line)


def _said(what: str, mail: Sent) -> str:
    if what == "from":
        return str(mail.mail["From"].addresses[0].display_name)
    subject = str(mail.mail["Subject"]).removeprefix("Re: ")
    plain = what == "about" or subject.isascii()
    return subject if plain else Header(subject, "utf-8", maxlinelen=1000).encode()


# --- forms -----------------------------------------------------------------------------------


def _text(notice: Sent) -> str:
    body = notice.mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n").strip("\n")


def _html(notice: Sent) -> str:
    """What stands in the body: no client keeps a head, or styles that are not inline."""
    body = notice.mail.get_body(("html",))
    assert body is not None
    found = _BODY.search(str(body.get_content()).replace("\r\n", "\n"))
    assert found is not None
    return found[1].strip("\n")


class _Reader(HTMLParser):
    """The lines that a page shows; links as clients write them into text, or as elements."""

    def __init__(self, *, linked: Callable[[str, str], str], plain: Callable[[str], str]) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self._hidden = 0
        self._link, self._label = "", ""
        self._linked, self._plain = linked, plain

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        if tag == "a":
            self._link, self._label = dict(attrs).get("href") or "", ""
        elif tag == "td" and self.lines[-1]:
            self.lines[-1] += "\t"
        elif tag == "br" or (tag in _BLOCKS and self.lines[-1]):
            self.lines.append("")
        if tag in _APART and len(self.lines) > 1 and self.lines[-2]:
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN
        if tag == "a" and self._link:
            self.lines[-1] += self._linked(self._label.strip(), self._link)
            self._link = ""
        elif tag in _BLOCKS and self.lines[-1]:
            self.lines.append("")
            if tag in _APART:
                self.lines.append("")

    def handle_data(self, data: str) -> None:
        said = re.sub(r"\s+", " ", data)
        if self._hidden:
            return
        if self._link:
            self._label += said
        elif said.strip() or (self.lines[-1] and not self.lines[-1].endswith("\t")):
            self.lines[-1] += self._plain(said.lstrip() if not self.lines[-1] else said)


def _shown_lines(
    notice: Sent, linked: Callable[[str, str], str], plain: Callable[[str], str] = str
) -> list[str]:
    reader = _Reader(linked=linked, plain=plain)
    reader.feed(_html(notice))
    lines = [line.rstrip(" ") for line in reader.lines]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return text.split("\n")


def _shown(notice: Sent) -> list[str]:
    lines = _shown_lines(notice, lambda label, link: f"{label} <{link}> ")
    pieces = [wrap(one, _WIDTH, break_long_words=False, break_on_hyphens=False) for one in lines]
    return [one for line in pieces for one in (line or [""])]


def _elements(notice: Sent) -> list[str]:
    return _shown_lines(
        notice,
        lambda label, link: f'<a href="{escape(link)}">{escape(label)}</a>&nbsp; ',
        escape,
    )


def _marked(lines: list[str]) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def _as_word(notice: Sent) -> str:
    return "\n".join(
        f'<p class="MsoNormal">{line or "&nbsp;"}<o:p></o:p></p>' for line in _elements(notice)
    )


_FORMS: dict[str, Callable[[Sent], str]] = {
    "text>": lambda notice: _marked(_text(notice).split("\n")),
    "shown>": lambda notice: _marked(_shown(notice)),
    "shown": lambda notice: "\n".join(_shown(notice)),
    "html": _html,
    "word": _as_word,
    "lines": lambda notice: "<br>\n".join(_elements(notice)),
}
