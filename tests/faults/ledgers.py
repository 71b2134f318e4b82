"""Ledgers of the world outside: one JSON object a line, each on the disk before it counts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Ledger:
    """Appends lines and syncs each; safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file = path.open("ab")

    def write(self, **line: object) -> None:
        """Put one line on stable storage."""
        data = json.dumps(line).encode() + b"\n"
        with self._lock:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """No more lines."""
        self._file.close()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """All lines so far; nothing where there is no file yet."""
    if path.exists():
        for line in path.read_bytes().splitlines():
            yield json.loads(line)


class Tail:
    """Reads what was added to a ledger since it was asked last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def news(self) -> list[dict[str, Any]]:
        """The whole lines that are new."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
