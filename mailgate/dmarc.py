"""Who sent a mail, found out by ourselves: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489).

For listeners that face the Internet, where no server of ours stamped the mail. Runs in a process
that can be killed (`mailgate.verifying`): the libraries here are slow on hostile mail. All its
libraries come with the extra `verify`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import dkim
import dns.exception
import dns.resolver
import spf
from dns.rdata import Rdata
from publicsuffixlist import PublicSuffixList

from mailgate.core.addresses import normal
from mailgate.core.people import Stamp

SECONDS = 8.0  # for all lookups of one mail
_LOOKUP_SECONDS = 3.0  # for one of them
_MAX_LOOKUPS = 40
_MAX_SIGNATURES = 4  # aligned ones that are looked at
_ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")  # RFC 8463; RFC 8301 retired rsa-sha1
_POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be checked."""

    raw: bytes
    address: str  # the one in From
    mail_from: str | None  # as in Envelope
    helo: str
    peer: str  # IP address


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolving:
    """Whom to ask; without nameservers those of the machine."""

    nameservers: tuple[str, ...] = ()
    port: int = 53
    seconds: float = SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What matters here of a domain's DMARC record."""

    strict_dkim: bool
    strict_spf: bool


class LookupFailed(Exception):
    """The name system gave no answer, neither yes nor no."""


class _Lookups:
    """DNS with an end: so many questions, so many seconds."""

    def __init__(self, resolving: Resolving) -> None:
        self._resolver = dns.resolver.Resolver(configure=not resolving.nameservers)
        if resolving.nameservers:
            self._resolver.nameservers = list(resolving.nameservers)
            self._resolver.port = resolving.port
        self._until = time.monotonic() + resolving.seconds
        self._left = _MAX_LOOKUPS

    def find(self, name: str, kind: str) -> list[Rdata]:
        """The records of one kind, none when there are none. Raises LookupFailed."""
        rest = self._until - time.monotonic()
        self._left -= 1
        if rest <= 0 or self._left < 0:
            raise LookupFailed("the time or number of lookups for one mail is used up")
        lifetime = min(rest, _LOOKUP_SECONDS)
        try:
            answer = self._resolver.resolve(name.rstrip(".") + ".", kind, lifetime=lifetime)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, UnicodeError, OSError) as error:
            raise LookupFailed(f"no answer about {name}: {type(error).__name__}") from error
        return list(answer)

    def texts(self, name: str) -> list[bytes]:
        """The TXT records of a name, each in one piece."""
        return [b"".join(_strings(record)) for record in self.find(name, "TXT")]


def _strings(record: Rdata) -> tuple[bytes, ...]:
    strings: tuple[bytes, ...] = record.strings  # type: ignore[attr-defined]
    return strings


# --- DMARC -------------------------------------------------------------------------------


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _organisation(domain: str) -> str:
    """The organisational domain (RFC 7489, section 3.2); the domain itself when it has none."""
    return _suffixes().privatesuffix(domain) or domain


def _is_aligned(domain: str, author: str, strict: bool) -> bool:
    return domain == author or (not strict and _organisation(domain) == _organisation(author))


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


def _record_at(domain: str, lookups: _Lookups) -> _Record | None:
    texts = [text.decode("ascii", "replace") for text in lookups.texts(f"_dmarc.{domain}")]
    found = [t for t in map(_tags, texts) if next(iter(t.items())) == ("v", "dmarc1")]
    if len(found) != 1 or found[0].get("p") not in _POLICIES:
        return None
    return _Record(strict_dkim=found[0].get("adkim") == "s", strict_spf=found[0].get("aspf") == "s")


def _record(domain: str, lookups: _Lookups) -> _Record | None:
    """The DMARC record of a domain or its organisation (RFC 7489, section 6.6.3)."""
    return _record_at(domain, lookups) or (
        None if (above := _organisation(domain)) == domain else _record_at(above, lookups)
    )


# --- DKIM --------------------------------------------------------------------------------


def _domain(value: str) -> str:
    """A domain in the form that addresses have here, "" when it is none."""
    address = normal(f"x@{value}")
    return address.rpartition("@")[2] if address else ""


def _key(lookups: _Lookups, name: bytes) -> bytes | None:
    """The key of a signature; a domain that only tests has signed nothing (RFC 6376, 3.6.1)."""
    texts = lookups.texts(name.decode("ascii", "replace"))
    if len(texts) != 1 or "y" in _tags(texts[0].decode("ascii", "replace")).get("t", "").split(":"):
        return None
    return texts[0]


def _is_good(mail: Any, index: int, lookups: _Lookups) -> bool:
    """Whether a signature holds and covers all that matters.

    A body of which only the first octets are signed (l=) can be grown by anybody.
    """
    fields, names, _ = mail.verify_headerprep(index)
    if fields[b"a"] not in _ALGORITHMS or b"l" in fields or b"from" not in names:
        return False
    return bool(mail.verify(index, dnsfunc=lambda name, **_: _key(lookups, name)))


def _signer(mail: Any, index: int) -> str:
    """The domain that claims a signature, "" when it cannot be read."""
    try:
        fields, *_ = mail.verify_headerprep(index)
        return _domain(fields[b"d"].decode("ascii"))
    except (dkim.DKIMException, UnicodeError):
        return ""


def _signed_by(asked: Asked, author: str, strict: bool, lookups: _Lookups) -> str:
    """A domain aligned with the author whose signature is good, or "".

    Raises LookupFailed when there is none, but a signature that could not be checked.
    """
    try:
        mail = dkim.DKIM(asked.raw)
    except (dkim.DKIMException, LookupError):
        return ""
    names = [name.lower() for name, _ in mail.headers]
    if names.count(b"from") != 1:
        return ""
    claimed = ((i, _signer(mail, i)) for i in range(names.count(b"dkim-signature")))
    aligned = [(i, d) for i, d in claimed if d and _is_aligned(d, author, strict)]
    doubt: Exception | None = None
    for index, domain in aligned[:_MAX_SIGNATURES]:
        try:
            if _is_good(mail, index, lookups):
                return domain
        except LookupFailed as error:
            doubt = error
        except dkim.DKIMException:
            continue  # malformed or of an unknown kind: it signs nothing
    if doubt is not None:
        raise LookupFailed(str(doubt))
    return ""


# --- SPF ---------------------------------------------------------------------------------


class _Spf(spf.query):  # type: ignore[misc]  # the library has no types
    """pyspf, asking our resolver."""

    lookups_left: _Lookups

    def dns(self, name: object, kind: str, ignore_void: bool = False) -> list[object]:
        """The values of one kind in the forms pyspf wants (RFC 7208, section 4.6.4)."""
        text = str(name).rstrip(".")
        if not all(0 < len(label) < 64 for label in text.split(".")):
            return []
        try:
            found = [_value(record, kind) for record in self.lookups_left.find(text, kind)]
        except LookupFailed as error:
            raise spf.TempError(str(error)) from error
        self.void_lookups += not found and not ignore_void
        if self.void_lookups > spf.MAX_VOID_LOOKUPS:
            raise spf.PermError("too many lookups without an answer")
        return found


def _value(record: Rdata, kind: str) -> object:
    if kind == "MX":
        return record.preference, str(record.exchange)  # type: ignore[attr-defined]
    if kind in ("TXT", "SPF"):
        return _strings(record)
    return record.to_text().rstrip(".")


def _spf(asked: Asked, lookups: _Lookups) -> tuple[str, str]:
    """The domain whose record was looked at, and what SPF says (RFC 7208, section 2.6)."""
    if asked.mail_from is None:
        return "", "none"
    who = asked.mail_from or f"postmaster@{asked.helo}"
    question = _Spf(i=asked.peer, s=asked.mail_from, h=asked.helo)
    question.lookups_left = lookups
    return _domain(who.rpartition("@")[2]), question.check()[0]


# --- all together ------------------------------------------------------------------------


def verify(asked: Asked, resolving: Resolving) -> tuple[Stamp, str]:
    """What a mail proves about its From address. Never raises: what cannot be found out is ABSENT.

    ALIGNED: DMARC passes, or the domain has no DMARC record and signed the mail itself.
    """
    try:
        return _verdict(asked, asked.address.rpartition("@")[2], _Lookups(resolving))
    except LookupFailed as error:
        return Stamp.ABSENT, f"own check: {error}"
    except Exception as error:
        # Libraries that read hostile mail fail in many ways; none of them may cost the mail.
        return Stamp.ABSENT, f"own check: failed with {type(error).__name__}"


def _verdict(asked: Asked, author: str, lookups: _Lookups) -> tuple[Stamp, str]:
    record = _record(author, lookups)
    doubt = ""
    try:
        signer = _signed_by(asked, author, record is None or record.strict_dkim, lookups)
    except LookupFailed as error:
        signer, doubt = "", f"own check: {error}"
    if signer:
        return Stamp.ALIGNED, f"own check: a good DKIM signature of {signer}"
    if record is None:
        why = f"own check: {author} has no DMARC record and did not sign the mail"
        return (Stamp.ABSENT, doubt) if doubt else (Stamp.NONE, why)
    sender, result = _spf(asked, lookups)
    if result == "pass" and _is_aligned(sender, author, record.strict_spf):
        return Stamp.ALIGNED, f"own check: DMARC passes, SPF lets {asked.peer} send for {sender}"
    if doubt or result == "temperror":
        return Stamp.ABSENT, doubt or f"own check: SPF of {sender} could not be looked up"
    return Stamp.FAILED, f"own check: DMARC of {author} fails, SPF is {result}"
