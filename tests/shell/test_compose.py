"""What a notice says, to whom, in whose name, and how it joins its conversation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.compose import MAX_REFERENCES, compose, variables
from mailgate.core.decision import HUMAN, REPLIES, TO_AGENTS, Notice, Recipient
from mailgate.core.people import Author, Mailbox, Role
from mailgate.core.policy import Policy
from mailgate.render import SAMPLES
from mailgate.surroundings import Surroundings
from mailgate.wire import Part
from tests.core.samples import KEY, reply_to
from tests.shell.notice_rig import (
    ANA,
    BOB,
    BOX,
    CAROL,
    CONTEXT,
    EVE,
    FROM_ANA,
    POLICY,
    RENDERER,
    TICKET,
    content,
    head,
    read,
    wire,
)

AUTOMATIC = sorted(set(Notice) - HUMAN)
TO_CUSTOMERS = sorted(set(Notice) - TO_AGENTS)
# Notices that ask for something lead with what they ask; the others with the customer's words.
ASKING = {
    Notice.AGENT_HELD: "Held: ",
    Notice.AGENT_OVERDUE: "Overdue: ",
    Notice.AGENT_BOUNCE: "Not delivered: ",
    Notice.CHALLENGE: "Did you write this? ",
    Notice.COLLISION: "Not sent yet: ",
    Notice.ALERT: "",
}
# Of many tickets, or of none.
LISTS = {Notice.LIST, Notice.DIGEST, Notice.DUTY, Notice.DUTY_ANSWER}
# What we say ourselves of an agent's commands passes on no words.
TELLING = sorted(TO_AGENTS - {*ASKING, *LISTS, Notice.TRANSCRIPT, Notice.HELP, Notice.AGENT_SIDE})
RECEIVED = "[#1042] We have received your message"


def subject_of(
    subject: str, notice: Notice = Notice.ANSWER, policy: Policy = POLICY, number: int = 1042
) -> str:
    ticket = replace(TICKET, subject=subject, number=number)
    mail = compose(notice, replace(FROM_ANA, ticket=ticket), RENDERER, policy)
    return str(read(mail)["Subject"])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        pytest.param("Printer", "Re: [#1042] Printer", id="plain"),
        pytest.param("Re: Printer", "Re: [#1042] Printer", id="answers are not piled up"),
        pytest.param("RE: AW: re[2]: Printer", "Re: [#1042] Printer", id="in any language"),
        pytest.param("Re: [#1042] Printer", "Re: [#1042] Printer", id="tagged already"),
        pytest.param("[#1042] Re: [#1042] Printer", "Re: [#1042] Printer", id="tagged twice"),
        pytest.param("[#7] Printer", "Re: [#1042] [#7] Printer", id="a tag of somebody else"),
        pytest.param("", "Re: [#1042]", id="no subject"),
        pytest.param("Regarding: us", "Re: [#1042] Regarding: us", id="a word, no prefix"),
    ],
)
def test_the_tag_stands_once(given: str, written: str) -> None:
    assert subject_of(given) == written


def test_the_tag_of_the_house_and_its_older_tags() -> None:
    policy = replace(POLICY, subject_tag="ACME", old_tags=("OLD",))
    assert subject_of("[OLD#1042] [#1042] x", policy=policy) == "Re: [ACME#1042] x"
    assert subject_of("Re: [ACME#1042] x", policy=policy) == "Re: [ACME#1042] x"
    assert subject_of("[OLD.1042] x", policy=policy) == "Re: [ACME#1042] [OLD.1042] x"


@pytest.mark.parametrize("notice", sorted(TO_AGENTS - LISTS))
def test_agents_find_the_ticket_by_its_subject(notice: Notice) -> None:
    asked = ASKING.get(notice, "")
    assert subject_of("Printer", notice).removeprefix("Re: ") == f"[#1042] [support] {asked}Printer"


@pytest.mark.parametrize("notice", AUTOMATIC)
def test_automatic_mail_says_so(notice: Notice) -> None:
    mail = compose(notice, CONTEXT, RENDERER, POLICY)
    how = "auto-replied" if notice in REPLIES else "auto-generated"
    assert mail.automatic
    assert read(mail)["Auto-Submitted"] == how
    assert read(mail)["X-Auto-Response-Suppress"] == "All"
    assert read(mail)["Precedence"] == "bulk"


@pytest.mark.parametrize("notice", sorted(HUMAN))
def test_words_of_people_are_not_marked_as_automatic(notice: Notice) -> None:
    mail = compose(notice, FROM_ANA, RENDERER, POLICY)
    assert not mail.automatic
    names = {name.lower() for name in read(mail)}
    assert not names & {"auto-submitted", "x-auto-response-suppress", "precedence"}


@pytest.mark.parametrize("notice", list(Notice))
def test_every_mail_can_be_known_as_ours(notice: Notice) -> None:
    mail = compose(notice, CONTEXT, RENDERER, POLICY)
    message = read(mail)
    assert message["X-Mailgate-Loop"] == "test-1"
    assert message["Message-ID"] == mail.message_id == "<mg.1042.k3ep@example.org>"
    assert mail.mail_from == BOX.address
    assert message["From"].addresses[0].addr_spec == BOX.address
    assert str(message["Date"]) == "Fri, 01 May 2026 12:30:00 +0000"
    assert not [name for name in message if name.lower().startswith("list-")]


@pytest.mark.parametrize("notice", list(Notice))
def test_the_same_context_gives_the_same_bytes(notice: Notice) -> None:
    assert compose(notice, CONTEXT, RENDERER, POLICY) == compose(notice, CONTEXT, RENDERER, POLICY)


# --- in whose name -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notice", "author", "shown"),
    [
        (Notice.CONFIRMATION, CONTEXT.author, "Support"),
        (Notice.STATUS, FROM_ANA.author, "Support"),
        (Notice.ANSWER, FROM_ANA.author, "Ana Torres (Support)"),
        (Notice.ANSWER, Author(address="EVE@private.example.com"), "Eve (Support)"),
        (Notice.COPY, CONTEXT.author, "Bob Miller via Support"),
        (Notice.COPY, FROM_ANA.author, "Ana Torres (Support)"),
        (Notice.AGENT_NEW, CONTEXT.author, "Bob Miller via Support"),
        (Notice.AGENT_NEW, None, "Support"),
        (Notice.CHALLENGE, FROM_ANA.author, "Support"),
        (Notice.AGENT_HELD, FROM_ANA.author, "Support"),
        (Notice.AGENT_HELD, CONTEXT.author, "Support"),
        (Notice.COPY, Author(address="bob@example.net"), "bob via Support"),
        (Notice.COPY, Author(address="bob@example.net", name="ana@example.org"), "bob via Support"),
    ],
)
def test_from_names_the_writer_and_the_queue(
    notice: Notice, author: Author | None, shown: str
) -> None:
    mail = compose(notice, replace(CONTEXT, author=author), RENDERER, POLICY)
    assert read(mail)["From"].addresses[0].display_name == shown


def test_each_recipient_has_a_head_of_their_own() -> None:
    own = {
        BOB.address: head(
            message_id="<bobs@example.org>", reply_to="r+bob@example.org", mail_from="b1@x.test"
        ),
        CAROL.address: head(
            message_id="<carols@example.org>",
            reply_to="r+carol@example.org",
            mail_from="b2@x.test",
            number=7,
            in_reply_to="",
            references=("<a@x>",),
        ),
    }
    ctx = replace(FROM_ANA, recipients=(BOB, CAROL), own=own)
    mail = compose(Notice.ANSWER, ctx, RENDERER, POLICY)
    assert dict(mail.heads) == {
        "bob@example.net": b"To: <bob@example.net>\r\nReply-To: Support <r+bob@example.org>\r\n"
        b"Message-ID: <bobs@example.org>\r\nIn-Reply-To: <first@example.net>\r\n"
        b"References: <mg.1042@example.org> <first@example.net>\r\n",
        "carol@example.com": b"To: <carol@example.com>\r\n"
        b"Reply-To: Support <r+carol@example.org>\r\n"
        b"Message-ID: <carols@example.org>\r\n"
        b"References: <mg.1042@example.org> <a@x>\r\n",
    }
    assert {a: (c.message_id, c.mail_from, c.number) for a, c in mail.copies.items()} == {
        "bob@example.net": ("<bobs@example.org>", "b1@x.test", None),
        "carol@example.com": ("<carols@example.org>", "b2@x.test", 7),
    }
    shared = mail.raw.partition(b"\r\n\r\n")[0]
    for name in (b"To", b"Reply-To", b"Cc", b"Bcc", b"Message-ID", b"In-Reply-To", b"References"):
        assert b"\r\n" + name + b":" not in shared


def test_everyone_sees_who_got_it_but_agents_stay_private() -> None:
    agent = Recipient(address=EVE.address, role="agent", why="assignee")
    ctx = replace(
        FROM_ANA, recipients=(BOB, CAROL, agent), copies=("dave@example.com", BOX.address)
    )
    message = read(compose(Notice.ANSWER, ctx, RENDERER, POLICY))
    line = "This message went to: bob@example.net, carol@example.com, dave@example.com\n"
    assert line in content(message, "plain")
    assert line.strip() in content(message, "html")


def test_the_name_of_a_file_told_customers_the_agents_address_and_a_token() -> None:
    secret = reply_to(ANA.address, role=Role.AGENT)
    name = f"{ANA.address} {secret}.pdf"
    file = Part(filename=name, content_type="application/pdf", data=b"x")
    around = Surroundings(missing=(f"big {name}",))
    context = replace(FROM_ANA, attachments=(file,), around=around, keys=(KEY,))
    raw = wire(compose(Notice.ANSWER, context, RENDERER, POLICY)).decode()
    assert ".pdf" in raw
    assert "big " in raw
    assert ANA.address not in raw
    assert secret.partition("@")[0].partition("+")[2] not in raw


def test_no_such_line_when_it_went_to_one_person() -> None:
    message = read(compose(Notice.ANSWER, FROM_ANA, RENDERER, POLICY))
    assert "went to" not in content(message, "plain") + content(message, "html")


@pytest.mark.parametrize("notice", TO_CUSTOMERS)
def test_no_private_address_and_no_note_reaches_a_customer(notice: Notice) -> None:
    ctx = replace(FROM_ANA, note="He is rude.", proven=True)
    if notice is Notice.ASSIGNMENT:
        ctx = replace(ctx, old=EVE.address, new=ANA.address)
    message = read(compose(notice, ctx, RENDERER, POLICY))
    everything = str(message.items()) + content(message, "plain") + content(message, "html")
    assert "private" not in everything.lower()
    assert "rude" not in everything


@pytest.mark.parametrize("notice", TELLING)
def test_agents_read_the_words_first_then_the_facts(notice: Notice) -> None:
    ctx = replace(CONTEXT, note="Known fault.")
    text = content(read(compose(notice, ctx, RENDERER, POLICY)), "plain")
    order = [
        "Message from Bob Miller:",
        "paper jam",
        "Ticket: #1042 The printer",
        "From: bob@example.net",
        "Status: open",
        "Priority: high",
        "Queue: support",
        "Category: hardware",
        "Assigned to: Ana Torres",
        "Note: Known fault.",
        "Reply to this message to answer bob@example.net.",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_an_answer_ends_with_the_agents_own_signature() -> None:
    ctx = replace(CONTEXT, author=Author(address=EVE.address, agent=EVE), message="Done.")
    text = content(read(compose(Notice.ANSWER, ctx, RENDERER, POLICY)), "plain")
    assert text.startswith("Done.\n\nEve Adams\nSecond floor\n\nRequest #1042")


def test_an_unproven_sender_is_sent_none_of_their_own_words() -> None:
    poison = "WIN A PRIZE http://evil.example"
    ctx = replace(
        CONTEXT,
        ticket=replace(TICKET, subject=poison, requester="victim@example.net"),
        author=Author(address="victim@example.net", name=poison),
        message=poison,
        html=f"<p>{poison}</p>",
        attachments=(Part(filename="PRIZE.txt", content_type="text/plain", data=b"PRIZE"),),
    )
    for notice in (Notice.CONFIRMATION, Notice.ASSIGNMENT, Notice.STATUS, Notice.CLOSURE):
        mail = compose(notice, ctx, RENDERER, POLICY)
        message = read(mail)
        everything = str(message.items()) + content(message, "plain") + content(message, "html")
        assert "PRIZE" not in everything
        assert not list(message.iter_attachments())
    confirmed = compose(Notice.CONFIRMATION, replace(ctx, proven=True), RENDERER, POLICY)
    assert read(confirmed)["Subject"] == RECEIVED
    assert b"PRIZE" not in confirmed.raw


def test_a_proven_requester_is_told_which_request() -> None:
    mail = read(compose(Notice.CLOSURE, replace(CONTEXT, proven=True), RENDERER, POLICY))
    assert mail["Subject"] == "Re: [#1042] The printer in room 12 is jammed"
    assert "“The printer in room 12 is jammed”" in content(mail, "plain")


@pytest.mark.parametrize(
    ("language", "status", "said"),
    [
        ("en", "resolved", "“resolved”"),
        ("es", "resolved", "«resuelto»"),
        ("fr", "resolved", "«\u00a0résolu\u00a0»"),
        ("fr", "at the workshop", "«\u00a0at the workshop\u00a0»"),
    ],
)
def test_status_in_the_readers_language(language: str, status: str, said: str) -> None:
    ctx = replace(CONTEXT, language=language, old="open", new=status)
    message = read(compose(Notice.STATUS, ctx, RENDERER, POLICY))
    assert said in content(message, "plain")
    assert said in content(message, "html")
    assert message["Content-Language"] == language


def test_a_language_nobody_translated_is_the_language_of_the_house() -> None:
    ctx = replace(CONTEXT, ticket=replace(TICKET, language="nl"))
    policy = replace(POLICY, language="fr")
    assert read(compose(Notice.STATUS, ctx, RENDERER, policy))["Content-Language"] == "fr"
    policy = replace(POLICY, language="xx")
    assert read(compose(Notice.STATUS, ctx, RENDERER, policy))["Content-Language"] == "en"


# --- threading -----------------------------------------------------------------------------


def ids(in_reply_to: str, *references: str) -> tuple[str | None, list[str]]:
    """In-Reply-To and References of Bob's copy."""
    own = {BOB.address: head(in_reply_to=in_reply_to, references=references)}
    message = read(compose(Notice.ANSWER, replace(FROM_ANA, own=own), RENDERER, POLICY))
    return message["In-Reply-To"], str(message["References"]).split()


def test_references_hold_the_ticket_and_the_line_of_parents() -> None:
    assert ids("<first@example.net>", "<a@x>", "<first@example.net>", "<b@x>") == (
        "<first@example.net>",
        ["<mg.1042@example.org>", "<a@x>", "<b@x>", "<first@example.net>"],
    )
    assert ids("") == (None, ["<mg.1042@example.org>"])


def test_long_lines_of_parents_are_trimmed_at_the_old_end() -> None:
    _, references = ids("<first@example.net>", *(f"<{n}@example.net>" for n in range(200)))
    assert len(references) == MAX_REFERENCES
    assert references[0] == "<mg.1042@example.org>"
    assert references[-2:] == ["<199@example.net>", "<first@example.net>"]


@pytest.mark.parametrize(
    "bad", ["", "<>", "x@y", "<a b@c>", "<a@b>\r\nBcc: <v@example.net>", "<é@x>", f"<{'a' * 300}>"]
)
def test_broken_ids_are_left_out(bad: str) -> None:
    assert ids(bad, bad) == (None, ["<mg.1042@example.org>"])


def test_an_alert_belongs_to_no_ticket() -> None:
    """Nobody answers it, and no customer is told of it: it needs no tokens."""
    ctx = replace(
        CONTEXT, ticket=replace(TICKET, number=0, subject=""), own={}, note="Too much mail."
    )
    mail = compose(Notice.ALERT, ctx, RENDERER, POLICY)
    message = read(mail)
    assert mail.ticket is None
    assert message["Subject"] == "Something needs your attention"
    assert message["Message-ID"] == "<mg.0.k3ep@example.org>"
    assert message["References"] is None
    assert message["Reply-To"] == "Support <support@example.org>"


# --- the contract with the templates ----------------------------------------------------------


@pytest.mark.parametrize("notice", list(Notice))
def test_samples_hold_what_templates_are_given(notice: Notice) -> None:
    given = variables(notice, CONTEXT, POLICY)
    for sample in SAMPLES.values():
        assert {k: type(v) for k, v in sample.items()} == {k: type(v) for k, v in given.items()}


def test_a_queue_without_a_name_borrows_the_name_of_the_house() -> None:
    box = Mailbox(address="help@example.org")
    ctx = replace(CONTEXT, mailbox=box, own={BOB.address: head(reply_to=box.address)})
    mail = compose(Notice.CONFIRMATION, ctx, RENDERER, POLICY)
    assert read(mail)["From"] == "Example Ltd <help@example.org>"
    assert wire(mail).startswith(b"To: <bob@example.net>\r\nReply-To: <help@example.org>\r\n")
