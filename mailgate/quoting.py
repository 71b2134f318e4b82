"""What our mail said that another answers: without it nobody can tell what was typed between its
lines, by an agent (`core.between`) or by a customer (`core.returned`).
"""

from __future__ import annotations

from dataclasses import replace

from mailgate.core import returned
from mailgate.core.decision import Facts
from mailgate.core.mail import ParsedMail
from mailgate.core.parse import parse
from mailgate.core.policy import Policy
from store.database import Tx

_READ = 1_000_000  # octets; text and HTML come before all files


def with_notice(tx: Tx, mail: ParsedMail, facts: Facts, policy: Policy) -> Facts:
    """The facts with text and HTML of the nearest mail of ours that a mail answers.

    A customer's is only looked at where its own marks leave something to be told.
    """
    if mail.sender is None or not (_by_agent(mail, policy) or returned.unclear(mail)):
        return facts
    answered = next((facts.sent[i] for i in mail.ancestors() if i in facts.sent), None)
    if answered is None:
        return facts
    try:
        ours = parse(tx.outbox.shared_bytes(answered.outbox)[:_READ])
    except LookupError:  # its bytes are gone: nothing can be told
        return facts
    return replace(facts, notice=(ours.text, ours.html))


def told_apart(mail: ParsedMail, facts: Facts, policy: Policy) -> ParsedMail:
    """A customer's mail with its new words, as far as what we sent tells them; others as they are.

    An agent's words between the lines of a notice are held instead.
    """
    return mail if _by_agent(mail, policy) else returned.told_apart(mail, facts.notice)


def told_again(tx: Tx, mail: ParsedMail, policy: Policy) -> ParsedMail:
    """The same for a mail that was settled long ago."""
    facts = Facts(sent=tx.facts.sent(list(mail.ancestors())))
    return told_apart(mail, with_notice(tx, mail, facts, policy), policy)


def _by_agent(mail: ParsedMail, policy: Policy) -> bool:
    return mail.sender is not None and policy.agent_for(mail.sender.addr) is not None
