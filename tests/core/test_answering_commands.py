"""Commands in mail as it is decided: who may, what is held, what is a note, and who hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailgate.core.commands import COMMANDS, MISTAKES
from mailgate.core.decision import (
    Acted,
    Decision,
    HeldMail,
    Hold,
    NoteAbsence,
    Notice,
    Notify,
    Outcome,
    SetField,
    Undo,
    Undoable,
)
from mailgate.core.mail import Attachment, Envelope, ParsedMail
from mailgate.core.people import Agent, Power, Role
from mailgate.core.token import Purpose
from tests.core.decisions import AUTOMATIC, decided, fields, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    KEY,
    NOW,
    PINNED,
    POLICY,
    TO_ANA,
    facts,
    mail,
    reply_to,
    stamped,
    ticket,
)

LOGIN = Envelope(mail_from=ANA.address, rcpt_tos=("support@help.test",), login=ANA.address)
NOTES = reply_to(ANA.address, role=Role.AGENT, purpose=Purpose.NOTE)
FORGED = reply_to(
    ANA.address, role=Role.AGENT, purpose=Purpose.NOTE, key=replace(KEY, secret=b"a guess" * 5)
)
CARA = Agent(address="cara@agents.test", name="Cara")
WITH_CARA = replace(POLICY, agents=(ANA, BEN, CARA))


def by_ana(words: str, **more: Any) -> ParsedMail:
    """Ana's answer to our notice."""
    fields = {"text": words, "visible": words, "in_reply_to": (TO_ANA,), **more}
    return mail(ANA.address, **fields)


def transcript(decision: Decision) -> str:
    [note] = [
        e.note for e in decision.effects if isinstance(e, Notify) and e.notice is Notice.TRANSCRIPT
    ]
    return note


def outside(decision: Decision) -> set[str]:
    """Everybody who is written to and is no agent."""
    return {
        person.address
        for effect in decision.effects
        if isinstance(effect, Notify)
        for person in effect.to
        if person.role != "agent"
    }


# --- who may -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if c.power is Power.WIDEN])
def test_what_widens_is_held_without_two_proofs_and_the_agent_is_asked(name: str) -> None:
    example = COMMANDS[name].example.replace("1001", "8").replace("@example.com", "@customer.test")
    known = facts(ticket(), ticket(8))
    found = decided(by_ana(f"{example}\n\nHello"), known)
    assert found.outcome is Outcome.HELD
    [hold] = [e for e in found.effects if isinstance(e, Hold)]
    assert hold.owner == ANA.address
    assert f"#{name} asks for two proofs" in hold.why
    assert told(found) == {ANA.address: "challenge"}
    assert fields(found) == {}
    done = decided(by_ana(f"{example}\n\nHello"), known, envelope=LOGIN)
    assert done.outcome is (Outcome.NOTE if name == "side" else Outcome.REPLY)


@pytest.mark.parametrize(
    "name",
    [n for n, c in COMMANDS.items() if c.power is Power.ACT and n not in ("undo", "send")],
)
def test_the_others_ask_for_the_token_alone(name: str) -> None:
    example = COMMANDS[name].example.replace("1001", "8").replace("ben", "ana")
    example = example.replace(", -urgent", "")
    found = decided(by_ana(example), facts(ticket(), ticket(8)))
    assert found.outcome is (Outcome.NOTE if name == "note" else Outcome.COMMAND)


def test_the_transcript_says_that_somebody_on_cc_wants_no_more_mail() -> None:
    silent = facts(ticket(muted=("carl@customer.test", "eve@x.test")))
    given = by_ana("#cc carl@customer.test, eve@x.test")
    said = transcript(decided(given, silent, envelope=LOGIN))
    assert "carl@customer.test, eve@x.test asked for no more mail of it" in said
    assert "asked for no more" not in transcript(decided(given, facts(), envelope=LOGIN))


@pytest.mark.parametrize("sender", ["rita@customer.test", "carl@customer.test", "eve@x.test"])
def test_nobody_but_agents_commands_C1(sender: str) -> None:
    words = "#close\n#cc eve@x.test\n\nHello"
    found = decided(mail(sender, text=words, visible=words, in_reply_to=(TO_ANA,)), facts())
    assert "closed" not in fields(found).values()
    assert not any(isinstance(e, Acted) for e in found.effects)


def test_a_requester_who_is_an_agent_commands_nothing_there() -> None:
    words = "#close"
    found = decided(by_ana(words), facts(ticket(requester=ANA.address)))
    assert "closed" not in fields(found).values()


def test_an_import_commands_nothing() -> None:
    found = decided(by_ana("#close\n\nDone."), facts(), live=False)
    assert (found.outcome, "closed" in fields(found).values()) == (Outcome.REPLY, False)


def test_an_automatic_mail_commands_nothing() -> None:
    found = decided(by_ana("#close", headers=AUTOMATIC), facts())
    assert found.outcome is Outcome.IGNORED


# --- what is not clear -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "#clsoe\n\nHello",
        "#close\n#priority hihg",
        "Hello\n\n#close",
        "#assign eve",
        "#close\n#tkae",
    ],
)
def test_one_mistake_holds_the_whole_mail_C5(words: str) -> None:
    found = decided(by_ana(words), facts(), envelope=LOGIN)
    assert found.outcome is Outcome.HELD
    assert told(found) == {ANA.address: "transcript"}
    assert fields(found) == {}
    [hold] = [e for e in found.effects if isinstance(e, Hold)]
    assert hold.why.startswith(MISTAKES)
    assert "Nothing was done and nothing was sent" in transcript(found)


def test_all_mistakes_are_told_at_once() -> None:
    said = transcript(decided(by_ana("#clsoe\n#priority hihg\n#assign eve"), facts()))
    assert [f"line {n}:" in said for n in (1, 2, 3)] == [True] * 3


def test_approving_a_mistake_sends_nothing() -> None:
    held = HeldMail(
        id=1,
        ticket=7,
        message=1,
        inbox=1,
        author=ANA.address,
        owner=ANA.address,
        why=MISTAKES,
        created=NOW,
        expires=NOW + timedelta(days=1),
    )
    known = facts(held=held)
    found = decided(by_ana("#clsoe\n\nHello"), known, approved_by="command line")
    assert (found.outcome, kinds(found), outside(found)) == (Outcome.NOTE, ["note"], set())
    widened = decided(by_ana("#cc eve@x.test\n\nHi"), known, approved_by=ANA.address)
    assert (widened.outcome, "eve@x.test" in outside(widened)) == (Outcome.REPLY, True)


@pytest.mark.parametrize(
    "words",
    [
        "> #close\n> #assign ben\n\nWe look at it.",
        "We look at it.\n\nOn Mon, 4 May 2026 Rita wrote:\n> #close",
        "We look at it.\n\n##- Please write your answer above this line -##\n\n#close",
        "We look at it.\n\n-----Original Message-----\nFrom: Rita\nSubject: x\nTo: y\n\n#close\n",
    ],
)
def test_a_command_that_is_quoted_does_nothing_C4(words: str) -> None:
    found = decided(by_ana(words), facts())
    assert found.outcome is Outcome.REPLY
    assert fields(found) == {"status": "waiting", "assignee": ANA.address}


# --- commands only -----------------------------------------------------------------------


def test_a_command_with_a_signature_and_a_logo_reaches_nobody_C5() -> None:
    logo = Attachment(
        part=2, filename="logo.png", content_type="image/png", size=9, digest="0", inline=True
    )
    found = decided(by_ana("#take\n\nKind regards,\nAna", attachments=(logo,)), facts())
    assert (found.outcome, kinds(found)) == (Outcome.COMMAND, [])
    assert fields(found) == {"assignee": ANA.address}
    file = replace(logo, inline=False)
    found = decided(by_ana("#take", attachments=(file,)), facts())
    assert (found.outcome, kinds(found)) == (Outcome.REPLY, ["agent"])


def test_below_a_command_the_greeting_of_a_whole_signature_went_to_the_customer_C5() -> None:
    signature = "Kind regards,\nAna\nSenior Lamp Engineer\n+34 600 111 222"
    found = decided(by_ana(f"#take\n\n{signature}"), facts())
    assert (found.outcome, kinds(found)) == (Outcome.COMMAND, [])
    assert fields(found) == {"assignee": ANA.address}
    said = decided(by_ana(f"#take\n\nYes.\n\n{signature}"), facts())
    assert (said.outcome, kinds(said)) == (Outcome.REPLY, ["agent"])


def test_closing_tells_the_customer_once_and_the_agent_what_was_done() -> None:
    found = decided(by_ana("#close"), facts())
    assert told(found) == {
        "rita@customer.test": "closure",
        "carl@customer.test": "closure",
        ANA.address: "transcript",
    }
    assert "#close: status is closed, was open" in transcript(found)


def test_the_words_that_leave_are_those_below_the_commands() -> None:
    found = decided(by_ana("#close\n\nHello Rita\n"), facts())
    answers = [e for e in found.effects if isinstance(e, Notify) and e.notice is Notice.ANSWER]
    assert [answer.words for answer in answers] == ["Hello Rita"]
    assert fields(found) == {"status": "closed", "assignee": ANA.address}


def test_transcripts_can_be_kept_for_problems() -> None:
    quiet = replace(POLICY, transcripts="problems")
    assert "transcript" not in told(decided(by_ana("#take"), facts(), quiet)).values()
    assert "transcript" in told(decided(by_ana("#tkae"), facts(), quiet)).values()
    assert "transcript" in told(decided(by_ana("#show"), facts(), quiet)).values()


def test_the_first_answer_takes_only_by_policy() -> None:
    assert fields(decided(by_ana("Hello"), facts()))["assignee"] == ANA.address
    manual = replace(POLICY, first_answer_takes=False)
    assert "assignee" not in fields(decided(by_ana("Hello"), facts(), manual))
    assert fields(decided(by_ana("#assign nobody\n\nHello"), facts())) == {"status": "waiting"}


# --- notes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(by_ana("#note\n\nShe pays late."), id="command"),
        pytest.param(by_ana("#note She pays late."), id="in the line"),
        pytest.param(by_ana("She pays late.", to=(NOTES,)), id="address"),
        pytest.param(by_ana("She pays late.", cc=(NOTES,)), id="address in Cc"),
        pytest.param(by_ana("#send\n\nShe pays late.", to=(NOTES,)), id="address before #send"),
        pytest.param(by_ana("She pays late.", to=(FORGED,)), id="forged address"),
        pytest.param(
            by_ana("She pays late.", to=(NOTES,), cc=("rita@customer.test",)), id="with Rita in Cc"
        ),
    ],
)
def test_notes_go_to_nobody_outside_C6(given: ParsedMail) -> None:
    found = decided(given, facts(ticket(assignee=BEN.address)))
    assert (found.outcome, kinds(found), outside(found)) == (Outcome.NOTE, ["note"], set())
    assert told(found)[BEN.address] == "agent-message"
    assert fields(found) == {}


def test_an_expired_note_address_sends_nothing_outside_either() -> None:
    old = reply_to(ANA.address, role=Role.AGENT, purpose=Purpose.NOTE, days=-1)
    found = decided(by_ana("She pays late.", to=(old,)), facts())
    assert (found.outcome, outside(found)) == (Outcome.NOTE, set())


def test_a_requester_who_is_an_agent_notes_too() -> None:
    known = facts(ticket(requester=ANA.address))
    found = decided(by_ana("She pays late.", to=(NOTES,)), known, envelope=LOGIN)
    assert (found.outcome, outside(found)) == (Outcome.NOTE, set())


def test_a_colleague_with_a_stamp_may_use_a_note_address_for_notes() -> None:
    pinned = replace(PINNED, agents=(ANA, BEN, CARA))
    words: dict[str, Any] = {
        "text": "So I heard.",
        "visible": "So I heard.",
        "to": (NOTES,),
        "date": NOW,
    }
    found = decided(mail(CARA.address, **words, **stamped()), facts(), pinned)
    assert (found.outcome, outside(found)) == (Outcome.NOTE, set())
    unproven = decided(mail(CARA.address, **words), facts(), pinned)
    assert unproven.outcome is Outcome.HELD
    wide = {**words, "text": "#cc eve@x.test", "visible": "#cc eve@x.test"}
    held = decided(mail(CARA.address, **wide, **stamped()), facts(), pinned)
    assert held.outcome is Outcome.HELD


# --- assigning ---------------------------------------------------------------------------


def test_the_transcript_says_who_is_away() -> None:
    known = facts(away={CARA.address: NOW})
    said = transcript(decided(by_ana("#assign cara"), known, WITH_CARA))
    assert "assigned to Cara; Cara is away since 2026-05-04" in said


def test_an_answering_machine_is_noticed_and_so_is_the_agents_return() -> None:
    gone = decided(by_ana("I am out of the office.", headers=AUTOMATIC), facts())
    assert gone.effects == (NoteAbsence(agent=ANA.address, away=True),)
    back = decided(by_ana("Hello"), facts(away={ANA.address: NOW}))
    assert NoteAbsence(agent=ANA.address, away=False) in back.effects


def test_handing_on_tells_the_new_one_once_with_the_note() -> None:
    found = decided(by_ana("#assign cara\n#note\n\nShe pays late."), facts(), WITH_CARA)
    mails = [
        (e.notice.value, e.words)
        for e in found.effects
        if isinstance(e, Notify)
        for person in e.to
        if person.address == CARA.address
    ]
    assert mails == [("agent-assigned", "She pays late.")]


# --- taking back -------------------------------------------------------------------------


def undoable(agent: str = ANA.address, ago: int = 10) -> dict[str, Any]:
    one = Undoable(event=5, inbox=3, agent=agent, at=NOW - timedelta(seconds=ago), lines=("#take",))
    return {"undoable": {7: (one,)}}


UNDO = replace(POLICY, undo_within=timedelta(seconds=60))


def test_undo_takes_back_ones_own_last_mail() -> None:
    found = decided(by_ana("#undo"), facts(**undoable()), UNDO)
    [undo] = [e for e in found.effects if isinstance(e, Undo)]
    assert (undo.event, undo.inbox, found.outcome) == (5, 3, Outcome.COMMAND)
    assert not any(isinstance(e, Acted) for e in found.effects)


@pytest.mark.parametrize(
    ("words", "known", "policy"),
    [
        pytest.param("#undo", undoable(ago=61), UNDO, id="too late"),
        pytest.param("#undo", undoable(BEN.address), UNDO, id="somebody else's"),
        pytest.param("#undo", undoable(), POLICY, id="off"),
        pytest.param("#undo", {}, UNDO, id="nothing there"),
        pytest.param("#undo\n#take", undoable(), UNDO, id="with another command"),
        pytest.param("#undo\n\nSorry.", undoable(), UNDO, id="with words"),
    ],
)
def test_what_cannot_be_taken_back(words: str, known: dict[str, Any], policy: Any) -> None:
    found = decided(by_ana(words), facts(**known), policy)
    assert found.outcome is Outcome.HELD
    assert outside(found) == set()


def test_a_lead_takes_back_what_others_did() -> None:
    leads = replace(UNDO, agents=(replace(ANA, lead=True), BEN))
    found = decided(by_ana("#undo"), facts(**undoable(BEN.address)), leads)
    assert found.outcome is Outcome.COMMAND


def test_a_status_that_is_the_same_is_said_and_not_told() -> None:
    found = decided(by_ana("#status open"), facts())
    assert "status is open already" in transcript(found)
    assert not any(isinstance(e, SetField) for e in found.effects)
    assert outside(found) == set()
