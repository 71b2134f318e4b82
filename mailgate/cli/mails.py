"""Commands about mail: deliver, parse, explain, raw, ledger; import has a file of its own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from types import FrameType

import typer

from mailgate import crash
from mailgate.cli import shapes
from mailgate.cli.fields import LAST_ID
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
    write_bytes,
)
from mailgate.cli.importing import import_
from mailgate.cli.settling import parsers_of, settled
from mailgate.core import screen
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.policy import Policy
from mailgate.core.token import hidden
from mailgate.intake import commit_surely
from mailgate.parsing import Parsers, WorkerDied
from mailgate.render import PLAIN_OPEN, Renderer, plain_text, safe_html
from mailgate.resources import resource
from mailgate.sources import pipe
from mailgate.worker import Worker
from store.database import Tx
from store.inbox import Settled
from store.outbox import OutboxRow
from store.stats import Imbalance

DEADLINE = 300  # seconds until `deliver` has committed; MTAs give a pipe 1000 (Postfix) or more
MAIL_FILE = typer.Argument(..., metavar="FILE", help="A file with one mail; - is stdin.")
MAIL = typer.Argument(..., metavar="ID", help="Inbound id as `ledger` counts them, or Message-ID.")
RCPT = typer.Option([], "--rcpt", metavar="A", help="Envelope recipient; may be given repeatedly.")


def register(app: typer.Typer) -> None:
    """Put these commands at the top level."""
    app.command()(deliver)
    app.command("import")(import_)
    app.command()(parse)
    app.command()(explain)
    app.command()(raw)
    app.command()(ledger)


def deliver(
    sender: str = typer.Option(None, "--from", metavar="A", help="Envelope sender."),
    rcpt: list[str] = RCPT,
) -> None:
    """Take one mail from stdin; exits 0 when it is committed, else 75 (try again later)."""
    with _deadline(DEADLINE) as no_more:
        data = sys.stdin.buffer.read()
        if not data.strip():
            raise Failure("there is no mail on stdin")
        one = pipe.from_pipe(data, sender=sender, recipients=rcpt, now=datetime.now(UTC))
        with house() as home:
            [(inbound, _new)] = commit_surely(home.database, [one])
            no_more()
            crash.point("pipe.before_exit")
            if STATE.json:
                _tell_outcome(home, inbound)


def parse(file: Path = MAIL_FILE) -> None:
    """Show what mailgate reads in a mail; needs no configuration."""
    data = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    languages = Renderer([resource("templates") / "mail"]).languages()
    parsers = Parsers()
    try:
        mail = parsers.run(data, languages)
        html = ""
        if mail.html and STATE.json:
            mail, html = _safe(parsers, mail)
    finally:
        parsers.close()
    kind = screen.screen(mail, Envelope(), Policy(languages=languages)).kind
    shape = shapes.parsed(mail, kind, html)
    if STATE.json:
        print_json(shape)
        return
    for key in ("from", "to", "cc", "subject", "date", "message_id", "kind", "language", "defects"):
        value = shape[key]
        shown = ", ".join(value) if isinstance(value, list) else value
        if shown:
            typer.echo(f"{key:<12}{one_line(shown)}")
    for a in mail.attachments:
        line = f"{'attachment':<12}{a.filename} ({a.content_type}, {a.size} octets)"
        typer.echo(printable(line))
    typer.echo("")
    for line in (mail.visible or mail.text).splitlines():
        typer.echo(printable(line))


def _safe(parsers: Parsers, mail: ParsedMail) -> tuple[ParsedMail, str]:
    """The HTML as the page may show it; as text, with a defect, when cleaning has no end."""
    try:
        return mail, parsers.call(safe_html, mail.html)
    except (TimeoutError, MemoryError, WorkerDied):
        complex_ = replace(mail, defects=(*mail.defects, "html-too-complex"))
        return complex_, f"{PLAIN_OPEN}{escape(plain_text(mail.html))}</pre>"


def explain(inbound: str = MAIL) -> None:
    """Say what became of a mail, each step with its reason, and who was written to."""
    with database_only() as database, database.reading() as tx:
        rows = _find(tx, inbound)
        sent = {row.id: tx.outbox.list(inbox=row.id) for row in rows}
        places = {row.id: tx.splitting.places(row.id) for row in rows}
    for row in rows:
        if STATE.json:
            print_json(
                {
                    **shapes.mail_line(row),
                    "source": row.source,
                    "received": shapes.stamp(row.received),
                    "settled": shapes.stamp(row.settled),
                    "mail_from": row.envelope.mail_from,
                    "rcpt_tos": list(row.envelope.rcpt_tos),
                    "duplicate_of": row.duplicate_of,
                    "trace": [
                        {"step": s.step, "verdict": s.verdict, "reason": s.reason}
                        for s in row.trace
                    ],
                    "messages": [{"id": n, "ticket": ticket} for n, ticket in places[row.id]],
                    "outbox": [shapes.outgoing(mail) for mail in sent[row.id]],
                }
            )
        else:
            _print_explained(row, sent[row.id], places[row.id])


def raw(inbound: str = MAIL) -> None:
    """Print the exact bytes of a mail as it was taken."""
    with database_only() as database, database.reading() as tx:
        write_bytes(tx, _find(tx, inbound)[0])


def ledger(
    check: bool = typer.Option(False, "--check", help="Exit 1 unless everything adds up."),
    deep: bool = typer.Option(
        False, "--deep", help="With --check: read all bytes there are and compare their digests."
    ),
) -> None:
    """Show, per day and source, how many mails were taken and how each one ended."""
    with database_only() as database, database.reading() as tx:
        lines = tx.stats.ledger()
        wrong = tx.stats.imbalances() if check or deep else []
        if deep:
            wrong += [Imbalance(what=f"blob {d}", detail=why) for d, why in tx.blobs.faults()]
    for line in lines if STATE.json else ():
        print_json(
            {
                "day": line.day,
                "source": line.source,
                "accepted": line.accepted,
                "waiting": line.waiting,
                "outcomes": line.outcomes,
                "balanced": line.balanced,
            }
        )
    if not STATE.json:
        rows = [
            {
                "day": line.day,
                "source": line.source,
                "accepted": line.accepted,
                "waiting": line.waiting,
                "outcomes": ", ".join(f"{v} {k}" for k, v in line.outcomes.items()),
            }
            for line in lines
        ]
        print_table(rows, "no mail was taken yet")
    if check or deep:
        _verdict(wrong, sum(line.accepted for line in lines))


def _verdict(wrong: Sequence[Imbalance], accepted: int) -> None:
    for one in wrong:
        typer.echo(printable(f"{one.what}: {one.detail}"), err=True)
    if wrong:
        raise Failure(f"the ledger does not balance: {len(wrong)} findings")
    if not STATE.json:
        typer.echo(f"balanced: {accepted} accepted, each with one outcome or still waiting")


def _tell_outcome(home: House, inbound: int) -> None:
    """Print what became of a committed mail. No trouble here may make the MTA send it again."""
    try:
        with parsers_of(home) as parsers:
            worker = Worker(database=home.database, parsers=parsers, desk=home.desk)
            [row] = settled(home.database, worker, [inbound])
            print_json(shapes.mail_line(row))
    except BrokenPipeError:
        sys.stdout = None  # or the interpreter fails on it once more, with a status of its own
    except Exception as error:
        typer.echo(f"mail {inbound} is committed; its outcome cannot be told: {error}", err=True)


@contextmanager
def _deadline(seconds: int) -> Iterator[Callable[[], object]]:
    """End before the MTA's own limit does; what it yields ends the deadline."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise Failure(f"not committed within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield lambda: signal.alarm(0)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _find(tx: Tx, name: str) -> list[Settled]:
    rows: list[Settled] = []
    if name.isdecimal():
        row = tx.inbox.get(int(name)) if int(name) <= LAST_ID else None
        rows = [row] if row else []
    else:
        wanted = storable(name if name.startswith("<") else f"<{name}>")
        rows = list(reversed(tx.inbox.find(message_id=wanted)))
    if not rows:
        raise Failure(f"no mail {one_line(name)} was ever taken; `mailgate ledger` counts what was")
    return rows


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from error


def _print_explained(
    row: Settled, sent: Sequence[OutboxRow], places: Sequence[tuple[int, int]]
) -> None:
    outcome = row.outcome.value if row.outcome else "waiting"
    ticket = f" #{row.ticket}" if row.ticket else ""
    typer.echo(printable(f"mail {row.id}: {outcome}{ticket}: {row.reason or 'not decided yet'}"))
    sender = "null sender" if row.envelope.mail_from == "" else row.envelope.mail_from
    original = row.duplicate_of
    facts = {
        "duplicate": f"of mail {original}; see `mailgate explain {original}`" if original else "",
        "source": row.source,
        "received": shapes.stamp(row.received),
        "settled": shapes.stamp(row.settled),
        "message-id": row.message_id,
        "envelope": f"{sender or 'unknown'} -> {', '.join(row.envelope.rcpt_tos) or 'unknown'}",
    }
    for key, value in facts.items():
        if value:
            typer.echo(f"  {key:<11}{one_line(hidden(value))}")
    for message, now_on in places:
        if now_on != row.ticket:
            typer.echo(f"  {'now on':<11}#{now_on}, as message {message}")
    for step in row.trace:
        typer.echo(printable(f"  {step.step:<11}{step.verdict}: {step.reason}"))
    for mail in sent:
        for copy in mail.recipients:
            line = f"  {'outbox':<11}{mail.id} {mail.notice} to {copy.address}: {copy.state}"
            typer.echo(printable(line))
