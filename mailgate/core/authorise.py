"""What an author is on each ticket in question. From alone never makes an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailgate.core.decision import Facts
from mailgate.core.people import Agent, Author, Role
from mailgate.core.ticket import TicketView


def roles(author: Author, facts: Facts, ids: Sequence[str]) -> Mapping[int, Role]:
    """The author's role on every ticket among the facts; `ids` are those the mail refers to."""
    return {n: role_on(author, ticket, facts, ids) for n, ticket in facts.tickets.items()}


def role_on(author: Author, ticket: TicketView, facts: Facts, ids: Sequence[str]) -> Role:
    """Requester and CC by address; agent by address and a proof; anybody else is a stranger.

    An agent's proof is a login, or a reference to a mail that was sent to this agent alone about
    this ticket: its Message-ID holds 128 random bits that nobody else was shown.
    """
    if not author.address:
        return Role.STRANGER
    if author.address == ticket.requester:
        return Role.REQUESTER
    if author.agent and (author.proofs or _holds_token(author.agent, ticket.number, facts, ids)):
        return Role.AGENT
    return Role.CC if author.address in ticket.cc else Role.STRANGER


def _holds_token(agent: Agent, number: int, facts: Facts, ids: Sequence[str]) -> bool:
    addresses = {agent.address.lower(), *(a.lower() for a in agent.aliases)}
    for message_id in ids:
        sent = facts.sent.get(message_id)
        if sent and sent.ticket == number:
            readers = {address.lower() for address in sent.recipients}
            if readers and readers <= addresses:
                return True
    return False
