"""`mailgate quarantine ...`: mail that could not be handled waits here with its bytes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import typer

from mailgate.cli import shapes
from mailgate.cli.house import STATE, Failure, database_only, print_json, print_table
from mailgate.core.decision import Outcome
from store.ticket_rows import Event

app = typer.Typer(help="See and release mail that was set aside.", no_args_is_help=True)

IDS = typer.Argument(..., metavar="ID...", help="Inbound ids, as `quarantine list` shows them.")


@app.command("list")
def list_() -> None:
    """List mail in quarantine with the reason."""
    with database_only() as database, database.reading() as tx:
        rows = tx.inbox.find(outcome=Outcome.QUARANTINED, limit=1000)
    if STATE.json:
        for row in rows:
            print_json(shapes.mail_line(row))
        return
    lines = [
        {"id": r.id, "received": shapes.stamp(r.received), "source": r.source, "reason": r.reason}
        for r in rows
    ]
    print_table(lines, "nothing is in quarantine")


@app.command()
def show(inbound: int = typer.Argument(..., metavar="ID")) -> None:
    """Print the exact bytes of a mail in quarantine."""
    with database_only() as database, database.reading() as tx:
        row = tx.inbox.get(inbound)
        if row is None or row.outcome is not Outcome.QUARANTINED:
            raise Failure(f"mail {inbound} is not in quarantine")
        data = tx.blobs.get(row.digest)
    sys.stdout.buffer.write(data)


@app.command()
def release(ids: list[int] = IDS) -> None:
    """Let the worker try again with the code and rules of today."""
    now = datetime.now(UTC)
    with database_only() as database, database.transaction() as tx:
        for inbound in ids:
            if not tx.inbox.reopen(inbound, now):
                raise Failure(f"mail {inbound} is not in quarantine; nothing was released")
            tx.tickets.record(
                Event(at=now, actor="command line", kind="released", data={}, inbox=inbound)
            )
    if STATE.json:
        print_json({"released": ids})
    else:
        typer.echo(f"released {', '.join(map(str, ids))}; a running daemon takes them at once")
