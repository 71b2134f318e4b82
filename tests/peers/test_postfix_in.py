"""Mail from a real Postfix into the listener, over LMTP and over SMTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.mail import Inbound
from mailgate.sources.smtp import Wire
from tests.peers.postfix import Postfix, missing
from tests.shell.smtp_rig import Rig

pytestmark = pytest.mark.peer


class Relay:
    """A Postfix in front of a listener whose store can be made to fail."""

    def __init__(self, rig: Rig, postfix: Postfix) -> None:
        self.rig = rig
        self.postfix = postfix
        self.subject = f"relayed {uuid.uuid4().hex}"

    def send(
        self, body: bytes, rcpts: list[str], *options: str, sender: str = "a@example.com"
    ) -> None:
        """Hand in a mail with a subject that no other test uses."""
        head = f"From: a@example.com\r\nSubject: {self.subject}\r\n\r\n".encode()
        self.postfix.send(head + body, sender, rcpts, options)

    def arrived(self) -> list[dict[str, Any]]:
        """The mails of this test that the listener has taken."""
        return [mail for mail in self.rig.intake.mails() if self.subject.encode() in mail["raw"]]


def fail(_mail: Inbound) -> Future[int]:
    raise OSError(5, "Input/output error")


@pytest.fixture(scope="module", params=list(Wire))
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Rig, Postfix]]:
    if why := missing():
        pytest.skip(why)
    folder: Path = tmp_path_factory.mktemp("listener")
    with Rig(folder, protocol=request.param) as rig:
        smtp = (
            {"relay_transport": f"smtp:[127.0.0.1]:{rig.port}"}
            if request.param is Wire.SMTP
            else {}
        )
        with Postfix(domains=("example.org",), lmtp_port=rig.port, main=smtp) as postfix:
            yield rig, postfix


@pytest.fixture
def relay(pair: tuple[Rig, Postfix]) -> Relay:
    return Relay(*pair)


def test_a_mail_arrives_with_its_envelope_and_bytes(relay: Relay) -> None:
    body = b"first\r\n.\r\n..two dots\r\n\r\n8 bit: \xc3\xbc\xff\r\n" + b"x" * 900 + b"\r\nlast\r\n"
    relay.send(body, ["support@example.org", "sales@example.org"], "BODY=8BITMIME")
    relay.postfix.wait_until_empty()
    (mail,) = relay.arrived()
    assert mail["mail_from"] == "a@example.com"
    assert sorted(mail["rcpt_tos"]) == ["sales@example.org", "support@example.org"]
    assert mail["peer"] == "127.0.0.1"
    assert mail["helo"] == "mta.example.net"
    assert mail["raw"].endswith(f"Subject: {relay.subject}\r\n\r\n".encode() + body)
    assert mail["raw"].startswith(b"Received: from client.example.com ")


def test_the_null_sender_arrives_as_one(relay: Relay) -> None:
    relay.send(b"report\r\n", ["support@example.org"], sender="")
    relay.postfix.wait_until_empty()
    assert [mail["mail_from"] for mail in relay.arrived()] == [""]


def test_an_unknown_recipient_bounces_and_the_known_one_gets_the_mail(relay: Relay) -> None:
    relay.send(b"x\r\n", ["support@example.org", "nobody@example.org"], sender="sales@example.org")
    relay.postfix.wait_until_empty()
    mail, bounce = relay.arrived()
    assert mail["rcpt_tos"] == ["support@example.org"]
    assert (bounce["mail_from"], bounce["rcpt_tos"]) == ("", ["sales@example.org"])
    assert b"550 5.1.1 No such mailbox here" in bounce["raw"]
    assert b"nobody@example.org" in bounce["raw"]


def test_s3_while_the_store_fails_mail_waits_and_comes_once_with_the_next_flush(
    relay: Relay,
) -> None:
    submit, relay.rig.listener._submit = relay.rig.listener._submit, fail
    try:
        relay.send(b"patience\r\n", ["support@example.org", "sales@example.org"])
        relay.postfix.wait_until_deferred()
        assert relay.arrived() == []
    finally:
        relay.rig.listener._submit = submit
    relay.postfix.queue_flush()
    relay.postfix.wait_until_empty()
    (mail,) = relay.arrived()
    assert mail["raw"].endswith(b"\r\n\r\npatience\r\n")
    assert "451 4.3.0 Temporary trouble, please try again later" in relay.postfix.log()


def test_s10_each_recipient_is_answered_so_that_none_is_sent_again(relay: Relay) -> None:
    relay.send(b"x\r\n", ["support@example.org", "sales@example.org", "billing@example.org"])
    relay.postfix.wait_until_empty()
    assert len(relay.arrived()) == 1
    queue_id = relay.postfix.log().rpartition(": removed")[0].rpartition(" ")[2]
    assert relay.postfix.log().count(f"{queue_id}: to=<") == 3
    assert relay.postfix.log().count("status=sent (250 2.0.0 Taken)") >= 3


def test_smtputf8_comes_through(relay: Relay) -> None:
    relay.send(
        "Grüße\r\n".encode(),
        ["support@example.org"],
        "SMTPUTF8",
        "BODY=8BITMIME",
        sender="grüße@example.com",
    )
    relay.postfix.wait_until_empty()
    (mail,) = relay.arrived()
    assert mail["mail_from"] == "grüße@example.com"
