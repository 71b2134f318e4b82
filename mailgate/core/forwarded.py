"""The mail inside a forwarded one: who wrote it, when, to whom, and what the forwarder added.

An attached mail (message/rfc822) is the original itself. Else the clients' own headings are read:
those of Outlook, Gmail, Apple Mail and Thunderbird in English, Spanish, French, German, Italian and
Portuguese. Nothing here proves anything: whoever forwards can write what they like above a mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailgate.core import addresses, strip_headings
from mailgate.core.mail import Address, Attachment, ParsedMail
from mailgate.core.prefixes import is_forward
from mailgate.core.spelled import spelled_date

MAX_LINES = 2000  # searched for a heading
MAX_HEAD = 40  # lines of a heading with its blank and folded ones
MAX_VALUE = 4000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The mail that was forwarded, as far as it can be read.

    Outlook leaves out addresses of colleagues: then `addr` is "" and only the name is known.
    """

    sender: Address | None = None
    date: datetime | None = None  # UTC; of an inline forward often without its zone
    subject: str = ""
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    body: str = ""
    message_id: str = ""  # of an attached mail
    attachments: tuple[Attachment, ...] = ()  # of an attached mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """A forwarded mail: the forwarder's own words, and what they are about."""

    words: str
    original: Original
    how: str  # for traces: "attached", "heading", "outlook"


# What a heading calls its lines, parted by "|"; without accents and in lower case.
_LABELS: Mapping[str, str] = {
    "from": "from | de | von | da | mittente | remitente | remetente | expediteur | absender",
    "date": """date | sent | fecha | enviado | enviado el | enviado em | enviada | enviada em |
        envoye | envoye le | datum | gesendet | gesendet am | data | inviato | inviato il""",
    "to": "to | para | a | an | pour | destinataire | destinatario",
    "cc": "cc | copie | copie a | kopie | kopie (cc) | con copia | copia | c/c",
    "subject": "subject | asunto | objet | sujet | betreff | oggetto | assunto",
    "reply": "reply-to | responder a | repondre a | antwort an | rispondi a",
}
_LABEL_OF = {
    " ".join(name.split()): label for label, row in _LABELS.items() for name in row.split("|")
}
_MARK = re.compile(
    r"(?:-{2,12}\s{0,3}(?:forwarded message|mensaje reenviado|message transf[ée]r[ée]"
    r"|weitergeleitete nachricht|messaggio inoltrato|mensagem (?:re)?encaminhada)\s{0,3}-{2,12}"
    r"|(?:begin forwarded message|inicio del mensaje reenviado"
    r"|d[ée]but du message (?:r[ée]exp[ée]di[ée]|transf[ée]r[ée])"
    r"|anfang der weitergeleiteten (?:nachricht|e-mail)|inizio (?:del )?messaggio inoltrato"
    r"|in[ií]cio da mensagem (?:reenviada|encaminhada))\s?:)",
    re.IGNORECASE,
)
# Outlook writes the same above what is answered: only the subject tells that it is a forward.
_DIVIDER = re.compile(
    r"(?:[-_]{5,}|-{2,12}\s?(?:original message|mensaje original|message d['’]origine"
    r"|urspr[üu]ngliche nachricht|messaggio originale|mensagem original)\s?-{2,12})",
    re.IGNORECASE,
)
_HEAD = re.compile(r"[*_]{0,2}([^\W\d_][^:*_]{0,20}?)[*_]{0,2}\s?:[*_]{0,2}(?:\s+|$)(.*)")
_QUOTE = re.compile(r"[ \t]{0,3}> ?")
_LINK = re.compile(r"\[([^\]\s]+@[^\]\s]+)\]\(mailto:[^)\s]+\)|<?\bmailto:([^>\s]+@[^>\s]+)>?")
_ONE = re.compile(r"(.*)[<\[(]\s*([^<>\[\]()\s]+@[^<>\[\]()\s]+)\s*[>\])]+\s*")
_ALONE = re.compile(r"(?<![^<>\[\]()\s,;])([^<>\[\]()\s,;@]+@[^<>\[\]()\s,;]+)")


def find(mail: ParsedMail, attached: Sequence[ParsedMail] = ()) -> Forwarded | None:
    """The mail that `mail` forwards, or None when it forwards none that can be read.

    `attached` are its message/rfc822 parts, parsed; the first with an author counts.
    """
    for inside in attached:
        if inside.sender is not None:
            return Forwarded(words=mail.text.strip(), original=_attached(inside), how="attached")
    lines = mail.text.split("\n")
    for at, line in enumerate(lines[:MAX_LINES]):
        if found := _at(lines, at, line, mail):
            return found
    return None


def begins(words: str) -> int:
    """The line where a mail begins that was forwarded or copied: none of it is the writer's.

    Nor is what stands below MAX_LINES: to look at all of a very long mail takes seconds.
    """
    lines = words.split("\n", MAX_LINES)[:MAX_LINES]
    found = (
        at
        for at, line in enumerate(lines)
        if strip_headings.divider(line) or strip_headings.header_block(lines, at, len(lines))
    )
    return next(found, len(lines))


def _attached(inside: ParsedMail) -> Original:
    return Original(
        sender=inside.sender,
        date=inside.date,
        subject=inside.subject,
        to=inside.to,
        cc=inside.cc,
        body=inside.text,
        message_id=inside.message_id if inside.has_message_id else "",
        attachments=inside.attachments,
    )


def _at(lines: Sequence[str], at: int, line: str, mail: ParsedMail) -> Forwarded | None:
    """The forward whose heading begins in this line."""
    bare = line.strip(" \t\r\xa0*_")
    if _MARK.fullmatch(bare):
        return _read(lines, at, at + 1, "heading")
    if not is_forward(mail.subject):
        return None
    if _DIVIDER.fullmatch(line.strip()):
        return _read(lines, at, at + 1, "outlook")
    head = _HEAD.match(line.strip())
    return _read(lines, at, at, "outlook") if head and _label(head[1]) == "from" else None


def _read(lines: Sequence[str], mark: int, start: int, how: str) -> Forwarded | None:
    fields, end = _heading(_unquoted(lines[start : start + MAX_HEAD])[0])
    sender = _sender(fields.get("from", ""))
    if sender is None or not fields.keys() & {"date", "subject"}:
        return None
    rest, below = _unquoted(lines[start:])
    own = "\n".join(lines[:mark]).strip()
    more = "\n".join(below).strip()
    original = Original(
        sender=sender,
        date=spelled_date(fields.get("date", "")),
        subject=fields.get("subject", ""),
        to=people(fields.get("to", "")),
        cc=people(fields.get("cc", "")),
        body="\n".join(rest[end:]).strip("\n"),
    )
    return Forwarded(words="\n\n".join(filter(None, (own, more))), original=original, how=how)


def _unquoted(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """What was forwarded, without the ">" that Apple Mail puts before it, and what stands below."""
    first = next((line for line in lines if line.strip()), "")
    if not _QUOTE.match(first):
        return [line.rstrip("\r") for line in lines], []
    last = max(i for i, line in enumerate(lines) if _QUOTE.match(line))
    # An answer between quoted lines belongs to what was forwarded as little as one below.
    kept = [_QUOTE.sub("", line, count=1).rstrip("\r") for line in lines[: last + 1]]
    return kept, list(lines[last + 1 :])


def _heading(lines: Sequence[str]) -> tuple[dict[str, str], int]:
    """The heading's fields by label, and the line after it."""
    fields: dict[str, str] = {}
    label, end = "", 0
    for at, line in enumerate(lines):
        bare = line.strip(" \t\xa0")
        found = _HEAD.match(bare)
        named = _label(found[1]) if found else ""
        if found and named and named not in fields:
            label, end = named, at + 1
            fields[label] = found[2].strip(" *_\t\xa0")[:MAX_VALUE]
        elif bare and label and end == at and _goes_on(line, fields[label]):
            fields[label] = f"{fields[label]} {bare}"[:MAX_VALUE]
            end = at + 1
        elif bare or (fields and len(fields) > 1 and not _more(lines, at)):
            break
    return fields, end


def _goes_on(line: str, before: str) -> bool:
    """Whether a line is the rest of the one above: indented, an address, or that one goes on."""
    return line[:1] in (" ", "\t", "<") or not before or before.endswith((",", ";"))


def _more(lines: Sequence[str], at: int) -> bool:
    """Whether the heading goes on behind a blank line, as text made from HTML has it."""
    following = next((line.strip() for line in lines[at + 1 : at + 3] if line.strip()), "")
    found = _HEAD.match(following)
    return found is not None and _label(found[1]) != ""


def _label(name: str) -> str:
    return _LABEL_OF.get(_plain(name), "")


def _plain(name: str) -> str:
    low = " ".join(name.lower().split())
    return low.translate(str.maketrans("áàâäéèêëíîïóôöúûüç", "aaaaeeeeiiiooouuuc"))


def _sender(value: str) -> Address | None:
    value = _straight(value)
    if one := _ONE.fullmatch(value):
        return _address(one[2], one[1])
    if alone := _ALONE.search(value):
        return _address(alone[1], "")
    name = _name(value)
    return Address(addr="", name=name) if name else None


def people(value: str) -> tuple[Address, ...]:
    """The people of a To or Cc line; Outlook parts them by ";" and leaves some without address."""
    value = _straight(value)
    found: list[Address] = []
    if ";" in value:
        found = [one for piece in value.split(";") if (one := _sender(piece))]
    else:
        found = [Address(addr=a.addr, name=_name(a.name)) for a in addresses.read(value).boxes]
        if not found and _name(value):
            found = [Address(addr="", name=_name(value))]
    return tuple(dict.fromkeys(found))


def _straight(value: str) -> str:
    """Links that clients and converters make of an address are that address."""
    return _LINK.sub(lambda m: f"<{m[2]}>" if m[2] else m[1], value).replace("<<", "<")


def _address(addr: str, name: str) -> Address:
    return Address(addr=addresses.normal(addr) or addr, name=_name(name))


def _name(text: str) -> str:
    return " ".join(text.split()).strip(" ,;\"'<>[]()*_")[:200]
