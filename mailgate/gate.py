"""The one door for leaving mail: what a machine writes is counted here, per address and in all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailgate.core.decision import HUMAN, Notice, Notify, Recipient
from store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many automatic mails may leave; 0 is no cap."""

    per_address_hour: int = 3  # set off by an incoming mail
    per_address_day: int = 10
    changes_hour: int = 30  # to one address, set off by an agent's change
    total_hour: int = 500
    confirm_cc: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Who may be written to, and who may not and why."""

    to: tuple[Recipient, ...]
    stopped: tuple[Recipient, ...] = ()


def pass_gate(tx: Tx, notify: Notify, caps: Caps, now: datetime, *, by_mail: bool) -> Passed:
    """Let through what the caps allow; `by_mail`: an outsider's mail set the notice off.

    Agents' notices and people's words are not capped here.
    """
    if notify.notice in HUMAN:
        return Passed(to=notify.to)
    to: list[Recipient] = []
    stopped: list[Recipient] = []
    for person in notify.to:
        why = "" if person.role == "agent" else _why_not(tx, notify, person, caps, now, by_mail)
        if why:
            stopped.append(Recipient(address=person.address, role=person.role, why=why))
        else:
            to.append(person)
    return Passed(to=tuple(to), stopped=tuple(stopped))


def _why_not(
    tx: Tx, notify: Notify, person: Recipient, caps: Caps, now: datetime, by_mail: bool
) -> str:
    if notify.notice is Notice.CONFIRMATION and person.role == "cc" and not caps.confirm_cc:
        return "confirmations go to the requester alone ([gate].confirm_cc)"
    hour = now - timedelta(hours=1)
    if caps.total_hour and tx.outbox.automatic_total(hour, caps.total_hour) >= caps.total_hour:
        return f"the cap of {caps.total_hour} automatic mails an hour is reached"
    for cap, span, name in _caps_for(caps, by_mail):
        since = now - span
        if cap and tx.outbox.automatic_since(person.address, since, by_mail=by_mail) >= cap:
            return f"the cap of {cap} automatic mails {name} to this address is reached"
    return ""


def _caps_for(caps: Caps, by_mail: bool) -> tuple[tuple[int, timedelta, str], ...]:
    if not by_mail:
        return ((caps.changes_hour, timedelta(hours=1), "an hour"),)
    return (
        (caps.per_address_hour, timedelta(hours=1), "an hour"),
        (caps.per_address_day, timedelta(days=1), "a day"),
    )
