"""Passwords of SMTP AUTH."""

from __future__ import annotations

import pytest

from mailgate.sources import passwords
from mailgate.sources.passwords import Logins, hash_password, verify


def test_a_hash_fits_its_password_only_and_has_its_own_salt() -> None:
    first, second = hash_password("secret"), hash_password("secret")
    assert first != second
    assert verify("secret", first)
    assert verify("secret", second)
    assert not verify("Secret", first)


def test_a_login_is_known_whatever_its_case() -> None:
    logins = Logins({"Agent@Example.org": hash_password("secret")})
    assert logins.verify("agent@example.org", "secret")
    assert not logins.verify("agent@example.org", "wrong")
    assert not logins.verify("nobody@example.org", "secret")


@pytest.mark.parametrize("cost", [(14, 8, 1), (10, 4, 2)])
def test_s12_an_unknown_login_costs_the_same_work(
    cost: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[tuple[int, int, int]] = []
    derive = passwords._derive

    def counting(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
        costs.append(cost)
        return derive(password, salt, cost)

    logins = Logins({"agent@example.org": hash_password("secret", cost)})
    monkeypatch.setattr(passwords, "_derive", counting)
    logins.verify("agent@example.org", "guess")
    logins.verify("nobody@example.org", "guess")
    assert costs == [cost, cost]


@pytest.mark.parametrize(
    "stored",
    ["", "secret", "scrypt$99$8$1$AA==$AA==", "scrypt$14$8$1$!$AA==", "scrypt$x$8$1$AA==$AA=="],
)
def test_a_broken_hash_names_its_login_and_not_itself(stored: str) -> None:
    with pytest.raises(ValueError, match=r"agent@example\.org") as caught:
        Logins({"agent@example.org": stored})
    assert "AA==" not in str(caught.value)
