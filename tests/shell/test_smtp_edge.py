"""S4 and the end on the real daemon: clients that hang up, and SIGTERM while mail comes in."""

from __future__ import annotations

import signal
import smtplib
import socket
import struct
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailgate.core.decision import Outcome
from tests.peers.daemon_rig import Serving, Site, mail
from tests.shell.smtp_rig import Client

pytestmark = pytest.mark.peer

HOWS = ("fin", "reset", "half-close")
AFTER_MS = (0, 50, 100, 500, 1000, 2000)


def begin(port: int) -> Client:
    """A conversation up to the 354."""
    client = Client(port)
    client.expect("220")
    client.ask("EHLO client.example.com", "250")
    client.ask("MAIL FROM:<alice@example.com>", "250")
    client.ask("RCPT TO:<support@example.org>", "250")
    client.ask("DATA", "354")
    return client


def hang_up(client: Client, how: str) -> None:
    """Leave without having read the answer."""
    if how == "half-close":
        client.socket.shutdown(socket.SHUT_WR)
        client.expect("250")
    if how == "reset":
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_s4_a_client_that_hangs_up_and_comes_again_makes_one_ticket(tmp_path: Path) -> None:
    cases = [(how, after) for how in HOWS for after in AFTER_MS]
    with Serving(tmp_path, Site()) as daemon:

        def deliver(case: tuple[str, int]) -> None:
            how, after = case
            raw = mail(f"{how} {after}", message_id=f"<{how}.{after}@example.com>")
            client = begin(daemon.site.smtp)
            client.send(raw + b".\r\n")
            time.sleep(after / 1000)
            hang_up(client, how)
            with smtplib.SMTP("127.0.0.1", daemon.site.smtp, timeout=30) as again:
                again.sendmail("alice@example.com", ["support@example.org"], raw)

        with ThreadPoolExecutor(len(cases)) as pool:
            list(pool.map(deliver, cases))
        rows = daemon.settled(len(cases))
        outcomes = Counter((row.message_id, row.outcome) for row in rows)
        for how, after in cases:
            message_id = f"<{how}.{after}@example.com>"
            assert outcomes.pop((message_id, Outcome.TICKET)) == 1
            assert outcomes.pop((message_id, Outcome.DUPLICATE), 0) <= 1
        assert not outcomes
        daemon.balanced()


def test_s5_sigterm_lets_a_mail_under_way_be_taken(tmp_path: Path) -> None:
    raw = mail("slow but steady", body="x" * 70 + "\n")
    with Serving(tmp_path, Site()) as daemon:
        assert daemon.process is not None
        with begin(daemon.site.smtp) as slow, Client(daemon.site.smtp) as idle:
            idle.expect("220")
            slow.send(raw[:100])
            daemon.process.send_signal(signal.SIGTERM)
            idle.expect("421 4.3.2")  # so the daemon has heard of it
            with pytest.raises(ConnectionRefusedError):
                Client(daemon.site.smtp)
            slow.send(raw[100:] + b".\r\n")
            slow.expect("250 2.0.0")
            slow.expect("421 4.3.2")
        daemon.stop()
        daemon.start()
        (row,) = daemon.settled(1)
        assert row.outcome == "ticket"


def test_s5_sigterm_cuts_a_mail_that_does_not_end(tmp_path: Path) -> None:
    with Serving(tmp_path, Site()) as daemon:
        assert daemon.process is not None
        with begin(daemon.site.smtp) as endless:
            endless.send(b"Subject: never\r\n")
            stopped = threading.Event()

            def drip() -> None:
                while not stopped.wait(0.05):
                    try:
                        endless.send(b"drip\r\n")
                    except OSError:
                        return

            dripping = threading.Thread(target=drip)
            dripping.start()
            daemon.stop()  # asserts the time, the status and the log
            stopped.set()
            dripping.join()
            assert endless.at_end()
        daemon.start()
        assert daemon.rows() == []
