"""Screening: is this our own mail, a delivery report, written by a machine, or from a list?

Nothing here rejects a mail; it only says how it may be treated. An automatic mail is kept like
any other, but changes nothing and is never answered (RFC 3834, section 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mailgate.core import absence, robots, token, vacation
from mailgate.core.addresses import comment_end
from mailgate.core.mail import Envelope, Kind, ParsedMail
from mailgate.core.policy import Policy
from mailgate.core.prefixes import bare_subject, without_lists

LOOP_HEADER = "x-mailgate-loop"  # on everything we send; the value names the installation
MAX_HOPS = 50  # Received headers (RFC 5321, section 6.3)


class Treatment(StrEnum):
    """What screening allows."""

    ACCEPT = "accept"
    QUIET = "quiet"  # kept, changes nothing, never answered
    BOUNCE = "bounce"  # a delivery report: belongs to an outbox row, never to a new ticket
    DROP = "drop"  # our own mail: recorded as ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One check's opinion and its reason."""

    treatment: Treatment
    kind: Kind
    check: str
    reason: str


Check = Callable[[ParsedMail, Envelope, Policy], Verdict | None]


def own_loop(mail: ParsedMail, _envelope: Envelope, policy: Policy) -> Verdict | None:
    """A mail that carries our own loop header came back to us, however often it went round."""
    ours = policy.instance.lower()
    values = (value.strip().lower() for value in mail.headers.get(LOOP_HEADER, ()))
    if ours and any(ours == value or ours in _words(value) for value in values):
        return _drop("own-loop", f"it carries our own {LOOP_HEADER} header")
    return None


def own_id(mail: ParsedMail, _envelope: Envelope, policy: Policy) -> Verdict | None:
    """A mail whose Message-ID is one of ours came back to us; nobody else makes such ids.

    The seal is not looked at: whoever makes up such an id only has their own mail ignored.
    """
    sealed = token.in_id(mail.message_id)
    domain = mail.message_id.rpartition("@")[2].rstrip(">").lower()
    if sealed and domain == policy.domain.lower():
        return _drop("own-id", "its Message-ID is one of ours")
    return None


def own_sender(mail: ParsedMail, _envelope: Envelope, policy: Policy) -> Verdict | None:
    """Our addresses never write to us; answering them would be a loop."""
    sender = mail.sender.addr if mail.sender else ""
    if sender and policy.own(sender):
        return _drop("own-sender", f"it is from {sender}, one of our own addresses")
    return None


def too_many_hops(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 5321, section 6.3: a mail with so many hops is going round in circles."""
    hops = len(mail.headers.get("received", ()))
    return _drop("hops", f"{hops} Received headers") if hops > MAX_HOPS else None


# What postmasters call their reports.
REPORT_SUBJECTS: tuple[str, ...] = (
    "returned mail",
    "undeliver",
    "delivery status",
    "delivery fail",
    "delivery delayed",
    "failure notice",
    "mail system error",
    "non remis",
    "no entregado",
    "unzustellbar",
)


def delivery_report(mail: ParsedMail, envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 3464 reports, and the shapes of those who never read it."""
    # Somebody may also attach a report that they got: only one that stands by itself counts.
    if mail.reports and (mail.top_type == "multipart/report" or _null_sender(mail, envelope)):
        return _bounce("delivery-report", "it is a delivery status notification (RFC 3464)")
    report = mail.header("content-type").lower()
    if mail.top_type == "multipart/report" and "delivery-status" in report:
        return _bounce("delivery-report", "its type is multipart/report; delivery-status")
    if mail.header("x-failed-recipients"):
        return _bounce("failed-recipients", "X-Failed-Recipients is set")
    local = _local_part(mail)
    if robots.is_daemon(_author(mail)):
        return _bounce("mailer-daemon", f"it is from {local}")
    if local == "postmaster" and _null_sender(mail, envelope):
        return _bounce("mailer-daemon", "it is from postmaster with the null sender")
    if local == "postmaster" and any(word in mail.subject.lower() for word in REPORT_SUBJECTS):
        return _bounce("mailer-daemon", "it is from postmaster, about a returned mail")
    return None


def auto_submitted(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 3834, section 5: anything but "no" was made by a machine.

    One header is all that a mail may have; where several stand, each of them counts.
    """
    for written in mail.headers.get("auto-submitted", ()):
        value = _keyword(written)
        if value not in ("", "no"):
            return _quiet("auto-submitted", f"Auto-Submitted: {value}")
    return None


def marker_header(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """Vendors' own marks of automatic mail; every value of a repeated header is looked at."""
    for name, wanted in vacation.MARKERS:
        for value in mail.headers.get(name, ()):
            word = value.strip().lower()
            if _keyword(value) in _DENIED:
                continue
            if wanted is None or word in wanted or _keyword(value) in wanted:
                return _quiet(name, f"{name}: {word[:100]}")
    return None


_DENIED = frozenset({"", "no", "false", "0", "none"})


def other_desk(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """A mail from another help desk counts in full, but a confirmation would meet a machine."""
    for name in vacation.DESK_HEADERS:
        if mail.header(name):
            return _unanswered("other-desk", f"{name} is set: another help desk sent it")
    return None


def bulk(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Verdict | None:
    """Mass mail that is neither a list's nor another help desk's, whose people use it too."""
    for name in vacation.BULK_HEADERS:
        for value in mail.headers.get(name, ()):
            if _keyword(value) in vacation.BULK and not other_desk(mail, envelope, policy):
                return _quiet(name, f"{name}: {_keyword(value)}")
    return None


def suppressed(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """X-Auto-Response-Suppress (MS-OXCMAIL 2.2.3.2.14) asks for no answer by a machine."""
    values = mail.headers.get("x-auto-response-suppress", ())
    asked = {"all", "oof", "autoreply"} & {word for value in values for word in _words(value)}
    if asked:
        reason = f"X-Auto-Response-Suppress: {', '.join(sorted(asked))}"
        return _unanswered("auto-response-suppress", reason)
    return None


def report_other(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """Read receipts (RFC 8098) and abuse reports (RFC 5965)."""
    if mail.top_type == "multipart/report":
        return _quiet("report", "its type is multipart/report")
    return None


def calendar_reply(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """An invitation accepted or declined (RFC 5546, section 3.2.3) at the press of a button.

    What somebody wrote besides counts like any words.
    """
    if mail.calendar != "REPLY":
        return None
    reason = "it answers an invitation (METHOD=REPLY)"
    if mail.visible.strip():
        return _unanswered("calendar", reason)
    return _quiet("calendar", reason)


def null_sender(mail: ParsedMail, envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 5321, section 4.5.5: the null sender is for reports; nobody waits for an answer."""
    if _null_sender(mail, envelope):
        return _quiet("null-sender", "the envelope sender is empty")
    return None


def vacation_answer(mail: ParsedMail, envelope: Envelope, _policy: Policy) -> Verdict | None:
    """Out-of-office answers that no header gives away: they answer something, in telling words."""
    if not _answers(mail, envelope):
        return None
    said = vacation.telling_subject(without_lists(mail.subject))
    if said and not _TICKET.match(mail.subject):
        return _quiet("vacation-subject", f"the subject begins with {said!r}")
    said, enough = absence.telling_words(mail.visible or mail.text)
    return _quiet("vacation-words", f"the text begins with {said!r}") if said and enough else None


def vacation_like(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """The same words may be a person's, about a responder that does not work, or on vacation.

    That counts in full: on a new mail, behind "Re:", or where nothing but the absence is told.
    """
    if said := vacation.telling_subject(without_lists(bare_subject(mail.subject))):
        return _unanswered("vacation-subject", f"the subject begins with {said!r}")
    said, _ = absence.telling_words(mail.visible or mail.text)
    return _unanswered("vacation-words", f"the text begins with {said!r}") if said else None


_TICKET = re.compile(r"\s*\[[^\]\s#]{0,30}#[0-9]{1,12}\]")
_TICKET_ANYWHERE = re.compile(_TICKET.pattern.removeprefix(r"\s*"))


def _answers(mail: ParsedMail, envelope: Envelope) -> bool:
    """Whether it refers to an earlier mail, or goes to an address made for one."""
    to = (*envelope.rcpt_tos, *(a.addr for a in (*mail.to, *mail.cc)))
    return bool(
        mail.ancestors()
        or _TICKET_ANYWHERE.search(mail.subject)
        or any(token.in_address(address) for address in to)
    )


def no_reply_sender(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """A sender that says it reads no answers."""
    author = _author(mail)
    if robots.is_unread(author):
        return _unanswered("no-reply", f"it is from {_local_part(mail)}")
    return None


def mailing_list(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 2919 and RFC 2369 lists, and Precedence: list."""
    for name in ("list-id", "list-post", "x-mailing-list", "x-mailman-version", "list-unsubscribe"):
        if mail.header(name):
            return _list(name, f"{name} is set")
    if any(_keyword(value) == "list" for value in mail.headers.get("precedence", ())):
        return _list("precedence", "Precedence: list")
    return None


# The first check with an opinion wins: the order is the policy. What is ours goes before reports,
# reports before the automatic marks that they carry too, and what a machine surely made before
# what only should not be answered by one.
CHECKS: tuple[Check, ...] = (
    own_loop,
    own_id,
    own_sender,
    too_many_hops,
    delivery_report,
    auto_submitted,
    marker_header,
    report_other,
    vacation_answer,
    mailing_list,
    bulk,
    null_sender,
    calendar_reply,
    vacation_like,
    suppressed,
    other_desk,
    no_reply_sender,
)


def screen(mail: ParsedMail, envelope: Envelope, policy: Policy, *, sent: bool = False) -> Verdict:
    """How this mail may be treated, and why; `sent`: our own account wrote it, to others."""
    checks = (check for check in CHECKS if not (sent and check is own_sender))
    opinions = (check(mail, envelope, policy) for check in checks)
    return next((v for v in opinions if v), _NO_OBJECTION)


_NO_OBJECTION = Verdict(
    treatment=Treatment.ACCEPT, kind=Kind.NORMAL, check="default", reason="no objection"
)


def _null_sender(mail: ParsedMail, envelope: Envelope) -> bool:
    if envelope.mail_from is not None:
        return envelope.mail_from == ""
    return mail.header("return-path").strip() == "<>"


def _author(mail: ParsedMail) -> str:
    return mail.from_[0].addr if mail.from_ else ""


def _local_part(mail: ParsedMail) -> str:
    return _author(mail).rpartition("@")[0].lower()


def _keyword(value: str) -> str:
    """The first word of a value, in lower case: no comments, no parameters (RFC 3834, 5.2)."""
    value, out, at = value[:1000], "", 0
    while at < len(value):
        end = comment_end(value, at) if value[at] == "(" else at + 1
        if end < 0:
            break
        out += " " if value[at] == "(" else value[at]
        at = end
    return next(iter(out.partition(";")[0].replace('"', " ").lower().split()), "")


def _words(value: str) -> frozenset[str]:
    """The words of a list, in lower case."""
    return frozenset(word for word in re.split(r"[\s,;]+", value.lower()) if word)


def _drop(check: str, reason: str) -> Verdict:
    return Verdict(treatment=Treatment.DROP, kind=Kind.NORMAL, check=check, reason=reason)


def _bounce(check: str, reason: str) -> Verdict:
    return Verdict(treatment=Treatment.BOUNCE, kind=Kind.BOUNCE, check=check, reason=reason)


def _quiet(check: str, reason: str) -> Verdict:
    return Verdict(treatment=Treatment.QUIET, kind=Kind.AUTO_REPLY, check=check, reason=reason)


def _unanswered(check: str, reason: str) -> Verdict:
    """It counts like any mail; only a machine should not answer it."""
    return Verdict(treatment=Treatment.QUIET, kind=Kind.NORMAL, check=check, reason=reason)


def _list(check: str, reason: str) -> Verdict:
    return Verdict(treatment=Treatment.QUIET, kind=Kind.LIST, check=check, reason=reason)
