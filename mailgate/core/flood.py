"""Mail bombs: whether a mail that would open a ticket is gathered with others on one instead.

`facts.flood` counts the matters that one sender, or one domain, brought within
`policy.flood_minutes`: tickets opened and mails gathered alike, so that a flood that goes on stays
on its ticket, and one that ends is over by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailgate.core.decision import Flood
from mailgate.core.policy import Policy

TAG = "flood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Where the mail goes instead of a ticket of its own.

    Agents are told of the mail that opens the flood ticket, and nobody of any later one. No
    confirmation is sent for either.
    """

    ticket: int | None  # the flood ticket; None: this mail opens it
    domain: str  # whose mail it gathers, without a requester; "": the sender's alone
    subject: str  # of the ticket
    reason: str  # for the trace


def judge(flood: Flood, policy: Policy, sender: str) -> Gathering | None:
    """The gathering that a new matter of `sender` belongs to, None in ordinary times.

    A domain's flood is for agents' eyes alone: strangers who share a mail provider share no ticket
    that any of them could answer on. A sender's own flood goes before that of the domain.
    """
    domain = sender.rpartition("@")[2]
    if not domain:
        return None
    if policy.flood_mails and flood.of_sender >= policy.flood_mails:
        return _gathering(sender, flood.ticket, flood.of_sender, policy)
    if policy.flood_domain_mails and flood.of_domain >= policy.flood_domain_mails:
        who = f"the domain {domain}"
        found = _gathering(who, flood.domain_ticket, flood.of_domain, policy)
        return replace(found, domain=domain)
    return None


def _gathering(who: str, ticket: int | None, mails: int, policy: Policy) -> Gathering:
    return Gathering(
        ticket=ticket,
        domain="",
        subject=f"Mail flood from {who}",
        reason=f"a flood: {mails} mails from {who} within {policy.flood_minutes} minutes before it",
    )
