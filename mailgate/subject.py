"""The subject of our mails: the ticket's tag once, the queue for agents, no pile of prefixes."""

from __future__ import annotations

import re

from mailgate.core.policy import Policy
from mailgate.core.prefixes import bare_subject, is_answer
from mailgate.wire import header_text


def base_subject(subject: str, number: int, policy: Policy) -> str:
    """The subject without this ticket's tags and without "Re:" in front."""
    tags = "|".join(re.escape(tag) for tag in ("", policy.subject_tag, *policy.old_tags))
    # One expression for all tickets: re keeps it, and compiling costs more than replacing.
    others = re.sub(
        rf"\[(?:{tags})#([0-9]+)\]",
        lambda found: " " if found[1] == str(number) else found[0],
        header_text(subject),
    )
    return bare_subject(header_text(others))


def tagged_subject(subject: str, number: int, queue: str, policy: Policy) -> str:
    """A mail's subject; with `queue` for those who work in several. Number 0 has no tag."""
    line = header_text(subject)
    if not number:
        return line
    again = "Re: " if is_answer(line) else ""
    place = f"[{header_text(queue, 40)}] " if queue else ""
    tag = f"[{policy.subject_tag}#{number}]"
    # What an agent's client quotes in its subject comes back here: the place stands once, too.
    base = base_subject(line, number, policy).removeprefix(place)
    return f"{again}{tag} {place}{base}".strip()
