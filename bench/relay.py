"""Where all mail of a run goes: a process that catches, counts and keeps nothing.

Prints its port; then answers each line it reads with its count and the time of the last mail.
"""

from __future__ import annotations

import json
import sys
import time

from mailgate.ops.catching import CatchingRelay


class _Counter(CatchingRelay):
    """Counts mails; their bytes are let go."""

    count = 0
    last = 0.0

    def keep(self, *_mail: object) -> int:
        """Count one mail."""
        self.count += 1
        self.last = time.time()
        return self.count


def main() -> None:
    """Serve until standard input ends."""
    with _Counter() as relay:
        print(relay.port, flush=True)
        for _line in sys.stdin:
            print(json.dumps({"count": relay.count, "last": relay.last}), flush=True)


if __name__ == "__main__":
    main()
