"""What becomes of a copy after an attempt: sent, due again at a date, or given up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailgate.core.decision import Attempt, CopyState, Fate

_HOUR = timedelta(hours=1)

# Codes that say what is wrong with our login, whichever command they answer (RFC 4954, section 6).
_LOGIN_CODES = frozenset({530, 534, 535, 538})

# Codes that judge this one mail although they answer MAIL: too big (RFC 1870, section 6), or
# 8-bit and UTF-8 that the relay does not speak (RFC 6152, RFC 6531).
_MAIL_TOO_MUCH = frozenset({552})

# A relay that does not know us says so recipient by recipient (Postfix puts off even its verdict
# on client, HELO and sender until RCPT); the recipient is not to blame.
_ABOUT_US = re.compile(
    r"relay\w* (access )?(denied|not (permitted|allowed))|unable to relay"
    r"|(client host|sender address|helo command)\b.{0,100}\b(rejected|blocked)",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long to wait after the 1st, 2nd, ... attempt; the last entry repeats.

    Nothing is tried once it is older than `lifetime`. An answer that was lost is asked for more
    slowly than a refusal is: each repeat may be a second copy in somebody's mailbox.
    """

    deferred: tuple[timedelta, ...] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(minutes=30),
        *(_HOUR,) * 11,
        timedelta(hours=4),
    )
    uncertain: tuple[timedelta, ...] = (
        timedelta(minutes=5),
        _HOUR,
        timedelta(hours=4),
        timedelta(hours=12),
    )
    lifetime: timedelta = timedelta(days=5)
    jitter: float = 0.1  # waits grow by up to this share, so that a burst does not come back as one


def judge(
    attempt: Attempt,
    *,
    attempts: int,
    queued: datetime,
    automatic: bool,
    schedule: Schedule,
    seed: int = 0,
) -> Fate:
    """Decide what becomes of a copy after its attempt number `attempts` (1 is the first).

    `seed` (the copy's id) spreads the dates. An `automatic` mail whose answer was lost ends here:
    it may have arrived, and a second confirmation is worse than none. A person's mail is repeated.
    """
    if 200 <= attempt.code < 300:
        return Fate(state=CopyState.SENT)
    if attempt.uncertain and automatic:
        reason = "the answer was lost, and an automatic mail is never repeated"
        return Fate(state=CopyState.FAILED, reason=reason)
    if is_permanent(attempt):
        return Fate(state=CopyState.FAILED)
    end = queued + schedule.lifetime
    if attempt.at >= end:
        age = _days(attempt.at - queued)
        return Fate(state=CopyState.FAILED, reason=f"gave up after {age} and {attempts} attempts")
    steps = schedule.uncertain if attempt.uncertain else schedule.deferred
    wait = _spread(steps[min(max(attempts, 1), len(steps)) - 1], schedule.jitter, seed)
    state = CopyState.UNCERTAIN if attempt.uncertain else CopyState.DEFERRED
    return Fate(state=state, due=min(attempt.at + wait, end))


def may_send(before: CopyState, *, automatic: bool) -> bool:
    """Whether a copy may be sent that was in this state when it was claimed.

    In `sending` its sender died, and nobody knows how far it got: only a person's words are worth
    a second copy.
    """
    return not (automatic and before in (CopyState.SENDING, CopyState.UNCERTAIN))


def is_permanent(attempt: Attempt) -> bool:
    """Whether the relay refused this mail or recipient for good (RFC 5321, section 4.2.1).

    A 5xx about us (our login, our sender address, our network) is a mistake that somebody will
    mend: the mail waits for that.
    """
    if not 500 <= attempt.code < 600 or attempt.uncertain or attempt.code in _LOGIN_CODES:
        return False
    if attempt.about_us:
        return attempt.code in _MAIL_TOO_MUCH
    return not _ABOUT_US.search(attempt.text)


def _spread(wait: timedelta, jitter: float, seed: int) -> timedelta:
    share = (seed * 2654435761 % 2**32) / 2**32  # Knuth's multiplicative hash
    return wait * (1 + jitter * share)


def _days(age: timedelta) -> str:
    return f"{age.days} days" if age.days != 1 else "1 day"
