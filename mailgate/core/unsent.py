"""Mail of ours that reached nobody: whom to tell, and whom their answer to that goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailgate.core import audience
from mailgate.core.audience import Happening
from mailgate.core.notice import (
    BOUNCED,
    TO_CUSTOMER,
    TO_NOBODY,
    Ears,
    Notice,
    Notify,
    Recipient,
    Unsent,
    Whom,
)
from mailgate.core.people import Agent
from mailgate.core.policy import Policy
from mailgate.core.ticket import TicketView

# A failure of what tells of failures is told to nobody: that would go round for ever.
NEVER_TOLD = frozenset({Notice.AGENT_BOUNCE.value, Notice.ALERT.value})
# Words of an agent, who believes that somebody reads them now.
_SPOKEN = frozenset({Notice.ANSWER, Notice.SIDE})


def ears(notice: str, address: str) -> Ears:
    """Whom an answer reaches: an address that takes no mail is answered by nobody."""
    match notice:
        case Notice.SIDE:
            return Ears(whom=Whom.NOBODY, third=address)
        case Notice.AGENT_SIDE:
            return TO_NOBODY
        case _:
            return TO_CUSTOMER


def refused(ticket: TicketView, notice: str, failed: Unsent, policy: Policy) -> tuple[Notify, ...]:
    """A relay took a mail for good not, or never: agents hear of it, as of a delivery report."""
    if notice in NEVER_TOLD:
        return ()
    told = audience.tell(Happening.BOUNCED, ticket, policy, author=failed.address)
    return tuple(replace(one, ears=ears(notice, failed.address), unsent=failed) for one in told)


def withheld(
    effect: Notify, stopped: Sequence[Recipient], agent: Agent | None, words: str
) -> tuple[Notify, ...]:
    """An agent's words that nobody sent, as mail to that address came back before."""
    if agent is None or effect.notice not in _SPOKEN:
        return ()
    to = (Recipient(address=agent.address, role="agent", why="wrote what was not sent"),)
    return tuple(
        Notify(
            notice=Notice.AGENT_BOUNCE,
            to=to,
            words=words,
            ears=ears(effect.notice, person.address),
            unsent=Unsent(
                address=person.address, said=person.why.removeprefix(BOUNCED), note="withheld"
            ),
        )
        for person in stopped
        if person.why.startswith(BOUNCED)
    )
