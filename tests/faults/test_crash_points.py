"""D1: killed at every named point, one after the other, with mail coming in all the time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailgate import crash
from tests.faults.campaign import SERVING
from tests.faults.load import wait_for
from tests.faults.node import ROOT
from tests.faults.rig import Rig, rig


def test_every_point_that_is_named_is_in_the_code_and_the_other_way_round() -> None:
    called = re.compile(
        r"""(?:\bcrash\.point|\b_?step|\["step"\])\(\s*"([a-z]+\.[a-z0-9_]+)"\s*\)"""
    )
    found = [
        name
        for folder in ("mailgate", "store")
        for path in (ROOT / folder).rglob("*.py")
        for name in called.findall(path.read_text())
    ]
    assert sorted(set(found)) == sorted(name for name, _ in crash.POINTS)
    assert all(meaning for _, meaning in crash.POINTS)


def feed(run: Rig) -> None:
    """A bit of everything, so that every point is reached."""
    run.load.put("smtp", run.writer.new())
    run.load.put("lmtp", run.writer.new(size=90_000))
    for mail in (run.lend(), run.answer(), run.bounce()):
        if mail:
            run.load.put("smtp", mail)


def kill_at(run: Rig, point: str) -> None:
    """Start armed, feed until it is dead."""
    if point.startswith("imap."):
        run.post(run.writer.new())
    feed(run)
    run.start(f"{point}:1:kill")

    def dead() -> bool:
        # No more before the last is through: what a point waits for would be the last in a queue.
        if run.node.ready() and not run.news() and not run.load.waiting() and run.backlog() < 10:
            feed(run)
        return not run.node.alive()

    wait_for(f"death at {point}", dead, 120)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
@pytest.mark.timeout(600)
def test_d1_killed_at_every_point_nothing_is_lost_or_doubled(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "sqlite" if kind == "sqlite" else request.getfixturevalue("postgres_database_url")
    with rig(tmp_path, url=url) as run:
        for point in SERVING:
            kill_at(run, point)
        verdict = run.settle()
    assert verdict.findings == []
    assert verdict.kills == len(SERVING)
    assert verdict.answered == verdict.mails > len(SERVING)
