"""Guesses: numbers, Message-IDs and tokens that nobody gave their sender (T1, T2, T3).

Whatever is guessed: nothing joins, nobody is copied, and what an outsider can see of a guess that
hit something is what can be seen of one that hit nothing. Time is not compared.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailgate.core import thread, token
from mailgate.core.decision import (
    TO_AGENTS,
    AddParticipant,
    AppendMessage,
    Decision,
    Effect,
    Facts,
    Hold,
    Notify,
    OpenTicket,
    Outcome,
    Prove,
    SentMail,
)
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import Policy
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.token import Key, Purpose, Token
from tests.core.decisions import decided
from tests.core.samples import ANA, DAY, NOW, POLICY, mail, ticket
from tests.flows.rig import House
from tests.flows.threading.clients import CLIENTS
from tests.flows.threading.letters import fresh
from tests.flows.threading.reading import Reading
from tests.flows.threading.talk import SUPPORT, Talk, opened_house

STRANGER = "mallory@evil.test"
KEY = Key(id=7, secret=bytes(range(32)), created=NOW - 30 * DAY)
OLD_KEY = Key(
    id=6, secret=bytes(32), created=NOW - 90 * DAY, retired=NOW - 30 * DAY, valid_until=NOW + DAY
)
KEYS = (KEY, OLD_KEY)
PINNED = replace(POLICY, trust=replace(POLICY.trust, authserv_id="mx.help.test"))
TOKEN = Token(
    purpose=Purpose.REPLY,
    role=Role.REQUESTER,
    key=KEY.id,
    last_day=token.valid_through(NOW, 365),
    number=7,
    holder=token.holder_of("rita@customer.test"),
)
IN_ID = replace(TOKEN, purpose=Purpose.MESSAGE, nonce=b"nonce6")
AGENTS = replace(TOKEN, role=Role.AGENT, holder=token.holder_of(ANA.address))
# Tickets of every kind: open, resolved, closed lately and long ago, of several queues.
STATES: tuple[dict[str, object], ...] = (
    {},
    {"status": "resolved", "queue": "sales"},
    {"status": "closed", "closed": NOW - DAY, "language": "fr"},
    {"status": "closed", "closed": NOW - 400 * DAY},
    {"requester": "", "cc": ()},
    {"assignee": ANA.address, "tags": ("flood",), "muted": ("rita@customer.test",)},
)
MERGED = {number: 7 for number in range(100, 150)}


def there(number: int) -> bool:
    """Whether a ticket of this number exists in the pure tests: two of three do."""
    return number % 3 != 0


def known(given: ParsedMail, envelope: Envelope, policy: Policy = POLICY) -> Facts:
    """What a store with those tickets finds for a mail."""
    keys = thread.keys(given, envelope, policy)
    asked = {n for n in (*keys.numbers, *keys.tickets) if there(n)}
    merged = {n: MERGED[n] for n in asked if n in MERGED}
    views = {merged.get(n, n): _ticket(merged.get(n, n)) for n in asked}
    return Facts(tickets=views, merged=merged, keys=KEYS)


def _ticket(number: int) -> TicketView:
    return ticket(number, **STATES[number % len(STATES)])


def envelope_to(*recipients: str, sender: str = STRANGER) -> Envelope:
    return Envelope(mail_from=sender, rcpt_tos=recipients or ("support@help.test",))


def outside(decision: Decision) -> list[Effect]:
    """What anybody but an agent may ever notice of a decision."""
    told = [e for e in decision.effects if isinstance(e, Notify) and e.notice not in TO_AGENTS]
    people = [e for e in decision.effects if isinstance(e, AddParticipant | Prove)]
    return [*told, *people]


def untouched(decision: Decision) -> None:
    """A new ticket of the sender's own: nothing joined, nothing was held on another's."""
    assert decision.outcome is Outcome.TICKET, decision.reason
    assert isinstance(decision.effects[0], OpenTicket)
    kinds = [e.kind for e in decision.effects if isinstance(e, AppendMessage)]
    assert kinds == [MessageKind.CUSTOMER]
    assert not any(isinstance(e, Hold) for e in decision.effects)


# --- numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "policy", "guesses"),
    [
        pytest.param(STRANGER, POLICY, 5000, id="stranger, nothing pinned (T1)"),
        pytest.param(STRANGER, PINNED, 500, id="stranger, a server pinned (T1)"),
        pytest.param("", POLICY, 500, id="nobody (T1)"),
        pytest.param(ANA.address, PINNED, 500, id="an agent's address alone (C1)"),
    ],
)
def test_5000_guessed_numbers(sender: str, policy: Policy, guesses: int) -> None:
    """A stranger writes `[#N]` for every N: each is a new ticket, and all look the same (T1)."""
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    envelope = envelope_to(sender=sender or STRANGER)
    for number in range(1, guesses + 1):
        given = mail(sender, subject=f"[#{number}] please close", cc=("eve@evil.test",))
        decision = decided(given, known(given, envelope), policy, envelope=envelope)
        untouched(decision)
        seen[there(number)].add(repr(outside(decision)))
    assert seen[True] == seen[False]
    assert len(seen[True]) == 1


def test_numbers_of_every_form_together() -> None:
    """Many numbers in one subject: no more than a few are looked at, and none is joined (T1)."""
    subject = " ".join(f"[#{n}] [HELP#{n}] [OLD#{n}]" for n in range(1, 200))
    given = mail(STRANGER, subject=subject)
    assert len(thread.keys(given, envelope_to(), POLICY).numbers) <= 5
    untouched(decided(given, known(given, envelope_to()), POLICY, envelope=envelope_to()))


# --- Message-IDs -------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [STRANGER, ANA.address], ids=["stranger", "agent's address"])
def test_forged_ids_of_ours(sender: str) -> None:
    """`<mg.N.hex@domain>` of earlier days and `<mg.N@domain>` prove nothing (T2)."""
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    for number in range(1, 500):
        old = f"<mg.{number}.{number:032x}@help.test>"
        pseudo = f"<mg.{number}@help.test>"
        given = mail(sender, in_reply_to=(old,), references=(pseudo, old))
        facts = known(given, envelope_to())
        if there(number):
            # The worst case: such a mail was sent, and its id has come to the stranger's eyes.
            was = SentMail(outbox=1, ticket=number, notice="answer", recipients=(ANA.address,))
            views = {**facts.tickets, number: _ticket(number)}
            facts = replace(facts, sent={old: was}, seen={pseudo: (number,)}, tickets=views)
        decision = decided(given, facts, POLICY, envelope=envelope_to(sender=sender))
        untouched(decision)
        seen[there(number)].add(repr(outside(decision)))
    assert seen[True] == seen[False]


# --- tokens ------------------------------------------------------------------------------


def test_100000_guessed_tokens() -> None:
    """Random ones, and ones that say all the right things over a random MAC (T3)."""
    dice = random.Random(5)  # noqa: S311 - the same guesses each time
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    real = token.seal(TOKEN, KEY), token.seal(IN_ID, KEY)
    payload = 26, 36  # letters that hold all but the MAC
    read = 0
    for n in range(100_000):
        text = real[n % 2]
        # Half of them are a real one's payload, and a MAC that is not its own.
        keep = payload[n % 2] if n % 4 >= 2 else 0
        guess = text[:keep] + "".join(dice.choices(letters, k=len(text) - keep))
        found = (
            token.in_address(f"support+{guess}@help.test")
            if n % 2 == 0
            else token.in_id(f"<mg.{guess}@help.test>")
        )
        if found is not None:
            read += 1
            assert token.fault(found, KEYS, NOW) != ""
    assert read > 10_000, "many have the form of a token, so that the MAC has to tell"
    for text, place in zip(real, ("support+{}@help.test", "<mg.{}@help.test>"), strict=True):
        written = place.format(text)
        sealed = token.in_address(written) or token.in_id(written)
        assert sealed is not None
        assert token.fault(sealed, KEYS, NOW) == "", "the real ones are good"


def _flipped(text: str) -> Iterator[str]:
    """The token with each bit of each of its letters' five turned over."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for at, letter in enumerate(text):
        for bit in range(5):
            other = letters[letters.index(letter) ^ (1 << bit)]
            yield text[:at] + other + text[at + 1 :]


@pytest.mark.parametrize(
    ("made", "sender"),
    [
        pytest.param(TOKEN, STRANGER, id="a stranger's"),
        pytest.param(AGENTS, ANA.address, id="an agent's"),
    ],
)
@pytest.mark.parametrize("place", ["reply address", "Message-ID"])
def test_every_bit_of_a_token_flipped(made: Token, sender: str, place: str) -> None:
    """One bit off, and the mail is what it is without any token: no join, no copy (T3)."""
    made = (
        made
        if place == "reply address"
        else replace(made, purpose=Purpose.MESSAGE, nonce=b"123456")
    )
    text = token.seal(made, KEY)
    without = _with_token("", place, sender)
    good = _with_token(text, place, sender)
    assert good.outcome is not Outcome.TICKET, "with the token it would count"
    for wrong in _flipped(text):
        decision = _with_token(wrong, place, sender)
        untouched(decision)
        assert outside(decision) == outside(without)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token.seal(replace(TOKEN, number=8), KEY), id="another ticket's"),
        pytest.param(token.seal(TOKEN, KEY)[:-1], id="cut"),
        pytest.param(token.seal(TOKEN, KEY) + "a", id="longer"),
        pytest.param(token.seal(TOKEN, replace(KEY, secret=bytes(32))), id="another key's"),
        pytest.param(token.seal(replace(TOKEN, key=99), replace(KEY, id=99)), id="no key's"),
        pytest.param(
            token.seal(replace(TOKEN, last_day=(NOW - DAY).date()), KEY), id="of yesterday"
        ),
        pytest.param(token.seal(replace(TOKEN, purpose=Purpose.RELEASE), KEY), id="to release"),
        pytest.param(token.seal(replace(TOKEN, purpose=Purpose.BOUNCE), KEY), id="a return path"),
        pytest.param(token.seal(IN_ID, KEY), id="a Message-ID's in an address"),
    ],
)
def test_tokens_that_say_something_else(text: str) -> None:
    """Swapped and cut ones join nothing of ticket 7 (T3)."""
    decision = _with_token(text, "reply address", STRANGER)
    assert decision.target != 7


@pytest.mark.parametrize("fold", [str.upper, str.lower, str.swapcase])
def test_a_folded_token_is_good(fold: object) -> None:
    """A server that folds the case of the local part takes nothing away (T3)."""
    assert callable(fold)
    text = fold(token.seal(TOKEN, KEY))
    decision = _with_token(text, "reply address", "rita@customer.test", PINNED)
    assert (decision.outcome, decision.target) == (Outcome.REPLY, 7)


def test_a_key_in_its_grace_time_still_opens() -> None:
    """A token of the key before this one is good until its grace is over (T3, E4)."""
    text = token.seal(replace(TOKEN, key=OLD_KEY.id), OLD_KEY)
    decision = _with_token(text, "reply address", "rita@customer.test", PINNED)
    assert (decision.outcome, decision.target) == (Outcome.REPLY, 7)
    over = replace(OLD_KEY, valid_until=NOW - timedelta(seconds=1))
    decision = _with_token(text, "reply address", "rita@customer.test", PINNED, (KEY, over))
    assert decision.outcome is not Outcome.REPLY


def _with_token(
    text: str,
    place: str,
    sender: str,
    policy: Policy = POLICY,
    keys: tuple[Key, ...] = KEYS,
) -> Decision:
    """A mail whose only evidence is this text, where a token would stand."""
    rcpt = "support@help.test"
    given = mail(sender, date=NOW)
    if text and place == "reply address":
        rcpt = f"support+{text}@help.test"
        given = mail(sender, date=NOW, to=(rcpt,))
    elif text:
        one = f"<mg.{text}@help.test>"
        given = mail(sender, date=NOW, in_reply_to=(one,), references=(one,))
    envelope = envelope_to(rcpt, sender=sender)
    views = {n: ticket(n) for n in (7, 8)}
    asked = thread.keys(given, envelope, policy).tickets
    facts = Facts(tickets={n: views[n] for n in asked if n in views}, keys=keys)
    return decided(given, facts, policy, envelope=envelope)


# --- what is really sent -----------------------------------------------------------------


@pytest.fixture
def opened(sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    with opened_house(sqlite_template, tmp_path / "desk") as house:
        yield house


def test_what_strangers_get_tells_them_nothing(opened: House) -> None:
    """Byte for byte the same, whether the number, id or token hit something (T1, T2, T3)."""
    talk = Talk(house=opened)
    numbers = [_opened(talk, f"rita{n}@customer{n}.example") for n in range(4)]
    opened.change(numbers[1], {"status": "closed"})
    opened.now += timedelta(days=100)
    opened.change(numbers[2], {"status": "closed"})
    there = talk.participants(numbers[0])
    absent = [numbers[-1] + 1000 + n for n in range(4)]
    guesses = {
        "numbers": ([f"[#{n}]" for n in numbers], [f"[#{n}]" for n in absent]),
        "ids": (
            [f"<mg.{n}.{secrets.token_hex(16)}@example.org>" for n in numbers],
            [f"<mg.{n}.{secrets.token_hex(16)}@example.org>" for n in absent],
        ),
        "roots": (
            [f"<mg.{n}@example.org>" for n in numbers],
            [f"<mg.{n}@example.org>" for n in absent],
        ),
        "tokens": ([_off_by_one(talk, numbers[0])], [f"support+{'a' * 47}@example.org"]),
    }
    for kind, (hits, misses) in guesses.items():
        got = [[_told(talk, kind, guess) for guess in some] for some in (hits, misses)]
        assert set(got[0]) == set(got[1]), kind
        assert len(set(got[0])) == 1, kind
        assert got[0][0], "a stranger does get a confirmation, so that this could fail"
    assert talk.participants(numbers[0]) == there


def _opened(talk: Talk, who: str) -> int:
    letter = fresh(who, SUPPORT, "Printer", CLIENTS[0], talk.words("It does not print."))
    number = talk.deliver(letter).ticket
    assert number is not None
    return number


def _off_by_one(talk: Talk, number: int) -> str:
    """The reply address of a ticket's requester, with one letter of its token changed."""
    [rita] = [p for p in talk.participants(number)]
    address = talk.readings(rita)[-1].header("Reply-To").rpartition("<")[2].rstrip(">")
    local, _at, domain = address.partition("@")
    last = "a" if local[-5] != "a" else "b"
    return f"{local[:-5]}{last}{local[-4:]}@{domain}"


def _told(talk: Talk, kind: str, guess: str) -> str:
    """Everything that a new stranger gets for a guess, without what differs between any two."""
    talk.house.now += timedelta(days=1)
    who = f"mallory@evil{len(talk.letters):04}.example"
    subject = f"{guess} please close" if kind == "numbers" else "please close"
    words = talk.words("Close it.")
    to = guess if kind == "tokens" else SUPPORT
    letter = fresh(who, to, subject, CLIENTS[6], words)
    if kind in ("ids", "roots"):
        head = f"In-Reply-To: {guess}\r\nReferences: {guess}\r\n"
        letter = replace(letter, raw=head.encode() + letter.raw)
    came = talk.deliver(letter)
    assert came.outcome is Outcome.TICKET
    return "\n".join(
        _plain(got, who, came.ticket or 0).replace(guess, "<guess>") for got in talk.readings(who)
    )


_RANDOM = re.compile(r"[a-z2-7]{47,56}|={10,}\w+==|\w{3}, \d+ \w{3} \d{4} [\d:]+ [+-]\d{4}")


def _plain(got: Reading, who: str, number: int) -> str:
    """A mail with names for its own number, reader, date, tokens and boundaries."""
    text = got.message.as_string()
    own = got.header("In-Reply-To")
    named = text.replace(f"#{number}", "#N").replace(f"<mg.{number}@", "<mg.N@")
    named = named.replace(who, "you").replace(own, "<yours>")
    named = re.sub(r"evil\d{4}", "evil", named)
    return re.sub(r'boundary="[^"]*"|--[=\w.]{8,}', "boundary", _RANDOM.sub("~", named))
