"""On which line of a TOML file a value stands: tomllib gives values without positions.

Only for text that tomllib has accepted, so nothing here has to judge the syntax.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

Loc = tuple[str | int, ...]

# Multi-line strings may end in up to five quotes, the first two of which belong to the text.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]"
    r"|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)
_PART = re.compile(r"""\s*("(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)\s*(\.?)""")
_DEPTH = {"[": 1, "{": 1, "]": -1, "}": -1}


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each header or key with its value, without comments."""
    line = start = 1
    depth = 0
    written = ""
    for piece in (match[0] for match in _TOKEN.finditer(text)):
        if piece == "\n" and depth == 0:
            if written.strip():
                yield start, written.strip()
            written, start = "", line + 1
        elif not piece.startswith("#"):
            written += piece
            depth += _DEPTH.get(piece, 0)
        line += piece.count("\n")
    if written.strip():
        yield start, written.strip()


def _key(text: str) -> tuple[str, ...]:
    """The parts of a dotted key at the start of `text`."""
    parts: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        part = match[1]
        parts.append(tomllib.loads(f"k = {part}")["k"] if part[0] in "\"'" else part)
        at = match.end()
        if not match[2]:
            break
    return tuple(parts)


def lines(text: str) -> Mapping[Loc, int]:
    """The line of every table and key, by path: ("smtp", 0, "listen") -> 12."""
    found: dict[Loc, int] = {(): 1}
    counts: dict[Loc, int] = {}  # array of tables -> index of its last element
    table: Loc = ()

    def place(names: tuple[str, ...]) -> Loc:
        path: Loc = ()
        for name in names:
            path = (*path, name)
            path = (*path, counts[path]) if path in counts else path
        return path

    for line, written in _statements(text):
        if written.startswith("[["):
            names = _key(written[2:])
            array = (*place(names[:-1]), names[-1])
            counts[array] = counts.get(array, -1) + 1
            found.setdefault(array, line)
            table = (*array, counts[array])
        elif written.startswith("["):
            table = place(_key(written[1:]))
        else:
            found[(*table, *_key(written))] = line
            continue
        found[table] = line
    return found


def line_of(found: Mapping[Loc, int], loc: Loc) -> int:
    """The line of a path, or of the nearest thing above it that the file has."""
    while loc not in found:
        loc = loc[:-1]
    return found[loc]


def key_of(loc: Loc) -> str:
    """A path as people write it: `[smtp.0].listen`, `[tickets.groups].billing`."""
    texts = [str(part) for part in loc]
    tables = _table_length(loc)
    head = f"[{'.'.join(texts[:tables])}]"
    return ".".join([head, *texts[tables:]]) if loc else ""


def _table_length(loc: Loc) -> int:
    """How many parts name the table: the section, its index, and a table within it."""
    length = 2 if len(loc) > 1 and isinstance(loc[1], int) else 1
    within = loc[length : length + 1]
    inner = within and within[0] in (
        "oauth2",
        "transitions",
        "groups",
        "hours",
        "answer",
        "resolve",
    )
    return length + 1 if inner and len(loc) > length + 1 else length
