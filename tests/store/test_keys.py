"""The secrets of tokens: made once, replaced with grace or at once, and never confused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from mailgate.core import token
from mailgate.core.people import Role
from mailgate.core.token import Key, Purpose, Sealed, Token
from store.database import Database
from tests.store.samples import NOW

DAY = timedelta(days=1)


def sealed(key: Key) -> Sealed:
    """A token made with a key, as it comes back."""
    made = Token(
        purpose=Purpose.REPLY,
        role=Role.REQUESTER,
        key=key.id,
        last_day=token.valid_through(NOW, 365),
        number=1001,
        holder=token.holder_of("anna@example.org"),
    )
    found = token.open_(token.seal(made, key))
    assert found is not None
    return found


def keys(database: Database) -> tuple[Key, ...]:
    with database.reading() as tx:
        return tx.keys.all()


def current(database: Database, now: datetime = NOW) -> Key:
    with database.transaction() as tx:
        return tx.keys.current(now)


def rotate(database: Database, now: datetime, grace: timedelta = DAY) -> Key:
    with database.transaction() as tx:
        return tx.keys.rotate(now, grace)


def test_there_is_none_until_one_is_asked_for(database: Database) -> None:
    assert keys(database) == ()
    key = current(database)
    assert (key.id, len(key.secret), key.created) == (1, 32, NOW)
    assert current(database, NOW + DAY) == key
    assert keys(database) == (key,)


def test_nodes_that_make_the_first_key_at_once_get_the_same(database: Database) -> None:
    together = threading.Barrier(4, timeout=20)

    def ask(_: int) -> Key:
        together.wait()
        return current(database)

    with ThreadPoolExecutor(4) as nodes:
        (key,) = set(nodes.map(ask, range(4)))
    assert keys(database) == (key,)


def test_two_who_rotate_at_once_make_two_keys(database: Database) -> None:
    first = current(database)
    together = threading.Barrier(2, timeout=20)

    def change(_: int) -> Key:
        together.wait()
        return rotate(database, NOW)

    with ThreadPoolExecutor(2) as nodes:
        made = list(nodes.map(change, range(2)))
    found = keys(database)
    assert {k.id for k in found} == {first.id, *(k.id for k in made)} == {1, 2, 3}
    assert [k.retired is None for k in found] == [True, False, False]


def test_a_rotated_key_opens_tokens_for_its_grace_time_E4(database: Database) -> None:
    old = current(database)
    before = sealed(old)
    new = rotate(database, NOW, DAY)
    assert (new.id, current(database)) == (2, new)
    assert new.secret != old.secret
    found = keys(database)
    assert [(k.id, k.retired, k.valid_until) for k in found] == [
        (2, None, None),
        (1, NOW, NOW + DAY),
    ]
    assert token.fault(before, found, NOW + DAY) == ""
    late = NOW + DAY + timedelta(seconds=1)
    assert token.fault(before, found, late) == "its key has been withdrawn"
    assert token.fault(sealed(new), found, late) == ""


def test_a_second_rotation_never_lengthens_a_grace_time_E4(database: Database) -> None:
    current(database)
    rotate(database, NOW, DAY)
    rotate(database, NOW + DAY / 2, DAY)
    assert [(k.id, k.valid_until) for k in keys(database)] == [
        (3, None),
        (2, NOW + DAY * 1.5),
        (1, NOW + DAY),
    ]
    rotate(database, NOW + DAY / 2, timedelta(hours=1))
    ends = {k.valid_until for k in keys(database)[1:]}
    assert ends == {NOW + DAY / 2 + timedelta(hours=1)}


def test_an_emergency_revoke_ends_every_token_at_once_E4(database: Database) -> None:
    first = sealed(current(database))
    second = sealed(rotate(database, NOW, DAY * 30))
    with database.transaction() as tx:
        new = tx.keys.revoke_all(NOW)
    found = keys(database)
    assert found[0] == new
    for old in (first, second):
        assert token.fault(old, found, NOW) == "its key has been withdrawn"
    assert token.fault(sealed(new), found, NOW) == ""


def test_a_key_withdrawn_before_stays_withdrawn_since_then(database: Database) -> None:
    current(database)
    with database.transaction() as tx:
        tx.keys.revoke_all(NOW)
        tx.keys.revoke_all(NOW + DAY)
    assert keys(database)[2].valid_until == NOW - timedelta(seconds=1)


def test_ids_go_round_and_never_to_one_that_is_still_believed(database: Database) -> None:
    with database.transaction() as tx:
        tx.keys.current(NOW)
        for n in range(1, 255):
            tx.keys.rotate(NOW + n * DAY, DAY * 10)
        assert tx.keys.current(NOW).id == 255
        # The first key's grace time is over since long; the last ten are still believed.
        again = tx.keys.rotate(NOW + 255 * DAY, DAY * 10)
        assert again.id == 1
        assert len(tx.keys.all()) == 255
        for n in range(256, 300):
            tx.keys.rotate(NOW + n * DAY, DAY * 1000)
        found = tx.keys.all()
    assert [k.id for k in found[:3]] == [45, 44, 43]
    assert len({k.secret for k in found}) == 255


def test_when_all_keys_are_believed_there_is_no_new_one(database: Database) -> None:
    with database.transaction() as tx:
        tx.keys.current(NOW)
        for _ in range(254):
            tx.keys.rotate(NOW, DAY)
        with pytest.raises(RuntimeError, match="all 255 keys"):
            tx.keys.rotate(NOW, DAY)
        assert tx.keys.revoke_all(NOW + DAY).id == 1
