"""Effects become rows: tickets, events, clocks, and mail for exactly those who were named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy

from mailgate import journal
from mailgate.apply import Cause
from mailgate.core.decision import (
    AddParticipant,
    AddTag,
    AppendMessage,
    LinkTicket,
    Notice,
    RecordBounce,
    SetField,
)
from mailgate.core.mail import Address, DeliveryReport
from mailgate.core.policy import Policy, Trust
from mailgate.core.ticket import MessageKind
from mailgate.gate import Caps
from store.database import Database
from tests.shell.apply_rig import (
    ANA,
    BEN,
    CARL,
    CAUSE,
    MAIL,
    NOW,
    OPEN,
    RITA,
    Office,
    notify,
)

WORDS = AppendMessage(kind=MessageKind.CUSTOMER, author=MAIL.sender)
ADD_CARL = AddParticipant(address=Address(addr=CARL.address), added_by=RITA.address)
BY_HAND = Cause(now=NOW, actor="command line", by_agent=True)
DAYS = timedelta(days=3)  # autoclose_days of the house


def put(field: str, value: str) -> SetField:
    return SetField(field=field, value=value, because="a test")


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def test_every_effect_leaves_its_mark(office: Office) -> None:
    other = office.do(OPEN)
    number = office.do(
        OPEN,
        WORDS,
        ADD_CARL,
        put("category", "billing"),
        AddTag(tag="money", because="a rule"),
        LinkTicket(other=other, why="claimed-by-stranger"),
    )
    assert office.events(number)[0] == ("opened", {"queue": "support", "source": "email"})
    assert office.events(number)[2:] == [
        ("cc-added", {"address": CARL.address, "by": RITA.address}),
        ("category", {"old": "", "new": "billing", "because": "a test"}),
        ("tagged", {"tag": "money", "because": "a rule"}),
        ("linked", {"other": other, "why": "claimed-by-stranger"}),
    ]
    with office.database.reading() as tx:
        row = tx.tickets.get(number)
        assert row is not None
        assert [m.visible for m in tx.tickets.messages(number)] == ["It does not print."]
    assert (row.view.category, row.view.tags, row.view.cc) == (
        "billing",
        ("money",),
        (CARL.address,),
    )
    assert row.links == ((other, "claimed-by-stranger"),)


def test_effects_without_a_ticket_give_none(office: Office) -> None:
    assert office.do() == 0


def test_whoever_is_on_the_ticket_is_not_added_again(office: Office) -> None:
    number = office.do(OPEN, ADD_CARL, ADD_CARL)
    assert office.kinds(number) == ["opened", "cc-added"]


def test_a_message_needs_a_mail(office: Office) -> None:
    with pytest.raises(ValueError, match="needs a mail"):
        office.do(OPEN, WORDS, cause=BY_HAND)
    with office.database.reading() as tx:
        assert tx.tickets.find() == []  # and nothing is left of the ticket


def test_ids_are_remembered_and_made_up_ones_are_not(office: Office) -> None:
    """An id that we made from the digest is no evidence, nor is what such a mail refers to."""
    known = office.do(OPEN, WORDS)
    nameless = replace(
        MAIL, message_id="<0000@digest>", has_message_id=False, references=("<r@x>",)
    )
    office.do(OPEN, WORDS, cause=replace(CAUSE, mail=nameless))
    with office.database.reading() as tx:
        rows = tx.conn.execute(
            sqlalchemy.text("SELECT message_id, ticket, referenced_only FROM mail_ids")
        ).all()
    assert sorted((r.message_id, r.ticket, bool(r.referenced_only)) for r in rows) == [
        ("<one@customer.test>", known, False),
        ("<zero@customer.test>", known, True),
    ]


# --- statuses and clocks -----------------------------------------------------------------


def test_closing_and_opening_again(office: Office) -> None:
    number = office.do(OPEN, put("status", "closed"))
    with office.database.reading() as tx:
        assert tx.tickets.views([number])[number].closed == NOW
    office.do(put("status", "open"), on=number)
    with office.database.reading() as tx:
        assert tx.tickets.views([number])[number].closed is None


def test_a_resolved_ticket_gets_a_clock_and_loses_it_again(office: Office) -> None:
    number = office.do(OPEN, put("status", "resolved"))
    assert office.clock() == NOW + DAYS
    office.do(put("status", "open"), on=number)
    assert office.clock() is None
    office.do(put("status", "resolved"), on=number, cause=replace(CAUSE, now=NOW + DAYS))
    assert office.clock() == NOW + 2 * DAYS
    office.do(put("status", "closed"), on=number)
    assert office.clock() is None


def test_the_status_it_has_starts_no_clock(office: Office) -> None:
    number = office.do(OPEN, put("status", "resolved"))
    later = replace(CAUSE, now=NOW + timedelta(days=1))
    office.do(put("status", "resolved"), on=number, cause=later)
    assert office.clock() == NOW + DAYS


def test_history_starts_no_clock(office: Office) -> None:
    office.do(OPEN, put("status", "resolved"), cause=replace(CAUSE, live=False))
    assert office.clock() is None


def test_without_autoclose_there_is_no_clock(office: Office) -> None:
    never = replace(office.desk.policy, autoclose_after=timedelta(0))
    office.do(OPEN, put("status", "resolved"), desk=replace(office.desk, policy=never))
    assert office.clock() is None


def test_a_field_that_decisions_do_not_see_has_no_old_value(office: Office) -> None:
    number = office.do(OPEN, put("resolution", "new ink"))
    assert office.events(number)[-1] == (
        "resolution",
        {"old": "", "new": "new ink", "because": "a test"},
    )


# --- notices -----------------------------------------------------------------------------


def test_each_agent_gets_a_mail_of_their_own_and_customers_share_one(office: Office) -> None:
    """The Message-ID of an agent's notice is a proof: nobody else may be shown it."""
    number = office.do(
        OPEN,
        WORDS,
        ADD_CARL,
        notify(Notice.CONFIRMATION, RITA, CARL),
        notify(Notice.AGENT_NEW, ANA, BEN),
    )
    mails = office.mails(number)
    assert [[p.address for p in m.recipients] for m in mails] == [
        [RITA.address, CARL.address],
        [ANA.address],
        [BEN.address],
    ]
    assert len({m.message_id for m in mails}) == 3
    queued = [data for kind, data in office.events(number) if kind == "queued"]
    assert [data["to"] for data in queued] == [
        [RITA.address, CARL.address],
        [ANA.address],
        [BEN.address],
    ]


def test_a_notice_to_nobody_is_no_mail(office: Office) -> None:
    number = office.do(OPEN, notify(Notice.CONFIRMATION))
    assert office.mails(number) == []


def test_what_the_gate_stops_is_on_record(office: Office) -> None:
    before = sum(n for (event, _), n in journal.COUNTS.items() if event == "gated")
    desk = replace(office.desk, caps=Caps(confirm_cc=False))
    number = office.do(OPEN, WORDS, notify(Notice.CONFIRMATION, RITA, CARL), desk=desk)
    assert [[p.address for p in m.recipients] for m in office.mails(number)] == [[RITA.address]]
    withheld = [data for kind, data in office.events(number) if kind == "withheld"]
    assert [(data["notice"], data["to"]) for data in withheld] == [("confirmation", CARL.address)]
    after = sum(n for (event, _), n in journal.COUNTS.items() if event == "gated")
    assert after == before + 1


def test_a_broken_template_does_not_undo_the_ticket(office: Office, tmp_path: Path) -> None:
    desk = office.without_templates(tmp_path / "broken")
    before = journal.COUNTS["trouble", "template"]
    number = office.do(
        OPEN, WORDS, notify(Notice.CONFIRMATION, RITA), put("priority", "high"), desk=desk
    )
    assert office.kinds(number) == ["opened", "message", "unwritten", "priority"]
    notice = office.events(number)[2][1]
    assert notice["notice"] == "confirmation"
    assert notice["why"]
    assert office.mails(number) == []
    assert journal.COUNTS["trouble", "template"] == before + 1


def test_an_answer_threads_with_what_the_customer_wrote(office: Office) -> None:
    """The agent's own Message-ID must not get out."""
    number = office.do(OPEN, WORDS)
    private = replace(MAIL, message_id="<private@agent.test>", references=("<secret@agent.test>",))
    said = AppendMessage(kind=MessageKind.AGENT, author=Address(addr=ANA.address))
    office.do(said, notify(Notice.ANSWER, RITA), on=number, cause=replace(CAUSE, mail=private))
    wire = office.wire(office.mails(number)[-1])
    assert "In-Reply-To: <one@customer.test>\r\n" in wire
    assert "agent.test" not in wire


def test_a_change_by_hand_threads_with_the_last_message(office: Office) -> None:
    number = office.do(OPEN, WORDS)
    office.do(put("status", "resolved"), notify(Notice.STATUS, RITA), on=number, cause=BY_HAND)
    wire = office.wire(office.mails(number)[-1])
    assert "In-Reply-To: <one@customer.test>\r\n" in wire


def test_a_notice_on_a_ticket_without_messages_answers_nothing(office: Office) -> None:
    number = office.do(OPEN, notify(Notice.STATUS, RITA), cause=BY_HAND)
    assert "In-Reply-To" not in office.wire(office.mails(number)[-1])


def test_a_notice_tells_of_the_ticket_as_it_is_by_then(office: Office) -> None:
    number = office.do(OPEN, WORDS, put("priority", "urgent"), notify(Notice.AGENT_NEW, ANA))
    assert "Priority: urgent" in office.wire(office.mails(number)[-1])


def test_agents_are_written_to_in_the_language_of_the_house(office: Office) -> None:
    french = replace(OPEN, language="fr")
    number = office.do(
        french, WORDS, notify(Notice.CONFIRMATION, RITA), notify(Notice.AGENT_NEW, ANA)
    )
    mails = [office.wire(row) for row in office.mails(number)]
    assert ["Content-Language: fr" in wire for wire in mails] == [True, False]


def test_a_house_without_mailboxes_still_has_an_address(office: Office) -> None:
    bare = Policy(domain="example.org", name="Example")
    number = office.do(OPEN, notify(Notice.STATUS, RITA), desk=replace(office.desk, policy=bare))
    assert office.mails(number)[-1].mail_from == "support@example.org"


def test_a_queue_without_a_mailbox_writes_from_the_first(office: Office) -> None:
    lost = replace(OPEN, queue="lost")
    number = office.do(lost, notify(Notice.STATUS, RITA))
    mail = office.mails(number)[-1]
    assert "From: Support <support@example.org>\r\n" in office.wire(mail)
    assert mail.mail_from.startswith("support+")


def test_without_plus_addressing_mail_comes_back_to_the_mailbox(office: Office) -> None:
    plain = replace(office.desk.policy, trust=Trust())
    number = office.do(OPEN, notify(Notice.STATUS, RITA), desk=replace(office.desk, policy=plain))
    mail = office.mails(number)[-1]
    assert mail.mail_from == mail.recipients[0].mail_from == "support@example.org"
    assert "Reply-To: Support <support@example.org>\r\n" in office.wire(mail)


def test_a_bounce_is_on_the_record_of_its_mail(office: Office) -> None:
    number = office.do(OPEN, WORDS, notify(Notice.CONFIRMATION, RITA))
    outbox = office.mails(number)[0].id
    report = DeliveryReport(
        recipient=RITA.address, action="failed", status="5.1.1", diagnostic="x" * 900
    )
    office.do(RecordBounce(outbox=outbox, reports=(report, report)), on=number)
    with office.database.reading() as tx:
        bounces = [e for e in tx.tickets.events(number) if e.kind == "bounce"]
    assert [e.outbox for e in bounces] == [outbox, outbox]
    assert bounces[0].data == {
        "recipient": RITA.address,
        "action": "failed",
        "severity": "soft",
        "status": "5.1.1",
        "diagnostic": "x" * 500,
    }
