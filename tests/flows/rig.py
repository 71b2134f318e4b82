"""A help desk that plays stories: mails in, a transcript of everything that came of them out.

A story is a folder of steps, played in the order of their names: `NN-what.eml` is a delivery,
`NN-what.toml` an action (`change` of a ticket as on the command line, `days` that pass, `ring` for
the timers, `set_aside` of what waits for the worker, with a reason). `story.toml` may hold `rules`
(as in rules.yaml) and, under `[NN-what]`, how a mail came: `mail_from`, `rcpt`, `login`, `source`,
`live`, `with_next` (the worker does not run before the next mail is there too).

In mails `{notice:ADDRESS}` is the Message-ID of our last mail to that address, `{reply:ADDRESS}`
the address it is to be answered at, `{return:ADDRESS}` its return path; `{release:ADDRESS}` and
`{note:ADDRESS}` are the addresses that our last such mail names, `{duty:ADDRESS}` that of the first
duty list, `{file:ADDRESS}` the last link to a file. All may stand in `rcpt` and `mail_from`, too.
`story.toml` may hold `config`: more of config.toml.
"""

from __future__ import annotations

import email
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from pathlib import Path
from typing import Any

from mailgate.apply import Cause, apply
from mailgate.core.change import plan_change
from mailgate.core.decide import quarantine
from mailgate.core.mail import Envelope, Inbound
from mailgate.core.token import Purpose, open_
from mailgate.intake import Intake
from mailgate.parsing import Parsers
from mailgate.timers import Timers
from mailgate.worker import Worker
from store.database import Database, Tx
from store.inbox import Settled
from store.outbox import OutboxRow
from store.ticket_rows import Event
from tests.desk_rig import desk_of
from tests.flows.site import config_with

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
_UNSAID = ("message", "inverse")  # of an event: ids, and what a database writes in its own order
_ASKING = ("challenge", "agent-held", "collision")
_WISH = re.compile(r"\{(notice|reply|return|release|note|duty|file):([^}]+)\}")
_OURS = re.compile(r"<mg\.(?:\d+\.[0-9a-f]+|[a-z2-7]{56})@example\.org>")
_TOKEN = re.compile(r"(\+|%2B)([a-z2-7]{47})(?=@)|(/file/)([a-z2-7]{56})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One mail as it went to one recipient."""

    notice: str
    raw: bytes
    path: str

    @property
    def mail(self) -> EmailMessage:
        return _parsed(self.raw)

    @property
    def message_id(self) -> str:
        return str(self.mail["Message-ID"])

    @property
    def reply_to(self) -> str:
        return str(self.mail["Reply-To"].addresses[0].addr_spec)

    @property
    def note(self) -> str:
        """The note address that stands in the text, "" where there is none."""
        body = self.mail.get_body(("plain",))
        found = re.findall(r"[^\s<>]+\+([a-z2-7]{47})@[a-z.]+", body.get_content() if body else "")
        notes = [t for t in found if (s := open_(t)) and s.token.purpose is Purpose.NOTE]
        return f"support+{notes[-1]}@example.org" if notes else ""

    @property
    def file(self) -> str:
        """The link to a file in the text, "" where there is none."""
        body = self.mail.get_body(("plain",))
        found = re.search(r"https?://\S+/file/[a-z2-7]{56}", body.get_content() if body else "")
        return found[0] if found else ""

    @property
    def release(self) -> str:
        """The release address that stands in the text, or that it is to be answered at."""
        body = self.mail.get_body(("plain",))
        found = re.search(r"[^\s<>]+\+[a-z2-7]{47}@[a-z.]+", body.get_content() if body else "")
        return found[0] if found else self.reply_to


class House:
    """One help desk over a database, with a clock that only moves when told."""

    def __init__(
        self, database: Database, parsers: Parsers, folder: Path, rules: str = "", config: str = ""
    ) -> None:
        (folder / "config.toml").write_text(config_with(config), encoding="utf-8")
        (folder / "rules.yaml").write_text(rules or "rules: []\n", encoding="utf-8")
        self.database = database
        self.now = START
        self.desk = desk_of(folder / "config.toml", "story")
        self.intake = Intake(database)
        self.worker = Worker(
            database=database, parsers=parsers, desk=self.desk, clock=lambda: self.now
        )
        self.timers = Timers(database, self.desk, clock=lambda: self.now)
        self._deliveries = 0

    def close(self) -> None:
        """Stop the intake."""
        self.intake.close()

    def deliver(self, raw: bytes, **how: Any) -> int:
        """Take one mail in; returns its inbox id. `how` as in story.toml."""
        self._deliveries += 1
        source = how.get("source", "smtp 127.0.0.1:25")
        envelope = Envelope(
            mail_from=how.get("mail_from", _first_address(raw)),
            rcpt_tos=tuple(how.get("rcpt", ["support@example.org"])),
            login=how.get("login", ""),
        )
        inbound = Inbound(
            raw=raw,
            source=source,
            source_key=f"{source} {self._deliveries}",
            received=self.now,
            envelope=envelope,
            live=how.get("live", True),
        )
        return self.intake.accept(inbound)

    def settle(self) -> None:
        """Let the worker settle all that waits."""
        self.worker.drain()

    def set_aside(self, reason: str) -> None:
        """Quarantine what waits, as the worker does after three failures."""
        with self.database.transaction() as tx:
            for waiting in tx.inbox.claim(self.now, 10, timedelta(minutes=1)):
                tx.inbox.settle(waiting.id, quarantine(reason), None, self.now)

    def change(self, number: int, wanted: Mapping[str, str]) -> None:
        """Change a ticket as the command line does."""
        policy = self.desk.policy
        with self.database.transaction() as tx:
            ticket = tx.tickets.views([number], lock=True)[number]
            change = plan_change(ticket, wanted, policy, actor="command line")
            assert change.problems == ()
            cause = Cause(now=self.now, actor="command line", by_agent=True)
            apply(tx, change.effects, cause, self.desk, number)

    def last_notice(self, address: str) -> str:
        """The Message-ID of our last mail to an address."""
        return self.last(address).message_id

    def last(self, address: str) -> Sent:
        """Our last mail to an address."""
        return self.sent(address)[-1]

    def sent(self, address: str) -> list[Sent]:
        """All our mails to an address, oldest first."""
        with self.database.reading() as tx:
            return [
                Sent(notice=row.notice, raw=tx.outbox.wire_bytes(person.id), path=person.mail_from)
                for row in tx.outbox.list(limit=100_000)
                for person in row.recipients
                if person.address == address
            ]

    def filled(self, text: str) -> str:
        """A text with its wishes (`{notice:ADDRESS}` ...) fulfilled."""

        def wish(match: re.Match[str]) -> str:
            asked = [m for m in self.sent(match[2]) if m.notice in _ASKING]
            mail = asked[-1] if match[1] == "release" else self.last(match[2])
            if match[1] == "duty":
                return next(m.reply_to for m in self.sent(match[2]) if m.notice == "duty")
            if match[1] == "file":
                return next(m.file for m in reversed(self.sent(match[2])) if m.file)
            if match[1] == "note":
                return [m.note for m in self.sent(match[2]) if m.note][-1]
            return {
                "notice": mail.message_id,
                "reply": mail.reply_to,
                "return": mail.path,
                "release": mail.release,
            }[match[1]]

        return _WISH.sub(wish, text)


class Transcript:
    """Writes down what happened, step by step, without anything that differs between two runs."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lines: list[str] = []
        self._events: dict[int, int] = {}  # ticket -> how many are written down
        self._mails = 0
        self._names: dict[str, str] = {}  # Message-IDs of ours -> <notice-1@ours>
        self._tags: dict[str, str] = {}  # tokens in addresses -> token-1

    def text(self) -> str:
        """Everything, with names for what is random."""
        return "\n".join(self._lines) + "\n"

    def step(self, title: str, ids: list[int]) -> None:
        """What came of these deliveries (or of an action, without any)."""
        self._lines += [f"=== {title}", ""]
        with self._house.database.reading() as tx:
            for inbox_id in ids:
                settled = tx.inbox.get(inbox_id)
                assert settled is not None
                self._lines.append(self._named(_outcome(settled)))
            self._lines += [self._named(f"  {line}") for line in self._news(tx)]
            for row in [r for r in tx.outbox.list(limit=10_000) if r.id > self._mails]:
                self._mails = row.id
                self._lines += ["", *self._mail(tx, row)]
        self._lines.append("")

    def end(self) -> None:
        """How the tickets stand at the end."""
        with self._house.database.reading() as tx:
            for found in sorted(tx.tickets.find(limit=100), key=lambda t: t.view.number):
                self._lines += [*_ticket(tx, found.view.number), ""]

    def _news(self, tx: Tx) -> Iterator[str]:
        for found in sorted(tx.tickets.find(limit=100), key=lambda t: t.view.number):
            number = found.view.number
            events = tx.tickets.events(number)
            for one in events[self._events.get(number, 0) :]:
                yield _event(number, one)
            self._events[number] = len(events)

    def _mail(self, tx: Tx, row: OutboxRow) -> list[str]:
        lines = [f"  {row.notice} #{row.ticket}"]
        for person in row.recipients:
            head = _parsed(tx.outbox.wire_bytes(person.id))
            lines.append(f"    to {head['To']} ({person.role}), answers to {head['Reply-To']}")
            answers = f" in reply to {head['In-Reply-To']}" if head["In-Reply-To"] else ""
            lines.append(f"      {head['Message-ID']}{answers}, bounces to {person.mail_from}")
        message = _parsed(tx.outbox.wire_bytes(row.recipients[0].id))
        for name in ("From", "Subject", "Auto-Submitted"):
            if message[name]:
                lines.append(f"    {name}: {message[name]}")
        body = message.get_body(("plain",))
        assert body is not None
        lines += [f"    | {line}".rstrip() for line in body.get_content().splitlines()]
        for part in message.iter_attachments():
            data = part.get_payload(decode=True)
            size = len(data) if isinstance(data, bytes) else 0
            lines.append(f"    + {part.get_filename()} {part.get_content_type()} {size}")
        return [self._named(line) for line in lines]

    def _named(self, line: str) -> str:
        def name(match: re.Match[str]) -> str:
            return self._names.setdefault(match[0], f"<notice-{len(self._names) + 1}@ours>")

        def tagged(match: re.Match[str]) -> str:
            text = match[2] or match[4]
            named = self._tags.setdefault(text, f"token-{len(self._tags) + 1}")
            return f"{match[1] or match[3]}{named}"

        return _TOKEN.sub(tagged, _OURS.sub(name, line))


def play(folder: Path, house: House) -> str:
    """Play a story and return its transcript."""
    script = _script(folder)
    transcript = Transcript(house)
    waiting: list[int] = []
    names: list[str] = []
    for path in sorted(folder.glob("[0-9]*")):
        house.now += timedelta(minutes=1)
        names.append(path.stem)
        if path.suffix == ".toml":
            _act(house, tomllib.loads(path.read_text(encoding="utf-8")))
        else:
            how = script.get(path.stem, {})
            waiting.append(house.deliver(_mail(path, house), **_filled(how, house)))
            if how.get("with_next"):
                continue
            house.settle()
        transcript.step(" and ".join(names), waiting)
        waiting, names = [], []
    transcript.end()
    return transcript.text()


def rules_of(folder: Path) -> str:
    """The rules a story is played with."""
    return str(_script(folder).get("rules", ""))


def _script(folder: Path) -> dict[str, Any]:
    path = folder / "story.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _act(house: House, action: Mapping[str, Any]) -> None:
    house.now += timedelta(days=action.get("days", 0))
    if "change" in action:
        house.change(action["change"]["ticket"], action["change"]["set"])
    if "set_aside" in action:
        house.set_aside(action["set_aside"])
    if action.get("ring"):
        house.timers.step()


def _mail(path: Path, house: House) -> bytes:
    text = path.read_bytes().decode("latin-1")
    return house.filled(text).encode("latin-1").replace(b"\n", b"\r\n")


def _filled(how: Mapping[str, Any], house: House) -> dict[str, Any]:
    filled = dict(how)
    if "mail_from" in how:
        filled["mail_from"] = house.filled(how["mail_from"])
    if "rcpt" in how:
        filled["rcpt"] = [house.filled(address) for address in how["rcpt"]]
    return filled


def config_of(folder: Path) -> str:
    """What a story adds to the configuration."""
    return str(_script(folder).get("config", ""))


def _first_address(raw: bytes) -> str:
    found = re.search(rb"^From:.*?([^\s<]+@[^\s>]+)", raw, re.MULTILINE)
    return found[1].decode("ascii") if found else "unknown@example.net"


@lru_cache(maxsize=1000)
def _parsed(raw: bytes) -> EmailMessage:
    # Whoever asks again gets the same one, to look at.
    return email.message_from_bytes(raw, policy=default)


def _outcome(settled: Settled) -> str:
    assert settled.outcome is not None
    where = f" #{settled.ticket}" if settled.ticket else ""
    return f"{settled.id}: {settled.outcome}{where}: {settled.reason}"


def _event(number: int, one: Event) -> str:
    data = " ".join(f"{k}={v!r}" for k, v in sorted(one.data.items()) if k not in _UNSAID)
    return f"#{number} {one.kind} by {one.actor}: {data}"


def _ticket(tx: Tx, number: int) -> list[str]:
    row = tx.tickets.get(number)
    assert row is not None
    view = row.view
    facts = {
        "subject": view.subject,
        "status": view.status,
        "priority": view.priority,
        "category": view.category,
        "queue": view.queue,
        "assigned": view.assignee or view.group,
        "language": view.language,
        "requester": view.requester or "nobody",
        "cc": ", ".join(view.cc),
        "tags": ", ".join(view.tags),
        "links": ", ".join(f"#{other} {why}" for other, why in row.links),
    }
    lines = [f"#{number}", *(f"  {name}: {value}" for name, value in facts.items() if value)]
    for message in tx.tickets.messages(number):
        files = "".join(f" + {a.filename}" for a in message.attachments)
        first = message.visible.strip().partition("\n")[0]
        lines.append(f"  {message.kind} from {message.author or 'nobody'}: {first}{files}")
    return lines
