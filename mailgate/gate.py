"""The one door for leaving mail: who may be written to now, and who may not and why.

Everything is counted from the outbox itself (store/counting.py). An agent's words are never held
back; an address that bounced gets nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from mailgate import alarm, storm
from mailgate.caps import MOST_CC_UNPROVEN, Caps
from mailgate.core.decision import Notice, Notify, Recipient
from mailgate.core.notice import BOUNCED
from mailgate.core.policy import folded
from mailgate.totals import Totals
from store.counting import ToAgent
from store.database import Tx

__all__ = ["Caps", "Passed", "pass_gate"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Who may be written to, who may not and why, and what the gate itself has to say.

    `also` are alerts without a ticket, which have passed the gate already.
    """

    to: tuple[Recipient, ...]
    stopped: tuple[Recipient, ...] = ()
    also: tuple[Notify, ...] = ()


def pass_gate(
    tx: Tx, notify: Notify, caps: Caps, now: datetime, *, by_mail: bool, ticket: int | None = None
) -> Passed:
    """Let through what the caps allow; `by_mail`: an outsider's mail set the notice off."""
    door = _Door(tx=tx, notify=notify, caps=caps, now=now, by_mail=by_mail, ticket=ticket or None)
    to: list[Recipient] = []
    stopped: list[Recipient] = []
    for person in notify.to:
        if why := door.why_not(person):
            stopped.append(Recipient(address=person.address, role=person.role, why=why))
        else:
            to.append(person)
    return Passed(to=tuple(to), stopped=tuple(stopped), also=tuple(door.also))


@dataclass(kw_only=True)
class _Door:
    """One notice at the gate. What it needs to know is read when it is first asked for."""

    tx: Tx
    notify: Notify
    caps: Caps
    now: datetime
    by_mail: bool
    ticket: int | None
    also: list[Notify] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)  # whom an automatic mail may go to
    _carried: int = 0  # copies of the notice that were let through

    def why_not(self, person: Recipient) -> str:
        """Why this person must not get it; "" when they may."""
        if folded(person.address) in self._bounced:
            return f"{BOUNCED}{self._bounced[folded(person.address)]}"
        if self.notify.notice is Notice.ANSWER:
            return ""
        if self.notify.notice is Notice.ALERT:
            return self._alert(person)
        if person.role == "agent":
            return self._agent(person)
        if self.notify.notice in (Notice.COPY, Notice.SIDE):
            return self._words(person)
        why = self._not_confirmed(person) or self._storm() or self._automatic(person)
        if not why:
            self.passed.append(person.address)
        return why

    @cached_property
    def _bounced(self) -> dict[str, str]:
        return self.tx.undeliverable.paused([person.address for person in self.notify.to])

    def _addresses(self, *, agents: bool) -> list[str]:
        return [p.address for p in self.notify.to if (p.role == "agent") == agents]

    # --- agents and whoever runs the desk --------------------------------------------------

    @cached_property
    def _to_agents(self) -> dict[str, ToAgent]:
        people = self._addresses(agents=True)
        return self.tx.counting.to_agents(people, self.ticket, self.now - HOUR)

    def _alert(self, person: Recipient) -> str:
        cap = self.caps.alerts_hour
        if cap and self._to_agents.get(person.address, ToAgent()).alerts >= cap:
            return f"the cap of {cap} alerts an hour to this address is reached"
        return ""

    def _agent(self, person: Recipient) -> str:
        caps = self.caps
        if self.notify.hourly and not self._first(person):
            return "it was said within the last hour"
        if not caps.agent_hour and not caps.agent_ticket_hour:
            return ""
        sent = self._to_agents.get(person.address, ToAgent())
        why = where = ""
        if caps.agent_hour and sent.notices >= caps.agent_hour:
            why = f"the cap of {caps.agent_hour} notices an hour to this agent is reached"
        elif self.ticket and caps.agent_ticket_hour and sent.on_ticket >= caps.agent_ticket_hour:
            why = (
                f"the cap of {caps.agent_ticket_hour} notices an hour to this agent "
                "on this ticket is reached"
            )
            where = str(self.ticket)
        if why:
            self.also += alarm.more_waits(self.tx, person, why, where, self.now)
        return why

    def _first(self, person: Recipient) -> bool:
        name = f"{self.notify.notice} to {folded(person.address)}"
        return self.tx.counting.mark(name, self.now, self.now + HOUR)

    # --- people ----------------------------------------------------------------------------

    @cached_property
    def _copies(self) -> dict[str, tuple[int, int]]:
        people, now = self._addresses(agents=False), self.now
        return self.tx.counting.words(self.ticket or 0, people, hour=now - HOUR, day=now - DAY)

    def _words(self, person: Recipient) -> str:
        """No person writes so much on one ticket; two machines on its CC list do.

        Nor do many of them together, unless somebody has us carry their words to people they name.
        """
        most = self.caps.copies_total_hour
        if most and self._all_words + self._carried >= most:
            why = f"the cap of {most} copies of people's words an hour is reached"
            return self._told(person, why)
        caps = (self.caps.copies_hour, 0, "an hour"), (self.caps.copies_day, 1, "a day")
        for cap, span, name in caps:
            if cap and self._copies.get(person.address, (0, 0))[span] >= cap:
                why = f"the cap of {cap} copies {name} to this address on this ticket is reached"
                return self._told(person, why)
        self._carried += 1
        return ""

    @cached_property
    def _all_words(self) -> int:
        return self.tx.counting.all_words(self.now - HOUR, self.caps.copies_total_hour)

    def _not_confirmed(self, person: Recipient) -> str:
        """Whether a sender whom nobody knows could have us write to people who never asked."""
        if self.notify.notice is not Notice.CONFIRMATION or person.role != "cc":
            return ""
        if not self.caps.confirm_cc:
            return "confirmations go to the requester alone ([gate].confirm_cc)"
        if self.notify.proven:
            return ""
        if self.caps.provable:
            return "the sender is not proven: the confirmation goes to the requester alone"
        brought = sum(p.role == "cc" for p in (*self.notify.to, *self.notify.left_out))
        if brought > MOST_CC_UNPROVEN:
            return f"more than {MOST_CC_UNPROVEN} CC people, and nothing proves the sender"
        return ""

    @cached_property
    def _room(self) -> int:
        return storm.room(self.tx, self.caps, self.now)

    def _storm(self) -> str:
        if not self.caps.storm_mails or self._room > len(self.passed):
            return ""
        self.also += storm.break_off(self.tx, self.caps, self.now)
        return "storm: automatic mail is paused"

    def _automatic(self, person: Recipient) -> str:
        if why := self._totals.why_not(person.address, self.passed):
            return why
        for cap, span, name in self._own_caps:
            if cap and self._sent.get(person.address, (0, 0))[span] >= cap:
                why = f"the cap of {cap} automatic mails {name} to this address is reached"
                return self._told(person, why)
        return ""

    @cached_property
    def _totals(self) -> Totals:
        return Totals(
            tx=self.tx,
            notify=self.notify,
            caps=self.caps,
            now=self.now,
            by_mail=self.by_mail,
            ticket=self.ticket,
        )

    def _told(self, person: Recipient, why: str) -> str:
        self.also += alarm.capped_address(self.tx, person.address, why, self.caps, self.now)
        return why

    @cached_property
    def _sent(self) -> dict[str, tuple[int, int]]:
        return self.tx.counting.to_people(
            self._addresses(agents=False),
            hour=self.now - HOUR,
            day=self.now - DAY,
            by_mail=self.by_mail,
        )

    @property
    def _own_caps(self) -> tuple[tuple[int, int, str], ...]:
        caps = self.caps
        if not self.by_mail:
            return ((caps.changes_hour, 0, "an hour"),)
        return (caps.per_address_hour, 0, "an hour"), (caps.per_address_day, 1, "a day")
