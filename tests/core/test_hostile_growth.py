"""Twice the mail costs at most about twice the work, and no memory beyond a few copies of it.

Work is counted in calls, memory in octets, so that a busy machine changes nothing. What a single
call of the C library costs is measured by `make fuzz` (tests/fuzz/campaign.py), in CPU seconds.
"""

from __future__ import annotations

import sys
import tracemalloc
from types import FrameType

import pytest

from mailgate.core.parse import headers_only
from mailgate.core.peek import peek
from mailgate.parsing import read_mail
from tests.fuzz.bombs import BOMBS

SIZES = (4 << 10, 8 << 10, 16 << 10)
LARGE = 1 << 20
SLACK = 2_000  # calls: what a limit that is reached on the way may cost


def calls(raw: bytes) -> int:
    """Calls and returns, those of C functions included, while a mail goes its whole way in."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        peek(raw)
        headers_only(raw, "too-complex")
        read_mail(raw, ("en",))
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", BOMBS)
def test_the_work_grows_with_the_size(name: str) -> None:  # P1 to P3, invariant 14
    first, *_, last = (calls(BOMBS[name](size)) for size in SIZES)
    doublings = len(SIZES) - 1
    assert last <= first * 2.5**doublings + SLACK


@pytest.mark.parametrize(
    "name",
    [
        *("levels", "parts-small", "boundary-blanks", "body-lf-in-multipart", "body-flowed-line"),
        *("body-lines-in-part", "base64-junk", "base64-pieces", "file-8bit-in-part"),
    ],
)
def test_a_large_mail_takes_a_few_times_its_size(name: str) -> None:  # P2, invariant 14
    # Found by fuzzing: a list of a million lines took 750 MB, which ordinary mail then lacked.
    raw = BOMBS[name](LARGE)
    tracemalloc.start()
    try:
        read_mail(raw, ("en",))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 10 * LARGE + (16 << 20)
