"""Where in config.toml a check stands: from a path into the Config back to file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mailgate.config.positions import Loc, key_of, line_of
from mailgate.config.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The file under check, its lines, and which parts of it had to be left out."""

    file: str
    lines: Mapping[Loc, int]
    broken: frozenset[str] = frozenset()  # sections of which something is missing
    kept: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def without(self, broken: frozenset[str], kept: Mapping[str, tuple[int, ...]]) -> Site:
        """The same site for a configuration from which refused parts were taken out."""
        return replace(self, broken=broken, kept=kept)

    def whole(self, *sections: str) -> bool:
        """Whether these sections are complete, so that what they lack is truly lacking."""
        return self.broken.isdisjoint(sections)

    def problem(self, loc: Loc, message: str, remedy: str) -> Problem:
        """A mistake at a path into the Config, at the line of its key."""
        if len(loc) > 1 and isinstance(loc[1], int) and loc[0] in self.kept:
            loc = (loc[0], self.kept[str(loc[0])][loc[1]], *loc[2:])
        return Problem(
            file=self.file,
            line=line_of(self.lines, loc) if loc else 0,
            key=key_of(loc),
            message=message,
            remedy=remedy,
        )
