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
from mailgate.core.policy import folded
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.showing import said_aside
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
        row = get(tx, number)
        messages, events = tx.tickets.messages(number), tx.tickets.events(number)
        state = _state(tx, row)
    if STATE.json:
        print_json({**shapes.ticket(row, messages, events), **state})
        return
    _print_ticket(row, state)
    for message in messages:
        _print_message(message)
    typer.echo("\nhistory")
    for event in events:
        told = {k: v for k, v in event.data.items() if v and k != "inverse"}
        facts = " ".join(f"{k}={one_line(v)}" for k, v in told.items())
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
        number, changed = _change(home, number, changes, agent)
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
        number, changed = _change(home, number, changes, agent)
    _done(number, "closed" if changed else "was closed already", changed)


@app.command()
def reply(number: int = NUMBER, text: str = TEXT, agent: str = AS) -> None:
    """Answer requester and CC from the queue's address."""
    with house() as home:
        author = chosen(home, agent, needed=True)
        number = _say(home, number, text, author, public=True)
        with home.database.reading() as tx:
            ticket = living(tx, number)
            dead = tx.undeliverable.paused([ticket.requester, *ticket.cc])
    _done(number, "answered; `mailgate outbox list` shows how the mail fares")
    for address, why in dead.items():
        lifted = f"`mailgate outbox unpause {address}` lets it pass again"
        typer.echo(
            printable(f"not sent to {address}, as mail came back: {why}; {lifted}"), err=True
        )


@app.command()
def note(number: int = NUMBER, text: str = TEXT, agent: str = AS) -> None:
    """Add an internal note; it never leaves the house."""
    with house() as home:
        number = _say(home, number, text, chosen(home, agent, needed=False), public=False)
    _done(number, "noted, for agents only")


@app.command()
def merge(number: int = NUMBER, into: int = INTO, agent: str = AS) -> None:
    """Let a ticket live on in another one: its messages move, answers to it arrive there."""
    with house() as home:
        who = chosen(home, agent, needed=False)
        actor = who.address if who else "command line"
        closed = home.desk.policy.life.closed
        with home.database.transaction() as tx:
            for wanted in (number, into):
                get(tx, wanted)
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


def get(tx: Tx, number: int) -> TicketRow:
    """A ticket; raises Failure where there is none."""
    return _there(tx.tickets.get(number), number)


def living(tx: Tx, number: int) -> TicketView:
    """A ticket, locked; a merged one is the one that it lives on in. Raises Failure for none."""
    while True:
        row = _there(tx.tickets.get(number, lock=True), number)
        if row.merged_into is None:
            return row.view
        survivor = tx.tickets.survivor_of([number])[number]
        typer.echo(f"#{number} lives on in #{survivor}", err=True)
        number = survivor


def _there(row: TicketRow | None, number: int) -> TicketRow:
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


def chosen(home: House, address: str, *, needed: bool) -> Agent | None:
    """The agent in whose name something is done; raises Failure where that is nobody."""
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
) -> tuple[int, dict[str, str | None]]:
    """Change a ticket; returns its number, and the fields that are different now."""
    agent = chosen(home, address, needed=False)
    pairs, wrong = _pairs(changes)
    actor = agent.address if agent else "command line"
    with home.database.transaction() as tx:
        ticket = living(tx, number)
        change = plan_change(ticket, pairs, home.desk.policy, actor=actor)
        if wrong or change.problems:
            raise Failure("\n".join([*wrong, *change.problems]), 2)
        cause = Cause(now=datetime.now(UTC), actor=actor, by_agent=True)
        apply(tx, change.effects, cause, home.desk, ticket.number)
    return ticket.number, {e.field: e.value for e in change.effects if isinstance(e, SetField)}


def said(words: str, agent: Agent | None, home: House) -> ParsedMail:
    """Words from the command line, as a mail that nobody sent."""
    return ParsedMail(
        digest=hashlib.sha256(words.encode()).hexdigest(),
        size=len(words.encode()),
        message_id=make_msgid(domain=home.desk.policy.domain),
        sender=Address(addr=agent.address, name=agent.name) if agent else None,
        text=words,
        visible=words,
    )


def _say(home: House, number: int, text: str, agent: Agent | None, *, public: bool) -> int:
    """Add words to a ticket; returns its number."""
    words = storable(text) or piped()
    if not words.strip():
        raise Failure("there is nothing to say: give --message or the words on stdin", 2)
    now = datetime.now(UTC)
    mail = said(words, agent, home)
    author = mail.sender
    with home.database.transaction() as tx:
        ticket = living(tx, number)
        effects = _answer(ticket, author, home) if public else _noted(ticket, author, home)
        cause = Cause(
            now=now,
            actor=agent.address if agent else "command line",
            mail=mail,
            author=Author(address=agent.address, name=agent.name, agent=agent) if agent else None,
            by_agent=True,
        )
        apply(tx, effects, cause, home.desk, ticket.number)
    return ticket.number


def piped() -> str:
    """The words on stdin, "" at a terminal."""
    if sys.stdin.isatty():
        return ""
    return storable(sys.stdin.buffer.read().decode("utf-8", "replace"))


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


def _state(tx: Tx, row: TicketRow) -> dict[str, str | int | None]:
    """Where a ticket lives on, its clocks, and whether its agent is away."""
    number = row.view.number
    away = tx.reshaping.away(datetime.now(UTC)).get(folded(row.view.assignee))
    return {
        "merged_into": tx.tickets.survivor_of([number]).get(number),
        "snoozed_until": shapes.stamp(tx.reshaping.clock(number, "snooze")),
        "due": shapes.stamp(tx.lists.due([number]).get(number)),
        "assignee_away_since": shapes.stamp(away),
    }


def _print_ticket(row: TicketRow, state: Mapping[str, str | int | None]) -> None:
    head, wide = shapes.ticket_head(row), ("cc", "tags")
    typer.echo(f"#{head['number']}  {one_line(head['subject'])}")
    keys = ("status", "priority", "category", "queue", "group", "assignee", "requester")
    facts = {
        **{key: head[key] for key in keys},
        **{key: ", ".join(head[key]) for key in wide},
        "created": head["created"],
        "resolution": row.resolution,
        "time spent": f"{row.time_spent} minutes" if row.time_spent else "",
        **dict(sorted(row.fields.items())),
        **({"rating": f"{row.view.rating} of 5"} if row.view.rating else {}),
        **{key.replace("_", " "): since for key, since in state.items()},
    }
    for key, value in facts.items():
        if value:
            typer.echo(f"  {one_line(key):<10} {one_line(value)}")
    for number, why in row.links:
        typer.echo(printable(f"  {'linked':<10} #{number} ({why})"))


def _print_message(message: Message) -> None:
    shape = shapes.message(message)
    sender = one_line(shape["from"]) or "command line"
    aside = f"  {one_line(said_aside(message))}" if message.aside else ""
    head = f"{message.at:%Y-%m-%d %H:%M}  {shape['kind']}  {sender}{aside}"
    typer.echo(f"\n{head}  (message {message.id})")
    for line in (message.visible or message.text).splitlines():
        typer.echo(f"  | {printable(line)}")
    for file in message.attachments:
        typer.echo(printable(f"  + {file.filename} ({file.content_type}, {file.size} octets)"))
