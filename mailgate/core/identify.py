"""Who wrote this mail: one address or nobody, and what speaks for it beyond the From header."""

from __future__ import annotations

from mailgate.core import authres
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Author, Stamp
from mailgate.core.policy import Policy

LOGIN = "login"
ALIGNED = "aligned"


def identify(
    mail: ParsedMail,
    envelope: Envelope,
    policy: Policy,
    stamp: tuple[Stamp, str] | None = None,
) -> Author:
    """The author. Reply-To and Sender are never an identity; a defect in From gives nobody.

    `stamp` is what mailgate found out itself (SPF, DKIM, DMARC); without it the header of the
    pinned server counts (RFC 8601).
    """
    if mail.sender is None:
        return Author(address="")
    verdict, reason = stamp or authres.judge(mail, envelope, policy)
    proofs = [LOGIN] if _logged_in(envelope, mail.sender.addr) else []
    if verdict is Stamp.ALIGNED:
        proofs.append(ALIGNED)
    return Author(
        address=mail.sender.addr,
        name=mail.sender.name,
        agent=policy.agent_for(mail.sender.addr),
        proofs=tuple(proofs),
        stamp=verdict,
        stamp_reason=reason,
    )


def _logged_in(envelope: Envelope, sender: str) -> bool:
    """SMTP AUTH proves a sender only when the login is the address in From."""
    return bool(envelope.login) and envelope.login.lower() == sender.lower()
