"""Addresses that machines own: mailer-daemons, and senders that say they read no answers.

An answer to one of them is lost at best and a loop at worst; as CC it would be written to for ever.
"""

from __future__ import annotations

import re

from mailgate.core import undelivered

# Senders of delivery reports that follow no standard. A postmaster is a person, too.
DAEMONS: frozenset[str] = undelivered.DAEMONS - {"postmaster"}

# Nobody reads mail there. In any of the spellings no-reply, no_reply, no.reply and noreply.
NO_REPLY: frozenset[str] = frozenset(
    {
        "no-reply",
        "no-replies",
        "do-not-reply",
        "donot-reply",
        "dont-reply",
        "not-reply",
        "no-response",
        "no-responder",
        "no-responda",
        "no-contestar",
        "nao-responda",
        "nao-responder",
        "ne-pas-repondre",
        "non-rispondere",
        "nicht-antworten",
        "keine-antwort",
        "niet-beantwoorden",
        "nie-odpowiadaj",
        "svara-inte",
        "svar-ikke",
        "ala-vastaa",
    }
)
# Whole local parts of programs that answer everything, or nothing.
PROGRAMS: frozenset[str] = frozenset(
    {
        "postmaster",
        "autoresponder",
        "auto-responder",
        "autoreply",
        "auto-reply",
        "autoanswer",
        "vacation",
        "bounce",
        "bounces",
        "listserv",
        "majordomo",
        "devnull",
        "dev-null",
        "null",
        "nobody",
    }
)

_SEPARATORS = re.compile(r"[-._]")
_STEMS = tuple(sorted((stem.replace("-", "") for stem in NO_REPLY), key=len, reverse=True))


def is_daemon(addr: str) -> bool:
    """Whether this is the sender of delivery reports."""
    return _local(addr) in DAEMONS


def is_unread(addr: str) -> bool:
    """Whether nobody reads what is sent there, as far as its name tells."""
    local = _local(addr)
    if local in PROGRAMS:
        return True
    words = _SEPARATORS.split(local.partition("=")[0])
    # "no-reply", "noreply-shop", "alerts.no_reply": whole words of the name, in one run.
    runs = {"".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, a + 4)}
    return not runs.isdisjoint(_STEMS) or words[0] in ("bounce", "bounces")


def _local(addr: str) -> str:
    """The local part in lower case, without a +tag; none longer than SMTP allows."""
    return addr.rpartition("@")[0][:64].lower().partition("+")[0]
