"""`mailgate quarantine ...`: mail that could not be handled waits here with its bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import typer

from mailgate.cli import shapes
from mailgate.cli.fields import LAST_ID, row_number
from mailgate.cli.house import (
    STATE,
    Failure,
    database_only,
    print_json,
    print_table,
    printable,
    storable,
    write_bytes,
)
from mailgate.core.decision import Outcome
from mailgate.core.policy import folded
from store.database import Tx
from store.ticket_rows import Event

app = typer.Typer(help="See, release or drop mail that was set aside.", no_args_is_help=True)
ADDRESS = typer.Argument(..., metavar="ADDRESS", help="As `quarantine blocked` shows it.")

ID = typer.Argument(
    ..., metavar="ID", parser=row_number, help="The inbound id, as `quarantine list` shows it."
)
DROPPED = "dropped by an operator"
ACTOR = "command line"
IDS = typer.Argument(
    ...,
    metavar="ID...",
    parser=row_number,
    help="Inbound ids, as `quarantine list` shows them.",
)


@app.command("list")
def list_() -> None:
    """List mail in quarantine with the reason."""
    with database_only() as database, database.reading() as tx:
        rows = tx.inbox.find(outcome=Outcome.QUARANTINED, limit=LAST_ID)
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
def show(inbound: int = ID) -> None:
    """Print the exact bytes of a mail in quarantine."""
    with database_only() as database, database.reading() as tx:
        row = tx.inbox.get(inbound)
        if row is None or row.outcome is not Outcome.QUARANTINED:
            raise Failure(f"mail {inbound} is not in quarantine")
        write_bytes(tx, row)


@app.command()
def release(ids: list[int] = IDS) -> None:
    """Let the worker try again with the code and rules of today."""
    _each(ids, "released", lambda tx, inbound, now: tx.inbox.reopen(inbound, now, by=ACTOR))
    if not STATE.json:
        typer.echo("a running daemon takes what was released at once, else the next one does")


@app.command()
def drop(ids: list[int] = IDS) -> None:
    """Settle mail as ignored: it makes no ticket, and its bytes are kept."""
    _each(ids, "dropped", lambda tx, inbound, now: tx.inbox.drop(inbound, DROPPED, now))


@app.command()
def blocked() -> None:
    """List senders whose mail is ignored since an agent on duty wrote `drop sender`."""
    with database_only() as database, database.reading() as tx:
        found = tx.duty.blocked()
    lines = [{"address": b.address, "by": b.by, "since": shapes.stamp(b.at)} for b in found]
    if STATE.json:
        for line in lines:
            print_json(line)
        return
    print_table(lines, "nobody is blocked")


@app.command()
def unblock(address: str = ADDRESS) -> None:
    """Take a sender's mail again; what was ignored meanwhile stays so."""
    with database_only() as database, database.transaction() as tx:
        if not tx.duty.unblock(storable(address)):
            remedy = "`mailgate quarantine blocked` shows who is"
            raise Failure(f"{printable(address)} is not blocked; {remedy}")
        data = {"address": folded(storable(address))}
        now = datetime.now(UTC)
        tx.tickets.record(Event(at=now, actor=ACTOR, kind="unblocked", data=data))
    if STATE.json:
        print_json({"unblocked": address})
    else:
        typer.echo(f"{printable(address)} may write again")


def _each(ids: Sequence[int], done: str, act: Callable[[Tx, int, datetime], bool]) -> None:
    """Do it to all of these mails, with an event for each, or to none."""
    now, wanted = datetime.now(UTC), list(dict.fromkeys(ids))
    with database_only() as database, database.transaction() as tx:
        strange = [inbound for inbound in wanted if not act(tx, inbound, now)]
        if strange:
            which = ", ".join(map(str, strange))
            raise Failure(f"not in quarantine: {which}; nothing was {done}")
        for inbound in wanted:
            tx.tickets.record(Event(at=now, actor=ACTOR, kind=done, data={}, inbox=inbound))
    if STATE.json:
        print_json({done: wanted})
    else:
        typer.echo(f"{done}: {', '.join(map(str, wanted))}")
