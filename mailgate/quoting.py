"""What our notice said that an agent's mail answers: without it nobody can tell what was typed
between its lines (`core.between`).
"""

from __future__ import annotations

from dataclasses import replace

from mailgate.core.decision import Facts
from mailgate.core.mail import ParsedMail
from mailgate.core.parse import parse
from mailgate.core.policy import Policy
from store.database import Tx

_READ = 1_000_000  # octets; text and HTML come before all files


def with_notice(tx: Tx, mail: ParsedMail, facts: Facts, policy: Policy) -> Facts:
    """The facts with text and HTML of the nearest mail of ours that an agent's mail answers."""
    if mail.sender is None or policy.agent_for(mail.sender.addr) is None:
        return facts
    answered = next((facts.sent[i] for i in mail.ancestors() if i in facts.sent), None)
    if answered is None:
        return facts
    try:
        ours = parse(tx.outbox.shared_bytes(answered.outbox)[:_READ])
    except LookupError:  # its bytes are gone: nothing can be told
        return facts
    return replace(facts, notice=(ours.text, ours.html))
