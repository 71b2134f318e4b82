"""`mailgate demo` as a newcomer runs it, and what it says when something does not happen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailgate.cli import main
from mailgate.ops import demo_mails, demo_site
from tests.peers.daemon_rig import run_cli


def test_the_demo_ends_well_without_a_configuration() -> None:
    done = run_cli(None, "demo")
    out = done.stdout.decode()
    assert done.returncode == 0, out + done.stderr.decode()
    assert "What came in" in out
    assert "What went out" in out
    assert out.rstrip().endswith("everything ended as it should")
    folder = Path(out.splitlines()[0].removeprefix("mailgate demo in "))
    assert not folder.exists(), "the scratch folder is gone"


def test_the_demo_speaks_json() -> None:
    done = run_cli(None, "--json", "demo")
    assert done.returncode == 0, done.stderr.decode()
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert lines[-1] == {"problems": [], "ok": True}
    came = [line for line in lines if "outcome" in line]
    assert [line["outcome"] for line in came] == [line["expected"] for line in came]
    assert {"ticket", "reply", "duplicate", "note", "bounce"} == {x["outcome"] for x in came}
    assert {x["notice"] for x in lines if "notice" in x} >= {"confirmation", "answer", "closure"}


def test_another_outcome_than_expected_ends_the_demo_in_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_mails, "by_token", lambda run, _number: demo_mails.html_only(run))
    assert main(["demo"]) == 1
    said = capsys.readouterr()
    assert "PROBLEM: reply with the subject token only: expected reply, got ticket" in said.out
    assert "the demo did not end as it should" in said.err


def test_a_daemon_that_does_not_start_ends_the_demo_in_1_and_shows_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_site, "RULES", "rules:\n  - bogus: 1\n")
    assert main(["demo"]) == 1
    said = capsys.readouterr()
    assert "the daemon ended at once" in said.err
    assert "rules.yaml:2" in said.err
    assert "Traceback" not in said.err
