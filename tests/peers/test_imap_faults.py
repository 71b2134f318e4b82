"""The IMAP source against a server that lies, breaks off and refuses."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailgate.sources.imap import Cursor, ImapSettings
from store.database import Database, Unavailable
from tests.peers.dovecot import make_authority
from tests.peers.fake_imap import FakeImap
from tests.peers.imap_rig import Rig, mail, quick, until


@pytest.fixture
def server() -> Iterator[FakeImap]:
    with FakeImap() as fake:
        yield fake


@pytest.fixture
def rig(sqlite_database: Database) -> Iterator[Rig]:
    rig = Rig(sqlite_database)
    yield rig
    rig.close()


def settings(server: FakeImap, **values: Any) -> ImapSettings:
    return quick(**{"host": "127.0.0.1", "port": server.port, "tls": "none", **values})


FAULTS = ["nil", "no", "short", "empty", "cut", "huge", "garbage", "flood"]


@pytest.mark.parametrize(
    ("fault", "failed"), [*((fault, "Failed") for fault in FAULTS), ("nil", None), ("cut", None)]
)
def test_i7_poison_is_set_aside_and_the_rest_is_taken(
    server: FakeImap, rig: Rig, fault: str, failed: str | None
) -> None:
    server.mails = {uid: mail(uid) for uid in range(1, 11)}
    server.faults[3] = fault
    here = settings(server, failed=failed)
    with rig.running(here):
        until("nine mails", lambda: len(rig.taken()) == 9)
        until("a good round", lambda: rig.health and rig.health[-1] == (True, "1 mails set aside"))
        server.append(11, mail(11))
        until("later mail", lambda: len(rig.taken()) == 10)
    assert rig.bytes_taken() == [mail(uid) for uid in range(1, 12) if uid != 3]
    if failed:
        assert server.folders == {"Failed": [mail(3)]}
        assert 3 not in server.mails
    else:
        assert server.flags == {3: ["\\Flagged"]}
    fetched = [c for c in server.commands if c.startswith("UID FETCH 3 (BODY.PEEK[])")]
    assert 2 <= len(fetched) <= 3
    fetches = server.count("UID FETCH")
    with rig.running(here):
        until("a good round", lambda: rig.health[-1] == (True, ""))
    assert server.count("UID FETCH") == fetches, "set aside means: not tried again"


@pytest.mark.parametrize("fault", ["nil", "no", "short", "cut"])
def test_i7_a_fault_that_passes_costs_nothing(server: FakeImap, rig: Rig, fault: str) -> None:
    server.mails = {uid: mail(uid) for uid in range(1, 4)}
    server.faults[2], server.times[2] = fault, 2
    with rig.running(settings(server, failed="Failed")):
        until("all mail", lambda: len(rig.taken()) == 3)
    assert rig.bytes_taken() == [mail(1), mail(2), mail(3)]
    assert server.folders == {}


def test_i7_a_large_mail_comes_in_slices(server: FakeImap, rig: Rig) -> None:
    server.mails = {1: mail(1), 2: mail(2, body="x" * 5_000_000), 3: mail(3)}
    with rig.running(settings(server)):
        until("mail", lambda: len(rig.taken()) == 3)
    assert rig.bytes_taken() == list(server.mails.values())
    assert sum("BODY.PEEK[]<" in command for command in server.commands) == 5


def test_i7_a_server_without_partial_fetch(server: FakeImap, rig: Rig) -> None:
    server.mails = {1: mail(1, body="x" * 5_000_000), 2: mail(2)}
    server.faults[1] = "whole"
    with rig.running(settings(server, failed="Failed")):
        until("the other mail", lambda: len(rig.taken()) == 1)
        until("put away", lambda: server.folders.get("Failed"))
    assert rig.bytes_taken() == [mail(2)]


def test_i8_an_oversized_mail_is_not_fetched(server: FakeImap, rig: Rig) -> None:
    server.mails = {1: mail(1), 2: mail(2, body="x" * 3000), 3: mail(3)}
    with rig.running(settings(server, failed="Failed", max_bytes=2000)):
        until("mail", lambda: len(rig.taken()) == 2)
        until("put away", lambda: server.folders.get("Failed"))
    assert rig.bytes_taken() == [mail(1), mail(3)]
    assert "UID FETCH 2 (BODY.PEEK[])" not in server.commands


def test_i7_an_estimated_size_is_no_fault(server: FakeImap, rig: Rig) -> None:
    server.mails = {1: mail(1), 2: mail(2)}
    server.sizes = {1: len(mail(1)) + 5, 2: len(mail(2)) - 5}
    with rig.running(settings(server, failed="Failed")):
        until("mail", lambda: len(rig.taken()) == 2)
    assert rig.bytes_taken() == [mail(1), mail(2)]


@pytest.mark.parametrize("end", ["bye", "eof", "no"])
def test_i8_a_broken_idle_falls_back_or_reconnects(server: FakeImap, rig: Rig, end: str) -> None:
    server.on_idle = end
    server.mails = {1: mail(1)}
    with rig.running(settings(server, idle_seconds=3600.0)):
        until("a failure", rig.failures)
        server.append(2, mail(2))
        until("mail", lambda: len(rig.taken()) == 2)
        sessions = server.sessions
        if end == "no":
            until("many rounds", lambda: rig.rounds() > 5)
            assert server.sessions == sessions, "polls on one connection"
            assert server.count("IDLE") == 1


def test_i7_mail_told_in_the_packet_that_begins_idle(server: FakeImap, rig: Rig) -> None:
    server.late = {1: mail(1)}
    with rig.running(settings(server, idle_seconds=3600.0)):
        until("mail", rig.taken)


@pytest.mark.parametrize("word", ["UNFLAGGED", "SEARCH UID 1:1", "RFC822.SIZE", "BODY", "MOVE"])
def test_i7_mail_told_in_the_answer_to_another_command(
    server: FakeImap, rig: Rig, word: str
) -> None:
    server.mails = {1: mail(1)}
    server.meanwhile[word] = {2: mail(2)}
    with rig.running(settings(server, processed="Done", idle_seconds=3600.0)):
        until("both", lambda: len(rig.taken()) == 2)
    assert server.meanwhile == {}


@pytest.mark.parametrize("fault", ["silent", "idle"])
def test_i8_stops_while_the_server_is_silent(server: FakeImap, rig: Rig, fault: str) -> None:
    server.mails = {1: mail(1)}
    server.faults[1] = fault
    with rig.running(settings(server, idle_seconds=3600.0)):
        until("fetching", lambda: server.count("UID FETCH 1 (BODY") or server.count("IDLE"))
    # Leaving the block failed if the thread had waited for the server.
    assert len(rig.taken()) == (fault == "idle")


def test_i4_intake_refuses_one_mail(server: FakeImap, rig: Rig) -> None:
    server.mails = {uid: mail(uid) for uid in range(1, 6)}
    rig.refuse = "/3"
    with rig.running(settings(server, processed="Done", failed="Failed")):
        until("put away", lambda: not server.mails)
    assert rig.bytes_taken() == [mail(uid) for uid in (1, 2, 4, 5)]
    assert server.folders == {"Failed": [mail(3)], "Done": [mail(uid) for uid in (1, 2, 4, 5)]}
    assert rig.failures()[0].startswith("ValueError")


def test_i3_a_crash_between_commit_and_cursor(server: FakeImap, rig: Rig) -> None:
    server.mails = {1: mail(1), 2: mail(2)}

    class Forgetful:
        """Cursors that cannot be saved at first."""

        load, lease = rig.cursors.load, rig.cursors.lease
        left = 2

        def save(self, source: str, cursor: Cursor) -> None:
            if cursor.last_uid and self.left:
                self.left -= 1
                raise Unavailable("disk full")
            rig.cursors.save(source, cursor)

    here = settings(server, processed="Done")
    with rig.running(here, Forgetful()):
        until("put away", lambda: not server.mails)
    assert len(rig.submitted) == 6
    assert rig.bytes_taken() == [mail(1), mail(2)], "one row for each delivery"
    assert rig.failures() == ["Unavailable: disk full"] * 2


def test_without_idle_it_polls(server: FakeImap, rig: Rig) -> None:
    server.capability = "IMAP4rev1 AUTH=PLAIN"
    with rig.running(settings(server)):
        until("first round", rig.rounds)
        server.append(1, mail(1))
        until("mail", rig.taken)
    assert server.sessions == 1
    assert server.count("IDLE") == 0
    assert rig.failures() == []


def test_i7_a_server_that_tells_no_uidnext(server: FakeImap, rig: Rig) -> None:
    server.uidnext = False
    server.mails = {5: mail(5)}
    with rig.running(settings(server)):
        until("mail", rig.taken)
        until("more rounds", lambda: rig.rounds() > 2)
        server.append(9, mail(9))
        until("mail", lambda: len(rig.taken()) == 2)
    assert len(rig.submitted) == 2, "n:* names the last mail even when it is old"


def test_sparse_uids(server: FakeImap, rig: Rig) -> None:
    server.mails = {1: mail(1), 4_000_000_000: mail(2)}
    here = settings(server)
    with rig.running(here):
        until("mail", lambda: len(rig.taken()) == 2)
        until("cursor", rig.rounds)
    assert rig.cursor(here) == Cursor(uidvalidity=7, last_uid=4_000_000_000)
    assert server.count("UID SEARCH") < 50


@pytest.mark.parametrize("capability", ["UIDPLUS", ""])
def test_processed_without_move(server: FakeImap, rig: Rig, capability: str) -> None:
    server.capability = f"IMAP4rev1 AUTH=PLAIN {capability}"
    server.mails = {1: mail(1), 2: mail(2)}
    server.flags = {9: ["\\Deleted"]}
    here = settings(server, processed="Done")
    for _ in range(2):
        rig.health.clear()
        with rig.running(here):
            until("put away", lambda: len(server.folders.get("Done", [])) == 2)
            until("a good round", rig.rounds)
    assert server.folders["Done"] == [mail(1), mail(2)]
    assert server.count("EXPUNGE") == 0
    assert sorted(server.mails) == ([] if capability else [1, 2])


def test_i3_a_refused_move_is_told_and_tried_again(
    server: FakeImap, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    server.refused.add("MOVE")
    server.mails = {1: mail(1), 2: mail(2)}
    with rig.running(settings(server, processed="Done", idle=False)):
        until("rounds", lambda: rig.rounds() > 3)
        assert rig.health[-1] == (True, "the server refuses to move mail")
        server.refused.clear()
        until("put away", lambda: len(server.folders["Done"]) == 2)
        until("good", lambda: rig.health[-1] == (True, ""))
    assert len(rig.submitted) == 2
    told = [r for r in caplog.records if getattr(r, "fields", {}).get("what") == "imap move"]
    assert len(told) == 1


def test_i3_a_read_only_folder_is_read(server: FakeImap, rig: Rig) -> None:
    server.access = "READ-ONLY"
    server.mails = {1: mail(1)}
    with rig.running(settings(server, processed="Done", idle=False)):
        until("rounds", lambda: rig.rounds() > 2)
    assert rig.bytes_taken() == [mail(1)]
    assert rig.failures() == []
    assert server.count("UID MOVE") == 0


def test_a_folder_that_is_missing_is_told(server: FakeImap, rig: Rig) -> None:
    server.refused.add("SELECT")
    with rig.running(settings(server)):
        until("a failure", rig.failures)
        server.refused.clear()
        until("a good round", rig.rounds)
    assert "Refused: select failed" in rig.failures()[0]


@pytest.mark.parametrize(
    ("greeting", "capability", "word"),
    [
        ("* PREAUTH hello", "IMAP4rev1 STARTTLS AUTH=PLAIN", "PREAUTH"),
        ("* OK hello", "IMAP4rev1 AUTH=PLAIN", "does not offer STARTTLS"),
        ("* OK hello", "IMAP4rev1 STARTTLS AUTH=PLAIN", "STARTTLS failed"),
    ],
)
def test_i9_no_credentials_without_tls(
    server: FakeImap, rig: Rig, greeting: str, capability: str, word: str
) -> None:
    server.greeting, server.capability = greeting, capability
    server.refused.add("STARTTLS")
    with rig.running(settings(server, tls="starttls")):
        until("a failure", rig.failures)
    assert word in rig.failures()[0]
    assert {command.split(" ")[0] for command in server.commands} <= {"CAPABILITY", "STARTTLS"}


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """ca.crt, server.crt of localhost, and self.crt that vouches for itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make certificates with")
    make_authority(tmp_path)
    return tmp_path


def context(folder: Path, name: str) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    return found


@pytest.mark.parametrize("implicit", [True, False])
def test_i9_a_certificate_that_vouches_for_itself(
    server: FakeImap, rig: Rig, certificates: Path, implicit: bool
) -> None:
    server.tls, server.implicit = context(certificates, "self"), implicit
    server.capability = "IMAP4rev1 STARTTLS AUTH=PLAIN"
    tls = "implicit" if implicit else "starttls"
    ca = str(certificates / "ca.crt")
    with rig.running(settings(server, host="localhost", tls=tls, ca_file=ca)):
        until("a failure", rig.failures)
    assert "certificate verify failed" in rig.failures()[0]
    assert {command.split(" ")[0] for command in server.commands} <= {"CAPABILITY", "STARTTLS"}


@pytest.mark.parametrize("injected", [b"", b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n"])
def test_i9_nothing_said_in_clear_counts_under_tls(
    server: FakeImap, rig: Rig, certificates: Path, injected: bytes
) -> None:
    server.tls, server.injected = context(certificates, "server"), injected
    server.capability = "IMAP4rev1 STARTTLS AUTH=PLAIN"
    server.mails = {1: mail(1)}
    ca = str(certificates / "ca.crt")
    with rig.running(settings(server, host="localhost", tls="starttls", ca_file=ca)):
        if injected:
            until("a failure", rig.failures)
        else:
            until("mail", rig.taken)
    if injected:
        assert "STARTTLS failed" in rig.failures()[0]
        assert server.count("CREDENTIALS") == 0


def test_i9_preauth_is_refused_without_tls_too(server: FakeImap, rig: Rig) -> None:
    server.greeting = "* PREAUTH hello"
    with rig.running(settings(server)):
        until("a failure", rig.failures)
    assert "PREAUTH" in rig.failures()[0]


def test_i9_logindisabled_is_respected(server: FakeImap, rig: Rig) -> None:
    server.capability = "IMAP4rev1 LOGINDISABLED"
    with rig.running(settings(server)):
        until("a failure", rig.failures)
    assert "allows no password" in rig.failures()[0]
    assert server.count("LOGIN") == 0


@pytest.mark.parametrize("field", ["username", "password", "folder", "processed", "failed"])
@pytest.mark.parametrize("end", ["\r\nX STORE 1:* +FLAGS (\\Deleted)", "\n", "\0"])
def test_i10_settings_are_no_commands(field: str, end: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must not contain"):
        quick(port=1, **{field: f"x{end}"})
