"""O8: TLS is what the configuration says or there is no mail; certificates are verified."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailgate.mailer import Tls
from tests.peers.relay_sink import RelaySink
from tests.shell.mailer_rig import QUICK, Desk, relay

LATER = replace(QUICK, deferred=(timedelta(hours=1),))
LOGIN = {"username": "mailgate", "password": "secret"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """right.pem is for 127.0.0.1, wrong.pem for another host; keys are NAME.key."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("tls")
    for name, subject in (("right", "IP:127.0.0.1"), ("wrong", "DNS:mx.example.com")):
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        words = [*command.split(), "-days", "2", "-subj", "/CN=relay"]
        words += ["-addext", f"subjectAltName={subject}"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run([*words, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.queue("ann@example.net")
    yield desk
    desk.database.close()


def shows(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context with one of the certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_mail_goes_over_verified_tls_and_the_login_inside(
    desk: Desk, certificates: Path, tls: Tls
) -> None:
    context = shows(certificates, "right")
    login = ("mailgate", "secret")
    with RelaySink(tls=context, implicit=tls is Tls.IMPLICIT, login=login) as sink:
        route = relay(sink, tls=tls, ca_file=certificates / "right.pem", **LOGIN)
        with desk.sending(route):
            desk.wait_for("ann@example.net", "sent")
        steps = [step for _connection, step, _argument in sink.steps]
    assert len(sink.mails) == 1
    assert steps.index("AUTH") < steps.index("MAIL")
    if tls is Tls.STARTTLS:
        assert steps.index("STARTTLS") < steps.index("AUTH")


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
@pytest.mark.parametrize(
    ("shown", "trusted"),
    [
        pytest.param("wrong", "wrong", id="another host's name"),
        pytest.param("right", "wrong", id="another authority"),
        pytest.param("right", "", id="not known to the system"),
    ],
)
def test_a_wrong_certificate_gets_no_mail_and_no_password(
    desk: Desk, certificates: Path, tls: Tls, shown: str, trusted: str
) -> None:
    with RelaySink(tls=shows(certificates, shown), implicit=tls is Tls.IMPLICIT) as sink:
        ca_file = certificates / f"{trusted}.pem" if trusted else None
        with desk.sending(relay(sink, tls=tls, ca_file=ca_file, **LOGIN), schedule=LATER):
            row = desk.wait_for("ann@example.net", "deferred")
    assert "certificate verify failed" in row.text
    assert not sink.mails
    assert sink.seen("AUTH") == sink.seen("MAIL") == 0


@pytest.mark.parametrize("answer", ["", "454 4.7.0 not now", "220 go ahead"])
def test_stripped_starttls_gets_no_mail_and_no_password(
    desk: Desk, certificates: Path, answer: str
) -> None:
    # "" does not offer it at all; 220 says yes and goes on in the clear.
    with RelaySink(tls=shows(certificates, "right")) as sink:
        sink.starttls = bool(answer)
        if answer:
            sink.script("STARTTLS", answer)
        route = relay(sink, tls=Tls.STARTTLS, ca_file=certificates / "right.pem", **LOGIN)
        with desk.sending(route, schedule=LATER):
            desk.wait_for("ann@example.net", "deferred")
    assert not sink.mails
    assert sink.seen("AUTH") == sink.seen("MAIL") == 0


def test_no_tls_means_none_even_if_it_is_offered(desk: Desk, certificates: Path) -> None:
    with RelaySink(tls=shows(certificates, "wrong")) as sink, desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    assert sink.seen("STARTTLS") == 0


def test_a_ca_file_that_is_not_there_is_a_delay(desk: Desk, tmp_path: Path) -> None:
    with RelaySink() as sink:
        route = relay(sink, tls=Tls.IMPLICIT, ca_file=tmp_path / "none.pem")
        with desk.sending(route, schedule=LATER):
            row = desk.wait_for("ann@example.net", "deferred")
    assert "No such file" in row.text
