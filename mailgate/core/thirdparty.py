"""A third party wrote, in a side conversation: agents read it, and the ticket stays as it is.

Nothing of it is public: it is no customer's message, wakes nothing, wishes nothing, and puts
nobody on the CC list, whoever else it is addressed to.
"""

from __future__ import annotations

from mailgate.core import asides, hearing
from mailgate.core.audience import Happening
from mailgate.core.case import Case
from mailgate.core.decision import AppendMessage, Decision, LinkTicket, Notify, Outcome
from mailgate.core.telling import told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import MessageKind, TicketView


def heard(case: Case, ticket: TicketView, placed: Placement) -> Decision:
    """The words of a third party, kept as a note and told to agents."""
    author = case.author.address or hearing.addressee(case, ticket)
    told: tuple[Notify, ...] = ()
    if author and not case.quiet:
        # Whoever approved it as well: the notice is where it is answered.
        told = asides.shared(
            Happening.HEARD_ASIDE, ticket, case.policy, case.mail, author, author=author
        )
    return Decision(
        outcome=Outcome.NOTE,
        reason=f"said aside by {author}: {placed.how}",
        target=ticket.number,
        effects=(
            AppendMessage(
                kind=MessageKind.NOTE, author=case.mail.sender, aside=(author,) if author else ()
            ),
            *(LinkTicket(other=number, why=why) for number, why in placed.links),
            *case.noted(),
            *told,
        ),
        trace=(*case.trace, *told_steps(told, case)),
    )
