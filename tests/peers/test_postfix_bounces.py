"""A real Postfix that cannot deliver our mail, and the reports it writes to our return paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.daemon_rig import QUEUE, Serving, Site, mail, until
from tests.peers.ports import free_port
from tests.peers.postfix import Postfix, missing
from tests.peers.relay_sink import RelaySink, eventually

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(missing()), reason=missing() or "Postfix runs"),
]

CARMEN = "carmen@example.com"
PLUS = '[trust]\nplus_addressing = "yes"\n'
ANSWER = ("ticket", "reply", "1001", "--as", "ana@example.net", "-m", "Done.")


@contextmanager
def desk(folder: Path, **main: str) -> Iterator[tuple[Serving, Postfix, RelaySink]]:
    """A daemon with Carmen's ticket; Postfix brings its mail in and takes what leaves."""
    lmtp = free_port()
    with (
        RelaySink() as world,
        Postfix(
            domains=("example.org",), lmtp_port=lmtp, relay_to=world.port, main=main
        ) as postfix,
        Serving(folder, Site(lmtp=lmtp, relay=postfix.port, extra=PLUS)) as serving,
    ):
        postfix.send(mail("hello"), CARMEN, [QUEUE])
        serving.settled(1)
        serving.quiet()
        postfix.wait_until_empty()
        yield serving, postfix, world


def reports(serving: Serving) -> list[dict[str, Any]]:
    """The bounces on the ticket."""
    [whole] = serving.json("ticket", "show", "1001")
    return [event for event in whole["events"] if event["kind"] == "bounce"]


def answer(serving: Serving) -> None:
    """Ana answers Carmen."""
    done = serving.cli(*ANSWER)
    assert done.returncode == 0, done.stderr


def test_a_dead_address_is_paused_until_it_writes_L4(tmp_path: Path) -> None:
    with desk(tmp_path) as (serving, postfix, world):
        world.script("RCPT", "550 5.1.1 no such person", who=CARMEN, times=1)
        answer(serving)
        [_, row] = serving.settled(2)
        postfix.wait_until_empty()
        [copy] = world.to(CARMEN)[:1]
        [line] = serving.json("outbox", "paused")
        explained = serving.cli("explain", str(row.id)).stdout.decode()
        agents = until(
            "a notice to the agents",
            lambda: [m for m in world.to("ana@example.net") if b"550 5.1.1" in m.data],
        )
        [noted] = reports(serving)
        answer(serving)
        serving.quiet()
        postfix.wait_until_empty()
        assert len(world.to(CARMEN)) == 1, "nothing goes there any more"
        postfix.send(mail("I am back", headers={"References": "<x@y>"}), CARMEN, [QUEUE])
        serving.settled(3)
        assert serving.json("outbox", "paused") == []
        serving.balanced()
    assert copy.mail_from.startswith("support+")
    assert (str(row.outcome), row.envelope.mail_from) == ("bounce", "")
    assert row.envelope.rcpt_tos[0].startswith("support+")
    assert "return path" in explained
    assert (line["address"], "no such person" in line["reason"]) == (CARMEN, True)
    assert len(agents) >= 1
    assert (noted["severity"], noted["status"]) == ("hard", "5.1.1")


def test_a_delay_is_noted_and_pauses_nobody_L4(tmp_path: Path) -> None:
    with desk(tmp_path, delay_warning_time="1s") as (serving, postfix, world):
        world.script("RCPT", "451 4.3.2 come back later", who=CARMEN)
        answer(serving)
        postfix.wait_until_deferred()

        def reported() -> bool:
            postfix.queue_flush()
            return bool(reports(serving))

        eventually(reported, 20)
        [_, row] = serving.settled(2)
        noted = reports(serving)
        paused = serving.json("outbox", "paused")
        told = [m for m in world.to("ana@example.net") if b"come back later" in m.data]
    assert str(row.outcome) == "bounce"
    assert {(event["action"], event["severity"]) for event in noted} == {("delayed", "delay")}
    assert (paused, told) == ([], [])


def test_a_forged_report_over_the_wire_changes_nothing_L5(tmp_path: Path) -> None:
    forged = (
        b"From: MAILER-DAEMON@mta.example.net\r\nTo: support@example.org\r\n"
        b"Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <f@mta.example.net>\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=d\r\n\r\n"
        b"--d\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mta\r\n\r\n"
        b"Final-Recipient: rfc822; carmen@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"--d--\r\n"
    )
    guess = f"support+{'a' * 47}@example.org"
    with desk(tmp_path) as (serving, postfix, world):
        for rcpt in (QUEUE, guess):
            postfix.send(forged.replace(b"<f@", f"<{len(rcpt)}@".encode()), "", [rcpt])
        rows = serving.settled(3)
        answer(serving)
        serving.quiet()
        postfix.wait_until_empty()
        assert serving.json("outbox", "paused") == []
        assert reports(serving) == []
        assert len(world.to(CARMEN)) == 2
    assert [str(row.outcome) for row in rows] == ["ticket", "bounce", "bounce"]
