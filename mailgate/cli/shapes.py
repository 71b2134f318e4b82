"""The JSON of the contract (docs/design.md), made from rows; names here never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mailgate.core.mail import Attachment, Kind, ParsedMail
from store.inbox import Settled
from store.outbox import OutboxRow
from store.ticket_rows import Event, Message, TicketRow


def stamp(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.isoformat(timespec="seconds") if at else None


def mail_line(row: Settled) -> dict[str, Any]:
    """One mail's end, as `import --json` and `deliver --json` print it."""
    return {
        "inbound": row.id,
        "digest": row.digest,
        "message_id": row.message_id,
        "outcome": row.outcome.value if row.outcome else None,
        "ticket": row.ticket,
        "reason": row.reason,
    }


def attachment(a: Attachment) -> dict[str, Any]:
    """An attachment without its bytes."""
    return {
        "filename": a.filename,
        "content_type": a.content_type,
        "size": a.size,
        "digest": a.digest,
        "inline": a.inline,
    }


def parsed(mail: ParsedMail, kind: Kind, html: str) -> dict[str, Any]:
    """`parse --json`; `html` is the safe form."""
    return {
        "from": [f"{a.name} <{a.addr}>" if a.name else a.addr for a in mail.from_],
        "reply_to": [a.addr for a in mail.reply_to],
        "to": [a.addr for a in mail.to],
        "cc": [a.addr for a in mail.cc],
        "subject": mail.subject,
        "date": stamp(mail.date),
        "message_id": mail.message_id,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "kind": kind.value,
        "language": mail.language,
        "text": mail.text,
        "visible": mail.visible,
        "quoted": mail.quoted,
        "signature": mail.signature,
        "html": html,
        "attachments": [attachment(a) for a in mail.attachments],
        "defects": list(mail.defects),
        "cuts": list(mail.cuts),
    }


def message(m: Message) -> dict[str, Any]:
    """One message of a ticket; `aside` stands there only where it was said aside."""
    shape = {
        "id": m.id,
        "kind": m.kind.value,
        "from": f"{m.author_name} <{m.author}>" if m.author_name else m.author,
        "date": stamp(m.at),
        "message_id": m.message_id,
        "visible": m.visible,
        "text": m.text,
        "attachments": [attachment(a) for a in m.attachments],
    }
    return {**shape, "aside": list(m.aside)} if m.aside else shape


def event(e: Event) -> dict[str, Any]:
    """One line of a ticket's audit trail."""
    told = {key: value for key, value in e.data.items() if key != "inverse"}
    line: dict[str, Any] = {"at": stamp(e.at), "actor": e.actor, "kind": e.kind, **told}
    if e.inbox is not None:
        line["inbound"] = e.inbox
    if e.outbox is not None:
        line["outbox"] = e.outbox
    return line


def ticket_head(row: TicketRow) -> dict[str, Any]:
    """A ticket without its messages, as `ticket list --json` prints it."""
    view = row.view
    return {
        "number": view.number,
        "subject": view.subject,
        "status": view.status,
        "priority": view.priority,
        "category": view.category,
        "queue": view.queue,
        "group": view.group,
        "assignee": view.assignee,
        "requester": view.requester,
        "cc": list(view.cc),
        "tags": list(view.tags),
        "language": view.language,
        "source": row.source,
        "created": stamp(row.created),
        "updated": stamp(row.updated),
        "closed": stamp(view.closed),
    }


def ticket(row: TicketRow, messages: list[Message], events: list[Event]) -> dict[str, Any]:
    """A whole ticket, as `ticket show --json` prints it."""
    return {
        **ticket_head(row),
        "resolution": row.resolution,
        "time_spent": row.time_spent,
        "fields": dict(row.fields),
        "links": [{"number": number, "why": why} for number, why in row.links],
        "messages": [message(m) for m in messages],
        "events": [event(e) for e in events],
    }


def outgoing(row: OutboxRow) -> dict[str, Any]:
    """One outgoing mail with its recipients."""
    return {
        "id": row.id,
        "kind": row.notice,
        "ticket": row.ticket,
        "message_id": row.message_id,
        "created": stamp(row.created),
        "recipients": [
            {
                "address": r.address,
                "message_id": r.message_id,
                "state": r.state.value,
                "attempts": r.attempts,
                "code": r.code,
                "text": r.text,
                "due": stamp(r.due),
            }
            for r in row.recipients
        ],
    }
