"""config.toml -> Config, or every mistake in it and in the rules file at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mailgate.config import checks, positions, translation
from mailgate.config.models import Config
from mailgate.config.positions import Loc
from mailgate.config.problems import ConfigError, Problem
from mailgate.config.site import Site

SYSTEM_WIDE = Path("/etc/mailgate/config.toml")


def find(explicit: str | None) -> Path:
    """The configuration file: `--config`, `$MAILGATE_CONFIG`, `./config.toml`, the one in /etc.

    Raises ConfigError when there is none. A file that was named is returned without looking for
    it, so that `load` can say why it cannot be read.
    """
    named = explicit or os.environ.get("MAILGATE_CONFIG", "")
    if named:
        return Path(named)
    for path in (Path("config.toml"), SYSTEM_WIDE):
        if path.is_file():
            return path
    remedy = "run `mailgate init DIR`, or name one with --config or $MAILGATE_CONFIG"
    message = f"there is no configuration here and no {SYSTEM_WIDE}"
    raise ConfigError([Problem(file="config.toml", message=message, remedy=remedy)])


def load(path: Path) -> Config:
    """Read and check a configuration and the rules file it names.

    Raises ConfigError with every mistake; nothing half-checked is ever returned.
    """
    name = str(path)
    text = _text(path)
    data = _toml(name, text)
    found = positions.lines(text)
    context = {"base": path.resolve().parent, "env": os.environ}
    mistakes: list[Problem] = []
    config, site = _validated(data, context, Site(file=name, lines=found), mistakes)
    mistakes += checks.run(config, site)
    if mistakes:
        unique = tuple(dict.fromkeys(mistakes))  # a set would shuffle mistakes of one line
        raise ConfigError(sorted(unique, key=lambda p: _order(name, p)))
    return _settled(config)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        remedy = "check the path and its permissions, or run `mailgate init DIR`"
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (octet {error.start})"
        remedy = "save it as UTF-8"
    raise ConfigError([Problem(file=str(path), message=message, remedy=remedy)])


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = Problem(file=name, message="is nested too deep", remedy="write it flat")
        raise ConfigError([problem]) from None
    except tomllib.TOMLDecodeError as error:
        # Python 3.11 to 3.13 give the position only in the message.
        message, _, where = str(error).rpartition(" (at ")
        at = re.search(r"line (\d+), column (\d+)", where)
        line = int(at[1]) if at else text.count("\n") + 1
        problem = Problem(
            file=name,
            line=line,
            column=int(at[2]) if at else None,
            message=f"is not TOML: {message}",
            remedy="text stands in quotes, a list in [ ], one key = value a line",
        )
        raise ConfigError([problem]) from None


def _validated(
    data: dict[str, Any], context: Mapping[str, Any], site: Site, mistakes: list[Problem]
) -> tuple[Config, Site]:
    """The configuration, or what is left of it without the parts that pydantic refuses.

    The rest is still checked, so that a mistake in one section does not hide those in another.
    """
    try:
        return Config.model_validate(data, context=context), site
    except ValidationError as error:
        mistakes += translation.problems(site.file, Config, error, site.lines)
        pruning = _Pruning(data)
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            pruning.remove(detail["loc"], unknown=detail["type"] == "extra_forbidden")
    rest = Config.model_validate(pruning.data(), context=context)
    return rest, site.without(frozenset(pruning.broken), pruning.kept())


@dataclass
class _Pruning:
    """Takes refused parts out of the raw data and remembers which sections are not whole."""

    raw: dict[str, Any]
    broken: set[str] = field(default_factory=set)
    dropped: set[Loc] = field(default_factory=set)

    def remove(self, loc: Loc, *, unknown: bool) -> None:
        """Drop an unknown key alone; else the [[element]], the key of a [section], or all of it."""
        self.dropped.add(loc if unknown else loc[:2])
        if not unknown:
            self.broken.add(str(loc[0]))

    def kept(self) -> Mapping[str, tuple[int, ...]]:
        """For each [[section]]: the original indexes of the elements that are left."""
        return {
            name: tuple(at for at in range(len(value)) if (name, at) not in self.dropped)
            for name, value in self.raw.items()
            if isinstance(value, list)
        }

    def data(self) -> dict[str, Any]:
        """What is left; a [helpdesk] without a usable domain gets a stand-in."""
        left: dict[str, Any] = self._copy(self.raw, ())
        desk = left.setdefault("helpdesk", {})
        desk.setdefault("domain", "unknown.invalid")
        return left

    def _copy(self, value: Any, loc: Loc) -> Any:
        if isinstance(value, dict):
            inner = {k: (*loc, k) for k in value}
            return {
                k: self._copy(value[k], at) for k, at in inner.items() if at not in self.dropped
            }
        if isinstance(value, list):
            places = [(*loc, at) for at in range(len(value))]
            pairs = zip(value, places, strict=True)
            return [self._copy(item, at) for item, at in pairs if at not in self.dropped]
        return value


def _settled(config: Config) -> Config:
    """Each [[imap]].mailbox, written as address, alias or name or left out, as the address."""
    accounts = tuple(
        account.model_copy(update={"mailbox": checks.mailbox_named(config, account.mailbox)})
        for account in config.imap
    )
    return config.model_copy(update={"imap": accounts})


def _order(name: str, problem: Problem) -> tuple[bool, str, int, int, str]:
    return (problem.file != name, problem.file, problem.line, problem.column or 0, problem.key)
