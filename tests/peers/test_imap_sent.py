"""The Sent folder of a shared account, beside the folder of its mail, on a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mailgate.sources.imap import ImapSettings
from store.database import Database
from tests.peers.dovecot import Dovecot, require
from tests.peers.imap_rig import Rig, mail, quick, until

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    require()
    with Dovecot() as dovecot:
        yield dovecot


@pytest.fixture
def user(server: Dovecot) -> str:
    return server.new_user()


@pytest.fixture
def rig(sqlite_database: Database) -> Iterator[Rig]:
    rig = Rig(sqlite_database)
    yield rig
    rig.close()


def settings(server: Dovecot, user: str, **values: Any) -> ImapSettings:
    base: dict[str, Any] = {"port": server.imaps_port, "ca_file": server.ca_path, "username": user}
    return quick(**{**base, "sent": "Sent", "processed": "Processed", "failed": "Failed", **values})


def sources(rig: Rig) -> list[str]:
    return [settled.source for settled in rig.taken()]


@pytest.mark.parametrize("idle", [True, False])
def test_both_folders_are_read_each_from_its_own_cursor(
    server: Dovecot, user: str, rig: Rig, idle: bool
) -> None:
    here = settings(server, user, idle=idle)
    sent = here.for_sent()
    assert sent is not None
    server.append(user, "Sent", mail(1), mail(2))  # before mailgate was told of the folder
    server.append(user, "INBOX", mail(3))
    with rig.running(here):
        until("the inbox", rig.taken)
        until("rounds", lambda: rig.rounds() > 1)
        server.append(user, "Sent", mail(4))
        until("what was sent", lambda: len(rig.taken()) == 2)
        server.append(user, "INBOX", mail(5))
        until("the inbox again", lambda: len(rig.taken()) == 3)
    assert rig.bytes_taken() == [mail(3), mail(4), mail(5)]
    assert sources(rig) == ["imap support", "sent support", "imap support"]
    assert rig.failures() == []
    cursors = rig.cursor(here), rig.cursor(sent)
    assert [cursor and cursor.last_uid for cursor in cursors] == [2, 3]
    server.append(user, "Sent", mail(6))  # while nobody looks
    with rig.running(here):
        until("what was sent meanwhile", lambda: len(rig.taken()) == 4)
    assert rig.bytes_taken()[-1] == mail(6)


def test_nothing_is_moved_or_flagged_where_mail_was_sent(
    server: Dovecot, user: str, rig: Rig
) -> None:
    here = settings(server, user, max_bytes=2000)
    server.append(user, "Sent", mail(1))
    with rig.running(here):
        until("a round", rig.rounds)
        server.append(user, "Sent", mail(2, body="x" * 4000), mail(3))
        until("what was sent", rig.taken)
    assert rig.bytes_taken() == [mail(3)]  # the other one is too large: told, and left alone
    there = server.list(user, "Sent")
    assert [stored.raw for stored in there] == [mail(1), mail(2, body="x" * 4000), mail(3)]
    assert {flag for stored in there for flag in stored.flags} <= {"\\Recent"}
    assert server.list(user, "Failed") == server.list(user, "Processed") == []


def test_a_sent_folder_that_is_missing_keeps_nothing_waiting(
    server: Dovecot, user: str, rig: Rig
) -> None:
    server.append(user, "INBOX", mail(1))
    with rig.running(settings(server, user, sent="Gesendet")):
        until("the inbox", rig.taken)
        until("told", lambda: any("Gesendet cannot be read" in text for _, text in rig.health))
    assert rig.failures() == []


def test_a_sent_folder_under_new_numbers_is_read_again(
    server: Dovecot, user: str, rig: Rig
) -> None:
    here = settings(server, user)
    server.append(user, "Sent", mail(1))
    with rig.running(here):
        until("a round", rig.rounds)
        server.append(user, "Sent", mail(2))
        until("what was sent", rig.taken)
    server.recreate_folder(user, "Sent")
    with rig.running(here):
        until("all of it", lambda: len(rig.taken()) == 3)
    assert rig.bytes_taken() == [mail(2), mail(1), mail(2)]


@pytest.mark.parametrize("folder", ["INBOX", "Processed", "Failed"])
def test_the_sent_folder_is_another_one(folder: str) -> None:
    with pytest.raises(ValueError, match="sent must be another folder"):
        quick(port=993, sent=folder, processed="Processed", failed="Failed")
