"""Named points at which a test can kill this process, break a write or hold it up.

    MAILGATE_CRASH=in.after_commit:3:kill        the third time this point is reached: SIGKILL
    MAILGATE_CRASH=out.got_250:1:raise,in.blob_fsync:2:enospc

Without the variable a point costs one look into an empty mapping. `MAILGATE_WEAKEN` takes one
safety away (see WEAKNESSES), to prove that the tests would notice; it is refused unless
MAILGATE_CRASH is set too. Both are for tests alone: never set them where mail matters.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping

CRASH = "MAILGATE_CRASH"
WEAKEN = "MAILGATE_WEAKEN"
HOLD = 5.0  # seconds of mode "sleep"

# Name and what has just happened, or is about to.
POINTS: tuple[tuple[str, str], ...] = (
    ("in.blob_tmp", "a large mail's temporary file is open, nothing is written yet"),
    ("in.blob_fsync", "its bytes are written, about to be synced"),
    ("in.blob_rename", "its bytes are synced, about to get their name"),
    ("in.blob_folder", "the name is there, the folder about to be synced"),
    ("in.row_insert", "all bytes are stored, the inbox rows about to be inserted"),
    ("in.before_commit", "the inbox rows are inserted, about to be committed"),
    ("in.after_commit", "a group of mails is committed, no source knows it yet"),
    ("in.before_reply", "SMTP or LMTP: the answer to the final dot is about to be sent"),
    ("in.after_reply", "SMTP or LMTP: the answer to the final dot was sent"),
    ("imap.after_fetch", "mails were fetched, about to be submitted"),
    ("imap.after_commit", "fetched mails are committed, the cursor about to be moved"),
    ("imap.after_store", "the mails were moved on the server"),
    ("pipe.before_exit", "deliver: the mail is committed, about to exit with 0"),
    ("work.claim", "waiting mails are claimed"),
    ("work.parsed", "a mail is parsed, its transaction about to begin"),
    ("work.thread", "what the store knows about the mail is gathered"),
    ("work.rules", "the decision is made, about to be carried out"),
    ("work.before_commit", "outcome and effects are written, about to be committed"),
    ("work.after_commit", "outcome and effects are committed"),
    ("out.render", "a notice is about to be made"),
    ("out.claim", "a copy is claimed, the claim about to be committed"),
    ("out.mark_sending", "the claim is committed"),
    ("out.connected", "a relay takes our mail, nothing is said about this one yet"),
    ("out.mail", "about to say MAIL"),
    ("out.rcpt", "about to say RCPT"),
    ("out.data", "about to say DATA"),
    ("out.before_dot", "all but the end of the mail is written"),
    ("out.after_dot", "the final dot is written"),
    ("out.got_250", "the relay has answered the final dot"),
    ("out.before_mark_sent", "what became of a copy is about to be written"),
    ("out.after_mark_sent", "what became of a copy is committed"),
    ("dsn.match", "a delivery report is about to be noted on its ticket"),
    ("challenge.release", "an approval is about to be noted, or what it released to be committed"),
    ("gc.delete", "a file that no row names is about to be removed"),
    ("migrate.step", "a step of a migration is done, about to be committed"),
)

WEAKNESSES: tuple[tuple[str, str], ...] = (
    ("fsync", "nothing is forced onto stable storage"),
    ("shield", "a client that hangs up takes its commit with it"),
    ("dedupe", "content that was there before counts as new"),
)

_MODES = ("kill", "raise", "sleep", "enospc", "eio")


class BadPlan(ValueError):
    """MAILGATE_CRASH or MAILGATE_WEAKEN cannot be read; the text says why."""


class Injected(RuntimeError):
    """The failure that mode "raise" asks for."""


_armed: dict[str, dict[int, str]] = {}  # name -> nth -> mode
_reached: dict[str, int] = {}
_weak: frozenset[str] = frozenset()
_counting = threading.Lock()


def arm(environment: Mapping[str, str]) -> None:
    """Arm what the environment asks for, and nothing else. Raises BadPlan."""
    global _weak
    plan = environment.get(CRASH, "")
    weak = environment.get(WEAKEN, "")
    if weak and CRASH not in environment:
        raise BadPlan(f"{WEAKEN} is for tests: it needs {CRASH} beside it, which may be empty")
    for word in weak.split(",") if weak else ():
        if word not in dict(WEAKNESSES):
            known = ", ".join(name for name, _ in WEAKNESSES)
            raise BadPlan(f"{WEAKEN}: {word!r} is none of {known}")
    armed = _read(plan)
    with _counting:
        _armed.clear()
        _reached.clear()
        _armed.update(armed)
        _weak = frozenset(weak.split(",")) if weak else frozenset()


def _read(plan: str) -> dict[str, dict[int, str]]:
    known = dict(POINTS)
    armed: dict[str, dict[int, str]] = {}
    for shot in plan.split(",") if plan else ():
        name, nth, mode = (*shot.split(":"), "", "")[:3]
        if shot.count(":") != 2 or not nth.isdecimal() or int(nth) < 1:
            raise BadPlan(f"{CRASH}: {shot!r} is not name:nth:mode with nth from 1 on")
        if name not in known:
            raise BadPlan(f"{CRASH}: there is no point {name!r}; there are {', '.join(known)}")
        if mode not in _MODES:
            raise BadPlan(f"{CRASH}: {mode!r} is none of {', '.join(_MODES)}")
        armed.setdefault(name, {})[int(nth)] = mode
    return armed


def point(name: str) -> None:
    """This point is reached: do what it is armed with. Raises Injected or OSError then."""
    if name in _armed:
        _fire(name)


def weakened(what: str) -> bool:
    """Whether a test has taken this safety away."""
    return what in _weak


def _fire(name: str) -> None:
    with _counting:
        _reached[name] = _reached.get(name, 0) + 1
        mode = _armed.get(name, {}).get(_reached[name], "")
    if mode:
        _ACTS[mode](name)


def _kill(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(name: str) -> None:
    raise Injected(f"asked for at {name}")


def _sleep(_name: str) -> None:
    time.sleep(HOLD)


def _enospc(name: str) -> None:
    raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}, asked for at {name}")


def _eio(name: str) -> None:
    raise OSError(errno.EIO, f"{os.strerror(errno.EIO)}, asked for at {name}")


_ACTS: Mapping[str, Callable[[str], None]] = {
    "kill": _kill,
    "raise": _raise,
    "sleep": _sleep,
    "enospc": _enospc,
    "eio": _eio,
}
