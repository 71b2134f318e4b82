"""Delivery status notifications: which recipients, what happened, and to which mail (RFC 3464).

Part of `parse`. What follows the standard is read here, internationalised reports included
(RFC 6533); all else `undelivered` makes out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailgate.core import undelivered
from mailgate.core.addresses import normal
from mailgate.core.charset import one_line
from mailgate.core.header import Head, ids, raw_text, split_head
from mailgate.core.mail import DeliveryReport
from mailgate.core.mime import Node

MAX_REPORTS = 200
_MAX_OCTETS = 256 * 1024
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_POINT = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_OTHER_REPORTS = frozenset({"message/disposition-notification", "message/feedback-report"})
_RETURNED = (
    "text/rfc822-headers",
    "message/rfc822",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a mail says of the delivery of another; empty for one that is no report."""

    reports: tuple[DeliveryReport, ...] = ()
    reported_id: str = ""  # Message-ID of the mail it is about, "" unknown


def read(top: Node, head: Head, text: str) -> Told:
    """What a mail tells as a delivery report; `text` is its whole body as text.

    A report within an attached mail is somebody else's (T10): `Node` never looks into one.
    """
    by_standard = _reports(top)
    if by_standard:
        return Told(
            reports=by_standard, reported_id=_returned_id(top) or undelivered.copied_id(text)
        )
    kinds = {node.kind for node in top.walk()}
    if kinds & _OTHER_REPORTS or not (kinds & set(_REPORTS) or undelivered.looks_like(head, text)):
        return Told(reported_id=_returned_id(top) if "multipart/report" in kinds else "")
    return Told(
        reports=undelivered.read(top, head, text),
        reported_id=_returned_id(top) or undelivered.copied_id(text),
    )


def _blocks(data: bytes) -> list[Head]:
    """Groups of fields between blank lines: one for the message, one per recipient."""
    out: list[Head] = []
    for block in re.split(rb"\r?\n[ \t]*\r?\n", data[:_MAX_OCTETS].lstrip(b"\r\n"))[:MAX_REPORTS]:
        out.append(split_head(block.lstrip(b"\r\n")))
    return out


def _address(head: Head, name: str) -> str:
    """The address in `rfc822; a@example.org` (RFC 3464, section 2.3.2), or ""."""
    value = one_line(raw_text(head.first(name)), 400)
    kind, _, written = value.rpartition(";")
    bare = written.strip().removeprefix("<").removesuffix(">").strip()
    if kind.strip().lower() == "utf-8":
        bare = _POINT.sub(_character, bare)
    return normal(bare) or bare


def _character(found: re.Match[str]) -> str:
    r"""A character written as \x{FC} (RFC 6533, section 3); what is none stays as it is."""
    point = int(found[1], 16)
    fine = 0x20 < point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF
    return chr(point) if fine else found[0]


def _report(head: Head) -> DeliveryReport | None:
    """A recipient's block; the address we wrote to goes before the one it became."""
    final = _address(head, "final-recipient")
    recipient = _address(head, "original-recipient") or final
    if not recipient:
        return None
    status = _STATUS.search(raw_text(head.first("status")))
    diagnostic = raw_text(head.first("diagnostic-code"))
    return DeliveryReport(
        recipient=recipient,
        action=one_line(raw_text(head.first("action")), 40).partition(" ")[0].lower(),
        status=status[0] if status else "",
        diagnostic=one_line(re.sub(r"[ \t]+", " ", diagnostic), 500),
        final=final if final != recipient else "",
    )


def _reports(top: Node) -> tuple[DeliveryReport, ...]:
    """What every message/delivery-status part says, recipient by recipient."""
    parts = [n for n in top.walk() if n.kind in _REPORTS]
    found = (_report(head) for node in parts for head in _blocks(node.octets()))
    return tuple(r for r in found if r is not None)[:MAX_REPORTS]


def _returned_id(top: Node) -> str:
    """Message-ID of the returned mail or of its returned header; "" when none came back."""
    for node in top.walk():
        if node.kind in _RETURNED:
            head = split_head(node.octets()[:_MAX_OCTETS].lstrip(b"\r\n"))
            return next(iter(ids(raw_text(head.first("message-id")))), "")
    return ""
