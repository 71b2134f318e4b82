"""A file too large for a notice, fetched from the running daemon by the link that was mailed."""

from __future__ import annotations

import email
import http.client
import random
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import default
from hashlib import sha256
from pathlib import Path

import pytest

from mailgate.core import token
from tests.peers.daemon_rig import PATIENCE, QUEUE, Serving, Site, mail, until
from tests.peers.relay_sink import RelaySink

ANA = "ana@example.net"
SIZE = 20_000_000
LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+(/file/[a-z2-7]{56})\s")


class WithPages(Site):
    """A site that says where its pages are, and takes larger mails."""

    def toml(self, data: Path) -> str:
        text = super().toml(data)
        url = f'domain = "example.org"\npublic_url = "http://127.0.0.1:{self.web}"\n'
        limits = '[limits]\nmax_size = "40 MiB"\nparse_seconds = 60\n'
        return text.replace('domain = "example.org"\n', url, 1).replace("[limits]\n", limits, 1)


@pytest.fixture
def relay() -> Iterator[RelaySink]:
    with RelaySink() as sink:
        yield sink


def with_file(data: bytes) -> bytes:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"] = "carmen@example.com", QUEUE, "The film"
    one["Message-ID"] = "<film@example.com>"
    one.set_content("Here it is.\n")
    one.add_attachment(data, maintype="video", subtype="mp4", filename="film.mp4")
    return one.as_bytes().replace(b"\n", b"\r\n")


def fetched(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        wire.request(method, path)
        reply = wire.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        wire.close()


def clicked(port: int, path: str) -> tuple[int, dict[str, str], str]:
    """The same, with the digest in place of many bytes."""
    code, headers, body = fetched(port, path)
    return code, headers, sha256(body).hexdigest()


def linked(relay: RelaySink) -> str:
    """The path of the link that Ana was mailed."""
    until("the notice", lambda: relay.to(ANA))
    notice = email.message_from_bytes(relay.to(ANA)[0].data, policy=default)
    assert isinstance(notice, EmailMessage)
    body = notice.get_body(("plain",))
    assert body is not None
    found = LINK.search(body.get_content())
    assert found is not None
    return found[1]


def test_twenty_megabytes_come_whole_and_many_clicks_stop_no_mail(
    tmp_path: Path, relay: RelaySink
) -> None:
    data = random.Random(5).randbytes(SIZE)  # noqa: S311
    site = WithPages(relay=relay.port)
    with Serving(tmp_path, site) as daemon:
        daemon.send(with_file(data))
        daemon.settled(1, PATIENCE * 2)
        path = linked(relay)
        code, headers, body = fetched(site.web, path)
        assert (code, len(body), sha256(body).digest()) == (200, SIZE, sha256(data).digest())
        assert headers["content-length"] == str(SIZE)
        assert headers["content-type"] == "application/octet-stream"
        assert fetched(site.web, path, "HEAD")[1]["content-length"] == str(SIZE)
        with ThreadPoolExecutor(24) as many:
            clicks = [many.submit(clicked, site.web, path) for _ in range(24)]
            daemon.send(*(mail(f"mail {n}") for n in range(5)))
            daemon.settled(6)
            answers = [click.result() for click in clicks]
        codes = [code for code, _, _ in answers]
        assert 200 in codes
        assert set(codes) <= {200, 503}
        assert {seen for code, _, seen in answers if code == 200} == {sha256(data).hexdigest()}
        assert all(h["retry-after"] == "5" for code, h, _ in answers if code == 503)
        assert fetched(site.web, path)[0] == 200  # every place is free again
        assert fetched(site.web, f"{path[:-1]}{'a' if path[-1] != 'a' else 'b'}")[0] == 404
        slow = socket.create_connection(("127.0.0.1", site.web))
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert slow.recv(12) == b"HTTP/1.1 200"
    # ... and who still reads does not keep the daemon from its end.
    slow.close()
    log = daemon.log()
    assert token.hidden(log) == log
    assert '"fetched"' in log
