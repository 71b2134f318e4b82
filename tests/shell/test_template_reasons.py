"""Why a mail is held, in plain words: no reason that the core gives is without them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from mailgate.core.authorise import Question, standing
from mailgate.core.people import Agent, Author, Power, Role, Stamp
from mailgate.core.policy import Policy, Trust
from mailgate.core.proofs import Claim, Proof
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose, Sealed, Token, holder_of
from mailgate.render import SAMPLES
from tests.shell.notice_rig import RENDERER, TEMPLATES

LANGUAGES = ("en", "de", "es", "fr", "it", "pt")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ANA = Agent(address="ana@example.org", queues=("support",))
BEN = Agent(address="ben@example.org", queues=("sales",))
TICKETS = (
    TicketView(
        number=7,
        subject="x",
        status="open",
        priority="normal",
        queue="support",
        requester="rita@example.com",
        removed=("carl@example.net",),
    ),
)
PEOPLE = (
    "ana@example.org",
    "ben@example.org",
    "rita@example.com",
    "carl@example.net",
    "m@evil.test",
)


def tokens() -> Iterator[tuple[Proof, ...]]:
    yield ()
    for address, role, signed in product(PEOPLE[:3], (Role.AGENT, Role.REQUESTER), (True, False)):
        made = Token(
            purpose=Purpose.REPLY,
            role=role,
            key=1,
            last_day=NOW.date(),
            number=7,
            holder=holder_of(address),
        )
        claim = Claim(sealed=Sealed(token=made, text="x"), where="x", signed=signed)
        yield (Proof(claim=claim, number=7),)


def reasons() -> set[str]:
    """Every reason for which a mail can be held."""
    found = set()
    trusts = [Trust(authserv_id=i, require=r) for i, r in product(("", "mx"), ("auto", "strict"))]
    ages = (timedelta(), timedelta(days=9))
    for trust, who, stamp, proofs, age in product(trusts, PEOPLE, Stamp, tokens(), ages):
        policy = Policy(agents=(ANA, BEN), trust=trust)
        proven = ("aligned",) if stamp is Stamp.ALIGNED else ()
        author = Author(
            address=who,
            agent=policy.agent_for(who),
            proofs=proven,
            stamp=stamp,
            stamp_reason=f"stamp is {stamp}",
        )
        asked = Question(author=author, proofs=proofs, policy=policy, date=NOW - age, received=NOW)
        judged = standing(asked, TICKETS[0])
        if judged.power is Power.HOLD:
            found.add(judged.reason)
    return found


WIDENS = "#cc asks for two proofs: an agent, proven by a token"  # of core/answering.py
REASONS = sorted({*reasons(), WIDENS})


def told(language: str, notice: str, note: str) -> str:
    """The text of a notice about a mail held for this reason."""
    done = RENDERER.notice(language, notice, {**SAMPLES["plain"], "note": note})
    assert not done.failures
    return done.text


def test_all_kinds_of_reasons_were_met() -> None:
    keys = tomllib.loads((TEMPLATES / "en" / "words.toml").read_text("utf-8"))["reason"]
    met = {
        key for key, words in keys.items() for r in REASONS if words in told("en", "challenge", r)
    }
    assert met == set(keys)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_for_holding_a_mail_has_plain_words(reason: str) -> None:
    for language in LANGUAGES:
        words = tomllib.loads((TEMPLATES / language / "words.toml").read_text("utf-8"))["reason"]
        for notice in ("challenge", "agent-held"):
            text = told(language, notice, reason)
            assert [w for w in words.values() if w in text], reason
            assert reason not in text


def test_another_reason_is_shown_as_it_is() -> None:
    often = "ana@example.org has been asked 4 times this week: an agent's token alone: x"
    for note in ("something else", often):
        assert note in told("en", "agent-held", note)
    assert not re.search(r"Reason", told("en", "agent-held", ""))
