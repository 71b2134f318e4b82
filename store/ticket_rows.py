"""What a ticket's rows look like as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from mailgate.core.mail import Attachment
from mailgate.core.people import Role
from mailgate.core.policy import folded
from mailgate.core.ticket import MessageKind, TicketView
from store.asides import split


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message on a ticket."""

    id: int
    inbox: int | None
    kind: MessageKind
    author: str
    author_name: str
    message_id: str
    subject: str
    at: datetime
    text: str
    visible: str
    attachments: tuple[Attachment, ...] = ()
    aside: tuple[str, ...] = ()  # third parties whom it went to, or the one it came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the audit trail."""

    at: datetime
    actor: str
    kind: str
    data: Mapping[str, Any]
    ticket: int | None = None
    inbox: int | None = None
    outbox: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """A whole ticket as people read it; `view` is the part that decisions see."""

    view: TicketView
    created: datetime
    updated: datetime
    source: str
    resolution: str
    time_spent: int
    fields: Mapping[str, Any]
    links: tuple[tuple[int, str], ...] = ()
    merged_into: int | None = None


RATING = "rating"  # the field that holds a customer's rating


def rating_of(fields: Mapping[str, Any]) -> int:
    """1 to 5; 0 where there is none, or an agent's own field has its name."""
    given = fields.get(RATING)
    return int(given) if isinstance(given, str) and given in tuple("12345") else 0


def attachment_row(message: int, a: Attachment) -> dict[str, Any]:
    """The columns of an attachment."""
    return {
        "message": message,
        "part": a.part,
        "filename": a.filename,
        "content_type": a.content_type,
        "size": a.size,
        "digest": a.digest,
        "inline": a.inline,
        "content_id": a.content_id,
    }


def attachment(row: Row[Any]) -> Attachment:
    """An attachment from its row."""
    return Attachment(
        part=row.part,
        filename=row.filename,
        content_type=row.content_type,
        size=row.size,
        digest=row.digest,
        inline=row.inline,
        content_id=row.content_id,
    )


def message(row: Row[Any], files: tuple[Attachment, ...]) -> Message:
    """A message from its row and its attachments."""
    return Message(
        id=row.id,
        inbox=row.inbox,
        kind=MessageKind(row.kind),
        author=row.author,
        author_name=row.author_name,
        message_id=row.message_id,
        subject=row.subject,
        at=row.at,
        text=row.text,
        visible=row.visible,
        attachments=files,
        aside=split(row.aside),
    )


def ticket_row(row: Row[Any], people_on: list[Any], tagged: tuple[str, ...]) -> TicketRow:
    """A ticket from its row, its tags, and people in order of arrival: third parties as well."""
    copied = [p for p in people_on if p.role == Role.CC.value]
    aside = (split(p.address) for p in people_on if p.role == Role.SIDE.value)
    sides = {folded(address): address for several in aside for address in several}
    view = TicketView(
        number=row.number,
        subject=row.subject,
        status=row.status,
        priority=row.priority,
        queue=row.queue,
        requester=row.address or "",
        category=row.category,
        group=row.group_name,
        assignee=row.assignee,
        language=row.language,
        cc=tuple(p.address for p in copied if p.active),
        removed=tuple(p.address for p in copied if not p.active),
        muted=tuple(p.address for p in people_on if p.muted),
        sides=tuple(sides.values()),
        tags=tagged,
        closed=row.closed,
        rating=rating_of(row.fields),
        resolution=row.resolution,
        time_spent=row.time_spent,
        fields=row.fields,
    )
    return TicketRow(
        view=view,
        created=row.created,
        updated=row.updated,
        source=row.source,
        resolution=row.resolution,
        time_spent=row.time_spent,
        fields=row.fields,
        merged_into=row.merged_into,
    )
