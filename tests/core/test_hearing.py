"""Whom the answer to a notice of a side conversation reaches: never the customer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgate.core.decision import (
    TO_CUSTOMER,
    TO_NOBODY,
    Decision,
    Ears,
    Notice,
    Notify,
    Outcome,
    SentCopy,
    Whom,
    aside_to,
)
from mailgate.core.mail import DeliveryReport, ParsedMail
from mailgate.core.people import Power, Role
from mailgate.core.token import Purpose, aside_of, dead_end_of, pair_of
from tests.core.decisions import decided, fields, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    PINNED,
    POLICY,
    TO_ANA,
    facts,
    mail,
    our_id,
    reply_to,
    ticket,
)
from tests.core.side_talk import (
    AT_SAM,
    KIM,
    LOGIN,
    RITA,
    SAM,
    TALK,
    TO_SAM,
    asked,
    by_ana,
    on_seven,
    sent,
    transcript,
)

_SIDE: dict[str, Any] = {"role": Role.AGENT, "purpose": Purpose.SIDE}
AT_NOBODY = reply_to(f"{ANA.address}\0\0", **_SIDE)
AT_DEAD_SAM = reply_to(f"{ANA.address}\0\0{SAM}", **_SIDE)
BY_ID = our_id(f"{ANA.address}\0\0", nonce=b"nonce.", **_SIDE)
DESK = ("support@help.test",)


def ears(decision: Decision, notice: Notice) -> Ears:
    """Of the one such notice."""
    told = [e for e in decision.effects if isinstance(e, Notify)]
    [notify] = [n for n in told if n.notice is notice]
    return notify.ears


# --- a mail is held --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param(mail(KIM, to=(TO_SAM,)), aside_to(SAM), id="at Sam's address"),
        pytest.param(mail(RITA, to=(TO_SAM,)), aside_to(SAM), id="of the customer, at Sam's"),
        pytest.param(mail(SAM, to=(reply_to(RITA),)), aside_to(SAM), id="by Sam at the customer's"),
        pytest.param(
            mail("x@evil.test", to=(reply_to(KIM, role=Role.SIDE, purpose=Purpose.SIDE),)),
            TO_NOBODY,
            id="at the address of who is none any more",
        ),
        pytest.param(mail("x@evil.test", to=(reply_to(RITA),)), TO_CUSTOMER, id="of the ticket"),
        pytest.param(mail(RITA, in_reply_to=("<first@customer.test>",)), TO_CUSTOMER, id="Rita's"),
    ],
)
def test_the_answer_to_a_held_mail_goes_where_the_mail_was_said(
    given: ParsedMail, want: Ears
) -> None:
    found = decided(given, TALK, PINNED)
    assert found.outcome is Outcome.HELD
    assert ears(found, Notice.AGENT_HELD) == want


def test_leads_who_are_shown_an_agents_held_mail_answer_whom_it_was_for() -> None:
    lead = replace(BEN, lead=True)
    policy = replace(PINNED, agents=(ANA, lead))
    often = replace(TALK, challenges=99)
    assert ears(decided(by_ana(), often, policy), Notice.AGENT_HELD) == aside_to(SAM)
    both = by_ana(to=(AT_SAM, reply_to(RITA)))
    assert ears(decided(both, often, policy), Notice.AGENT_HELD) == TO_NOBODY
    public = by_ana(to=(reply_to(ANA.address, role=Role.AGENT),))
    assert ears(decided(public, often, policy), Notice.AGENT_HELD) == TO_CUSTOMER


# --- a mail did not arrive -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notice", "address", "want"),
    [
        pytest.param("side", SAM, Ears(whom=Whom.NOBODY, third=SAM), id="to a third party"),
        pytest.param("agent-side", BEN.address, TO_NOBODY, id="to an agent, of a third party"),
        pytest.param("answer", RITA, TO_CUSTOMER, id="to the customer"),
    ],
)
def test_what_did_not_arrive_is_answered_by_nobody_where_it_was_said_aside(
    notice: str, address: str, want: Ears
) -> None:
    role = Role.SIDE if address == SAM else Role.REQUESTER
    path = reply_to(address, 5, role=role, purpose=Purpose.BOUNCE)
    copy = SentCopy(
        outbox=9, recipient=9, ticket=7, address=address, role=role.value, notice=notice
    )
    report = DeliveryReport(recipient=address, action="failed", status="5.1.1")
    given = mail("mailer-daemon@relay.test", to=(path,), reports=(report,))
    found = decided(given, replace(TALK, copy=copy))
    assert found.outcome is Outcome.BOUNCE
    assert ears(found, Notice.AGENT_BOUNCE) == want


# --- an agent answers nobody -----------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(by_ana("Buy it.", to=(AT_NOBODY,)), id="by the address"),
        pytest.param(by_ana("Buy it.", to=DESK, in_reply_to=(BY_ID,)), id="by the Message-ID"),
        pytest.param(
            by_ana("Buy it.", to=(AT_NOBODY, reply_to(RITA)), in_reply_to=(TO_ANA,)),
            id="with the customer beside it",
        ),
        pytest.param(by_ana("Buy it.", to=(AT_NOBODY, AT_DEAD_SAM)), id="by two of them"),
    ],
)
def test_words_for_nobody_come_back(given: ParsedMail) -> None:
    found = decided(given, TALK, envelope=LOGIN)
    assert (found.outcome, told(found)) == (Outcome.HELD, {ANA.address: "transcript"})
    assert transcript(found).ears.whom is Whom.NOBODY


def test_words_for_an_address_that_takes_no_mail_come_back_and_say_so() -> None:
    found = decided(by_ana("Buy it.", to=(AT_DEAD_SAM,)), TALK)
    assert (found.outcome, told(found)) == (Outcome.HELD, {ANA.address: "transcript"})
    assert f"mail to {SAM} does not arrive" in transcript(found).note
    assert transcript(found).ears == Ears(whom=Whom.NOBODY, third=SAM)
    nobody = decided(by_ana("Buy it.", to=(AT_NOBODY,)), TALK)
    assert "nobody can tell whom your words are for" in transcript(nobody).note


def test_a_dead_end_is_its_agents_proof_all_the_same() -> None:
    for address in (AT_NOBODY, AT_DEAD_SAM):
        assert on_seven(by_ana(to=(address,))) == (Role.AGENT, Power.ACT, 1)
        ben = mail(BEN.address, to=(address,), text="Hello.", visible="Hello.")
        assert told(decided(ben, TALK)) == {ANA.address: "challenge"}
        back = replace(TALK, generations={(7, ANA.address): 1})
        assert on_seven(by_ana(to=(address,)), back)[1] is Power.LINK


def test_there_commands_are_done_and_words_go_where_they_are_sent_to() -> None:
    found = decided(by_ana("#priority high", to=(AT_DEAD_SAM,)), TALK)
    assert (found.outcome, fields(found)) == (Outcome.COMMAND, {"priority": "high"})
    assert transcript(found).ears.whom is Whom.NOBODY
    found = decided(by_ana("#note\n\nHe is gone.", to=(AT_DEAD_SAM,)), TALK, envelope=LOGIN)
    assert (found.outcome, kinds(found)) == (Outcome.NOTE, ["note"])
    words = f"#side {KIM}\n\nHave you got one?"
    found = decided(by_ana(words, to=(AT_DEAD_SAM,)), TALK, envelope=LOGIN)
    assert [p.address for p in sent(found).to] == [KIM]
    assert transcript(found).ears == aside_to(KIM)


# --- what came of an agent's mail ------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "want"),
    [
        pytest.param("#note\n\nHe is slow.", aside_to(SAM), id="a note"),
        pytest.param("#priority high", aside_to(SAM), id="a command alone"),
        pytest.param("#clsoe\n\nHello.", aside_to(SAM), id="a mistake"),
        pytest.param(f"#side {RITA}\n\nHello.", TO_NOBODY, id="nobody can tell who was meant"),
        pytest.param("", aside_to(SAM), id="no words"),
    ],
)
def test_what_came_of_words_aside_is_answered_there(words: str, want: Ears) -> None:
    found = decided(by_ana(words), TALK, envelope=LOGIN)
    assert transcript(found).ears == want


def test_a_mistake_beside_the_name_of_a_third_party_leads_to_no_customer() -> None:
    for words in (f"#side {RITA}\n\nHello.", f"#side {SAM}\n#clsoe\n\nHello."):
        assert transcript(asked(words)).ears == TO_NOBODY
    assert transcript(asked("#clsoe\n\nHello.")).ears == TO_CUSTOMER
    several = f"#side {SAM}, {KIM}\n\nHello."
    assert transcript(asked(several)).ears == TO_NOBODY


def test_help_that_was_asked_for_aside_is_answered_by_nobody() -> None:
    assert ears(decided(by_ana("#help"), TALK), Notice.HELP) == TO_NOBODY
    assert ears(asked("#help"), Notice.HELP) == TO_CUSTOMER


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"Re: [HELP#7] [support] Held: side conversation ({SAM})", id="ours"),
        pytest.param("Re: [HELP#7] [support] Held: Printer", id="an operator's, of the ticket"),
    ],
)
def test_the_subject_of_a_held_notice_does_not_leave_the_house(line: str) -> None:
    known = facts(ticket(sides=(SAM,), subject="Printer"))
    assert sent(decided(by_ana(subject=line), known)).subject == ""


def test_no_two_tokens_of_an_agent_on_a_ticket_are_the_same() -> None:
    holders = [pair_of(ANA.address, SAM), dead_end_of(ANA.address, SAM), dead_end_of(ANA.address)]
    assert len({*holders, pair_of(ANA.address, "")}) == 4
    assert aside_of(ANA.address, (SAM,)) == frozenset(holders)
    assert not aside_of(ANA.address, (SAM,)) & aside_of(BEN.address, (SAM,))
    assert POLICY.agents == (ANA, BEN)
