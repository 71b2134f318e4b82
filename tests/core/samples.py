"""A help desk in miniature: its policy, its people, a ticket, and mails to be judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mailgate.core.decision import Facts, SentMail, StoredMessage
from mailgate.core.mail import Address, Envelope, ParsedMail
from mailgate.core.people import Agent, Mailbox, Role
from mailgate.core.policy import Action, Condition, Pattern, Policy, Rule, Trust
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.token import Key, Purpose, Token, holder_of, seal

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
PINNED = replace(POLICY, trust=Trust(authserv_id="mx.help.test"))
STRICT = replace(POLICY, trust=Trust(require="strict"))
ENVELOPE = Envelope(mail_from="rita@customer.test", rcpt_tos=("support@help.test",))

KEY = Key(id=1, secret=b"a secret of thirty-two octets ...", created=NOW - 99 * DAY)


def sealed(
    address: str, number: int = 7, role: Role = Role.REQUESTER, days: int = 30, **more: Any
) -> str:
    """The text of a token; a Message-ID's unless a `purpose` is given. `key` seals it."""
    purpose = more.pop("purpose", Purpose.MESSAGE)
    key = more.pop("key", KEY)
    nonce = more.pop("nonce", b"nonce." if purpose is Purpose.MESSAGE else b"")
    made = Token(
        purpose=purpose,
        role=role,
        key=key.id,
        last_day=(NOW + days * DAY).date(),
        number=number,
        holder=holder_of(address),
        nonce=nonce,
        **more,
    )
    return seal(made, key)


def our_id(address: str, number: int = 7, role: Role = Role.REQUESTER, **more: Any) -> str:
    """The Message-ID of a mail of ours to somebody."""
    return f"<mg.{sealed(address, number, role, **more)}@help.test>"


def reply_to(address: str, number: int = 7, role: Role = Role.REQUESTER, **more: Any) -> str:
    """The reply address of a mail of ours to somebody."""
    made = sealed(address, number, role, **{"purpose": Purpose.REPLY, **more})
    return f"support+{made}@help.test"


OURS = our_id("rita@customer.test")  # our confirmation to Rita about ticket 7
TO_ANA = our_id(ANA.address, role=Role.AGENT)  # our notice to Ana about ticket 7
FIRST = "<first@customer.test>"  # Rita's own first mail
FACTS = Facts(
    sent={
        OURS: SentMail(
            outbox=1,
            ticket=7,
            notice="confirmation",
            recipients=("rita@customer.test",),
        ),
        TO_ANA: SentMail(
            outbox=2, ticket=7, notice="agent-message", recipients=(ANA.address,), inbox=2
        ),
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
        "keys": (KEY,),
        "messages": {2: stored()},
    }
    return Facts(**{**known, **more})


def stored(number: int = 2, sender: str = "carl@customer.test", **more: Any) -> StoredMessage:
    """A message on ticket 7 that our notice to Ana was about; another stands beside it."""
    fields: dict[str, Any] = {
        "id": number,
        "ticket": 7,
        "inbox": number,
        "kind": MessageKind.CUSTOMER,
        "author": person(sender) if sender else None,
        "at": NOW - DAY,
        "others": 1,
        "envelope": ENVELOPE,
        "mail": mail(sender, subject="Re: [HELP#7] Printer", message_id=f"<m{number}@x.test>"),
    }
    return StoredMessage(**{**fields, **more})


def stamped(verdict: str = "dmarc=pass", domain: str = "agents.test") -> dict[str, Any]:
    """What our own server writes above everything else; for `mail(**stamped(...))`."""
    value = f"mx.help.test; {verdict} header.from={domain}"
    return {"trail": (("authentication-results", value), ("received", "from x by mx.help.test"))}


def rule(name: str = "r", *, on: str = "any", subject: str = "", **then: str) -> Rule:
    """A rule that matches a subject (or all mail); `tag="money"` is an action."""
    when: tuple[Condition, ...] = ()
    if subject:
        pattern = Pattern(written=subject, regex=subject)
        when = (Condition(field="subject", patterns=(pattern,)),)
    actions = tuple(Action(name=key, values=(value,)) for key, value in then.items())
    return Rule(name=name, where="rules.yaml:3", when=when, then=actions, on=on)
