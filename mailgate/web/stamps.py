"""Whether the pinned mail server still stamps what it hands over (reliability E6).

A server that is renamed, or whose milter is down, takes every sender's proof away without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mailgate.core.authres import MISSING
from mailgate.web.words import span
from store.database import Tx
from store.inbox import Settled

MAILS = 20  # in a row without the header
SHORTEST = timedelta(hours=1)  # they must span so much: a burst of one sender is no sign
_ROWS = 60  # newest mails among which they are looked for
_JUDGED = "Authentication-Results of"  # in the reason, found or not


def unstamped(tx: Tx) -> tuple[str, ...]:
    """A sentence when the last mails from our own servers came without the pinned header."""
    rows = [row for row in tx.inbox.find(limit=_ROWS) if row.live and _said(row)][:MAILS]
    if len(rows) < MAILS or not all(MISSING in _said(row) for row in rows):
        return ()
    long = rows[0].received - rows[-1].received
    if long < SHORTEST:
        return ()
    return (
        f"Trust: none of the last {MAILS} mails, over {span(long)}, had a header of the pinned "
        "mail server (mailgate trust learn).",
    )


def _said(row: Settled) -> str:
    """What was said of the header, "" where it was not looked for."""
    reasons: Sequence[str] = [s.reason for s in row.trace if s.step == "identify"]
    return next((reason for reason in reasons if _JUDGED in reason), "")
