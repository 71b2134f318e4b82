"""Run Alembic from code: no alembic.ini, so that an installed wheel can migrate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def settings(engine: Engine, step: Callable[[str], None] = lambda _name: None) -> Config:
    """Alembic's configuration for this engine; `step` is called as each revision is done."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["engine"] = engine
    config.attributes["step"] = step
    return config


def upgrade(engine: Engine, step: Callable[[str], None] = lambda _name: None) -> None:
    """Bring the database to the newest revision, in one transaction."""
    command.upgrade(settings(engine, step), "head")
