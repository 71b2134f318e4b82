"""One mail on standard input: Postfix pipe(8), procmail, maildrop, cron.

The exit status is the acknowledgement: 0 says "committed", anything else must be 75, as the
MTA bounces on most others (Postfix: 1, 64 to 78 but 71 and 75, and its own time limit).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from mailgate.core.mail import Envelope, Inbound


def from_pipe(
    raw: bytes, *, sender: str | None, recipients: Sequence[str], now: datetime
) -> Inbound:
    """One delivery. `sender` "" or "<>" is the null sender, None when the MTA did not say.

    The MTA may run us again for the same mail; that is a second delivery, and its content tells.
    """
    return Inbound(
        raw=raw,
        source="pipe",
        source_key=f"pipe/{uuid4().hex}",
        received=now,
        envelope=Envelope(
            mail_from=None if sender is None else sender.strip().strip("<>"),
            rcpt_tos=tuple(r.strip().strip("<>") for r in recipients),
        ),
    )
