"""Our mailer, a real Postfix, and behind it a relay that notes what arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailgate.mailer import RelaySettings
from tests.peers.postfix import Postfix, missing
from tests.peers.relay_sink import RelaySink, eventually
from tests.shell.mailer_rig import BODY, QUICK, TIMING, Desk

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(missing()), reason=missing() or "Postfix runs"),
]

PATIENT = replace(TIMING, deadline=15.0, opening=10.0, lease=30.0)
LATER = replace(QUICK, deferred=(timedelta(hours=1),))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@contextmanager
def behind(main: dict[str, str] | None = None) -> Iterator[tuple[RelaySettings, RelaySink]]:
    """A Postfix that hands everything on to a sink."""
    with RelaySink() as sink, Postfix(relay_to=sink.port, main=main or {}) as postfix:
        yield RelaySettings(host="127.0.0.1", port=postfix.port, helo="desk.example.org"), sink


def test_requester_and_cc_get_exactly_one_copy_each(desk: Desk) -> None:
    body = BODY + b".\r\n..\r\n.dots\r\n" + "Grüße\r\n".encode()
    people = ("ann@example.net", "bob@example.com")
    with behind() as (route, sink):
        desk.queue(*people, raw=body)
        with desk.sending(route, timing=PATIENT):
            for address in people:
                desk.wait_for(address, "sent")
        eventually(lambda: len(sink.mails) == 2)
    assert Counter(mail.rcpt_tos for mail in sink.mails) == {(a,): 1 for a in people}
    for address in people:
        (mail,) = sink.to(address)
        assert mail.mail_from == "support@example.org"
        # Postfix puts its Received: on top and touches nothing else.
        assert mail.data.endswith(f"To: {address}\r\n".encode() + body)


def test_many_mails_go_over_few_connections(desk: Desk) -> None:
    addresses = [f"a{number}@example.net" for number in range(150)]
    desk.queue(*addresses)
    with behind() as (route, sink):
        with desk.sending(route, timing=PATIENT):
            eventually(lambda: len(desk.results) == 150, 30)
        eventually(lambda: len(sink.mails) == 150, 30)
    assert {attempt.code for _, attempt, _ in desk.results} == {250}
    assert Counter(mail.rcpt_tos for mail in sink.mails) == {(a,): 1 for a in addresses}


def test_o6_a_postfix_that_does_not_know_us_fails_nothing(desk: Desk) -> None:
    desk.queue("ann@example.net")
    stranger = {
        "mynetworks": "192.0.2.0/24",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    }
    with behind(stranger) as (route, sink):
        with desk.sending(route, timing=PATIENT, schedule=LATER):
            row = desk.wait_for("ann@example.net", "deferred")
        assert not sink.mails
    assert (row.code, row.text) == (554, "5.7.1 <ann@example.net>: Relay access denied")


def test_a_mail_too_big_for_postfix_is_told_at_once(desk: Desk) -> None:
    desk.queue("ann@example.net", raw=BODY + b"x" * 70 * 60)
    small = behind({"message_size_limit": "3000"})
    with small as (route, _sink), desk.sending(route, timing=PATIENT):
        row = desk.wait_for("ann@example.net", "failed")
    assert row.code == 552
