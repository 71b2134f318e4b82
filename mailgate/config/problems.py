"""What is wrong with a configuration: where, which key, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake. The message never repeats a secret."""

    file: str
    line: int = 0  # from 1; 0 is the file as a whole
    column: int | None = None  # from 1
    key: str = ""  # "[smtp.0].listen", "rules.0.when.subject"
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """`config.toml:12: [smtp.0].listen: ...; write ...`, the form that editors can jump to."""
        numbers = [str(n) for n in (self.line, self.column) if n]
        where = ":".join([self.file, *numbers])
        key = f"{self.key}: " if self.key else ""
        return f"{where}: {key}{self.message}" + (f"; {self.remedy}" if self.remedy else "")


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` holds every mistake found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """`problems` must not be empty."""
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def nearest(written: str, known: Iterable[str], otherwise: str = "remove it") -> str:
    """A remedy for a name that does not exist: the nearest one, or all when they are few."""
    names = sorted(set(known))
    close = difflib.get_close_matches(written.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        return f"did you mean {next(n for n in names if n.lower() == close[0])!r}?"
    if not names:
        return otherwise
    return f"write one of: {', '.join(names)}" if len(names) <= 20 else otherwise


def wrong(message: str, remedy: str) -> PydanticCustomError:
    """An error for a validator to raise; its remedy travels with it into the Problem."""
    return PydanticCustomError("mailgate", "{said}", {"said": message, "remedy": remedy})
