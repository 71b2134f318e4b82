"""The one read before a decision: what the store knows about a mail's keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select

from mailgate.core.collision import COLLIDED
from mailgate.core.commands import BETWEEN, MISTAKES
from mailgate.core.decision import (
    Facts,
    HeldMail,
    Keys,
    LastWord,
    SentCopy,
    SentMail,
    StoredMessage,
)
from mailgate.core.duty import Blocked
from mailgate.core.policy import folded
from mailgate.core.ticket import MessageKind, TicketView
from store import floods
from store import keys as kept
from store.columns import UtcTime
from store.duty import Duty
from store.held import Held
from store.outbox_rows import NO_ID, copy_by_number
from store.reshaping import Reshaping
from store.schema import (
    held,
    id_key,
    mail_ids,
    messages,
    outbox,
    outbox_recipients,
    people,
    undeliverable,
)
from store.schema_duty import blocked
from store.splitting import Splitting
from store.tickets import Tickets
from store.wishes import asks_nothing

CHALLENGES_COUNT = timedelta(days=7)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # since then, nothing has happened

_NAMED = outbox_recipients.alias("named")
# A copy without a Message-ID of its own has that of the mail, as the copy named here.
_SENT = (
    select(_NAMED.c.message_id, outbox.c.id, outbox.c.ticket, outbox.c.notice)
    .add_columns(outbox.c.created, outbox.c.inbox, outbox_recipients.c.address)
    .select_from(
        _NAMED.join(outbox, outbox.c.id == _NAMED.c.outbox).join(
            outbox_recipients,
            (outbox_recipients.c.outbox == outbox.c.id)
            & or_(
                outbox_recipients.c.id == _NAMED.c.id,
                (outbox_recipients.c.message_id == "")
                & (_NAMED.c.message_id == outbox.c.message_id),
            ),
        )
    )
    .where(
        _NAMED.c.message_id.in_(bindparam("ids", expanding=True)),
        _NAMED.c.message_id != NO_ID,
        outbox.c.ticket.is_not(None),
    )
    .order_by(outbox_recipients.c.id)
)
_SEEN = (
    select(mail_ids)
    .where(mail_ids.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(mail_ids.c.referenced_only, mail_ids.c.ticket)
)
# Only what was kept as an agent's answer: anybody may write a Message-ID that they have read.
_ANSWERED = (
    select(mail_ids.c.ticket)
    .join(messages, messages.c.ticket == mail_ids.c.ticket)
    .where(
        mail_ids.c.message_id == bindparam("key"),
        mail_ids.c.referenced_only.is_(False),
        messages.c.message_id == bindparam("own"),
        messages.c.kind == MessageKind.AGENT.value,
    )
    .distinct()
)
_PERSON = select(
    select(people.c.language)
    .where(people.c.address == bindparam("who"))
    .scalar_subquery()
    .label("language"),
    select(people.c.proven)
    .where(people.c.address == bindparam("who"))
    .scalar_subquery()
    .label("proven"),
    select(undeliverable.c.paused)
    .where(undeliverable.c.address == bindparam("low"))
    .scalar_subquery()
    .label("paused"),
    select(blocked.c.by)
    .where(blocked.c.address == bindparam("low"))
    .scalar_subquery()
    .label("blocked_by"),
    select(blocked.c.at)
    .where(blocked.c.address == bindparam("low"))
    .scalar_subquery()
    .label("blocked_at"),
    select(func.count())
    .select_from(held)
    .where(
        held.c.owner == bindparam("low"),
        held.c.created >= bindparam("week"),
        held.c.why.not_like(f"{MISTAKES}%"),
        held.c.why.not_like(f"{BETWEEN}%"),
        held.c.why.not_like(f"{COLLIDED}%"),
    )
    .scalar_subquery()
    .label("challenges"),
)
# A held mail counts since it was released, as its owner's.
_SINCE = func.coalesce(held.c.changed, messages.c.at)
_LAST_WORDS = (
    select(messages.c.id, messages.c.ticket, _SINCE.label("since"))
    .add_columns(func.coalesce(func.nullif(held.c.owner, ""), messages.c.author).label("author"))
    .join_from(messages, held, held.c.message == messages.c.id, isouter=True)
    .where(
        messages.c.ticket.in_(bindparam("tickets", expanding=True)),
        messages.c.kind.in_([MessageKind.CUSTOMER.value, MessageKind.AGENT.value]),
        bindparam("shown", type_=UtcTime()) < _SINCE,
        ~asks_nothing,
    )
    .order_by(messages.c.id)
)


class FactFinder:
    """Gathers Facts inside the transaction that will apply the decision."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._tickets = Tickets(conn)
        self._splitting = Splitting(conn)

    def gather(
        self,
        keys: Keys,
        *,
        duplicate_of: int | None = None,
        now: datetime | None = None,
        flood_minutes: int = 10,
    ) -> Facts:
        """Everything the keys ask for; the tickets found are locked until the end.

        What happened lately (flood, challenges) is counted back from `now`, and not at all without.
        """
        facts = Facts(duplicate_of=duplicate_of)
        if duplicate_of is not None:
            return facts
        facts = self._of_sender(facts, keys.sender, now, flood_minutes)
        facts = replace(
            facts,
            keys=kept.Keys(self._conn).all(),
            sent=self.sent([i for i in (*keys.ids, keys.reported_id) if i]),
            seen=self._seen([*keys.ids, keys.own_id], keys.own_id),
            held=Held(self._conn).get(keys.held) if keys.held is not None else None,
            duty=Duty(self._conn).get(keys.duty) if keys.duty is not None else None,
            copy=copy_by_number(self._conn, keys.copy) if keys.copy is not None else None,
            answered=self._answered(keys),
        )
        facts = replace(facts, messages=self.named(keys, facts.sent) if keys.split else {})
        facts = self._with_tickets(facts, _numbers(facts, keys))
        if facts.messages:  # the tickets are locked now: nobody moves them any more
            facts = replace(facts, messages=self.named(keys, facts.sent))
        return self._of_agents(facts, keys, now)

    def named(
        self, keys: Keys, sent: Mapping[str, SentMail] | None = None
    ) -> dict[int, StoredMessage]:
        """Messages that `#split` may mean: by number, or as what the notices answered tell."""
        sent = self.sent(keys.ids) if sent is None else sent
        came = {mail.inbox for mail in sent.values() if mail.inbox is not None}
        return self._splitting.named(keys.messages, came)

    def _of_agents(self, facts: Facts, keys: Keys, now: datetime | None) -> Facts:
        if not keys.agents or now is None:
            return facts
        reshaping = Reshaping(self._conn)
        undoable = reshaping.acts(facts.tickets) if keys.undo else {}
        words = self._last_words(facts)
        return replace(facts, away=reshaping.away(now), undoable=undoable, last_words=words)

    def _last_words(self, facts: Facts) -> Mapping[int, tuple[LastWord, ...]]:
        """What was said in public since the mails of ours that are answered were made."""
        shown = [mail.created for mail in facts.sent.values() if mail.created]
        if not shown or not facts.tickets:
            return {}
        found: dict[int, tuple[LastWord, ...]] = {}
        asked = {"tickets": list(facts.tickets), "shown": min(shown)}
        for row in self._conn.execute(_LAST_WORDS, asked):
            word = LastWord(message=row.id, author=row.author, at=row.since)
            found[row.ticket] = (*found.get(row.ticket, ()), word)
        return found

    def _with_tickets(self, facts: Facts, numbers: Collection[int]) -> Facts:
        if not numbers:
            return facts
        merged, views = self._living(numbers)
        return replace(
            facts,
            merged=merged,
            tickets=views,
            parted=self._splitting.parted(views) if len(views) > 1 else {},
            generations=self._tickets.generations({*merged, *views}),
        )

    def _living(self, numbers: Collection[int]) -> tuple[dict[int, int], dict[int, TicketView]]:
        """Which of these live on in another one, and those that live, locked."""
        merged = self._tickets.survivor_of(numbers)
        while True:
            rows = self._tickets.rows({merged.get(n, n) for n in numbers}, lock=True)
            gone = [n for n, row in rows.items() if row.merged_into is not None]
            again = self._tickets.survivor_of(numbers) if gone else merged
            # Somebody merged one of them while we waited for it; where all know that already,
            # there is nobody left to follow.
            if again == merged:
                return merged, {n: row.view for n, row in rows.items()}
            merged = again

    def _of_sender(
        self, facts: Facts, sender: str, now: datetime | None, flood_minutes: int
    ) -> Facts:
        if not sender:
            return facts
        week = now - CHALLENGES_COUNT if now else NEVER
        asked = {"who": sender, "low": folded(sender), "week": week}
        row = self._conn.execute(_PERSON, asked).one()
        since = now - timedelta(minutes=flood_minutes) if now else None
        return replace(
            facts,
            sender_language=row.language or "",
            sender_proven=row.proven is not None,
            sender_paused=row.paused is not None,
            blocked=_blocked(sender, row.blocked_by, row.blocked_at),
            flood=floods.lately(self._conn, sender, since) if since else facts.flood,
            challenges=row.challenges,
        )

    def sent(self, ids: Sequence[str]) -> dict[str, SentMail]:
        """Mails of ours by their Message-IDs, as far as `ids` are such."""
        if not ids:
            return {}
        by_key = {id_key(i): i for i in ids}
        found: dict[str, SentMail] = {}
        for row in self._conn.execute(_SENT, {"ids": list(by_key)}):
            known = found.get(row.message_id)
            recipients = (*known.recipients, row.address) if known else (row.address,)
            found[row.message_id] = SentMail(
                outbox=row.id,
                ticket=row.ticket,
                notice=row.notice,
                recipients=recipients,
                created=row.created,
                inbox=row.inbox,
            )
        return {by_key[key]: mail for key, mail in found.items()}

    def _answered(self, keys: Keys) -> tuple[int, ...]:
        if not (keys.answers and keys.own_id):
            return ()
        asked = {"key": id_key(keys.own_id), "own": keys.own_id}
        return tuple(self._conn.execute(_ANSWERED, asked).scalars())

    def _seen(self, ids: Sequence[str], own: str) -> dict[str, tuple[int, ...]]:
        by_key = {id_key(i): i for i in ids if i}
        if not by_key:
            return {}
        found: dict[str, tuple[int, ...]] = {}
        for row in self._conn.execute(_SEEN, {"ids": list(by_key)}):
            message_id = by_key[row.message_id]
            # Our own id known as a mail is a Message-ID used twice, and proves nothing; known
            # only from a reference it means that an answer overtook this mail.
            if message_id == own and not row.referenced_only:
                continue
            found[message_id] = (*found.get(message_id, ()), row.ticket)
        return found


def _numbers(facts: Facts, keys: Keys) -> set[int]:
    """All tickets that the decision may speak of."""
    numbers = {*keys.numbers, *keys.tickets, *keys.mentioned}
    numbers.update(mail.ticket for mail in facts.sent.values())
    numbers.update(n for found in facts.seen.values() for n in found)
    numbers.update(message.ticket for message in facts.messages.values())
    flood = facts.flood
    single = (_ticket_of(facts.held), _ticket_of(facts.copy), flood.ticket, flood.domain_ticket)
    numbers.update(n for n in single if n is not None)
    if facts.duty:
        numbers.update(order.ticket for order in facts.duty.asks if order.ticket)
        numbers.update(item.ticket for item in facts.duty.items if item.ticket)
    return numbers


def _blocked(sender: str, by: str | None, at: datetime | None) -> Blocked | None:
    return Blocked(address=folded(sender), by=by, at=at) if by is not None and at else None


def _ticket_of(found: HeldMail | SentCopy | None) -> int | None:
    return found.ticket if found else None
