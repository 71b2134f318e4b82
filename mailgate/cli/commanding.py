"""`mailgate ticket do N '#close' ...`: the commands of agents' mail, from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import typer

from mailgate.apply import Cause, apply
from mailgate.cli.fields import row_number
from mailgate.cli.house import STATE, Failure, House, house, print_json, printable, storable
from mailgate.cli.settling import parsers_of
from mailgate.cli.tickets import AS, NUMBER, chosen, living, piped, said
from mailgate.core import asides, audience, commands, lists, parting
from mailgate.core.asked import Asked
from mailgate.core.audience import Happening
from mailgate.core.commanding import Plan, plan
from mailgate.core.commands import COMMANDS, Script
from mailgate.core.consequences import after, changes
from mailgate.core.decision import Acted, AppendMessage, Effect, Keys, Notify
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Agent, Author
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.desk import Reread
from mailgate.rereading import reread, with_mails
from mailgate.showing import ticket_text
from store.database import Tx
from store.merging import CannotMerge
from store.splitting import CannotSplit

MESSAGE = typer.Argument(
    ..., metavar="MESSAGE", parser=row_number, help="Its number, as `ticket show` prints it."
)
WORDS = typer.Argument(..., metavar="COMMAND...", help="Such as '#close', or close; each quoted.")
NOBODY = "command line"


def register(app: typer.Typer) -> None:
    """Add `do` and `split` to the commands about tickets."""
    app.command("do")(do)
    app.command("split")(split)


def do(number: int = NUMBER, words: list[str] = WORDS, agent: str = AS) -> None:
    """Do what agents do by mail: '#take' '#tag printer'. With one mistake nothing is done.

    The words for '#side ADDRESS' are read from stdin.
    """
    script = _script(words)
    if script.has("side"):
        script = replace(script, rest=piped())
    with house() as home:
        who = chosen(home, agent, needed=script.has("take"))
        number, told, _ = _done(home, number, script, who)
    if STATE.json:
        print_json({"ticket": number, "transcript": told})
        return
    for line in told or [f"#{number}: done"]:
        typer.echo("\n".join(map(printable, line.split("\n"))))


def split(
    number: int = NUMBER,
    message: int = MESSAGE,
    subject: str = typer.Option("", metavar="TEXT", help="Of the new ticket; else the message's."),
    agent: str = AS,
) -> None:
    """Make a ticket of its own of a customer's message, with whoever wrote it as its requester."""
    script = _script([f"#split {message} {subject}"])
    with house() as home:
        number, _, into = _done(home, number, script, chosen(home, agent, needed=False))
    if STATE.json:
        print_json({"ticket": number, "message": message, "into": into})
    else:
        typer.echo(f"message {message} of #{number} is #{into} now")


def _script(words: list[str]) -> Script:
    lines = [storable(word if word.lstrip().startswith("#") else f"#{word}") for word in words]
    script = commands.read("\n".join(line.replace("\n", " ") for line in lines))
    if lists.wanted(script):
        raise Failure("lists are for mail; see `mailgate ticket list`", 2)
    if script.has("send"):
        raise Failure("there is nothing to send; `mailgate ticket reply` answers a ticket", 2)
    return script


def _done(
    home: House, number: int, script: Script, agent: Agent | None
) -> tuple[int, list[str], int]:
    """Do it all in one transaction; returns the ticket, the transcript, and where it ended."""
    keys = _keys(script)
    read = _read(home, keys)
    with home.database.transaction() as tx:
        ticket = living(tx, number)
        now = datetime.now(UTC)
        asked = _asked(tx, home, ticket, script, agent, now)
        named = with_mails(tx.splitting.named(keys.messages, ()), read)
        planned = plan(replace(asked, messages=named))
        if planned.problems:
            raise Failure("\n".join(slip.said() for slip in planned.problems), 2)
        notes = [line.value for line in script.lines if line.name == "note" and line.value]
        effects = _effects(home, ticket, script, planned, agent, bool(notes))
        words = script.rest if planned.sides else "\n\n".join(notes)
        cause = Cause(
            now=now,
            actor=agent.address if agent else NOBODY,
            mail=said(words, agent, home),
            author=Author(address=agent.address, name=agent.name, agent=agent) if agent else None,
            by_agent=True,
            reread=read,
        )
        try:
            into = apply(tx, effects, cause, home.desk, ticket.number)
        except (CannotMerge, CannotSplit) as error:
            raise Failure(str(error)) from error
        shown = [ticket_text(tx, n, home.desk.policy) for n in planned.shows]
    table = [f"{c.usage}\n    {c.effect}" for c in COMMANDS.values()] if planned.wants_help else []
    news = [f"it is #{into} now"] if planned.part else []
    aside = [asides.went(planned.sides)] if planned.sides else []
    return ticket.number, [*planned.said, *aside, *news, *shown, *table], into


def _keys(script: Script) -> Keys:
    wanted, numbers = commands.parted("\n".join(line.text for line in script.lines))
    return Keys(split=wanted, messages=numbers)


def _read(home: House, keys: Keys) -> Mapping[int, Reread]:
    """The mails of messages that are to be split off, read again."""
    if not keys.split:
        return {}
    with parsers_of(home) as parsers:
        return reread(home.database, parsers, keys, home.desk.policy)


def _asked(
    tx: Tx, home: House, ticket: TicketView, script: Script, agent: Agent | None, now: datetime
) -> Asked:
    numbers = commands.mentions("\n".join(line.text for line in script.lines))
    merged = tx.tickets.survivor_of(numbers)
    return Asked(
        script=script,
        ticket=ticket,
        policy=home.desk.policy,
        now=now,
        agent=agent,
        others=tx.tickets.views({merged.get(n, n) for n in numbers}, lock=True),
        merged=merged,
        away=tx.reshaping.away(now),
        undoable=tx.reshaping.acts([ticket.number]).get(ticket.number, ()),
    )


def _effects(
    home: House, ticket: TicketView, script: Script, planned: Plan, agent: Agent | None, noted: bool
) -> list[Effect]:
    policy, author = home.desk.policy, agent.address if agent else ""
    part = planned.part
    ticket = part.view if part else ticket
    view = after(ticket, planned.effects)
    kept: list[Effect] = []
    told: tuple[Notify, ...] = ()
    if noted:
        sender = said("", agent, home).sender
        kept.append(AppendMessage(kind=MessageKind.NOTE, author=sender))
        told = audience.tell(Happening.NOTE, view, policy, author=author)
    if planned.sides:
        mail = said(script.rest, agent, home)
        kept.append(AppendMessage(kind=MessageKind.NOTE, author=mail.sender, aside=planned.sides))
        told = (asides.said(script.rest, planned.sides, ""), *_shared(planned, view, mail, home))
    known = replace(ticket, status=view.status) if script.has("snooze") else ticket
    told += changes(known, view, policy, author=author)
    if part:
        told = parting.announced(part, view, told, policy, agent)
    lines = tuple(line.text for line in script.lines)
    acted = [] if script.has("undo") else [Acted(agent=author or NOBODY, lines=lines)]
    return [*planned.off, *kept, *planned.effects, *told, *acted, *planned.last]


def _shared(planned: Plan, ticket: TicketView, mail: ParsedMail, home: House) -> list[Notify]:
    """Agents hear of what was said aside."""
    policy = home.desk.policy
    author = mail.sender.addr if mail.sender else ""
    return [
        notify
        for third in planned.sides
        for notify in asides.shared(
            Happening.SAID_ASIDE, ticket, policy, mail, third, author=author
        )
    ]
