"""The operator's vocabulary: one function per event, each one log line and one count.

Fields are values, never sentences strewn about; no subject, body, token or password is ever a
field. On a terminal a line reads `14:02:11 accepted inbox=17 ...`, elsewhere it is one JSON object.
Control characters are escaped, long values cut, so that a sender cannot forge a line (CWE-117);
tokens of reply addresses are blotted out.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from mailgate.core import token

_log = logging.getLogger("mailgate")
_MAX = 300  # characters of one field

# (event, label) -> count since the process started; /metrics reads it.
COUNTS: Counter[tuple[str, str]] = Counter()

Field = str | int | float | bool | None


def _clean(value: Field) -> Field:
    if not isinstance(value, str):
        return value
    # A relay quotes return paths, a loop brings our ids back: whoever reads logs may not use them.
    shown = token.hidden(value[: 2 * _MAX])
    # Cut again once it is escaped: a character that cannot be printed takes up to ten.
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown[: _MAX + 1])
    return safe if len(safe) <= _MAX else safe[: _MAX - 1] + "…"


def emit(level: int, event: str, label: str = "", **fields: Field) -> None:
    """Log one event and count it under (event, label). Use the named functions below."""
    COUNTS[event, label] += 1
    if _log.isEnabledFor(level):
        cleaned = {k: _clean(v) for k, v in fields.items() if v not in (None, "")}
        _log.log(level, event, extra={"fields": cleaned})


class HumanFormatter(logging.Formatter):
    """One line per event for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, event, fields; a traceback follows when there is one."""
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        fields = getattr(record, "fields", {})
        words = [f"{k}={v!r}" if " " in str(v) else f"{k}={v}" for k, v in fields.items()]
        sign = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        line = " ".join([f"{at:%H:%M:%S}", f"{sign}{record.getMessage()}", *words])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per event, for journald and log shippers."""

    def format(self, record: logging.LogRecord) -> str:
        """Keys `at` (RFC 3339, UTC), `level`, `event`, the fields, and `traceback` if any."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Log to `stream` (stderr): human lines on a terminal, JSON otherwise."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanFormatter() if stream.isatty() else JsonFormatter())
    _log.handlers[:] = [handler]
    _log.setLevel(level)
    _log.propagate = False
    # aiosmtpd logs every command here; at INFO that costs a tenth of the accept rate and
    # writes addresses into the journal twice.
    logging.getLogger("mail.log").setLevel(logging.WARNING)


@contextmanager
def troubles_on_stderr() -> Iterator[None]:
    """For one command at a terminal: errors are shown, and then logging is as it was before."""
    before = (_log.handlers[:], _log.level, _log.propagate)
    configure(level=logging.ERROR)
    try:
        yield
    finally:
        _log.handlers[:], level, _log.propagate = before
        _log.setLevel(level)


# --- the way of a mail in ----------------------------------------------------------------


def accepted(*, inbox: int, source: str, size: int) -> None:
    """Bytes and envelope are on stable storage; the source may acknowledge."""
    emit(logging.INFO, "accepted", source.partition(" ")[0], inbox=inbox, source=source, size=size)


def settled(*, inbox: int, outcome: str, ticket: int | None, reason: str, message_id: str) -> None:
    """A mail ended in its outcome."""
    emit(
        logging.INFO,
        "settled",
        outcome,
        inbox=inbox,
        outcome=outcome,
        ticket=ticket,
        reason=reason,
        message_id=message_id,
    )


def refused(*, source: str, why: str, peer: str = "") -> None:
    """A source refused a mail before taking it (5xx)."""
    emit(logging.INFO, "refused", why, source=source, why=why, peer=peer)


def deferred(*, source: str, why: str, peer: str = "") -> None:
    """A source asked the peer to come again (4xx, exit 75, left on the server)."""
    emit(logging.WARNING, "deferred", why, source=source, why=why, peer=peer)


# --- the way of a mail out ---------------------------------------------------------------


def attempted(*, outbox: int, recipient: int, state: str, code: int, text: str) -> None:
    """The relay answered for one recipient of an outbox row."""
    level = logging.INFO if state == "sent" else logging.WARNING
    emit(
        level,
        "attempted",
        state,
        outbox=outbox,
        recipient=recipient,
        state=state,
        code=code,
        text=text,
    )


def bounced(*, outbox: int, severity: str, status: str) -> None:
    """A delivery report told what became of a mail that a relay had taken."""
    level = logging.WARNING if severity in ("hard", "soft") else logging.INFO
    emit(level, "bounced", severity, outbox=outbox, severity=severity, status=status)


def paused(*, outbox: int, why: str) -> None:
    """Nothing is sent any more to the address that this mail did not reach."""
    emit(logging.WARNING, "paused", outbox=outbox, why=why)


def gated(*, ticket: int | None, notice: str, why: str) -> None:
    """The gate kept a notice from leaving. What follows a colon in `why` is not counted by."""
    label = why.partition(":")[0]
    emit(logging.WARNING, "gated", label, ticket=ticket, notice=notice, why=why)


def storm(*, mails: int, minutes: int, until: datetime) -> None:
    """Too much automatic mail left at once: none leaves until then."""
    emit(
        logging.ERROR,
        "storm",
        mails=mails,
        minutes=minutes,
        until=until.isoformat(timespec="seconds"),
    )


def fetched(*, ticket: int, inbox: int, part: int) -> None:
    """A file was handed out by the link in an agent's notice."""
    emit(logging.INFO, "fetched", ticket=ticket, inbox=inbox, part=part)


# --- the daemon --------------------------------------------------------------------------


def started(*, what: str, where: str = "") -> None:
    """A part of the daemon is up."""
    emit(logging.INFO, "started", what, what=what, where=where)


def stopped(*, what: str, why: str = "") -> None:
    """A part of the daemon has come to its end in good order."""
    emit(logging.INFO, "stopped", what, what=what, why=why)


def renewed(*, what: str, where: str = "") -> None:
    """A part of the daemon took up changed files while it ran."""
    emit(logging.INFO, "renewed", what, what=what, where=where)


def trouble(*, what: str, error: BaseException | str, **fields: Field) -> None:
    """Something failed and will be tried again, or was set aside; an operator may want to look."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    emit(logging.ERROR, "trouble", what, what=what, error=text, **fields)
