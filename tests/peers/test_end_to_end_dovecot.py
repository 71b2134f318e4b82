"""The whole daemon behind a real Dovecot: IDLE, Processed, restart, a folder made anew."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.daemon_rig import Serving, Site, mail, until
from tests.peers.dovecot import PASSWORD, Dovecot, require
from tests.peers.relay_sink import RelaySink

pytestmark = pytest.mark.peer

GOAL = 2.0  # seconds from APPEND to ticket that the design asks for; recorded, not asserted
LIMIT = 10.0  # seconds after which something other than load is wrong


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    require()
    with Dovecot() as server:
        yield server


def account(dovecot: Dovecot, user: str, folder: str = "INBOX") -> dict[str, object]:
    """The keys of [[imap]] for a user; polling is slow, so that only IDLE can be quick."""
    return {
        "name": "support",
        "host": "localhost",
        "port": dovecot.imap_port,
        "tls": "starttls",
        "ca_file": dovecot.ca_path,
        "username": user,
        "password": PASSWORD,
        "folder": folder,
        "processed": "Processed",
        "mailbox": "support@example.org",
        "poll_seconds": 300,
    }


def idling(serving: Serving) -> None:
    """Wait until the source has looked at its folder once."""

    def ok() -> bool:
        [status] = serving.json("status")
        return any(s["name"] == "imap support" and s["ok"] for s in status["sources"])

    until("a healthy IMAP source", ok)


def test_a_mail_becomes_a_ticket_over_idle_and_is_moved(
    dovecot: Dovecot, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    user = dovecot.new_user()
    with (
        RelaySink() as relay,
        Serving(tmp_path, Site(relay=relay.port, imap=[account(dovecot, user)])) as serving,
    ):
        idling(serving)
        figures = []
        for number in range(3):
            raw = mail(f"idle {number}", cc="luis@example.com")
            dovecot.append(user, "INBOX", raw)
            began = time.monotonic()
            rows = serving.settled(number + 1, LIMIT)
            figures.append(round(time.monotonic() - began, 2))
        sys.stdout.write(f"seconds from APPEND to ticket: {figures}; the goal is {GOAL}\n")
        record_property("seconds_from_append_to_ticket", figures)
        assert [row.outcome for row in rows] == ["ticket"] * 3
        until("an empty INBOX", lambda: dovecot.list(user, "INBOX") == [])
        assert len(dovecot.list(user, "Processed")) == 3
        assert dovecot.list(user, "Processed")[-1].raw == raw
        assert serving.cli("raw", str(rows[-1].id)).stdout == raw
        serving.quiet()
        serving.balanced()
    for person in ("carmen@example.com", "luis@example.com"):
        assert len(relay.to(person)) == 3


def test_the_place_in_a_folder_survives_a_restart(dovecot: Dovecot, tmp_path: Path) -> None:
    user = dovecot.new_user()
    stays = {**account(dovecot, user), "processed": ""}  # nothing is moved: only the cursor knows
    serving = Serving(tmp_path, Site(imap=[stays]))
    with serving:
        dovecot.append(user, "INBOX", mail("one"), mail("two"))
        assert len(serving.settled(2)) == 2
    dovecot.append(user, "INBOX", mail("while it was down"))
    with serving:
        serving.settled(3)
        dovecot.append(user, "INBOX", mail("while it is up"))
        rows = serving.settled(4)
        serving.balanced()
    assert [row.outcome for row in rows] == ["ticket"] * 4
    assert len(dovecot.list(user, "INBOX")) == 4


def test_i1_a_folder_made_anew_brings_only_what_is_new(dovecot: Dovecot, tmp_path: Path) -> None:
    user = dovecot.new_user()
    old = [mail(f"old {number}") for number in range(3)]
    dovecot.append(user, "Help", *old)
    stays = {**account(dovecot, user, "Help"), "processed": ""}
    serving = Serving(tmp_path, Site(imap=[stays]))
    with serving:
        serving.settled(3)
    before = dovecot.uidvalidity(user, "Help")
    time.sleep(1.1)  # Dovecot counts UIDVALIDITY in seconds
    dovecot.recreate_folder(user, "Help")
    dovecot.append(user, "Help", mail("new"))
    assert dovecot.uidvalidity(user, "Help") != before
    with serving:
        rows = serving.settled(7)
        serving.balanced()
        assert len(serving.json("ticket", "list")) == 4
    assert [str(row.outcome) for row in rows] == ["ticket"] * 3 + ["duplicate"] * 3 + ["ticket"]
    assert [row.duplicate_of for row in rows[3:6]] == [row.id for row in rows[:3]]
