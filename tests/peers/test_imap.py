"""The IMAP source against a real Dovecot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.mail import Envelope
from mailgate.sources.imap import Cursor, ImapSettings
from mailgate.sources.oauth import OAuthSettings
from store.database import Database
from tests.peers.dovecot import Dovecot, require, token
from tests.peers.imap_rig import Rig, mail, quick, until
from tests.peers.token_endpoint import Answer, Form, TokenEndpoint

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
    return quick(**{**base, **values})


def mails(*numbers: int) -> list[bytes]:
    return [mail(number) for number in numbers]


def raws(server: Dovecot, user: str, folder: str) -> list[bytes]:
    return [stored.raw for stored in server.list(user, folder)]


# --- taking ------------------------------------------------------------------------------


def test_takes_what_is_there_and_what_comes(server: Dovecot, user: str, rig: Rig) -> None:
    sent = mails(*range(120))
    server.append(user, "INBOX", *sent[:119])
    with rig.running(settings(server, user, idle_seconds=3600.0)):
        until("old mail", lambda: len(rig.taken()) == 119)
        until("idling", rig.rounds)
        server.append(user, "INBOX", sent[119])
        until("mail that came while idling", lambda: len(rig.taken()) == 120)
    assert rig.bytes_taken() == sent
    assert not any("\\Seen" in stored.flags for stored in server.list(user, "INBOX"))
    assert rig.failures() == []
    prefix = f"localhost/{user}/INBOX/{server.uidvalidity(user, 'INBOX')}"
    assert rig.submitted == [f"{prefix}/{uid}" for uid in range(1, 121)]
    row = rig.taken()[0]
    assert row.source == "imap support"
    assert row.envelope == Envelope(mail_from=None, rcpt_tos=("support@example.com",))


def test_takes_exact_bytes_of_real_mail(server: Dovecot, user: str, rig: Rig, corpus: Path) -> None:
    # A server stores CRLF; the files have what they have.
    found = sorted((corpus / "mikel-mail").rglob("*.eml"))[:60]
    sent = [b"\r\n".join(path.read_bytes().splitlines()) + b"\r\n" for path in found]
    assert sent
    large = mail(1, body="x" * 70 + "\r\n" + "y" * 5_000_000)
    server.append(user, "INBOX", *sent, large)
    with rig.running(settings(server, user)):
        until("mail", lambda: len(rig.taken()) == len(sent) + 1)
    assert rig.bytes_taken() == [*sent, large]


def test_a_restart_takes_nothing_twice(server: Dovecot, user: str, rig: Rig) -> None:
    server.append(user, "INBOX", *mails(1, 2))
    here = settings(server, user)
    with rig.running(here):
        until("a round", rig.rounds)
    validity = server.uidvalidity(user, "INBOX")
    assert rig.cursor(here) == Cursor(uidvalidity=validity, last_uid=2)
    server.append(user, "INBOX", mail(3))
    with rig.running(here):
        until("mail", lambda: len(rig.taken()) == 3)
    assert len(rig.submitted) == 3


def test_many_bursts_while_idling_lose_nothing(server: Dovecot, user: str, rig: Rig) -> None:
    with rig.running(settings(server, user, idle_seconds=3600.0)):
        until("idling", rig.rounds)
        for number in range(40):
            server.append(user, "INBOX", mail(number))
        until("mail", lambda: len(rig.taken()) == 40)
    assert rig.bytes_taken() == mails(*range(40))


def test_i1_uidvalidity_changes(
    server: Dovecot, user: str, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    server.append(user, "Queue", *mails(*range(20)))
    here = settings(server, user, folder="Queue")
    with rig.running(here):
        until("mail", lambda: len(rig.taken()) == 20)
        until("a round", rig.rounds)
    old = server.uidvalidity(user, "Queue")
    server.recreate_folder(user, "Queue")
    server.append(user, "Queue", *mails(100, 101))
    new = server.uidvalidity(user, "Queue")
    assert new != old
    for _ in range(2):
        rig.health.clear()
        with rig.running(here):
            until("a round", rig.rounds)
    assert rig.bytes_taken() == mails(*range(20), *range(20), 100, 101)
    assert rig.submitted[20:] == [f"{here.key}/{new}/{uid}" for uid in range(1, 23)]
    told = [r for r in caplog.records if getattr(r, "fields", {}).get("what") == "imap renumbered"]
    assert [getattr(record, "fields", {})["was"] for record in told] == [old]


def test_i2_people_read_and_move_mail(server: Dovecot, user: str, rig: Rig) -> None:
    server.append(user, "INBOX", *mails(1, 2, 3))
    server.store(user, "INBOX", 1, r"\Seen")
    server.move(user, "INBOX", 2, "Elsewhere")
    with rig.running(settings(server, user)):
        until("mail", lambda: len(rig.taken()) == 2)
        until("a round", rig.rounds)
    assert rig.bytes_taken() == mails(1, 3)
    assert [stored.flags.count("\\Seen") for stored in server.list(user, "INBOX")] == [1, 0]
    assert rig.failures() == []


# --- putting away ------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["Processed", "Erledigt äöü & 100%", "Old.2026"])
def test_processed_mail_is_moved(server: Dovecot, user: str, rig: Rig, folder: str) -> None:
    server.append(user, "INBOX", *mails(1, 2))
    with rig.running(settings(server, user, processed=folder)):
        until("the first", lambda: len(rig.taken()) == 2)
        server.append(user, "INBOX", mail(3))
        until("all moved", lambda: len(rig.taken()) == 3 and not raws(server, user, "INBOX"))
    assert rig.failures() == []
    with server.connect(user) as client:
        names = client.list()[1]
    assert len(names) >= 2
    assert rig.bytes_taken() == mails(1, 2, 3)


def test_i3_what_a_crash_left_is_swept(server: Dovecot, user: str, rig: Rig) -> None:
    server.append(user, "INBOX", *mails(1, 2, 3))
    with rig.running(settings(server, user)):  # commits and saves the cursor, but moves nothing
        until("mail", lambda: len(rig.taken()) == 3)
        until("a round", rig.rounds)
    server.append(user, "INBOX", mail(4))
    with rig.running(settings(server, user, processed="Processed")):
        until("all moved", lambda: not raws(server, user, "INBOX"))
    assert sorted(raws(server, user, "Processed")) == mails(1, 2, 3, 4)
    assert len(rig.submitted) == 4


def test_too_large_goes_to_failed(server: Dovecot, user: str, rig: Rig) -> None:
    big = mail(2, body="x" * 3000)
    server.append(user, "INBOX", mail(1), big, mail(3))
    with rig.running(settings(server, user, max_bytes=2000, processed="Done", failed="Failed")):
        until("all moved", lambda: not raws(server, user, "INBOX"))
    assert raws(server, user, "Failed") == [big]
    assert raws(server, user, "Done") == mails(1, 3)
    assert rig.bytes_taken() == mails(1, 3)


def test_too_large_without_failed_is_starred_and_never_swept(
    server: Dovecot, user: str, rig: Rig
) -> None:
    big = mail(2, body="x" * 3000)
    server.append(user, "INBOX", mail(1), big)
    here = settings(server, user, max_bytes=2000, processed="Done")
    for _ in range(2):
        rig.health.clear()
        with rig.running(here):
            until("a round", rig.rounds)
    assert [(s.raw, "\\Flagged" in s.flags) for s in server.list(user, "INBOX")] == [(big, True)]
    assert raws(server, user, "Done") == [mail(1)]


# --- trouble -----------------------------------------------------------------------------


def test_i5_intake_away_moves_nothing_and_loses_nothing(
    server: Dovecot, user: str, rig: Rig
) -> None:
    server.append(user, "INBOX", *mails(1, 2))
    here = settings(server, user, processed="Processed")
    rig.close()
    with rig.running(here):
        until("failures", lambda: len(rig.failures()) >= 6)
        waiting = server.list(user, "INBOX")
        assert [stored.raw for stored in waiting] == mails(1, 2)
        assert not any("\\Flagged" in stored.flags for stored in waiting), "set aside for nothing"
        cursor = rig.cursor(here)
        assert cursor is not None
        assert cursor.last_uid == 0
        rig.reopen()
        until("all moved", lambda: not raws(server, user, "INBOX"))
    assert rig.bytes_taken() == mails(1, 2)
    assert rig.failures()[0].startswith("Closed")


def test_the_server_restarts(user: str, rig: Rig) -> None:
    with Dovecot() as own:
        own.append("support", "INBOX", mail(1))
        with rig.running(settings(own, "support")):
            until("mail", rig.taken)
            until("idling", rig.rounds)
            own.stop()
            until("a failure", rig.failures)
            own.start()
            own.append("support", "INBOX", mail(2))
            until("mail", lambda: len(rig.taken()) == 2)
            until("well again", lambda: rig.health[-1] == (True, ""))
    assert rig.bytes_taken() == mails(1, 2)


def test_i10_commands_in_mail_are_not_commands(server: Dovecot, user: str, rig: Rig) -> None:
    evil = mail(1, message_id='<x"\r\n X1 STORE 1:* +FLAGS (\\Deleted)\r\n X2 EXPUNGE@example.org>')
    server.append(user, "INBOX", mail(7), evil)
    with rig.running(settings(server, user)):
        until("mail", lambda: len(rig.taken()) == 2)
        until("a round", rig.rounds)
    assert raws(server, user, "INBOX") == [mail(7), evil]
    assert not any(stored.flags[:1] == ("\\Deleted",) for stored in server.list(user, "INBOX"))


# --- who is there ------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
def test_i9_each_way_of_tls(server: Dovecot, user: str, rig: Rig, tls: str) -> None:
    server.append(user, "INBOX", mail(1))
    port = server.imaps_port if tls == "implicit" else server.imap_port
    with rig.running(settings(server, user, tls=tls, port=port)):
        until("mail", rig.taken)
    assert rig.failures() == []


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("wrong", ["host", "authority"])
def test_i9_strangers_get_no_credentials(
    server: Dovecot, user: str, rig: Rig, tls: str, wrong: str
) -> None:
    port = server.imaps_port if tls == "implicit" else server.imap_port
    values: dict[str, Any] = {"host": "127.0.0.1"} if wrong == "host" else {"ca_file": None}
    with rig.running(settings(server, user, tls=tls, port=port, **values)):
        until("a failure", rig.failures)
    assert rig.rounds() == 0
    assert "certificate verify failed" in rig.failures()[0].lower()
    assert f"user=<{user}>" not in server.log


def test_a_wrong_password_is_told_without_it(
    server: Dovecot, user: str, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with rig.running(settings(server, user, password="hunter2-wrong")):
        until("failures", lambda: len(rig.failures()) >= 2)
    assert rig.failures()[0].startswith("LoginRefused")
    assert "hunter2" not in str(rig.health)
    assert "hunter2" not in str([getattr(r, "fields", {}) for r in caplog.records]) + caplog.text


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_i11_a_token_opens_the_mailbox(
    server: Dovecot, user: str, rig: Rig, tmp_path: Path, mechanism: Any
) -> None:
    server.append(user, "INBOX", mail(1))
    file = tmp_path / "token"
    file.write_text(token(user, expires_in=-60))
    oauth = OAuthSettings(mechanism=mechanism, token_command=("cat", str(file)))
    with rig.running(settings(server, user, oauth=oauth)):
        until("a failure", rig.failures)
        assert rig.failures()[0].startswith("LoginRefused")
        file.write_text(token(user))
        until("mail", rig.taken)
    assert "Bearer" not in str(rig.health)


def test_i11_a_rotating_refresh_token(server: Dovecot, user: str, rig: Rig, tmp_path: Path) -> None:
    server.append(user, "INBOX", mail(1))
    good = ["first"]  # only the youngest refresh token is

    def answer(form: Form) -> Answer:
        if form["refresh_token"] != good[-1]:
            return 400, {"error": "invalid_grant"}
        good.append(f"rotated-{len(good)}")
        return 200, {"access_token": token(user), "refresh_token": good[-1], "expires_in": 3600}

    def took(mails: int) -> Callable[[], bool]:
        return lambda: len(rig.taken()) == mails

    with TokenEndpoint(answer) as endpoint:
        oauth = OAuthSettings(
            token_url=endpoint.url,
            client_id="me",
            refresh_token="revoked",
            token_file=tmp_path / "token.json",
        )
        with rig.running(settings(server, user, oauth=oauth)):
            until("failures", lambda: len(rig.failures()) >= 3)
        assert rig.failures()[0] == "OAuthError: invalid_grant: the token endpoint answered 400"
        assert len(endpoint.forms) == len(rig.failures()), "one request per step of the back-off"
        assert f"user=<{user}>, method=XOAUTH2" not in server.log
        oauth = replace(oauth, refresh_token="first")
        for number in (1, 2):  # the second time with what the first one stored
            with rig.running(settings(server, user, oauth=oauth)):
                until("mail", took(number))
                until("well", lambda: rig.health[-1] == (True, ""))
            server.append(user, "INBOX", mail(number + 1))


def test_i11_a_refused_token_is_not_used_again(server: Dovecot, user: str, rig: Rig) -> None:
    server.append(user, "INBOX", mail(1))
    tokens = iter([token(user, key=b"of someone else")])

    def answer(_form: Form) -> Answer:
        return 200, {"access_token": next(tokens, token(user)), "expires_in": 3600}

    with TokenEndpoint(answer) as endpoint:
        oauth = OAuthSettings(token_url=endpoint.url, client_id="me", client_secret="x")
        with rig.running(settings(server, user, oauth=oauth)):
            until("mail", rig.taken)
        assert len(endpoint.forms) == 2
    assert [failure.partition(":")[0] for failure in rig.failures()] == ["LoginRefused"]


def test_i11_a_token_is_no_command(server: Dovecot, user: str, rig: Rig) -> None:
    oauth = OAuthSettings(token_command=("printf", "tok\\r\\nX1 LOGOUT"))
    with rig.running(settings(server, user, oauth=oauth)):
        until("a failure", rig.failures)
    assert "did not print one token" in rig.failures()[0]
    assert f"user=<{user}>" not in server.log


# --- more than one node ------------------------------------------------------------------


def test_only_the_holder_of_the_lease_polls(server: Dovecot, user: str, rig: Rig) -> None:
    server.append(user, "INBOX", mail(1))
    held = threading.Event()

    class Held:
        """The database's cursors, with a lease that another node has."""

        load, save = rig.cursors.load, rig.cursors.save

        def lease(self, _source: str, _seconds: float) -> bool:
            return held.is_set()

    with rig.running(settings(server, user, lease_seconds=0.3), Held()):
        until("told", lambda: rig.health)
        assert rig.health[0] == (True, "another node polls this mailbox")
        assert rig.submitted == []
        held.set()
        until("mail", rig.taken)
        held.clear()
        until("given up", lambda: rig.health[-1] == (True, "another node polls this mailbox"))
        server.append(user, "INBOX", mail(2))
        held.set()
        until("the next mail", lambda: len(rig.taken()) == 2)
    assert len(rig.submitted) == 2
