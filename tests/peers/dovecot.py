"""A private Dovecot: its own configuration, ports, users, certificates, and nothing shared.

    with Dovecot() as server:
        server.append("support", "INBOX", raw)
        settings = {"host": "localhost", "port": server.imap_port, "ca_file": server.ca_path}

Any user exists, with the password `PASSWORD`; `token()` makes what XOAUTH2 and OAUTHBEARER accept.
Needs root, because Dovecot does. Tests call `require()` first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import imaplib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.peers.ports import free_port

DOVECOT = "/usr/sbin/dovecot"
PASSWORD = "secret"
_KEY = b"a key that only this test server knows"
_PATIENCE = 15.0  # seconds until the server must answer

_CONF = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{base}/server.crt
ssl_key = <{base}/server.key
mail_location = maildir:{base}/mail/%u
mailbox_idle_check_interval = 1 secs
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {base}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{extra}
"""

_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={base}/keys/
username_attribute = sub
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One mail as the server has it."""

    uid: int
    flags: tuple[str, ...]
    raw: bytes


def require() -> None:
    """Skip the calling test where no private Dovecot can run."""
    if not Path(DOVECOT).exists():
        pytest.skip(f"no Dovecot: {DOVECOT} is missing (Debian: dovecot-imapd)")
    if os.geteuid() != 0:
        pytest.skip("Dovecot starts only as root")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make certificates with")


def make_authority(folder: Path, *, host: str = "localhost") -> None:
    """ca.crt, and server.crt with server.key for `host`, signed by it; self.crt signs itself."""
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl += ["-nodes", "-days", "2"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _run([*openssl, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Test CA", *usage], folder)
    leaf = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    leaf += ["-addext", "basicConstraints=critical,CA:FALSE"]
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    _run([*openssl, "-keyout", "server.key", "-out", "server.crt", *leaf, *signed], folder)
    _run([*openssl, "-keyout", "self.key", "-out", "self.crt", *leaf], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"


def token(user: str, *, expires_in: int = 3600, key: bytes = _KEY) -> str:
    """A JSON web token (RFC 7519, HS256) that names `user`; negative `expires_in`: expired."""
    now = int(time.time())
    claims = {"sub": user, "iat": now - 7200, "nbf": now - 7200, "exp": now + expires_in}
    signed = b".".join(_base64url(part) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
    mac = hmac.digest(key, signed, hashlib.sha256)
    return b".".join([signed, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def _base64url(part: dict[str, object] | dict[str, str]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


class Dovecot:
    """A running server while in the `with` block; its files are gone afterwards."""

    def __init__(self, *, extra: str = "") -> None:
        """`extra` is configuration, e.g. `imap_capability = IMAP4rev1 IDLE`."""
        self.base = Path(tempfile.mkdtemp(prefix="dv"))  # short: it holds Unix sockets
        self.imap_port, self.imaps_port = free_port(), free_port()
        self._users = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.base.chmod(0o755)
        self._configure(extra)

    @property
    def ca_path(self) -> str:
        """The certificate that vouches for `localhost`, and only for that name."""
        return str(self.base / "ca.crt")

    @property
    def log(self) -> str:
        """What the server logged so far."""
        path = self.base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.base)

    def _configure(self, extra: str) -> None:
        owner = pwd.getpwnam("nobody")
        base = self.base
        make_authority(base)
        mail = base / "mail"
        mail.mkdir()
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        key = base / "keys" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(_KEY))
        (base / "oauth2.conf").write_text(_OAUTH2.format(base=base))
        conf = _CONF.format(
            base=base,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            imap=self.imap_port,
            imaps=self.imaps_port,
            password=PASSWORD,
            extra=extra,
        )
        (base / "dovecot.conf").write_text(conf)

    # --- the server ----------------------------------------------------------------------

    def start(self) -> None:
        """Start, and return when it greets."""
        command = [DOVECOT, "-F", "-c", str(self.base / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + _PATIENCE
        while not self._greets():
            assert self._process.poll() is None, f"Dovecot did not start:\n{self.log}"
            assert time.monotonic() < deadline, f"Dovecot does not answer:\n{self.log}"
            time.sleep(0.02)

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.imap_port), 2) as probe:
                probe.settimeout(_PATIENCE)
                return probe.recv(4) == b"* OK"
        except OSError:
            return False

    def stop(self) -> None:
        """Stop; connections are cut."""
        if self._process is not None:
            # The master alone would leave sessions with clients running.
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(_PATIENCE)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None

    def restart(self) -> None:
        """Stop and start on the same ports with the same mail."""
        self.stop()
        self.start()

    # --- what another mail program does --------------------------------------------------

    def connect(self, user: str) -> imaplib.IMAP4:
        """A foreign client, logged in; use it in a `with` block."""
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=_PATIENCE)
        client.login(user, PASSWORD)
        return client

    def append(self, user: str, folder: str, *raws: bytes) -> None:
        """Put mails into a folder, which is made if need be."""
        with self.connect(user) as client:
            if folder != "INBOX":
                client.create(folder)
            for raw in raws:
                _ok(client.append(folder, "", "", raw))

    def list(self, user: str, folder: str) -> list[Stored]:
        """The mails of a folder by UID, without touching a flag; none where it is missing."""
        with self.connect(user) as client:
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            answer = _ok(client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])"))
        found: list[Stored] = []
        for item in answer:
            if isinstance(item, tuple):
                head = item[0].decode()
                uid = re.search(r"UID (\d+)", head)
                flags = re.search(r"FLAGS \(([^)]*)\)", head)
                assert uid, head
                assert flags, head
                found.append(Stored(uid=int(uid[1]), flags=tuple(flags[1].split()), raw=item[1]))
        return sorted(found, key=lambda mail: mail.uid)

    def store(self, user: str, folder: str, uid: int, flag: str) -> None:
        r"""Set a flag such as \Seen on one mail."""
        with self.connect(user) as client:
            _ok(client.select(folder))
            _ok(client.uid("STORE", str(uid), "+FLAGS", f"({flag})"))

    def move(self, user: str, folder: str, uid: int, target: str) -> None:
        """Move one mail to another folder, which is made if need be."""
        with self.connect(user) as client:
            client.create(target)
            _ok(client.select(folder))
            _ok(client.uid("COPY", str(uid), target))
            _ok(client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)"))
            _ok(client.expunge())

    def recreate_folder(self, user: str, folder: str) -> None:
        """The same mails under a new UIDVALIDITY. Not for INBOX, which cannot be deleted."""
        mails = self.list(user, folder)
        with self.connect(user) as client:
            _ok(client.delete(folder))
        self.append(user, folder, *(mail.raw for mail in mails))

    def new_user(self) -> str:
        """A user nobody used before: a test of its own on a server that is shared."""
        self._users += 1
        return f"user{self._users}"

    def uidvalidity(self, user: str, folder: str) -> int:
        """The UIDVALIDITY the server tells now."""
        with self.connect(user) as client:
            answer = _ok(client.status(folder, "(UIDVALIDITY)"))
        return int(answer[0].split()[-1].rstrip(b")"))


def _ok(answer: tuple[str, Any]) -> list[Any]:
    typ, data = answer
    assert typ == "OK", data
    return list(data)
