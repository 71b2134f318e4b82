"""Side conversations in miniature: Ana, who asks, and Sam of a supplier, who answers."""

from __future__ import annotations

from typing import Any

from mailgate.core.decision import (
    AppendMessage,
    Decision,
    Facts,
    Notice,
    Notify,
)
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Power, Role
from mailgate.core.token import Purpose
from tests.core.decisions import decided, standings
from tests.core.samples import (
    ANA,
    BEN,
    TO_ANA,
    facts,
    mail,
    reply_to,
    ticket,
)

SAM, KIM, RITA = "sam@supplier.test", "kim@supplier.test", "rita@customer.test"
TO_SAM = reply_to(SAM, role=Role.SIDE, purpose=Purpose.SIDE)
PAIR = f"{ANA.address}\0{SAM}"
AT_SAM = reply_to(PAIR, role=Role.AGENT, purpose=Purpose.SIDE)  # where Ana answers Sam
LOGIN = Envelope(mail_from=ANA.address, rcpt_tos=("support@help.test",), login=ANA.address)
TALK = facts(ticket(sides=(SAM,)))
TAKEN = facts(ticket(sides=(SAM,), assignee=BEN.address, queue="sales"))


def by_sam(words: str = "On Thursday.", to: tuple[str, ...] = (TO_SAM,), **more: Any) -> ParsedMail:
    return mail(SAM, **{"text": words, "visible": words, "to": to, "subject": "Re: Fuser", **more})


def by_ana(words: str = "Thank you.", to: tuple[str, ...] = (AT_SAM,), **more: Any) -> ParsedMail:
    fields = {"text": words, "visible": words, "to": to, "subject": "Re: [HELP#7] [support] Fuser"}
    return mail(ANA.address, **{**fields, **more})


def asked(words: str, known: Facts = TALK, **more: Any) -> Decision:
    """Ana's answer to our notice about the ticket, with a login."""
    given = by_ana(words, **{"to": ("support@help.test",), "in_reply_to": (TO_ANA,), **more})
    return decided(given, known, envelope=LOGIN)


def sent(decision: Decision) -> Notify:
    """The notice that leaves the house."""
    [notify] = [e for e in decision.effects if isinstance(e, Notify) and e.notice is Notice.SIDE]
    return notify


def transcript(decision: Decision) -> Notify:
    """What tells the agent what came of a mail."""
    told = [e for e in decision.effects if isinstance(e, Notify)]
    [notify] = [n for n in told if n.notice is Notice.TRANSCRIPT]
    return notify


def aside(decision: Decision) -> list[tuple[str, ...]]:
    return [e.aside for e in decision.effects if isinstance(e, AppendMessage)]


def on_seven(given: ParsedMail, known: Facts = TALK, **how: Any) -> tuple[Role, Power, int]:
    here = standings(given, known, **how)[7]
    return here.role, here.power, here.level
