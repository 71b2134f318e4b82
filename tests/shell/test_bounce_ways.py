"""A delivery report on its whole way in: taken, matched, recorded, told, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.parsing import Parsers
from store.database import Database
from tests.core.bounced_mails import SAMPLES
from tests.flows.rig import House
from tests.shell.worker_rig import house, raw

RITA, ANA, QUEUE = "rita@customer.test", "ana@example.org", "support@example.org"


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def home(database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """A desk with Rita's ticket, whose confirmation went out."""
    with house(database, parsers, tmp_path) as found:
        found.deliver(raw("printer", RITA))
        found.settle()
        yield found


def report(
    about: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    returned: str = "",
    extra: str = "",
) -> bytes:
    """A report by the standard."""
    back = f"--d\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {returned}\r\n\r\n"
    return (
        f"From: MAILER-DAEMON@mx.test\r\nTo: {QUEUE}\r\nSubject: Delivery status\r\n"
        f"Message-ID: <{status}{action}{extra}@mx.test>\r\nAuto-Submitted: auto-replied\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=d\r\n\r\n"
        "--d\r\n\r\nHello.\r\n--d\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.test\r\n\r\nFinal-Recipient: rfc822; {about}\r\n"
        f"Action: {action}\r\nStatus: {status}\r\n\r\n{back if returned else ''}--d--\r\n"
    ).encode()


def come(home: House, mail: bytes, *rcpt: str) -> str:
    """Deliver a report from the null sender; returns its outcome."""
    inbox = home.deliver(mail, mail_from="", rcpt=list(rcpt or (QUEUE,)))
    home.settle()
    with home.database.reading() as tx:
        row = tx.inbox.get(inbox)
    assert row
    return str(row.outcome)


def paused(home: House, address: str = RITA) -> dict[str, str]:
    with home.database.reading() as tx:
        return tx.undeliverable.paused([address])


def told(home: House) -> list[str]:
    """The notices to Ana, oldest first."""
    return [sent.notice for sent in home.sent(ANA)]


def tickets(home: House) -> int:
    with home.database.reading() as tx:
        return len(tx.tickets.find(limit=1000))


@pytest.mark.parametrize("action", ["failed", "delayed", "delivered", "relayed", "expanded"])
def test_a_report_to_the_return_path_is_noted_and_never_answered_L4(
    home: House, action: str
) -> None:
    status = {"failed": "5.1.1", "delayed": "4.4.1"}.get(action, "2.0.0")
    copy = home.last(RITA)
    before = len(home.sent(RITA))
    assert come(home, report(RITA, action=action, status=status), copy.path) == "bounce"
    assert tickets(home) == 1
    assert len(home.sent(RITA)) == before
    assert bool(paused(home)) == (action == "failed")
    assert told(home).count("agent-bounce") == (action == "failed")
    with home.database.reading() as tx:
        [ticket] = tx.tickets.find(limit=10)
        events = [e for e in tx.tickets.events(ticket.view.number) if e.kind == "bounce"]
    assert [e.data["action"] for e in events] == [action]
    assert not home.sent("mailer-daemon@mx.test")


def test_the_third_soft_failure_pauses_the_address_L4(home: House) -> None:
    path = home.last(RITA).path
    for count in range(3):
        assert not paused(home)
        come(home, report(RITA, status="5.2.2", extra=str(count)), path)
    assert paused(home)


def test_a_paused_address_is_written_to_again_once_it_writes_L4(home: House) -> None:
    come(home, report(RITA), home.last(RITA).path)
    assert paused(home)
    home.deliver(raw("again", RITA))
    home.settle()
    assert not paused(home)


def test_without_a_return_path_the_message_id_and_the_recipient_count_L4(home: House) -> None:
    ours = home.last(RITA).message_id
    assert come(home, report(RITA, returned=ours)) == "bounce"
    # The id stands in each of Rita's own answers, for all who got these: it is noted, and counted.
    assert not paused(home)
    with home.database.reading() as tx:
        copies = [c for row in tx.outbox.list() for c in row.recipients if c.address == RITA]
    assert any(c.text.startswith("bounced: 5.1.1") for c in copies)


@pytest.mark.parametrize("shape", ["standard", "X-Failed-Recipients", "text"])
def test_a_forged_report_about_a_victim_changes_nothing_L5(home: House, shape: str) -> None:
    """Rita is the victim: somebody else's mail is named, or none."""
    home.deliver(raw("other", "eve@evil.test"))
    home.settle()
    eve = home.last("eve@evil.test")
    before = {RITA: len(home.sent(RITA)), ANA: len(home.sent(ANA))}
    shapes = {
        "standard": report(RITA, returned=eve.message_id),
        "X-Failed-Recipients": (
            f"From: Mail <mailer-daemon@evil.test>\r\nX-Failed-Recipients: {RITA}\r\n"
            f"Subject: failed\r\nIn-Reply-To: {eve.message_id}\r\n\r\nuser unknown\r\n"
        ).encode(),
        "text": SAMPLES["qmail"].raw.replace(b"ann@customer.test", RITA.encode()),
    }
    assert come(home, shapes[shape]) == "bounce"
    assert come(home, report(RITA, extra="2"), QUEUE) == "bounce"
    assert not paused(home)
    assert {RITA: len(home.sent(RITA)), ANA: len(home.sent(ANA))} == before
    with home.database.reading() as tx:
        copies = [c for row in tx.outbox.list() for c in row.recipients if c.address == RITA]
        kinds = {e.kind for t in tx.tickets.find(limit=9) for e in tx.tickets.events(t.view.number)}
    assert {c.text for c in copies} == {""}
    assert "bounce" not in kinds


def test_a_return_path_of_ones_own_harms_nobody_else_L5(home: House) -> None:
    """Eve has her own return path, and names Rita in a report that comes to it."""
    home.deliver(raw("other", "eve@evil.test"))
    home.settle()
    assert come(home, report(RITA), home.last("eve@evil.test").path) == "bounce"
    assert not paused(home)
    assert not paused(home, "eve@evil.test"), "it was not said of her"


def test_a_report_with_a_forged_return_path_changes_nothing_L5(home: House) -> None:
    local, _, domain = home.last(RITA).path.rpartition("@")
    forged = f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}"
    assert come(home, report(RITA), forged) == "bounce"
    assert not paused(home)
    assert "agent-bounce" not in told(home)
    assert tickets(home) == 1


@pytest.mark.parametrize("name", ["qmail", "outlook, de", "exim, delayed", "domino"])
def test_a_bounce_without_a_standard_is_matched_by_its_return_path_L4(
    home: House, name: str
) -> None:
    mail = SAMPLES[name].raw.replace(b"ann@customer.test", RITA.encode())
    assert come(home, mail, home.last(RITA).path) == "bounce"
    assert tickets(home) == 1
    assert bool(paused(home)) == (SAMPLES[name].action == "failed")


def test_the_notice_that_did_not_reach_an_agent_is_not_told_to_that_agent_L4(home: House) -> None:
    before = len(home.sent(ANA))
    assert come(home, report(ANA), home.last(ANA).path) == "bounce"
    assert paused(home, ANA)
    assert len(home.sent(ANA)) == before
