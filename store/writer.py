"""Who may write next, where there is one writer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Writer:
    """SQLite's single writer within this process: who is urgent goes before all who wait.

    Waiting here is immediate; SQLite's own busy handler sleeps.
    """

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._taken = False
        self._urgent = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody urgent waits: a writer that can end early should do so."""
        return self._urgent > 0

    @contextmanager
    def turn(self, *, urgent: bool) -> Iterator[None]:
        """Be the one writer."""
        with self._free:
            self._urgent += urgent
            self._free.wait_for(lambda: not self._taken and (urgent or not self._urgent))
            self._urgent -= urgent
            self._taken = True
        try:
            yield
        finally:
            with self._free:
                self._taken = False
                self._free.notify_all()
