"""What holds for any mail: proofs only ever add power, and no mail makes us write to outsiders."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.core.authorise import roles
from mailgate.core.consequences import after
from mailgate.core.decide import Delivery, decide
from mailgate.core.decision import AppendMessage, Decision, Facts, New, Notify, OpenTicket
from mailgate.core.identify import identify
from mailgate.core.mail import Envelope, Kind, ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import AUTOMATIC_KINDS, Policy
from mailgate.core.screen import screen
from mailgate.core.thread import place
from mailgate.core.ticket import TicketView
from tests.core.samples import ANA, BEN, FIRST, NOW, OURS, POLICY, TO_ANA, facts, mail, rule, ticket

PEOPLE = (
    "rita@customer.test",
    "carl@customer.test",
    "mallory@evil.test",
    "no-reply@shop.test",
    "mailer-daemon@relay.test",
    "support@help.test",
    ANA.address,
    BEN.address,
    "ana@phone.test",
    "",
)
IDS = (OURS, TO_ANA, FIRST, "<both@customer.test>", "<unknown@x.test>")
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
ids = st.lists(st.sampled_from(IDS), max_size=3).map(tuple)
mails = st.builds(
    mail,
    sender=somebody,
    subject=st.sampled_from(
        ("Printer", "[#7] Printer", "[#8] x [HELP#7]", "Automatic reply: [#7]", "Re: [#9]", "")
    ),
    to=several,
    cc=several,
    in_reply_to=ids,
    references=ids,
    message_id=st.sampled_from(("<new@customer.test>", FIRST)),
    headers=st.sampled_from(MARKS),
    language=st.sampled_from(("", "fr", "de")),
)
envelopes = st.builds(
    Envelope,
    mail_from=st.sampled_from(("", "rita@customer.test", None)),
    rcpt_tos=several,
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
    assignee=agents,
    group=st.sampled_from(("", "night")),
)
policies = st.lists(
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
).map(lambda rules: replace(POLICY, rules=tuple(rules)))
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


def reached(given: ParsedMail, envelope: Envelope, known: Facts, *, live: bool) -> set[int]:
    """The tickets that this mail may be put on; each looked at as if it were the only one."""
    found = set()
    for number, view in known.tickets.items():
        alone = replace(known, tickets={number: view})
        on = roles(identify(given, envelope, POLICY), alone, given.ancestors())
        where = place(given, alone, on, POLICY, now=NOW, history=not live)
        found |= {where.number} if where.number is not None else set()
    return found


def stripped(given: ParsedMail, mask: int) -> ParsedMail:
    """The mail without some of its evidence."""
    bare: dict[str, object] = {"in_reply_to": (), "references": (), "subject": "Printer"}
    chosen = {name: value for at, (name, value) in enumerate(bare.items()) if mask & 1 << at}
    return replace(given, **chosen)  # type: ignore[arg-type]


@given(mails, envelopes, stores, st.integers(1, 7), lives)
def test_less_evidence_reaches_no_more_tickets(
    given: ParsedMail, envelope: Envelope, known: Facts, mask: int, live: bool
) -> None:
    """Invariant 8: to take evidence away never gives a mail a ticket it could not reach."""
    less = reached(stripped(given, mask), envelope, known, live=live)
    assert less <= reached(given, envelope, known, live=live)


@given(mails, envelopes, stores, st.integers(1, 7))
def test_less_evidence_makes_nobody_an_agent(
    given: ParsedMail, envelope: Envelope, known: Facts, mask: int
) -> None:
    author = identify(given, envelope, POLICY)
    full = roles(author, known, given.ancestors())
    less = roles(author, known, stripped(given, mask).ancestors())
    assert all(full[n] is Role.AGENT for n, role in less.items() if role is Role.AGENT)


@given(mails, envelopes, stores, policies)
def test_a_mail_lands_only_where_it_may(
    given: ParsedMail, envelope: Envelope, known: Facts, policy: Policy
) -> None:
    found = decision(given, envelope, known, policy)
    written = any(isinstance(e, AppendMessage) for e in found.effects)
    if written and isinstance(found.target, int):
        assert found.target in reached(given, envelope, known, live=True)


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
                else:
                    assert person.address in _participants(found, known)


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
    proven = any(isinstance(e, AppendMessage) and e.kind == "agent" for e in found.effects)
    to = {p.role for e in found.effects if isinstance(e, Notify) for p in e.to}
    if kind is Kind.LIST and not proven:
        assert to <= {"agent"}
    elif kind in AUTOMATIC_KINDS - {Kind.LIST} or given.headers.get("x-mailgate-loop"):
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
