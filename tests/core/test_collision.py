"""An answer that is older than the last public message: held, and settled by one word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from mailgate.core.collision import COLLIDED, STRAY, Order, order
from mailgate.core.decision import (
    Approve,
    Decision,
    DropHeld,
    Effect,
    Facts,
    HeldMail,
    Hold,
    LastWord,
    Notice,
    Notify,
    Outcome,
    SentMail,
    SetField,
)
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import Policy
from mailgate.core.token import Purpose
from tests.core.decisions import decided, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    FACTS,
    NOW,
    POLICY,
    TO_ANA,
    facts,
    mail,
    our_id,
    reply_to,
    ticket,
)

E = TypeVar("E")

MINUTE = timedelta(minutes=1)
SHOWN = NOW - 10 * MINUTE  # when Ana's notice was made
OLDER = our_id(ANA.address, role=Role.AGENT, days=20)
UNSENT = replace(POLICY, guard="send")
AMONG_US = replace(POLICY, guard="colleagues")


def word(author: str = BEN.address, at: int = -5) -> LastWord:
    """A public message, so many minutes from now."""
    return LastWord(message=3, author=author, at=NOW + at * MINUTE)


def known(*words: LastWord, number: int = 7, **more: Any) -> Facts:
    """Ana was told ten minutes ago, and once an hour ago; these words were said since."""
    notice = replace(FACTS.sent[TO_ANA], created=SHOWN)
    older = replace(notice, outbox=9, created=NOW - 60 * MINUTE)
    sent = {**FACTS.sent, TO_ANA: notice, OLDER: older}
    return replace(facts(), **{"sent": sent, "last_words": {number: words}, **more})


def by_ana(words: str = "Please try again.", **more: Any) -> ParsedMail:
    given = {"text": words, "visible": words, "in_reply_to": (TO_ANA,), **more}
    return mail(ANA.address, **given)


def of_kind(decision: Decision, kind: type[E]) -> list[E]:
    return [effect for effect in decision.effects if isinstance(effect, kind)]


# --- what is held ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "author", [BEN.address, "rita@customer.test", "carl@customer.test", "command line"]
)
def test_an_answer_to_what_is_not_the_last_word_is_held_and_handed_back(author: str) -> None:
    found = decided(by_ana(), known(word(author)))
    assert found.outcome is Outcome.HELD
    assert found.target == 7
    assert told(found) == {ANA.address: "collision"}
    [hold] = of_kind(found, Hold)
    assert (hold.owner, hold.patient) == (ANA.address, True)
    assert hold.why == f"{COLLIDED}: {author}"
    [notice] = of_kind(found, Notify)
    assert (notice.beside, notice.words) == (3, "Please try again.")
    assert kinds(found) == []
    assert of_kind(found, SetField) == []


@pytest.mark.parametrize(
    ("author", "outcome"),
    [
        (BEN.address, Outcome.HELD),
        ("command line", Outcome.HELD),
        ("support@help.test", Outcome.HELD),
        ("rita@customer.test", Outcome.REPLY),
    ],
)
def test_colleagues_alone_can_be_guarded_against(author: str, outcome: Outcome) -> None:
    assert decided(by_ana(), known(word(author)), AMONG_US).outcome is outcome


def test_nothing_that_the_mail_orders_is_done() -> None:
    found = decided(by_ana("#close\n#tag drum\n\nIt is done."), known(word()))
    assert found.outcome is Outcome.HELD
    assert of_kind(found, SetField) == []


def test_the_newest_word_of_others_is_shown() -> None:
    newest = replace(word("rita@customer.test", -1), message=8)
    mine = replace(word(ANA.aliases[0], 0), message=9)
    found = decided(by_ana(), known(word(), newest, mine))
    assert [n.beside for n in of_kind(found, Notify)] == [8]


def test_the_nearest_of_the_notices_counts() -> None:
    fresh = by_ana(in_reply_to=("<x@agents.test>",), references=(OLDER, TO_ANA))
    stale = by_ana(in_reply_to=(OLDER,), references=(TO_ANA, OLDER))
    words = word(at=-30)
    assert decided(fresh, known(words)).outcome is Outcome.REPLY
    assert decided(stale, known(words)).outcome is Outcome.HELD


def test_a_notice_about_a_ticket_that_was_merged_counts_for_the_survivor() -> None:
    elsewhere = {TO_ANA: SentMail(outbox=2, ticket=6, notice="x", recipients=(), created=SHOWN)}
    before = known(word(), sent=elsewhere, merged={6: 7})
    answer = by_ana(in_reply_to=(TO_ANA,))
    assert decided(answer, before).outcome is Outcome.HELD


# --- what is not -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="nobody wrote"),
        pytest.param((word(ANA.address),), id="the agent's own words"),
        pytest.param((word(ANA.aliases[0]),), id="from another address of theirs"),
        pytest.param((word(at=-10),), id="what the notice itself told"),
        pytest.param((word(at=-11),), id="before the notice"),
    ],
)
def test_an_answer_to_the_last_word_leaves(words: tuple[LastWord, ...]) -> None:
    found = decided(by_ana(), known(*words))
    assert found.outcome is Outcome.REPLY
    assert told(found)["rita@customer.test"] == "answer"


@pytest.mark.parametrize("words", ["#note\n\nShe called.", "#tag drum"])
def test_notes_and_commands_are_nobodys_second_answer(words: str) -> None:
    assert decided(by_ana(words), known(word())).outcome in (Outcome.NOTE, Outcome.COMMAND)


def test_a_note_address_is_not_guarded() -> None:
    notes = reply_to(ANA.address, role=Role.AGENT, purpose=Purpose.NOTE)
    envelope = Envelope(mail_from=ANA.address, rcpt_tos=(notes,))
    assert decided(by_ana(), known(word()), envelope=envelope).outcome is Outcome.NOTE


def test_an_answer_to_no_known_notice_is_not_guarded() -> None:
    here = Envelope(mail_from=ANA.address, rcpt_tos=(reply_to(ANA.address, role=Role.AGENT),))
    found = decided(by_ana(in_reply_to=()), known(word()), envelope=here)
    assert found.outcome is Outcome.REPLY


def test_words_on_another_ticket_are_no_collision() -> None:
    assert decided(by_ana(), known(word(), number=8)).outcome is Outcome.REPLY


def test_the_guard_can_be_turned_off() -> None:
    assert decided(by_ana(), known(word()), UNSENT).outcome is Outcome.REPLY


def test_history_is_not_guarded() -> None:
    assert decided(by_ana(), known(word()), live=False).outcome is Outcome.REPLY


def test_a_customers_answer_is_not_guarded() -> None:
    found = decided(mail(in_reply_to=(our_id("rita@customer.test"),)), known(word()))
    assert found.outcome is Outcome.REPLY


# --- one word --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("send", Order.SEND),
        ("SEND", Order.SEND),
        ("\n\n  Send.\n\n-- \nAna", Order.SEND),
        ("#send", Order.SEND),
        ("`send`", Order.SEND),
        ("Send it as it is, please!", Order.SEND),
        ("note", Order.NOTE),
        ("Drop it\n\nBen has said it all.", Order.DROP),
        ("", None),
        ("sends", None),
        ("resend", None),
        ("send nothing", None),
        ("do not send", None),
        ("Note that Ben is wrong", None),
        ("send or drop?", None),
        ("Hello Rita,\nsend", None),
    ],
)
def test_an_order_is_a_first_line_of_its_own(words: str, meant: Order | None) -> None:
    assert order(words) is meant


@pytest.mark.parametrize("words", ["send", "Drop.", "\n`note`\n", "SEND!"])
def test_an_order_that_answers_no_held_mail_reaches_nobody(words: str) -> None:
    found = decided(by_ana(words), known())
    assert (found.outcome, told(found)) == (Outcome.HELD, {ANA.address: "transcript"})
    assert [n.note for n in of_kind(found, Notify) if STRAY in n.note] != []


@pytest.mark.parametrize("words", ["Send it, please.", "drop by at ten", "#send\n\ndrop", "Notes"])
def test_words_that_only_begin_like_an_order_leave(words: str) -> None:
    assert decided(by_ana(words), known()).outcome is Outcome.REPLY


def held(**more: Any) -> HeldMail:
    fields: dict[str, Any] = {
        "id": 5,
        "ticket": 7,
        "message": 4,
        "inbox": 2,
        "author": ANA.address,
        "owner": ANA.address,
        "why": f"{COLLIDED}: {BEN.address}",
        "created": NOW,
        "expires": NOW + timedelta(days=14),
    }
    return HeldMail(**{**fields, **more})


def ordered(
    words: str, waiting: HeldMail, sender: str = ANA.address, policy: Policy = POLICY
) -> Decision:
    """What comes of a mail to the release address of the held mail."""
    there = reply_to(ANA.address, 5, Role.AGENT, purpose=Purpose.RELEASE)
    given = mail(sender, text=words, visible=words)
    envelope = Envelope(mail_from=sender, rcpt_tos=(there,))
    there_too = replace(facts(ticket()), held=waiting)
    return decided(given, there_too, policy, envelope=envelope)


@pytest.mark.parametrize(
    ("words", "effect"),
    [
        ("send", Approve(held=5, by=ANA.address)),
        ("note", Approve(held=5, by=ANA.address, as_note=True)),
        ("drop", DropHeld(held=5, by=ANA.address)),
    ],
)
def test_one_word_settles_it(words: str, effect: Effect) -> None:
    found = ordered(words, held())
    assert (found.outcome, found.effects[0]) == (Outcome.COMMAND, effect)


def test_what_is_dropped_is_said_by_policy() -> None:
    assert told(ordered("drop", held())) == {ANA.address: "transcript"}
    assert told(ordered("send", held())) == {}  # what is sent says so when it is
    silent = replace(POLICY, transcripts="problems")
    assert told(ordered("drop", held(), policy=silent)) == {}


def test_anything_else_reaches_nobody_and_the_agent_is_asked_again() -> None:
    found = ordered("A drum is 120 euros.", held())
    assert found.outcome is Outcome.COMMAND
    [asked] = found.effects
    assert isinstance(asked, Notify)
    assert (asked.notice, asked.held, asked.words) == (Notice.COLLISION, 5, "A drum is 120 euros.")
    assert told(found) == {ANA.address: "collision"}


@pytest.mark.parametrize("words", ["send", "note", "drop", "Hello"])
@pytest.mark.parametrize("state", ["released", "dropped", "expired"])
def test_what_is_settled_stays_so(words: str, state: str) -> None:
    found = ordered(words, held(state=state))
    assert told(found) == {ANA.address: "transcript"}
    [said] = of_kind(found, Notify)
    assert said.note.startswith("Nothing was done: it is ")
    assert said.note.endswith(f"reached nobody:\n\n{words}")
    assert len(found.effects) == 1


def test_nobody_else_settles_it() -> None:
    found = ordered("send", held(), BEN.address)
    assert of_kind(found, Approve) == []


@pytest.mark.parametrize("words", ["yes", "send", "note"])
def test_other_held_mail_is_released_by_any_word(words: str) -> None:
    found = ordered(words, held(why="an agent, proven by a stamp alone"))
    assert found.effects == (Approve(held=5, by=ANA.address),)


# --- released ------------------------------------------------------------------------------


def released(words: str, *, as_note: bool = False, policy: Policy = POLICY) -> Decision:
    there = replace(known(word()), held=held())
    return decided(by_ana(words), there, policy, approved_by=ANA.address, as_note=as_note)


@pytest.mark.parametrize(
    ("as_note", "said"),
    [
        (False, "Your answer goes to rita@customer.test, carl@customer.test."),
        (True, "Your words are an internal note; nothing of them leaves the house."),
    ],
)
def test_the_agent_hears_what_became_of_it(as_note: bool, said: str) -> None:
    found = released("It is done.", as_note=as_note)
    [notice] = [n for n in of_kind(found, Notify) if n.notice is Notice.TRANSCRIPT]
    assert ([p.address for p in notice.to], notice.note) == ([ANA.address], said)
    silent = released("It is done.", policy=replace(POLICY, transcripts="problems"))
    assert ANA.address not in told(silent)


def test_what_is_sent_leaves_as_it_was_written() -> None:
    found = released("#close\n\nIt is done.")
    assert found.outcome is Outcome.REPLY
    assert told(found)["rita@customer.test"] in ("answer", "closure")
    assert [f.value for f in of_kind(found, SetField) if f.field == "status"] == ["closed"]


def test_what_becomes_a_note_orders_nothing_and_never_leaves() -> None:
    found = released("#close\n#bogus\n\nIt is done.", as_note=True)
    assert (found.outcome, kinds(found)) == (Outcome.NOTE, ["note"])
    assert of_kind(found, SetField) == []
    assert "rita@customer.test" not in told(found)
