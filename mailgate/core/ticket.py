"""Nouns: the ticket as decisions see it, and its life cycle as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class MessageKind(StrEnum):
    """What a message on a ticket is; only `customer` and `agent` are public."""

    CUSTOMER = "customer"
    AGENT = "agent"
    NOTE = "note"
    SYSTEM = "system"
    HELD = "held"


# From each status to those it may change to. The default life cycle; [tickets.transitions]
# replaces it. A closed ticket only opens again; it does not jump back to waiting or resolved.
TRANSITIONS: Mapping[str, tuple[str, ...]] = {
    "new": ("open", "waiting", "resolved", "closed"),
    "open": ("waiting", "resolved", "closed"),
    "waiting": ("open", "resolved", "closed"),
    "resolved": ("open", "waiting", "closed"),
    "closed": ("open",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeCycle:
    """The statuses a ticket can have, which change is legal, and which status means what."""

    statuses: tuple[str, ...] = tuple(TRANSITIONS)
    transitions: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: TRANSITIONS)
    initial: str = "new"
    active: str = "open"  # set when a customer writes again
    pending: str = "waiting"  # set when an agent has answered
    resolved: str = "resolved"
    closed: str = "closed"

    def may(self, old: str, new: str) -> bool:
        """Whether a ticket may go from `old` to `new`; staying is always legal."""
        return old == new or new in self.transitions.get(old, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """A ticket as facts for a decision; a snapshot read in the transaction that applies it."""

    number: int
    subject: str
    status: str
    priority: str
    queue: str
    requester: str
    category: str = ""
    group: str = ""
    assignee: str = ""
    language: str = "en"
    cc: tuple[str, ...] = ()  # active CC addresses
    removed: tuple[str, ...] = ()  # addresses that were taken off and stay off
    muted: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()  # third parties; no participants, whatever they write is internal
    tags: tuple[str, ...] = ()
    closed: datetime | None = None  # when it was last closed
    resolution: str = ""
    time_spent: int = 0  # minutes
    fields: Mapping[str, str] = field(default_factory=dict)  # custom ones
    rating: int = 0  # 1 to 5 as a customer gave it, 0 none

    @property
    def participants(self) -> tuple[str, ...]:
        """Requester and CC: the people who may be written to and may append."""
        return (self.requester, *self.cc) if self.requester else self.cc
