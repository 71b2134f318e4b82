"""What comes of a wish (`core.wishes`): its effects, and who is told.

Only whoever wished is answered, and only agents get to see the words; a change of status is told
to everybody on the ticket, as always.
"""

from __future__ import annotations

from dataclasses import replace

from mailgate.core import audience, wishes
from mailgate.core.audience import Happening
from mailgate.core.case import Case
from mailgate.core.consequences import changes
from mailgate.core.decision import (
    TO_AGENTS,
    Effect,
    Mute,
    Notice,
    Notify,
    Rate,
    Recipient,
    SetField,
    Wished,
)
from mailgate.core.mail import Kind
from mailgate.core.people import Power, Role
from mailgate.core.screen import Treatment
from mailgate.core.ticket import TicketView
from mailgate.core.wishes import Want, Wish

# A digit in answer to any other mail of ours answers what that mail asked.
_RATEABLE = frozenset({Notice.STATUS, Notice.CLOSURE, Notice.STATE, Notice.RATED})
_CHANGED = frozenset({Notice.STATUS, Notice.CLOSURE})


def wished(case: Case, ticket: TicketView) -> Wish | None:
    """The wish that a mail is on this ticket: of a participant who may act, by a person's mail."""
    on_it = case.author.address in ticket.participants and case.standing.power >= Power.ACT
    if not on_it or case.standing.role not in (Role.REQUESTER, Role.CC) or not _spoken(case):
        return None
    found = wishes.wish(
        case.mail.visible, case.mail.language, ticket, case.policy, name=_name(case)
    )
    return found if found is None or _answers(case, found) else None


def is_wish(case: Case) -> bool:
    """Whether a mail would be a wish on a ticket that fits it: no reason to open a new one."""
    found = wishes.bare(case.mail.visible, case.mail.language, case.policy, name=_name(case))
    return found is not None and _spoken(case) and _answers(case, found)


def effects(wish: Wish, case: Case, ticket: TicketView) -> list[Effect]:
    """What the wish changes on the ticket, and that it was one."""
    return [Wished(want=wish.want.value), *_changes(wish, case, ticket)]


def _changes(wish: Wish, case: Case, ticket: TicketView) -> list[Effect]:
    match wish.want:
        case Want.MUTE:
            return [Mute(address=case.author.address, muted=True, because="asked for by reply")]
        case Want.RATE:
            return [Rate(rating=wish.rating, by=case.author.address)]
        case Want.CLOSE if not _over(case, ticket):
            status = wishes.end(ticket, case.policy)
            return [SetField(field="status", value=status, because="asked for by reply")]
        case _:
            return []


def told(wish: Wish, case: Case, before: TicketView, view: TicketView) -> tuple[Notify, ...]:
    """Agents see the words, with what we made of them; whoever wished gets the answer."""
    everyone = audience.tell(
        Happening.CUSTOMER_WROTE, view, case.policy, author=case.author.address
    )
    agents = (replace(n, note=NOTES[wish.want]) for n in everyone if n.notice in TO_AGENTS)
    changed = (
        replace(n, wished=True, proven=case.proven) if n.notice in _CHANGED else n
        for n in changes(before, view, case.policy)
    )
    return (*agents, *changed, *_answer(wish, case, before))


# Agents read them; templates/mail/notes.txt.j2 has them too.
NOTES = {
    Want.STATE: "a question for the state, answered with it by itself",
    Want.CLOSE: "the customer asks to close; done by itself",
    Want.RATE: "a rating; the ticket stays as it is",
    Want.MUTE: "this person gets nothing more of this ticket until they write again",
}


def _answer(wish: Wish, case: Case, before: TicketView) -> tuple[Notify, ...]:
    if wish.want is Want.CLOSE and not _over(case, before):
        return ()  # the news of the new status is the answer
    notice = {Want.RATE: Notice.RATED, Want.MUTE: Notice.MUTED}.get(wish.want, Notice.STATE)
    why = f"asked for it: {wish.want}"
    role = case.standing.role.value
    to = Recipient(address=case.author.address, role=role, why=why)
    return (Notify(notice=notice, to=(to,), proven=case.proven),)


def _over(case: Case, ticket: TicketView) -> bool:
    return ticket.status in (case.policy.life.resolved, case.policy.life.closed)


def _spoken(case: Case) -> bool:
    """By a person, now, and with nothing but words."""
    verdict = case.verdict
    by_hand = verdict.kind is Kind.NORMAL and verdict.treatment is Treatment.ACCEPT
    # A picture in a signature is no part of what somebody says.
    return by_hand and case.delivery.live and all(a.inline for a in case.mail.attachments)


def _answers(case: Case, wish: Wish) -> bool:
    """Whether a rating is given to a mail that asked for one, as far as that is known."""
    sent = case.facts.sent
    answered = next((sent[i].notice for i in case.mail.ancestors() if i in sent), "")
    return wish.want is not Want.RATE or not answered or answered in _RATEABLE


def _name(case: Case) -> str:
    sender = case.mail.sender
    return f"{sender.name} {sender.addr.partition('@')[0].replace('.', ' ')}" if sender else ""
