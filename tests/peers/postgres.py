"""A private PostgreSQL server for tests: on loopback, in a folder of its own, with fsync on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.peers.ports import free_port

_FAMILY = Path("/usr/lib/postgresql")  # Debian keeps each major version in a folder here
_OWNER = "postgres"


def binaries() -> Path | None:
    """The folder with initdb and postgres, of the newest version; None when not installed."""
    found = [p.parent for p in _FAMILY.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda p: int(p.parent.name) if p.parent.name.isdigit() else 0)
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def missing() -> str:
    """Why no server can be started here, "" when one can."""
    if binaries() is None:
        return "PostgreSQL is not installed (no initdb)"
    if os.getuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL refuses to run as root, and runuser is not installed"
    return ""


class PostgresServer:
    """One server process; `start` may follow `stop`, on the same port and with the same data."""

    def __init__(self) -> None:
        """Choose folder and port. Raises RuntimeError when `missing()` has a reason."""
        why, bin_folder = missing(), binaries()
        if why or bin_folder is None:
            raise RuntimeError(why)
        self._bin = bin_folder
        self._as: tuple[str, ...] = ("runuser", "-u", _OWNER, "--") if os.getuid() == 0 else ()
        self._folder = Path(tempfile.mkdtemp(prefix="mgpg-"))  # short: a socket path has 107 bytes
        self._data = self._folder / "data"
        self.port = free_port()
        self._log = self._folder / "log"
        self._log.touch()
        if self._as:
            shutil.chown(self._folder, _OWNER)
            shutil.chown(self._log, _OWNER)

    def _make(self) -> None:
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", _OWNER, "-E", "UTF8")
        settings = (
            f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
            f"unix_socket_directories = '{self._folder}'\nmax_connections = 100\n"
            "shared_buffers = 32MB\ntimezone = 'Europe/Berlin'\n"  # not UTC: conversions must show
        )
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.write(settings)

    def _run(self, program: str, *args: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._bin / program), *args],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}{self.log()}")

    def log(self) -> str:
        """What the server has said so far."""
        return self._log.read_text(errors="replace")

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of a database on this server."""
        return f"postgresql+psycopg://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it takes connections. Raises RuntimeError with its log."""
        if not self._data.exists():
            self._make()
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-t", "30", "start")

    def stop(self) -> None:
        """End it as a fast shutdown does: sessions are cut, data is kept."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "-t", "30", "stop")

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End it as a power cut does (SIGQUIT: no checkpoint); `start` then recovers its log."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "-t", "30", "stop")

    def remove(self) -> None:
        """Stop the server if it runs, and delete its folder."""
        try:
            if (self._data / "postmaster.pid").exists():
                self.kill()
        finally:
            shutil.rmtree(self._folder)
