"""IMAP end to end where somebody means harm: ids, floods, a mail that kills its parser, OAuth."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailgate.parsing import Parsers
from mailgate.sources.oauth import OAuthSettings
from store.database import Database
from tests.flows.rig import House
from tests.peers.dovecot import Dovecot, require
from tests.peers.fake_imap import FakeImap
from tests.peers.imap_rig import Rig, mail, quick, until
from tests.peers.token_endpoint import TokenEndpoint
from tests.shell.worker_rig import house, tickets

MEMORY = 16 << 20  # octets a flood may cost; without a limit it costs whatever the server sends
# Of all that may stand in a mail, short lines of uuencoded text take longest: some 4 s.
SLOW = (
    b"From: eve@evil.test\r\nTo: support@example.org\r\nSubject: slow\r\n"
    b"Content-Type: image/png\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\n"
    + b"!00\n"
    * 11_000_000
)


@pytest.fixture
def server() -> Iterator[FakeImap]:
    with FakeImap() as fake:
        yield fake


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    require()
    with Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def impatient() -> Iterator[Parsers]:
    """The real pool with less patience."""
    pool = Parsers(workers=1, seconds=1)
    yield pool
    pool.close()


@pytest.fixture
def rig(sqlite_database: Database) -> Iterator[Rig]:
    rig = Rig(sqlite_database)
    yield rig
    rig.close()


@pytest.fixture
def home(rig: Rig, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """Who settles what the rig takes."""
    with house(rig.database, parsers, tmp_path) as found:
        yield found


def outcomes(home: House, rig: Rig) -> list[str]:
    """Settle all that was taken; what came of it, in order of arrival."""
    home.now = datetime.now(UTC) + timedelta(seconds=1)
    home.settle()
    return [row.outcome.value if row.outcome else "waiting" for row in rig.taken()]


# --- I4: a mail that kills its parser ----------------------------------------------------


def test_i4_a_mail_that_kills_its_parser_costs_the_others_nothing(
    server: FakeImap, rig: Rig, home: House, impatient: Parsers
) -> None:
    home.worker.parsers = impatient
    server.mails = {uid: mail(uid) for uid in range(1, 11)}
    server.mails[3] = SLOW
    here = quick(host="127.0.0.1", port=server.port, tls="none", processed="Done")
    with rig.running(here):
        until("all taken", lambda: len(rig.taken()) == 10)
        until("put away", lambda: not server.mails)
    found = outcomes(home, rig)
    assert [uid for uid, outcome in enumerate(found, 1) if outcome == "quarantined"] == [3]
    assert found.count("ticket") == 9
    assert "too complex" in rig.taken()[2].reason
    assert rig.taken()[2].attempts == 1
    cursor = rig.cursor(here)
    assert cursor is not None
    assert cursor.last_uid == 10


# --- I6: Message-IDs ---------------------------------------------------------------------


@pytest.mark.peer
def test_i6_a_message_id_with_another_body_is_another_mail(
    dovecot: Dovecot, rig: Rig, home: House
) -> None:
    user = dovecot.new_user()
    one, other = (mail(n, body=f"body {n}", message_id="<same@example.org>") for n in (1, 2))
    dovecot.append(user, "INBOX", one, other)
    with rig.running(quick(port=dovecot.imaps_port, ca_file=dovecot.ca_path, username=user)):
        until("both", lambda: len(rig.taken()) == 2)
    found = outcomes(home, rig)
    assert found[0] == "ticket"
    assert found[1] in ("ticket", "reply"), "never a duplicate: its words are others"
    assert rig.bytes_taken() == [one, other]


@pytest.mark.peer
def test_i6_no_message_id_stops_nothing(dovecot: Dovecot, rig: Rig, home: House) -> None:
    user = dovecot.new_user()
    without = mail(1).replace(b"Message-ID: <1@example.org>\r\n", b"")
    sent = [without, *(mail(n, message_id=odd) for n, odd in ((2, "<>"), (3, "<[>")))]
    dovecot.append(user, "INBOX", *sent)
    with rig.running(quick(port=dovecot.imaps_port, ca_file=dovecot.ca_path, username=user)):
        until("the odd ones", lambda: len(rig.taken()) == 3)
        dovecot.append(user, "INBOX", mail(4))
        until("the next", lambda: len(rig.taken()) == 4)
        until("well", lambda: rig.health[-1] == (True, ""))
    assert rig.failures() == []
    assert outcomes(home, rig) == ["ticket"] * 4
    assert len(tickets(home.database)) == 4
    assert rig.bytes_taken() == [*sent, mail(4)]


@pytest.mark.peer
def test_i6_one_mail_in_two_mailboxes_is_one_ticket(
    dovecot: Dovecot, rig: Rig, home: House
) -> None:
    users = {"support": dovecot.new_user(), "sales": dovecot.new_user()}
    for name, user in users.items():
        mailbox = f"{name}@example.org"
        dovecot.append(user, "INBOX", f"Delivered-To: {mailbox}\r\n".encode() + mail(1))
        here = quick(
            name=name,
            mailbox=mailbox,
            port=dovecot.imaps_port,
            ca_file=dovecot.ca_path,
            username=user,
        )
        before = len(rig.taken())
        with rig.running(here):
            until("mail", lambda before=before: len(rig.taken()) == before + 1)  # type: ignore[misc]
    assert outcomes(home, rig) == ["ticket", "duplicate"]
    first, second = rig.taken()
    assert second.duplicate_of == first.id
    assert len(tickets(home.database)) == 1


# --- I8: floods --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("huge", "announced a literal of 4294967295 octets"),
        ("flood", "over 20000 lines in answer to one command"),
    ],
)
def test_i8_a_flood_costs_one_connection_and_little_memory(
    server: FakeImap, rig: Rig, fault: str, said: str
) -> None:
    server.mails = {uid: mail(uid) for uid in range(1, 4)}
    server.faults[2], server.times[2] = fault, 1
    tracemalloc.start()
    try:
        with rig.running(quick(host="127.0.0.1", port=server.port, tls="none")):
            until("all mail", lambda: len(rig.taken()) == 3)
            until("well again", lambda: rig.health[-1] == (True, ""))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [said in failure for failure in rig.failures()] == [True]
    assert server.sessions == 2
    assert peak < MEMORY
    assert rig.bytes_taken() == [mail(1), mail(2), mail(3)]


# --- I11: OAuth --------------------------------------------------------------------------


def test_i11_a_token_endpoint_that_hangs_is_told_and_asked_with_patience(
    server: FakeImap, rig: Rig
) -> None:
    server.mails = {1: mail(1)}
    with TokenEndpoint(lambda _form: (200, {"access_token": "t", "expires_in": 3600})) as endpoint:
        endpoint.hang.clear()
        oauth = OAuthSettings(
            token_url=endpoint.url, client_id="me", client_secret="x", timeout=0.2
        )
        with rig.running(
            quick(host="127.0.0.1", port=server.port, tls="none", processed="Done", oauth=oauth)
        ):
            until("failures", lambda: len(rig.failures()) >= 4)
            assert rig.rounds() == 0
            assert all("unreachable" in failure for failure in rig.failures())
            asked = len(endpoint.forms)
            assert asked <= len(rig.failures()) + 1, "one request per step of the back-off"
            assert (server.sessions, list(server.mails)) == (0, [1]), "it waits on the server"
            endpoint.hang.set()
            until("mail", rig.taken)
            until("well", lambda: rig.health[-1] == (True, ""))
    assert server.count("AUTHENTICATE") == 1
    # In production the first failure is told after this many seconds, and 5 minutes are allowed.
    assert OAuthSettings(token_url="https://x.test", client_id="a", client_secret="b").timeout < 300
