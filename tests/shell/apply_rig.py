"""Effects, and a house to apply them in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailgate.apply import Cause, Desk, apply
from mailgate.core.decision import Effect, Notice, Notify, OpenTicket, Recipient
from mailgate.core.mail import Address, ParsedMail
from mailgate.render import Renderer
from store.database import Database
from store.outbox import OutboxRow
from tests.desk_rig import desk_of
from tests.flows.site import CONFIG

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
RITA = Recipient(address="rita@customer.test", role="requester", why="requester")
CARL = Recipient(address="carl@customer.test", role="cc", why="on the CC list")
ANA = Recipient(address="ana@example.org", role="agent", why="queue support")
BEN = Recipient(address="ben@example.org", role="agent", why="queue support")
OPEN = OpenTicket(
    subject="Printer",
    requester=Address(addr="rita@customer.test", name="Rita"),
    queue="support",
    status="new",
    priority="normal",
    language="en",
    source="email",
)
MAIL = ParsedMail(
    digest="0" * 64,
    size=10,
    message_id="<one@customer.test>",
    sender=Address(addr="rita@customer.test", name="Rita"),
    references=("<zero@customer.test>",),
    subject="Printer",
    text="It does not print.",
    visible="It does not print.",
)
CAUSE = Cause(now=NOW, actor="rita@customer.test", mail=MAIL)


def notify(notice: Notice, *to: Recipient) -> Notify:
    return Notify(notice=notice, to=to)


class Office:
    """Applies effects to a database and looks at what is there afterwards."""

    def __init__(self, database: Database, folder: Path) -> None:
        (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
        (folder / "rules.yaml").write_text("rules: []\n", encoding="utf-8")
        self.database = database
        self.desk: Desk = desk_of(folder / "config.toml", "office")

    def without_templates(self, folder: Path) -> Desk:
        """A desk whose only templates are broken."""
        for notice in Notice:
            path = folder / "en" / f"{notice}.txt.j2"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{{ broken", encoding="utf-8")
        return replace(self.desk, renderer=Renderer([folder]))

    def do(
        self,
        *effects: Effect,
        on: int | None = None,
        cause: Cause = CAUSE,
        desk: Desk | None = None,
    ) -> int:
        """Apply effects in one transaction; returns the ticket."""
        with self.database.transaction() as tx:
            return apply(tx, effects, cause, desk or self.desk, on)

    def events(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        """Kind and data of each event."""
        with self.database.reading() as tx:
            return [(e.kind, dict(e.data)) for e in tx.tickets.events(number)]

    def kinds(self, number: int) -> list[str]:
        return [kind for kind, _ in self.events(number)]

    def mails(self, number: int) -> list[OutboxRow]:
        with self.database.reading() as tx:
            return tx.outbox.list(ticket=number)

    def wire(self, row: OutboxRow) -> str:
        """What goes to the first recipient."""
        with self.database.reading() as tx:
            return tx.outbox.wire_bytes(row.recipients[0].id).decode()

    def clock(self) -> datetime | None:
        """When the next clock rings."""
        with self.database.reading() as tx:
            return tx.clocks.next_due()
