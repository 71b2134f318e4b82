"""What the gate counts, and its marks: what it has said already, and until when that holds.

All mail is counted from the rows of the outbox themselves: they are written in the transaction that
asks, and every node sees them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, delete, func, literal, select

from mailgate.core.decision import Notice
from store.dialects import on, spelled
from store.schema import marks, outbox, outbox_recipients

# Built once: store/dialects.py says why.
_R, _O = outbox_recipients.c, outbox.c
NAME_MAX = 300  # characters of a mark that are compared
_AGENT = "agent"  # the role of a recipient whose copies are notices to an agent
_FORGET = timedelta(days=7)  # after its end a mark is of no use to anybody

_COUNTED = and_(_O.automatic.is_(True), _R.role != _AGENT)
_COPIES = outbox_recipients.join(outbox, _O.id == _R.outbox)


def _counted(*where: Any) -> Select[Any]:
    """Automatic copies to people who are no agents, counted up to `most`."""
    query = select(literal(1)).select_from(_COPIES).where(_COUNTED, *where)
    return select(func.count()).select_from(query.limit(bindparam("most")).subquery())


def _since(column: Any, name: str) -> Any:
    return func.count(case((column >= bindparam(name), 1)))


_TOTAL = _counted(_R.queued >= bindparam("since"))
_ON_TICKET = _counted(_O.ticket == bindparam("number"), _O.created >= bindparam("since"))
_OF_KIND = _counted(_R.queued >= bindparam("since"), _O.notice == bindparam("kind"))
_IN_DOMAIN = _counted(
    _R.queued >= bindparam("since"),
    _O.inbox.is_not(None),
    _R.address.like(bindparam("tail"), escape="\\"),
)
_TO = (
    select(_R.address, _since(_R.queued, "hour"), func.count())
    .select_from(_COPIES)
    .where(
        _R.address.in_(bindparam("people", expanding=True)),
        _R.queued >= bindparam("day"),
        _COUNTED,
    )
    .group_by(_R.address)
)
_TO_BY_MAIL = _TO.where(_O.inbox.is_not(None))
# Words of people that are counted: those of agents on a ticket are not.
_CARRIED = (Notice.COPY.value, Notice.SIDE.value)
_WORDS = (
    select(_R.address, _since(_R.queued, "hour"), func.count())
    .select_from(_COPIES)
    .where(
        _R.address.in_(bindparam("people", expanding=True)),
        _R.queued >= bindparam("day"),
        _O.ticket == bindparam("number"),
        _O.notice.in_(_CARRIED),
    )
    .group_by(_R.address)
)
_ALL_WORDS = select(func.count()).select_from(
    select(literal(1))
    .select_from(_COPIES)
    .where(_R.queued >= bindparam("since"), _O.notice.in_(_CARRIED))
    .limit(bindparam("most"))
    .subquery()
)
_ALERT = _O.notice == Notice.ALERT.value
_TO_AGENTS = (
    select(
        _R.address,
        func.count(case((~_ALERT, 1))),
        func.count(case((and_(~_ALERT, _O.ticket == bindparam("number")), 1))),
        func.count(case((_ALERT, 1))),
    )
    .select_from(_COPIES)
    .where(
        _R.address.in_(bindparam("people", expanding=True)),
        _R.queued >= bindparam("since"),
        _R.role == _AGENT,
    )
    .group_by(_R.address)
)
_MARKED = select(marks.c.until, marks.c.why).where(marks.c.name == bindparam("which"))
_MARK = spelled(
    lambda insert: (
        (row := insert(marks))
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"until": row.excluded.until, "why": row.excluded.why},
            where=marks.c.until <= bindparam("at"),
        )
        .returning(marks.c.name)
    )
)
_DROP_OLD = delete(marks).where(marks.c.until < bindparam("before"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAgent:
    """What one agent was sent, copies counted."""

    notices: int = 0  # alerts apart
    on_ticket: int = 0  # those on the ticket asked for
    alerts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something said or done by the gate, and until when it holds."""

    until: datetime
    why: str


class Counting:
    """Counts over `outbox` and `outbox_recipients`, and the rows of `marks`."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def _one(self, query: Select[Any], most: int, **asked: object) -> int:
        return int(self._conn.execute(query, {"most": most, **asked}).scalar_one())

    # Automatic mail to people who are no agents ------------------------------------------

    def total(self, since: datetime, most: int) -> int:
        """How many copies were queued since then, up to `most`."""
        return self._one(_TOTAL, most, since=since)

    def on_ticket(self, number: int, since: datetime, most: int) -> int:
        """The same of one ticket."""
        return self._one(_ON_TICKET, most, number=number, since=since)

    def of_kind(self, notice: Notice, since: datetime, most: int) -> int:
        """The same of one notice."""
        return self._one(_OF_KIND, most, kind=notice.value, since=since)

    def in_domain(self, domain: str, since: datetime, most: int) -> int:
        """The same to addresses of one domain, set off by incoming mail."""
        return self._one(_IN_DOMAIN, most, tail=f"%@{_literally(domain)}", since=since)

    def to_people(
        self, addresses: Collection[str], *, hour: datetime, day: datetime, by_mail: bool
    ) -> dict[str, tuple[int, int]]:
        """For each address how many since `hour` and since the earlier `day`.

        `by_mail` counts only those that an incoming mail set off. Who got none is left out.
        """
        asked = {"people": list(addresses), "hour": hour, "day": day}
        rows = self._conn.execute(_TO_BY_MAIL if by_mail else _TO, asked)
        return {row[0]: (int(row[1]), int(row[2])) for row in rows}

    # All other mail ----------------------------------------------------------------------

    def words(
        self, number: int, addresses: Collection[str], *, hour: datetime, day: datetime
    ) -> dict[str, tuple[int, int]]:
        """How many copies of participants' words each address got on a ticket, as above."""
        asked = {"people": list(addresses), "number": number, "hour": hour, "day": day}
        rows = self._conn.execute(_WORDS, asked)
        return {row[0]: (int(row[1]), int(row[2])) for row in rows}

    def all_words(self, since: datetime, most: int) -> int:
        """How many copies of participants' words were queued in all since then, up to `most`."""
        return int(self._conn.execute(_ALL_WORDS, {"since": since, "most": most}).scalar_one())

    def to_agents(
        self, addresses: Collection[str], number: int | None, since: datetime
    ) -> dict[str, ToAgent]:
        """What each of these got as an agent since then. Who got nothing is left out."""
        asked = {"people": list(addresses), "number": number or 0, "since": since}
        return {
            row[0]: ToAgent(notices=int(row[1]), on_ticket=int(row[2]), alerts=int(row[3]))
            for row in self._conn.execute(_TO_AGENTS, asked)
        }

    # Marks -------------------------------------------------------------------------------

    def marked(self, name: str) -> Mark | None:
        """The mark of this name, whether it still holds or not."""
        row = self._conn.execute(_MARKED, {"which": name[:NAME_MAX]}).first()
        return Mark(until=row.until, why=row.why) if row else None

    def mark(self, name: str, now: datetime, until: datetime, why: str = "") -> bool:
        """Set a mark; False when it holds already, set by whomever: only one sees True."""
        known = self.marked(name)
        if known and now < known.until:
            return False  # without a lock that others would have to wait for
        row = {"name": name[:NAME_MAX], "until": until, "why": why}
        if self._conn.execute(on(self._conn, _MARK), {**row, "at": now}).first() is None:
            return False
        self._conn.execute(_DROP_OLD, {"before": now - _FORGET})
        return True


def _literally(text: str) -> str:
    """A text in which LIKE finds no wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
