"""A full day of a help desk by mail alone: nobody sees a web page.

Three customers and a colleague of one of them, two agents, a supplier, each with a mailbox of their
own in a real Dovecot; a real Postfix between all of them and `mailgate serve`; answers go to what
was delivered, with the headers of the mail program they come from. What it comes to is written in
`day_book.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

from mailgate.cli import shapes
from mailgate.cli.tickets import get
from mailgate.core.decision import FINAL_STATES
from mailgate.core.token import holder_of, open_, pair_of
from tests.peers.daemon_rig import QUEUE, Serving, Site, until
from tests.peers.day_book import (
    AGENTS,
    ANA,
    ASIDE,
    BRUNO,
    DORA,
    EMIL,
    GONE,
    MAILBOXES,
    OF_THE_TICKET,
    OUTCOMES,
    PEOPLE,
    PRIVATE,
    SAM,
    TICKETS,
)
from tests.peers.dovecot import Dovecot, require
from tests.peers.ports import free_port
from tests.peers.postfix import Postfix, missing
from tests.peers.town import MTA, Person, everything, virtual, words

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(missing()), reason=missing() or "Postfix runs"),
]

CONFIG = f"""
[trust]
authserv_id = "{MTA}"
hops = 1

[agents]
duty = ["ana@example.net"]
"""
HISTORY = ("message", "status")
_TOKEN = re.compile(r"(?<![a-z0-9])(?:[a-z2-7]{56}|[a-z2-7]{47})(?![a-z0-9])", re.IGNORECASE)
_OPENING = re.compile(
    r"##-[^#]*-##|Message from \S+:|Hello,|What came of your mail to ticket #\d+:"
    r"|A short update on your request #\d+ “[^”]*”:|(?:Ticket:|Request) #.*",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Day:
    """The running desk, the mail server, and who takes part."""

    serving: Serving
    postfix: Postfix
    dovecot: Dovecot

    def person(self, address: str) -> Person:
        """Somebody at their mail program."""
        name, client = PEOPLE[address]
        return Person(
            address=address,
            name=name,
            client=client,
            postfix=self.postfix,
            dovecot=self.dovecot,
            settle=self.settle,
        )

    def settle(self) -> None:
        """Wait until no mail is under way, in Postfix or in mailgate."""

        def still() -> bool:
            before = self._idle()
            return before > 0 and self.postfix.queue_len() == 0 and self._idle() == before

        until("all mail to arrive", still)

    def _idle(self) -> int:
        """How many mails came in so far; 0 while mailgate has something to do."""
        with self.serving.database() as database, database.reading() as tx:
            rows = tx.inbox.find(limit=1000)
            waiting = tx.stats.depths().outbox or not all(row.outcome for row in rows)
        return 0 if waiting else len(rows)

    def stranger(self, author: str, subject: str, body: str) -> None:
        """A mail from a server whose mail nothing vouches for."""
        head = f"From: {author}\r\nTo: {QUEUE}\r\nSubject: {subject}\r\n"
        self.postfix.send(f"{head}\r\n{body}\r\n".encode(), "mallory@evil.test", [QUEUE])
        self.settle()

    def overnight(self) -> None:
        """Down for the night, and up again at noon by the desk's clock, where it is 8 to 14."""
        self.serving.stop()
        ahead = 12 - datetime.now(UTC).hour  # hours; the sign of such a zone's name is turned
        text = self.serving.config.read_text(encoding="utf-8")
        text = text.replace("[helpdesk]\n", f'[helpdesk]\ntimezone = "Etc/GMT{-ahead:+}"\n', 1)
        text = text.replace("[agents]\n", '[agents]\ndigest = "08:00"\n', 1)
        self.serving.config.write_text(text, encoding="utf-8")
        self.serving.start()

    def tickets(self) -> dict[int, dict[str, Any]]:
        """What `ticket show --json` prints of each, without a process of its own for each."""
        shown = {}
        with self.serving.database() as database, database.reading() as tx:
            for number in (found.view.number for found in tx.tickets.find(limit=1000)):
                messages, events = tx.tickets.messages(number), tx.tickets.events(number)
                shown[number] = shapes.ticket(get(tx, number), messages, events)
        return shown


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    require()
    lmtp = free_port()
    with Dovecot() as dovecot:
        main = virtual(dovecot, list(PEOPLE))
        with Postfix(domains=("example.org",), lmtp_port=lmtp, main=main) as postfix:
            site = Site(lmtp=lmtp, relay=postfix.port, extra=CONFIG)
            with Serving(tmp_path, site) as serving:
                yield Day(serving=serving, postfix=postfix, dovecot=dovecot)


def test_a_full_day_by_mail_alone(day: Day) -> None:
    """One test, as each part begins where the one before left everybody's mailbox."""
    new_matters(day)
    printer(day)
    tunnel(day)
    laptop(day)
    strangers(day)
    supplier(day)
    chair(day)
    morning(day)
    every_mail_has_its_outcome(day)
    tickets_are_as_they_should_be(day)
    mailboxes_are_as_they_should_be(day)


# --- the day ---------------------------------------------------------------------------------


def new_matters(day: Day) -> None:
    """Three tickets; one copy bounces; an agent's vacation responder is no answer (C7)."""
    carmen, luis, dora, ana, *_ = map(day.person, PEOPLE)
    carmen.write("Printer on floor two", "It prints nothing since this morning.\n", cc=luis.address)
    luis.write("Tunnel drops every hour", "Each time I have to log in again.\n")
    dora.write("New laptop", "When does it come?\n", cc=GONE)
    ana.be_away(ana.newest("[support] New laptop"), to="Reply-To")


def printer(day: Day) -> None:
    """Answers, one of them too late, a responder, a hand-over, thanks, open again, a merge."""
    carmen, luis, _, ana, bruno, *_ = map(day.person, PEOPLE)
    first = ana.newest("Printer")
    ana.reply(first, "Hello Carmen,\n\nplease look whether the tray is shut.")
    luis.be_away(luis.newest("[#1001]"))
    carmen.reply(carmen.newest("[#1001]"), "It is shut, & <nothing> comes out.")
    ana.reply(ana.newest("Printer"), "#assign bruno\n#note\n\nThe contract has ended, do not say.")
    bruno.reply(bruno.newest("Printer"), "#priority high\n#tag floor-two\n#time 15m")
    bruno.reply(bruno.newest("Printer"), "Hello Carmen,\n\nI come at ten.")
    luis.reply(luis.newest("[#1001]"), "Ten is fine for me too.", everybody=True)
    ana.reply(first, "Hello Carmen,\n\nswitch it off and on again.")
    ana.reply(ana.newest("[#1001]"), "drop")
    bruno.reply(bruno.newest("Printer"), "#close The fuser was replaced\n\nIt prints again.")
    carmen.reply(carmen.newest("[#1001]"), "Thank you very much!")
    carmen.reply(carmen.newest("[#1001]"), "Sorry, the second page jams now.")
    carmen.write("Red light", "I forgot: there is a red light.\n")
    bruno.reply(bruno.newest("Red light"), "#merge 1001")


def tunnel(day: Day) -> None:
    """The state by a word, one tap to take it, an answer, solved by a word, and a rating."""
    _, luis, _, ana, *_ = map(day.person, PEOPLE)
    luis.reply(luis.newest("[#1002]"), "status?")
    ana.tap(ana.newest("Tunnel"), "Take")
    ana.reply(ana.newest("Tunnel"), "#status waiting\n\nHello Luis,\n\nwe have renewed your key.")
    luis.reply(luis.newest("[#1002]"), "solved")
    luis.reply(luis.newest("[#1002]"), "5")


def laptop(day: Day) -> None:
    """A slip that is held, the answer as it should be, solved, and a note to the note address."""
    bruno = day.person(BRUNO)
    notice = bruno.newest("[support] New laptop")
    bruno.reply(notice, "#clsoe\n\nNobody may read this.")
    bruno.reply(notice, "Hello Dora,\n\nit comes on Friday.")
    bruno.reply(bruno.newest("laptop"), "#status resolved")
    bruno.tap(notice, "Note", "She leads sales.")
    bruno.reply(notice, "#mine")


def strangers(day: Day) -> None:
    """A number in the subject, and an agent's name in From: neither is a proof."""
    day.stranger("mallory@evil.test", "[#1002] Tunnel", "Send me what Luis wrote.")
    day.stranger("Ana <ana@example.net>", "Re: [#1003] New laptop", "#assign nobody")


def supplier(day: Day) -> None:
    """A third party is asked, answers and is answered; nobody of the ticket hears of it."""
    bruno, sam = day.person(BRUNO), day.person(SAM)
    asked = f"#side {sam.address}\n\nHello Sam,\n\nhave you got a fuser for a model 9?"
    bruno.reply(bruno.newest("[#1001]"), asked)
    sam.reply(sam.newest("A question"), "Two of them, at forty each.")
    bruno.reply(bruno.newest("A question"), "Send us one by Friday.")


def chair(day: Day) -> None:
    """Another matter in an answer becomes a ticket of its own."""
    dora, bruno = day.person(DORA), day.person(BRUNO)
    dora.reply(dora.newest("[#1003]"), "By the way, my chair squeaks.")
    asked = "#split The chair\n\nHello Dora,\n\nsomebody comes with a spanner."
    bruno.reply(bruno.newest("laptop"), asked)


def morning(day: Day) -> None:
    """A colleague uses an address that is not theirs; next day a line of the list lets it in."""
    dora, emil, ana, bruno = map(day.person, (DORA, EMIL, ANA, BRUNO))
    emil.reply(dora.newest("The chair"), "Mine squeaks as well.")
    day.overnight()
    until("the list", lambda: any("decision" in subject for subject in ana.subjects()))
    day.settle()
    waiting = ana.newest("decision")
    number = re.search(r"^([0-9]+)\. emil@example\.com", words(waiting), re.MULTILINE)
    assert number, words(waiting)
    ana.reply(waiting, f"{number[1]} accept")
    bruno.reply(bruno.newest("The chair"), "Both of them on Monday.")


# --- the evening -----------------------------------------------------------------------------


def every_mail_has_its_outcome(day: Day) -> None:
    """The ledger balances, and nothing waits to leave."""
    rows = day.serving.rows()
    outcomes = Counter(str(row.outcome) for row in rows)
    assert outcomes == Counter(OUTCOMES)
    assert {row.source.split()[0] for row in rows} == {"lmtp"}
    day.serving.balanced()
    final = {str(state) for state in FINAL_STATES}
    copies = [copy for mail in day.serving.json("outbox", "list") for copy in mail["recipients"]]
    assert {copy["state"] for copy in copies} <= final
    assert {copy["state"] for copy in copies} == {"sent"}
    # One mail to the address that does not exist, and none after the bounce.
    assert [copy["address"] for copy in copies].count(GONE) == 1


def tickets_are_as_they_should_be(day: Day) -> None:
    """State and people, who wrote what, and what hangs together."""
    shown = day.tickets()
    assert set(shown) == set(TICKETS)
    for number, ticket in shown.items():
        state = " ".join(ticket[key] or "nobody" for key in ("status", "priority", "assignee"))
        people = " ".join([ticket["requester"], *ticket["cc"]])
        kinds = " ".join(message["kind"] for message in ticket["messages"])
        links = " ".join(f"#{link['number']} {link['why']}" for link in ticket["links"])
        assert (state, people, kinds, links) == TICKETS[number]
    first = shown[1001]
    assert (first["tags"], first["time_spent"]) == (["floor-two"], 15)
    assert first["resolution"] == "The fuser was replaced"
    # Thanks opened nothing: of two mails after the end, the second did. What is said aside changes
    # no state.
    story = [event.get("new", "mail") for event in first["events"] if event["kind"] in HISTORY]
    assert story[-7:] == ["closed", "mail", "mail", "open", "mail", "mail", "mail"]
    assert shown[1002]["fields"] == {"rating": "5"}
    [bounce] = [event for event in shown[1003]["events"] if event["kind"] == "bounce"]
    assert (bounce["recipient"], bounce["status"]) == (GONE, "5.1.1")


def mailboxes_are_as_they_should_be(day: Day) -> None:
    """Who has which mails; nobody has what was not meant for them."""
    assert set(MAILBOXES) == set(PEOPLE)
    for address, wanted in MAILBOXES.items():
        mails = day.person(address).mails()
        assert sorted(map(gist, mails)) == sorted(map(str.strip, wanted.strip().splitlines()))
        for mail in mails:
            only_for(address, mail)
        assert torn(mails) == []
    unproven = words(day.person("bruno@example.net").newest("[#1006]"))
    assert "the sender's address is an agent's, but nothing proves it" in unproven


def only_for(address: str, mail: EmailMessage) -> None:
    """Nobody else's token, and for customers nothing that is private."""
    text = everything(mail)
    tokens = [found.token for found in map(open_, _TOKEN.findall(text)) if found]
    aside = {pair_of(address, SAM)} if address in AGENTS else set()
    assert {token.holder for token in tokens} <= {holder_of(address), *aside}, text
    ours = f"@{QUEUE.partition('@')[2]}" in parseaddr(str(mail["From"]))[1]
    assert bool(tokens) is ours, text
    if address not in AGENTS:
        hidden = (*PRIVATE, *(OF_THE_TICKET if address == SAM else ASIDE))
        assert [part for part in hidden if part in text] == [], text
        by_hand = " (" in str(mail["From"]) or " via " in str(mail["From"])
        assert not ours or (mail["Auto-Submitted"] is None) is by_hand, text


def torn(mails: list[EmailMessage]) -> list[str]:
    """Tickets whose mails a mail program shows as more than one conversation (RFC 5322, 3.6.4)."""
    threads: list[tuple[set[str], set[str]]] = []  # ids, tickets
    for mail in mails:
        headers = ("Message-ID", "In-Reply-To", "References")
        ids = {one for name in headers for one in str(mail[name] or "").split()}
        tickets = set(re.findall(r"\[#(\d+)\]", mail["Subject"])[:1])
        for thread in [thread for thread in threads if thread[0] & ids]:
            threads.remove(thread)
            ids, tickets = ids | thread[0], tickets | thread[1]
        threads.append((ids, tickets))
    counted = Counter(ticket for _, tickets in threads for ticket in tickets)
    return [ticket for ticket, count in counted.items() if count > 1]


def gist(mail: EmailMessage) -> str:
    """Ticket, name in From, and the first words."""
    number = re.search(r"#(\d+)", mail["Subject"])
    name = parseaddr(str(mail["From"]))[0]
    text = _OPENING.sub(" ", words(mail)).split()
    return f"{number[1] if number else 'none'} {name}: {' '.join(text[:5])}"
