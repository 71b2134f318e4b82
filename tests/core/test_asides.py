"""Side conversations: whom words aside go to, what a third party may, and what nobody hears of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.core import asides
from mailgate.core.decision import (
    TO_CUSTOMER,
    TO_NOBODY,
    Ears,
    HeldMail,
    LastWord,
    Notice,
    Notify,
    Outcome,
    aside_to,
)
from mailgate.core.mail import Attachment, ParsedMail
from mailgate.core.naming import Wrong
from mailgate.core.people import Role
from mailgate.core.token import Purpose
from tests.core.decisions import copied, decided, fields, kinds, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    FACTS,
    NOW,
    PINNED,
    POLICY,
    TO_ANA,
    facts,
    our_id,
    reply_to,
    ticket,
)
from tests.core.side_talk import (
    AT_SAM,
    KIM,
    LOGIN,
    PAIR,
    RITA,
    SAM,
    TAKEN,
    TALK,
    TO_SAM,
    aside,
    asked,
    by_ana,
    by_sam,
    sent,
    transcript,
)

# --- what #side does -------------------------------------------------------------------------


def test_words_go_to_third_parties_and_to_nobody_of_the_ticket() -> None:
    found = asked(f"#side {KIM}, Sam <{SAM}>\n\nHello.\n\n> quoted", facts())
    assert found.outcome is Outcome.NOTE
    assert told(found) == {KIM: "side", SAM: "side", ANA.address: "transcript"}
    found = asked(f"#side {KIM} <{SAM}>\n\nHello.", facts())
    # Right before a bracket stands a name, whatever it looks like.
    assert told(found) == {SAM: "side", ANA.address: "transcript"}
    found = asked(f"#side {KIM}, {SAM}\n\nHello.", facts())
    assert told(found) == {KIM: "side", SAM: "side", ANA.address: "transcript"}
    assert sent(found).words == "Hello."
    assert kinds(found) == ["note"]
    assert aside(found) == [(KIM, SAM)]
    assert fields(found) == {}  # no status, no assignee: nobody was answered
    assert copied(found) == []


def test_the_assignee_hears_of_it_and_answers_there_too() -> None:
    found = asked(f"#side {KIM}, {SAM}\n\nHello.", TAKEN)
    shared = [e for e in found.effects if isinstance(e, Notify) and e.notice is Notice.AGENT_SIDE]
    assert [(n.to[0].address, n.ears.third) for n in shared] == [
        (BEN.address, KIM),
        (BEN.address, SAM),
    ]


def test_a_transcript_is_answered_where_the_words_went() -> None:
    def ears(words: str) -> Ears:
        return transcript(asked(words, facts())).ears

    assert ears(f"#side {SAM}\n\nHello.") == aside_to(SAM)
    assert ears(f"#side {SAM}, {KIM}\n\nHello.") == TO_NOBODY
    assert ears("#priority high\n\nHello.") == TO_CUSTOMER


def test_a_colleague_who_is_assigned_by_the_way_reads_it_in_one_notice_alone() -> None:
    found = asked(f"#assign ana\n#side {SAM}\n\nHello.", TAKEN)
    words = {e.notice: e.words for e in found.effects if isinstance(e, Notify)}
    assert words[Notice.SIDE] == "Hello."
    assert words[Notice.ASSIGNMENT] == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param(RITA, "is on the ticket", id="the requester"),
        pytest.param(f"{SAM}, Carl@Customer.test", "is on the ticket", id="somebody on CC"),
        pytest.param(BEN.address, "`#note` and `#assign` are for agents", id="an agent"),
        pytest.param("ana@phone.test", "are for agents", id="an agent's other address"),
        pytest.param("hilfe@help.test", "one of our own", id="ourselves"),
        pytest.param("sam", "no address", id="no address"),
        pytest.param(", ".join(f"s{n}@supplier.test" for n in range(11)), "10 people", id="many"),
    ],
)
def test_who_is_no_third_party(line: str, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        asides.third_parties(line, ticket(), POLICY)
    found = asked(f"#side {line}\n\nHello.")
    assert found.outcome is Outcome.HELD
    assert told(found) == {ANA.address: "transcript"}


@pytest.mark.parametrize("words", [f"#side {SAM}", f"#side {SAM}\n#note x", f"#note\n#side {SAM}"])
def test_a_note_goes_nowhere_and_silence_neither(words: str) -> None:
    assert asked(words).outcome is Outcome.HELD


def test_a_note_address_and_side_contradict_each_other() -> None:
    notes = reply_to(ANA.address, role=Role.AGENT, purpose=Purpose.NOTE)
    found = asked(f"#side {SAM}\n\nHello.", to=(notes,))
    assert (found.outcome, told(found)) == (Outcome.HELD, {ANA.address: "transcript"})


def test_it_asks_for_two_proofs() -> None:
    given = by_ana(f"#side {SAM}\n\nHello.", to=("support@help.test",), in_reply_to=(TO_ANA,))
    found = decided(given, facts())
    assert (found.outcome, told(found)) == (Outcome.HELD, {ANA.address: "challenge"})


@pytest.mark.parametrize(
    ("written", "line"),
    [
        pytest.param("A fuser for room 9", "A fuser for room 9", id="written anew"),
        pytest.param("Re: [HELP#7] [support] Printer", "", id="the ticket's"),
        pytest.param("Re: Other words", "", id="inherited: the ticket may have had another"),
        pytest.param("[HELP#7] Other words", "", id="with our tag"),
        pytest.param("[OLD#7] Other words", "", id="with an older tag"),
        pytest.param("Question: PRINTER broken", "", id="with the ticket's in it"),
        pytest.param("", "", id="none"),
    ],
)
def test_a_subject_tells_nothing_of_the_ticket(written: str, line: str) -> None:
    assert sent(asked(f"#side {KIM}\n\nHello.", subject=written)).subject == line
    assert sent(asked(f"#side {KIM}\n\nHello.", to=(AT_SAM,), in_reply_to=())).subject == ""


def test_among_the_same_people_the_subject_goes_on() -> None:
    assert sent(decided(by_ana(), TALK)).subject == "Re: Fuser"
    assert sent(decided(by_ana(subject="Re: [HELP#7] [support] "), TALK)).subject == ""


# --- an agent's answer -----------------------------------------------------------------------


def test_a_reply_to_what_was_said_aside_goes_aside_with_one_proof() -> None:
    by_id = our_id(PAIR, role=Role.AGENT, purpose=Purpose.SIDE, nonce=b"nonce.")
    desk = ("support@help.test",)
    for given in (
        by_ana(),
        by_ana(to=desk, in_reply_to=(by_id,)),
        by_ana(to=desk, references=(by_id,)),
    ):
        found = decided(given, TALK)
        assert found.outcome is Outcome.NOTE
        assert told(found) == {SAM: "side"}
        assert aside(found) == [(SAM,)]


def test_what_stands_further_up_does_not_lead_aside() -> None:
    by_id = our_id(PAIR, role=Role.AGENT, purpose=Purpose.SIDE, nonce=b"nonce.")
    given = by_ana(to=("support@help.test",), in_reply_to=(TO_ANA,), references=(by_id, TO_ANA))
    assert told(decided(given, TALK)) == {RITA: "answer", "carl@customer.test": "answer"}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(by_ana(to=(AT_SAM, reply_to(RITA))), id="to both"),
        pytest.param(by_ana(in_reply_to=(TO_ANA,)), id="aside, in answer to another notice"),
        pytest.param(
            by_ana(to=(reply_to(f"{ANA.address}\0{KIM}", role=Role.AGENT, purpose=Purpose.SIDE),)),
            id="to somebody who is none any more",
        ),
        pytest.param(by_ana(to=(TO_SAM,), in_reply_to=(TO_ANA,)), id="at Sam's own address"),
        pytest.param(
            by_ana(to=(AT_SAM[:-14] + "a" * 2 + AT_SAM[-12:],), in_reply_to=(TO_ANA,)),
            id="at an invented one",
        ),
    ],
)
def test_in_doubt_nothing_leaves(given: ParsedMail) -> None:
    found = decided(given, TALK, envelope=LOGIN)
    assert found.outcome is Outcome.HELD
    assert set(told(found)) == {ANA.address}


def test_a_note_to_what_was_said_aside_stays_inside() -> None:
    found = decided(by_ana("#note\n\nHe is slow."), TAKEN, envelope=LOGIN)
    assert told(found) == {BEN.address: "agent-message", ANA.address: "transcript"}
    assert aside(found) == [()]


def test_commands_work_as_everywhere() -> None:
    found = decided(by_ana("#close\n\nIt came."), TALK)
    assert fields(found) == {"status": "closed"}
    assert sent(found).words == "It came."
    assert told(found)[RITA] == "closure"
    alone = decided(by_ana("#priority high"), TALK)
    assert alone.outcome is Outcome.COMMAND
    assert fields(alone) == {"priority": "high"}


def test_somebody_else_is_written_to_by_name() -> None:
    found = decided(by_ana(f"#side {KIM}\n\nHello."), TALK, envelope=LOGIN)
    assert [p.address for p in sent(found).to] == [KIM]


def test_files_go_along_without_words() -> None:
    file = Attachment(part=1, filename="a.pdf", content_type="application/pdf", size=1, digest="0")
    assert told(decided(by_ana("", attachments=(file,)), TALK)) == {SAM: "side"}


def test_who_came_on_the_ticket_is_no_third_party_any_more() -> None:
    known = facts(ticket(sides=(SAM,), cc=(SAM,)))
    found = decided(by_ana(), known)
    assert (found.outcome, set(told(found))) == (Outcome.HELD, {ANA.address})


def test_a_customer_who_wrote_in_between_holds_up_nothing() -> None:
    sent_then = {k: replace(m, created=NOW - DAY) for k, m in FACTS.sent.items()}
    word = LastWord(message=3, author=BEN.address, at=NOW - timedelta(hours=1))
    known = facts(ticket(sides=(SAM,)), sent=sent_then, last_words={7: (word,)})
    assert asked("Hello.", known).outcome is Outcome.HELD
    assert asked(f"#side {SAM}\n\nHello.", known).outcome is Outcome.NOTE


def test_an_approved_answer_goes_where_it_was_meant() -> None:
    waits = HeldMail(
        id=1, ticket=7, message=3, inbox=2, author=ANA.address, owner=ANA.address, why="x",
        created=NOW, expires=NOW + DAY,
    )  # fmt: skip
    found = decided(by_ana(), replace(TALK, held=waits), PINNED, approved_by=ANA.address)
    assert told(found) == {SAM: "side"}
    noted = decided(by_ana(), replace(TALK, held=waits), approved_by=ANA.address, as_note=True)
    assert told(noted) == {}


def test_history_is_silent_and_keeps_it_inside() -> None:
    found = decided(by_ana(), TALK, live=False)
    assert (kinds(found), told(found)) == (["note"], {})
    found = decided(by_sam(), TALK, live=False)
    assert (kinds(found), told(found)) == (["note"], {})


@pytest.mark.parametrize("words", ["#clsoe\n\nThat is too dear.", ""], ids=["mistaken", "empty"])
def test_the_next_try_after_a_mistake_is_meant_for_the_same_ears(words: str) -> None:
    found = decided(by_ana(words), TALK)
    [notify] = [e for e in found.effects if isinstance(e, Notify)]
    assert notify.notice is Notice.TRANSCRIPT
    assert (notify.ears, notify.subject) == (aside_to(SAM), "Re: Fuser")


@pytest.mark.parametrize("name", ["cc", "requester"])
@pytest.mark.parametrize("first", [True, False])
def test_nobody_is_put_on_the_ticket_and_talked_to_aside_by_one_mail(
    name: str, first: bool
) -> None:
    lines = [f"#side {KIM}", f"#{name} {KIM}"]
    words = "\n".join((*(lines if first else lines[::-1]), "", "Have you got one?"))
    given = by_ana(words, to=("support@help.test",), in_reply_to=(TO_ANA,))
    found = decided(given, TALK, envelope=LOGIN)
    assert found.outcome is Outcome.HELD
    assert KIM not in told(found)
