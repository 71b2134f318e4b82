"""Which tickets a mail of an import shows to be one conversation."""

from __future__ import annotations

import random

import pytest

from mailgate.core.decision import Facts, SentMail
from mailgate.core.mail import ParsedMail
from mailgate.core.relatives import relatives
from tests.core.samples import facts, mail, ticket

TICKETS = tuple(ticket(number) for number in (3, 5, 7, 9))
OURS = SentMail(outbox=1, ticket=9, notice="answer", recipients=("rita@customer.test",))
KNOWN = facts(
    *TICKETS,
    sent={"<ours@help.test>": OURS},
    seen={
        "<three@x.test>": (3,),
        "<five@x.test>": (5,),
        "<seven@x.test>": (7,),
        "<two@x.test>": (8,),
        "<used-twice@x.test>": (5, 7),
        "<once@x.test>": (3, 4),
        "<gone@x.test>": (99,),
        "<new@customer.test>": (3,),
    },
    merged={8: 7, 4: 3},
)


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        pytest.param(mail(message_id="<other@x.test>"), (), id="a new matter"),
        pytest.param(mail(references=("<gone@x.test>",), message_id="<a@x>"), (), id="not there"),
        pytest.param(mail(), (3,), id="an answer to it came first (T9)"),
        pytest.param(mail(has_message_id=False), (), id="an id that we made up"),
        pytest.param(
            mail(in_reply_to=("<seven@x.test>",), references=("<five@x.test>",)),
            (3, 5, 7),
            id="the mail between three threads came last (T9)",
        ),
        pytest.param(
            mail(references=("<two@x.test>",), message_id="<a@x>"), (7,), id="merged (T9)"
        ),
        pytest.param(
            mail(references=("<once@x.test>",), message_id="<a@x>"),
            (3,),
            id="on two tickets, of which one lives on in the other",
        ),
        pytest.param(
            mail(references=("<used-twice@x.test>",), message_id="<a@x>"),
            (5,),
            id="an id on two tickets places, and joins nothing",
        ),
        pytest.param(
            mail(in_reply_to=("<used-twice@x.test>",), references=("<seven@x.test>",)),
            (3, 7),
            id="what is certain beats what is near",
        ),
        pytest.param(
            mail(in_reply_to=("<seven@x.test>",), references=("<ours@help.test>",)),
            (9,),
            id="an answer to us joins nothing to a living ticket",
        ),
    ],
)
def test_which_tickets_are_one(given: ParsedMail, joined: tuple[int, ...]) -> None:
    assert relatives(given, KNOWN) == joined


@pytest.mark.parametrize("seed", range(20))
def test_threads_are_the_same_in_any_order(seed: int) -> None:
    """Union by this rule gives the connected components of the ids (T9)."""
    rng = random.Random(seed)  # noqa: S311 - the same orders each time
    mails = []
    for n in range(60):
        root = n - n % 6
        ids = [f"<{rng.randrange(root, root + 7)}@x>" for _ in range(rng.randrange(3))]
        mails.append(mail(message_id=f"<{n}@x>", references=tuple(ids)))
    found = {frozenset(_partition(rng.sample(mails, len(mails)))) for _ in range(5)}
    assert len(found) == 1


def _partition(mails: list[ParsedMail]) -> set[frozenset[str]]:
    """Import in this order, with tables that are as simple as can be."""
    seen: dict[str, set[int]] = {}
    own: dict[int, list[str]] = {}
    merged: dict[int, int] = {}
    for given in mails:
        known = Facts(
            seen={i: tuple(numbers) for i, numbers in seen.items()},
            tickets={n: ticket(n) for n in own},
            merged=merged,
        )
        home, *others = relatives(given, known) or (len(own) + len(merged) + 1,)
        own.setdefault(home, []).append(given.message_id)
        for other in others:
            own[home] += own.pop(other)
            merged = {n: home if m == other else m for n, m in merged.items()} | {other: home}
        for message_id in (given.message_id, *given.ancestors()):
            seen.setdefault(message_id, set()).add(home)
    return {frozenset(ids) for ids in own.values()}
