"""The command line in this process: words in; exit status, stdout and stderr out."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailgate.cli import main

CONFIG = """\
[helpdesk]
domain = "example.org"
data_dir = "data"
{database}
[[mailbox]]
address = "support@example.org"
[[mailbox]]
address = "sales@example.org"
queue = "sales"
[[agent]]
address = "ana@example.org"
name = "Ana"
[[agent]]
address = "bruno@example.org"
[tickets]
categories = ["billing", "orders"]
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Cli:
    """Runs commands on one configuration."""

    def __init__(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        database: str = "",
    ) -> None:
        """`database` is a URL, by default SQLite."""
        self.folder = folder
        self.config = folder / "config.toml"
        url = f'[database]\nurl = "{database}"' if database else ""
        self.config.write_text(CONFIG.format(database=url), encoding="utf-8")
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str, stdin: bytes = b"", config: bool = True) -> Done:
        """Run a command; `config` puts --config in front."""
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        named = ["--config", str(self.config)] if config else []
        status = main([*named, *words])
        said = self._capsys.readouterr()
        return Done(status=status, out=said.out, err=said.err)

    def ok(self, *words: str, stdin: bytes = b"") -> Done:
        """As a call, and it must end with 0."""
        done = self(*words, stdin=stdin)
        assert done.status == 0, done.err
        return done

    def take(self, *mails: bytes) -> list[dict[str, Any]]:
        """Deliver mails and return the lines of their outcomes."""
        return [self.ok("deliver", "--json", stdin=mail).lines[0] for mail in mails]


def letter(
    subject: str = "Hello",
    *,
    sender: str = "Carmen <carmen@example.com>",
    head: Sequence[str] = (),
    body: str = "My invoice is wrong.\r\n",
) -> bytes:
    """A mail to the queue."""
    lines = [
        f"From: {sender}",
        "To: support@example.org",
        f"Subject: {subject}",
        f"Message-ID: <{subject.replace(' ', '.')}@example.com>",
        *head,
        "",
        body,
    ]
    return "\r\n".join(lines).encode()
