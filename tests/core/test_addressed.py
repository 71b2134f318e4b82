"""Who becomes CC by a mail, and who does not and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgate.core.addressed import taken_over
from mailgate.core.mail import Address
from mailgate.core.parse import parse
from mailgate.core.policy import Trust
from mailgate.core.robots import DAEMONS, NO_REPLY, PROGRAMS, is_daemon, is_unread
from tests.core.samples import ANA, POLICY, mail, ticket


def added(*cc: str, **more: Any) -> tuple[str, ...]:
    found, _ = taken_over(mail(cc=cc), ticket(**more), POLICY)
    return tuple(person.addr for person in found)


def why_not(addr: str, **more: Any) -> str:
    found, left_out = taken_over(mail(to=(), cc=(addr,)), ticket(**more), POLICY)
    assert found == ()
    return dict(left_out)[addr]


@pytest.mark.parametrize(
    "addr",
    [
        "dora@other.test",
        "dora@printer.local",
        "dora@localhost",
        "dora@intranet",
        '"dora maar"@other.test',
        "dora+shop@other.test",
        "dora@xn--mnchen-3ya.de",
        "dörä@other.test",
        "o'hara@other.test",
    ],
)
def test_people_anywhere_are_added(addr: str) -> None:
    assert added(addr) == (addr,)


@pytest.mark.parametrize(
    ("addr", "why"),
    [
        ("support@help.test", "one of our own addresses"),
        ("hilfe@help.test", "one of our own addresses"),
        ("SUPPORT+token@Help.Test", "one of our own addresses"),
        (ANA.address, "an agent"),
        ("ana@phone.test", "an agent"),
        ("mailer-daemon@other.test", "nobody reads mail there"),
        ("no-reply@other.test", "nobody reads mail there"),
        ("dora@other..test", "no valid address: An email address cannot have two periods in a row"),
        ("dora@[192.0.2.1]", "no valid address: A bracketed IP address after the @-sign"),
        ("dora@192.0.2.1", "no valid address: its domain ends in a number"),
        ("dora@under_score.test", "no valid address: The part after the @-sign contains invalid"),
        ("dora@-x.test", "no valid address: An email address cannot have a hyphen"),
        ("dora", "no valid address: "),
        (f"{'d' * 65}@other.test", "no valid address: "),
    ],
)
def test_left_out_with_a_reason(addr: str, why: str) -> None:
    found, left_out = taken_over(mail(to=(), cc=(addr,)), ticket(), POLICY)
    assert found == ()
    ((_, said),) = left_out
    assert said.startswith(why)


def test_the_domain_of_reply_addresses_is_ours_L7() -> None:
    policy = replace(POLICY, trust=Trust(reply_domain="reply.help.test"))
    found, left_out = taken_over(mail(to=(), cc=("x@reply.help.test",)), ticket(), policy)
    assert (found, left_out) == ((), (("x@reply.help.test", "one of our own addresses"),))


def test_two_hundred_in_cc_L7() -> None:
    """At most ten are added; our three addresses among them are not, nor do they count."""
    crowd = [f"p{n}@other.test" for n in range(197)]
    cc = ("support@help.test", *crowd[:5], "hilfe@help.test", "sales@help.test", *crowd[5:])
    found, left_out = taken_over(mail(cc=cc), ticket(), POLICY)
    assert [a.addr for a in found] == crowd[: POLICY.max_cc]
    why = dict(left_out)
    assert len(why) == 190
    assert why["sales@help.test"] == "one of our own addresses"
    assert why["p196@other.test"] == "no more than 10 people of one mail"


def test_the_requester_stays_the_requester_T6() -> None:
    """In whatever spelling the requester, a CC or the author stands in To or Cc: nothing new."""
    german = ticket(requester="rita@münchen.de", cc=("Carl@Customer.TEST",))
    given = mail(
        "carl@customer.test",
        to=("RITA@xn--mnchen-3ya.de", "support@help.test"),
        cc=("carl@customer.test", '"rita"@XN--MNCHEN-3YA.DE', "rita@MÜNCHEN.de"),
    )
    found, left_out = taken_over(given, german, POLICY)
    assert (found, left_out) == ((), (("support@help.test", "one of our own addresses"),))


def test_one_person_in_two_spellings_is_added_once_T6() -> None:
    found = added("dora@münchen.de", "Dora@XN--MNCHEN-3YA.de", "dora@xn--mnchen-3ya.de")
    assert found == ("dora@münchen.de",)


def test_look_alikes_are_other_people_A4() -> None:
    cc = ("mike@other.test", "m\u0131ke@other.test")
    assert added(*cc) == cc


def test_who_was_taken_off_stays_off_T7() -> None:
    assert why_not("dora@other.test", removed=("Dora@Other.test",)) == "was taken off this ticket"


def test_the_words_of_a_header_are_read_into_people() -> None:
    raw = (
        b"From: rita@customer.test\r\nTo: support@help.test\r\n"
        b'Cc: "Maar, Dora" <dora@other.test>, friends: a@other.test, b@other.test;\r\n\r\nHi\r\n'
    )
    found, _ = taken_over(parse(raw), ticket(), POLICY)
    assert found[0] == Address(addr="dora@other.test", name="Maar, Dora")
    assert [a.addr for a in found] == ["dora@other.test", "a@other.test", "b@other.test"]


def test_nobody_writes_nobody_is_added() -> None:
    assert taken_over(mail("", to=()), ticket(), POLICY) == ((), ())


@pytest.mark.parametrize(
    "local",
    [
        *NO_REPLY,
        *PROGRAMS,
        "NoReply",
        "no_reply",
        "no.reply",
        "noreply-shop",
        "shop-noreply",
        "alerts.no-reply",
        "noreply+1234",
        "do_not_reply",
        "DoNotReply",
        "bounces+rita=customer.test",
        "bounce-1234",
    ],
)
def test_unread_addresses(local: str) -> None:
    assert is_unread(f"{local}@shop.test")
    assert why_not(f"{local.lower()}@shop.test") == "nobody reads mail there"


@pytest.mark.parametrize(
    "local", ["rita", "reply", "noreen.reply", "no", "nobody.else", "bouncer", "support", "info"]
)
def test_addresses_of_people(local: str) -> None:
    assert not is_unread(f"{local}@shop.test")
    assert not is_daemon(f"{local}@shop.test")


@pytest.mark.parametrize("local", sorted(DAEMONS))
def test_daemons(local: str) -> None:
    assert is_daemon(f"{local.upper()}@shop.test")
