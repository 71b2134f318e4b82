"""Whatever stands in the files: a configuration, or a ConfigError; never anything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailgate.config import ConfigError, Problem, load
from mailgate.config.rulesfile import Names, read_rules
from mailgate.core.policy import Rule
from mailgate.resources import resource

FULL = re.sub(r"(?m)^#(?=\S)", "", resource("config.example.toml").read_text(encoding="utf-8"))
RULES = resource("rules.yaml").read_text(encoding="utf-8")
KEYS = [n for n, line in enumerate(FULL.splitlines()) if re.match(r"\w+ = ", line)]
VALUES = (
    *('""', '" "', '"x"', '"a@b.test"', '"[::1]:25"', '"/"', '"\\u0000"', "'''a\nb'''"),
    *("0", "-1", "99999999999", "1.5", "true", "2026-01-01", "nan"),
    *("[]", "[[1]]", '["a", 1]', "[{}]", "{}", '{ new = ["x"] }', '{ "a.b" = 1 }'),
)
AGAIN = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@AGAIN
@given(changes=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4))
def test_any_value_for_any_key(changes: list[tuple[int, str]], tmp_path: Path) -> None:
    lines = FULL.splitlines()
    for number, value in changes:
        lines[number] = f"{lines[number].partition(' = ')[0]} = {value}"
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:  # the whole example names files that are not there
        load(path)
    for problem in refused.value.problems:
        assert problem.remedy
        assert "see docs" not in problem.remedy
        assert problem.line <= len(lines) + 2 * len(changes)


@AGAIN
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(RULES) - 1), st.sampled_from("[]{}:,*&!\"'\t\n#/?-|>%@ ~\0é")),
        max_size=8,
    )
)
def test_any_slip_of_the_finger_in_rules(changes: list[tuple[int, str]], tmp_path: Path) -> None:
    text = list(RULES)
    for at, character in changes:
        text[at] = character
    path = tmp_path / "rules.yaml"
    path.write_text("".join(text), encoding="utf-8")
    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    try:
        rules = read_rules(path, Names())
    except ConfigError as error:
        problems = error.problems
    assert all(rule.where.startswith("rules.yaml:") for rule in rules)
    assert all(problem.remedy for problem in problems)
