"""The page says so when the pinned server no longer stamps what it hands over (E6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.core.decide import Delivery, decide
from mailgate.core.mail import Envelope
from mailgate.core.parse import parse
from mailgate.core.policy import Trust
from store.database import Database, Tx
from tests.core.samples import POLICY, facts
from tests.web_rig import NOON, arrive, served

MINUTE = timedelta(minutes=1)
PINNED = replace(POLICY, trust=Trust(authserv_id="mx.example.org"))
HEADER = "Authentication-Results: mx.example.org; dmarc=none header.from=example.com\r\n"
SAID = (
    "Trust: none of the last 20 mails, over 1 h, had a header of the pinned mail server "
    "(mailgate trust learn)."
)


def take(tx: Tx, stamps: Sequence[bool], every: timedelta, *, pinned: bool = True) -> None:
    """Mails of strangers, oldest first, the last one at noon; with our header, or without."""
    for at, stamped in enumerate(stamps):
        when = NOON - every * (len(stamps) - 1 - at)
        raw = f"{HEADER if stamped else ''}From: rita{at}@example.com\r\nSubject: x\r\n\r\nHi\r\n"
        delivery = Delivery(envelope=Envelope(), received=when, now=when)
        policy = PINNED if pinned else POLICY
        decision = decide(parse(raw.encode()), delivery, facts(), policy)
        tx.inbox.settle(arrive(tx, f"{at} {when}", when), decision, None, when)


@pytest.mark.parametrize(
    ("stamps", "every", "pinned", "said"),
    [
        pytest.param([False] * 20, 4 * MINUTE, True, [SAID], id="none of the last 20"),
        pytest.param([True] * 9 + [False] * 20, 4 * MINUTE, True, [SAID], id="since a while"),
        pytest.param([False] * 19, 10 * MINUTE, True, [], id="too few to tell"),
        pytest.param([False] * 40, MINUTE, True, [], id="a burst"),
        pytest.param([False] * 30 + [True], 4 * MINUTE, True, [], id="mended"),
        pytest.param([False] * 19 + [True, False], 4 * MINUTE, True, [], id="now and then"),
        pytest.param([False] * 30, 4 * MINUTE, False, [], id="nothing is pinned"),
    ],
)
def test_a_server_that_stamps_no_more_is_a_problem_E6(
    sqlite_database: Database, stamps: list[bool], every: timedelta, pinned: bool, said: list[str]
) -> None:
    with served(sqlite_database) as site:
        with site.database.transaction() as tx:
            take(tx, stamps, every, pinned=pinned)
        assert json.loads(site.ask("/healthz").body)["problems"] == said
