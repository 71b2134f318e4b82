"""What an author may do on each ticket in question, and why. From alone never makes an agent.

Two proofs are looked for beside the From header: that the mail comes from the address it names
(a login, or a stamp of a server we trust), and that the writer saw a mail of this ticket (a token).

    an agent       login                                          acts
                   token of the agent's own and stamp, fresh      acts
                   one of the two                                 is held; the agent is asked
                   the token, nothing pinned, require "auto"      acts, but widens nothing
                   a token of the agent's own, stamp "failed"     is held; the token is revoked
                   neither                                        an outsider
    a third party  a token of the side conversation, or known     is heard, aside: nothing of it
                   here and stamped or logged in                  is public, whatever else they are
    a participant  token, stamp or login                          acts
                   none of them, nothing is pinned                acts, but widens nothing
                   none of them                                   is held
    who was removed, with any evidence                            is held
    anybody else   a token of this ticket                         is held
                   other evidence                                 a new ticket with a link

Taking a proof away never adds power (reliability: invariant 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailgate.core.decision import Facts
from mailgate.core.people import Agent, Author, Power, Role, Stamp, Standing
from mailgate.core.policy import Policy, folded
from mailgate.core.proofs import Proof
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose, aside_of, holder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that the power on a ticket depends on."""

    author: Author
    proofs: Sequence[Proof]
    policy: Policy
    date: datetime | None  # of the Date header
    received: datetime

    @property
    def provable(self) -> bool:
        """Whether an honest sender has a way to be proven by a stamp."""
        return bool(self.policy.trust.authserv_id) or self.policy.trust.verify

    def good(self, ticket: TicketView) -> list[Proof]:
        """Tokens of this ticket that are to be believed."""
        return [p for p in self.proofs if p.good and p.number == ticket.number]


def standings(asked: Question, facts: Facts) -> Mapping[int, Standing]:
    """The author's standing on every ticket among the facts."""
    return {number: standing(asked, ticket) for number, ticket in facts.tickets.items()}


def standing(asked: Question, ticket: TicketView) -> Standing:
    """The best that the proofs are worth on one ticket."""
    good = asked.good(ticket)
    judged = [_outsider(asked, ticket, good)]
    if asked.author.address in ticket.participants:
        judged.append(_participant(asked, ticket, good))
    # Whoever asked for help is a requester there, agent or not.
    if asked.author.agent and asked.author.address != ticket.requester:
        judged.append(_agent(asked, asked.author.agent, ticket, good))
    best = max(judged, key=lambda s: (s.power, bool(s.revoke), s.role is Role.AGENT, s.level))
    return _aside(asked, ticket, good, best)


def _aside(asked: Question, ticket: TicketView, good: list[Proof], best: Standing) -> Standing:
    """What a third party's words are worth; else `best`.

    Whoever is on the ticket as well speaks aside where they answer what was said aside.
    """
    author = asked.author
    if author.agent or not author.address:
        return best
    own = any(_is_side(p) and _holder(p) == holder_of(author.address) for p in good)
    known = folded(author.address) in {folded(third) for third in ticket.sides}
    shown = bool(author.proofs) and known and author.address not in ticket.participants
    if not (own or shown):
        return best
    proven = [*author.proofs, *(["a token"] if own else [])]
    level = 3 if "login" in proven else min(2, len(proven))
    reason = f"a third party, proven by {' and '.join(proven)}"
    power = max(Power.ACT, best.power)
    return Standing(role=Role.SIDE, power=power, level=level, reason=reason)


def _agent(asked: Question, agent: Agent, ticket: TicketView, good: list[Proof]) -> Standing:
    own = [p for p in good if _is_of(p, agent, ticket)]
    held = Standing(role=Role.AGENT, power=Power.HOLD, level=1, owner=agent.address, agent=agent)
    if "login" in asked.author.proofs:
        return _acting(agent, ticket, asked.policy, level=3, reason="an agent, logged in")
    if own and asked.author.stamp is Stamp.FAILED:
        reason = f"an agent's token, but {asked.author.stamp_reason}"
        return _but(held, reason, level=0, revoke=agent.address)
    aligned = "aligned" in asked.author.proofs
    if aligned and (own or any(map(_is_note, good))):
        shown = own or [p for p in good if _is_note(p)]
        return _stamped(asked, agent, ticket, shown, held, own=bool(own))
    if own:
        if asked.provable or asked.policy.trust.require == "strict":
            return _but(held, f"an agent's token alone: {_lacking(asked)}")
        reason = "an agent, proven by a token"
        return _acting(agent, ticket, asked.policy, level=1, reason=reason)
    if aligned:
        return _but(held, "an agent, proven by a stamp alone: no token of this ticket")
    return Standing(reason="an agent's address, and nothing that proves it")


def _stamped(
    asked: Question,
    agent: Agent,
    ticket: TicketView,
    shown: list[Proof],
    held: Standing,
    *,
    own: bool,
) -> Standing:
    """With a stamp and a token of their own; or of a colleague's note address.

    Agents pass note addresses to each other, and a note shows nothing to anybody outside.
    """
    stale = _stale(asked, shown)
    if stale:
        return _but(held, f"an agent's token and stamp, but {stale}")
    reason = "an agent, proven by a token and by a stamp"
    if not own:
        reason = "an agent, proven by a stamp, at a colleague's note address"
    return _acting(agent, ticket, asked.policy, level=2 if own else 1, reason=reason)


def _acting(
    agent: Agent, ticket: TicketView, policy: Policy, *, level: int, reason: str
) -> Standing:
    if not has_access(agent, ticket, policy):
        reason = f"{reason}, who does not work in queue {ticket.queue}"
        return Standing(role=Role.AGENT, power=Power.HOLD, level=level, reason=reason, agent=agent)
    power = Power.WIDEN if level >= 2 else Power.ACT
    return Standing(role=Role.AGENT, power=power, level=level, reason=reason, agent=agent)


def _participant(asked: Question, ticket: TicketView, good: list[Proof]) -> Standing:
    role = Role.REQUESTER if asked.author.address == ticket.requester else Role.CC
    tokens = _of_people(ticket, good)
    own = any(_holder(p) == holder_of(asked.author.address) for p in tokens)
    # Whoever reads a ticket has a token of it: that is no word for somebody else's address.
    forged = asked.author.stamp is Stamp.FAILED and not own
    proven = [*asked.author.proofs, *(["a token"] if tokens and not forged else [])]
    if proven:
        level = 3 if "login" in proven else min(2, len(proven))
        reason = f"the {role}, proven by {' and '.join(proven)}"
        borrowed = not own and not asked.author.proofs
        if proven == ["aligned"] and (old := dated(asked)):
            # A signature says nothing of the envelope, and seldom of Cc (RFC 6376, section 8.6).
            reason = f"{reason}, but {old}"
            return Standing(role=role, power=Power.ACT, level=level, reason=reason)
        return Standing(role=role, power=Power.WIDEN, level=level, reason=reason, borrowed=borrowed)
    if asked.provable:
        return Standing(
            role=role, power=Power.HOLD, reason=f"the {role}'s address, unproven: {_lacking(asked)}"
        )
    return Standing(
        role=role, power=Power.ACT, reason=f"the {role}'s address; nothing is pinned to prove it"
    )


def _of_people(ticket: TicketView, good: list[Proof]) -> list[Proof]:
    """Tokens that speak for a participant.

    An agent's only shows what somebody passed on, a third party's what the customer never saw,
    and whoever was taken off the ticket still has their own.
    """
    off = {holder_of(address) for address in ticket.removed}
    return [p for p in good if _is_of_people(p) and _holder(p) not in off]


def _is_of_people(proof: Proof) -> bool:
    return proof.claim.sealed.token.role is not Role.AGENT and not _is_side(proof)


def _is_side(proof: Proof) -> bool:
    """Whether it leads to a third party, or came from there: it says nothing of a customer."""
    return proof.claim.sealed.token.purpose is Purpose.SIDE


def _holder(proof: Proof) -> bytes:
    return proof.claim.sealed.token.holder


def _outsider(asked: Question, ticket: TicketView, good: list[Proof]) -> Standing:
    if asked.author.address and asked.author.address in ticket.removed:
        reason = "somebody who was taken off this ticket"
        return Standing(power=Power.HOLD, level=int(bool(good)), reason=reason)
    if not good:
        return Standing()
    for proof in good:
        agent = next((a for a in asked.policy.agents if _is_of(proof, a, ticket)), None)
        if agent:
            # An agent's phone, or somebody who was forwarded an agent's mail: the agent knows.
            return Standing(
                power=Power.HOLD,
                level=1,
                reason=f"the token of agent {agent.address}, used from another address",
                owner=agent.address,
                agent=agent,
            )
    if asked.author.agent:
        return Standing(
            power=Power.HOLD,
            level=1,
            reason="an agent's address with the token of a participant",
            owner=asked.author.agent.address,
            agent=asked.author.agent,
        )
    return Standing(power=Power.HOLD, level=1, reason="a token of this ticket, but no participant")


def _but(held: Standing, reason: str, *, level: int = 1, revoke: str = "") -> Standing:
    return Standing(
        role=held.role,
        power=held.power,
        level=level,
        reason=reason,
        owner=held.owner,
        revoke=revoke,
        agent=held.agent,
    )


def _is_of(proof: Proof, agent: Agent, ticket: TicketView) -> bool:
    """Whether it is a token of this agent's, as an agent's."""
    addresses = (agent.address, *agent.aliases)
    theirs = {holder_of(a) for a in addresses}
    if _is_side(proof):
        theirs = {holder for a in addresses for holder in aside_of(a, ticket.sides)}
    return proof.claim.sealed.token.role is Role.AGENT and _holder(proof) in theirs


def _is_note(proof: Proof) -> bool:
    return proof.claim.sealed.token.purpose is Purpose.NOTE


def _stale(asked: Question, own: list[Proof]) -> str:
    """A signed mail can be sent again by anybody who has it (DKIM replay, RFC 6376 section 8.6)."""
    if not any(p.claim.signed for p in own):
        return "the token stands in the envelope alone: a possible replay"
    return dated(asked)


def dated(asked: Question) -> str:
    """Why a stamp may be that of an old mail, "" when the mail is fresh."""
    days = asked.policy.trust.date_days
    if asked.date is None or abs(asked.received - asked.date) > timedelta(days=days):
        return f"its Date is more than {days} days off: a possible replay"
    return ""


def _lacking(asked: Question) -> str:
    return asked.author.stamp_reason or "no stamp of a server we trust"


def has_access(agent: Agent, ticket: TicketView, policy: Policy) -> bool:
    """Whether an agent works on this ticket: in its queue, or because it was given to them."""
    there = policy.agents_of(ticket.queue)
    assigned = {folded(ticket.assignee), *(folded(a) for a in policy.groups.get(ticket.group, ()))}
    return not there or agent in there or folded(agent.address) in assigned
