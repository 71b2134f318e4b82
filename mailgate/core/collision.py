"""Two people at once: an agent's answer that is older than the ticket's last public message.

The customer must not get two answers that know nothing of each other, nor one to a question that
was asked anew meanwhile. Such an answer is held and goes back to its agent beside the newer
message; one word of reply says what becomes of it.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from mailgate.core.decision import Facts, HeldMail, LastWord
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Agent
from mailgate.core.policy import Policy

COLLIDED = "somebody wrote first"  # why a mail is held
ASKED_FOR = "the first line of the reply must be `send`, `note` or `drop` and no more"
STRAY = (
    "it says what becomes of an answer that waits, but this mail answers none that does;"
    " `#send` on top sends it as it is"
)
_WORD = re.compile(r"\w+")
# They change no order.
_BESIDE = frozenset(("it", "this", "mine", "that", "as", "is", "now", "anyway", "please"))


class Order(StrEnum):
    """What an agent can say of an answer that was held; the value is the word to be written."""

    SEND = "send"
    NOTE = "note"
    DROP = "drop"


def newer(
    mail: ParsedMail, facts: Facts, number: int, agent: Agent, policy: Policy
) -> LastWord | None:
    """The last public word of others that the notice answered by `agent` cannot have shown.

    None where there is none, and where it is not known which mail of ours is answered.
    """
    shown = _shown_until(mail, facts, number) if policy.guard != "send" else None
    if shown is None:
        return None
    later = (
        word
        for word in facts.last_words.get(number, ())
        if word.at > shown
        and policy.agent_for(word.author) != agent
        and (policy.guard == "hold" or _by_house(word.author, policy))
    )
    return max(later, key=lambda word: word.at, default=None)


def _by_house(author: str, policy: Policy) -> bool:
    """Whether a colleague said it: by mail, at the command line, or in the desk's own name."""
    return "@" not in author or policy.agent_for(author) is not None or policy.own(author)


def _shown_until(mail: ParsedMail, facts: Facts, number: int) -> datetime | None:
    """When the mail of ours was made that is answered: the nearest of this ticket's."""
    for message_id in mail.ancestors():
        sent = facts.sent.get(message_id)
        if sent and facts.merged.get(sent.ticket, sent.ticket) == number:
            return sent.created
    return None


def was_late(held: HeldMail | None) -> bool:
    """Whether a mail is held because somebody wrote before it came."""
    return held is not None and held.why.startswith(COLLIDED)


def is_stray(words: str) -> bool:
    """Whether an answer is nothing but one order, which was meant for another mail of ours."""
    return words.strip(" \n.!`").lower() in set(Order)


def order(words: str) -> Order | None:
    """What a reply's own words say; None unless they begin with a line of one order alone."""
    first = next((line for line in words.split("\n") if line.strip()), "")
    said, *rest = _WORD.findall(first.lower()) or [""]
    return Order(said) if said in set(Order) and _BESIDE.issuperset(rest) else None
