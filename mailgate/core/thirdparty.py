"""A third party wrote, in a side conversation: agents read it, and the ticket stays as it is.

Nothing of it is public: it is no customer's message, wakes nothing, wishes nothing, and puts
nobody on the CC list, whoever else it is addressed to.
"""

from __future__ import annotations

from mailgate.core import asides
from mailgate.core.audience import Happening
from mailgate.core.case import Case
from mailgate.core.decision import AppendMessage, Decision, LinkTicket, Notify, Outcome
from mailgate.core.policy import folded
from mailgate.core.proofs import claims
from mailgate.core.telling import told_steps
from mailgate.core.thread import Placement
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.token import Purpose, holder_of


def is_one(case: Case, ticket: TicketView) -> bool:
    """Whether a mail that is taken at somebody's word was said aside.

    By its tokens, good or not: a doubt makes no words public. Whoever is on the ticket as well
    speaks aside with a token of their own alone.
    """
    here = case.author.address
    if here in ticket.participants:
        return holder_of(here) in _holders(case)
    return folded(here) in {folded(third) for third in ticket.sides} or bool(_holders(case))


def _holders(case: Case) -> list[bytes]:
    given = (c.sealed.token for c in claims(case.mail, case.delivery.envelope, case.policy))
    return [token.holder for token in given if token.purpose is Purpose.SIDE]


def heard(case: Case, ticket: TicketView, placed: Placement) -> Decision:
    """The words of a third party, kept as a note and told to agents."""
    author = case.author.address or _addressee(case, ticket)
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


def _addressee(case: Case, ticket: TicketView) -> str:
    """Whose token it is, where nobody can tell who wrote: an answer must not go to the customer."""
    holders = _holders(case)
    return next((third for third in ticket.sides if holder_of(third) in holders), "")
