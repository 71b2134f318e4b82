"""`mailgate held ...`: mail that waits on a ticket, seen by agents only, until somebody decides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from mailgate import releasing
from mailgate.cli import shapes
from mailgate.cli.fields import LIMIT, row_number
from mailgate.cli.house import (
    STATE,
    Failure,
    database_only,
    house,
    one_line,
    print_json,
    print_table,
    printable,
    storable,
)
from mailgate.cli.settling import parsers_of
from mailgate.core.decision import HeldMail
from store.database import Tx
from store.held import DROPPED, RELEASED, WAITING
from store.ticket_rows import Event

app = typer.Typer(help="See, release or drop mail that waits for approval.", no_args_is_help=True)

ID = typer.Argument(
    ..., metavar="ID", parser=row_number, help="The held mail's id, as `held list` shows it."
)
ACTOR = "command line"
TOO_LATE = "too late"


@app.command("list")
def list_(
    everything: bool = typer.Option(False, "--all", help="Also what waits no more."),
    limit: int = LIMIT,
) -> None:
    """List held mail: on which ticket, from whom, why, and until when it can be released."""
    with database_only() as database, database.reading() as tx:
        rows = tx.held.list("" if everything else WAITING, limit)
    if STATE.json:
        for row in rows:
            print_json(_shape(row))
        return
    now = datetime.now(UTC)
    lines = [
        {
            "id": row.id,
            "ticket": f"#{row.ticket}",
            "from": row.author,
            "asked": row.owner or "agents",
            "state": _state(row, now),
            "until": shapes.stamp(row.expires),
            "why": row.why,
        }
        for row in rows
    ]
    print_table(lines, "nothing is held")


@app.command()
def show(held: int = ID) -> None:
    """Show a held mail with its words; `mailgate raw` prints the bytes of its inbound id."""
    with database_only() as database, database.reading() as tx:
        row = _get(tx, held)
        message = next(m for m in tx.tickets.messages(row.ticket) if m.id == row.message)
    if STATE.json:
        print_json({**_shape(row), "message": shapes.message(message)})
        return
    for key, value in _shape(row).items():
        typer.echo(f"{key:<8} {one_line(value)}")
    typer.echo(f"subject  {one_line(message.subject)}")
    for file in message.attachments:
        typer.echo(printable(f"  + {file.filename} ({file.content_type}, {file.size} octets)"))
    for line in (message.visible or message.text).splitlines():
        typer.echo(f"  | {printable(line)}")


@app.command()
def release(held: int = ID) -> None:
    """Let a held mail take effect as it was written, once; whoever runs this vouches for it."""
    now = datetime.now(UTC)
    with house() as home, parsers_of(home) as parsers:
        with home.database.reading() as tx:
            row = _get(tx, held)
        if not releasing.release(home.database, home.desk, parsers, held, ACTOR, now):
            raise Failure(_why_not(row, now))
    if STATE.json:
        print_json({"held": held, "state": RELEASED, "ticket": row.ticket})
    else:
        typer.echo(f"held mail {held} has taken effect on #{row.ticket}")


@app.command()
def drop(
    held: int = ID,
    reason: str = typer.Option("", "--reason", metavar="TEXT", help="Why, for the history."),
) -> None:
    """Let a held mail never take effect; it stays on the ticket, for agents only."""
    now = datetime.now(UTC)
    with database_only() as database, database.transaction() as tx:
        row = _get(tx, held)
        if not tx.held.settle(held, DROPPED, ACTOR, now):
            raise Failure(_why_not(row, now))
        data = {"held": held, "reason": storable(reason)}
        tx.tickets.record(
            Event(at=now, actor=ACTOR, kind=DROPPED, data=data, ticket=row.ticket, inbox=row.inbox)
        )
    if STATE.json:
        print_json({"held": held, "state": DROPPED, "ticket": row.ticket})
    else:
        typer.echo(f"held mail {held} on #{row.ticket} is dropped; nothing is sent")


def _get(tx: Tx, held: int) -> HeldMail:
    row = tx.held.get(held)
    if row is None:
        raise Failure(f"there is no held mail {held}; `mailgate held list` shows those there are")
    return row


def _why_not(row: HeldMail, now: datetime) -> str:
    if _state(row, now) == TOO_LATE:
        return (
            f"held mail {row.id} could be released until {shapes.stamp(row.expires)};"
            f" `mailgate raw {row.inbox}` has its bytes, it can be sent again"
        )
    return f"held mail {row.id} is {row.state} already"


def _state(row: HeldMail, now: datetime) -> str:
    return TOO_LATE if row.state == WAITING and row.expires <= now else row.state


def _shape(row: HeldMail) -> dict[str, Any]:
    return {
        "held": row.id,
        "ticket": row.ticket,
        "inbound": row.inbox,
        "from": row.author,
        "asked": row.owner or "agents",
        "why": row.why,
        "state": row.state,
        "created": shapes.stamp(row.created),
        "expires": shapes.stamp(row.expires),
    }
