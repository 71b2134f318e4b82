"""What a mail brings onto its ticket: words, people, links, and what the rules say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.core.decision import (
    Facts,
    LinkTicket,
    New,
    Notify,
    OpenTicket,
    Outcome,
)
from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.opening import NO_SUBJECT
from mailgate.core.policy import Policy
from tests.core.decisions import AUTOMATIC, LIST, NOTHING, copied, decided, fields, opened, told
from tests.core.samples import (
    ANA,
    BEN,
    DAY,
    FIRST,
    NOW,
    OURS,
    POLICY,
    TO_ANA,
    facts,
    mail,
    rule,
    ticket,
)

# --- new tickets -------------------------------------------------------------------------


def test_what_a_new_ticket_says() -> None:
    given = mail(language="fr")
    assert opened(decided(given, source="pipe")) == OpenTicket(
        subject="Printer",
        requester=Address(addr="rita@customer.test", name="Rita"),
        queue="support",
        status="new",
        priority="normal",
        language="fr",
        source="pipe",
    )


def test_a_ticket_without_subject() -> None:
    assert opened(decided(mail(subject=""))).subject == NO_SUBJECT


@pytest.mark.parametrize(
    ("rcpt_tos", "to", "cc", "queue"),
    [
        pytest.param(
            ("sales@help.test",), ("support@help.test",), (), "sales", id="envelope first"
        ),
        pytest.param(
            ("a@b.test", "sales+x@help.test"), ("support@help.test",), (), "sales", id="with a tag"
        ),
        pytest.param((), ("a@b.test", "sales@help.test"), (), "sales", id="then To"),
        pytest.param((), ("a@b.test",), ("sales@help.test",), "sales", id="then Cc"),
        pytest.param(
            (), ("sales@help.test",), ("support@help.test",), "sales", id="two of ours: the first"
        ),
        pytest.param(("a@b.test",), (), (), "support", id="else our first"),
    ],
)
def test_queue(
    rcpt_tos: tuple[str, ...], to: tuple[str, ...], cc: tuple[str, ...], queue: str
) -> None:
    found = decided(mail(to=to, cc=cc), envelope=Envelope(rcpt_tos=rcpt_tos))
    assert opened(found).queue == queue


def test_a_house_without_mailboxes() -> None:
    found = opened(decided(mail(), policy=Policy(language="en")))
    assert (found.queue, found.language) == ("support", "en")


@pytest.mark.parametrize(
    ("written", "stored", "to", "language"),
    [
        pytest.param("fr", "es", "support", "fr", id="of the mail"),
        pytest.param("de", "fr", "support", "fr", id="no templates for it: what they wrote before"),
        pytest.param("", "de", "support", "es", id="neither: the mailbox's"),
        pytest.param("", "", "sales", "fr", id="each mailbox has its own"),
    ],
)
def test_language(written: str, stored: str, to: str, language: str) -> None:
    envelope = Envelope(rcpt_tos=(f"{to}@help.test",))
    known = Facts(sender_language=stored)
    found = decided(mail(language=written), known, envelope=envelope)
    assert opened(found).language == language


def test_language_of_the_house() -> None:
    spanish = replace(POLICY, language="en", languages=("en",))
    assert opened(decided(mail(language="fr"), policy=spanish)).language == "en"


@pytest.mark.parametrize(
    ("given", "known", "reason", "links"),
    [
        pytest.param(mail(), NOTHING, "a new matter", [], id="new"),
        pytest.param(
            mail("mallory@evil.test", in_reply_to=(FIRST,), subject="[#8]"),
            facts(ticket(), ticket(8)),
            "refers to #7, but the sender is no participant there",
            [(7, "claimed-by-stranger"), (8, "claimed-by-stranger")],
            id="a stranger's claims (T1, T2)",
        ),
        pytest.param(
            mail(in_reply_to=(OURS,)),
            facts(ticket(status="closed", closed=NOW - 15 * DAY)),
            "follows #7, which was closed too long ago",
            [(7, "follow-up-of-closed")],
            id="a late answer (T7)",
        ),
    ],
)
def test_links(given: ParsedMail, known: Facts, reason: str, links: list[tuple[int, str]]) -> None:
    found = decided(given, known)
    assert found.reason == reason
    assert [(e.other, e.why) for e in found.effects if isinstance(e, LinkTicket)] == links


def test_a_stranger_is_told_nothing_of_a_ticket_that_exists() -> None:
    """T1: the same mail gets the same answer whether there is a ticket 7 or not."""
    given = mail("mallory@evil.test", subject="[#7] x", in_reply_to=(FIRST,))
    there, gone = decided(given, facts()), decided(given, NOTHING)
    assert told(there) == told(gone)
    assert opened(there) == opened(gone)


def test_a_stranger_changes_nobody_elses_ticket() -> None:
    """T6: whoever a stranger copies is on the stranger's own ticket."""
    given = mail("mallory@evil.test", subject="[#7]", cc=("eve@evil.test",))
    found = decided(given, facts())
    assert found.target == New()
    assert copied(found) == ["eve@evil.test"]


# --- CC ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "added"),
    [
        pytest.param(
            mail(to=("support@help.test", "carl@customer.test"), cc=("dora@customer.test",)),
            ["carl@customer.test", "dora@customer.test"],
            id="To and Cc",
        ),
        pytest.param(
            mail(to=("support@help.test", "sales+1@help.test", "hilfe@help.test")),
            [],
            id="ourselves",
        ),
        pytest.param(mail(cc=(ANA.address, "ana@phone.test")), [], id="agents"),
        pytest.param(mail(cc=("rita@customer.test",)), [], id="the author"),
        pytest.param(
            mail(to=("carl@customer.test",), cc=("carl@customer.test",)),
            ["carl@customer.test"],
            id="twice",
        ),
        pytest.param(mail(cc=("undisclosed-recipients",)), [], id="no address"),
        pytest.param(mail("", cc=("carl@customer.test",)), [], id="nobody adds nobody"),
        pytest.param(mail(cc=("carl@customer.test",), headers=AUTOMATIC), [], id="a machine"),
        pytest.param(
            mail(to=("users@lists.test", "support@help.test"), headers=LIST),
            [],
            id="a list is not put on CC, or later notices would go to it",
        ),
        pytest.param(
            mail(cc=tuple(f"p{n}@crowd.test" for n in range(200))),
            [f"p{n}@crowd.test" for n in range(10)],
            id="a crowd (L7)",
        ),
    ],
)
def test_copied_on_a_new_ticket(given: ParsedMail, added: list[str]) -> None:
    assert copied(decided(given)) == added


def test_an_imported_list_was_put_on_cc_and_got_the_next_live_notice() -> None:
    given = mail(cc=("dev@lists.test",), headers=LIST)
    assert copied(decided(given, live=False)) == []


def test_copied_on_a_reply() -> None:
    """T7: whoever was taken off stays off; whoever is on is not added again."""
    on = ticket(cc=("carl@customer.test",), removed=("dora@customer.test",))
    given = mail(
        "carl@customer.test",
        in_reply_to=(OURS,),
        cc=("rita@customer.test", "dora@customer.test", "emil@customer.test"),
    )
    found = decided(given, facts(on))
    assert copied(found) == ["emil@customer.test"]
    assert "emil@customer.test" not in told(found)  # the mail is in Emil's box already


def test_an_agents_answer_puts_nobody_on_cc() -> None:
    given = mail(ANA.address, in_reply_to=(TO_ANA,), cc=("dora@customer.test",))
    assert copied(decided(given, facts())) == []


# --- rules -------------------------------------------------------------------------------


def test_rules_on_a_new_ticket() -> None:
    rules = (
        rule(category="billing", priority="high", tag="money"),
        rule(assign="night", cc="boss@customer.test", status="waiting"),
    )
    found = decided(mail(), policy=replace(POLICY, rules=rules))
    wanted = {"category": "billing", "priority": "high", "group": "night", "status": "waiting"}
    assert fields(found) == wanted
    assert told(found) == {
        "rita@customer.test": "confirmation",
        "boss@customer.test": "confirmation",
        ANA.address: "agent-assigned",
        BEN.address: "agent-assigned",
    }


def test_rules_on_a_reply() -> None:
    rules = (rule(on="reply", status="resolved", assign=ANA.address),)
    given = mail(in_reply_to=(OURS,))
    found = decided(given, facts(ticket(status="waiting")), replace(POLICY, rules=rules))
    assert fields(found) == {"status": "resolved", "assignee": ANA.address}
    notices = [e.notice.value for e in found.effects if isinstance(e, Notify)]
    assert notices == ["copy", "agent-message", "assignment", "agent-assigned", "status"]


def test_who_a_rule_puts_on_cc_gets_the_reply() -> None:
    """Whom the mail itself adds has it; whom a rule adds has not."""
    rules = (rule(on="reply", cc="boss@customer.test"),)
    given = mail(in_reply_to=(OURS,), cc=("emil@customer.test",))
    found = decided(given, facts(), replace(POLICY, rules=rules))
    assert told(found) == {
        "carl@customer.test": "copy",
        "boss@customer.test": "copy",
        ANA.address: "agent-message",
    }


@pytest.mark.parametrize("known", [NOTHING, facts()], ids=["new", "reply"])
def test_an_illegal_status_of_a_rule_is_skipped_and_the_rest_done(known: Facts) -> None:
    life = replace(POLICY.life, transitions={"new": ("open",), "open": ("closed",)})
    rules = (rule(status="waiting", tag="money", priority="high", cc="hilfe@help.test"),)
    given = mail(in_reply_to=(OURS,))
    found = decided(given, known, replace(POLICY, rules=rules, life=life))
    assert fields(found) == {"priority": "high"}
    assert copied(found) == []
    skipped = [s.reason for s in found.trace if (s.step, s.verdict) == ("rules", "skipped")]
    assert len(skipped) == 2
    assert skipped[0].endswith("-> waiting is not a legal change")


@pytest.mark.parametrize("known", [NOTHING, facts()], ids=["new", "reply"])
def test_a_rule_ignores_a_mail(known: Facts) -> None:
    rules = (rule(subject="Printer", ignore="newsletter"),)
    found = decided(mail(in_reply_to=(OURS,)), known, replace(POLICY, rules=rules))
    assert (found.outcome, found.reason) == (Outcome.IGNORED, "newsletter")
    assert (found.target, found.effects) == (None, ())
    assert found.trace[-1].verdict == "matched"


def test_rules_have_no_say_over_an_agents_answer() -> None:
    rules = (rule(ignore="all of it", subject=""),)
    given = mail(ANA.address, in_reply_to=(TO_ANA,))
    found = decided(given, facts(), replace(POLICY, rules=rules))
    assert found.outcome is Outcome.REPLY


# --- an agent's answer without words -----------------------------------------------------

MARKED = "##- Please write your answer above this line -##\n\nNote: he is a thief"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(MARKED, id="nothing but our notice"),
        pytest.param(f"Van: Support\nOnderwerp: [#7] Printer\n\n{MARKED}", id="Outlook's heading"),
        pytest.param("> it does not print\n> note: he is a thief", id="quoted with >"),
    ],
)
def test_an_answer_without_own_words_carried_our_notice_to_the_customer(text: str) -> None:
    found = decided(mail(ANA.address, in_reply_to=(TO_ANA,), text=text, visible=text), facts())
    assert (found.outcome, told(found)) == ("note", {ANA.address: "agent-message"})


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(mail("no-reply@shop.test"), id="no-reply"),
        pytest.param(mail(subject="Out of office since Monday"), id="a subject like a machine's"),
        pytest.param(mail(headers={"x-rt-loop-prevention": ("x",)}), id="another help desk"),
    ],
)
def test_who_counts_in_full_but_may_be_a_machine_was_confirmed(given: ParsedMail) -> None:
    found = decided(given)
    assert (found.outcome, set(told(found).values())) == ("ticket", {"agent-new"})
