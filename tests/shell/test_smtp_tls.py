"""STARTTLS and SMTP AUTH on a real connection, with a certificate made by openssl."""

from __future__ import annotations

import base64
import shutil
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from mailgate.sources.passwords import Logins, hash_password
from mailgate.sources.smtp import Limits, server_tls
from tests.shell.smtp_rig import Client, Rig

USERS = {"agent@example.org": hash_password("correct horse"), "Ünï": hash_password("pässwörd")}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = "subjectAltName=DNS:mx.example.org,IP:127.0.0.1"
    words = [*command.split(), "-subj", "/CN=mx.example.org", "-addext", names]
    subprocess.run([*words, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def rig(tmp_path: Path, certificate: tuple[Path, Path]) -> Rig:
    return Rig(tmp_path, tls=server_tls(*certificate), verify=Logins(USERS).verify)


def in_tls(client: Client, cert: Path) -> Client:
    """Start TLS, checking the certificate, and say hello again."""
    client.ask("STARTTLS", "220 ")
    context = ssl.create_default_context(cafile=cert)
    client._file.close()
    client.socket = context.wrap_socket(client.socket, server_hostname="mx.example.org")
    client._file = client.socket.makefile("rb")
    return client


def secure(client: Client, cert: Path) -> list[str]:
    in_tls(client, cert).say("EHLO client.example.com")
    return client.reply()


def plain(login: str, password: str) -> str:
    return base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_auth_is_offered_and_taken_in_tls_only(rig: Rig, certificate: tuple[Path, Path]) -> None:
    with rig, rig.client() as client:
        client.expect("220")
        client.say("EHLO client.example.com")
        offer = client.reply()
        assert "250-STARTTLS" in [line.replace(" ", "-", 1) for line in offer]
        assert not any("AUTH" in line for line in offer)
        client.ask(f"AUTH PLAIN {plain('agent@example.org', 'correct horse')}", "538 5.7.11")
        offer = secure(client, certificate[0])
        assert offer[-1] == "250 AUTH PLAIN LOGIN"
        assert not any("STARTTLS" in line for line in offer)
        client.ask("STARTTLS", "503")


def test_no_auth_is_offered_without_users(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with Rig(tmp_path, tls=server_tls(*certificate)) as rig, rig.greeted() as client:
        assert not any("AUTH" in line for line in secure(client, certificate[0]))
        client.ask("AUTH PLAIN AAAA", "500")


@pytest.mark.parametrize("mechanism", ["PLAIN", "plain in two steps", "LOGIN", "login in one"])
def test_a_login_is_on_the_envelope(
    rig: Rig, certificate: tuple[Path, Path], mechanism: str
) -> None:
    login, password = "Ünï", "pässwörd"
    with rig, rig.greeted() as client:
        secure(client, certificate[0])
        if mechanism == "PLAIN":
            client.say(f"AUTH PLAIN {plain(login, password)}")
        elif mechanism == "plain in two steps":
            client.ask("AUTH PLAIN", "334 ")
            client.say(plain(login, password))
        elif mechanism == "LOGIN":
            client.ask("AUTH LOGIN", "334 VXNlcm5hbWU6")
            client.ask(b64(login), "334 UGFzc3dvcmQ6")
            client.say(b64(password))
        else:
            client.ask(f"AUTH LOGIN {b64(login)}", "334 ")
            client.say(b64(password))
        client.expect("235 2.7.0")
        client.ask("AUTH PLAIN AAAA", "503")
        client.ask("MAIL FROM:<alice@example.com> AUTH=<>", "250")
        client.ask("RCPT TO:<support@example.org>", "250")
        client.ask("DATA", "354")
        client.send(b"x\r\n.\r\n")
        client.expect("250")
        assert rig.intake.mails()[0]["login"] == login


def test_smtplib_sends_over_starttls(rig: Rig, certificate: tuple[Path, Path]) -> None:
    raw = b"Subject: TLS\r\n\r\n" + b"0123456789" * 50_000 + b"\r\n"
    with rig, smtplib.SMTP("127.0.0.1", rig.port) as client:
        client.starttls(context=ssl.create_default_context(cafile=certificate[0]))
        client.login("agent@example.org", "correct horse")
        client.sendmail("agent@example.org", ["support@example.org"], raw)
        assert rig.intake.mails()[0]["raw"] == raw


def test_s2_words_injected_before_tls_are_never_heard(
    rig: Rig, certificate: tuple[Path, Path]
) -> None:
    with rig, rig.greeted() as client:
        client.send(b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\n")
        client.expect("554 5.5.0")
        assert client.at_end()


def test_s2_tls_forgets_the_envelope_and_the_name(rig: Rig, certificate: tuple[Path, Path]) -> None:
    with rig, rig.greeted() as client:
        client.ask("MAIL FROM:<evil@example.net>", "250")
        client.ask("RCPT TO:<support@example.org>", "250")
        in_tls(client, certificate[0])
        client.ask("DATA", "503")
        client.ask("MAIL FROM:<alice@example.com>", "503")


def test_a_failed_handshake_ends_the_session_and_no_other(rig: Rig) -> None:
    with rig, rig.greeted() as client, rig.greeted() as other:
        client.ask("STARTTLS", "220")
        client.send(b"this is no TLS at all\r\n" * 20)
        while client.socket.recv(1000):
            pass
        other.ask("NOOP", "250")
        client.close()
        other.ask("QUIT", "221")
        rig.run(rig.listener.stop(5.0))
        assert rig.listener._connections == set()


def test_old_tls_is_not_spoken(certificate: tuple[Path, Path]) -> None:
    assert server_tls(*certificate).minimum_version == ssl.TLSVersion.TLSv1_2


def test_s12_wrong_logins_get_one_answer_and_end_the_session(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    limits = Limits(logins=2, guess_wait=0.0)
    with Rig(
        tmp_path, tls=server_tls(*certificate), verify=Logins(USERS).verify, limits=limits
    ) as rig:
        for attempt in range(3):
            with rig.greeted() as client:
                secure(client, certificate[0])
                name = ("agent@example.org", "nobody@example.org")[attempt % 2]
                answer = client.ask(f"AUTH PLAIN {plain(name, 'guess')}", "535")
                assert answer == "535 5.7.8 Login or password is wrong"
                client.ask(f"AUTH PLAIN {plain(name, 'guess')}", "421 4.7.0")
        with rig.greeted() as client:
            secure(client, certificate[0])
            client.ask(f"AUTH PLAIN {plain('agent@example.org', 'correct horse')}", "454 4.7.0")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("AUTH", "504"),
        ("AUTH CRAM-MD5", "504"),
        ("AUTH PLAIN !!!", "501"),
        ("AUTH PLAIN =", "501"),
        ("AUTH PLAIN " + base64.b64encode(b"a\0b\0c").decode(), "501"),
        ("AUTH PLAIN " + base64.b64encode(b"\0\xff\0c").decode(), "501"),
        ("AUTH LOGIN\r\n*", "501 5.7.0"),
    ],
)
def test_a_broken_login_is_refused(
    rig: Rig, certificate: tuple[Path, Path], said: str, answer: str
) -> None:
    with rig, rig.greeted() as client:
        secure(client, certificate[0])
        client.say(said)
        reply = client.reply()[-1]
        if reply.startswith("334"):
            reply = client.reply()[-1]
        assert reply.startswith(answer)
        client.ask("NOOP", "250")
