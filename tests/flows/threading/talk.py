"""People and a help desk writing to each other, and what each mail gives away about its ticket.

The ledger here is kept from the bytes that went in and out, never from the program's own tables:
which reply address, which Message-ID and which number belong to which ticket.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import getaddresses
from pathlib import Path

from mailgate.core.decision import Outcome
from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import House
from tests.flows.threading.letters import Letter, Words
from tests.flows.threading.reading import Reading, read

SUPPORT = "support@example.org"
AGENT = "ana@example.org"
_NUMBER = re.compile(r"\[#(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What became of a mail."""

    inbox: int
    outcome: Outcome
    ticket: int | None
    reason: str

    @property
    def joined(self) -> bool:
        """Whether it was put on a ticket that was there before."""
        return self.outcome in (Outcome.REPLY, Outcome.NOTE, Outcome.HELD, Outcome.COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The tickets that a mail names, by kind of evidence."""

    address: frozenset[int] = frozenset()
    ours: frozenset[int] = frozenset()
    known: frozenset[int] = frozenset()
    subject: frozenset[int] = frozenset()

    @property
    def tokens(self) -> frozenset[int]:
        """By what only a reader of our mail can have."""
        return self.address | self.ours

    @property
    def all(self) -> frozenset[int]:
        """By anything."""
        return self.address | self.ours | self.known | self.subject


@dataclass(kw_only=True, repr=False)
class Talk:
    """Deliveries to one help desk, and everything it sent."""

    house: House
    letters: list[tuple[Letter, int | None]] = field(default_factory=list)
    _mine: dict[str, int] = field(default_factory=dict)  # Message-IDs of the desk's own mails
    _addresses: dict[str, int] = field(default_factory=dict)  # reply addresses, in lower case
    _known: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _readings: defaultdict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))
    _serial: itertools.count[int] = field(default_factory=itertools.count)

    def words(self, said: str, *cc: str) -> Words:
        """Something new to say, a minute later."""
        self.house.now += timedelta(minutes=1)
        return Words(said=said, at=self.house.now, serial=next(self._serial), cc=cc)

    def deliver(self, letter: Letter, *, live: bool = True) -> Came:
        """Bring a mail to the desk, and read what it sent because of it."""
        ours = [a for a in letter.rcpt if a.lower().endswith("@example.org")]
        inbox = self.house.deliver(
            letter.raw, rcpt=ours or [SUPPORT], mail_from=letter.sender, live=live
        )
        self.house.settle()
        with self.house.database.reading() as tx:
            row = tx.inbox.get(inbox)
            assert row is not None
            assert row.outcome is not None
            came = Came(inbox=inbox, outcome=row.outcome, ticket=row.ticket, reason=row.reason)
        self._note(letter, came.ticket)
        self._read_post(inbox)
        return came

    def readings(self, address: str) -> list[Reading]:
        """Every mail that this person got: from the desk, and as a copy of others' mails."""
        return self._readings[address]

    def ticket_of(self, reading: Reading) -> int | None:
        """The ticket that a mail of the desk is about; None for other people's mails."""
        return self._mine.get(reading.header("Message-ID"))

    def evidence(self, letter: Letter) -> Evidence:
        """What a mail gives away, read from its bytes alone."""
        message = read(letter.raw, "").message
        ids = [
            *str(message["In-Reply-To"] or "").split(),
            *str(message["References"] or "").split(),
        ]
        named = [a for _n, a in getaddresses([str(message[n] or "") for n in ("To", "Cc")])]
        addresses = {a.lower() for a in (*letter.rcpt, *named)}
        numbers = {int(n) for n in _NUMBER.findall(str(message["Subject"]))}
        own = self._known.get(letter.message_id, set())
        return Evidence(
            address=frozenset(self._addresses[a] for a in addresses if a in self._addresses),
            ours=frozenset(self._mine[i] for i in ids if i in self._mine),
            known=frozenset(n for i in ids for n in self._known.get(i, ())) | own,
            subject=frozenset(numbers & self.tickets()),
        )

    def tickets(self) -> set[int]:
        """All tickets that mails so far were put on."""
        return {number for _letter, number in self.letters if number}

    def participants(self, number: int) -> set[str]:
        """Requester and CC of a ticket."""
        with self.house.database.reading() as tx:
            return set(tx.tickets.views([number])[number].participants)

    def _note(self, letter: Letter, ticket: int | None) -> None:
        self.letters.append((letter, ticket))
        message = read(letter.raw, letter.sender).message
        ids = [
            *str(message["In-Reply-To"] or "").split(),
            *str(message["References"] or "").split(),
        ]
        if ticket is not None:
            for one in (letter.message_id, *ids):
                self._known[one].add(ticket)
        for address in letter.rcpt:
            if not address.lower().endswith("@example.org"):
                self._readings[address].append(read(letter.raw, address))

    def _read_post(self, inbox: int) -> None:
        with self.house.database.reading() as tx:
            for row in tx.outbox.list(inbox=inbox):
                for person in row.recipients:
                    got = read(tx.outbox.wire_bytes(person.id), person.address)
                    self._readings[person.address].append(got)
                    if not row.ticket:
                        continue
                    self._mine[got.header("Message-ID")] = row.ticket
                    for _name, address in getaddresses([got.header("Reply-To")]):
                        if "+" in address:
                            self._addresses[address.lower()] = row.ticket


@contextmanager
def opened_house(template: Path, folder: Path) -> Iterator[House]:
    """A help desk over a fresh SQLite database, copied from a migrated template."""
    (folder / "data").mkdir(parents=True)
    shutil.copy(template, folder / "data" / "mailgate.db")
    database = Database("sqlite", folder / "data")
    parsers = Parsers(workers=1, seconds=30)
    # Agents answer old mails here as well, which the guard would hold.
    house = House(database, parsers, folder, config='[agents]\ncollision = "send"\n')
    try:
        yield house
    finally:
        house.close()
        parsers.close()
        database.close()
