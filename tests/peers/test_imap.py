"""The IMAP source against a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.mail import Envelope
from mailgate.sources.imap import Cursor, ImapSettings
from tests.peers.dovecot import Dovecot, require
from tests.peers.imap_rig import Rig, mail, quick, until

pytestmark = pytest.mark.peer


@pytest.fixture
def server() -> Iterator[Dovecot]:
    require()
    with Dovecot() as dovecot:
        yield dovecot


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def settings(server: Dovecot, **values: Any) -> ImapSettings:
    base: dict[str, Any] = {"port": server.imaps_port, "ca_file": server.ca_path}
    return quick(**{**base, **values})


def subjects(raws: list[bytes]) -> list[str]:
    return [raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for raw in raws]


def test_takes_what_is_there_and_what_comes(server: Dovecot, rig: Rig) -> None:
    mails = [mail(n) for n in range(120)]
    server.append("support", "INBOX", *mails[:119])
    with rig.running(settings(server, idle_seconds=3600.0)):
        until("old mail", lambda: len(rig.taken()) == 119)
        until("idling", rig.rounds)
        server.append("support", "INBOX", mails[119])
        until("mail that came while idling", lambda: len(rig.taken()) == 120)
    assert rig.bytes_taken() == mails
    assert len(rig.submitted) == 120
    assert [
        stored.flags for stored in server.list("support", "INBOX") if "\\Seen" in stored.flags
    ] == []
    assert rig.failures() == []
    validity = server.uidvalidity("support", "INBOX")
    assert rig.submitted[0] == f"localhost/support/INBOX/{validity}/1"


def test_stores_bytes_and_envelope(server: Dovecot, rig: Rig) -> None:
    server.append("support", "INBOX", mail(1))
    with rig.running(settings(server)):
        until("mail", rig.taken)
    row = rig.taken()[0]
    assert row.source == "imap support"
    assert row.envelope == Envelope(mail_from=None, rcpt_tos=("support@example.com",))


def test_a_restart_takes_nothing_twice(server: Dovecot, rig: Rig) -> None:
    server.append("support", "INBOX", mail(1), mail(2))
    here = settings(server)
    with rig.running(here):
        until("mail", lambda: len(rig.taken()) == 2)
        until(
            "cursor", lambda: rig.cursor(here) == Cursor(uidvalidity=1, last_uid=2) or rig.rounds()
        )
    server.append("support", "INBOX", mail(3))
    with rig.running(here):
        until("mail", lambda: len(rig.taken()) == 3)
    assert len(rig.submitted) == 3
