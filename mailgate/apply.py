"""Effects -> tables, inside the caller's transaction: the only `match` over Effect."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from mailgate import crash, journal
from mailgate.compose import NoticeContext, compose
from mailgate.core.decision import (
    AddParticipant,
    AddTag,
    AppendMessage,
    Effect,
    LinkTicket,
    Notice,
    Notify,
    OpenTicket,
    RecordBounce,
    SetField,
)
from mailgate.core.mail import ParsedMail
from mailgate.core.people import Author, Mailbox
from mailgate.core.policy import Policy
from mailgate.core.strip import own_words
from mailgate.core.ticket import TicketView
from mailgate.gate import Caps, pass_gate
from mailgate.render import Renderer, TemplateFailure
from mailgate.wire import Part
from store.database import Tx
from store.ticket_rows import Event

AUTOCLOSE = "autoclose"  # the clock that closes a resolved ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What applying needs besides a transaction; made once by the daemon."""

    policy: Policy
    renderer: Renderer
    caps: Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What set the effects off: a mail, an agent at the command line, or a clock."""

    now: datetime
    actor: str  # for the audit trail: an address, "command line", "timer", "rules.yaml:12 ..."
    mail: ParsedMail | None = None
    inbox: int | None = None
    author: Author | None = None
    parts: tuple[Part, ...] = ()  # the mail's attachments, as far as they are passed on
    left_behind: tuple[str, ...] = ()  # names of those too large to be passed on
    live: bool = True
    by_agent: bool = False  # an agent's doing: the strict caps are for outsiders' mail


def apply(tx: Tx, effects: Sequence[Effect], cause: Cause, desk: Desk, target: int | None) -> int:
    """Carry out the effects in order; returns the ticket's number (0: there is none)."""
    run = _Run(tx=tx, cause=cause, desk=desk, number=target or 0)
    for effect in effects:
        run.do(effect)
    tx.tickets.record_many(run.events)
    return run.number


@dataclass(kw_only=True)
class _Run:
    tx: Tx
    cause: Cause
    desk: Desk
    number: int
    events: list[Event] = field(default_factory=list)
    seen: TicketView | None = None  # the ticket as last read, None after a change

    def do(self, effect: Effect) -> None:  # noqa: C901 - one arm per effect, nothing else
        match effect:
            case OpenTicket():
                self.number = self.tx.tickets.open(effect, self.cause.now)
                self._event("opened", queue=effect.queue, source=effect.source)
            case AppendMessage():
                self._append(effect)
            case AddParticipant():
                self._add_participant(effect)
            case SetField():
                self._set(effect)
            case AddTag():
                self.tx.tickets.add_tag(self.number, effect.tag)
                self._event("tagged", tag=effect.tag, because=effect.because)
            case LinkTicket():
                self.tx.tickets.link(self.number, effect.other, effect.why)
                self._event("linked", other=effect.other, why=effect.why)
            case RecordBounce():
                self._bounce(effect)
            case Notify():
                self._notify(effect)
            case _:
                assert_never(effect)

    def _event(self, kind: str, *, outbox: int | None = None, **data: object) -> None:
        self.events.append(
            Event(
                at=self.cause.now,
                actor=self.cause.actor,
                kind=kind,
                data=data,
                ticket=self.number or None,
                inbox=self.cause.inbox,
                outbox=outbox,
            )
        )

    def _ticket(self) -> TicketView:
        if self.seen is None:
            self.seen = self.tx.tickets.views([self.number])[self.number]
        return self.seen

    def _append(self, effect: AppendMessage) -> None:
        mail = self.cause.mail
        if mail is None:
            raise ValueError("AppendMessage needs a mail")
        message = self.tx.tickets.add_message(
            self.number,
            mail,
            effect.kind,
            effect.author,
            now=self.cause.now,
            inbox=self.cause.inbox,
        )
        if mail.has_message_id:
            self.tx.tickets.remember_ids(self.number, mail.message_id, mail.ancestors())
        self.tx.tickets.touch(self.number, self.cause.now)
        self._event("message", message=message, message_kind=effect.kind.value)

    def _add_participant(self, effect: AddParticipant) -> None:
        self.seen = None
        added = self.tx.tickets.add_participant(
            self.number, effect.address, effect.added_by, self.cause.now
        )
        if added:
            self._event("cc-added", address=effect.address.addr, by=effect.added_by)

    def _set(self, effect: SetField) -> None:
        old = getattr(self._ticket(), effect.field, "")
        self.tx.tickets.set_field(self.number, effect.field, effect.value, self.cause.now)
        self.seen = None
        self._event(effect.field, old=old, new=effect.value, because=effect.because)
        if effect.field == "status" and old != effect.value:
            self._status_clocks(old, effect.value)

    def _status_clocks(self, old: str, new: str) -> None:
        policy = self.desk.policy
        if new == policy.life.closed:
            self.tx.tickets.set_closed(self.number, self.cause.now)
        elif old == policy.life.closed:
            self.tx.tickets.set_closed(self.number, None)
        if not self.cause.live or not policy.autoclose_after:
            return
        if new == policy.life.resolved:
            due = self.cause.now + policy.autoclose_after
            self.tx.clocks.start(self.number, AUTOCLOSE, due, self.cause.now)
        elif old == policy.life.resolved:
            self.tx.clocks.stop(self.number, AUTOCLOSE)

    def _bounce(self, effect: RecordBounce) -> None:
        crash.point("dsn.match")
        for report in effect.reports:
            self.tx.outbox.note_bounce(
                effect.outbox, report.recipient, f"bounced: {report.status} {report.diagnostic}"
            )
            self._event(
                "bounce",
                outbox=effect.outbox,
                recipient=report.recipient,
                action=report.action,
                status=report.status,
                diagnostic=report.diagnostic[:500],
            )

    def _notify(self, effect: Notify) -> None:
        cause, desk = self.cause, self.desk
        by_mail = cause.inbox is not None and not cause.by_agent
        passed = pass_gate(self.tx, effect, desk.caps, cause.now, by_mail=by_mail)
        for person in passed.stopped:
            journal.gated(ticket=self.number, notice=effect.notice, why=person.why)
            self._event("withheld", notice=effect.notice.value, to=person.address, why=person.why)
        # An agent's proof is the Message-ID of a notice that nobody else was sent, so each agent
        # gets a mail of their own; requester and CC share one, and see each other in it.
        agents = [person for person in passed.to if person.role == "agent"]
        others = [person for person in passed.to if person.role != "agent"]
        for to in (*((agent,) for agent in agents), tuple(others)):
            if to:
                self._queue(Notify(notice=effect.notice, to=to, left_out=effect.left_out))

    def _queue(self, effect: Notify) -> None:
        crash.point("out.render")
        context = self._context(effect)
        try:
            mail = compose(effect.notice, context, self.desk.renderer, self.desk.policy)
        except TemplateFailure as error:
            # A broken template must not undo a ticket: the mail was taken, its notice is owed.
            journal.trouble(what="template", error=error, ticket=self.number)
            self._event("unwritten", notice=effect.notice.value, why=str(error))
            return
        outbox = self.tx.outbox.add(mail, effect.to, self.cause.now, inbox=self.cause.inbox)
        to = [person.address for person in effect.to]
        self._event("queued", outbox=outbox, notice=effect.notice.value, to=to)

    def _context(self, effect: Notify) -> NoticeContext:
        cause, ticket, policy = self.cause, self._ticket(), self.desk.policy
        mail = cause.mail
        in_reply_to = mail.message_id if mail and mail.has_message_id else ""
        references = mail.references if mail else ()
        if effect.notice is Notice.ANSWER or not in_reply_to:
            ids = self._earlier_ids(in_reply_to)
            in_reply_to, references = (ids[-1] if ids else ""), tuple(ids[:-1])
        return NoticeContext(
            ticket=ticket,
            recipients=effect.to,
            mailbox=policy.mailbox_of(ticket.queue) or _fallback(policy),
            now=cause.now,
            token=secrets.token_hex(16),
            language=self._language(effect, ticket),
            author=cause.author,
            message=self._words(effect),
            attachments=self._parts(effect),
            note="; ".join(filter(None, (effect.note, self._too_large(effect)))),
            in_reply_to=in_reply_to,
            references=references,
            old=self._old(effect.notice),
            # What an agent set off cannot be a stranger's way to have us mail their words.
            proven=cause.by_agent,
            copies=tuple(p.address for p in effect.left_out if p.why.startswith("already in")),
        )

    def _words(self, effect: Notify) -> str:
        mail = self.cause.mail
        if mail is None:
            return ""
        words = mail.visible or mail.text
        # In an agent's mail what is not new is our notice: it must not reach the customer.
        by_mail = effect.notice is Notice.ANSWER and self.cause.inbox is not None
        return own_words(words) if by_mail else words

    def _parts(self, effect: Notify) -> tuple[Part, ...]:
        if effect.notice is not Notice.ANSWER:
            return self.cause.parts
        instance = self.desk.policy.instance
        return tuple(part for part in self.cause.parts if _may_leave(part, instance))

    def _too_large(self, effect: Notify) -> str:
        names = ", ".join(self.cause.left_behind)
        if names and effect.notice is Notice.ANSWER:
            journal.trouble(what="attachments", error="too large to pass on", ticket=self.number)
            self._event("left-behind", files=names)
        return f"too large to pass on: {names}" if names else ""

    def _earlier_ids(self, own: str) -> list[str]:
        return [i for i in self.tx.tickets.thread_ids(self.number) if i != own]

    def _language(self, effect: Notify, ticket: TicketView) -> str:
        if all(person.role == "agent" for person in effect.to):
            return self.desk.policy.language
        return ticket.language or self.desk.policy.language

    def _old(self, notice: Notice) -> str:
        wanted = "assignee" if notice is Notice.ASSIGNMENT else "status"
        changes = [e for e in self.events if e.kind == wanted]
        return str(changes[0].data.get("old", "")) if changes else ""


# What an agent's client adds for itself: a certificate or key names the private address.
_PRIVATE_TYPES = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
    }
)


def _may_leave(part: Part, instance: str) -> bool:
    """Whether an attachment of an agent may go to customers: no signature, no notice of ours."""
    if part.content_type in _PRIVATE_TYPES:
        return False
    ours = f"x-mailgate-loop: {instance}".encode()
    return part.content_type != "message/rfc822" or ours not in part.data.lower()


def _fallback(policy: Policy) -> Mailbox:
    if policy.mailboxes:
        return policy.mailboxes[0]
    return Mailbox(address=f"support@{policy.domain}", name=policy.name)
