"""Delivery reports: which mail of ours one is about, whether to believe it, and how bad it is.

Anybody can write a report (reliability: L5). It counts only when it shows that its writer was
handed a copy of ours: it comes to that copy's own return path, whose token nobody can make, or it
names the Message-ID of a mail of ours and nobody but people whom that mail went to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.core import token
from mailgate.core.decision import Facts, SentMail
from mailgate.core.mail import DeliveryReport, Envelope, ParsedMail
from mailgate.core.token import Purpose, Sealed


class Severity(StrEnum):
    """What a report means for the address it is about."""

    HARD = "hard"  # there is no such address
    SOFT = "soft"  # this mail did not arrive; another may
    DELAY = "delay"  # it may still arrive
    SUCCESS = "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The mail of ours that a report is about, if it is about one."""

    outbox: int | None = None  # None: about no mail of ours
    recipient: int | None = None  # the row of the one copy, where that is known
    ticket: int | None = None
    address: str = ""  # whom that mail was sent to, "" where it may be one of several
    how: str = "unmatched"  # return path | message id | unmatched
    genuine: bool = False
    reason: str  # one sentence, for `explain`
    reports: tuple[DeliveryReport, ...] = ()  # those that are about this mail


def copy_number(mail: ParsedMail, envelope: Envelope) -> int | None:
    """The copy that the return path in an envelope recipient or in To names, for Keys.copy.

    Nothing is verified yet.
    """
    return next((found.token.number for found in _return_paths(mail, envelope)), None)


def match(mail: ParsedMail, envelope: Envelope, facts: Facts, now: datetime) -> Match:
    """What a delivery report is about. A forged one matches nothing, and so changes nothing."""
    by_path = _by_return_path(mail, envelope, facts, now)
    if by_path.genuine:
        return by_path
    by_id = _by_message_id(mail, facts)
    return by_id if by_id.genuine or not by_path.reason else by_path


def severity(report: DeliveryReport) -> Severity:
    """How bad a report is, by its action, status (RFC 3463) and words.

    A server that gives up a mail after days of temporary trouble says "failed" with status 4.x.x:
    that mail is lost, but its address is not known to be bad.
    """
    if report.action in ("delivered", "relayed", "expanded") or report.status.startswith("2."):
        return Severity.SUCCESS
    failed = report.action.startswith(("fail", "error"))
    if not failed and (report.action == "delayed" or report.status.startswith("4.")):
        return Severity.DELAY
    if report.status.startswith("4."):
        return Severity.SOFT
    return Severity.HARD if no_such_address(report.status, report.diagnostic) else Severity.SOFT


def no_such_address(status: str, text: str) -> bool:
    """Whether an answer says that the recipient does not exist, or not any more.

    `status` may be ""; the text is then searched for one. What is said of the sender says nothing
    of the recipient.
    """
    low = " ".join(text.lower().replace("’", "'").split())
    if any(words in low for words in _OF_THE_SENDER):
        return False
    said = _STATUS.search(low) if status in _VAGUE else None
    return (said[0] if said else status) in _GONE or any(words in low for words in _UNKNOWN)


def failures(reports: Sequence[DeliveryReport]) -> tuple[DeliveryReport, ...]:
    """Those that an agent has to know of: delays and successes are only noted."""
    return tuple(r for r in reports if severity(r) in (Severity.HARD, Severity.SOFT))


def names(report: DeliveryReport) -> frozenset[str]:
    """The addresses that a report is about, in small letters; empty where it names none."""
    return frozenset(a.casefold() for a in (report.recipient, report.final) if a)


# --- by the return path ------------------------------------------------------------------


def _return_paths(mail: ParsedMail, envelope: Envelope) -> Iterator[Sealed]:
    # Where a source has no envelope, the trace headers name the recipient.
    traced = (value for name, value in mail.trail if name in ("delivered-to", "x-original-to"))
    for address in (*envelope.rcpt_tos, *(to.addr for to in mail.to), *traced):
        sealed = token.in_address(address.strip().strip("<>"))
        if sealed and sealed.token.purpose is Purpose.BOUNCE:
            yield sealed


def _by_return_path(mail: ParsedMail, envelope: Envelope, facts: Facts, now: datetime) -> Match:
    sealed = next(_return_paths(mail, envelope), None)
    if sealed is None:
        return Match(reason="")
    fault = token.fault(sealed, facts.keys, now)
    if fault:
        return Match(reason=f"the return path it came to is not to be believed: {fault}")
    copy = facts.copy
    if copy is None or token.holder_of(copy.address) != sealed.token.holder:
        return Match(reason="the copy that its return path names is not there any more")
    told = mail.reports or _unsaid(mail)
    named = tuple(r for r in told if copy.address.casefold() in names(r))
    return Match(
        outbox=copy.outbox,
        recipient=copy.recipient,
        ticket=copy.ticket,
        address=copy.address,
        how="return path",
        genuine=True,
        reason=f"it came to the return path of the copy to {copy.address}",
        reports=named or told,
    )


# --- by the Message-ID -------------------------------------------------------------------


def _by_message_id(mail: ParsedMail, facts: Facts) -> Match:
    ids = (i for i in (mail.reported_id, *mail.ancestors()) if i in facts.sent)
    sent = next((facts.sent[i] for i in ids), None)
    if sent is None:
        return Match(reason="a delivery report about no mail of ours")
    told = mail.reports or _unsaid(mail)
    about = _about(told, sent)
    if not about:
        reason = "it names a mail of ours, but nobody whom that mail was sent to"
        return Match(reason=reason)
    address = _address(about, sent)
    return Match(
        outbox=sent.outbox,
        ticket=sent.ticket,
        address=address,
        how="message id",
        genuine=True,
        reason=f"it names the Message-ID of our mail to {address or ', '.join(sent.recipients)}",
        reports=about,
    )


def _about(told: Sequence[DeliveryReport], sent: SentMail) -> tuple[DeliveryReport, ...]:
    ours = {address.casefold() for address in sent.recipients}
    if not any(names(report) for report in told):
        return tuple(told)
    return tuple(report for report in told if names(report) & ours)


def _address(about: Sequence[DeliveryReport], sent: SentMail) -> str:
    """The one recipient that is meant, "" when it may be several."""
    named = frozenset[str]().union(*(names(report) for report in about))
    meant = [a for a in sent.recipients if not named or a.casefold() in named]
    return meant[0] if len(meant) == 1 else ""


def _unsaid(mail: ParsedMail) -> tuple[DeliveryReport, ...]:
    """A report that nobody can read: all that is known is its subject."""
    return (DeliveryReport(recipient="", action="failed", diagnostic=mail.subject),)


# --- what servers say --------------------------------------------------------------------

_STATUS = re.compile(r"(?<![\d.])5\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
# RFC 3463, section 3.2 and 3.3; 5.1.10 is a null MX (RFC 7505), 5.2.1 a mailbox that is disabled.
_GONE: frozenset[str] = frozenset(
    {
        "5.1.0",
        "5.1.1",
        "5.1.2",
        "5.1.3",
        "5.1.4",
        "5.1.5",
        "5.1.6",
        "5.1.10",
        "5.2.1",
    }
)
_VAGUE = ("", "5.0.0", "5.3.0")  # some servers have nothing else as status
_UNKNOWN: tuple[str, ...] = (
    "user unknown",
    "unknown user",
    "no such user",
    "user not found",
    "user does not exist",
    "user doesn't exist",
    "recipient unknown",
    "unknown recipient",
    "invalid recipient",
    "no such recipient",
    "recipient not found",
    "recipnotfound",
    "recipientnotfound",
    "recipient address rejected: access denied",  # what Exchange Online says of unknown ones
    "mailbox not found",
    "mailbox does not exist",
    "mailbox unavailable or not",
    "no such mailbox",
    "no mailbox here by that name",
    "address not found",
    "address does not exist",
    "address no longer",
    "no such address",
    "unknown address",
    "unknown e-mail address",
    "unknown email address",
    "unrouteable address",
    "unroutable address",
    "account that you tried to reach does not exist",
    "account does not exist",
    "account has been disabled",
    "account is disabled",
    "account disabled",
    "doesn't have a yahoo",
    "not listed in domino directory",
    "empfänger unbekannt",
    "unbekannter empfänger",
    "benutzer unbekannt",
    "usuario desconocido",
    "destinatario desconocido",
    "utilisateur inconnu",
    "destinataire inconnu",
    "adresse inconnue",
    "utente sconosciuto",
    "destinatario sconosciuto",
    "usuário desconhecido",
    "utilizador desconhecido",
    "destinatário desconhecido",
)
_OF_THE_SENDER: tuple[str, ...] = (
    "sender address rejected",
    "sender verif",
    "sender rejected",
    "sender denied",
    "sender unknown",
    "unknown sender",
    "invalid sender",
    "sender address verification",
)
