"""A small configuration to break, and what `load` says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.config import ConfigError, load

HEAD = """\
[helpdesk]
domain = "example.org"
[[mailbox]]
address = "support@example.org"
[[agent]]
address = "ana@example.org"
"""
SMTP = '[[smtp]]\nlisten = "127.0.0.1:2525"\n'
IMAP = '[[imap]]\nhost = "imap.example.org"\nusername = "support"\n'
RELAY = '[[relay]]\nhost = "relay.example.org"\n'


def mistakes(folder: Path, text: str) -> list[str]:
    """The problems of a configuration, with the folder left out of every path."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path)
    return [str(problem).replace(f"{folder}/", "") for problem in refused.value.problems]
