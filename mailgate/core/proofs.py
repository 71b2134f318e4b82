"""The tokens a mail carries: where they stand, and whether they are to be believed.

A token counts where a reply puts it: in the addresses the mail was sent to and in the ids it
answers. What is quoted in a text or attached proves nothing (reliability: T10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from mailgate.core import authres, token
from mailgate.core.decision import Facts
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.people import Role
from mailgate.core.policy import Policy
from mailgate.core.token import Purpose, Sealed, Token

_MAX = 60  # addresses, and ids, looked at; more of them are a guessing game
IN_REFERENCES = "our Message-ID in References"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A token as it was found, not yet believed."""

    sealed: Sealed
    where: str  # for `explain`: never with the token itself
    # It stands in a header that the sender's server signs, not in the envelope alone: a signed
    # mail that somebody sends again to another token's address does not gain a proof (C9).
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A claim that was looked at: `fault` is "" for one to be believed."""

    claim: Claim
    number: int  # the ticket it belongs to today: the survivor of a merged one
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether it is to be believed."""
        return not self.fault


def claims(mail: ParsedMail, envelope: Envelope, policy: Policy) -> tuple[Claim, ...]:
    """All tokens, in the order in which they count: reply addresses, then ids, nearest first."""
    found: dict[str, Claim] = {}
    written = _signed_addresses(mail)
    # An In-Reply-To that is put on a mail to others is not noticed by a signature either.
    for_us = any(policy.own(address) for address in written)
    for address, where in _addresses(mail, envelope, policy):
        sealed = token.in_address(address)
        if sealed is not None:
            signed = address.lower() in written
            found.setdefault(sealed.text, Claim(sealed=sealed, where=where, signed=signed))
    for message_id, where in _ids(mail):
        sealed = token.in_id(message_id)
        if sealed is not None:
            found.setdefault(sealed.text, Claim(sealed=sealed, where=where, signed=for_us))
    return tuple(found.values())


def _signed_addresses(mail: ParsedMail) -> set[str]:
    """To and Cc, but for a header that stands twice: one of the two may have been put on later."""
    once = [name for name in ("to", "cc") if len(mail.headers.get(name, ())) < 2]
    people = {"to": mail.to, "cc": mail.cc}
    return {person.addr.lower() for name in once for person in people[name]}


def proofs(given: tuple[Claim, ...], facts: Facts, now: datetime) -> tuple[Proof, ...]:
    """What speaks for belonging to a ticket, and why some of it does not; `now` of its receipt."""
    wanted = (Purpose.REPLY, Purpose.MESSAGE, Purpose.NOTE, Purpose.SIDE)
    return tuple(
        Proof(
            claim=claim,
            number=facts.merged.get(claim.sealed.token.number, claim.sealed.token.number),
            fault=_fault(claim.sealed, facts, now),
        )
        for claim in given
        if claim.sealed.token.purpose in wanted
    )


def onward(known: tuple[Proof, ...], mail: ParsedMail, facts: Facts) -> tuple[Proof, ...]:
    """The same, but tokens of a ticket speak for what was split off it, where that is answered.

    Whoever answers a message of theirs that became a ticket of its own still writes to the reply
    address of the ticket that it left. Only people of the new ticket, and agents, are led there.
    """
    parent = (*mail.in_reply_to, *mail.references[-1:])[:1]
    there = next(iter(facts.seen.get(parent[0], ())), 0) if parent else 0
    view = facts.tickets.get(facts.merged.get(there, there))
    if view is None or view.number not in facts.parted:
        return known
    holders = {token.holder_of(address) for address in view.participants}
    return tuple(
        replace(proof, number=view.number)
        if proof.number in facts.parted[view.number]
        and (_of(proof).role is Role.AGENT or _of(proof).holder in holders)
        else proof
        for proof in known
    )


def _of(proof: Proof) -> Token:
    return proof.claim.sealed.token


def named(given: tuple[Claim, ...], *purposes: Purpose) -> tuple[int, ...]:
    """The numbers that claims with these purposes name, not yet believed."""
    numbers = (c.sealed.token.number for c in given if c.sealed.token.purpose in purposes)
    return tuple(dict.fromkeys(numbers))


def _fault(sealed: Sealed, facts: Facts, now: datetime) -> str:
    wrong = token.fault(sealed, facts.keys, now)
    if wrong:
        return wrong
    mine = sealed.token
    here = facts.tickets.get(facts.merged.get(mine.number, mine.number))
    sides = here.sides if here else ()
    for (ticket, address), generation in facts.generations.items():
        theirs = {token.holder_of(address), *token.aside_of(address, sides)}
        ours = ticket == mine.number and mine.holder in theirs
        if ours and generation > mine.generation:
            return "it has been called back"
    return ""


def _addresses(mail: ParsedMail, envelope: Envelope, policy: Policy) -> Iterator[tuple[str, str]]:
    for address in envelope.rcpt_tos[:_MAX]:
        yield address, "the reply address it was sent to"
    for address in (a.addr for a in (*mail.to, *mail.cc)[:_MAX]):
        yield address, "the reply address in To or Cc"
    for address in authres.trusted_recipients(mail, envelope, policy)[:_MAX]:
        yield address, "the reply address it was delivered to"


def _ids(mail: ParsedMail) -> Iterator[tuple[str, str]]:
    for message_id in mail.in_reply_to[:_MAX]:
        yield message_id, "our Message-ID in In-Reply-To"
    for message_id in tuple(reversed(mail.references))[:_MAX]:
        yield message_id, IN_REFERENCES
