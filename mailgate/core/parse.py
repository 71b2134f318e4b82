"""Bytes of a mail to a ParsedMail; never raises, whatever the bytes are.

Three readers share the work. Our own splitter decides what the header block is, as an MTA would.
mail-parser reads addresses and the date; a From counts only where it and our strict reading agree.
The standard library's compat32 parser finds the parts. What had to be mended is in `defects`:

from-missing, from-several, from-ambiguous, from-cut, from-hidden: no single author (`sender` is
None) · to-, cc-, reply-to-ambiguous · message-id-missing, message-id-repaired · date-invalid ·
header-broken, header-cut, header-controls, headers-dropped, head-too-large · charset-unknown,
charset-guessed, charset-broken · mime-cut, mime-no-parts, mime-no-boundary, mime-broken ·
base64-broken, uuencode-broken · html-too-large · text-html-differ, text-cut · parsed-in-fallback:
mail-parser failed, the standard library read the addresses · too-complex, parser-failed: only the
top headers could be read.
"""

from __future__ import annotations

import email.utils
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import Message

import mailparser

from mailgate.core import body, filename, mime, report
from mailgate.core.addresses import Reading, normal, read
from mailgate.core.charset import one_line
from mailgate.core.header import (
    MAX_FIELD,
    Head,
    decode_words,
    ids,
    parameters,
    raw_text,
    split_head,
)
from mailgate.core.mail import Address, Attachment, ParsedMail

MAX_ENCLOSED = 3  # attached mails that are read
_ADDRESS_HEADERS = ("from", "reply-to", "to", "cc")
_TRACE_HEADERS = frozenset(
    {"received", "authentication-results", "delivered-to", "x-original-to", "return-path"}
)
# Reasons of mail-parser that leave no doubt about who wrote. It calls every special in a display
# name invalid; our own reading has already refused those that are not the address itself.
_HARMLESS = frozenset({"overlong-encoded-word", "invalid-encoded-word", "invalid-display-name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the second reader says."""

    boxes: dict[str, tuple[Address, ...]]
    doubts: frozenset[str]  # reasons about From
    date: datetime | None
    defects: tuple[str, ...] = ()


def _values(head: Head, charset: str) -> dict[str, str]:
    """Address headers by name, several of one name joined."""
    return {
        name: ", ".join(text for v in head.all(name) if (text := raw_text(v, charset)).strip())
        for name in _ADDRESS_HEADERS
    }


def _boxes(pairs: Iterable[tuple[str, str]]) -> tuple[Address, ...]:
    """Addresses of (name, addr-spec) pairs; what is none is left out."""
    found = ((normal(addr), name) for name, addr in pairs)
    return tuple(Address(addr=addr, name=one_line(name, 200)) for addr, name in found if addr)


def _ask_mailparser(values: dict[str, str], date: str) -> _Known:
    message = Message()
    for name, value in values.items():
        message[name] = value
    message["date"] = date
    known = mailparser.MailParser(message)
    reasons = (d["reason"] for d in known.address_header_defects if d["header"] == "from")
    # A time or day that does not exist stays none; another spelling may still be read.
    syntax = any(d["reason"] == "invalid-date-syntax" for d in known.date_header_defects)
    return _Known(
        boxes={name: _boxes(getattr(known, name.replace("-", "_"))) for name in values},
        doubts=frozenset(r for reason in reasons for r in reason.split(",")) - _HARMLESS,
        date=_lenient_date(date) if syntax else known.date,
    )


def _ask_stdlib(values: dict[str, str], date: str) -> _Known:
    """The fallback: the compat32 reading of the same headers."""
    return _Known(
        boxes={n: _boxes(email.utils.getaddresses([v])) for n, v in values.items()},
        doubts=frozenset(),
        date=_lenient_date(date),
        defects=("parsed-in-fallback",),
    )


def _lenient_date(value: str) -> datetime | None:
    """A date that only the standard library accepts (a missing zone, a long weekday), in UTC."""
    try:
        date = email.utils.parsedate_to_datetime(value)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _ask(values: dict[str, str], date: str) -> _Known:
    try:
        return _ask_mailparser(values, date)
    except Exception:
        # It has many ways to fail on hostile input and no common base for them; the defect says so.
        return _ask_stdlib(values, date)


def _author(count: int, ours: Reading, known: _Known) -> tuple[Address | None, str]:
    """The one author, or the reason why there is none (reliability A1, A2)."""
    if not count:
        return None, "from-missing"
    if count > 1 or len(ours.boxes) > 1 or len(known.boxes["from"]) > 1:
        return None, "from-several"
    same = [b.addr for b in ours.boxes] == [b.addr for b in known.boxes["from"]]
    if ours.problems or known.doubts or not same or not ours.boxes:
        return None, "from-ambiguous"
    return ours.boxes[0], ""


def _people(name: str, ours: Reading, known: _Known) -> tuple[tuple[Address, ...], str]:
    """The mailboxes of a header; where ours is in doubt, with those the other reader found."""
    doubt = [p for p in ours.problems if p != "group"]
    if not doubt:
        return ours.boxes, ""
    both = {box.addr: box for box in (*known.boxes[name], *ours.boxes)}
    return tuple(both.values()), f"{name}-ambiguous"


def _message_id(head: Head, digest: str) -> tuple[str, bool, str]:
    """The Message-ID, whether the mail had one, and the defect (RFC 5322, section 3.6.4)."""
    value = raw_text(head.first("message-id"))
    found = ids(value)
    if found:
        return found[0], True, ""
    bare = value.strip(" \t<>")
    if "@" in bare and len(bare) <= 250 and bare.isprintable() and not set(bare) & set(" <>"):
        return f"<{bare}>", True, "message-id-repaired"
    return f"<{digest[:32]}@digest.invalid>", False, "message-id-missing"


def _decoded(head: Head, charset: str) -> dict[str, tuple[str, ...]]:
    """All headers, names in lower case, values decoded and on one line."""
    out: dict[str, list[str]] = {}
    for name, value in head.fields:
        text = one_line(decode_words(raw_text(value, charset)), MAX_FIELD)
        out.setdefault(name.lower(), []).append(text)
    return {name: tuple(values) for name, values in out.items()}


def _trail(head: Head) -> tuple[tuple[str, str], ...]:
    """Trace headers in their order; their values stay undecoded, no encoded word is a grammar."""
    named = ((name.lower(), value) for name, value in head.fields)
    return tuple((name, raw_text(value)) for name, value in named if name in _TRACE_HEADERS)


def _headers(raw: bytes, head: Head, charset: str, second: bool = True) -> ParsedMail:
    """Everything that headers tell; without the second reader there is no author."""
    digest = hashlib.sha256(raw).hexdigest()
    values = _values(head, charset)
    written = raw_text(head.first("date"))
    known = (
        _ask(values, written)
        if second
        else _Known(boxes=dict.fromkeys(values, ()), doubts=frozenset({"unread"}), date=None)
    )
    date = known.date if second else _lenient_date(written)
    ours = {name: read(value) for name, value in values.items()}
    sender, why = _author(len(head.all("from")), ours["from"], known)
    if sender and {"from-cut", "from-hidden"} & set(head.defects):  # others may see another author
        sender, why = None, "from-ambiguous"
    people = {name: _people(name, ours[name], known) for name in _ADDRESS_HEADERS}
    message_id, has_id, id_defect = _message_id(head, digest)
    decoded = _decoded(head, charset)
    bad_date = "date-invalid" if written and date is None and second else ""
    others = (people[name][1] for name in _ADDRESS_HEADERS[1:])
    return ParsedMail(
        digest=digest,
        size=len(raw),
        message_id=message_id,
        has_message_id=has_id,
        sender=sender,
        from_=people["from"][0],
        reply_to=people["reply-to"][0],
        to=people["to"][0],
        cc=people["cc"][0],
        subject=next(iter(decoded.get("subject", ())), "")[:1000].strip(),
        date=date,
        in_reply_to=ids(" ".join(raw_text(v) for v in head.all("in-reply-to"))),
        references=ids(" ".join(raw_text(v) for v in head.all("references"))),
        headers=decoded,
        top_type=_top_type(head),
        trail=_trail(head),
        defects=_unique(why, id_defect, bad_date, *others, *head.defects, *known.defects),
    )


def _top_type(head: Head) -> str:
    return mime.kind_of(parameters(raw_text(head.first("content-type")))[0], "text/plain")


def _unique(*defects: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d for d in defects if d))


def headers_only(raw: bytes, defect: str) -> ParsedMail:
    """What the top headers tell, cheaply and without any library: for mail that a parser died of.

    `sender` stays None; `defects` begins with `defect`.
    """
    mail = _headers(raw, split_head(raw), "", second=False)
    return replace(mail, defects=_unique(defect, *mail.defects))


def _charset(top: mime.Node) -> str:
    """The charset of the body, which unencoded headers are likely to be in."""
    found = (n.params.get("charset", "") for n in top.walk() if n.kind.startswith("text/"))
    return next((label for label in found if label), "")


def _attachments(top: mime.Node, words: body.Words) -> tuple[Attachment, ...]:
    """Every leaf that is not body; defects of their encoding go to `words`."""
    out: list[Attachment] = []
    for node in top.walk():
        if node.index in words.used or node.children or node.kind.startswith("multipart/"):
            continue
        data, broken = node.content()
        words.defects |= {broken} if broken else set()
        inline = node.disposition == "inline" or (
            bool(node.content_id) and node.disposition != "attachment"
        )
        out.append(
            Attachment(
                part=node.index,
                filename=filename.file_name(node, len(out) + 1, data),
                content_type=node.kind,
                size=len(data),
                digest=hashlib.sha256(data).hexdigest(),
                inline=inline,
                content_id=node.content_id,
            )
        )
    return tuple(out)


def _calendar(top: mime.Node) -> str:
    """What the first calendar part of the mail is sent for (RFC 6047, section 2.4)."""
    methods = (n.params.get("method", "") for n in top.walk() if n.kind == "text/calendar")
    return next((method.strip().upper()[:20] for method in methods if method), "")


def _whole(raw: bytes, head: Head) -> ParsedMail:
    top, broken = mime.tree(head, raw)
    mail = _headers(raw, head, _charset(top))
    words = body.Words()
    text = body.collect(top, words)
    if len(text) > body.MAX_TEXT:
        text = text[: body.MAX_TEXT]
        words.defects.add("text-cut")
    if text and words.html and words.both and body.disagree(text, words.html):
        words.defects.add("text-html-differ")
    attachments = _attachments(top, words)
    told = report.read(top, head, text)
    return replace(
        mail,
        text=text,
        html=words.html,
        attachments=attachments,
        reports=told.reports,
        reported_id=told.reported_id,
        calendar=_calendar(top),
        defects=_unique(*mail.defects, *broken, *sorted(words.defects)),
    )


def parse(raw: bytes) -> ParsedMail:
    """Parse a mail. Never raises; the worst result is the top headers and a defect.

    Hostile mail can take long: run it in a process that can be killed (`mailgate.parsing`).
    """
    head = split_head(raw)
    if "head-too-large" in head.defects:
        return headers_only(raw, "too-complex")
    try:
        return _whole(raw, head)
    except (mime.TooComplex, RecursionError, MemoryError):
        return headers_only(raw, "too-complex")
    except Exception as error:
        # A mistake of ours must not stop the mails behind this one: the mail is set aside by name.
        return headers_only(raw, f"parser-failed: {type(error).__name__}")


def parts_bytes(raw: bytes, parts: Sequence[int]) -> list[bytes]:
    """The decoded octets of parts of a mail, by `Attachment.part`, from one reading of it.

    Raises LookupError when the mail has no such part.
    """
    top, _ = mime.tree(split_head(raw), raw)
    nodes = {node.index: node for node in top.walk()}
    return [_octets(nodes, part) for part in parts]


def _octets(nodes: Mapping[int, mime.Node], part: int) -> bytes:
    outer, inner = divmod(part, mime.MAX_PARTS)
    node = nodes.get(outer - 1 if outer else inner)
    if node is None:
        raise LookupError(f"no part {part}")
    return parts_bytes(node.octets(), [inner])[0] if outer else node.octets()


def enclosed(raw: bytes, mail: ParsedMail) -> tuple[ParsedMail, ...]:
    """The mails attached to a parsed one, MAX_ENCLOSED at most; none of those a report is about.

    Their attachments' `part` is one of the whole mail: 1000 for each of its parts up to theirs,
    and the part in theirs.
    """
    parts = [a.part for a in mail.attachments if a.content_type == "message/rfc822"][:MAX_ENCLOSED]
    if not parts or mail.top_type == "multipart/report":
        return ()
    inside = zip(parts, parts_bytes(raw, parts), strict=True)
    return tuple(_inside(parse(data), part) for part, data in inside)


def _inside(mail: ParsedMail, part: int) -> ParsedMail:
    base = (part + 1) * mime.MAX_PARTS
    return replace(
        mail, attachments=tuple(replace(a, part=base + a.part) for a in mail.attachments)
    )


def part_bytes(raw: bytes, part: int) -> bytes:
    """The decoded octets of one part of a mail; LookupError as in `parts_bytes`."""
    return parts_bytes(raw, [part])[0]
