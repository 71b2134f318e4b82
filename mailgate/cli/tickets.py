"""`mailgate ticket ...`: see and change tickets; agents can do all of it by mail as well."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import make_msgid

import typer

from mailgate.apply import Cause, apply
from mailgate.cli import shapes
from mailgate.cli.fields import LIMIT, row_number
from mailgate.cli.house import (
    STATE,
    Failure,
    House,
    database_only,
    house,
    one_line,
    print_json,
    print_table,
    printable,
    storable,
)
from mailgate.core import audience
from mailgate.core.audience import Happening
from mailgate.core.change import FIELDS, plan_change
from mailgate.core.consequences import after
from mailgate.core.decision import AppendMessage, Effect, Notice, SetField
from mailgate.core.mail import Address, ParsedMail
from mailgate.core.people import Agent, Author
from mailgate.core.ticket import MessageKind, TicketView
from store.database import Tx
from store.merging import CannotMerge
from store.ticket_rows import Event, Message, TicketRow

app = typer.Typer(help="See and change tickets.", no_args_is_help=True)

NUMBER = typer.Argument(
    ..., metavar="N", parser=row_number, help="The ticket's number, such as 1042."
)
INTO = typer.Argument(
    ..., metavar="INTO", parser=row_number, help="The number of the ticket that stays."
)
AS = typer.Option("", "--as", metavar="ADDRESS", help="The agent in whose name this is done.")
CHANGES = typer.Argument(..., metavar="K=V...", help="Fields: " + ", ".join(FIELDS) + ".")
TEXT = typer.Option("", "--message", "-m", metavar="TEXT", help="The words; else from stdin.")


@app.command("list")
def list_(
    status: str = typer.Option("", help="Only tickets of this status."),
    queue: str = typer.Option("", help="Only tickets of this queue."),
    assignee: str = typer.Option("", help="Only tickets of this agent."),
    limit: int = LIMIT,
) -> None:
    """List tickets, the last changed first."""
    with database_only() as database, database.reading() as tx:
        rows = tx.tickets.find(
            status=storable(status),
            queue=storable(queue),
            assignee=storable(assignee),
            limit=limit,
        )
    if STATE.json:
        for row in rows:
            print_json(shapes.ticket_head(row))
        return
    wanted = ("number", "status", "priority", "queue", "assignee", "requester", "subject")
    heads = [shapes.ticket_head(row) for row in rows]
    print_table([{k: head[k] for k in wanted} for head in heads], "no tickets")


@app.command()
def show(number: int = NUMBER) -> None:
    """Show a ticket with its messages and everything that happened to it."""
    with database_only() as database, database.reading() as tx:
        row = _get(tx, number)
        messages, events = tx.tickets.messages(number), tx.tickets.events(number)
    if STATE.json:
        print_json(shapes.ticket(row, messages, events))
        return
    _print_ticket(row)
    for message in messages:
        _print_message(message)
    typer.echo("\nhistory")
    for event in events:
        facts = " ".join(f"{k}={one_line(v)}" for k, v in event.data.items() if v)
        line = f"  {event.at:%Y-%m-%d %H:%M}  {event.kind:<10} {event.actor}  {facts}"
        typer.echo(printable(line))


@app.command("set")
def set_(
    number: int = NUMBER,
    changes: list[str] = CHANGES,
    agent: str = AS,
) -> None:
    """Change fields of a ticket; requester and CC are told of a new status or assignment."""
    with house() as home:
        changed = _change(home, number, changes, agent)
    _done(number, "changed" if changed else "was like that already", changed)


@app.command()
def close(
    number: int = NUMBER,
    resolution: str = typer.Option("", "--message", "-m", metavar="TEXT", help="How it ended."),
    agent: str = AS,
) -> None:
    """Close a ticket and tell requester and CC."""
    with house() as home:
        changes = [f"status={home.desk.policy.life.closed}"]
        if resolution:
            changes.append(f"resolution={resolution}")
        changed = _change(home, number, changes, agent)
    _done(number, "closed" if changed else "was closed already", changed)


@app.command()
def reply(number: int = NUMBER, text: str = TEXT, agent: str = AS) -> None:
    """Answer requester and CC from the queue's address."""
    with house() as home:
        author = _agent(home, agent, needed=True)
        _say(home, number, text, author, public=True)
    _done(number, "answered; `mailgate outbox list` shows how the mail fares")


@app.command()
def note(number: int = NUMBER, text: str = TEXT, agent: str = AS) -> None:
    """Add an internal note; it never leaves the house."""
    with house() as home:
        _say(home, number, text, _agent(home, agent, needed=False), public=False)
    _done(number, "noted, for agents only")


@app.command()
def merge(number: int = NUMBER, into: int = INTO, agent: str = AS) -> None:
    """Let a ticket live on in another one: its messages move, answers to it arrive there."""
    with house() as home:
        who = _agent(home, agent, needed=False)
        actor = who.address if who else "command line"
        closed = home.desk.policy.life.closed
        with home.database.transaction() as tx:
            for wanted in (number, into):
                _get(tx, wanted)
            now = datetime.now(UTC)
            try:
                survivor = tx.tickets.merge(number, into, now, closed=closed)
            except CannotMerge as error:
                raise Failure(str(error)) from error
            for ticket, data in ((number, {"into": survivor}), (survivor, {"other": number})):
                event = Event(at=now, actor=actor, kind="merged", data=data, ticket=ticket)
                tx.tickets.record(event)
    if STATE.json:
        print_json({"ticket": number, "into": survivor})
    else:
        typer.echo(f"#{number} lives on in #{survivor}")


def _get(tx: Tx, number: int, *, lock: bool = False) -> TicketRow:
    row = tx.tickets.get(number, lock=lock)
    if row is None:
        raise Failure(f"there is no ticket #{number}; `mailgate ticket list` shows those there are")
    return row


def _done(number: int, what: str, changed: Mapping[str, str | None] | None = None) -> None:
    if STATE.json:
        print_json({"ticket": number, "changed": changed or {}})
        return
    detail = ", ".join(f"{field}={value or ''}" for field, value in (changed or {}).items())
    typer.echo(printable(f"#{number} {what}" + (f": {detail}" if detail else "")))


def _pairs(changes: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The fields to change, and what is wrong with those that are none."""
    split = [(change, *change.partition("=")) for change in changes]
    wrong = [
        f"{c!r} is no change: write one such as status=open"
        for c, k, e, _ in split
        if not (k and e)
    ]
    pairs = {key: storable(value) for _, key, equals, value in split if key and equals}
    return pairs, wrong


def _agent(home: House, address: str, *, needed: bool) -> Agent | None:
    policy = home.desk.policy
    known = ", ".join(a.address for a in policy.agents)
    if address:
        agent = policy.agent_for(address)
        if agent is None:
            raise Failure(f"{address} is no agent; agents are: {known or 'none'}", 2)
        return agent
    if needed and len(policy.agents) == 1:
        return policy.agents[0]
    if needed:
        raise Failure(f"say in whose name: --as ADDRESS, one of {known or '(no [[agent]] yet)'}", 2)
    return None


def _change(
    home: House, number: int, changes: Sequence[str], address: str
) -> dict[str, str | None]:
    """Change a ticket; returns the fields that are different now."""
    agent = _agent(home, address, needed=False)
    pairs, wrong = _pairs(changes)
    actor = agent.address if agent else "command line"
    with home.database.transaction() as tx:
        ticket = _get(tx, number, lock=True).view
        change = plan_change(ticket, pairs, home.desk.policy, actor=actor)
        if wrong or change.problems:
            raise Failure("\n".join([*wrong, *change.problems]), 2)
        cause = Cause(now=datetime.now(UTC), actor=actor, by_agent=True)
        apply(tx, change.effects, cause, home.desk, number)
    return {e.field: e.value for e in change.effects if isinstance(e, SetField)}


def _say(home: House, number: int, text: str, agent: Agent | None, *, public: bool) -> None:
    words = storable(text or ("" if sys.stdin.isatty() else _stdin()))
    if not words.strip():
        raise Failure("there is nothing to say: give --message or the words on stdin", 2)
    now, policy = datetime.now(UTC), home.desk.policy
    author = Address(addr=agent.address, name=agent.name) if agent else None
    mail = ParsedMail(
        digest=hashlib.sha256(words.encode()).hexdigest(),
        size=len(words.encode()),
        message_id=make_msgid(domain=policy.domain),
        sender=author,
        text=words,
        visible=words,
    )
    with home.database.transaction() as tx:
        ticket = _get(tx, number, lock=True).view
        effects = _answer(ticket, author, home) if public else _noted(ticket, author, home)
        cause = Cause(
            now=now,
            actor=agent.address if agent else "command line",
            mail=mail,
            author=Author(address=agent.address, name=agent.name, agent=agent) if agent else None,
            by_agent=True,
        )
        apply(tx, effects, cause, home.desk, number)


def _stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _answer(ticket: TicketView, author: Address | None, home: House) -> list[Effect]:
    policy = home.desk.policy
    effects: list[Effect] = [AppendMessage(kind=MessageKind.AGENT, author=author)]
    if ticket.status != policy.life.closed and policy.life.may(ticket.status, policy.life.pending):
        effects.append(
            SetField(field="status", value=policy.life.pending, because="an agent answered")
        )
    told = audience.tell(
        Happening.AGENT_ANSWERED,
        after(ticket, effects),
        policy,
        author=author.addr if author else "",
    )
    if not any(notify.notice is Notice.ANSWER and notify.to for notify in told):
        raise Failure(
            f"#{ticket.number} has nobody to answer: no requester and no CC who may be written to;"
            f" `mailgate ticket note {ticket.number}` keeps words for agents"
        )
    return [*effects, *told]


def _noted(ticket: TicketView, author: Address | None, home: House) -> list[Effect]:
    by = author.addr if author else ""
    told = audience.tell(Happening.NOTE, ticket, home.desk.policy, author=by)
    return [AppendMessage(kind=MessageKind.NOTE, author=author), *told]


def _print_ticket(row: TicketRow) -> None:
    head = shapes.ticket_head(row)
    typer.echo(f"#{head['number']}  {one_line(head['subject'])}")
    for key in ("status", "priority", "category", "queue", "group", "assignee", "requester"):
        if head[key]:
            typer.echo(printable(f"  {key:<10} {head[key]}"))
    for key in ("cc", "tags"):
        if head[key]:
            typer.echo(printable(f"  {key:<10} {', '.join(head[key])}"))
    typer.echo(f"  {'created':<10} {head['created']}")
    if row.resolution:
        typer.echo(f"  {'resolution':<10} {one_line(row.resolution)}")
    for number, why in row.links:
        typer.echo(printable(f"  {'linked':<10} #{number} ({why})"))


def _print_message(message: Message) -> None:
    shape = shapes.message(message)
    sender = one_line(shape["from"]) or "command line"
    typer.echo(f"\n{message.at:%Y-%m-%d %H:%M}  {shape['kind']}  {sender}")
    for line in (message.visible or message.text).splitlines():
        typer.echo(f"  | {printable(line)}")
    for file in message.attachments:
        typer.echo(printable(f"  + {file.filename} ({file.content_type}, {file.size} octets)"))
