"""`mailgate keys ...`: the secrets behind reply addresses; rotated in peace, revoked in need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from mailgate.cli import shapes
from mailgate.cli.house import STATE, Failure, database_only, print_json, print_table
from mailgate.core.token import Key
from store.database import Tx
from store.ticket_rows import Event

app = typer.Typer(help="See, rotate or revoke the keys of reply addresses.", no_args_is_help=True)

# Agents' tokens last 30 days, and a mail may be on its way for some of its own.
GRACE = typer.Option(
    40, "--grace", metavar="DAYS", min=0, max=3650, help="How long older tokens are believed."
)
SURE = typer.Option(False, "--yes", help="Needed: every answer on its way loses its proof.")


@app.command("list")
def list_() -> None:
    """List the keys with their dates; no command ever prints a secret."""
    now = datetime.now(UTC)
    with database_only() as database, database.reading() as tx:
        lines = [_shape(key, now) for key in tx.keys.all()]
    if STATE.json:
        for line in lines:
            print_json(line)
        return
    print_table(lines, "there is no key yet: the first mail that leaves makes one")


@app.command()
def rotate(grace: int = GRACE) -> None:
    """Seal with a new key from now on; what older ones sealed is believed for some days more."""
    now = datetime.now(UTC)
    with database_only() as database, database.transaction() as tx:
        try:
            key = tx.keys.rotate(now, timedelta(days=grace))
        except RuntimeError as error:  # 255 keys in their grace time
            raise Failure(str(error)) from error
        _record(tx, "keys-rotated", key, now)
    end = now + timedelta(days=grace)
    if STATE.json:
        print_json({"key": key.id, "older_valid_until": shapes.stamp(end)})
    else:
        typer.echo(
            f"key {key.id} is in use; older ones are believed until {end:%Y-%m-%d %H:%M} UTC"
        )


@app.command()
def revoke(sure: bool = SURE) -> None:
    """Make every reply address that ever left prove nothing, at once; a new key takes over."""
    if not sure:
        raise Failure(
            "after this no reply address and no Message-ID that ever left proves anything,\n"
            "and what is held now can be released at the command line only;\n"
            "to do it all the same: mailgate keys revoke --yes",
            2,
        )
    now = datetime.now(UTC)
    with database_only() as database, database.transaction() as tx:
        key = tx.keys.revoke_all(now)
        _record(tx, "keys-revoked", key, now)
    if STATE.json:
        print_json({"key": key.id, "revoked": True})
    else:
        typer.echo(f"every older token is void; key {key.id} is in use, also by a running daemon")


def _record(tx: Tx, kind: str, key: Key, now: datetime) -> None:
    tx.tickets.record(Event(at=now, actor="command line", kind=kind, data={"key": key.id}))


def _shape(key: Key, now: datetime) -> dict[str, Any]:
    over = key.valid_until is not None and key.valid_until < now
    return {
        "key": key.id,
        "state": "void" if over else "in use" if key.retired is None else "older",
        "created": shapes.stamp(key.created),
        "retired": shapes.stamp(key.retired),
        "valid_until": shapes.stamp(key.valid_until),
    }
