"""What reports and refusals do to a copy and to its address, and how an operator sees it (L4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailgate.apply import Cause
from mailgate.bounced import record
from mailgate.core.decision import Notice, RecordBounce
from mailgate.core.mail import DeliveryReport
from store.database import Database
from store.outbox import OutboxRow
from tests.peers.relay_sink import RelaySink, eventually
from tests.shell.apply_rig import CARL, NOW, OPEN, RITA, Office, notify
from tests.shell.cli_rig import Cli
from tests.shell.mailer_rig import Desk, relay

REPORT = Cause(now=NOW, actor="mailer-daemon@mx.test")
GONE = DeliveryReport(recipient=RITA.address, action="failed", status="5.1.1", diagnostic="no")
FULL = replace(GONE, status="5.2.2", diagnostic="mailbox full")


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


def sent(office: Office) -> OutboxRow:
    """A notice to Rita."""
    number = office.do(OPEN, notify(Notice.CONFIRMATION, RITA))
    return office.mails(number)[-1]


def tell(
    office: Office, mail: OutboxRow, *reports: DeliveryReport, days: int = 0, **more: Any
) -> list[str]:
    """Apply reports about Rita's copy, unless said otherwise; returns the kinds of events."""
    cause = replace(REPORT, now=NOW + timedelta(days=days), live=more.pop("live", True))
    of = more.pop("recipient", mail.recipients[0].id)
    effect = RecordBounce(outbox=mail.id, reports=reports, recipient=of)
    with office.database.transaction() as tx:
        return [event.kind for event in record(tx, effect, cause, mail.ticket)]


def paused(office: Office, *addresses: str) -> dict[str, str]:
    with office.database.reading() as tx:
        return tx.undeliverable.paused(addresses or (RITA.address,))


def text(office: Office, mail: OutboxRow) -> str:
    """What the outbox says of Rita's copy."""
    with office.database.reading() as tx:
        return tx.outbox.list(ids=[mail.id])[0].recipients[0].text


def test_an_address_that_does_not_exist_is_paused_at_once_L4(office: Office) -> None:
    mail = sent(office)
    assert tell(office, mail, GONE) == ["bounce", "paused"]
    assert paused(office) == {RITA.address: "5.1.1 no"}
    assert text(office, mail) == "bounced: 5.1.1 no"
    assert tell(office, mail, GONE) == ["bounce"], "it is paused already"


def test_other_failures_pause_the_third_time_within_thirty_days_L4(office: Office) -> None:
    mail = sent(office)
    assert tell(office, mail, FULL) == ["bounce"]
    assert tell(office, mail, FULL, days=20) == ["bounce"]
    assert tell(office, mail, FULL, days=45) == ["bounce"], "the first is too old to count"
    assert not paused(office)
    assert tell(office, mail, FULL, days=46) == ["bounce", "paused"]
    assert paused(office) == {RITA.address: "5.2.2 mailbox full"}


def test_many_reports_in_one_mail_count_once_L4(office: Office) -> None:
    assert tell(office, sent(office), *[FULL] * 5) == ["bounce"] * 5
    assert not paused(office)


def test_the_worst_of_several_reports_counts_L4(office: Office) -> None:
    assert tell(office, sent(office), FULL, GONE, FULL)[-1] == "paused"


@pytest.mark.parametrize(
    ("action", "status", "word"),
    [("delayed", "4.4.1", "delayed"), ("delivered", "2.0.0", "delivered")],
)
def test_delays_and_successes_are_only_noted_L4(
    office: Office, action: str, status: str, word: str
) -> None:
    mail = sent(office)
    told = replace(GONE, action=action, status=status, diagnostic="x")
    assert [tell(office, mail, told) for _ in range(4)] == [["bounce"]] * 4
    assert not paused(office)
    assert text(office, mail) == f"{word}: {status} x"


def test_where_a_forwarded_mail_failed_elsewhere_the_address_is_not_dead_L4(
    office: Office,
) -> None:
    mail = sent(office)
    elsewhere = replace(GONE, recipient="box7@other.test")
    assert tell(office, mail, elsewhere) == ["bounce"]
    assert not paused(office)
    became = replace(GONE, final="box7@other.test")
    assert tell(office, mail, became) == ["bounce", "paused"]


def test_without_the_copy_the_named_recipient_is_meant_L4(office: Office) -> None:
    number = office.do(OPEN, notify(Notice.CONFIRMATION, RITA, CARL))
    mail = next(m for m in office.mails(number) if m.notice == "confirmation")
    assert len(mail.recipients) == 2
    loud = replace(GONE, recipient=CARL.address.upper())
    assert tell(office, mail, loud, recipient=None) == ["bounce"]
    # Whoever was answered may have shown them the id: by itself it pauses nobody (L5).
    assert not paused(office, RITA.address, CARL.address)
    assert tell(office, mail, loud, recipient=None) == ["bounce"]
    assert tell(office, mail, loud, recipient=None) == ["bounce", "paused"]
    assert set(paused(office, RITA.address, CARL.address)) == {CARL.address}


def test_a_report_that_may_mean_several_pauses_nobody_L5(office: Office) -> None:
    number = office.do(OPEN, notify(Notice.CONFIRMATION, RITA, CARL))
    mail = next(m for m in office.mails(number) if m.notice == "confirmation")
    nobody = replace(GONE, recipient="")
    assert tell(office, mail, nobody, recipient=None) == ["bounce"]
    assert not paused(office, RITA.address, CARL.address)


def test_a_report_that_names_somebody_else_pauses_nobody_L5(office: Office) -> None:
    mail = sent(office)
    victim = replace(GONE, recipient="victim@bank.test")
    assert tell(office, mail, victim, recipient=None) == ["bounce"]
    assert not paused(office, RITA.address, "victim@bank.test")
    assert text(office, mail) == ""


def test_history_pauses_nobody(office: Office) -> None:
    assert tell(office, sent(office), GONE, live=False) == ["bounce"]
    assert not paused(office)


# --- what the relay says at once -------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "answer", "dead"),
    [
        ("RCPT", "550 5.1.1 <ann@example.net>: User unknown", True),
        ("RCPT", "550 no such user here", True),
        ("dot", "550 5.1.1 mailbox not found", True),
        ("RCPT", "550 5.7.1 spam", False),
        ("RCPT", "552 5.2.2 mailbox full", False),
    ],
)
def test_a_relay_that_knows_no_such_recipient_pauses_the_address_L4(
    desk: Desk, step: str, answer: str, dead: bool
) -> None:
    with RelaySink() as sink:
        sink.script(step, answer)
        desk.queue("ann@example.net")
        with desk.sending(relay(sink)):
            desk.wait_for("ann@example.net", "failed")
    with desk.database.reading() as tx:
        reasons = tx.undeliverable.paused(["ann@example.net"])
    assert reasons == ({"ann@example.net": answer} if dead else {})
    assert desk.events("paused") == ["ann@example.net"] * dead


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("MAIL", "550 5.1.1 user unknown"),
        ("RCPT", "550 5.1.0 Sender address rejected: User unknown"),
    ],
)
def test_what_a_relay_says_of_us_pauses_nobody_O6(desk: Desk, step: str, answer: str) -> None:
    with RelaySink() as sink:
        sink.script(step, answer)
        desk.queue("ann@example.net")
        with desk.sending(relay(sink)):
            eventually(lambda: desk.copies()["ann@example.net"].code == 550)
    with desk.database.reading() as tx:
        assert not tx.undeliverable.paused(["ann@example.net"])


# --- the operator ----------------------------------------------------------------------------


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


def test_paused_addresses_are_listed_with_their_reason_and_let_go(cli: Cli) -> None:
    assert "no address is paused" in cli.ok("outbox", "paused").out
    database = Database("sqlite", cli.folder / "data")
    with database.transaction() as tx:
        tx.undeliverable.failed("Ann@customer.test", hard=True, reason="5.1.1 no", now=NOW)
        tx.undeliverable.failed("carl@customer.test", hard=False, reason="full", now=NOW)
    database.close()
    [line] = cli.ok("outbox", "paused", "--json").lines
    assert line == {
        "address": "ann@customer.test",
        "since": "2026-05-04T09:00:00+00:00",
        "failures": 1,
        "reason": "5.1.1 no",
    }
    assert "5.1.1 no" in cli.ok("outbox", "paused").out
    assert "leaves again" in cli.ok("outbox", "unpause", "ANN@customer.test").out
    assert cli.ok("outbox", "paused", "--json").lines == []
    again = cli("outbox", "unpause", "ann@customer.test")
    assert (again.status, "is not paused" in again.err) == (1, True)
