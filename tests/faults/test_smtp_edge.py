"""S3-S5 against the real daemon: its own trouble, lost clients, slow commits; and a freeze."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.ledgers import read
from tests.faults.load import converse, wait_for
from tests.faults.rig import rig

TROUBLE = "451 4.3.0 Temporary trouble, please try again later"


@pytest.mark.parametrize("point", ["in.row_insert", "in.before_commit", "in.after_commit"])
def test_s3_a_failing_handler_is_a_fixed_451_and_the_retry_makes_one_ticket(
    point: str, tmp_path: Path
) -> None:
    with rig(tmp_path) as run:
        run.node.up(f"{point}:1:raise")
        run.load.put("smtp", run.writer.new())
        verdict = run.settle()
    assert verdict.findings == []
    answers = [line["answer"] for line in read(tmp_path / "load.jsonl") if "answer" in line]
    assert answers == [TROUBLE, "250 2.0.0 Taken"]
    assert verdict.outcomes["ticket"] == 1


def test_s4_clients_that_hang_up_or_half_close_get_one_ticket_each(tmp_path: Path) -> None:
    with rig(tmp_path) as run:
        run.node.up()
        for _ in range(15):
            run.load.put("rude", run.writer.new())
            run.load.put("half", run.writer.new())
        verdict = run.settle()
    assert verdict.findings == []
    assert verdict.outcomes["ticket"] == 30
    lines = [line for line in read(tmp_path / "load.jsonl") if line.get("way") == "half"]
    assert len(lines) == 15  # a client that half-closes reads its answer the first time


def test_s5_a_commit_that_takes_long_is_still_answered(tmp_path: Path) -> None:
    with rig(tmp_path) as run:
        run.node.up("in.before_commit:1:sleep")
        mail = run.writer.new()
        assert converse(run.node.smtp, mail) == "250 2.0.0 Taken"


def test_a_frozen_daemon_goes_on_where_it_was(tmp_path: Path) -> None:
    with rig(tmp_path) as run:
        run.node.up()
        for number in range(40):
            run.load.put("lmtp" if number % 4 else "smtp", run.writer.new())
            if number == 20:
                run.node.freeze(5)
        wait_for("all answers", lambda: not run.load.waiting(), 60)
        verdict = run.settle()
    assert verdict.findings == []
    assert (verdict.answered, verdict.kills, verdict.repeats) == (40, 0, 0)
