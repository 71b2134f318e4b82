"""Which tickets a mail of an import shows to be one conversation.

In history Message-IDs are taken at their word: the mails that name one another are one thread, in
whatever order they come. A mail that names mails of two tickets joins these. An id that stands on
several tickets does not: either a program used it for different mails (RFC 5322, section 3.6.4,
forbids it), or in live mail a stranger claimed it. A mail that answers one of ours goes to its
ticket and joins nothing: that ticket is alive, and what people see of it is not for old mail to
change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailgate.core.decision import Facts
from mailgate.core.mail import ParsedMail

# The id that joins a ticket's mails in a client's view: anybody can count up to it.
_ROOT = re.compile(r"<mg\.\d+@")


def relatives(mail: ParsedMail, facts: Facts) -> tuple[int, ...]:
    """The ticket the mail goes to, then those to be merged into it, oldest first; () for none.

    Merged tickets count as the one they live on in.
    """
    ours = [n for i in mail.ancestors() for n in _of_ours(i, facts)]
    if ours:
        return (ours[0],)
    named = [numbers for numbers in _named(mail, facts) if numbers]
    certain = {numbers[0] for numbers in named if len(numbers) == 1}
    if any(other in facts.parted.get(number, ()) for number in certain for other in certain):
        return tuple(numbers[0] for numbers in named[:1])  # an agent has said that they are two
    return tuple(sorted(certain)) or tuple(numbers[0] for numbers in named[:1])


def _of_ours(message_id: str, facts: Facts) -> tuple[int, ...]:
    """The ticket of a mail that we sent."""
    sent = facts.sent.get(message_id)
    return _living((sent.ticket,), facts) if sent and sent.ticket else ()


def _named(mail: ParsedMail, facts: Facts) -> Iterator[tuple[int, ...]]:
    """For each id, nearest first and the mail's own last: its tickets as the facts have them."""
    own = (mail.message_id,) if mail.has_message_id else ()
    for message_id in (*mail.ancestors(), *own):
        if _ROOT.match(message_id):
            continue
        yield _living(facts.seen.get(message_id, ()), facts)


def _living(numbers: tuple[int, ...], facts: Facts) -> tuple[int, ...]:
    survivors = dict.fromkeys(facts.merged.get(n, n) for n in numbers)
    return tuple(n for n in survivors if n in facts.tickets)
