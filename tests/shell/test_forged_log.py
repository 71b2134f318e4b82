"""E5: what strangers write cannot forge a log line, fill the log, or bring a secret into it."""

from __future__ import annotations

import base64
import io
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailgate import journal
from tests.peers.daemon_rig import PATIENCE, QUEUE, Serving, Site, mail, until
from tests.peers.relay_sink import RelaySink

LINE = 4096  # octets that no line of the log exceeds
FORGED = '{"at": "2026-11-22T08:00:00.000+00:00", "level": "info", "event": "forged"}'
STEER = f"\x1b]0;owned\x07\x1b[2J\u0085{FORGED}\u2028\x9b31m\x7f"
PASSWORD = "correct-horse-battery"
TOKEN = "eyJhbGciOiJub25lIn0.planted.token"
BODY = "the-words-of-the-body"
SUBJECT = "the-words-of-the-subject"


@contextmanager
def session(port: int) -> Iterator[tuple[socket.socket, io.BufferedReader]]:
    """An SMTP session in octets, after the greeting."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as one, one.makefile("rb") as said:
        said.readline()
        yield one, said


def reply(said: io.BufferedReader) -> bytes:
    """The last line of a reply."""
    while (line := said.readline())[3:4] == b"-":
        pass
    return line


def say(port: int, *commands: bytes) -> list[bytes]:
    """Send commands, one at a time; the replies, up to where the other side hung up."""
    replies = []
    with session(port) as (one, said):
        for command in commands:
            one.sendall(command + b"\r\n")
            replies.append(reply(said))
            if not replies[-1]:
                break
    return replies


def send_forged(port: int) -> None:
    """HELO, sender, recipient, login and header: each steers a terminal or ends a line."""
    steer = STEER.encode()
    forged = b"x\n" + FORGED.encode() + b"\r" + FORGED.encode()
    login = base64.b64encode(f"\0carmen\0{PASSWORD}".encode())
    for name in (steer, forged, b"x" * 900):
        say(port, b"EHLO " + name)
        say(port, b"EHLO a.example", b"MAIL FROM:<" + name + b"@example.com>")
        rcpt = b"RCPT TO:<" + name + b"@example.com>"
        say(port, b"EHLO a.example", b"MAIL FROM:<carmen@example.com>", rcpt)
        say(port, b"EHLO a.example", name)
    say(port, b"EHLO a.example", b"AUTH PLAIN " + login, b"AUTH PLAIN", login)
    for length in (10, 1_000_000):
        data = forged_mail(length) + b"\r\n."
        to = f"RCPT TO:<{QUEUE}>".encode()
        envelope = (b"EHLO a.example", b"MAIL FROM:<carmen@example.com>", to)
        assert say(port, *envelope, b"DATA", data)[-1].startswith(b"250")


def forged_mail(length: int) -> bytes:
    """A mail with what steers a terminal in each header; the subject has so many octets more."""
    steer = STEER.encode()
    head = [
        b'From: "' + steer + b'" <carmen@example.com>',
        b"To: " + QUEUE.encode(),
        b"Subject: " + SUBJECT.encode() + steer + b"x" * length,
        b"Message-ID: <" + steer.replace(b" ", b"") + b"@example.com>",
        b"References: <" + steer + b"@example.com>",
        b"Authorization: Bearer " + TOKEN.encode(),
        b"",
        BODY.encode() + steer,
    ]
    return b"\r\n".join(head)


def test_e5_what_strangers_write_forges_no_line_and_brings_no_secret(tmp_path: Path) -> None:
    with RelaySink(login=("support", PASSWORD)) as relay:
        answer = f"550 5.1.1 no such user {STEER}\r{FORGED} {'x' * 3000}"
        relay.script("RCPT", answer)
        way_out = f'[[relay]]\nhost = "127.0.0.1"\nport = {relay.port}\ntls = "none"\n'
        login = f'username = "support"\npassword = "{PASSWORD}"\n'
        with Serving(tmp_path, Site(extra=way_out + login)) as serving:
            send_forged(serving.site.smtp)
            strange = f"<{chr(0xE0001) * 200}@example.com>"
            serving.send(
                mail("plain", body=BODY)
                .replace(b"Message-ID: ", b"X-Id: ")
                .replace(b"\r\n\r\n", f"\r\nMessage-ID: {strange}\r\n\r\n".encode(), 1)
            )
            serving.settled(3)
            assert serving.outcomes()["ticket"] >= 1
            until("an answer of the relay", lambda: '"attempted"' in serving.log())
        log = serving.log_path.read_bytes()
    assert relay.seen("AUTH")
    assert log.endswith(b"\n")
    lines = log[:-1].split(b"\n")
    events = [json.loads(line)["event"] for line in lines]
    assert {"settled", "attempted", "refused"} <= set(events)
    assert "forged" not in events
    assert max(map(len, lines)) <= LINE
    text = log.decode().replace("\n", "")
    assert [c for c in text if not c.isprintable()] == []
    encoded = base64.b64encode(f"\0carmen\0{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, encoded, TOKEN, BODY, SUBJECT):
        assert secret not in text


@pytest.mark.parametrize("character", ["\x1b", "\u0085", "\u2028", "\U000e0001", '"', "\\", "🜁"])
def test_e5_a_line_stays_short_whatever_its_fields_are_made_of(character: str) -> None:
    log = logging.getLogger("mailgate")
    before = (log.handlers[:], log.level, log.propagate)
    stream = io.StringIO()
    try:
        journal.configure(stream)
        flood = character * 1_000_000
        journal.refused(source=flood, why=flood, peer=flood)
    finally:
        log.handlers[:], level, log.propagate = before
        log.setLevel(level)
        journal.COUNTS.pop(("refused", flood), None)
    line, _end = stream.getvalue().split("\n")
    assert len(line.encode()) <= LINE
    assert line.isprintable()
    assert json.loads(line)["event"] == "refused"
