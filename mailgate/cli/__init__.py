"""The command line: one file per family of commands."""

from __future__ import annotations

from mailgate.cli.app import main

__all__ = ["main"]
