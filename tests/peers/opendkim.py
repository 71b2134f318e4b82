"""A private OpenDKIM as a milter on loopback, for tests; keys come from a file, not from the DNS.

with OpenDkim("mta.example.net", {"s1._domainkey.example.com": "v=DKIM1; k=rsa; p=..."}) as dkim:
    Postfix(main=dkim.main_cf)
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.peers.ports import free_port

_PATIENCE = 20.0  # seconds until it must listen
_CONFIG = """\
Mode                 v
Socket               inet:{port}@127.0.0.1
AuthservID           {name}
AlwaysAddARHeader    yes
RemoveARFrom         {removes}
InternalHosts        192.0.2.1
TestPublicKeys       {folder}/keys
PidFile              {folder}/pid
Background           no
Syslog               no
"""


def missing() -> str:
    """Why OpenDKIM cannot run here; "" when it can."""
    return "" if shutil.which("opendkim") else "OpenDKIM is not installed"


class OpenDkim:
    """Verifies what passes and adds an Authentication-Results header in its `name`.

    Those that claim to be from `removes` are taken out, as its manual advises.
    """

    def __init__(self, name: str, keys: Mapping[str, str], removes: str = "") -> None:
        self.name = name
        self.keys = keys
        self.removes = removes or name
        self.port = free_port()
        # What Postfix needs to ask it; without an answer no mail passes.
        self.main_cf = {
            "smtpd_milters": f"inet:127.0.0.1:{self.port}",
            "milter_default_action": "tempfail",
        }

    def __enter__(self) -> OpenDkim:
        self._folder = Path(tempfile.mkdtemp(prefix="opendkim-"))
        lines = [f"{name} {key}\n" for name, key in self.keys.items()]
        (self._folder / "keys").write_text("".join(lines))
        config = self._folder / "opendkim.conf"
        config.write_text(
            _CONFIG.format(
                port=self.port, name=self.name, removes=self.removes, folder=self._folder
            )
        )
        self._process = subprocess.Popen(["opendkim", "-x", str(config)])
        until = time.monotonic() + _PATIENCE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise AssertionError("OpenDKIM does not listen")
            time.sleep(0.05)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._folder)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True
