"""The order in which writers take their turns on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from store.database import Database
from store.writer import Writer


def _thread(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _wait_for(seen: Callable[[], bool]) -> None:
    for _ in range(2000):
        if seen():
            return
        threading.Event().wait(0.005)
    pytest.fail("it never happened")


def test_whoever_is_urgent_goes_before_those_who_wait_longer() -> None:
    writer, order, waiting = Writer(), list[str](), threading.Event()

    def write(name: str, urgent: bool) -> None:
        waiting.set()
        with writer.turn(urgent=urgent):
            order.append(name)

    with writer.turn(urgent=False):
        patient = _thread(lambda: write("patient", False))
        waiting.wait()
        assert not writer.wanted
        urgent = _thread(lambda: write("urgent", True))
        _wait_for(lambda: writer.wanted)
        assert order == []
    patient.join()
    urgent.join()
    assert order == ["urgent", "patient"]
    assert not writer.wanted


def test_a_writer_that_fails_gives_its_turn_back() -> None:
    writer = Writer()
    with pytest.raises(RuntimeError), writer.turn(urgent=True):
        raise RuntimeError
    with writer.turn(urgent=False):
        assert not writer.wanted


def test_a_database_says_when_it_is_wanted(database: Database) -> None:
    done = threading.Event()

    def write() -> None:
        with database.transaction(urgent=True):
            done.set()

    with database.transaction():
        thread = _thread(write)
        if database.sqlite:
            _wait_for(lambda: database.wanted)
            assert not done.is_set()
        else:
            thread.join()  # PostgreSQL has many writers: nobody waits
    thread.join()
    assert done.is_set()
    assert not database.wanted
