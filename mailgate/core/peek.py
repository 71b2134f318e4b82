"""A first look at a mail on its way in: its Message-ID and a fingerprint of what was sent.

Linear and cheap (no parser): it runs before a mail is acknowledged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_HEAD = 512 * 1024  # octets; a longer block is not split, its mail is too complex to parse
# Headers that hops on our side put on a mail: they differ between two deliveries of one mail.
_TRANSPORT = frozenset(
    {
        b"received",
        b"return-path",
        b"delivered-to",
        b"x-original-to",
        b"envelope-to",
        b"x-envelope-to",
        b"delivery-date",
        b"authentication-results",
        b"received-spf",
    }
)
_BLOCK = 1 << 20  # octets
_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:|[ \t]")
_ID = re.compile(rb"<[^<>\s]{1,996}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """What intake knows of a mail before it is parsed."""

    message_id: str  # "<...>", "" when there is none
    fingerprint: str  # sha256, hexadecimal; the same for every delivery of one mail


def _is_transport(name: bytes) -> bool:
    return name in _TRANSPORT or name.startswith(b"x-spam")


def _end_of_head(raw: bytes) -> int:
    """Offset of the blank line after the header block, or the end."""
    if raw.startswith((b"\r\n", b"\n")):
        return 0
    ends = [at + 1 for at in (raw.find(b"\n\r\n"), raw.find(b"\n\n")) if at >= 0]
    return min(ends, default=len(raw))


def _fields(head: bytes) -> list[bytes]:
    """Header fields with their folded lines; from the first line that is none, all is one."""
    out: list[list[bytes]] = []
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    for at, line in enumerate(lines):
        if at == 0 and line.startswith(b"From "):
            continue
        if line and not _FIELD.match(line):
            out.append(lines[at:])
            break
        if line[:1] in (b" ", b"\t") and out:
            out[-1].append(line)
        else:
            out.append([line])
    return [b"\n".join(field) for field in out]


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0].rstrip(b" \t").lower()


def _with_lf(raw: bytes, start: int) -> Iterator[bytes]:
    """The octets from `start` on with CRLF read as LF, in blocks: a large mail is never copied."""
    while start < len(raw):
        end = start + _BLOCK
        if raw[end - 1 : end + 1] == b"\r\n":
            end += 1
        yield raw[start:end].replace(b"\r\n", b"\n")
        start = end


def peek(raw: bytes) -> Peek:
    """Message-ID and fingerprint of a mail.

    The fingerprint covers every octet of the mail with CRLF read as LF, save the headers of
    transport (of a block beyond MAX_HEAD these too). Two mails that differ in the body or in any
    other header never share it.
    """
    end = _end_of_head(raw)
    fields = [(_name(field), field) for field in _fields(raw[: min(end, MAX_HEAD)])]
    found = _ID.search(next((field for name, field in fields if name == b"message-id"), b""))
    if end > MAX_HEAD:
        end, fields = 0, []
    kept = b"\n".join(field for name, field in fields if not _is_transport(name))
    # The head's digest goes first, so that no octet can move between head and body.
    whole = hashlib.sha256(hashlib.sha256(kept).digest())
    for block in _with_lf(raw, end):
        whole.update(block)
    return Peek(
        message_id=found[0].decode("ascii", "replace") if found else "",
        fingerprint=whole.hexdigest(),
    )
