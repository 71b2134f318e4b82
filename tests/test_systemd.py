"""The systemd unit: well-formed and hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "systemd" / "mailgate.service"
PROGRAM = "/opt/mailgate/bin/mailgate"
EXPOSURE = 25  # of 100 (none) to 0 (all protections); systemd calls the tenth of it "2.5 OK"

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing"),
]


def analyze(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *args], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists on every machine: `verify` looks for it."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(PROGRAM, shutil.which("true") or "/bin/true"))
    return copy


def test_the_unit_is_well_formed(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_mistake_in_the_unit_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("[Service]", "[Service]\nNoSuchSetting=yes"))
    done = analyze("verify", "--man=no", str(unit))
    assert "NoSuchSetting" in done.stderr


def test_the_unit_gives_the_daemon_little_room(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout + done.stderr
    overall = re.search(r"Overall exposure level for mailgate.service: ([\d.]+)", done.stdout)
    assert overall is not None, done.stdout
    assert float(overall.group(1)) <= EXPOSURE / 10
