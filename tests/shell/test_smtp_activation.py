"""Sockets from systemd: read from the environment, and taken over by the real daemon."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mailgate.activation import inherited, take
from mailgate.sources.smtp import Listener
from tests.peers.daemon_rig import ROOT, Serving, Site, mail, until
from tests.shell.smtp_rig import Client, Rig

ACTIVATE = shutil.which("systemd-socket-activate")
_CALL = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from mailgate.activation import inherited
try:
    found = inherited()
except OSError as error:
    print("error", error)
else:
    for name, sockets in found.items():
        print(name, *(one.getsockname()[1] for one in sockets))
        assert not any(one.get_inheritable() or one.gettimeout() for one in sockets)
"""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


def told(sockets: list[socket.socket], env: Mapping[str, str]) -> str:
    """What a process makes of sockets at descriptors 3 and up, and of these variables."""
    moves = "; ".join(f"os.dup2({one.fileno()}, {9 + at})" for at, one in enumerate(sockets))
    moves += "".join(f"; os.dup2({9 + at}, {3 + at})" for at in range(len(sockets)))
    done = subprocess.run(
        [sys.executable, "-c", f"import os; {moves or 'pass'}\n{_CALL}"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        pass_fds=[one.fileno() for one in sockets],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_sockets_come_by_name_and_are_no_childs_business(listening: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        env = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp:lmtp"}
        ports = [one.getsockname()[1] for one in (listening, other)]
        assert told([listening, other], env) == f"smtp {ports[0]}\nlmtp {ports[1]}"
        env["LISTEN_FDNAMES"] = "smtp:smtp"
        assert told([listening, other], env) == f"smtp {ports[0]} {ports[1]}"


def test_without_names_it_is_unknown(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    assert told([listening], {"LISTEN_FDS": "1"}) == f"unknown {port}"


@pytest.mark.parametrize(
    "env",
    [
        {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp"},
        {"LISTEN_FDS": "one", "LISTEN_FDNAMES": "smtp"},
        {"LISTEN_FDS": "-1"},
    ],
)
def test_contradictions_are_an_error(listening: socket.socket, env: dict[str, str]) -> None:
    assert told([listening], env).startswith("error LISTEN_FDS and LISTEN_FDNAMES contradict")


def test_what_does_not_listen_for_tcp_is_an_error() -> None:
    env = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
    with socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as udp:
        for one in (idle, udp):
            assert told([one], env) == "error the socket 'smtp' does not listen for TCP connections"


def test_sockets_of_another_process_are_not_ours() -> None:
    assert inherited({}) == {}
    assert inherited({"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}) == {}


def test_a_missing_socket_says_what_to_look_at(listening: socket.socket) -> None:
    sockets = {"smtp": [listening]}
    assert take(sockets, "smtp") == [listening]
    with pytest.raises(OSError, match=r"named 'smtp'; is mailgate\.socket active"):
        take(sockets, "smtp")


def test_a_listener_takes_all_sockets_of_its_name(tmp_path: Path) -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in sockets]
    with Rig(tmp_path) as rig:
        one = Listener(rig.settings, rig.listener.accepts, rig.intake.submit)
        rig.run(one.start(sockets))
        assert one.port == ports[0]
        for port in ports:
            with Client(port) as client:
                client.expect("220")
                client.ask("QUIT", "221")
        rig.run(one.stop(2.0))
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                Client(port)


class Activated(Serving):
    """A daemon that systemd-socket-activate starts with the first connection."""

    def start(self, **env: str) -> Activated:
        """Open the socket; the daemon comes with the first client."""
        assert ACTIVATE is not None
        place = f"--listen=127.0.0.1:{self.site.smtp}"
        python_path = f"--setenv=PYTHONPATH={ROOT}"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(ACTIVATE, place, "--fdname=smtp", python_path, sys.executable),
                    *("-m", "mailgate", "--config", str(self.config), "serve"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env},
            )
        until("the socket to be open", lambda: "Listening on" in self.log())
        return self


@pytest.mark.peer
@pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is missing")
def test_the_daemon_takes_port_25_from_systemd(tmp_path: Path) -> None:
    site = Site()
    daemon = Activated(tmp_path, site)
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace(f'"127.0.0.1:{site.smtp}"', '"fd:smtp"'))
    assert '"fd:smtp"' in daemon.config.read_text()
    with daemon, smtplib.SMTP("127.0.0.1", site.smtp, timeout=60) as client:
        client.sendmail("a@example.com", ["support@example.org"], mail("through the door"))
        (row,) = daemon.settled(1)
        assert row.source == "smtp fd:smtp"


@pytest.mark.peer
def test_the_daemon_does_not_start_without_its_socket(tmp_path: Path) -> None:
    site = Site()
    daemon = Serving(tmp_path, site)
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace(f'"127.0.0.1:{site.smtp}"', '"fd:smtp"'))
    done = subprocess.run(
        [sys.executable, "-m", "mailgate", "--config", str(daemon.config), "serve"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "systemd handed over no socket named 'smtp'; is mailgate.socket active?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")
def test_the_socket_unit_is_well_formed_and_fits_the_docs(tmp_path: Path) -> None:
    units = ROOT / "systemd"
    program = shutil.which("true") or "/bin/true"
    service = (units / "mailgate.service").read_text()
    (tmp_path / "mailgate.service").write_text(
        service.replace("/opt/mailgate/bin/mailgate", program)
    )
    unit = tmp_path / "mailgate.socket"

    def verified() -> tuple[int, str]:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    shutil.copy(units / unit.name, unit)
    assert verified() == (0, "")
    assert "FileDescriptorName=smtp\n" in unit.read_text()
    assert 'listen = "fd:smtp"' in (ROOT / "docs" / "operating.md").read_text()
    unit.write_text(unit.read_text().replace("[Socket]", "[Socket]\nNoSuchSetting=yes"))
    assert "NoSuchSetting" in verified()[1]
