"""Whom and what a command names, and what is said where that is not clear."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.core.moments import minutes
from mailgate.core.naming import Whom, Wrong, addresses, custom_key, tags, ticket_number, whom
from mailgate.core.parse import parse
from mailgate.core.people import Agent
from mailgate.core.policy import Policy
from tests.core.samples import ANA, BEN, POLICY

CARA = Agent(address="c.diaz@agents.test", name="Cara Diaz")
LIMA = Agent(address="c.lima@agents.test", name="Cara Lima")
MANY = replace(
    POLICY, agents=(ANA, BEN, CARA, LIMA), groups={**POLICY.groups, "ben": (ANA.address,)}
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ana", Whom(agent=ANA.address)),
        ("ANA@agents.test", Whom(agent=ANA.address)),
        ("ana@phone.test", Whom(agent=ANA.address)),
        ("Cara Lima", Whom(agent=LIMA.address)),
        ("c.diaz", Whom(agent=CARA.address)),
        ("night", Whom(group="night")),
        ("sales", Whom(queue="sales")),
        ("group:ben", Whom(group="ben")),
        ("queue: sales", Whom(queue="sales")),
        ("nobody", Whom()),
        ("-", Whom()),
    ],
)
def test_whom(written: str, meant: Whom) -> None:
    assert whom(written, MANY) == meant


@pytest.mark.parametrize(
    ("written", "said", "nearest"),
    [
        ("cara", "may be c.diaz@agents.test or c.lima@agents.test", ""),
        ("ben", "may be ben@agents.test or group:ben", ""),
        ("nigth", "is no agent, group or queue here", "#assign night"),
        ("zzz", "is no agent, group or queue here", ""),
        ("group:sales", "is no agent, group or queue here", "#assign sales"),
    ],
)
def test_nobody_is_guessed(written: str, said: str, nearest: str) -> None:
    with pytest.raises(Wrong) as caught:
        whom(written, MANY)
    assert said in str(caught.value)
    assert caught.value.nearest == nearest


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("rita@customer.test", ["rita@customer.test"]),
        ("a@x.test, b@x.test;c@x.test d@x.test", ["a@x.test", "b@x.test", "c@x.test", "d@x.test"]),
        ("Rita Vega <Rita@Customer.Test>", ["rita@customer.test"]),
        ("mailto:rita@customer.test", ["rita@customer.test"]),
        ("a@x.test A@X.test", ["a@x.test"]),
    ],
)
def test_addresses(written: str, found: list[str]) -> None:
    assert [a.addr for a in addresses(written, POLICY)] == found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("rita", "is no address"),
        ("rita@localhost", "is no address"),
        ('"x y"@x.test', "is no address"),
        ("support@help.test", "one of our own"),
        ("support+x@help.test", "one of our own"),
        ("ana@phone.test", "is an agent's address"),
        (",", "no address in it"),
        ("<>", "no address in it"),
    ],
)
def test_what_is_no_address_of_a_customer(written: str, said: str) -> None:
    with pytest.raises(Wrong, match=said):
        addresses(written, POLICY)


def test_tags() -> None:
    assert tags("printer, floor two -urgent", 50) == (("printer", "floor two"), ("urgent",))
    assert tags("-a, -b", 50) == ((), ("a", "b"))
    for written, said in ((",", "no tag in it"), ("-", "no tag in it"), ("x" * 51, "at most")):
        with pytest.raises(Wrong, match=said):
            tags(written, 50)


@pytest.mark.parametrize(
    ("written", "found"),
    [("1001", ("", 1001)), ("#7", ("", 7)), ("into #7", ("into", 7)), ("From 8", ("from", 8))],
)
def test_ticket_numbers(written: str, found: tuple[str, int]) -> None:
    assert ticket_number(written, ("into", "from")) == found
    with pytest.raises(Wrong, match="is no ticket's number"):
        ticket_number(f"{written} x", ("into", "from"))


@pytest.mark.parametrize(
    ("written", "known", "found"),
    [
        ("serial A-113", (), ("serial", "A-113")),
        ("Serial = A 113", (), ("serial", "A 113")),
        ("serial", (), ("serial", "")),
        ("SERIAL x", ("Serial",), ("Serial", "x")),
    ],
)
def test_custom_fields(written: str, known: tuple[str, ...], found: tuple[str, str]) -> None:
    policy: Policy = replace(POLICY, fields=known)
    assert custom_key(written, policy, ("status",)) == found


@pytest.mark.parametrize(
    ("written", "known", "said"),
    [
        ("status open", (), "is no custom field"),
        ("a/b x", (), "letters, digits"),
        ("seral x", ("serial",), "it is one of serial"),
    ],
)
def test_what_is_no_custom_field(written: str, known: tuple[str, ...], said: str) -> None:
    with pytest.raises(Wrong, match=said):
        custom_key(written, replace(POLICY, fields=known), ("status",))


def test_whoever_is_named_is_known_when_they_write() -> None:
    """Addresses of mails are in lower case, whatever capitals a phone puts at their beginning."""
    [carl] = addresses("Carl@Customer.test", POLICY)
    wrote = parse(b"From: Carl@Customer.test\r\n\r\nHello.\r\n").sender
    assert wrote is not None
    assert carl.addr == wrote.addr


@pytest.mark.parametrize(
    "written",
    [
        "carl@customer.test, Dora <dora@customer.test>",
        "carl@customer.test<mailto:carl@customer.test>, dora@customer.test",
        "Carl <carl@customer.test>; dora@customer.test",
        '"Carl, the boss" <carl@customer.test> dora@customer.test',
    ],
)
def test_an_address_beside_one_in_angle_brackets_was_left_out(written: str) -> None:
    found = [one.addr for one in addresses(written, POLICY)]
    assert found == ["carl@customer.test", "dora@customer.test"]


@pytest.mark.parametrize("minus", "-−–—")
def test_a_minus_that_a_phone_made_longer_put_a_tag_on(minus: str) -> None:
    assert tags(f"printer, {minus}urgent", 40) == (("printer",), ("urgent",))
    assert tags(f"printer {minus}urgent", 40) == (("printer",), ("urgent",))
    assert minutes(f"{minus}5m") == -5
