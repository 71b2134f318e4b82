"""Delivery status notifications: which recipients, what happened, and to which mail (RFC 3464).

Part of `parse`.
"""

from __future__ import annotations

import re

from mailgate.core.addresses import normal
from mailgate.core.charset import one_line
from mailgate.core.header import Head, ids, raw_text, split_head
from mailgate.core.mail import DeliveryReport
from mailgate.core.mime import Node

MAX_REPORTS = 200
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_RETURNED = ("text/rfc822-headers", "message/rfc822", "message/global", "message/global-headers")


def _blocks(data: bytes) -> list[Head]:
    """Groups of fields between blank lines: one for the message, one per recipient."""
    out: list[Head] = []
    for block in re.split(rb"\r?\n[ \t]*\r?\n", data[: 256 * 1024].lstrip(b"\r\n"))[:MAX_REPORTS]:
        out.append(split_head(block.lstrip(b"\r\n")))
    return out


def _address(head: Head, name: str) -> str:
    """The address in `rfc822; a@example.org` (RFC 3464, section 2.3.2), or ""."""
    value = one_line(raw_text(head.first(name)), 400)
    bare = value.rpartition(";")[2].strip().removeprefix("<").removesuffix(">").strip()
    return normal(bare) or bare


def _report(head: Head) -> DeliveryReport | None:
    """A recipient's block; the address we wrote to goes before the one it became."""
    recipient = _address(head, "original-recipient") or _address(head, "final-recipient")
    if not recipient:
        return None
    status = _STATUS.search(raw_text(head.first("status")))
    diagnostic = raw_text(head.first("diagnostic-code"))
    return DeliveryReport(
        recipient=recipient,
        action=one_line(raw_text(head.first("action")), 40).partition(" ")[0].lower(),
        status=status[0] if status else "",
        diagnostic=one_line(re.sub(r"[ \t]+", " ", diagnostic), 500),
    )


def reports(top: Node) -> tuple[DeliveryReport, ...]:
    """What every message/delivery-status part says, recipient by recipient."""
    parts = [
        n
        for n in top.walk()
        if n.kind in ("message/delivery-status", "message/global-delivery-status")
    ]
    found = (_report(head) for node in parts for head in _blocks(node.octets()))
    return tuple(r for r in found if r is not None)[:MAX_REPORTS]


def reported_id(top: Node) -> str:
    """Message-ID of the returned mail or of its returned header; "" when none came back."""
    if not any(n.kind in ("multipart/report", "message/delivery-status") for n in top.walk()):
        return ""
    for node in top.walk():
        if node.kind in _RETURNED:
            value = raw_text(
                split_head(node.octets()[: 256 * 1024].lstrip(b"\r\n")).first("message-id")
            )
            return next(iter(ids(value)), "")
    return ""
