"""Desks for many tests: each shipped template is compiled once in a process, not once in a test."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from mailgate.assembly import make_desk, template_dirs
from mailgate.config import load
from mailgate.desk import Desk
from mailgate.render import Renderer

_renderer = lru_cache(Renderer)


def desk_of(config_file: Path, instance: str) -> Desk:
    """The desk of a configuration, as the daemon makes it."""
    config = load(config_file)
    desk = make_desk(config, instance)
    if config.helpdesk.templates:
        return desk
    return replace(desk, renderer=_renderer(tuple(template_dirs(config, "mail"))))
