"""Notify effects -> outbox rows: through the gate, then composed, one mail per agent."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from mailgate import crash, journal, listing, waiting
from mailgate.compose import (
    compose,
    honest_name,
)
from mailgate.context import NoticeContext, OwnHead
from mailgate.core import unsent
from mailgate.core.decision import HUMAN, Notice, Notify, Recipient
from mailgate.core.people import Author, Mailbox
from mailgate.core.policy import Policy, folded
from mailgate.core.strip import own_words
from mailgate.core.ticket import TicketView
from mailgate.core.token import Purpose
from mailgate.desk import Cause, Desk
from mailgate.enclosing import Enclosed, for_agents, for_customers, left_behind
from mailgate.gate import pass_gate
from mailgate.recall import recall
from mailgate.render import TemplateFailure, fitted
from mailgate.sealing import Answered, Asking, Sealer
from mailgate.showing import ticket_text
from mailgate.surroundings import Past, Quoted, Surroundings
from store.database import Tx

NO_TICKET = TicketView(number=0, subject="", status="", priority="", queue="", requester="")
HELD_DAYS = 14  # how long agents may accept a held mail of a customer
# Notices that a ticket's past belongs to.
TELLING = frozenset(
    {Notice.AGENT_NEW, Notice.AGENT_ASSIGNED, Notice.AGENT_MESSAGE, Notice.AGENT_OVERDUE}
)
# What we say to one agent about that agent's own mail.
_ON_DUTY = frozenset({Notice.DUTY, Notice.DUTY_ANSWER})
OURS = _ON_DUTY | {Notice.TRANSCRIPT, Notice.HELP, Notice.LIST, Notice.DIGEST}
# They are about many tickets: an answer to them goes to none.
_OF_MANY = _ON_DUTY | {Notice.LIST, Notice.DIGEST}
# They ask the owner of a held mail: an answer to them settles it.
_ASKING = frozenset({Notice.CHALLENGE, Notice.COLLISION})
Say = Callable[..., None]  # records an event on the ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """The ticket as it is now, and what happened on it."""

    ticket: TicketView
    say: Say
    past: Past = field(default_factory=Past)  # of tickets like it, as agents are told
    old: str = ""  # status or assignee before
    held: int | None = None  # the mail that was held
    duty: int | None = None  # the duty list that it is about
    owner: str = ""  # who alone may release it by mail
    said: tuple[str, ...] = ()  # lines that a transcript ends with


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Puts notices into the outbox, inside the caller's transaction."""

    tx: Tx
    cause: Cause
    desk: Desk

    def notify(self, effect: Notify, on: Occasion) -> None:
        """Gate, compose, queue. Whoever is not written to is named in an event, with the reason."""
        cause, desk = self.cause, self.desk
        if effect.notice in _OF_MANY:
            on = replace(on, ticket=NO_TICKET)
        by_mail = cause.inbox is not None and not cause.by_agent
        ticket = on.ticket.number
        passed = pass_gate(self.tx, effect, desk.caps, cause.now, by_mail=by_mail, ticket=ticket)
        for person in passed.stopped:
            journal.gated(ticket=ticket, notice=effect.notice, why=person.why)
            on.say("withheld", notice=effect.notice.value, to=person.address, why=person.why)
        # An agent's notice may hold a release address, which is for one reader alone.
        agents = [person for person in passed.to if person.role == "agent"]
        others = [person for person in passed.to if person.role != "agent"]
        if agents and effect.notice in TELLING:
            words = self._words(effect, on)
            past = recall(self.tx, on.ticket, words, desk.policy, cause.now)
            on = replace(on, past=past)
        for to in (*((agent,) for agent in agents), tuple(others)):
            if to:
                self._queue(effect, to, on)
        for alert in passed.also:
            self._alert(alert, on)
        agent = cause.agent or (cause.author.agent if cause.author else None)
        for told in unsent.withheld(effect, passed.stopped, agent, self._words(effect, on)):
            self.notify(told, on)

    def _alert(self, effect: Notify, on: Occasion) -> None:
        """What the gate has to say is no part of the ticket: who reads it may not work there."""
        policy = self.desk.policy
        mailbox = policy.mailbox_of(on.ticket.queue) or _fallback(policy)
        for person in effect.to:
            context = NoticeContext(
                ticket=NO_TICKET,
                recipients=(person,),
                mailbox=mailbox,
                now=self.cause.now,
                token=secrets.token_hex(16),
                language=policy.language,
                note=effect.note,
            )
            self._put(effect.notice, context, on)

    def _queue(self, effect: Notify, to: tuple[Recipient, ...], on: Occasion) -> None:
        self._put(effect.notice, self._context(effect, to, on), on)

    def _put(self, notice: Notice, context: NoticeContext, on: Occasion) -> None:
        crash.point("out.render")
        try:
            mail = compose(notice, context, self.desk.renderer, self.desk.policy)
        except TemplateFailure as error:
            # A broken template must not undo a ticket: the mail was taken, its notice is owed.
            journal.trouble(what="template", error=error, ticket=on.ticket.number)
            on.say("unwritten", notice=notice.value, why=str(error))
            return
        to = context.recipients
        now, inbox = self.cause.now, self.cause.inbox
        outbox = self.tx.outbox.add(mail, to, now, inbox=inbox, due=self._due(to))
        on.say("queued", outbox=outbox, notice=notice.value, to=[p.address for p in to])

    def _due(self, to: tuple[Recipient, ...]) -> datetime:
        """When a mail may leave: what an agent's mail says to others can be undone for a while."""
        cause = self.cause
        waits = cause.by_agent and cause.inbox is not None and any(p.role != "agent" for p in to)
        return cause.now + self.desk.policy.undo_within if waits else cause.now

    def _context(self, effect: Notify, to: tuple[Recipient, ...], on: Occasion) -> NoticeContext:
        cause, policy = self.cause, self.desk.policy
        sealer = Sealer(
            tx=self.tx,
            policy=policy,
            mailbox=policy.mailbox_of(on.ticket.queue) or _fallback(policy),
            ticket=on.ticket,
            now=cause.now,
        )
        release, hours = self._release(effect, to, on, sealer)
        own = self._heads(sealer, effect, to, on)
        words = self._words(effect, on)
        html = self._html(effect, words)
        files = self._files(effect, html)
        return NoticeContext(
            ticket=on.ticket,
            recipients=to,
            mailbox=sealer.mailbox,
            now=cause.now,
            token=secrets.token_hex(16),
            language=self._language(effect, to, on.ticket),
            author=self._author(effect),
            message=words,
            html=html,
            attachments=files.parts,
            note="" if effect.notice in OURS - {Notice.LIST} else effect.note,
            lists=self._lists(effect),
            around=self._around(effect, to, on, files, sealer),
            own=own,
            waiting=self._waiting(effect, own[to[0].address], sealer.mailbox),
            old=on.old,
            # What an agent set off cannot be a stranger's way to have us mail their words.
            proven=cause.by_agent or effect.proven,
            copies=tuple(p.address for p in effect.left_out if p.why.startswith("already in")),
            keys=self.tx.keys.all(),
            release=release,
            valid_hours=hours,
            unsent=effect.unsent,
            wished=effect.wished,
            due=effect.due,
            apart=effect.of is not None,
            last_message=self._last_message(effect, on),
            note_address=self._note_address(to, on, sealer),
            ears=effect.ears,
            subject=effect.subject,
        )

    def _note_address(self, to: tuple[Recipient, ...], on: Occasion, sealer: Sealer) -> str:
        """Where this one agent's notes go; agents' notices have one recipient."""
        if to[0].role != "agent" or not on.ticket.number:
            return ""
        return sealer.note_address(to[0].address)

    def _last_message(self, effect: Notify, on: Occasion) -> datetime | None:
        if effect.notice is not Notice.STATE:
            return None
        return self.tx.wishes.last_public(on.ticket.number, self.cause.inbox)

    def _heads(
        self, sealer: Sealer, effect: Notify, to: tuple[Recipient, ...], on: Occasion
    ) -> Mapping[str, OwnHead]:
        mail = self.cause.mail
        answers = Answered(
            ticket=sealer.ticket.number,
            message_id=mail.message_id if mail and mail.has_message_id else "",
            references=self._references(to, sealer.ticket.number),
            # The id that an agent's client gave a mail names a private machine.
            goes_on=effect.notice is Notice.ANSWER
            or (self.cause.by_agent and to[0].role != "agent" and effect.of is None),
            aside=effect.notice is Notice.SIDE,
        )
        return sealer.heads(to, answers, asks=self._asks(effect, on), ears=effect.ears)

    def _asks(self, effect: Notify, on: Occasion) -> Asking | None:
        """What an answer to this notice settles, None where it goes to a ticket."""
        if effect.notice in _ON_DUTY and on.duty is not None:
            days = _release_days(
                Notice.CHALLENGE if effect.asks else effect.notice, self.desk.policy
            )
            return Asking(number=on.duty, days=days, purpose=Purpose.DUTY)
        if effect.notice not in _ASKING or on.held is None:
            return None
        return Asking(number=on.held, days=_release_days(effect.notice, self.desk.policy))

    def _waiting(self, effect: Notify, own: OwnHead, box: Mailbox) -> tuple[waiting.Rows, ...]:
        """The mails of a duty list; without links where no address with a token reaches us."""
        if effect.notice is not Notice.DUTY:
            return ()
        policy, keys = self.desk.policy, self.tx.keys.all()
        reply_to = "" if own.reply_to == box.address else own.reply_to
        return waiting.sections(effect.waiting, effect.more, reply_to, keys, policy)

    def _references(self, to: tuple[Recipient, ...], number: int) -> tuple[str, ...]:
        """What the mail answers. Whoever an agent wrote to directly refers to the agent's own id,
        which is not for other customers."""
        ids = self.cause.mail.references if self.cause.mail else ()
        private = set() if to[0].role == "agent" else self.tx.tickets.agents_ids(number, ids)
        return tuple(one for one in ids if one not in private)

    def _release(
        self, effect: Notify, to: tuple[Recipient, ...], on: Occasion, sealer: Sealer
    ) -> tuple[str, int]:
        """The address that releases the held mail, for this one reader, and its hours."""
        # What waits for its owner's word is shown to leads, but is not theirs to release.
        if effect.asks:
            return sealer.mailbox.address, self.desk.policy.trust.challenge_hours
        asks = effect.notice in _ASKING or (effect.notice is Notice.AGENT_HELD and not on.owner)
        if on.held is None or not asks:
            return "", 0
        hours = held_for(effect.notice is Notice.CHALLENGE, self.desk.policy) // timedelta(hours=1)
        days = _release_days(effect.notice, self.desk.policy)
        asked = Asking(number=on.held, days=days)
        return sealer.answer_address(asked, to[0].address), hours

    def _author(self, effect: Notify) -> Author | None:
        """Whose words a notice carries: an approved answer is its agent's, whoever sent it."""
        handed_back = effect.notice is Notice.AGENT_BOUNCE and self.cause.by_agent
        if effect.notice in OURS or effect.notice is Notice.COLLISION or handed_back:
            return None
        author, agent = self.cause.author, self.cause.agent
        if effect.notice is Notice.ANSWER and author and agent and not author.agent:
            return replace(author, agent=agent, name=agent.name)
        return author

    def _words(self, effect: Notify, on: Occasion) -> str:
        mail = self.cause.mail
        if effect.notice is Notice.TRANSCRIPT:
            shown = (ticket_text(self.tx, n, self.desk.policy) for n in effect.shows)
            return "\n\n".join((effect.note, *on.said, *shown))
        if effect.notice is Notice.LIST:
            shown = (ticket_text(self.tx, n, self.desk.policy) for n in effect.shows)
            return "\n\n\n".join(shown)
        if effect.notice in (Notice.HELP, Notice.DIGEST):
            return ""
        if effect.words is not None:
            return effect.words
        # A report quotes what we sent: the notice says in its own words what came back.
        if mail is None or effect.notice is Notice.AGENT_BOUNCE:
            return ""
        words = mail.visible or mail.text
        # In an agent's mail what is not new is our notice: it must not reach the customer.
        by_mail = effect.notice is Notice.ANSWER and self.cause.inbox is not None
        return own_words(words) if by_mail else words

    def _lists(self, effect: Notify) -> tuple[listing.Rows, ...]:
        policy = self.desk.policy
        agent = policy.agent_for(effect.to[0].address)
        if agent is None or effect.notice not in _OF_MANY:
            return ()
        if effect.notice is Notice.DIGEST:
            return listing.morning(self.tx, agent, policy, self.cause.now)
        return listing.lists(self.tx, agent, effect.lists, policy)

    def _html(self, effect: Notify, words: str) -> str:
        """The words with the writer's formatting, where they are the same words; else ""."""
        mail = self.cause.mail
        if mail is None or effect.notice in OURS:
            return ""
        return fitted(mail.new_html, words) if mail.new_html and words else ""

    def _files(self, effect: Notify, html: str) -> Enclosed:
        """What goes along, and the names of what does not."""
        cause, policy = self.cause, self.desk.policy
        if effect.notice in (Notice.AGENT_BOUNCE, Notice.COLLISION, *OURS):
            return Enclosed()
        if effect.notice in HUMAN:
            page = cause.mail.html if cause.mail else ""
            return for_customers(cause.parts, html, page, policy, self.tx.keys.all())
        return for_agents(cause.parts, policy.attachments_max)

    def _around(
        self,
        effect: Notify,
        to: tuple[Recipient, ...],
        on: Occasion,
        files: Enclosed,
        sealer: Sealer,
    ) -> Surroundings:
        cause, number = self.cause, on.ticket.number
        if files.withheld:
            why = "not for customers: sealed, or with addresses that are for agents alone"
            on.say("left-behind", files=", ".join(files.withheld), why=why)
        if effect.notice is not Notice.ANSWER:
            none = effect.notice in (*OURS, Notice.AGENT_BOUNCE, Notice.COLLISION)
            larger = () if none else cause.left_behind
            missing = files.missing if effect.notice not in HUMAN else ()
            links = partial(sealer.links, cause.inbox, agent=to[0].address)
            to_agent = to[0].role == "agent"
            behind = left_behind(missing, larger, cause.inbox, links if to_agent else None)
            return Surroundings(
                missing=tuple(one.filename for one in behind),
                left_behind=behind if to_agent else (),
                past=on.past.seen_by(self.desk.policy.agent_for(to[0].address)),
                newer=self._newer(effect),
            )
        names = tuple(one.filename for one in cause.left_behind)
        if names:
            journal.trouble(what="attachments", error="too large to pass on", ticket=number)
            on.say("left-behind", files=", ".join(names))
        if files.missing:
            why = "pictures of what was quoted"
            on.say("left-behind", files=", ".join(p.filename for p in files.missing), why=why)
        return Surroundings(missing=names, quoted=self._quoted(to, on))

    def _newer(self, effect: Notify) -> Quoted | None:
        """The message that a notice is shown beside: one that an answer crossed, or the last."""
        if effect.beside is None:
            return None
        found = self.tx.background.message(effect.beside)
        agent = self.desk.policy.agent_for(found.author)
        name = agent.name or agent.address if agent else ""
        name = name or honest_name(found.author_name, found.author)
        return Quoted(author=name, at=found.at, text=found.visible or found.text)

    def _quoted(self, to: tuple[Recipient, ...], on: Occasion) -> Quoted | None:
        """The customer's last message; none where somebody reads along who did not get it (V1)."""
        policy, number = self.desk.policy, on.ticket.number
        last = self.tx.background.last_words(number) if policy.quote_lines else None
        if last is None:
            return None
        late = self.tx.background.newcomers(number, last.at)
        if any(folded(person.address) in late for person in to):
            return None
        agent = policy.agent_for(last.author)
        name = policy.name if agent else honest_name(last.author_name, last.author)
        return Quoted(author=name, at=last.at, text=last.visible or last.text)

    def _language(self, effect: Notify, to: tuple[Recipient, ...], ticket: TicketView) -> str:
        """The customer's, but for those who are nothing to the customer."""
        if effect.notice is Notice.SIDE or all(person.role == "agent" for person in to):
            return self.desk.policy.language
        return ticket.language or self.desk.policy.language


def _release_days(notice: Notice, policy: Policy) -> int:
    """How many days a release address works; it outlives what it releases."""
    return 1 + held_for(notice is Notice.CHALLENGE, policy) // timedelta(days=1)


def held_for(by_owner: bool, policy: Policy) -> timedelta:
    """How long a held mail may be approved: by the owner of its address, or by agents."""
    hours = policy.trust.challenge_hours
    return timedelta(hours=hours) if by_owner else timedelta(days=HELD_DAYS)


def _fallback(policy: Policy) -> Mailbox:
    if policy.mailboxes:
        return policy.mailboxes[0]
    return Mailbox(address=f"support@{policy.domain}", name=policy.name)
