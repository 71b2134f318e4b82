"""Commands that keep an installation: backup and restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer

from mailgate.cli.house import STATE, Failure, configuration, print_json
from mailgate.config import find
from mailgate.ops import backup as backups
from store.backup import DamagedCopy
from store.migrations import HEAD

DEST = typer.Argument(..., metavar="DEST", help="A folder that is new or empty.")
SRC = typer.Argument(..., metavar="SRC", help="A folder that `mailgate backup` made.")


def register(app: typer.Typer) -> None:
    """Put these commands at the top level."""
    for command in (backup, restore):
        app.command()(command)


def backup(dest: Path = DEST) -> None:
    """Copy database, large mails and configuration to a folder; the daemon may run (SQLite)."""
    with _failures():
        manifest = backups.backup(configuration(), find(STATE.config or None), dest)
    if STATE.json:
        print_json(
            {
                "backup": str(dest),
                "taken": manifest.taken,
                "schema": manifest.schema,
                "counts": dict(manifest.counts),
                "files": len(manifest.files),
                "lost": list(manifest.lost),
            }
        )
    else:
        typer.echo(f"backup of {manifest.taken} in {dest}: {_counted(manifest)}")
    if manifest.lost:
        raise Failure(
            f"the bytes of {len(manifest.lost)} mails or attachments were lost before, all else is"
            " in the backup; `mailgate ledger --check --deep` names them"
        )


def restore(src: Path = SRC) -> None:
    """Put a backup into the empty data folder of this configuration; the outbox is then paused."""
    with _failures():
        done = backups.restore(configuration(), src, datetime.now(UTC))
    manifest = done.manifest
    if STATE.json:
        print_json(
            {
                "restored": str(src),
                "taken": manifest.taken,
                "schema": manifest.schema,
                "counts": dict(manifest.counts),
                "lost": list(manifest.lost),
                "outbox": "paused",
                "disowned": done.disowned,
            }
        )
        return
    typer.echo(f"restored the backup of {manifest.taken}: {_counted(manifest)}")
    if manifest.schema != HEAD:
        typer.echo("its schema is older: run `mailgate migrate` now")
    if done.disowned:
        typer.echo(f"{done.disowned} copies were being sent then; nobody knows how far they got")
    typer.echo("keys revoked since then are believed again: if there were any, revoke them now")
    typer.echo("  revoke all keys mailgate keys revoke --yes")
    typer.echo("the outbox is PAUSED: what waited then may have left since")
    typer.echo("  see it with     mailgate outbox list --unfinished")
    typer.echo("  never send one  mailgate outbox cancel ID...")
    typer.echo("  let mail out    mailgate outbox resume")


def _counted(manifest: backups.Manifest) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
    return f"{counts}, {len(manifest.files)} files"


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (backups.BackupError, DamagedCopy, OSError) as error:
        raise Failure(str(error)) from error
