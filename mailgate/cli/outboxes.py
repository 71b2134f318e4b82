"""`mailgate outbox ...`: what has to leave, what left, and what could not."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from mailgate.cli import shapes
from mailgate.cli.fields import LIMIT, row_number
from mailgate.cli.house import STATE, Failure, database_only, print_json, print_table, printable
from mailgate.core.policy import folded
from store.outbox import PAUSED

_ALL = 1_000_000  # addresses with failures, most of them not paused
ADDRESS = typer.Argument(..., metavar="ADDRESS", help="As `outbox paused` shows it.")

app = typer.Typer(help="See, retry, cancel or pause outgoing mail.", no_args_is_help=True)

IDS = typer.Argument(
    None, metavar="ID...", parser=row_number, help="Outbox ids, as `outbox list` shows them."
)
TICKET = typer.Option(None, metavar="N", parser=row_number, help="Only mail of this ticket.")
OUTBOX_ID = typer.Argument(
    ..., metavar="ID", parser=row_number, help="The outbox id, as `outbox list` shows it."
)


@app.command("list")
def list_(
    ticket: int = TICKET,
    unfinished: bool = typer.Option(False, "--unfinished", help="Only what is not sent yet."),
    limit: int = LIMIT,
) -> None:
    """List outgoing mail with the state of each recipient's copy."""
    with database_only() as database, database.reading() as tx:
        rows = tx.outbox.list(ticket=ticket, unfinished=unfinished, limit=limit)
        paused = tx.setting(PAUSED) == "1"
    if STATE.json:
        for row in rows:
            print_json(shapes.outgoing(row))
        return
    lines = [
        {
            "id": row.id,
            "kind": row.notice,
            "ticket": f"#{row.ticket}",
            "recipient": r.address,
            "state": r.state.value,
            "tries": r.attempts,
            "answer": f"{r.code or ''} {r.text}".strip(),
        }
        for row in rows
        for r in row.recipients
    ]
    print_table(lines, "the outbox is empty")
    if paused:
        typer.echo("the outbox is paused: `mailgate outbox resume` lets mail out again")


@app.command()
def show(outbox_id: int = OUTBOX_ID) -> None:
    """Show one mail as it goes over the wire to its first recipient."""
    with database_only() as database, database.reading() as tx:
        rows = tx.outbox.list(ids=[outbox_id])
        if not rows:
            raise Failure(f"there is no outbox mail {outbox_id}")
        data = tx.outbox.wire_bytes(rows[0].recipients[0].id)
    if STATE.json:
        print_json({**shapes.outgoing(rows[0]), "raw": data.decode("ascii", "replace")})
    else:
        for line in data.decode("ascii", "replace").split("\r\n"):
            typer.echo(printable(line))


@app.command()
def retry(
    ids: list[int] = IDS,
    everything: bool = typer.Option(False, "--all", help="All that is not sent."),
) -> None:
    """Try again now what waits or failed; what was cancelled stays cancelled."""
    if not ids and not everything:
        raise Failure("name the ids to retry, or give --all", 2)
    with database_only() as database, database.transaction() as tx:
        count = tx.outbox.retry(ids or None, datetime.now(UTC))
    _say("due", count)


@app.command()
def cancel(ids: list[int] = IDS) -> None:
    """Never send what is not sent yet of these mails."""
    if not ids:
        raise Failure("name the ids to cancel", 2)
    with database_only() as database, database.transaction() as tx:
        count = tx.outbox.cancel(ids, datetime.now(UTC))
    _say("cancelled", count)


@app.command()
def pause() -> None:
    """Let nothing out until `outbox resume`; mail is still taken and queued."""
    with database_only() as database, database.transaction() as tx:
        tx.set_setting(PAUSED, "1")
    _say("paused", 1)


@app.command()
def resume() -> None:
    """Let mail out again."""
    with database_only() as database, database.transaction() as tx:
        tx.set_setting(PAUSED, "0")
    _say("resumed", 1)


@app.command()
def paused(limit: int = LIMIT) -> None:
    """List addresses that nothing is sent to, because mail to them bounced, and why."""
    with database_only() as database, database.reading() as tx:
        rows = [row for row in tx.undeliverable.list(_ALL) if row.paused][:limit]
    lines = [
        {
            "address": row.address,
            "since": shapes.stamp(row.paused),
            "failures": row.failures,
            "reason": row.reason,
        }
        for row in rows
    ]
    if not STATE.json:
        print_table(lines, "no address is paused")
        return
    for line in lines:
        print_json(line)


@app.command()
def unpause(address: str = ADDRESS) -> None:
    """Write to an address again; its failures are forgotten."""
    with database_only() as database, database.transaction() as tx:
        known = tx.undeliverable.clear(address)
    if not known:
        raise Failure(f"{address} is not paused: no mail to it has failed")
    if STATE.json:
        print_json({"unpaused": folded(address)})
    else:
        typer.echo(f"mail to {printable(address)} leaves again")


def _say(what: str, count: int) -> None:
    if STATE.json:
        print_json({what: count})
    elif what in ("paused", "resumed"):
        typer.echo(f"the outbox is {what}")
    else:
        typer.echo(f"{count} {'copy' if count == 1 else 'copies'} {what}")
