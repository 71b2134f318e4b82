"""`mailgate trust learn`: pin the mail server whose stamps are believed, from two probe mails."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from mailgate.assembly import make_parsers, ready_database, relays
from mailgate.cli.house import STATE, Failure, configuration, print_json, print_table, printable
from mailgate.config import Config, find, load, policy
from mailgate.config.pinning import NotWritable, literal, replace_file, with_keys
from mailgate.core.header import decode_words, raw_text, split_head
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.policy import Trust
from mailgate.mailer import RouteDown, send_once
from mailgate.ops.learning import (
    FORGED,
    HONEST,
    Attack,
    NothingToLearn,
    Pin,
    attack,
    forged_probe,
    learn,
    observed,
)
from store.blobs import BlobMissing
from store.database import Database, Tx
from store.inbox import Settled

CODE = "trust_probe"  # setting: what the subject of a probe ends in, so that strangers send none
LOCAL = Envelope()  # a file counts as handed over by this machine
LOOKED_AT = 500  # newest mails among which a probe is looked for

app = typer.Typer(help="Find out whose word on a sender counts.", no_args_is_help=True)

FILE = typer.Argument(
    None, metavar="FILE.eml", help="The honest probe, instead of one in the inbox."
)
FORGED_FILE = typer.Option(None, "--forged", metavar="FILE.eml", help="The forged probe likewise.")
SEND = typer.Option("", metavar="ADDRESS", help="Send the forged probe in the name of ADDRESS.")
WRITE = typer.Option(False, "--write", help="Change [trust] in the configuration file.")


@app.callback()
def _group() -> None:
    """Find out whose word on a sender counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """A mail, and what it is called."""

    name: str
    mail: ParsedMail
    envelope: Envelope = LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What the steps of the command need."""

    config: Config
    trust: Trust
    code: str
    database: Database

    @property
    def mailbox(self) -> str:
        """Where probes are sent."""
        return self.config.mailbox[0].address


@app.command("learn")
def learn_(
    file: Path = FILE,
    forged: Path = FORGED_FILE,
    send: str = SEND,
    write: bool = WRITE,
) -> None:
    """Learn from a probe which header of your mail server counts, and prove it by a forged one."""
    config = configuration()
    database = ready_database(config)
    try:
        desk = _Desk(
            config=config,
            trust=policy(config, (), (), "learn").trust,
            code=_code(database),
            database=database,
        )
        _learn(desk, file, forged, send, write)
    finally:
        database.close()


def _learn(desk: _Desk, file: Path | None, forged: Path | None, send: str, write: bool) -> None:
    honest = _of_file(desk, file) if file else _in_inbox(desk, HONEST)
    if honest is None:
        raise Failure(
            f"no probe has come in. From outside, in the name of an agent, send a mail to "
            f"{desk.mailbox}\nwith the subject\n  {HONEST} {desk.code}\nand run this again when "
            "it is there; or name a file with it"
        )
    try:
        pin = learn(honest.mail, honest.envelope, desk.trust)
    except NothingToLearn as error:
        _table(honest)
        raise Failure(f"{honest.name}: {error}") from error
    attacked = _of_file(desk, forged) if forged else _in_inbox(desk, FORGED)
    result = attack(attacked.mail, pin, desk.trust) if attacked else None
    _show(honest, pin, attacked, result)
    if result is Attack.BELIEVED:
        raise Failure(
            f"the forged header would be believed: do not pin {pin.authserv_id} before your mail "
            "server removes headers with its own id from mail of others (RFC 8601, section 5)"
        )
    if result is None:
        _second_step(desk, honest, pin, send)
        if write:
            raise Failure("nothing is written before a forged probe has been tried")
    elif write:
        _write(pin)


# --- probes ------------------------------------------------------------------------------


def _code(database: Database) -> str:
    with database.transaction() as tx:
        return tx.first_setting(CODE, secrets.token_hex(4))


def _of_file(desk: _Desk, file: Path) -> _Probe:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from error
    return _Probe(name=str(file), mail=_parsed(desk, raw))


def _in_inbox(desk: _Desk, subject: str) -> _Probe | None:
    """The newest live mail with this subject and our code."""
    wanted = f"{subject} {desk.code}"
    with desk.database.reading() as tx:
        found = next(((r, raw) for r, raw in _newest(tx) if wanted in _subject(raw)), None)
    if found is None:
        return None
    row, raw = found
    name = f"mail {row.id} ({row.source})"
    return _Probe(name=name, mail=_parsed(desk, raw), envelope=row.envelope)


def _newest(tx: Tx) -> Iterator[tuple[Settled, bytes]]:
    for row in tx.inbox.find(limit=LOOKED_AT):
        if row.live:
            try:
                yield row, tx.blobs.get(row.digest)
            except BlobMissing:
                continue  # `ledger --check --deep` tells of it


def _subject(raw: bytes) -> str:
    return " ".join(decode_words(raw_text(split_head(raw).first("subject"))).split())


def _parsed(desk: _Desk, raw: bytes) -> ParsedMail:
    parsers = make_parsers(desk.config)
    try:
        return parsers.run(raw, ())
    finally:
        parsers.close()


# --- what is shown -----------------------------------------------------------------------


def _table(probe: _Probe) -> None:
    if STATE.json:
        return
    sender = probe.mail.sender.addr if probe.mail.sender else "nobody"
    typer.echo(printable(f"{probe.name}, from {sender}"))
    rows = [{"": o.place, "header": o.header, "says": o.says} for o in observed(probe.mail)]
    print_table(rows, "it has neither Received nor Authentication-Results headers")


def _lines(pin: Pin) -> dict[str, str | int | bool]:
    return {"authserv_id": pin.authserv_id, "hops": pin.hops, "below": pin.below}


def _show(honest: _Probe, pin: Pin, attacked: _Probe | None, result: Attack | None) -> None:
    if STATE.json:
        print_json({**_lines(pin), "forged": result.value if result else "not tried"})
        return
    _table(honest)
    if attacked:
        typer.echo("")
        _table(attacked)
        typer.echo(f"the forged header is {result}")
    typer.echo("\n[trust]")
    for key, value in _lines(pin).items():
        typer.echo(f"{key} = {literal(value)}")


def _second_step(desk: _Desk, honest: _Probe, pin: Pin, send: str) -> None:
    """Send the forged probe, or say how."""
    author = send or (honest.mail.sender.addr if honest.mail.sender else "")
    text = forged_probe(pin, author, desk.mailbox, desk.code, datetime.now(UTC))
    if send:
        _send(desk, send, text)
        said = f"the forged probe is on its way to {desk.mailbox}; run this again when it is there"
    else:
        said = (
            "not proven yet. From outside, send this mail as it stands (`--send ADDRESS` sends it "
            f"through your relay), then run this again:\n\n{text}"
        )
    typer.echo(said, err=STATE.json)


def _send(desk: _Desk, sender: str, text: str) -> None:
    if not desk.config.relay:
        raise Failure("there is no [[relay]] to send through")
    relay = relays(desk.config)[0]
    data = text.replace("\n", "\r\n").encode()
    try:
        answer = asyncio.run(send_once(relay, sender, desk.mailbox, data))
    except RouteDown as error:
        raise Failure(f"the probe was not sent: {error}") from error
    if not 200 <= answer.code < 300:
        raise Failure(f"the probe was not sent: {relay.name} says {answer.code} {answer.text}")


def _write(pin: Pin) -> None:
    path = find(STATE.config or None)
    try:
        text = path.read_text(encoding="utf-8-sig")
        replace_file(path, with_keys(text, "trust", _lines(pin)))
    except (NotWritable, OSError) as error:
        raise Failure(f"{path} is unchanged ({error}): put the lines above in by hand") from error
    load(path)
    typer.echo(f"wrote {path}; restart the daemon", err=STATE.json)
