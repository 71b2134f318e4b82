"""What each step of settling a mail costs: the real worker, in this process, one mail at a time.

The steps are timed where they are called; parsing is done beforehand, since it runs in other
processes anyway. Nothing of mailgate knows of this.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from bench.corpus import QUEUE, Mail
from mailgate import notices
from mailgate import worker as working
from mailgate.apply import Desk
from mailgate.core.mail import Envelope, Inbound, ParsedMail
from mailgate.core.people import Mailbox
from mailgate.core.policy import Policy
from mailgate.gate import Caps
from mailgate.intake import commit
from mailgate.parsing import Parsers, read_mail
from mailgate.render import Renderer
from mailgate.resources import resource
from mailgate.worker import Worker
from store.database import Database
from store.facts import FactFinder

GROUP = 50  # deliveries in one commit of intake


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step: milliseconds and SQL statements, per mail of the stream."""

    name: str
    ms: float
    statements: float = 0.0


class _Watch:
    """Wall time and statements by the innermost step that is under way."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.statements: Counter[str] = Counter()
        self._under_way: list[str] = ["other"]
        self._since = time.perf_counter()

    def _turn(self) -> None:
        now = time.perf_counter()
        self.seconds[self._under_way[-1]] += now - self._since
        self._since = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what happens inside under `name`."""
        self._turn()
        self._under_way.append(name)
        try:
            yield
        finally:
            self._turn()
            self._under_way.pop()

    def timed(self, name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn`, counted under `name`."""

        def wrapped(*args: Any, **named: Any) -> Any:
            with self.step(name):
                return fn(*args, **named)

        return wrapped

    def counted(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn`, each call counted as a statement."""

        def wrapped(*args: Any, **named: Any) -> Any:
            self.statements[self._under_way[-1]] += 1
            return fn(*args, **named)

        return wrapped


class _Read(Parsers):
    """Mails that were parsed beforehand."""

    def __init__(self, mails: dict[bytes, ParsedMail]) -> None:
        super().__init__(workers=1)
        self._mails = mails

    def submit(
        self, raw: bytes, languages: tuple[str, ...], *, dress: bool = False
    ) -> Future[ParsedMail]:
        """Known at once."""
        done: Future[ParsedMail] = Future()
        known = self._mails.get(raw)
        done.set_result(known or read_mail(raw, languages, dress=dress))
        return done

    def call(self, fn: Callable[..., Any], *args: Any, timeout: float = 0) -> Any:  # noqa: ARG002
        """In this process."""
        return fn(*args)


def measure(stream: Sequence[Mail], folder: Path) -> list[Stage]:
    """Take and settle the stream on an empty SQLite database in `folder`."""
    watch = _Watch()
    database = Database("sqlite", folder / "stages")
    database.ready()
    try:
        desk = _desk()
        with watch.step("parse"):
            read = {mail.raw: read_mail(mail.raw, desk.policy.languages) for mail in stream}
        with _watched(watch, database):
            with watch.step("take (intake)"):
                for at in range(0, len(stream), GROUP):
                    commit(database, [_inbound(mail) for mail in stream[at : at + GROUP]])
            with watch.step("claim and settle"):
                Worker(database=database, parsers=_Read(read), desk=desk).drain()
        _check(database, len(stream))
    finally:
        database.close()
    return [
        Stage(
            name=name,
            ms=1000 * seconds / len(stream),
            statements=watch.statements[name] / len(stream),
        )
        for name, seconds in watch.seconds.items()
        if name != "other"
    ]


@contextmanager
def _watched(watch: _Watch, database: Database) -> Iterator[None]:
    dialect = database.engine.dialect
    calls: tuple[tuple[str, Any, str], ...] = (
        ("facts", FactFinder, "gather"),
        ("decide", working, "decide"),
        ("attachments", _Read, "call"),
        ("apply", working, "apply"),
        ("compose", notices, "compose"),
        ("commit", dialect, "do_commit"),
    )
    with ExitStack() as stack:
        for name, where, attribute in calls:
            timed = watch.timed(name, getattr(where, attribute))
            stack.enter_context(patch.object(where, attribute, timed))
        for attribute in ("do_execute", "do_executemany"):
            counted = watch.counted(getattr(dialect, attribute))
            stack.enter_context(patch.object(dialect, attribute, counted))
        yield


NO_CAPS = Caps(
    per_address_hour=0,
    per_address_day=0,
    changes_hour=0,
    per_ticket_hour=0,
    per_domain_hour=0,
    total_hour=0,
    copies_hour=0,
    copies_day=0,
    agent_hour=0,
    agent_ticket_hour=0,
    storm_mails=0,
)


def _desk() -> Desk:
    renderer = Renderer([resource("templates") / "mail"])
    policy = Policy(
        domain="example.org",
        name="Support",
        instance="bench",
        flood_mails=0,
        flood_domain_mails=0,
        mailboxes=(Mailbox(address=QUEUE, name="Support"),),
        languages=renderer.languages(),
    )
    return Desk(policy=policy, renderer=renderer, caps=NO_CAPS)


def _inbound(mail: Mail) -> Inbound:
    return Inbound(
        raw=mail.raw,
        source="smtp bench",
        source_key=uuid4().hex,
        received=datetime.now(UTC),
        envelope=Envelope(mail_from=mail.sender, rcpt_tos=(QUEUE,)),
        live=True,
    )


def _check(database: Database, count: int) -> None:
    with database.reading() as tx:
        outcomes = Counter(row.outcome for row in tx.inbox.find(limit=count + 1))
    if sum(outcomes.values()) != count or not outcomes.keys() <= {"ticket", "reply"}:
        raise RuntimeError(f"the stream did not settle as it should: {outcomes}")
