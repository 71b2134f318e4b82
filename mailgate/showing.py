"""A whole ticket as plain text, for the agent who asked by `#show`."""

from __future__ import annotations

from mailgate.core.policy import Policy
from mailgate.core.ticket import MessageKind
from store.database import Tx
from store.ticket_rows import Message, TicketRow

MOST = 30_000  # characters of all messages; the newest are shown
_LABELS = {
    MessageKind.CUSTOMER: "customer",
    MessageKind.AGENT: "answer",
    MessageKind.NOTE: "note",
    MessageKind.SYSTEM: "automatic mail",
    MessageKind.HELD: "held",
}


def ticket_text(tx: Tx, number: int, policy: Policy) -> str:
    """The ticket's facts and its messages, the oldest first. Raises LookupError."""
    row = tx.tickets.get(number)
    if row is None:
        raise LookupError(f"no ticket #{number}")
    lines = [f"Ticket #{number}: {row.view.subject}", *_facts(tx, row, policy)]
    room, shown = MOST, []
    messages = tx.tickets.messages(number)
    for message in reversed(messages):
        text = _message(message, policy)
        if len(text) > room:
            shown.append("[earlier messages: `mailgate ticket show`]")
            break
        shown.append(text)
        room -= len(text)
    return "\n\n".join(("\n".join(lines), *reversed(shown)))


def _facts(tx: Tx, row: TicketRow, policy: Policy) -> list[str]:
    view = row.view
    snoozed = tx.reshaping.clock(view.number, "snooze")
    due = tx.lists.due([view.number]).get(view.number)
    facts = {
        "status": view.status,
        "priority": view.priority,
        "category": view.category,
        "queue": view.queue,
        "assigned": view.assignee or view.group,
        "requester": view.requester,
        "cc": ", ".join(view.cc),
        "tags": ", ".join(view.tags),
        "resolution": view.resolution,
        "minutes spent": str(view.time_spent or ""),
        **{f"{key}": str(value) for key, value in sorted(view.fields.items())},
        "waits until": f"{snoozed.astimezone(policy.zone):%Y-%m-%d %H:%M}" if snoozed else "",
        "due": f"{due.astimezone(policy.zone):%Y-%m-%d %H:%M}" if due else "",
        "split off": ", ".join(_split_off(tx, view.number)),
        "linked": ", ".join(f"#{other}" for other, _ in row.links),
    }
    return [f"{name}: {value}" for name, value in facts.items() if value]


def _split_off(tx: Tx, number: int) -> list[str]:
    """Messages that were on this ticket and became their own."""
    gone = (event for event in tx.tickets.events(number) if event.kind == "split")
    return [f"message {event.data['message']} became #{event.data['into']}" for event in gone]


def said_aside(message: Message) -> str:
    """How a message that no customer sees is marked; "" for any other."""
    if not message.aside:
        return ""
    others = [address for address in message.aside if address != message.author]
    return f"aside to {', '.join(others)}" if others else "said aside"


def _message(message: Message, policy: Policy) -> str:
    at = message.at.astimezone(policy.zone)
    who = message.author_name or message.author or "command line"
    aside = f", {said_aside(message)}" if message.aside else ""
    what = f"{_LABELS[message.kind]}, {who}{aside}"
    head = f"[message {message.id}, {at:%Y-%m-%d %H:%M}, {what}]"
    files = "".join(f"\n+ {file.filename}" for file in message.attachments)
    return f"{head}\n{(message.visible or message.text).strip()}{files}"
