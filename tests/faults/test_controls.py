"""Control runs: with a safety taken away the judge must go red, or its word is worth nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.judge import Verdict
from tests.faults.load import wait_for
from tests.faults.rig import rig


@pytest.mark.parametrize(("weaken", "doubled"), [("", 0), ("dedupe", 6)])
def test_without_dedupe_clients_that_try_again_double_their_tickets(
    weaken: str, doubled: int, tmp_path: Path
) -> None:
    with rig(tmp_path) as run:
        run.node.up("", weaken)
        for _ in range(6):
            run.load.put("rude", run.writer.new())
        wait_for("answers", lambda: not run.load.waiting(), 30)
        verdict = run.settle()
    assert verdict.doubled_tickets == doubled
    assert verdict.ok is not bool(doubled)


@pytest.mark.parametrize(("weaken", "unanswered"), [("", 0), ("shield", 6)])
def test_without_the_shield_a_client_that_half_closes_is_never_answered(
    weaken: str, unanswered: int, tmp_path: Path
) -> None:
    with rig(tmp_path, tries=5) as run:
        run.node.up("", weaken)
        for _ in range(6):
            run.load.put("half", run.writer.new())
        wait_for("the last try", lambda: not run.load.waiting(), 60)
        verdict = run.settle()
    assert len([one for one in verdict.findings if one.startswith("unanswered")]) == unanswered
    assert verdict.ok is not bool(unanswered)


# --- a power cut -------------------------------------------------------------------------


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    """A file system in a file; skips where we may not mount."""
    folder.mkdir()
    # Nothing but fsync may bring bytes to the image while the test runs: hence the long interval.
    words = ["mount", "-o", "loop,commit=300", str(image), str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("a power cut needs root and a loop device, to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def cut_power(tmp_path: Path, weaken: str) -> Verdict:
    """Take mail on a disk, cut the power, judge what the platter holds."""
    image, platter = tmp_path / "disk.img", tmp_path / "platter.img"
    if not shutil.which("mkfs.ext4"):
        pytest.skip("a power cut needs mkfs.ext4")
    subprocess.run(["truncate", "-s", "64M", str(image)], check=True)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    disk, restored = tmp_path / "disk", tmp_path / "restored"
    with mounted(image, disk), rig(tmp_path, data=disk / "data") as run:
        run.node.up("", weaken)
        for number in range(12):
            run.load.put("smtp", run.writer.new(size=90_000 if number % 4 == 0 else 0))
        wait_for("answers", lambda: not run.load.waiting(), 30)
        run.node.kill()
        # What was never synced is in the page cache of the mounted disk, not in the image.
        subprocess.run(["cp", "--sparse=always", str(image), str(platter)], check=True)
    with mounted(platter, restored):
        (tmp_path / "after").mkdir()
        with rig(tmp_path / "after", data=restored / "data") as run:
            for name in ("load.jsonl", "relay.jsonl"):
                shutil.copy(tmp_path / name, tmp_path / "after" / name)
            return run.settle()


def test_d2_a_power_cut_loses_no_mail_that_was_answered(tmp_path: Path) -> None:
    verdict = cut_power(tmp_path, "")
    assert verdict.findings == []
    assert verdict.answered == 12


def test_d2_without_fsync_the_same_power_cut_loses_mail(tmp_path: Path) -> None:
    verdict = cut_power(tmp_path, "fsync")
    assert verdict.lost > 0
    assert not verdict.ok
