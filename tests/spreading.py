"""Which tests each of several processes begins with: the long ones, so that none is left for last.

pytest-xdist cuts the list of tests into equal parts, one for each process, and lets whoever is done
take from the end of another's part. A long module that came last would keep one process busy while
all others are idle, or be torn apart, so that its fixtures are made twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, groupby


def module_of(test: str) -> str:
    """The file that a test, called by its node id, stands in."""
    return test.partition("::")[0]


def spread(tests: Sequence[str], long: Collection[str], parts: int) -> list[str]:
    """The same tests, the modules in `long` first in each of so many equal parts."""
    modules = [list(found) for name, found in groupby(tests, key=module_of) if name in long]
    others = iter([test for test in tests if module_of(test) not in long])
    ordered: list[str] = []
    for part in range(parts):
        ordered += chain.from_iterable(modules[part::parts])
        end = len(tests) * (part + 1) // parts
        ordered += [test for _, test in zip(range(len(ordered), end), others, strict=False)]
    return [*ordered, *others]
