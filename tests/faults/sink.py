"""The relay of a run, a process of its own: a synced ledger, and moods on order.

    python -m tests.faults.sink PORT LEDGER

Prints a line when it listens. Then each line it reads is a JSON list [step, what, times] for
RelaySink.script, where what is a reply, "hangup" or "stall"; an empty list clears all. Each is
answered with "ok", so that whoever asked knows when it holds.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.ledgers import Ledger
from tests.peers.relay_sink import Mood, RelaySink, What

ROOT = Path(__file__).resolve().parents[2]

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]*>)", re.I | re.M)
_MOODS = {"hangup": Mood.HANGUP, "stall": Mood.STALL}


class _Sink(RelaySink):
    """Notes who got what, under which Message-ID; keeps no bytes, so that its memory stays flat."""

    def __init__(self, port: int, ledger: Ledger) -> None:
        super().__init__(port=port)
        self._lines = ledger

    def rule_for(self, step: str, argument: str) -> What | None:
        """Note answers that are about to get lost: they allow a repeat."""
        what = super().rule_for(step, argument)
        if step == "kept" and isinstance(what, Mood):
            self._lines.write(lost=argument)
        return what

    def keep(self, _mail_from: str, rcpt_tos: tuple[str, ...], _options: str, data: bytes) -> int:
        """Write the line; the relay answers 250 only after that."""
        found = _MESSAGE_ID.search(data.partition(b"\r\n\r\n")[0])
        self._lines.write(
            to=list(rcpt_tos),
            sha256=hashlib.sha256(data).hexdigest(),
            message_id=found[1].decode() if found else "",
        )
        self.steps.clear()
        return 0


def main() -> None:
    """Serve until standard input ends."""
    ledger = Ledger(Path(sys.argv[2]))
    with _Sink(int(sys.argv[1]), ledger) as sink:
        print(sink.port, flush=True)  # noqa: T201 - to whoever started this process
        for line in sys.stdin:
            order = json.loads(line)
            if order:
                step, what, times = order
                sink.script(step, _MOODS.get(what, what), times=times)
            else:
                sink.rules.clear()
            print("ok", flush=True)  # noqa: T201


class Sink:
    """The process as its owner sees it."""

    def __init__(self, process: subprocess.Popen[str], port: int, ledger: Path) -> None:
        self._process = process
        self.port = port
        self.ledger = ledger

    def mood(self, step: str, what: str, times: int) -> None:
        """At this step of the next `times` conversations: a reply, "hangup" or "stall"."""
        self._order([step, what, times])

    def calm(self) -> None:
        """No more moods."""
        self._order([])

    def _order(self, order: Sequence[object]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ok\n"


@contextmanager
def running(ledger: Path) -> Iterator[Sink]:
    """A sink process on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.sink", "0", str(ledger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Sink(process, int(process.stdout.readline()), ledger)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


if __name__ == "__main__":
    main()
