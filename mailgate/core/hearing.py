"""Whom an agent's answer to a notice reaches, where something was said aside.

What concerns a side conversation never leads to the customer: an agent who presses Reply there
means the third party. It leads to that one, or to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailgate.core.case import Case
from mailgate.core.decision import TO_CUSTOMER, Ears, Whom, aside_to
from mailgate.core.policy import folded
from mailgate.core.proofs import claims
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose, holder_of


def is_aside(case: Case, ticket: TicketView) -> bool:
    """Whether a mail that is taken at somebody's word was said aside.

    By its tokens, good or not: a doubt makes no words public. Whoever is on the ticket as well
    speaks aside with a token of their own alone.
    """
    here = case.author.address
    if here in ticket.participants:
        return holder_of(here) in _holders(case)
    return folded(here) in {folded(third) for third in ticket.sides} or bool(_holders(case))


def addressee(case: Case, ticket: TicketView) -> str:
    """The third party of a mail that was said aside, "" where nobody can tell.

    By whose token it is, else by its sender: others may answer at a third party's address.
    """
    holders, here = _holders(case), folded(case.author.address)
    by_token = [third for third in ticket.sides if holder_of(third) in holders]
    by_sender = [third for third in ticket.sides if folded(third) == here]
    return next(iter((*by_token, *by_sender)), "")


def of_held(case: Case, ticket: TicketView) -> Ears:
    """Whom the answer to a notice of a held mail reaches; who releases it has another address."""
    if case.author.agent or case.standing.agent:
        return of_agents(case)
    if is_aside(case, ticket) or case.aside is not None:
        return aside_to(addressee(case, ticket))
    return TO_CUSTOMER


def of_agents(case: Case) -> Ears:
    """Whom an agent's mail is for by what it answers; so is what the agent adds to it."""
    return TO_CUSTOMER if case.aside is None else of_sides(case, case.aside)


def of_sides(case: Case, thirds: Sequence[str]) -> Ears:
    """The ears of one third party; several cannot be answered at once."""
    if len(thirds) == 1:
        return aside_to(thirds[0])
    return Ears(whom=Whom.NOBODY, third="" if thirds else case.unreached)


def _holders(case: Case) -> list[bytes]:
    given = (c.sealed.token for c in claims(case.mail, case.delivery.envelope, case.policy))
    return [token.holder for token in given if token.purpose is Purpose.SIDE]
