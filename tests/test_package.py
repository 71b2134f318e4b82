"""The package as strangers get it: built, installed into an empty environment, run."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.timeout(400)


def run(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program without our environment showing through; its output is in the failure."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MAILGATE_CONFIG")
    done = subprocess.run(
        [str(a) for a in args],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k not in hidden},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{args}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and its dependencies, no more."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    bin_folder = folder / "venv" / "bin"
    constraints = ROOT / "constraints.txt"
    run(bin_folder / "pip", "install", "--quiet", "-c", constraints, wheel, cwd=folder)
    return bin_folder


def files_below(folder: str) -> set[str]:
    """What the checkout has in a folder, as paths below it."""
    base = ROOT / folder
    return {
        str(p.relative_to(base))
        for p in base.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def test_the_wheel_holds_all_that_runs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("mailgate", "store"):
        assert {f"{package}/{name}" for name in files_below(package)} <= names
    for data in ("templates", "systemd"):
        assert {f"mailgate/data/{data}/{name}" for name in files_below(data)} <= names
    assert {"mailgate/data/rules.yaml", "mailgate/data/config.example.toml"} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {"store/migrations/env.py", "store/migrations/versions/0001_first_schema.py"} <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"mailgate", "store"}


def test_the_sdist_holds_all_that_tests_and_docs_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "Makefile",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "pyproject.toml",
        ".ci/setup.sh",
    }
    assert wanted <= names
    for folder in ("tests", "docs", "templates", "systemd"):
        assert {f"{folder}/{name}" for name in files_below(folder)} <= names


def test_the_installed_program_starts_from_nothing(installed: Path, tmp_path: Path) -> None:
    mailgate = installed / "mailgate"
    run(mailgate, "init", "desk", cwd=tmp_path)
    run(mailgate, "--config", "desk/config.toml", "check", cwd=tmp_path)
    run(mailgate, "demo", cwd=tmp_path)


def test_the_installed_files_are_its_own(installed: Path, tmp_path: Path) -> None:
    script = (
        "from mailgate.resources import resource\n"
        "for name in ('templates', 'rules.yaml', 'config.example.toml', 'systemd'):\n"
        "    print(resource(name))"
    )
    found = run(installed / "python", "-c", script, cwd=tmp_path).stdout.split()
    assert [Path(f).name for f in found] == [
        "templates",
        "rules.yaml",
        "config.example.toml",
        "systemd",
    ]
    assert all(Path(f).is_relative_to(installed.parent) for f in found)


def test_a_checkout_uses_its_own_files() -> None:
    from mailgate.resources import resource

    assert resource("templates") == ROOT / "templates"
    with pytest.raises(FileNotFoundError, match="no-such-file is missing"):
        resource("no-such-file")
