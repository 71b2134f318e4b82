"""`#split`: which message is meant, what its ticket will be, and what refuses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailgate.core.decision import (
    AddParticipant,
    AddTag,
    AppendMessage,
    Decision,
    Facts,
    Hold,
    LinkTicket,
    Notice,
    Notify,
    Outcome,
    SetField,
    Split,
)
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.parting import LONGEST_SUBJECT, bare
from mailgate.core.people import Role
from mailgate.core.policy import Policy
from mailgate.core.relatives import relatives
from mailgate.core.ticket import MessageKind
from tests.core.decisions import decided, told
from tests.core.samples import (
    ANA,
    BEN,
    FIRST,
    NOW,
    POLICY,
    TO_ANA,
    facts,
    headers,
    mail,
    reply_to,
    rule,
    stored,
    ticket,
)

LOGIN = Envelope(mail_from=ANA.address, rcpt_tos=("support@help.test",), login=ANA.address)
CARL = "carl@customer.test"
RITA = "rita@customer.test"


def by_ana(
    words: str, known: Facts | None = None, policy: Policy = POLICY, **more: Any
) -> Decision:
    """What becomes of Ana's answer to our notice about message 2, which Carl wrote."""
    fields = {"text": words, "visible": words, "in_reply_to": (TO_ANA,), **more}
    return decided(mail(ANA.address, **fields), known or facts(), policy, envelope=LOGIN)


def parted(decision: Decision) -> Split:
    [split] = [e for e in decision.effects if isinstance(e, Split)]
    return split


def wrong(decision: Decision) -> str:
    assert decision.outcome is Outcome.HELD
    assert not any(isinstance(e, Split) for e in decision.effects)
    [hold] = [e for e in decision.effects if isinstance(e, Hold)]
    return hold.why


# --- the new ticket ----------------------------------------------------------------------


def test_the_requester_is_who_wrote_it_and_neither_the_agent_nor_the_old_one() -> None:
    found = by_ana("#split The scanner")
    opened = parted(found).opened
    assert opened.requester is not None
    assert opened.requester.addr == CARL
    assert (opened.subject, opened.queue, opened.status) == ("The scanner", "support", "new")
    assert told(found) == {CARL: "confirmation", ANA.address: "transcript"}
    [confirmation] = [n for n in _notices(found) if n.notice is Notice.CONFIRMATION]
    assert (confirmation.of, confirmation.proven) == (2, True)
    [new] = [n for n in _notices(found) if n.notice is Notice.AGENT_NEW]
    assert (new.of, new.note) == (2, "split off #7 by Ana")


def _notices(decision: Decision) -> list[Notify]:
    return [e for e in decision.effects if isinstance(e, Notify)]


def test_it_comes_first_wherever_its_line_stands() -> None:
    found = by_ana("#tag scanner\n#split")
    assert isinstance(found.effects[0], Split)
    assert AddTag(tag="scanner", because=f"command of {ANA.address}") in found.effects


def test_other_commands_see_the_new_ticket() -> None:
    resolved = facts(ticket(status="closed", cc=(CARL,)))
    found = by_ana(f"#status waiting\n#cc {RITA}\n#split", resolved)  # closed -> waiting is illegal
    assert found.outcome is Outcome.COMMAND
    assert [e.address.addr for e in found.effects if isinstance(e, AddParticipant)] == [RITA]


def test_its_people_and_its_rules_are_those_of_a_mail_that_opens_a_ticket() -> None:
    letter = mail(CARL, cc=("dora@x.test", BEN.address), subject="invoice")
    policy = replace(POLICY, rules=(rule(subject="invoice", category="billing"), rule(ignore="x")))
    opened = parted(by_ana("#split", facts(messages={2: stored(mail=letter)}), policy))
    [dora] = [e.address.addr for e in opened.effects if isinstance(e, AddParticipant)]
    assert dora == "dora@x.test"
    listed = replace(letter, headers=headers(list_id="<users.lists.test>"))
    found = by_ana("#split", facts(messages={2: stored(mail=listed)}))
    assert parted(found).effects == ()
    assert CARL not in told(found)
    ruled = replace(POLICY, rules=(rule(subject="invoice", category="billing"),))
    made = parted(by_ana("#split", facts(messages={2: stored(mail=letter)}), ruled))
    assert [e.value for e in made.effects if isinstance(e, SetField)] == ["billing"]


def test_an_ignoring_rule_loses_no_message() -> None:
    policy = replace(POLICY, rules=(rule(ignore="spam"),))
    assert parted(by_ana("#split", policy=policy)).message == 2


def test_whoever_was_taken_off_the_old_ticket_is_not_put_on_the_new_one() -> None:
    letter = mail(CARL, cc=("gone@x.test",))
    known = facts(ticket(removed=("gone@x.test",)), messages={2: stored(mail=letter)})
    assert parted(by_ana("#split", known)).effects == ()


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        ("Re: [HELP#7] Printer", "Printer"),
        ("AW: Re: [OLD#7] [#8] Printer [HELP#7]", "Printer"),
        ("[users] Printer", "[users] Printer"),
        ("Re: [HELP#7]", ""),
        ("x" * 2000, "x" * LONGEST_SUBJECT),
    ],
)
def test_a_subject_loses_the_number_of_the_old_ticket(subject: str, left: str) -> None:
    assert bare(subject, POLICY) == left


def test_without_a_subject_it_has_that_of_the_message_or_of_the_ticket() -> None:
    assert parted(by_ana("#split")).opened.subject == "Printer"
    empty = facts(ticket(subject="Old"), messages={2: stored(mail=mail(CARL, subject=""))})
    assert parted(by_ana("#split", empty)).opened.subject == "Old"
    assert parted(by_ana('#split "2 scanners"')).opened.subject == "2 scanners"
    assert parted(by_ana("#split 2 scanners")).opened.subject == "scanners"


def test_the_language_is_the_messages_else_the_tickets() -> None:
    spanish = facts(messages={2: stored(mail=mail(CARL, language="es"))})
    assert parted(by_ana("#split", spanish)).opened.language == "es"
    assert parted(by_ana("#split", facts(ticket(language="fr")))).opened.language == "fr"


# --- who is told -------------------------------------------------------------------------


def test_words_are_an_answer_on_the_new_ticket_which_tells_its_number() -> None:
    found = by_ana("#split\n\nHello Carl")
    assert found.outcome is Outcome.REPLY
    assert told(found) == {CARL: "answer", ANA.address: "transcript"}
    [answer] = [at for at, e in enumerate(found.effects) if isinstance(e, AppendMessage)]
    assert found.effects.index(parted(found)) < answer


def test_people_learn_the_number_once() -> None:
    assert told(by_ana("#split\n#close"))[CARL] == "closure"
    assert told(by_ana("#split\n#assign ana"))[CARL] == "confirmation"
    assert "assignment" not in {n.notice.value for n in _notices(by_ana("#split\n#take"))}


def test_whoever_it_is_assigned_to_gets_the_message_and_the_agents_words() -> None:
    cara = replace(BEN, queues=())
    policy = replace(POLICY, agents=(ANA, cara))
    found = by_ana("#split\n#assign ben\n#note\n\nShe called twice.", policy=policy)
    to_ben = [n for n in _notices(found) if any(p.address == cara.address for p in n.to)]
    assert [(n.notice, n.of) for n in to_ben] == [
        (Notice.AGENT_ASSIGNED, 2),
        (Notice.AGENT_MESSAGE, None),
    ]
    assert to_ben[1].words == "She called twice."
    alone = by_ana("#split\n#assign ben", policy=policy)
    assert sum(any(p.address == cara.address for p in n.to) for n in _notices(alone)) == 1


# --- refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message", "why"),
    [
        ("#split", stored(others=0), "only one of a customer"),
        ("#split", stored(kind=MessageKind.NOTE), "message 2 is a note"),
        ("#split", stored(kind=MessageKind.AGENT), "an agent's answer"),
        ("#split", stored(kind=MessageKind.HELD), "held"),
        ("#split", stored(kind=MessageKind.SYSTEM), "an automatic mail"),
        ("#split", stored(sender=ANA.address), "who cannot be a requester"),
        ("#split", stored(sender="support@help.test"), "who cannot be a requester"),
        ("#split", stored(mail=None), "cannot be read"),
        ("#split 3", stored(), "there is no message 3 on this ticket"),
        ("#split", stored(inbox=9), "it is not clear which message"),
        ("#split 2", stored(ticket=8), "message 2 is on #8"),
        ("#split 2", stored(ticket=9), "there is no message 2"),
        (f"#split {'x' * 901}", stored(), "900 characters"),
        ("#split\n#merge 8", stored(), "it contradicts line 1"),
        ("#split\n#undo", stored(), "stands alone"),
    ],
)
def test_refused_with_the_reason(line: str, message: Any, why: str) -> None:
    """Ana does not work in queue sales, and must not learn what is there."""
    policy = replace(POLICY, agents=(replace(ANA, queues=("support",)), BEN))
    known = facts(ticket(), ticket(8), ticket(9, queue="sales"), messages={2: message})
    assert why in wrong(by_ana(line, known, replace(policy, undo_within=timedelta(minutes=1))))


def test_a_number_is_needed_where_no_notice_says_which() -> None:
    found = by_ana("#split", in_reply_to=(), to=(reply_to(ANA.address, role=Role.AGENT),))
    assert "name its number" in wrong(found)
    assert parted(by_ana("#split 2", in_reply_to=(), subject="Re: [HELP#7] x")).message == 2


# --- what is answered later --------------------------------------------------------------


def later(sender: str, holder: str, known: Facts, **more: Any) -> int:
    """Where a mail goes that is sent to somebody's reply address of the old ticket."""
    fields = {"to": (reply_to(holder),), "in_reply_to": ("<m2@x.test>",), **more}
    target = decided(mail(sender, **fields), known).target
    assert isinstance(target, int)
    return target


NEW = ticket(8, requester=CARL, cc=())
APART = facts(ticket(), NEW, seen={FIRST: (7,), "<m2@x.test>": (8, 7)}, parted={8: (7,)})


def test_an_answer_to_the_message_itself_goes_to_the_new_ticket() -> None:
    assert later(CARL, CARL, APART) == 8
    assert later(CARL, CARL, APART, in_reply_to=(), references=(FIRST, "<m2@x.test>")) == 8
    assert later(CARL, CARL, replace(APART, parted={})) == 7


def test_an_answer_to_anything_else_stays_where_it_was() -> None:
    assert later(CARL, CARL, APART, in_reply_to=(FIRST,)) == 7
    assert later(CARL, CARL, APART, in_reply_to=()) == 7
    assert later(CARL, CARL, APART, in_reply_to=(FIRST,), references=("<m2@x.test>",)) == 7


def test_whoever_is_not_on_the_new_ticket_is_not_led_there() -> None:
    assert later(RITA, RITA, APART) == 7


def test_tickets_that_were_parted_are_not_linked_anew() -> None:
    letter = mail(CARL, to=(reply_to(CARL, 8),), references=(FIRST,))
    found = decided(letter, APART)
    assert found.target == 8
    assert not any(isinstance(e, LinkTicket) for e in found.effects)


def test_history_does_not_undo_a_split() -> None:
    both = ParsedMail(
        digest="0" * 64,
        size=1,
        message_id="<x@x.test>",
        in_reply_to=("<m2@x.test>",),
        references=(FIRST,),
        date=NOW,
    )
    assert relatives(both, replace(APART, seen={FIRST: (7,), "<m2@x.test>": (8,)})) == (8,)
    assert relatives(both, replace(APART, seen={FIRST: (7,), "<m2@x.test>": (8,)}, parted={})) == (
        7,
        8,
    )
