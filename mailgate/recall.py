"""What an agent is told of the past: the requester's last tickets, and solved ones alike."""

from __future__ import annotations

import re
from datetime import datetime

from mailgate.core.language import FUNCTION_WORDS
from mailgate.core.policy import Policy
from mailgate.core.strip import own_words
from mailgate.core.ticket import TicketView
from mailgate.surroundings import Earlier, Past, Solved
from store.database import Tx

_WORD = re.compile(r"[^\W_]{3,40}")
_OF_SUBJECT, _OF_MESSAGE = 6, 4  # words that are searched for
_READ = 600  # characters of the message
_LIKELY = 6  # solved tickets that are looked at more closely; some may be of other queues


def recall(tx: Tx, ticket: TicketView, message: str, policy: Policy, now: datetime) -> Past:
    """Both, for all agents; each is shown what they may see of it (`Past.seen_by`)."""
    return Past(earlier=_earlier(tx, ticket, now), solved=_solved(tx, ticket, message, policy))


def telling_words(subject: str, message: str) -> list[str]:
    """Words that may tell what a matter is about: no articles, no numbers, the longest ones."""
    of_subject = _telling(subject)[:_OF_SUBJECT]
    others = (word for word in _telling(message[:_READ]) if word not in of_subject)
    return [*of_subject, *sorted(others, key=len, reverse=True)[:_OF_MESSAGE]]


def _telling(text: str) -> list[str]:
    found = dict.fromkeys(word.lower() for word in _WORD.findall(text))
    return [word for word in found if word not in FUNCTION_WORDS and not word.isdecimal()]


def _earlier(tx: Tx, ticket: TicketView, now: datetime) -> tuple[Earlier, ...]:
    if not ticket.requester:
        return ()
    return tuple(
        Earlier(
            number=row.number,
            subject=row.subject,
            status=row.status,
            queue=row.queue,
            days=max(0, (now - row.created).days),
        )
        for row in tx.background.tickets_of(ticket.requester, ticket.number)
    )


def _solved(tx: Tx, ticket: TicketView, message: str, policy: Policy) -> tuple[Solved, ...]:
    words = telling_words(ticket.subject, message)
    done = (policy.life.resolved, policy.life.closed)
    hits = tx.search.find(words, least=min(2, len(words))) if words else []
    alike = [hit for hit in hits if hit.ticket != ticket.number and hit.status in done]
    return tuple(
        Solved(
            number=hit.ticket,
            subject=hit.subject,
            queue=hit.queue,
            resolution=hit.resolution or own_words(tx.search.last_answer(hit.ticket)),
        )
        for hit in alike[:_LIKELY]
    )
