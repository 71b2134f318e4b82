"""Which ticket a mail goes to: the order of the evidence, and for whom it counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailgate.core.decision import Facts, SentMail
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Power
from mailgate.core.policy import Policy
from mailgate.core.thread import keys, subject_numbers
from tests.core.decisions import placed
from tests.core.samples import (
    ANA,
    DAY,
    ENVELOPE,
    FIRST,
    NOW,
    OURS,
    PINNED,
    POLICY,
    TO_ANA,
    facts,
    mail,
    our_id,
    reply_to,
    stamped,
)
from tests.core.samples import ticket as seven

EIGHT = seven(8)
NINE = seven(9)
OTHERS = seven(8, requester="olga@customer.test", cc=())
OURS_8 = our_id("rita@customer.test", 8)
SENT_8 = SentMail(outbox=9, ticket=8, notice="answer", recipients=("rita@customer.test",))
OLD = "<mg.8.c0ffee@help.test>"  # in the form of earlier days, without a token
KNOWN = facts(
    seven(),
    EIGHT,
    NINE,
    sent={**facts().sent, OURS_8: SENT_8, OLD: SENT_8},
    seen={FIRST: (7,), "<nine@customer.test>": (9,), "<both@customer.test>": (8, 9)},
)
GUARDED = facts(seven(), OTHERS, sent=KNOWN.sent, seen={FIRST: (7,), "<both@customer.test>": (8,)})
WITHIN = seven(status="closed", closed=NOW - 14 * DAY)
AFTER = seven(status="closed", closed=NOW - 14 * DAY - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("given", "number", "how"),
    [
        pytest.param(mail(), None, "new", id="a new matter"),
        pytest.param(mail(in_reply_to=(OURS,)), 7, "our Message-ID in In-Reply-To", id="our mail"),
        pytest.param(
            mail(references=("<x@y>", OURS, "<z@y>")),
            7,
            "our Message-ID in References",
            id="further up",
        ),
        pytest.param(
            mail(references=(FIRST, "<x@y>")),
            7,
            "refers to an earlier mail of it",
            id="a mail of theirs",
        ),
        pytest.param(
            mail(message_id=FIRST), 7, "an earlier mail refers to this one", id="overtaken (T9)"
        ),
        pytest.param(mail(subject="Re: [#7] x"), 7, "subject token #7", id="subject only"),
        pytest.param(mail(in_reply_to=("<x@y>",)), None, "new", id="an id nobody knows"),
        pytest.param(mail(subject="[#10000] x"), None, "new", id="a ticket that is not there"),
        pytest.param(mail(text=f"[#7] {OURS}", quoted=OURS), None, "new", id="quoted only (T10)"),
        # --- the order (T8)
        pytest.param(
            mail(in_reply_to=("<nine@customer.test>",), references=(OURS_8,)),
            8,
            "our Message-ID in References",
            id="our mail further up beats theirs in In-Reply-To",
        ),
        pytest.param(
            mail(in_reply_to=(OURS,), references=(OURS_8,)),
            7,
            "our Message-ID in In-Reply-To",
            id="In-Reply-To is nearer than References",
        ),
        pytest.param(
            mail(references=(OURS_8, OURS)),
            7,
            "our Message-ID in References",
            id="the last of References is nearest",
        ),
        pytest.param(
            mail(subject="[#8] x", references=(FIRST,)),
            7,
            "refers to an earlier mail of it",
            id="id over token",
        ),
        pytest.param(
            mail(message_id=FIRST, references=("<nine@customer.test>",)),
            9,
            "refers to an earlier mail of it",
            id="what it refers to over what refers to it",
        ),
        pytest.param(
            mail(message_id=FIRST, subject="[#8]"),
            7,
            "an earlier mail refers to this one",
            id="what refers to it over the token",
        ),
        pytest.param(
            mail(subject="[#9] [#8]"), 9, "subject token #9", id="the first of two tokens"
        ),
        pytest.param(
            mail(in_reply_to=("<both@customer.test>",)),
            8,
            "refers to an earlier mail of it",
            id="an id on two tickets: the older one",
        ),
        pytest.param(
            mail(message_id=FIRST, has_message_id=False),
            None,
            "new",
            id="an id that we made up ourselves is no evidence",
        ),
        # --- reply addresses
        pytest.param(
            mail(to=(reply_to("rita@customer.test"),), in_reply_to=(OURS_8,)),
            7,
            "the reply address in To or Cc",
            id="a reply address beats an id of ours (T8)",
        ),
        pytest.param(
            mail(to=(reply_to("rita@customer.test").upper(),)),
            7,
            "the reply address in To or Cc",
            id="in capitals (T3)",
        ),
        pytest.param(
            mail(trail=(("delivered-to", reply_to("rita@customer.test")),)),
            7,
            "the reply address it was delivered to",
            id="in Delivered-To of our own server",
        ),
        pytest.param(
            mail(in_reply_to=(OLD,)), 8, "refers to a mail of ours", id="without a token (T2)"
        ),
    ],
)
def test_order(given: ParsedMail, number: int | None, how: str) -> None:
    found = placed(given, KNOWN)
    assert (found.number, found.how) == (number, how)
    assert found.steps[-1].step == "thread"
    assert f"#{number}" in [s.verdict for s in found.steps] or number is None


def test_other_tickets_of_the_same_people_are_linked_T8() -> None:
    given = mail(in_reply_to=(OURS,), references=(OURS_8,), subject="[#9]")
    found = placed(given, KNOWN)
    assert found.number == 7
    assert found.links == ((8, "also-referred-to"), (9, "also-referred-to"))


def test_other_tickets_that_the_sender_has_no_part_in_are_not_linked_T8() -> None:
    found = placed(mail(in_reply_to=(OURS,), subject="[#8]"), GUARDED)
    assert (found.number, found.links) == (7, ())


def test_a_merged_ticket_is_the_one_it_lives_on_in_T9() -> None:
    known = facts(EIGHT, merged={7: 8}, seen={FIRST: (7,)})
    for given in (mail(in_reply_to=(OURS,)), mail(references=(FIRST,)), mail(subject="[#7]")):
        assert placed(given, known).number == 8


def test_a_mere_thanks_does_not_ask_how_long_a_ticket_has_been_closed() -> None:
    assert placed(mail(in_reply_to=(OURS,)), facts(AFTER)).number is None
    assert placed(mail(in_reply_to=(OURS,)), facts(AFTER), thanks=True).number == 7


@pytest.mark.parametrize(
    ("given", "number", "links"),
    [
        pytest.param(
            mail("mallory@evil.test", in_reply_to=(OLD,)),
            None,
            ((8, "claimed-by-stranger"),),
            id="a stranger with an id of ours without a token (T2)",
        ),
        pytest.param(
            mail("mallory@evil.test", subject="[#7]"),
            None,
            ((7, "claimed-by-stranger"),),
            id="a stranger guesses a number (T1)",
        ),
        pytest.param(
            mail("mallory@evil.test", subject="[#7] [#8]", references=(FIRST,)),
            None,
            ((7, "claimed-by-stranger"), (8, "claimed-by-stranger")),
            id="a stranger with all sorts of evidence",
        ),
        pytest.param(
            mail("", in_reply_to=(FIRST,)), None, ((7, "claimed-by-stranger"),), id="nobody (A1)"
        ),
        pytest.param(
            mail(subject="[#7]", in_reply_to=("<both@customer.test>",)),
            7,
            (),
            id="strong evidence for another's ticket, weak for their own",
        ),
        pytest.param(
            mail(ANA.address, subject="[#7]"),
            None,
            ((7, "claimed-by-stranger"),),
            id="an agent without a proof (C1)",
        ),
        pytest.param(mail(ANA.address, in_reply_to=(TO_ANA,)), 7, (), id="an agent with a proof"),
    ],
)
def test_strangers(
    given: ParsedMail, number: int | None, links: tuple[tuple[int, str], ...]
) -> None:
    found = placed(given, GUARDED)
    assert found.number == number
    assert found.links == links


@pytest.mark.parametrize(
    ("given", "owner"),
    [
        pytest.param(mail("mallory@evil.test", in_reply_to=(OURS,)), "", id="a stranger (T4)"),
        pytest.param(
            mail("no-reply@shop.test", to=(reply_to("rita@customer.test"),)),
            "",
            id="a robot that somebody gave their reply address (T5)",
        ),
        pytest.param(mail("", in_reply_to=(OURS,)), "", id="nobody (A1)"),
        pytest.param(
            mail("mallory@evil.test", in_reply_to=(TO_ANA,)), ANA.address, id="an agent's (A10)"
        ),
    ],
)
def test_a_token_without_its_holder_is_held(given: ParsedMail, owner: str) -> None:
    found = placed(given, GUARDED)
    assert (found.number, found.standing.power) == (7, Power.HOLD)
    assert (found.standing.owner, found.links) == (owner, ())


@pytest.mark.parametrize(
    ("given", "number"),
    [
        pytest.param(mail("carl@customer.test", in_reply_to=(FIRST,)), 7, id="an id"),
        pytest.param(mail("carl@customer.test", subject="[#7]"), 7, id="a subject token"),
        pytest.param(mail("carl@customer.test"), None, id="nothing"),
    ],
)
def test_who_was_removed_is_held_T7(given: ParsedMail, number: int | None) -> None:
    removed = facts(seven(cc=(), removed=("carl@customer.test",)))
    found = placed(given, removed)
    assert found.number == number
    assert found.standing.power is (Power.HOLD if number else Power.LINK)


def test_an_agent_with_a_stamp_alone_is_held_C3() -> None:
    found = placed(mail(ANA.address, subject="[#7]", **stamped()), GUARDED, PINNED)
    assert (found.number, found.standing.power) == (7, Power.HOLD)
    assert found.standing.owner == ANA.address


@pytest.mark.parametrize(
    ("given", "known", "number", "links"),
    [
        pytest.param(mail(in_reply_to=(OURS,)), facts(WITHIN), 7, (), id="on the last day"),
        pytest.param(
            mail(in_reply_to=(OURS,)),
            facts(AFTER),
            None,
            ((7, "follow-up-of-closed"),),
            id="a second too late",
        ),
        pytest.param(
            mail(subject="[#7]"),
            facts(AFTER),
            None,
            ((7, "follow-up-of-closed"),),
            id="too late with a token",
        ),
        pytest.param(
            mail(in_reply_to=(OURS,)),
            facts(seven(status="closed")),
            7,
            (),
            id="closed, nobody knows when",
        ),
        pytest.param(
            mail(in_reply_to=(OURS,)),
            facts(seven(status="resolved", closed=NOW - 99 * DAY)),
            7,
            (),
            id="resolved is not closed",
        ),
        pytest.param(
            mail(in_reply_to=(OURS,), subject="[#8]"),
            facts(AFTER, EIGHT),
            8,
            ((7, "follow-up-of-closed"),),
            id="too late for one, in time for the other",
        ),
        pytest.param(
            mail("mallory@evil.test", subject="[#7]"),
            facts(AFTER),
            None,
            ((7, "claimed-by-stranger"),),
            id="a stranger learns nothing about the date",
        ),
    ],
)
def test_closed_tickets(
    given: ParsedMail, known: Facts, number: int | None, links: tuple[tuple[int, str], ...]
) -> None:
    found = placed(given, known)
    assert (found.number, found.links) == (number, links)


@pytest.mark.parametrize(
    ("given", "known", "number"),
    [
        pytest.param(
            mail("mallory@evil.test", references=(FIRST,)), GUARDED, 7, id="ids at their word"
        ),
        pytest.param(mail(in_reply_to=(OURS,)), facts(AFTER), 7, id="closed long ago"),
        pytest.param(mail("mallory@evil.test", subject="[#7]"), GUARDED, None, id="tokens are not"),
        pytest.param(mail(subject="[#7]"), GUARDED, 7, id="but a participant's are"),
    ],
)
def test_history(given: ParsedMail, known: Facts, number: int | None) -> None:
    assert placed(given, known, history=True).number == number


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        pytest.param("[#7]", (7,), id="plain"),
        pytest.param("Re: [HELP#7] and [help#8]", (7, 8), id="our tag in any case"),
        pytest.param("[OLD#7]", (7,), id="a tag of earlier days"),
        pytest.param("[NEWS#7]", (), id="somebody else's tag"),
        pytest.param("#7 (#7) [7] [# 7] [#7", (), id="no tokens"),
        pytest.param("[#7] [HELP#7]", (7,), id="twice the same"),
        pytest.param("[#1][#2][#3][#4][#5][#6]", (1, 2, 3, 4, 5), id="a guessing game"),
        pytest.param("[#1234567890123]", (), id="too long for a number"),
        pytest.param("[#٧]", (), id="digits of another script"),
    ],
)
def test_subject_numbers(subject: str, numbers: tuple[int, ...]) -> None:
    assert subject_numbers(subject, POLICY) == numbers


def test_a_tag_is_no_regular_expression() -> None:
    policy = Policy(subject_tag="A.C|(")
    assert subject_numbers("[A.C|(#1] [ABC|(#2]", policy) == (1,)


def test_keys_ask_for_all_that_may_place_the_mail() -> None:
    given = mail(
        subject="[#7]",
        in_reply_to=(OURS,),
        references=(FIRST, OURS),
        reported_id="<gone@help.test>",
    )
    found = keys(given, ENVELOPE, POLICY)
    assert found.ids == (OURS, FIRST)
    assert found.tickets == (7,)
    assert (found.own_id, found.reported_id) == ("<new@customer.test>", "<gone@help.test>")
    assert (found.numbers, found.sender) == ((7,), "rita@customer.test")


def test_keys_of_a_mail_without_id_and_author() -> None:
    found = keys(mail("", has_message_id=False), ENVELOPE, POLICY)
    assert (found.own_id, found.sender) == ("", "")
