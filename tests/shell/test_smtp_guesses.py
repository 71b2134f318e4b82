"""Guessing passwords: slower and slower, the same for logins that exist and those that do not."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from mailgate.sources.passwords import Logins, hash_password
from mailgate.sources.smtp import Limits, server_tls
from mailgate.sources.smtp_guesses import _REMEMBERED, Guesses
from tests.shell.smtp_rig import Client, Rig
from tests.shell.test_smtp_renewal import make_pair
from tests.shell.test_smtp_tls import plain, secure

LIMITS = Limits(logins=5, lockout=600.0, guess_wait=8.0)
OWNER = "ana@example.org"


@pytest.mark.parametrize("login", [OWNER, "nobody@example.org"])
def test_s12_waits_grow_with_failures_from_anywhere_up_to_a_limit(login: str) -> None:
    guesses = Guesses(LIMITS)
    waits = []
    for count in range(12):
        waits.append(guesses.wait("192.0.2.200", login, 0.0))
        guesses.begun(f"192.0.2.{count}", login.upper(), 0.0)
    assert waits == [0.0] * 5 + [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert guesses.wait("192.0.2.200", "another@example.org", 0.0) == 0.0
    assert not guesses.bars("192.0.2.200", 0.0)
    assert guesses.wait("192.0.2.200", login, 601.0) == 0.0  # they lapse


def test_s12_where_the_owner_came_in_there_is_no_wait() -> None:
    guesses = Guesses(LIMITS)
    guesses.begun("192.0.2.1", OWNER, 0.0)
    guesses.passed("192.0.2.1", OWNER)
    for count in range(50):
        guesses.begun(f"198.51.100.{count}", OWNER, 0.0)
    assert guesses.wait("192.0.2.1", OWNER, 0.0) == 0.0
    assert guesses.wait("192.0.2.2", OWNER, 0.0) == 8.0
    assert guesses.wait("192.0.2.1", "other@example.org", 0.0) == 0.0


def test_s12_a_network_is_barred_for_a_while_and_a_success_clears_it() -> None:
    guesses = Guesses(LIMITS)
    for at in range(15):
        assert not guesses.bars("192.0.2.1", float(at))
        guesses.begun("192.0.2.1", f"login{at}", float(at))
    assert guesses.bars("192.0.2.1", 15.0)
    assert guesses.bars("192.0.2.1", 613.0)
    assert not guesses.bars("192.0.2.1", 615.0)
    guesses.passed("192.0.2.1", OWNER)
    assert not guesses.bars("192.0.2.1", 15.0)


def test_s12_attempts_that_passed_do_not_count() -> None:
    guesses = Guesses(LIMITS)
    for at in range(100):
        guesses.begun(f"192.0.2.{at}", OWNER, 0.0)
        guesses.passed(f"192.0.2.{at}", OWNER)
    assert guesses.wait("198.51.100.1", OWNER, 0.0) == 0.0


def test_s12_memory_is_bounded_whatever_is_guessed() -> None:
    guesses = Guesses(LIMITS)
    for at in range(_REMEMBERED + 50):
        guesses.begun(f"net {at}", f"{at}" * 3, 0.0)
        guesses.passed(f"home {at}", f"{at}" * 3)
    sizes = (len(guesses._nets), len(guesses._logins), len(guesses._homes))
    assert max(sizes) <= _REMEMBERED


def test_s12_200_guesses_from_5_addresses(tmp_path: Path) -> None:
    make_pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    cert = tmp_path / "cert.pem"
    logins = Logins({OWNER: hash_password("correct horse", (4, 8, 1))})
    judged: Counter[str] = Counter()

    def verify(login: str, password: str) -> bool:
        judged[login] += 1
        return logins.verify(login, password)

    answers: dict[str, Counter[str]] = defaultdict(Counter)
    limits = Limits(guess_wait=0.02)
    with Rig(
        tmp_path, tls=server_tls(cert, tmp_path / "key.pem"), verify=verify, limits=limits
    ) as rig:

        def enter(source: str) -> Client:
            client = rig.greeted(source=source)
            secure(client, cert)
            return client

        for number in range(1, 6):
            for session in range(8):
                with enter(f"127.0.0.{number}") as client:
                    for at in range(5):
                        login = OWNER if (session + at) % 2 else "nobody@example.org"
                        client.say(f"AUTH PLAIN {plain(login, f'guess {at}')}")
                        answers[login][client.reply()[-1]] += 1
        with enter("127.0.0.6") as owner:
            owner.ask(f"AUTH PLAIN {plain(OWNER, 'correct horse')}", "235 2.7.0")
        with enter("127.0.0.3") as barred:
            barred.ask(f"AUTH PLAIN {plain(OWNER, 'correct horse')}", "454 4.7.0")
    known, unknown = answers[OWNER], answers["nobody@example.org"]
    assert known.total() == unknown.total() == 100
    assert set(known) == set(unknown)
    assert {(answer[:9]): count for answer, count in (known + unknown).items()} == {
        "535 5.7.8": 5 * 3 * 4,
        "421 4.7.0": 5 * 3,
        "454 4.7.0": 5 * 25,
    }
    assert judged.total() == 5 * 15 + 1
