"""The command line: one file per family of commands."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence

TEMPFAIL = 75  # EX_TEMPFAIL of sysexits(3): the MTA keeps the mail and tries again
OPTIONS_WITH_VALUE = ("--config",)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; what went wrong is said on stderr.

    `deliver` ends in 0 or 75, whatever happens: a mail that an MTA hands us must never bounce
    because of our option, our configuration, our bug or our half-finished upgrade.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if command_of(words) != "deliver":
        return _run(words)
    try:
        return TEMPFAIL if _run(words) else 0
    except BaseException:
        traceback.print_exc()
        return TEMPFAIL


def command_of(words: Sequence[str]) -> str:
    """The first word that is neither a global option nor the value of one."""
    rest = iter(words)
    for word in rest:
        if word in OPTIONS_WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def _run(words: Sequence[str]) -> int:
    # Only here, so that an installation that cannot even be imported counts as trouble as well.
    # What is imported stays, so nobody looks through it for garbage meanwhile: that would take a
    # sixth of the time until a command begins.
    gc.disable()
    try:
        from mailgate.cli.app import run
    finally:
        gc.enable()
    return run(words)
