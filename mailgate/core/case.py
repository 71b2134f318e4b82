"""What the branches of a decision share: the mail, what is known, and what was found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mailgate.core import addressed, rules
from mailgate.core.decision import AddParticipant, Facts, Prove, Step
from mailgate.core.mail import Envelope, Kind, ParsedMail
from mailgate.core.people import Author, Mailbox, Power, Role, Stamp, Standing
from mailgate.core.policy import Policy
from mailgate.core.screen import Verdict
from mailgate.core.ticket import TicketView


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a mail came: its envelope, when, by which kind of source, and whether it is history."""

    envelope: Envelope
    received: datetime
    source: str = "email"  # email | pipe | import | sent
    live: bool = True
    now: datetime | None = None  # when it is decided; None: at once
    stamp: tuple[Stamp, str] | None = None  # our own look at SPF, DKIM and DMARC
    approved_by: str = ""  # a held mail: who said that it may take effect
    approved_for: int | None = None  # ... and on which ticket, where it is not that one
    accepted_by: str = ""  # who let it out of quarantine
    as_note: bool = False  # ... and that it may do so as an internal note only

    @property
    def sent(self) -> bool:
        """Whether it is a copy in the Sent folder of an account of ours."""
        return self.source == "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One mail on its way to a decision."""

    mail: ParsedMail
    delivery: Delivery
    facts: Facts
    policy: Policy
    verdict: Verdict
    author: Author
    mailbox: Mailbox | None
    trace: tuple[Step, ...]
    standing: Standing = field(default_factory=Standing)  # on the ticket it was placed at
    inward: bool = False  # it came to a note address: an agent's words in it never leave
    # Whom an agent's answer to a side mail goes to, never the customer; () where nobody can tell,
    # None where it answers none.
    aside: tuple[str, ...] | None = None
    unreached: str = ""  # ... because mail to this third party did not arrive, as it was told

    @property
    def quiet(self) -> bool:
        """Nothing is sent because of this mail."""
        return not self.delivery.live or self.verdict.kind is Kind.AUTO_REPLY

    @property
    def proven(self) -> bool:
        """Whether something speaks for the sender's address, now or in an earlier mail."""
        return self._shown or (self.facts.sender_proven and self.author.stamp is not Stamp.FAILED)

    @property
    def _shown(self) -> bool:
        """Whether this mail shows that the sender's address is theirs."""
        here = self.standing
        by_token = here.power >= Power.ACT and here.level > 0 and not here.borrowed
        return bool(self.author.proofs) or by_token

    @property
    def level(self) -> int:
        """0 nothing is proven, 1 one proof, 2 two independent ones, 3 a login."""
        return self.standing.level

    def noted(self) -> list[Prove]:
        """What this mail says of its sender's address, for later mails and for what we send."""
        if not self.author.address or self.quiet or self.author.stamp is Stamp.FAILED:
            return []
        proven = self._shown
        if proven != self.facts.sender_proven or self.facts.sender_paused:
            return [Prove(address=self.author.address, proven=proven)]
        return []


def context(case: Case, queue: str, *, is_new: bool) -> rules.RuleContext:
    """What a rule may ask besides the mail itself."""
    return rules.RuleContext(queue=queue, is_new=is_new, kind=case.verdict.kind)


def copied(case: Case, ticket: TicketView) -> tuple[list[AddParticipant], list[Step]]:
    """People in To and Cc become CC; nobody does by a machine's mail or through a list.

    A list on CC would get whatever the ticket sends later. On a ticket that exists, whoever is
    not proven adds nobody (reliability: T6).
    """
    by = case.author.address
    added, left_out = addressed.taken_over(case.mail, ticket, case.policy)
    why = _why_nobody(case, ticket)
    if why:
        left_out = (*((a.addr, why) for a in added), *left_out)
        added = ()
    steps = [Step(step="cc", verdict=f"{a.addr} added", reason="in To or Cc") for a in added]
    steps += [Step(step="cc", verdict=f"{who} not added", reason=why) for who, why in left_out]
    return [AddParticipant(address=address, added_by=by) for address in added], steps


def _why_nobody(case: Case, ticket: TicketView) -> str:
    if not case.author.address:
        return "the mail has no single author"
    if case.verdict.kind in (Kind.LIST, Kind.AUTO_REPLY):
        return f"not by a mail of kind {case.verdict.kind}"
    if case.author.stamp is Stamp.FAILED and not ticket.number:
        return "the domain in From says that the mail is forged"
    stranger = case.standing.role is Role.STRANGER and not case.author.agent
    if ticket.number and not case.delivery.live and stranger:
        return "history: the sender was nobody on this ticket"
    unproven = case.standing.power < Power.WIDEN and case.delivery.live
    if ticket.number and unproven and not case.delivery.approved_by:
        return "the sender is not proven"
    return ""
