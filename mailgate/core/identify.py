"""Who wrote this mail: one address or nobody, and what speaks for it beyond the From header."""

from __future__ import annotations

from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Author
from mailgate.core.policy import Policy


def identify(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Author:
    """The author. Reply-To and Sender are never an identity; a defect in From gives nobody."""
    if mail.sender is None:
        return Author(address="")
    agent = policy.agent_for(mail.sender.addr)
    return Author(
        address=mail.sender.addr,
        name=mail.sender.name,
        agent=agent,
        proofs=("login",) if _logged_in(envelope, mail.sender.addr) else (),
    )


def _logged_in(envelope: Envelope, sender: str) -> bool:
    """SMTP AUTH proves a sender only when the login is the address in From."""
    return bool(envelope.login) and envelope.login.lower() == sender.lower()
