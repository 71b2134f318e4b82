"""Screening: is this our own mail, a delivery report, written by a machine, or from a list?

Nothing here rejects a mail; it only says how it may be treated. An automatic mail is kept like
any other, but changes nothing and is never answered (RFC 3834, section 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mailgate.core.mail import Envelope, Kind, ParsedMail
from mailgate.core.policy import Policy

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
    """A mail that carries our own loop header came back to us."""
    if policy.instance and mail.header(LOOP_HEADER).strip() == policy.instance:
        return _drop("own-loop", f"it carries our own {LOOP_HEADER} header")
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


# Senders of delivery reports that follow no standard, and what postmasters call theirs.
DAEMONS: frozenset[str] = frozenset({"mailer-daemon", "mail-daemon", "mailerdaemon", "maildaemon"})
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
    if local in DAEMONS:
        return _bounce("mailer-daemon", f"it is from {local}")
    if local == "postmaster" and _null_sender(mail, envelope):
        return _bounce("mailer-daemon", "it is from postmaster with the null sender")
    if local == "postmaster" and any(word in mail.subject.lower() for word in REPORT_SUBJECTS):
        return _bounce("mailer-daemon", "it is from postmaster, about a returned mail")
    return None


def auto_submitted(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 3834, section 5: anything but "no" was made by a machine."""
    value = mail.header("auto-submitted").partition(";")[0].partition("(")[0].strip().lower()
    if value in ("", "no"):
        return None
    return _quiet("auto-submitted", f"Auto-Submitted: {value}")


# Headers that mark an automatic answer. None: any value counts.
MARKERS: tuple[tuple[str, tuple[str, ...] | None], ...] = (
    ("x-autoreply", None),
    ("x-autoreply-from", None),
    ("x-autorespond", None),
    ("x-autoresponder", None),
    ("x-auto-reply-from", None),
    ("x-mail-autoreply", None),
    ("x-mdn-autoreply", None),
    ("x-ebay-mailtracker", None),
    ("x-fc-machinegenerated", ("true",)),
    ("preference", ("auto_reply",)),
    ("precedence", ("auto_reply", "auto-reply", "bulk", "junk")),
    ("delivered-to", ("autoresponder",)),
    ("x-post-messageclass", ("9; autoresponder",)),
)


def marker_header(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """Vendors' own marks of automatic mail; every value of a repeated header is looked at."""
    for name, wanted in MARKERS:
        for value in mail.headers.get(name, ()):
            word = value.strip().lower()
            if wanted is None or word in wanted:
                return _quiet(name, f"{name}: {word}")
    return None


# Other help desks put these on all they send, their people's words included.
DESK_HEADERS: tuple[str, ...] = ("x-roundup-loop", "x-rt-loop-prevention", "x-otrs-loop")


def other_desk(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """A mail from another help desk counts in full, but a confirmation would meet a machine."""
    for name in DESK_HEADERS:
        if mail.header(name):
            return _unanswered("other-desk", f"{name} is set: another help desk sent it")
    return None


def suppressed(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """X-Auto-Response-Suppress (MS-OXCMAIL 2.2.3.2.14) asks for no answer by a machine."""
    words = {w.strip() for w in mail.header("x-auto-response-suppress").lower().split(",")}
    asked = sorted(words & {"all", "oof", "autoreply"})
    if asked:
        reason = f"X-Auto-Response-Suppress: {', '.join(asked)}"
        return _unanswered("auto-response-suppress", reason)
    return None


def report_other(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """Read receipts (RFC 8098) and abuse reports (RFC 5965)."""
    if mail.top_type == "multipart/report":
        return _quiet("report", "its type is multipart/report")
    return None


def null_sender(mail: ParsedMail, envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 5321, section 4.5.5: the null sender is for reports; nobody waits for an answer."""
    if _null_sender(mail, envelope):
        return _quiet("null-sender", "the envelope sender is empty")
    return None


# How answering machines begin a subject, where no header gives them away.
SUBJECTS: tuple[str, ...] = (
    "out of office",
    "out of the office",
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesend",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "fuera de oficina",
    "réponse automatique",
    "absence du bureau",
    "message d'absence",
    "risposta automatica",
    "fuori ufficio",
    "resposta automática",
    "ausência temporária",
    "fora do escritório",
    "automatisch antwoord",
    "afwezig",
    "autosvar",
    "frånvaro",
    "automaattinen vastaus",
    "автоответ",
    "自動返信",
    "自动回复",
)


# What clients and lists put before a subject: "Re:", "[list]".
_TOKEN = re.compile(r"\[[^\]\s#]{0,30}#[0-9]{1,12}\]")
_PREFIX = re.compile(r"(?:re|aw|sv|rv|tr|vs|fwd?|wg|antw)\s?:\s?|\[[^\]]{0,80}\]\s?")


def vacation_subject(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """Out-of-office answers that no header gives away.

    Such a subject on a new mail, or behind "Re:", may as well be a person's, about a responder
    that does not work: that is never confirmed, but counts in full.
    """
    subject = plain = " ".join(mail.subject.lower().split())
    while prefix := _PREFIX.match(subject):
        subject = subject[prefix.end() :]
    for start in SUBJECTS:
        if subject.startswith(start):
            answers = mail.ancestors() or _TOKEN.search(subject)
            judge = _quiet if subject == plain and answers else _unanswered
            return judge("vacation-subject", f"the subject begins with {start!r}")
    return None


# Addresses that nobody reads: an answer to them is lost at best, a loop at worst.
NO_REPLY: frozenset[str] = frozenset(
    {"no-reply", "noreply", "no_reply", "donotreply", "do-not-reply", "postmaster", "autoresponder"}
)


def no_reply_sender(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """A sender that says it reads no answers."""
    local = _local_part(mail)
    return _unanswered("no-reply", f"it is from {local}") if local in NO_REPLY else None


def mailing_list(mail: ParsedMail, _envelope: Envelope, _policy: Policy) -> Verdict | None:
    """RFC 2919 and RFC 2369 lists, and Precedence: list."""
    for name in ("list-id", "list-post", "x-mailing-list", "x-mailman-version", "list-unsubscribe"):
        if mail.header(name):
            return _list(name, f"{name} is set")
    if "list" in (v.strip().lower() for v in mail.headers.get("precedence", ())):
        return _list("precedence", "Precedence: list")
    return None


# The first check with an opinion wins: the order is the policy. Reports come before the
# automatic marks that they carry too.
CHECKS: tuple[Check, ...] = (
    own_loop,
    own_sender,
    too_many_hops,
    delivery_report,
    auto_submitted,
    marker_header,
    suppressed,
    report_other,
    vacation_subject,
    mailing_list,
    no_reply_sender,
    null_sender,
    other_desk,
)


def screen(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Verdict:
    """How this mail may be treated, and why."""
    opinions = (check(mail, envelope, policy) for check in CHECKS)
    return next((v for v in opinions if v), _NO_OBJECTION)


_NO_OBJECTION = Verdict(
    treatment=Treatment.ACCEPT, kind=Kind.NORMAL, check="default", reason="no objection"
)


def _null_sender(mail: ParsedMail, envelope: Envelope) -> bool:
    if envelope.mail_from is not None:
        return envelope.mail_from == ""
    return mail.header("return-path").strip() == "<>"


def _local_part(mail: ParsedMail) -> str:
    return mail.from_[0].addr.partition("@")[0].lower() if mail.from_ else ""


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
