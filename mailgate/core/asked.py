"""What an agent's commands are read against, and what one of them comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailgate.core import authorise
from mailgate.core.commands import Script
from mailgate.core.decision import Effect, Split, StoredMessage, Undoable
from mailgate.core.naming import Wrong
from mailgate.core.people import Agent
from mailgate.core.policy import Policy
from mailgate.core.screen import Verdict
from mailgate.core.ticket import TicketView


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for what, on which ticket, and what there is to know."""

    script: Script
    ticket: TicketView
    policy: Policy
    now: datetime
    agent: Agent | None  # None: at the command line, in nobody's name
    others: Mapping[int, TicketView] = field(default_factory=dict)  # as far as they were looked up
    merged: Mapping[int, int] = field(default_factory=dict)  # ticket -> the one it lives on in
    away: Mapping[str, datetime] = field(default_factory=dict)
    undoable: Sequence[Undoable] = ()
    messages: Mapping[int, StoredMessage] = field(default_factory=dict)  # that it may name
    about: int | None = None  # the message that the notice was about which it answers

    @property
    def because(self) -> str:
        """For the audit trail."""
        return f"command of {self.agent.address}" if self.agent else "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A message that becomes a new ticket, and how that looks then."""

    split: Split
    view: TicketView  # by the number of the ticket that the message leaves
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What one command comes to."""

    effects: tuple[Effect, ...] = ()
    said: str = ""
    last: tuple[Effect, ...] = ()
    shows: tuple[int, ...] = ()
    wants_help: bool = False
    part: Part | None = None  # all else in the mail is about the new ticket
    sides: tuple[str, ...] = ()  # third parties whom the words go to


def other_ticket(number: int, asked: Asked) -> TicketView:
    """Another ticket, which the agent must be able to see. A merged one is its survivor."""
    other = asked.others.get(asked.merged.get(number, number))
    allowed = other is not None and (
        asked.agent is None or authorise.has_access(asked.agent, other, asked.policy)
    )
    if other is None or not allowed:
        raise Wrong(f"there is no ticket #{number} that you work on")
    if other.number == asked.ticket.number:
        raise Wrong(f"#{number} is this ticket")
    return other
