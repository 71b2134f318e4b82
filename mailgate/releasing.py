"""Held mail that somebody approved takes effect: decided anew with their word for it, once.

Approving is a state in the database, so it does not matter who approves where (by mail, at the
command line) nor when the daemon dies: what is approved is released, and only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mailgate import crash, journal
from mailgate.apply import apply
from mailgate.core import thread
from mailgate.core.case import Delivery
from mailgate.core.decide import decide
from mailgate.core.decision import Decision, HeldMail, Keys
from mailgate.core.identify import identify
from mailgate.core.mail import Attachment, ParsedMail
from mailgate.desk import Cause, Desk, Reread
from mailgate.parsing import Parsers, passed_on
from mailgate.rereading import reread, with_mails
from mailgate.wire import Part
from store.database import Database, Tx, Unavailable
from store.held import APPROVED, AS_NOTE, RELEASED
from store.inbox import Settled
from store.ticket_rows import Event


def approve(database: Database, held_id: int, by: str, now: datetime) -> bool:
    """Say that a held mail may take effect; False when it does not wait any more.

    Raises Unavailable.
    """
    with database.transaction() as tx:
        return tx.held.settle(held_id, APPROVED, by, now)


def release(
    database: Database, desk: Desk, parsers: Parsers, held_id: int, by: str, now: datetime
) -> bool:
    """Approve a held mail and let it take effect now.

    False when it does not wait any more, or could not take effect (the journal says why).

    Raises Unavailable.
    """
    if not approve(database, held_id, by, now):
        return False
    Releaser(database=database, desk=desk, parsers=parsers, clock=lambda: now).run()
    with database.reading() as tx:
        held = tx.held.get(held_id)
    return held is not None and held.state == RELEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A held mail as it was read again."""

    row: Settled
    mail: ParsedMail
    keys: Keys
    parts: tuple[Part, ...]
    left_behind: tuple[Attachment, ...]
    reread: Mapping[int, Reread]


@dataclass(frozen=True, slots=True, kw_only=True)
class Releaser:
    """Carries out approvals."""

    database: Database
    desk: Desk
    parsers: Parsers
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self) -> int:
        """Release everything that is approved; returns how many. Raises Unavailable."""
        with self.database.reading() as tx:
            waiting = [*tx.held.list(APPROVED), *tx.held.list(AS_NOTE)]
        return sum(self._release(held) for held in waiting)

    def _release(self, held: HeldMail) -> bool:
        try:
            return self._carry_out(held)
        except Unavailable:
            raise
        except (OSError, CancelledError) as error:  # the disk, or the pool that was closed
            journal.trouble(what="release", error=error, held=held.id, inbox=held.inbox)
        except Exception as error:
            # One mail that cannot take effect must neither end the worker nor be tried for ever.
            journal.trouble(what="release", error=error, held=held.id, inbox=held.inbox)
            self._hand_back(held, error)
        return False

    def _hand_back(self, held: HeldMail, error: Exception) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            if tx.held.hand_back(held.id, now):
                tx.tickets.record(
                    Event(
                        at=now,
                        actor=held.by,
                        kind="not-released",
                        data={"held": held.id, "because": type(error).__name__},
                        ticket=held.ticket,
                        inbox=held.inbox,
                    )
                )

    def _carry_out(self, held: HeldMail) -> bool:
        read = self._read(held)
        mail, now = read.mail, self.clock()
        with self.database.transaction() as tx:
            if not tx.held.finish(held.id, now):
                return False  # another node was faster
            decision = self._apply(tx, held, read, now)
            crash.point("challenge.release")
        journal.settled(
            inbox=held.inbox,
            outcome=decision.outcome,
            ticket=held.ticket,
            reason=decision.reason,
            message_id=mail.message_id,
        )
        return True

    def _read(self, held: HeldMail) -> _Read:
        with self.database.reading() as tx:
            row = tx.inbox.get(held.inbox)
            if row is None:
                raise LookupError(f"no inbox row {held.inbox}")
            raw = tx.blobs.get(row.digest)
        policy = self.desk.policy
        mail = self.parsers.submit(raw, policy.languages, dress=True).result()
        parts, left_behind = passed_on(self.parsers, raw, mail)
        keys = replace(thread.keys(mail, row.envelope, policy), held=held.id, own_id="")
        return _Read(
            row=row,
            mail=mail,
            keys=replace(keys, tickets=(*keys.tickets, held.ticket)),
            parts=parts,
            left_behind=left_behind,
            reread=reread(self.database, self.parsers, keys, policy),
        )

    def _apply(self, tx: Tx, held: HeldMail, read: _Read, now: datetime) -> Decision:
        policy, row, mail = self.desk.policy, read.row, read.mail
        facts = replace(tx.facts.gather(read.keys, now=now), held=held)
        facts = replace(facts, messages=with_mails(facts.messages, read.reread))
        decision = decide(mail, _delivery(row, held, now), facts, policy)
        agent = policy.agent_for(held.owner) if held.owner else None
        cause = Cause(
            now=now,
            actor=held.by,
            mail=mail,
            inbox=held.inbox,
            author=identify(mail, row.envelope, policy),
            parts=read.parts,
            left_behind=read.left_behind,
            by_agent=agent is not None,
            agent=agent,
            held=held,
            reread=read.reread,
        )
        target = decision.target if isinstance(decision.target, int) else None
        apply(tx, decision.effects, cause, self.desk, target)
        return decision


def _delivery(row: Settled, held: HeldMail, now: datetime) -> Delivery:
    return Delivery(
        envelope=row.envelope,
        received=row.received,
        now=now,
        approved_by=held.by or "an agent",
        as_note=held.state == AS_NOTE,
    )
