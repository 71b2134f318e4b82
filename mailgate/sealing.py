"""What each recipient's copy carries: reply address, Message-ID and return path, with tokens.

Nobody's copy names anybody else's tokens: the ids it refers to are those of this recipient's own
copies of our mails.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailgate.context import OwnHead
from mailgate.core import token
from mailgate.core.decision import TO_CUSTOMER, Ears, Recipient, Whom
from mailgate.core.mime import MAX_PARTS
from mailgate.core.people import Mailbox, Role
from mailgate.core.policy import Policy, folded
from mailgate.core.ticket import TicketView
from mailgate.core.token import Key, Purpose, Token
from mailgate.surroundings import LeftBehind
from store.database import Tx
from store.files import StoredFile

RETURN_DAYS = 60  # a bounce comes within days; a delayed one within weeks


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a notice asks one agent about, and for how many days its token works."""

    number: int  # of the held mail, or of the duty list
    days: int
    purpose: Purpose = Purpose.RELEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Makes the tokens of one mail."""

    tx: Tx
    policy: Policy
    mailbox: Mailbox
    ticket: TicketView
    now: datetime

    def heads(
        self,
        to: Sequence[Recipient],
        answers: Answered,
        *,
        asks: Asking | None = None,
        ears: Ears = TO_CUSTOMER,
    ) -> Mapping[str, OwnHead]:
        """A head of their own for each recipient.

        Answering what `asks` says what it answers by its address, or by its Message-ID alone. An
        agent's answer reaches these `ears`.
        """
        key = self.tx.keys.current(self.now)
        addresses = [person.address for person in to]
        generations = self.tx.tickets.generations([self.ticket.number], addresses)
        result = {}
        for person in to:
            generation = generations.get((self.ticket.number, folded(person.address)), 0)
            made = self._speaking(person, key, ears)
            head = self._head(person, key, replace(made, generation=generation), answers)
            if asks is not None:
                head = self._asking(head, asks, person.address)
            result[person.address] = head
        return result

    def _asking(self, head: OwnHead, asks: Asking, owner: str) -> OwnHead:
        key = self.tx.keys.current(self.now)
        nonce = secrets.token_bytes(token.NONCE_OCTETS)
        made = self._token(owner, Role.AGENT, key, asks.purpose, asks.days)
        in_id = token.seal(replace(made, number=asks.number, nonce=nonce), key)
        return replace(
            head,
            message_id=token.message_id(in_id, self.policy.domain),
            reply_to=self.answer_address(asks, owner) or self.mailbox.address,
        )

    def answer_address(self, asks: Asking, owner: str) -> str:
        """The address for an answer, of whoever reads this notice: it may release a held mail.

        "" where no address with a token would reach us.
        """
        key = self.tx.keys.current(self.now)
        made = self._token(owner, Role.AGENT, key, asks.purpose, asks.days)
        sealed = token.seal(replace(made, number=asks.number), key)
        return self._address(sealed)

    def note_address(self, agent: str) -> str:
        """Where an agent's words become an internal note; "" where no such address reaches us."""
        key = self.tx.keys.current(self.now)
        number = self.ticket.number
        generations = self.tx.tickets.generations([number], [agent])
        days = self.policy.trust.agent_days
        made = self._token(agent, Role.AGENT, key, Purpose.NOTE, days)
        generation = generations.get((number, folded(agent)), 0)
        return self._address(token.seal(replace(made, generation=generation), key))

    def links(self, inbox: int | None, digest: str, agent: str) -> tuple[LeftBehind, ...]:
        """A file (by its sha256) of an accepted mail, with the address where this agent has it.

        Of a mail that is attached, and that the ticket has as a message: the files in that mail.
        () where no page of ours serves them, or where the ticket has none of it.
        """
        if inbox is None or not self.policy.files_url:
            return ()
        files = self.tx.files.of(inbox, "")
        here = [file for file in files if file.ticket == self.ticket.number]
        wanted = [file for file in here if file.digest == digest]
        inside = [file for file in here if file.part >= MAX_PARTS]
        return tuple(self._linked(file, agent) for file in wanted[:1] or inside)

    def _linked(self, file: StoredFile, agent: str) -> LeftBehind:
        key, number = self.tx.keys.current(self.now), self.ticket.number
        generations = self.tx.tickets.generations([number], [agent])
        made = self._token(agent, Role.AGENT, key, Purpose.FILE, self.policy.trust.agent_days)
        named = replace(
            made,
            number=file.inbox,
            nonce=bytes.fromhex(file.digest)[: token.NONCE_OCTETS],
            generation=generations.get((number, folded(agent)), 0),
        )
        link = f"{self.policy.files_url}{token.seal(named, key)}"
        return LeftBehind(filename=file.filename, size=file.size, link=link, inbox=file.inbox)

    def _speaking(self, person: Recipient, key: Key, ears: Ears) -> Token:
        """The token of this person's answers: to the desk, or aside."""
        role = _role(person.role)
        trust = self.policy.trust
        days = trust.agent_days if role is Role.AGENT else trust.customer_days
        made = self._token(person.address, role, key, Purpose.REPLY, days)
        aside = role is Role.AGENT and ears.whom is not Whom.CUSTOMER
        if aside:
            holder = token.pair_of if ears.whom is Whom.THIRD else token.dead_end_of
            made = replace(made, holder=holder(person.address, ears.third))
        return replace(made, purpose=Purpose.SIDE) if aside or role is Role.SIDE else made

    def _head(self, person: Recipient, key: Key, made: Token, answers: Answered) -> OwnHead:
        nonce = secrets.token_bytes(token.NONCE_OCTETS)
        purpose = Purpose.SIDE if made.purpose is Purpose.SIDE else Purpose.MESSAGE
        in_id = token.seal(replace(made, purpose=purpose, nonce=nonce), key)
        path, number = self._return_path(person, key)
        parent, references = answers.known_to(self.tx, person.address)
        return OwnHead(
            message_id=token.message_id(in_id, self.policy.domain),
            reply_to=self._address(token.seal(made, key)) or self.mailbox.address,
            mail_from=path,
            number=number,
            in_reply_to=parent,
            references=references,
        )

    def _return_path(self, person: Recipient, key: Key) -> tuple[str, int | None]:
        number = secrets.randbelow(token.MAX_NUMBER) + 1
        made = self._token(person.address, _role(person.role), key, Purpose.BOUNCE, RETURN_DAYS)
        path = self._address(token.seal(replace(made, number=number), key))
        return (path, number) if path else (self.mailbox.address, None)

    def _token(self, address: str, role: Role, key: Key, purpose: Purpose, days: int) -> Token:
        return Token(
            purpose=purpose,
            role=role,
            key=key.id,
            last_day=token.valid_through(self.now, days),
            number=self.ticket.number,
            holder=token.holder_of(address),
        )

    def _address(self, sealed: str) -> str:
        """`support+TOKEN@...`; "" where no such address would reach us."""
        box, trust = self.mailbox.address, self.policy.trust
        if not trust.reply_domain and folded(box) not in trust.plus:
            return ""
        domain = trust.reply_domain or box.rpartition("@")[2]
        short = f"r@{domain}" if trust.reply_domain else ""
        made = token.address(sealed, box, domain)
        return made or (token.address(sealed, short, domain) if short else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a mail of ours answers: the mail that caused it, or the ticket's talk so far."""

    ticket: int
    message_id: str = ""  # of the mail that caused it
    references: tuple[str, ...] = ()
    # It answers what the recipient read last, not the mail that caused it: an agent's own mail
    # was never seen by a customer, and its id names a private machine.
    goes_on: bool = False
    aside: bool = False  # it goes on with what was said aside to its recipient

    def known_to(self, tx: Tx, address: str) -> tuple[str, tuple[str, ...]]:
        """In-Reply-To and References as this recipient's client knows them."""
        if self.aside:
            ids = tx.asides.thread_ids(self.ticket, address)
            return (ids[-1] if ids else ""), tuple(ids[:-1])
        if self.goes_on or not self.message_id:
            ids = [i for i in tx.tickets.thread_ids(self.ticket, address) if i != self.message_id]
            return (ids[-1] if ids else ""), tuple(ids[:-1])
        theirs = tx.outbox.translate(self.references, address)
        # An id of ours that no copy has (a client spelled it anew) is a token all the same.
        known = [theirs.get(i, i if token.hidden(i) == i else "") for i in self.references]
        return self.message_id, tuple(i for i in known if i)


def _role(name: str) -> Role:
    return Role(name) if name in set(Role) else Role.STRANGER
