"""Mails for the worker, a house for it to work in, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mailgate.apply import Desk
from mailgate.core.mail import ParsedMail
from mailgate.core.policy import Action, Condition, Pattern, Rule
from mailgate.parsing import Parsers
from store.database import Database
from store.inbox import Settled
from tests.flows.rig import House


def raw(
    key: str, sender: str = "rita@customer.test", *, answers: str = "", body: str = ""
) -> bytes:
    """A mail whose subject and Message-ID are its key."""
    head = [
        f"From: {sender}",
        "To: support@example.org",
        f"Subject: {key}",
        f"Message-ID: <{key}@customer.test>",
    ]
    if answers:
        head.append(f"In-Reply-To: <{answers}@customer.test>")
    return "\r\n".join([*head, "", body or f"This is {key}.", ""]).encode()


def rule(subject: str = "", **then: str) -> Rule:
    """A rule for mails of a subject; an unknown action makes whoever carries it out fail."""
    when = Condition(field="subject", patterns=(Pattern(written=subject, regex=subject),))
    actions = tuple(Action(name=name, values=(value,)) for name, value in then.items())
    return Rule(name="r", where="rules.yaml:2", when=(when,), then=actions, on="any")


def with_rules(desk: Desk, *rules: Rule) -> Desk:
    """The same desk with other rules."""
    return replace(desk, policy=replace(desk.policy, rules=rules))


class Beside(Parsers):
    """Parsers that do something else too, after a mail was handed to them."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__(workers=1, seconds=30)
        self._then: list[Callable[[], None]] = [then]

    def submit(
        self, raw: bytes, languages: tuple[str, ...], *, dress: bool = False
    ) -> Future[ParsedMail]:
        """As always; then, the first time, the other thing."""
        future = super().submit(raw, languages, dress=dress)
        while self._then:
            self._then.pop()()
        return future


@contextmanager
def house(database: Database, parsers: Parsers, folder: Path) -> Iterator[House]:
    """A house whose intake is closed in the end."""
    found = House(database, parsers, folder)
    try:
        yield found
    finally:
        found.close()


def rows(database: Database, ids: Sequence[int]) -> list[Settled]:
    """The inbox rows."""
    with database.reading() as tx:
        found = [tx.inbox.get(one) for one in ids]
    return [row for row in found if row]


def outcomes(database: Database, ids: Sequence[int]) -> list[str]:
    """Their outcomes, "waiting" where there is none."""
    return [row.outcome.value if row.outcome else "waiting" for row in rows(database, ids)]


def words(database: Database, number: int) -> list[str]:
    """The messages of a ticket, by subject."""
    with database.reading() as tx:
        return [message.subject for message in tx.tickets.messages(number)]


def tickets(database: Database) -> list[int]:
    """All ticket numbers."""
    with database.reading() as tx:
        return sorted(row.view.number for row in tx.tickets.find(limit=10_000))
