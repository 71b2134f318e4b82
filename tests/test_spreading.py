"""The order in which several processes take the tests."""

from __future__ import annotations

from tests.spreading import module_of, spread

SHORT = [f"short_{module}.py::test_{number}" for module in "abcde" for number in range(8)]
LONG = [f"long_{module}.py::test_{number}" for module in "xyz" for number in range(3)]


def test_every_part_begins_with_a_long_module() -> None:
    tests = [*SHORT[:20], *LONG[:6], *SHORT[20:], *LONG[6:]]
    found = spread(tests, {module_of(test) for test in LONG}, 3)
    assert sorted(found) == sorted(tests)
    size = len(tests) // 3
    for part, module in enumerate("xyz"):
        begins = found[part * size : part * size + 3]
        assert begins == [f"long_{module}.py::test_{number}" for number in range(3)]
    assert [test for test in found if test in SHORT] == SHORT


def test_more_long_tests_than_a_part_holds_are_all_there() -> None:
    tests = [*LONG, *SHORT[:2]]
    assert sorted(spread(tests, {"long_x.py", "long_y.py", "long_z.py"}, 2)) == sorted(tests)
