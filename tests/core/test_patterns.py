"""No pattern of ours repeats a repetition without end where a text can be read in two ways (R2)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Each inner piece begins with a character that the piece before it cannot hold: one way to read it.
ONE_WAY = {
    r"[^\W\d_]+(?:['-][^\W\d_]+)*'?",
    r"(?:<br[^<>]*>|</?(?:div|p|span|font|o:p)\b[^<>]*>|&nbsp;|\s)+\Z",
}
REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def literals(path: Path) -> Iterator[tuple[str, int]]:
    """Patterns that are written out in calls of `re.compile` and its like."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func)
        first = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
        if called.startswith(("re.", "regex")) and isinstance(first, str):
            yield first, node.lineno


def nested(parsed: Any, inside: bool = False) -> bool:
    """Whether an endless repetition stands in an endless repetition."""
    for op, value in parsed:
        endless = op in REPEATS and value[1] is _constants.MAXREPEAT
        if endless and inside:
            return True
        if any(nested(part, inside or endless) for part in parts(op, value)):
            return True
    return False


def parts(op: Any, value: Any) -> Iterator[Any]:
    """The patterns within a piece of a pattern."""
    if op in REPEATS:
        yield value[2]
    elif op is _constants.SUBPATTERN:
        yield value[3]
    elif op is _constants.BRANCH:
        yield from value[1]
    elif op in (_constants.ASSERT, _constants.ASSERT_NOT):
        yield value[1]
    elif op is _constants.ATOMIC_GROUP:
        yield value


def test_no_endless_repetition_of_an_endless_repetition_R2() -> None:
    found, seen = [], 0
    for path in sorted([*(ROOT / "mailgate").rglob("*.py"), *(ROOT / "store").rglob("*.py")]):
        for pattern, line in literals(path):
            seen += 1
            if pattern not in ONE_WAY and nested(_parser.parse(pattern)):
                found.append(f"{path.relative_to(ROOT)}:{line}: {pattern}")
    assert found == []
    assert seen > 50


def test_the_search_finds_one() -> None:
    assert nested(_parser.parse(r"(?:a|(?=b*))(\s*On\b.*)*wrote:"))
    assert not nested(_parser.parse(r"(?:a{1,9}b){1,9}c*d+"))
    assert re.compile(r"(?:a{1,9}b){1,9}c*d+")
