"""A help desk in miniature: its policy, its people, a ticket, and mails to be judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mailgate.core.decision import Facts, SentMail
from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.people import Agent, Mailbox
from mailgate.core.policy import Action, Condition, Pattern, Policy, Rule
from mailgate.core.ticket import TicketView

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)

SUPPORT = Mailbox(address="support@help.test", aliases=("hilfe@help.test",), language="es")
SALES = Mailbox(address="sales@help.test", queue="sales", language="fr")
ANA = Agent(address="ana@agents.test", name="Ana", aliases=("ana@phone.test",))
BEN = Agent(address="ben@agents.test", name="Ben", queues=("sales",))
POLICY = Policy(
    domain="help.test",
    instance="house-1",
    language="en",
    languages=("en", "es", "fr"),
    subject_tag="HELP",
    old_tags=("OLD",),
    mailboxes=(SUPPORT, SALES),
    agents=(ANA, BEN),
    groups={"night": (ANA.address, BEN.address)},
    categories=("billing",),
)
ENVELOPE = Envelope(mail_from="rita@customer.test", rcpt_tos=("support@help.test",))

OURS = "<mg.7.c0ffee@help.test>"  # our confirmation to Rita and Carl about ticket 7
TO_ANA = "<mg.7.decade@help.test>"  # our notice to Ana about ticket 7
FIRST = "<first@customer.test>"  # Rita's own first mail
FACTS = Facts(
    sent={
        OURS: SentMail(
            outbox=1,
            ticket=7,
            notice="confirmation",
            recipients=("rita@customer.test", "carl@customer.test"),
        ),
        TO_ANA: SentMail(outbox=2, ticket=7, notice="agent-new", recipients=(ANA.address,)),
    },
    seen={FIRST: (7,)},
    tickets={},
)


def person(addr: str) -> Address:
    """Rita's address gets the name Rita."""
    return Address(addr=addr, name=addr.partition("@")[0].capitalize())


def mail(sender: str = "rita@customer.test", subject: str = "Printer", **more: Any) -> ParsedMail:
    """A plain mail to support; people are given as addresses, headers as a mapping."""
    for name in ("to", "cc", "reply_to"):
        if name in more:
            more[name] = tuple(person(a) for a in more[name])
    who = (person(sender),) if sender else ()
    fields: dict[str, Any] = {
        "digest": "0" * 64,
        "size": 100,
        "message_id": "<new@customer.test>",
        "sender": who[0] if who else None,
        "from_": who,
        "to": (person("support@help.test"),),
        "subject": subject,
        "text": "It does not print.",
        "visible": "It does not print.",
    }
    return ParsedMail(**{**fields, **more})


def headers(**given: str) -> dict[str, tuple[str, ...]]:
    """`auto_submitted="no"` -> {"auto-submitted": ("no",)}."""
    return {name.replace("_", "-"): (value,) for name, value in given.items()}


def ticket(number: int = 7, **more: Any) -> TicketView:
    """Rita's ticket, with Carl on CC."""
    fields: dict[str, Any] = {
        "number": number,
        "subject": "Printer",
        "status": "open",
        "priority": "normal",
        "queue": "support",
        "requester": "rita@customer.test",
        "cc": ("carl@customer.test",),
    }
    return TicketView(**{**fields, **more})


def facts(*tickets: TicketView, **more: Any) -> Facts:
    """What the store knows: the mails above, and these tickets (ticket 7 when none is given)."""
    known: dict[str, Any] = {
        "sent": FACTS.sent,
        "seen": FACTS.seen,
        "tickets": {t.number: t for t in tickets or (ticket(),)},
    }
    return Facts(**{**known, **more})


def rule(name: str = "r", *, on: str = "any", subject: str = "", **then: str) -> Rule:
    """A rule that matches a subject (or all mail); `tag="money"` is an action."""
    when: tuple[Condition, ...] = ()
    if subject:
        pattern = Pattern(written=subject, regex=subject)
        when = (Condition(field="subject", patterns=(pattern,)),)
    actions = tuple(Action(name=key, values=(value,)) for key, value in then.items())
    return Rule(name=name, where="rules.yaml:3", when=when, then=actions, on=on)
