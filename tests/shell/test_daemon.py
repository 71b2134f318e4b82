"""The daemon as a process: its start, its supervisor, its end in order and out of order."""

from __future__ import annotations

import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailgate import notify
from tests.peers.daemon_rig import PATIENCE, QUEUE, ROOT, Serving, Site, mail, run_cli, until
from tests.peers.relay_sink import RelaySink

MAILS = 20


@pytest.fixture
def relay() -> Iterator[RelaySink]:
    with RelaySink() as sink:
        yield sink


@pytest.fixture
def supervisor() -> Iterator[socket.socket]:
    """The service manager's end of NOTIFY_SOCKET."""
    with (
        tempfile.TemporaryDirectory(prefix="sd") as folder,  # short: a socket path has 107 bytes
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
    ):
        channel.bind(f"{folder}/notify")
        channel.settimeout(PATIENCE)
        yield channel


# --- the start ---------------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["smtp", "lmtp", "web"])
def test_e1_a_port_in_use_is_told_and_nothing_is_half_started(
    tmp_path: Path, relay: RelaySink, taken: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        site = Site(relay=relay.port, **{taken: port})
        serving = Serving(tmp_path, site)
        assert run_cli(serving.config, "deliver", stdin=mail("waits")).returncode == 0
        done = run_cli(serving.config, "serve")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert f"cannot start: {taken}" in said
    assert f"127.0.0.1:{port}" in said
    assert "Traceback" not in said
    assert "mailer" not in said
    assert not relay.connections
    assert [row.outcome for row in serving.rows()] == [None]


def test_two_daemons_on_one_sqlite_are_one_too_many(tmp_path: Path) -> None:
    with Serving(tmp_path, Site()) as first:
        second = Serving(tmp_path, Site(), name="second")
        done = run_cli(second.config, "serve")
        assert done.returncode == 1
        assert b"another mailgate serves" in done.stderr
        first.send(mail("still there"))
        first.settled(1)


# --- the service manager -----------------------------------------------------------------


def test_systemd_hears_ready_watchdog_and_stopping(
    tmp_path: Path, supervisor: socket.socket
) -> None:
    serving = Serving(tmp_path, Site())
    serving.start(NOTIFY_SOCKET=supervisor.getsockname(), WATCHDOG_USEC="400000")
    assert supervisor.recv(1000).decode().splitlines()[0] == "READY=1"
    assert [supervisor.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    serving.stop()
    said: list[bytes] = []
    while not said or said[-1] != b"STOPPING=1":
        said.append(supervisor.recv(1000))
    assert set(said[:-1]) <= {b"WATCHDOG=1"}


def test_ready_is_said_only_when_mail_can_come(tmp_path: Path, supervisor: socket.socket) -> None:
    serving = Serving(tmp_path, Site())
    command = [sys.executable, "-m", "mailgate", "--config", str(serving.config), "serve"]
    environment = {"PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": supervisor.getsockname()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        assert supervisor.recv(1000).startswith(b"READY=1")
        serving.send(mail("at once"))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_an_abstract_socket_is_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("")  # Linux picks an abstract address
        channel.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + channel.getsockname()[1:].decode())
        assert notify.notify("READY=1")
        assert channel.recv(100) == b"READY=1"


def test_a_supervisor_that_went_away_stops_no_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify.notify("WATCHDOG=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not notify.notify("READY=1")


@pytest.mark.parametrize(
    ("limit", "pid", "seconds"), [("", "", 0.0), ("3000000", "", 1.5), ("3000000", "1", 0.0)]
)
def test_the_watchdog_is_for_the_process_it_names(
    monkeypatch: pytest.MonkeyPatch, limit: str, pid: str, seconds: float
) -> None:
    for name, value in (("WATCHDOG_USEC", limit), ("WATCHDOG_PID", pid)):
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    assert notify.watchdog_seconds() == seconds


# --- the end -----------------------------------------------------------------------------


def insist(serving: Serving, number: int) -> None:
    """Send one mail as an MTA does: again until it is acknowledged."""
    raw = mail(f"mail {number}", sender=f"p{number}@example.com", message_id=f"<m{number}@x.test>")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with smtplib.SMTP("127.0.0.1", serving.site.smtp, timeout=PATIENCE) as client:
                client.sendmail(f"p{number}@example.com", [QUEUE], raw)
                return
        except (OSError, smtplib.SMTPException):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_d1_nothing_is_lost_or_doubled_when_it_ends_with_20_mails_in_flight(
    tmp_path: Path, relay: RelaySink, how: str
) -> None:
    serving = Serving(tmp_path, Site(relay=relay.port)).start()
    with ThreadPoolExecutor(MAILS) as clients:
        sending = [clients.submit(insist, serving, number) for number in range(MAILS)]
        until("the first mail", lambda: any(one.done() for one in sending))
        if how == "SIGTERM":
            serving.stop()
        else:
            serving.kill()
        with serving:
            for one in sending:
                one.result()
            rows = serving.settled(MAILS)
            serving.quiet()
            serving.balanced()
            tickets = serving.json("ticket", "list", "--limit", "1000")
    assert "Traceback" not in serving.log()
    assert Counter(row.message_id for row in rows if row.outcome == "ticket") == {
        f"<m{number}@x.test>": 1 for number in range(MAILS)
    }
    assert {row.outcome.value for row in rows if row.outcome} <= {"ticket", "duplicate"}
    assert len(tickets) == MAILS
    told = Counter(m.rcpt_tos[0] for m in relay.mails if m.rcpt_tos[0].endswith("example.com"))
    assert max(told.values()) == 1
    if how == "SIGTERM":
        assert len(told) == MAILS


def test_a_lock_held_by_another_process_delays_neither_the_end_nor_the_sender(
    tmp_path: Path,
) -> None:
    """Who waits for a commit is told to come again, and the daemon ends in time."""
    serving = Serving(tmp_path, Site()).start()
    lock = sqlite3.connect(tmp_path / "data" / "mailgate.db", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        with smtplib.SMTP("127.0.0.1", serving.site.smtp, timeout=PATIENCE) as client:
            client.ehlo()
            client.mail("carmen@example.com")
            client.rcpt(QUEUE)
            assert client.docmd("DATA")[0] == 354
            client.send(mail("kept waiting") + b".\r\n")
            serving.stop()
            assert client.getreply()[0] == 451
            client.close()
    finally:
        lock.close()
        if serving.process is not None:
            serving.kill()
