"""What holds for any mail: proofs only ever add power, and no mail makes us write to outsiders."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.consequences import after
from mailgate.core.decide import Delivery, decide
from mailgate.core.decision import (
    AppendMessage,
    Decision,
    Facts,
    New,
    Notice,
    Notify,
    OpenTicket,
    Whom,
)
from mailgate.core.mail import Envelope, Kind, ParsedMail
from mailgate.core.people import Power, Role, Standing
from mailgate.core.policy import AUTOMATIC_KINDS, Policy
from mailgate.core.proofs import IN_REFERENCES, claims
from mailgate.core.screen import screen
from mailgate.core.thread import place, place_history
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose
from tests.core.decisions import found_by
from tests.core.samples import (
    ANA,
    BEN,
    FIRST,
    NOW,
    OURS,
    PINNED,
    POLICY,
    STRICT,
    TO_ANA,
    facts,
    mail,
    our_id,
    reply_to,
    rule,
    stamped,
    ticket,
)

PEOPLE = (
    "rita@customer.test",
    "carl@customer.test",
    "mallory@evil.test",
    "sam@supplier.test",
    "no-reply@shop.test",
    "mailer-daemon@relay.test",
    "support@help.test",
    ANA.address,
    BEN.address,
    "ana@phone.test",
    "",
)
TO_CARL = our_id("carl@customer.test", role=Role.CC)
ASIDE = "sam@supplier.test"  # a third party
ANA_ASIDE = f"{ANA.address}\0{ASIDE}"
SIDE_ID = our_id(ASIDE, role=Role.SIDE, purpose=Purpose.SIDE, nonce=b"nonce.")
IDS = (OURS, TO_ANA, TO_CARL, FIRST, SIDE_ID, "<both@customer.test>", "<unknown@x.test>")
ADDRESSES = (
    reply_to("rita@customer.test"),
    reply_to(ANA.address, role=Role.AGENT),
    reply_to(BEN.address, 8, role=Role.AGENT),
    reply_to(ASIDE, role=Role.SIDE, purpose=Purpose.SIDE),
    reply_to(ANA_ASIDE, role=Role.AGENT, purpose=Purpose.SIDE),
    reply_to(f"{ANA.address}\0\0{ASIDE}", role=Role.AGENT, purpose=Purpose.SIDE),
)
STAMPS = (
    (),
    stamped()["trail"],
    stamped("dmarc=fail")["trail"],
    stamped(domain="customer.test")["trail"],
    stamped("dmarc=fail", "customer.test")["trail"],
    stamped(domain="supplier.test")["trail"],
)
MARKS: tuple[dict[str, tuple[str, ...]], ...] = (
    {},
    {"auto-submitted": ("auto-replied",)},
    {"precedence": ("bulk",)},
    {"x-auto-response-suppress": ("OOF",)},
    {"list-id": ("<users.lists.test>",)},
    {"x-mailgate-loop": ("house-1",)},
    {"x-failed-recipients": ("rita@customer.test",)},
)
somebody = st.sampled_from(PEOPLE)
several = st.lists(somebody.filter(bool), max_size=4).map(tuple)
written = st.lists(st.sampled_from((*PEOPLE[:-1], *ADDRESSES)), max_size=4).map(tuple)
ids = st.lists(st.sampled_from(IDS), max_size=3).map(tuple)
mails = st.builds(
    mail,
    sender=somebody,
    subject=st.sampled_from(
        ("Printer", "[#7] Printer", "[#8] x [HELP#7]", "Automatic reply: [#7]", "Re: [#9]", "")
    ),
    to=written,
    cc=several,
    in_reply_to=ids,
    references=ids,
    message_id=st.sampled_from(("<new@customer.test>", FIRST)),
    headers=st.sampled_from(MARKS),
    language=st.sampled_from(("", "fr", "de")),
    date=st.sampled_from((None, NOW, NOW - timedelta(days=9))),
    trail=st.sampled_from(STAMPS),
)
envelopes = st.builds(
    Envelope,
    mail_from=st.sampled_from(("", "rita@customer.test", None)),
    rcpt_tos=written,
    login=st.sampled_from(("", ANA.address)),
)
agents = st.sampled_from(("", ANA.address, BEN.address))
views = st.builds(
    ticket,
    status=st.sampled_from(("new", "open", "waiting", "resolved", "closed")),
    closed=st.sampled_from((None, NOW - timedelta(days=1), NOW - timedelta(days=99))),
    requester=somebody,
    cc=several,
    removed=several,
    muted=several,
    sides=st.sampled_from(((), (ASIDE,), (ASIDE, "carl@customer.test"))),
    assignee=agents,
    group=st.sampled_from(("", "night")),
)
trusts = st.sampled_from((POLICY, PINNED, STRICT))
rulebooks = st.lists(
    st.sampled_from(
        (
            rule(status="resolved"),
            rule(status="closed", subject="Printer"),
            rule(assign="night"),
            rule(assign=ANA.address),
            rule(cc="boss@customer.test"),
            rule(cc="sales@help.test"),
            rule(subject="Automatic", ignore="noise"),
        )
    ),
    max_size=3,
)
policies = st.tuples(rulebooks, trusts).map(lambda pair: replace(pair[1], rules=tuple(pair[0])))
stores = st.tuples(views, views).map(
    lambda pair: facts(
        replace(pair[0], number=7),
        replace(pair[1], number=8),
        seen={FIRST: (7,), "<both@customer.test>": (7, 8)},
    )
)
lives = st.booleans()


def decision(given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy) -> Decision:
    return decide(given, Delivery(envelope=envelope, received=NOW), known, policy)


def reached(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy, *, live: bool
) -> dict[int, Power]:
    """Where this mail may go, and with what power; each ticket as if it were the only one."""
    powers = {}
    for number, view in known.tickets.items():
        alone = replace(known, tickets={number: view})
        found = found_by(given, alone, policy, envelope)
        where = place(found, policy, now=NOW) if live else place_history(found, policy)
        if where.number is not None:
            powers[number] = where.standing.power
    return powers


def without(given: ParsedMail, envelope: Envelope, mask: int) -> tuple[ParsedMail, Envelope]:
    """The mail without some of its evidence: ids, tokens, stamps that say yes, the login."""
    bare: dict[str, object] = {}
    if mask & 1:
        bare |= {"in_reply_to": (), "references": ()}
    if mask & 2:
        bare["subject"] = "Printer"
    if mask & 4 and "pass" in str(given.trail):
        bare["trail"] = ()
    if mask & 8:
        bare["to"] = tuple(a for a in given.to if a.addr not in ADDRESSES)
        kept = tuple(a for a in envelope.rcpt_tos if a not in ADDRESSES)
        envelope = replace(envelope, rcpt_tos=kept)
    if mask & 16:
        envelope = replace(envelope, login="")
    return replace(given, **bare), envelope  # type: ignore[arg-type]


@settings(max_examples=300)
@given(mails, envelopes, stores, trusts, st.integers(1, 31), lives)
def test_less_evidence_gives_no_more_power(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy, mask: int, live: bool
) -> None:
    """Invariant 8: to take evidence away never gives a mail what it could not do before."""
    full = reached(given, envelope, known, policy, live=live)
    less = reached(*without(given, envelope, mask), known, policy, live=live)
    assert set(less) <= set(full)
    if live:
        assert all(full[number] >= power for number, power in less.items())


@settings(max_examples=300)
@given(mails, envelopes, stores, trusts, st.integers(1, 31))
def test_less_evidence_makes_nobody_an_agent(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy, mask: int
) -> None:
    """Invariant 8, for each ticket."""
    full = found_by(given, known, policy, envelope).standings
    bare, left = without(given, envelope, mask)
    for number, here in found_by(bare, known, policy, left).standings.items():
        assert here.power <= full[number].power
        assert _acts(full[number]) or not _acts(here)


def _acts(here: Standing) -> bool:
    return here.role is Role.AGENT and here.power >= Power.ACT


@settings(max_examples=300)
@given(mails, envelopes, stores, trusts, st.sampled_from(STAMPS))
def test_what_stands_below_our_own_server_gives_no_power(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy, forged: object
) -> None:
    """Invariant 8: whatever a sender writes stands below the first Received of ours."""
    ours = (*given.trail, ("received", "from x by mx.help.test"))
    plain = replace(given, trail=ours)
    more = replace(given, trail=(*ours, *forged))  # type: ignore[misc]
    before = found_by(plain, known, policy, envelope).standings
    assert found_by(more, known, policy, envelope).standings == before


@given(mails, envelopes, stores, policies)
def test_a_mail_lands_only_where_it_may(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    found = decision(given, envelope, known, policy)
    written = any(isinstance(e, AppendMessage) for e in found.effects)
    if written and isinstance(found.target, int):
        assert found.target in reached(given, envelope, known, policy, live=True)


def _participants(found: Decision, known: Facts) -> tuple[str, ...]:
    """Requester and CC once the effects have been applied."""
    if isinstance(found.target, int):
        view = known.tickets[found.target]
    else:
        opening = next(e for e in found.effects if isinstance(e, OpenTicket))
        who = opening.requester.addr if opening.requester else ""
        view = TicketView(
            number=0, subject="", status="new", priority="normal", queue="", requester=who
        )
    return after(view, found.effects).participants


@settings(max_examples=200)
@given(mails, envelopes, stores, policies)
def test_only_participants_and_agents_are_written_to(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    """Invariant 6, and none of our own addresses, whatever a ticket says."""
    found = decision(given, envelope, known, policy)
    for effect in found.effects:
        if isinstance(effect, Notify):
            for person in effect.to:
                assert not policy.own(person.address)
                if person.role == "agent":
                    assert policy.agent_for(person.address)
                elif person.role == "side":
                    assert isinstance(found.target, int)
                    assert person.address in known.tickets[found.target].sides
                else:
                    assert person.address in _participants(found, known)


@settings(max_examples=200)
@given(mails, envelopes, stores, policies)
def test_what_is_said_aside_reaches_no_customer(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    """Whatever else a mail carries: nothing of it is public, and nobody joins by it."""
    found = decision(given, envelope, known, policy)
    if any(isinstance(e, AppendMessage) and e.aside for e in found.effects):
        assert found.outcome == "note"
        after_it = _participants(found, known)
        assert isinstance(found.target, int)
        assert after_it == known.tickets[found.target].participants
        told = [e for e in found.effects if isinstance(e, Notify)]
        assert {p.role for e in told for p in e.to} <= {"agent", "side"}


@settings(max_examples=200)
@given(mails, envelopes, stores, policies)
def test_a_machine_is_never_answered(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    """Invariant 5: an automatic mail makes us write to nobody, a list's only to agents.

    An agent who proves it may answer from behind a list: those are a person's words.
    """
    kind = screen(given, envelope, policy).kind
    found = decision(given, envelope, known, policy)
    said = [e for e in found.effects if isinstance(e, AppendMessage)]
    proven = any(
        e.kind == "agent" or (e.aside and e.author and e.author.addr not in e.aside) for e in said
    )
    told = [e for e in found.effects if isinstance(e, Notify)]
    to = {p.role for e in told for p in e.to}
    if kind is Kind.BOUNCE:
        # Agents hear of what did not arrive, and nobody else does.
        assert to <= {"agent"}
        assert {e.notice for e in told} <= {Notice.AGENT_BOUNCE}
    elif kind is Kind.LIST and not proven:
        assert to <= {"agent"}
    elif kind in AUTOMATIC_KINDS - {Kind.LIST, Kind.BOUNCE} or given.headers.get("x-mailgate-loop"):
        assert to == set()


@given(mails, envelopes, stores, policies)
def test_every_mail_ends_in_one_outcome_with_a_reason(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    found = decision(given, envelope, known, policy)
    assert found.reason
    assert found.trace
    assert (found.target == New()) == (found.outcome == "ticket")
    assert found == decision(given, envelope, known, policy)


@settings(max_examples=200)
@given(mails, envelopes, stores, policies)
def test_no_notice_of_a_mail_that_names_a_third_party_is_answered_to_the_customer(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    found = decision(given, envelope, known, policy)
    near = [c for c in claims(given, envelope, policy) if c.where != IN_REFERENCES]
    if not any(c.sealed.token.purpose is Purpose.SIDE for c in near):
        return
    for effect in found.effects:
        if isinstance(effect, Notify) and effect.notice in (Notice.AGENT_HELD, Notice.TRANSCRIPT):
            assert effect.ears.whom is not Whom.CUSTOMER
