"""Effects -> tables, inside the caller's transaction: the only `match` over Effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from mailgate import bounced, crash, duties, reshaping
from mailgate.core.bounces import failures
from mailgate.core.decision import (
    Acted,
    AddParticipant,
    AddTag,
    AppendMessage,
    Approve,
    DropHeld,
    Duty,
    Effect,
    Hold,
    LinkTicket,
    Merge,
    Mute,
    Notice,
    Notify,
    OpenTicket,
    Prove,
    Rate,
    RecordBounce,
    Reshape,
    RevokeTokens,
    SetField,
    Split,
    Thanked,
    Undo,
    Wished,
)
from mailgate.core.mail import DeliveryReport, ParsedMail
from mailgate.core.notice import Unsent
from mailgate.core.people import Author
from mailgate.core.ticket import MessageKind, TicketView
from mailgate.core.token import hidden
from mailgate.desk import Cause, Desk, aside
from mailgate.notices import NO_TICKET, Notices, Occasion, held_for
from store.database import Tx
from store.held import APPROVED, AS_NOTE, DROPPED
from store.reshaping import ACTED
from store.ticket_rows import Event
from store.wishes import THANKS, WISH

__all__ = ["AUTOCLOSE", "Cause", "Desk", "apply"]

AUTOCLOSE = "autoclose"  # the clock that closes a resolved ticket
SNOOZE = "snooze"  # the clock that opens a waiting ticket again


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
    held: int | None = None  # the row of the mail that was held
    owner: str = ""  # who alone may release it by mail
    unsent: Unsent | None = None  # a mail that did not arrive, as a report tells
    inverse: list[reshaping.Inverse] = field(default_factory=list)  # how to take it all back
    told: Cause | None = None  # whose words notices carry, where they are not the mail's
    placed: bool = False  # the mail that was held has become what it is now
    left: int = 0  # the ticket before the one that was split off it
    asked: int | None = None  # the question about orders to a duty list
    said: list[str] = field(default_factory=list)  # what an agent is told of that, line by line

    def do(self, effect: Effect) -> None:  # noqa: C901, PLR0915 - one arm per effect
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
                self._tag(effect)
            case LinkTicket():
                self._link(effect)
            case RecordBounce():
                self._bounce(effect)
            case Hold():
                self._hold(effect)
            case Approve():
                self._approve(effect)
            case DropHeld():
                done = self.tx.held.settle(effect.held, DROPPED, effect.by, self.cause.now)
                self._event(DROPPED if done else "not-dropped", held=effect.held, by=effect.by)
            case RevokeTokens():
                self.tx.tickets.revoke_tokens(self.number, effect.address)
                self._event("tokens-revoked", address=effect.address, because=effect.because)
            case Merge():
                self._merge(effect)
            case Prove():
                self._prove(effect)
            case Mute():
                self._mute(effect)
            case Rate():
                old = self.tx.wishes.rate(self.number, effect.rating)
                self.seen = None
                self._event("rated", old=old, new=effect.rating, by=effect.by)
            case Split():
                self._split(effect)
            case Undo():
                self._undo(effect)
            case Acted():
                inverse, lines = list(self.inverse), list(effect.lines)
                self._event(ACTED, agent=effect.agent, lines=lines, inverse=inverse)
            case Wished():
                self._event(WISH, want=effect.want)
            case Thanked():
                self._event(THANKS)
            case Notify():
                self._notify(effect)
            case _ if isinstance(effect, Reshape):
                self._reshape(effect)
            case _ if isinstance(effect, Duty):
                self._on_duty(effect)
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
        if not self.number:
            return NO_TICKET
        if self.seen is None:
            self.seen = self.tx.tickets.views([self.number])[self.number]
        return self.seen

    def _append(self, effect: AppendMessage) -> None:
        came = self.cause.mail
        if came is None:
            raise ValueError("AppendMessage needs a mail")
        mail = effect.mail or came
        message = self._stored(mail, effect)
        for one in {mail.message_id: mail, came.message_id: came}.values():
            if one.has_message_id and effect.joins:
                self.tx.tickets.remember_ids(self.number, one.message_id, one.ancestors())
        if effect.mail and self.told is None:
            self.told = replace(self.cause, mail=mail, author=self._writer(effect))
        self.tx.tickets.touch(self.number, self.cause.now)
        told = self.tx.asides.mark(message, effect.aside)
        self._event("message", message=message, message_kind=effect.kind.value, **told)

    def _writer(self, effect: AppendMessage) -> Author | None:
        """Whose words they are: a forwarded mail's are not the forwarder's."""
        written = effect.kind is MessageKind.CUSTOMER and effect.author
        if not written:
            return self.cause.author
        return Author(address=written.addr, name=written.name)

    def _stored(self, mail: ParsedMail, effect: AppendMessage) -> int:
        """The message's id: a held one is on the ticket already, and becomes what it is now."""
        held, at = self.cause.held, self.cause.now
        if effect.mail and mail.date:
            at = min(mail.date, at)
        if held is None or self.placed:
            return self.tx.tickets.add_message(
                self.number, mail, effect.kind, effect.author, now=at, inbox=self.cause.inbox
            )
        self.placed = True
        if self.left:
            self.tx.splitting.bring(held.message, self.number)
        if effect.mail is None:
            self.tx.tickets.set_message_kind(held.message, effect.kind)
        else:
            author = effect.author
            self.tx.reshaping.rewrite(held.message, mail, effect.kind, author=author, at=at)
        return held.message

    def _add_participant(self, effect: AddParticipant) -> None:
        self.seen = None
        added = self.tx.tickets.add_participant(
            self.number, effect.address, effect.added_by, self.cause.now
        )
        if not added and effect.again:
            who = effect.address.addr
            added = self.tx.reshaping.return_participant(self.number, who, self.cause.now)
        if added:
            self._event("cc-added", address=effect.address.addr, by=effect.added_by)
            self.inverse.append(["uncc", {"address": effect.address.addr}])

    def _tag(self, effect: AddTag) -> None:
        new = effect.tag not in self._ticket().tags
        self.tx.tickets.add_tag(self.number, effect.tag)
        self.seen = None
        self._event("tagged", tag=effect.tag, because=effect.because)
        if new:
            self.inverse.append(["untag", {"tag": effect.tag}])

    def _link(self, effect: LinkTicket) -> None:
        if not self.tx.reshaping.linked(self.number, effect.other):
            self.inverse.append([reshaping.UNLINK, {"other": effect.other}])
        self.tx.tickets.link(self.number, effect.other, effect.why)
        self._event("linked", other=effect.other, why=effect.why)

    def _reshape(self, effect: Reshape) -> None:
        done = reshaping.reshape(self.tx, self.number, effect, self.cause.actor, self.cause.now)
        self.inverse += done.inverse
        self.seen = None
        if done.event:
            self._event(done.event, **done.data)

    def _on_duty(self, effect: Duty) -> None:
        cause = self.cause
        done = duties.carry_out(self.tx, effect, self.desk.policy, cause.actor, cause.now)
        self.events += done.events
        self.asked = done.asked or self.asked

    def _set(self, effect: SetField) -> None:
        old = getattr(self._ticket(), effect.field, "")
        self.tx.tickets.set_field(self.number, effect.field, effect.value, self.cause.now)
        self.seen = None
        self._event(effect.field, old=old, new=effect.value, because=effect.because)
        if old != effect.value:
            back = {"field": effect.field, "value": old, "new": effect.value}
            self.inverse.append(["field", back])
        if effect.field == "status" and old != effect.value:
            self._status_clocks(old, effect.value)

    def _status_clocks(self, old: str, new: str) -> None:
        policy = self.desk.policy
        if old == policy.life.pending:
            self._wake()
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

    def _wake(self) -> None:
        until = self.tx.reshaping.clock(self.number, SNOOZE)
        self.tx.clocks.stop(self.number, SNOOZE)
        if until:
            self.inverse.append(["clock", {"kind": SNOOZE, "due": until.isoformat(), "new": ""}])

    def _bounce(self, effect: RecordBounce) -> None:
        crash.point("dsn.match")
        news = bounced.record(self.tx, effect, self.cause, self.number or None)
        paused = any(event.kind == "paused" for event in news)
        for report in failures(effect.reports)[:1]:
            note = "paused" if paused else "counted"
            self.unsent = Unsent(address=report.recipient, said=_said(report), note=note)
        self.events += news

    def _hold(self, effect: Hold) -> None:
        mail, inbox, now = self.cause.mail, self.cause.inbox, self.cause.now
        if mail is None or inbox is None:
            raise ValueError("Hold needs a mail")
        message = self.tx.tickets.add_message(
            self.number, mail, MessageKind.HELD, effect.author, now=now, inbox=inbox
        )
        self.held = self.tx.held.add(
            ticket=self.number,
            message=message,
            inbox=inbox,
            author=effect.author.addr if effect.author else "",
            owner=effect.owner,
            why=effect.why,
            created=now,
            expires=now + held_for(bool(effect.owner) and not effect.patient, self.desk.policy),
        )
        self.owner = effect.owner
        self._event("held", held=self.held, why=effect.why, owner=effect.owner)

    def _approve(self, effect: Approve) -> None:
        crash.point("challenge.release")
        wanted = AS_NOTE if effect.as_note else APPROVED
        done = self.tx.held.settle(effect.held, wanted, effect.by, self.cause.now)
        self._event("approved" if done else "not-approved", held=effect.held, by=effect.by)

    def _merge(self, effect: Merge) -> None:
        closed, now = self.desk.policy.life.closed, self.cause.now
        merged, into = effect.merged, effect.into or self.number
        survivor = self.tx.tickets.merge(merged, into, now, closed=closed)
        self.seen = None
        if effect.into is not None:
            self._event("merged", into=survivor, because=effect.because)
            self.number = survivor
        self._event("merged", other=merged, because=effect.because)

    def _split(self, effect: Split) -> None:
        """The message leaves with all that it opens; what follows is done on the new ticket."""
        old, number, because = self.number, effect.message, effect.because
        apart = _Run(tx=self.tx, cause=self._of(number), desk=self.desk, number=0)
        apart.do(effect.opened)
        self.tx.splitting.move(number, old, apart.number, self.cause.now)
        self._event("split", message=number, into=apart.number, because=because)
        apart._event("split-from", message=number, other=old, because=because)
        apart._event("message", message=number, message_kind=MessageKind.CUSTOMER.value)
        for one in effect.effects:
            apart.do(one)
        self.tx.tickets.record_many(apart.events)  # at once: notices look at who said what where
        self.number, self.seen, self.left = apart.number, None, old
        self.said.append(f"Message {number} is #{apart.number} now, a ticket of its own.")

    def _undo(self, effect: Undo) -> None:
        back = self.tx.reshaping.act(effect.event)
        waiting = self.tx.outbox.list(inbox=effect.inbox) if effect.inbox is not None else []
        stopped = self.tx.outbox.cancel([mail.id for mail in waiting], self.cause.now)
        for name, fields in back:
            if name == reshaping.UNLINK:
                self.tx.reshaping.unlink(self.number, int(fields["other"]))
        kept, stays = reshaping.unchanged(self.tx, self._ticket(), back)
        self.said += stays
        for one in reshaping.taken_back(kept, effect.because):
            self.do(one)
        self.inverse.clear()  # taking back is not taken back
        if effect.inbox is not None:
            self.said += reshaping.unsaid(self.tx, effect.inbox)
        self.said.append(f"{stopped} waiting mail{'' if stopped == 1 else 's'} will never leave")
        self._event("undone", event=effect.event, because=effect.because, stopped=stopped)

    def _prove(self, effect: Prove) -> None:
        if effect.proven:
            self.tx.people.prove(effect.address, self.cause.now)
        if self.tx.undeliverable.wrote(effect.address):
            self._event("reachable", address=effect.address, because="it wrote to us")

    def _mute(self, effect: Mute) -> None:
        self.seen = None
        if self.tx.wishes.mute(self.number, effect.address, muted=effect.muted):
            kind = "muted" if effect.muted else "unmuted"
            self._event(kind, address=effect.address, because=effect.because)

    def _notify(self, effect: Notify) -> None:
        on = Occasion(
            ticket=self._ticket(),
            say=self._event,
            old=self._old(effect.notice),
            held=effect.held or self.held,
            duty=effect.duty or self.asked,
            owner=self.owner,
            said=tuple(self.said),
        )
        if effect.notice is Notice.AGENT_BOUNCE:
            effect = replace(effect, unsent=effect.unsent or self.unsent)
        cause = self._of(effect.of) if effect.of else self.told or self.cause
        Notices(tx=self.tx, cause=cause, desk=self.desk).notify(effect, on)

    def _of(self, message: int) -> Cause:
        return aside(self.cause, self.cause.reread[message], self.tx.background.message(message))

    def _old(self, notice: Notice) -> str:
        wanted = "assignee" if notice is Notice.ASSIGNMENT else "status"
        changes = [e for e in self.events if e.kind == wanted]
        return str(changes[0].data.get("old", "")) if changes else ""


def _said(report: DeliveryReport) -> str:
    """The other server's words; they may quote the return path with its token."""
    status = "" if report.status in report.diagnostic else report.status
    return hidden(f"{status} {report.diagnostic}".strip())
