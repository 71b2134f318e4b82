"""`mailgate init`: a small configuration that runs as it is, cut from config.example.toml.

In the example a line that starts with `#` and no space is a key left at its default. The starter
keeps only the paragraphs that set something, without such lines, so the two cannot disagree.
"""

from __future__ import annotations

import re
from pathlib import Path

from mailgate.config.problems import ConfigError, Problem
from mailgate.resources import resource

_HEAD = """\
# mailgate: a first configuration. Change what is marked CHANGE, then run `mailgate check`.
# Every other key, with its default, is in config.example.toml and docs/configuration.md.
# Data lies in the folder `data` beside this file, or in $STATE_DIRECTORY under systemd.
"""
_DEFAULTED = re.compile(r"#\S")


def starter(folder: Path) -> tuple[Path, ...]:
    """Write config.toml and rules.yaml into a folder, which is made if need be.

    Nothing is overwritten: raises ConfigError when either is there, or cannot be written.
    """
    texts = {
        folder / "config.toml": starter_text(),
        folder / "rules.yaml": resource("rules.yaml").read_text(encoding="utf-8"),
    }
    there = [path for path in texts if path.exists() or path.is_symlink()]
    if there:
        remedy = "name another folder, or remove the file first"
        raise ConfigError(
            Problem(file=str(path), message="is there already", remedy=remedy) for path in there
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        problem = Problem(
            file=str(error.filename or folder),
            message=f"cannot be written: {error.strerror}",
            remedy="name a folder that you may write to",
        )
        raise ConfigError([problem]) from error
    return tuple(texts)


def starter_text() -> str:
    """The starter's config.toml."""
    example = resource("config.example.toml").read_text(encoding="utf-8")
    paragraphs = [p.strip("\n").split("\n") for p in example.split("\n\n")]
    kept = [[line for line in p if not _DEFAULTED.match(line)] for p in paragraphs if _sets(p)]
    return "\n".join([_HEAD, *("\n".join(lines) + "\n" for lines in kept)])


def _sets(paragraph: list[str]) -> bool:
    return any(line and line[0] not in "#[" for line in paragraph)
