"""What one mail costs a parse process, and what is wrong with what came out; runs inside it."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import TypeVar
from unicodedata import category

from mailgate.core.decide import Delivery, decide
from mailgate.core.decision import Facts
from mailgate.core.header import split_head
from mailgate.core.mail import ParsedMail
from mailgate.core.parse import headers_only, parse, parts_bytes
from mailgate.core.peek import peek
from mailgate.parsing import read_mail
from mailgate.render import safe_html
from mailgate.wire import address_header, header
from tests.core.samples import ENVELOPE, NOW, POLICY

LANGUAGES = ("en", "de", "es", "fr", "it", "pt")
SMALL = 256 * 1024  # octets; larger mail is read once, without the comparisons
_DELIVERY = Delivery(envelope=ENVELOPE, received=NOW)
_ACTIVE = re.compile(
    r"<\s*/?\s*(?:script|style|iframe|object|embed|svg|math|form|input|meta|base|link|textarea)\b",
    re.IGNORECASE,
)
_FIELD_NAME = re.compile(rb"^[!-9;-~]+(?=[ \t]*:)", re.MULTILINE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """CPU seconds, peak resident octets, and every fault found."""

    read: float = 0.0  # parse, strip, language: what `Parsers.run` does
    html: float = 0.0  # the cleaning of its HTML
    outside: float = 0.0  # first look, top headers, decision: in the daemon, where nobody kills
    memory: int = 0
    complex: bool = False  # ends in quarantine
    faults: tuple[str, ...] = ()


def measure(raw: bytes) -> Probe:
    """Read one mail as the daemon does, then look for faults. Only MemoryError comes out."""
    _forget_peak()
    faults: list[str] = []
    mail, read = _timed("read", lambda: read_mail(raw, LANGUAGES), faults)
    memory = _peak()
    if mail is None:
        return Probe(read=read, memory=memory, faults=tuple(faults))
    outside = _outside(raw, mail, faults)
    html = 0.0
    if mail.html:
        safe, html = _timed("html", lambda: safe_html(mail.html), faults)
        if safe and _ACTIVE.search(safe):
            faults.append("html: an active element is left")
    _timed("check", lambda: faults.extend(_faults(raw, mail)), faults)
    return Probe(
        read=read,
        html=html,
        outside=outside,
        memory=memory,
        complex="too-complex" in mail.defects,
        faults=tuple(dict.fromkeys(faults)),
    )


def measure_many(raws: list[bytes]) -> list[Probe]:
    """Several mails in one call: the way there and back costs more than a small mail."""
    return [measure(raw) for raw in raws]


def _outside(raw: bytes, mail: ParsedMail, faults: list[str]) -> float:
    """CPU of what happens to a mail outside of the parse processes."""
    calls: dict[str, Callable[[], object]] = {
        "peek": lambda: peek(raw),
        "top headers": lambda: headers_only(raw, "too-complex"),
        "decide": lambda: decide(mail, _DELIVERY, Facts(), POLICY),
    }
    return sum(_timed(name, call, faults)[1] for name, call in calls.items())


def _timed(name: str, call: Callable[[], T], faults: list[str]) -> tuple[T | None, float]:
    began = time.process_time()
    try:
        found = call()
    except MemoryError:
        raise
    except Exception as error:  # that none comes is what this program is about
        faults.append(f"{name}: {type(error).__name__}: {error}"[:300])
        found = None
    return found, time.process_time() - began


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """The largest resident size since `_forget_peak`, in octets."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# --- what must hold ------------------------------------------------------------------------


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _strings(inner)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _strings(getattr(value, field.name))


def _faults(raw: bytes, mail: ParsedMail) -> Iterator[str]:
    yield from (f"read: {d}" for d in mail.defects if d.startswith("parser-failed"))
    if any("\0" in text or _surrogates(text) for text in _strings(mail)):
        yield "storable: NUL or a lone surrogate"
    if mail.size != len(raw):
        yield "size"
    if {"Cc", "Cs", "Zl", "Zp"} & {category(c) for c in mail.subject}:
        yield "subject: not one line"
    if mail.sender is not None and mail.from_ != (mail.sender,):
        yield "identity: the sender is not From"
    yield from _lines_lost(mail)
    yield from _headers_refused(mail)
    if len(raw) <= SMALL:
        yield from _readings_differ(raw, mail)


def _surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _lines_lost(mail: ParsedMail) -> Iterator[str]:
    """Each line of the text is in exactly one of the three parts."""
    parts = (mail.visible, mail.quoted, mail.signature)
    kept = sorted(line for part in parts for line in part.split("\n") if line)
    if kept != sorted(line for line in mail.text.split("\n") if line):
        yield "strip: lines lost or doubled"


def _headers_refused(mail: ParsedMail) -> Iterator[str]:
    """Whatever came in can go out again in a header that a strict parser reads (invariant 15)."""
    data = header("Subject", mail.subject)
    who = mail.sender
    data += address_header("To", who.addr, who.name) if who else b""
    read = message_from_bytes(data + b"\r\n", policy=policy.default)
    wanted = ["Subject", "To"] if who else ["Subject"]
    if list(read.keys()) != wanted or read.get_payload():
        yield "header: it does not come back alone"


def _readings_differ(raw: bytes, mail: ParsedMail) -> Iterator[str]:
    again = read_mail(raw, LANGUAGES)
    if again != mail:
        yield "deterministic: a second reading differs"
    data = parts_bytes(raw, [a.part for a in mail.attachments]) if mail.attachments else []
    if [len(octets) for octets in data] != [attached.size for attached in mail.attachments]:
        yield "attachment: another size when it is fetched"
    if "too-complex" in mail.defects:  # that leaves no author, whatever its head says
        return
    author = mail.sender.addr if mail.sender else None
    for name, other in rewritten(raw):
        sender = parse(other).sender
        if (sender.addr if sender else None) != author:
            yield f"identity: changes with {name} (invariant 9)"


def rewritten(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The same head in other spellings that no reader may take for another author's."""
    if b"\r\r" in raw or "header-broken" in split_head(raw).defects:
        return  # lines that are no headers have no other spelling
    head = raw[: split_head(raw).body].replace(b"\r\n", b"\n")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return  # such bytes are read in the charset of the body, which is left out here
    yield "line ends", head
    yield "unfolding", re.sub(rb"\n(?=[ \t])", b"", head)
    yield "case of names", _FIELD_NAME.sub(lambda m: m[0].swapcase(), head)
    yield "folding", re.sub(rb"(?mi)^(from[ \t]*:[ \t]*)(?=\S)", rb"\1\n ", head)
