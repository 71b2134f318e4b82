"""A new certificate on SIGHUP: the real daemon shows it to later sessions, or keeps the old one."""

from __future__ import annotations

import json
import shutil
import signal
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from mailgate.sources.passwords import hash_password
from mailgate.sources.smtp import server_tls
from tests.peers.daemon_rig import Serving, Site, until

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl command is missing"),
]


def make_pair(cert: Path, key: Path, *, password: str = "") -> bytes:
    """A self-signed pair in these two files; returns the certificate as DER."""
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
    names = ["-subj", "/CN=mx.example.org", "-addext", "subjectAltName=DNS:mx.example.org"]
    subprocess.run(
        [*command.split(), *secret, *names, "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


def shown(client: smtplib.SMTP) -> bytes:
    """The certificate that a session sees."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.starttls(context=context)
    assert isinstance(client.sock, ssl.SSLSocket)
    return client.sock.getpeercert(binary_form=True) or b""


def test_sighup_renews_certificate_and_logins_for_later_sessions(tmp_path: Path) -> None:
    cert, key, users = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "users"
    first = make_pair(cert, key)
    users.write_text(f"ana@example.org:{hash_password('one')}\n")
    users.chmod(0o600)
    site = Site()
    daemon = Serving(tmp_path, site)
    files = f'tls_cert = "{cert}"\ntls_key = "{key}"\nauth = "{users}"\n'
    text = daemon.config.read_text().replace('protocol = "smtp"\n', f'protocol = "smtp"\n{files}')
    daemon.config.write_text(text)

    def hang_up(event: str) -> None:
        assert daemon.process is not None
        count = events(event)
        daemon.process.send_signal(signal.SIGHUP)
        until(event, lambda: events(event) > count)

    def events(event: str) -> int:
        lines = [json.loads(line) for line in daemon.log().splitlines()]
        return sum(line["event"] == event for line in lines)

    def session() -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", site.smtp, timeout=30)

    with daemon:
        with session() as early, session() as open_before:
            assert shown(early) == first
            second = make_pair(cert, key)
            users.write_text(f"ana@example.org:{hash_password('two')}\n")
            hang_up("renewed")
            with session() as late:
                assert shown(late) == second
                late.login("ana@example.org", "two")
            assert early.noop()[0] == 250  # a session under way goes on
            assert shown(open_before) == first
        make_pair(cert, tmp_path / "other.key")  # a certificate that does not fit its key
        hang_up("trouble")
        with session() as still:
            assert shown(still) == second
            still.login("ana@example.org", "two")
        cert.unlink()
        hang_up("trouble")
        with session() as still:
            assert shown(still) == second
        third = make_pair(cert, key)
        hang_up("renewed")
        with session() as last:
            assert shown(last) == third


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_pair(cert, key, password="secret")
    with pytest.raises(ssl.SSLError, match="PEM"):
        server_tls(cert, key)
