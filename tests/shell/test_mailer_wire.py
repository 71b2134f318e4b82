"""O7: what goes over the wire, and what cannot go over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.mailer.session import wire
from tests.peers.relay_sink import RelaySink
from tests.shell.mailer_rig import BODY, Desk, relay

HEAD = b"To: ann@example.net\r\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def sink() -> Iterator[RelaySink]:
    with RelaySink() as sink:
        yield sink


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (b"", b"\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\r\n.\n", b"a\r\n..\r\n"),
        (b"..\r\n.a\r\n", b"...\r\n..a\r\n"),
        (b"a\r\r\nb", b"a\r\n\r\nb\r\n"),
        (b"a . b\r\n", b"a . b\r\n"),
    ],
)
def test_lines_end_in_crlf_and_dots_are_stuffed(given: bytes, sent: bytes) -> None:
    assert wire(given) == sent


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        pytest.param(b".\r\n..\r\n.hidden\r\n", b".\r\n..\r\n.hidden\r\n", id="dots"),
        pytest.param(b"a\n.\nMAIL FROM:<x>\n", b"a\r\n.\r\nMAIL FROM:<x>\r\n", id="bare LF"),
        pytest.param(b"a\r.\rRCPT\r", b"a\r\n.\r\nRCPT\r\n", id="bare CR"),
        pytest.param(b"no end of line", b"no end of line\r\n", id="no end of line"),
        pytest.param(b"x" * 300_000 + b"\r\n.\r\n", b"x" * 300_000 + b"\r\n.\r\n", id="long"),
    ],
)
def test_o7_no_body_ends_the_data_early(
    desk: Desk, sink: RelaySink, body: bytes, arrives: bytes
) -> None:
    desk.queue("ann@example.net", raw=b"Subject: x\r\n\r\n" + body)
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    (mail,) = sink.mails
    assert mail.data == HEAD + b"Subject: x\r\n\r\n" + arrives
    assert sink.seen("MAIL") == 1


def test_a_big_mail_arrives_whole(desk: Desk, sink: RelaySink) -> None:
    body = b"".join(b"%07d .\r\n.\r\n" % number for number in range(700_000))
    desk.queue("ann@example.net", raw=BODY + body[:9_000_000])
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    assert sink.mails[0].data.rstrip() == (HEAD + BODY + body[:9_000_000]).rstrip()
    assert sink.mails[0].options == f"SIZE={len(HEAD + BODY) + 9_000_000}"


def test_o7_8_bit_is_announced(desk: Desk, sink: RelaySink) -> None:
    desk.queue("ann@example.net", raw="Subject: x\r\n\r\nGrüße\r\n".encode())
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    assert sink.mails[0].options.endswith(" BODY=8BITMIME")


def test_o7_utf8_addresses_are_announced(desk: Desk, sink: RelaySink) -> None:
    desk.queue("jörg@example.net")
    with desk.sending(relay(sink)):
        desk.wait_for("jörg@example.net", "sent")
    assert sink.mails[0].rcpt_tos == ("jörg@example.net",)
    assert sink.mails[0].options.endswith(" BODY=8BITMIME SMTPUTF8")


@pytest.mark.parametrize(
    ("address", "raw", "offers", "code", "text"),
    [
        pytest.param(
            "jörg@example.net", BODY, ["8BITMIME"], 553, "does not offer SMTPUTF8", id="utf8"
        ),
        pytest.param(
            "ann@example.net",
            b"Subject: x\r\n\r\n\xc3\xbc\r\n",
            ["SIZE"],
            554,
            "does not offer 8BITMIME",
            id="8-bit to a 7-bit relay",
        ),
        pytest.param("ann@example.net", BODY, ["SIZE 50"], 552, "the relay takes 50", id="size"),
        pytest.param("a b@example.net", BODY, ["SIZE 0"], 553, "cannot be written", id="space"),
        pytest.param(
            "a@example.net>\r\nRSET", BODY, ["SIZE"], 553, "cannot be written", id="injection"
        ),
    ],
)
def test_o7_what_the_relay_cannot_take_fails_at_once(
    desk: Desk, sink: RelaySink, address: str, raw: bytes, offers: list[str], code: int, text: str
) -> None:
    sink.offers = offers
    desk.queue(address, raw=raw)
    with desk.sending(relay(sink)):
        row = desk.wait_for(address, "failed")
    assert row.code == code
    assert text in row.text
    assert desk.events("undeliverable") == [address]
    assert sink.seen("MAIL") == 0


def test_too_big_said_at_mail_is_final(desk: Desk, sink: RelaySink) -> None:
    sink.script("MAIL", "552 5.3.4 message size exceeds fixed limit")
    desk.queue("ann@example.net")
    with desk.sending(relay(sink)):
        assert desk.wait_for("ann@example.net", "failed").code == 552


def test_the_null_sender(desk: Desk, sink: RelaySink) -> None:
    desk.queue("ann@example.net", mail_from="", automatic=True)
    with desk.sending(relay(sink)):
        desk.wait_for("ann@example.net", "sent")
    assert sink.mails[0].mail_from == ""
