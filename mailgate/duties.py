"""Orders of an agent on duty -> tables: quarantined and held mail accepted, moved or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailgate.core.decision import AskDuty, CarryOut, Duty
from mailgate.core.duty import Verb
from mailgate.core.policy import Policy, folded
from store.database import Tx
from store.held import APPROVED, DROPPED
from store.ticket_rows import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What came of it: the history's news, and the question that was made."""

    events: tuple[Event, ...] = ()
    asked: int | None = None


def carry_out(tx: Tx, effect: Duty, policy: Policy, actor: str, now: datetime) -> Carried:
    """Do what an answer to a duty list wants; what was dealt with meanwhile stays as it is."""
    if isinstance(effect, CarryOut):
        return Carried(events=tuple(_with_one(tx, effect, now)))
    if isinstance(effect, AskDuty):
        expires = now + timedelta(hours=policy.trust.challenge_hours)
        return Carried(asked=tx.duty.ask(effect.duty, effect.orders, now, expires))
    if not tx.duty.settle(effect.duty, now):
        raise RuntimeError(f"the orders of {effect.duty} are done already, by {actor} too")
    return Carried()


def _with_one(tx: Tx, effect: CarryOut, now: datetime) -> Iterator[Event]:
    to = _living(tx, effect.order.ticket)
    if effect.item.held is None:
        kind = _quarantined(tx, effect, to, now)
        yield _event(effect, kind, now, **({"to": to} if to else {}))
    else:
        yield from _held(tx, effect, to, now)
    if effect.order.verb is Verb.BLOCK:
        tx.duty.block(effect.item.sender, effect.by, now)
        yield _event(effect, "blocked", now, address=folded(effect.item.sender))


def _living(tx: Tx, ticket: int | None) -> int | None:
    """A merged ticket lives on in another one."""
    return tx.tickets.survivor_of([ticket]).get(ticket, ticket) if ticket else None


def _quarantined(tx: Tx, effect: CarryOut, to: int | None, now: datetime) -> str:
    inbox, by = effect.item.inbox, effect.by
    if effect.order.verb in (Verb.ACCEPT, Verb.TICKET):
        done = tx.inbox.reopen(inbox, now, by=by, ticket=to)
        return "released" if done else "not-released"
    done = tx.inbox.drop(inbox, f"dropped by {by}", now, step="duty")
    return DROPPED if done else "not-dropped"


def _held(tx: Tx, effect: CarryOut, to: int | None, now: datetime) -> Iterator[Event]:
    held, here = effect.item.held or 0, effect.item.ticket
    if effect.order.verb in (Verb.DROP, Verb.BLOCK):
        done = tx.held.settle(held, DROPPED, effect.by, now)
        yield _event(effect, DROPPED if done else "not-dropped", now, here, held=held)
        return
    done = tx.held.settle(held, APPROVED, effect.by, now)
    moved = done and to is not None and to != here
    if moved and to is not None:
        tx.held.move(held, to)
        yield _event(effect, "moved", now, here, held=held, to=to)
    there = to if moved else here
    yield _event(effect, "approved" if done else "not-approved", now, there, held=held)


def _event(
    effect: CarryOut, kind: str, now: datetime, ticket: int | None = None, **data: object
) -> Event:
    said = {**data, "by": effect.by}
    inbox = effect.item.inbox
    return Event(at=now, actor=effect.by, kind=kind, data=said, ticket=ticket, inbox=inbox)
