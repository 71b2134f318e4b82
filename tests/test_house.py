"""Rules of the house that no other tool holds: sizes, names, printing, docs, imports, leaks."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("mailgate", "store")
MAX_LINES = 400
# Names that say nothing; there is always a better one.
EMPTY_WORDS = frozenset({"util", "utils", "helper", "helpers", "manager", "misc", "common"})


def tracked() -> list[Path]:
    """Files that git knows; skips where there is no repository, as in an unpacked sdist."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def sources(*folders: str) -> list[Path]:
    """Python files below these folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def definitions(
    tree: ast.Module,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Every function and class, however deep."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def public_outside(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Names of public functions, classes and their public methods; whether each has a docstring."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        yield node.name, bool(ast.get_docstring(node))
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, kinds) and not inner.name.startswith("_"):
                yield f"{node.name}.{inner.name}", bool(ast.get_docstring(inner))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_over_400_lines() -> None:
    sizes = {
        relative(p): len(p.read_text().splitlines()) for p in sources(*ROOMS, "tests", "bench")
    }
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}


def test_names_say_something() -> None:
    found = []
    for path in sources(*ROOMS, "tests", "bench"):
        names = [path.stem, *(node.name for node in definitions(ast.parse(path.read_text())))]
        for name in names:
            words = set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))
            if words & EMPTY_WORDS:
                found.append(f"{relative(path)}: {name}")
    assert found == []


def test_only_the_command_line_prints() -> None:
    found = []
    for path in sources(*ROOMS):
        if path.is_relative_to(ROOT / "mailgate" / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id == "print":
                found.append(f"{relative(path)}:{called.lineno}")
    assert found == []


def test_what_is_public_says_what_it_does() -> None:
    found = [
        f"{relative(path)}: {name}"
        for path in sources(*ROOMS)
        for name, told in public_outside(ast.parse(path.read_text()))
        if not told and "migrations" not in path.parts
    ]
    assert found == []


def test_docs_know_every_room() -> None:
    docs = "\n".join(p.read_text() for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    rooms = [
        f"{folder}/{path.name}" + ("/" if path.is_dir() else "")
        for folder in ROOMS
        for path in sorted((ROOT / folder).iterdir())
        if (path.suffix == ".py" and not path.stem.startswith("__"))
        or (path / "__init__.py").exists()
    ]
    assert [room for room in rooms if room not in docs] == []


def test_the_unit_runs_the_program_that_the_docs_install() -> None:
    unit = (ROOT / "systemd" / "mailgate.service").read_text()
    program = "/opt/mailgate/bin/mailgate"
    assert set(re.findall(r"^ExecStart\w*=(\S+)", unit, re.MULTILINE)) == {program}
    assert program in (ROOT / "docs" / "operating.md").read_text()


def test_nothing_tells_where_it_was_written() -> None:
    """No path of one machine and no host of a package registry: both rot, and pip has its own."""
    homes = "|".join(("work", "root", "farm", "home"))
    hosts = "|".join(
        ("py" + r"pi\.org", "python" + "hosted", r"deb\.deb" + "ian", r"registry\.np" + "m")
    )
    leak = re.compile(rf"(?:^|[^\w.])/(?:{homes})/\w|{hosts}", re.MULTILINE)
    found = []
    for path in tracked():
        if path.suffix == ".eml":
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{relative(path)}: {hit.group()!r}" for hit in leak.finditer(text)]
    assert found == []


# --- imports -----------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages in `folder`."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_imports_go_down_only() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_planted_import_breaks_the_contracts(tmp_path: Path) -> None:
    """The contracts are alive: each of three typical sins is found, in a copy."""
    for name in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    noun = tmp_path / "mailgate" / "core" / "mail.py"
    sins = "import os", "import sqlalchemy", "from mailgate import journal"
    noun.write_text(noun.read_text() + "\n".join(sins) + "\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    for broken in (
        "Imports go down only BROKEN",
        "The core waits for nothing and knows no clock BROKEN",
        "One door for SQLAlchemy BROKEN",
    ):
        assert broken in done.stdout
