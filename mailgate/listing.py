"""Work lists as templates show them: one row a ticket, in an agent's own view of the desk.

What people wrote is made safe for a line of a mail here: it holds no token and no line end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mailgate.core import authorise, token
from mailgate.core.people import Agent
from mailgate.core.policy import Policy, folded
from mailgate.core.ticket import MessageKind
from mailgate.core.token import Key
from mailgate.wire import header_text
from store.database import Tx
from store.lists import Listed

SHOWN = 50  # rows of one list; of more, their number is told
_KINDS = (MessageKind.CUSTOMER.value, MessageKind.AGENT.value, MessageKind.NOTE.value)
Rows = dict[str, object]


def lists(
    tx: Tx, agent: Agent, asked: Sequence[tuple[str, str]], policy: Policy
) -> tuple[Rows, ...]:
    """The lists that an agent asked for by `#mine` and `#find`."""
    return tuple(
        section(tx, name, _found(tx, agent, words, policy), policy) | {"words": words}
        for name, words in asked
    )


def morning(tx: Tx, agent: Agent, policy: Policy, now: datetime) -> tuple[Rows, ...]:
    """An agent's tickets by what they wait for, each once, and held mail; no empty lists."""
    by: dict[str, list[Listed]] = {"overdue": [], "due": [], "held": [], "open": [], "waiting": []}
    for one in mine(tx, agent, policy):
        by[_why(one, policy, now)].append(one)
    by["held"] = _held(tx, agent, policy)
    return tuple(section(tx, name, rows, policy) for name, rows in by.items() if rows)


def _why(one: Listed, policy: Policy, now: datetime) -> str:
    if one.due is not None and one.due <= now:
        return "overdue"
    today = now.astimezone(policy.zone).date()
    if one.due is not None and one.due.astimezone(policy.zone).date() == today:
        return "due"
    return "waiting" if one.status == policy.life.pending else "open"


def _held(tx: Tx, agent: Agent, policy: Policy) -> list[Listed]:
    """Tickets with a mail that this agent may accept, as that mail's author and time."""
    mails = tx.held.list()
    views = tx.tickets.views({mail.ticket for mail in mails})
    rows = {one.number: one for one in tx.lists.of(views)}
    low = folded(agent.address)
    return [
        replace(rows[m.ticket], requester=m.author, updated=m.created)
        for m in mails
        if m.ticket in rows
        and (
            m.owner == low or (not m.owner and authorise.has_access(agent, views[m.ticket], policy))
        )
    ]


def mine(tx: Tx, agent: Agent, policy: Policy) -> list[Listed]:
    """Tickets of this agent, or of a group of theirs, that are not solved."""
    low = folded(agent.address)
    groups = [name for name, who in policy.groups.items() if low in {folded(a) for a in who}]
    over = (policy.life.resolved, policy.life.closed)
    return tx.lists.of_agent(agent.address, groups, over)


def _found(tx: Tx, agent: Agent, words: str, policy: Policy) -> list[Listed]:
    """Without words the agent's own tickets.

    Else tickets of which a message or a note says most of the words, as far as the agent sees them,
    the newest first.
    """
    if not words:
        return mine(tx, agent, policy)
    asked = list(dict.fromkeys(words.split()))[:10]
    hits = tx.search.find(asked, kinds=_KINDS)
    most = max((hit.words for hit in hits), default=0)
    best = sorted((hit.ticket for hit in hits if hit.words == most), reverse=True)
    views = tx.tickets.views(best)
    seen = [n for n in best if n in views and authorise.has_access(agent, views[n], policy)]
    return tx.lists.of(seen)


def section(tx: Tx, name: str, rows: Sequence[Listed], policy: Policy) -> Rows:
    """A list as its template reads it."""
    keys = tx.keys.all()
    return {
        "name": name,
        "words": "",
        "rows": tuple(_row(one, keys, policy) for one in rows[:SHOWN]),
        "more": max(0, len(rows) - SHOWN),
    }


def _row(one: Listed, keys: tuple[Key, ...], policy: Policy) -> Rows:
    agent = policy.agent_for(one.assignee)
    return {
        "number": one.number,
        "subject": header_text(token.scrubbed(one.subject, keys)),
        "status": one.status,
        "priority": one.priority,
        "requester": one.requester,
        "assignee": (agent.name or agent.address) if agent else one.assignee or one.group,
        "updated": _local(one.updated, policy),
        "due": _local(one.due, policy) if one.due else "",
    }


def _local(at: datetime, policy: Policy) -> str:
    return f"{at.astimezone(policy.zone):%Y-%m-%d %H:%M}"
