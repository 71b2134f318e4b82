"""Change keys of one section of config.toml in place; comments and everything else stay."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

Value = str | int | bool
_NEXT = re.compile(r"^\s*\[")


class NotWritable(Exception):
    """The file is written in a way that only its author should change; the text says how."""


def literal(value: Value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def with_keys(text: str, section: str, values: Mapping[str, Value]) -> str:
    """The text of a TOML file with these keys of one [section] set.

    Raises NotWritable when the result would not be the same file but for these keys.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    header = re.compile(rf"^\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?$")
    start = next((n for n, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        lines += [*([""] if lines and lines[-1].strip() else []), f"[{section}]"]
        start = len(lines) - 1
    for key, value in reversed(tuple(values.items())):
        _set(lines, start, key, literal(value))
    changed = end.join(lines) + end
    _compare(text, changed, section, values)
    return changed


def _set(lines: list[str], start: int, key: str, written: str) -> None:
    """Put a value on its own line of the section, or on a new one right below the header."""
    stop = next((n for n in range(start + 1, len(lines)) if _NEXT.match(lines[n])), len(lines))
    line = re.compile(
        rf"^(\s*{re.escape(key)}\s*=\s*)(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s#\"']+)(\s*(?:#.*)?)$"
    )
    for at in range(start + 1, stop):
        if match := line.match(lines[at]):
            lines[at] = f"{match[1]}{written}{match[2]}"
            return
    lines.insert(start + 1, f"{key} = {written}")


def _compare(old: str, new: str, section: str, values: Mapping[str, Value]) -> None:
    wanted = tomllib.loads(old)
    try:
        wanted.setdefault(section, {}).update(values)
        same = tomllib.loads(new) == wanted
    except (tomllib.TOMLDecodeError, AttributeError):
        same = False
    if not same:
        raise NotWritable(f"[{section}] is written in a way that cannot be changed safely")


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the mode and owner it has. Raises OSError."""
    target = path.resolve()
    status = target.stat()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, name)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(name, status.st_uid, status.st_gid)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
