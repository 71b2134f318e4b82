"""On which line of a TOML file a key stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mailgate.config.positions import Loc, key_of, line_of, lines

# ~~~ stands for three apostrophes.
TEXT = r'''# comment = "no"
top = 1  # [no]
[a]
x = """
[not.a.table]
y = 1
""""  # ends in four quotes
"quoted key" = '[['
[ a . 'b.c' ]  # header with spaces
z = [
  "]",  # ]
  { k = [1,
    2] },
]
a.b."c" = ~~~
multi = [
\~~~
[[list]]
n = 1
[list.inner]
m = 2
[[list.deep]]
d = 1
[[list.deep]]
d = 2
[[list]]
n = 2
[list.inner]
m = 3
last = "no newline"'''.replace("~~~", "'''")


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "x"), 4),
        (("a", "quoted key"), 8),
        (("a", "b.c"), 9),
        (("a", "b.c", "z"), 10),
        (("a", "b.c", "z", 1, "k"), 10),
        (("a", "b.c", "a", "b", "c"), 15),
        (("list",), 18),
        (("list", 0), 18),
        (("list", 0, "n"), 19),
        (("list", 0, "inner", "m"), 21),
        (("list", 0, "deep", 0, "d"), 23),
        (("list", 0, "deep", 1, "d"), 25),
        (("list", 1, "n"), 27),
        (("list", 1, "inner", "m"), 29),
        (("list", 1, "inner", "last"), 30),
        (("nowhere", "at", "all"), 1),
    ],
)
def test_lines(loc: Loc, line: int) -> None:
    assert tomllib.loads(TEXT)["list"][1]["inner"]["m"] == 3
    assert line_of(lines(TEXT), loc) == line


def test_an_empty_file_has_a_first_line() -> None:
    assert line_of(lines(""), ("helpdesk", "domain")) == 1


def test_windows_line_ends_count_once() -> None:
    assert line_of(lines('[a]\r\nb = """\r\n"""\r\nc = 1\r\n'), ("a", "c")) == 4


def test_every_key_of_the_example_is_found() -> None:
    text = (Path(__file__).resolve().parents[2] / "config.example.toml").read_text()
    found = lines(text)
    data = tomllib.loads(text)
    for section, value in data.items():
        table: Loc = (section, 0) if isinstance(value, list) else (section,)
        for key in value[0] if isinstance(value, list) else value:
            assert text.splitlines()[found[(*table, key)] - 1].startswith(f"{key} = ")


@pytest.mark.parametrize(
    ("loc", "key"),
    [
        ((), ""),
        (("helpdesk",), "[helpdesk]"),
        (("helpdesk", "name"), "[helpdesk].name"),
        (("smtp", 0), "[smtp.0]"),
        (("smtp", 0, "trusted", 1), "[smtp.0].trusted.1"),
        (("imap", 2, "oauth2", "scope"), "[imap.2.oauth2].scope"),
        (("imap", 2, "oauth2"), "[imap.2].oauth2"),
        (("tickets", "groups", "billing", 0), "[tickets.groups].billing.0"),
    ],
)
def test_keys(loc: Loc, key: str) -> None:
    assert key_of(loc) == key
