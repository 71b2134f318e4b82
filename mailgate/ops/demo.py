"""`mailgate demo`: the real daemon, real SMTP, a relay that catches what leaves, and a table.

Everything lives in a scratch folder; no mail can get off this machine.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailgate.ops import demo_mails as mails
from mailgate.ops import demo_site
from mailgate.ops.catching import CatchingRelay
from store.database import Database
from store.inbox import Settled
from store.outbox import OutboxRow, RecipientRow

T = TypeVar("T")

PATIENCE = 30.0  # seconds for each thing that has to happen


class Failed(Exception):
    """Something did not happen in time."""


@dataclass(kw_only=True)
class Sent:
    """A mail of the demo and how it ought to end."""

    what: str
    sender: str
    message_id: str
    expected: str
    row: Settled | None = None


@dataclass(kw_only=True)
class Stage:
    """The running demo."""

    folder: Path
    smtp: int
    web: int
    relay: CatchingRelay
    database: Database
    run: str = field(default_factory=lambda: uuid4().hex[:8])
    sent: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def send(self, what: str, raw: bytes, expected: str, *, null: bool = False) -> Settled:
        """Send one mail over SMTP and wait for its outcome."""
        mail = message_from_bytes(raw)
        sender = str(mail["From"])
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=PATIENCE) as client:
            envelope = "" if null else sender.rpartition("<")[2].strip(">")
            client.sendmail(envelope, [mails.QUEUE], raw)
        one = Sent(what=what, sender=sender, message_id=str(mail["Message-ID"]), expected=expected)
        nth = sum(s.message_id == one.message_id for s in self.sent)
        self.sent.append(one)
        one.row = wait(f"the outcome of: {what}", lambda: self._outcome(one.message_id, nth))
        if one.row.outcome != expected:
            self.problems.append(f"{what}: expected {expected}, got {one.row.outcome}")
        return one.row

    def _outcome(self, message_id: str, nth: int) -> Settled | None:
        with self.database.reading() as tx:
            rows = list(reversed(tx.inbox.find(message_id=message_id)))
        return rows[nth] if len(rows) > nth and rows[nth].outcome else None

    def caught(self, notice: str, address: str, nth: int = 1) -> str:
        """The Message-ID of the nth notice of a kind that the relay was given for an address."""
        with_it = f"{notice} to {address}"
        row = wait(f"the {with_it}", lambda: self._gone(notice, address, nth))
        return row.message_id

    def _gone(self, notice: str, address: str, nth: int) -> RecipientRow | None:
        made = sorted((row for row in self.outbox() if row.notice == notice), key=lambda r: r.id)
        theirs = [one for row in made for one in row.recipients if one.address == address]
        there = len(theirs) >= nth and theirs[nth - 1].state == "sent"
        return theirs[nth - 1] if there else None

    def outbox(self) -> list[OutboxRow]:
        """All mail that was queued."""
        with self.database.reading() as tx:
            return tx.outbox.list(limit=1000)

    def command(self, *words: str) -> None:
        """Run a mailgate command as an agent would at a terminal."""
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own words
            [*_mailgate(self.folder), *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            self.problems.append(f"mailgate {' '.join(words)}: {done.stderr.strip()}")


def run(*, as_json: bool, stay: bool) -> int:
    """Play the demo; 0 when everything ended as it should. `stay` waits for Ctrl-C at the end."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        return _perform(console, as_json=as_json, stay=stay)
    except Failed as error:  # before the curtain: no port, or the daemon did not start
        sys.stderr.write(f"{error}\n")
        return 1


def _perform(console: Console, *, as_json: bool, stay: bool) -> int:
    with _stage(console, quiet=as_json) as stage:
        try:
            _play(stage)
        except (Failed, OSError, smtplib.SMTPException) as error:
            stage.problems.append(str(error))
        if as_json:
            _print_json(stage)
        else:
            _print_tables(stage, console)
        if stay and not as_json:
            _stay(stage, console)
    return 1 if stage.problems else 0


def _play(stage: Stage) -> None:
    number = _ticket(
        stage.send("new request, Spanish, file, CC", mails.request(stage.run), "ticket")
    )
    confirmation = stage.caught("confirmation", "luis@example.com")
    stage.caught("agent-new", "ana@example.org")
    same = mails.by_token(stage.run, number)
    stage.send("reply with the subject token only", same, "reply")
    stage.send("the same mail once more", same, "duplicate")
    stage.send(
        "reply by reference, other subject", mails.by_reference(stage.run, confirmation), "reply"
    )
    notice = stage.caught("agent-message", "ana@example.org", 2)  # of two replies, the last
    stage.send("HTML only, from somebody else", mails.html_only(stage.run), "ticket")
    stage.send("out of office", mails.out_of_office(stage.run, confirmation), "note")
    stage.send(
        "bounce of the confirmation", mails.bounce(stage.run, confirmation), "bounce", null=True
    )
    stage.send(
        "agent's answer from her mail client",
        mails.agent_answer(stage.run, notice, number),
        "reply",
    )
    stage.caught("answer", "carmen@example.com")
    stage.command("ticket", "set", str(number), "assign=bruno@example.org")
    stage.command("ticket", "set", str(number), "status=resolved")
    stage.command("ticket", "close", str(number), "-m", "Fixed the download page.")
    for kind in ("assignment", "status", "closure"):
        for person in ("carmen@example.com", "luis@example.com"):
            stage.caught(kind, person)
    wait("an empty outbox", lambda: all(_finished(row) for row in stage.outbox()) or None)
    _check_page(stage)


def _ticket(row: Settled) -> int:
    if row.ticket is None:
        raise Failed(f"the first mail made no ticket: {row.reason}")
    return row.ticket


def _finished(row: OutboxRow) -> bool:
    return all(one.state in ("sent", "failed", "cancelled") for one in row.recipients)


def _check_page(stage: Stage) -> None:
    page = _get(f"http://127.0.0.1:{stage.web}/")
    if page is None or "carmen" in page.lower():
        stage.problems.append("the status page is not up, or shows personal data")


def wait(what: str, look: Callable[[], T | None]) -> T:
    """Look until there is something to see. Raises Failed."""
    until = time.monotonic() + PATIENCE
    while (seen := look()) is None:
        if time.monotonic() > until:
            raise Failed(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)
    return seen


# --- the stage -----------------------------------------------------------------------------


@contextlib.contextmanager
def _stage(console: Console, *, quiet: bool) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="mailgate-demo-"))
    relay = CatchingRelay(folder / "caught").start()
    smtp, web = _free_port(2525), _free_port(8025)
    demo_site.write(folder, smtp=smtp, web=web, relay=relay.port)
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [*_mailgate(folder), "serve"], stdout=log, stderr=log
        )
    try:
        if not quiet:
            console.print(f"mailgate demo in {folder}", highlight=False)
        _wait_until_up(daemon, folder, smtp, web)
        database = Database("sqlite", folder / "data")
        try:
            yield Stage(folder=folder, smtp=smtp, web=web, relay=relay, database=database)
        finally:
            database.close()
    finally:
        _end(daemon)
        relay.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _mailgate(folder: Path) -> list[str]:
    return [sys.executable, "-m", "mailgate", "--config", str(folder / "config.toml")]


def _free_port(wanted: int) -> int:
    """The wanted port if nobody has it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Failed("there is no free port on 127.0.0.1")


def _wait_until_up(daemon: subprocess.Popen[bytes], folder: Path, smtp: int, web: int) -> None:
    def up() -> bool | None:
        if daemon.poll() is not None:
            log = (folder / "daemon.log").read_text(encoding="utf-8", errors="replace")
            raise Failed(f"the daemon ended at once:\n{log}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", smtp), 1):
            return True if _get(f"http://127.0.0.1:{web}/healthz") is not None else None
        return None

    wait("the daemon", up)


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as page:  # noqa: S310 - our own loopback address
            return str(page.read().decode())
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except OSError:
        return None


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(15)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


# --- what a person sees --------------------------------------------------------------------


def _print_tables(stage: Stage, console: Console) -> None:
    came = Table(title="What came in", title_justify="left")
    for column in ("mail", "from", "outcome", "ticket", "why"):
        came.add_column(column, overflow="fold")
    for one in stage.sent:
        row = one.row
        outcome = str(row.outcome) if row else "nothing yet"
        ticket = f"#{row.ticket}" if row and row.ticket else ""
        reason = Text(row.reason if row else "")
        came.add_row(one.what, Text(one.sender), outcome, ticket, reason)
    went = Table(title="What went out", title_justify="left")
    for column in ("to", "notice", "ticket", "subject", "state"):
        went.add_column(column, overflow="fold")
    for mail in stage.outbox():
        subject = _subject(stage, mail)
        for person in mail.recipients:
            went.add_row(
                person.address, mail.notice, f"#{mail.ticket}", Text(subject), person.state.value
            )
    console.print(came)
    console.print(went)
    console.print(f"status page: http://127.0.0.1:{stage.web}/", highlight=False)
    for problem in stage.problems:
        console.print(f"PROBLEM: {problem}", highlight=False, markup=False)
    if not stage.problems:
        console.print("everything ended as it should", highlight=False)


def _print_json(stage: Stage) -> None:
    for one in stage.sent:
        row = one.row
        line = {
            "mail": one.what,
            "from": one.sender,
            "expected": one.expected,
            "outcome": row.outcome if row else None,
            "ticket": row.ticket if row else None,
            "reason": row.reason if row else None,
        }
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    for mail in stage.outbox():
        for person in mail.recipients:
            line = {
                "to": person.address,
                "notice": mail.notice,
                "ticket": mail.ticket,
                "state": person.state.value,
            }
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    summary = {"problems": stage.problems, "ok": not stage.problems}
    sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")


def _subject(stage: Stage, mail: OutboxRow) -> str:
    for caught in stage.relay.mails:
        parsed = message_from_bytes(caught.data)
        if parsed["Message-ID"] == mail.message_id:
            return str(make_header(decode_header(parsed["Subject"])))
    return ""


def _stay(stage: Stage, console: Console) -> None:
    console.print(
        f"\nThe daemon stays up until Ctrl-C. Send it a mail of your own, for example:\n"
        f"  printf 'From: you@example.net\\nTo: {mails.QUEUE}\\nSubject: Hello\\n\\nHelp!\\n' | "
        f"curl -T - smtp://127.0.0.1:{stage.smtp} --mail-from you@example.net "
        f"--mail-rcpt {mails.QUEUE}\n"
        f"What leaves lands in {stage.folder}/caught; the log is {stage.folder}/daemon.log\n"
        f"and `mailgate --config {stage.folder / 'config.toml'} ticket list` shows the tickets.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
