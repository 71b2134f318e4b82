"""An agent on duty answers the duty list: what comes of each order, and whether it is theirs.

Orders decide for others, so they need two proofs, as whatever widens a ticket does: a login, or the
token of the list and a stamp. With fewer the agent is asked, once for the whole mail, at the
registered address; the answer to that question is the second proof (docs/decisions/0013). One line
that is no order, or that cannot be carried out, keeps all others from being done.
"""

from __future__ import annotations

from datetime import datetime

from mailgate.core import authorise, commands, denying, duty, lists, robots, strip, token
from mailgate.core.case import Case, Delivery
from mailgate.core.decision import (
    AskDuty,
    CarryOut,
    Decision,
    Effect,
    Facts,
    Notice,
    Notify,
    Outcome,
    Recipient,
    SettleDuty,
    Step,
)
from mailgate.core.duty import DutyItem, DutyList, Order, Verb
from mailgate.core.people import Agent, Power, Stamp
from mailgate.core.policy import Policy, folded
from mailgate.core.proofs import IN_REFERENCES, Claim, Proof
from mailgate.core.token import Purpose

MOST_PENDING = 5  # questions about one list that wait: more of them is somebody's game
NOTHING_DONE = "Nothing was done. Answer this message with the orders as they should be."
_NO_TICKET = "there is no ticket #{} that you work on"
_NOT_YOURS = "it is held on a ticket that you do not work on any more"


def barred(delivery: Delivery, facts: Facts, policy: Policy) -> str:
    """Why a mail is ignored before anything else is looked at; "" as a rule."""
    one = facts.blocked
    if one is None or not delivery.live or delivery.approved_by or delivery.accepted_by:
        return ""
    if never_blocked(one.address, policy):
        return ""
    return f"sender blocked by {one.by} on {one.at:%Y-%m-%d}"


def never_blocked(address: str, policy: Policy) -> str:
    """Why mail from an address is never ignored; "" where it may be."""
    if policy.agent_for(address):
        return f"{address} is an agent's address"
    if policy.own(address):
        return f"{address} is an address of this desk"
    return f"{address} sends reports of mail that failed" if robots.is_daemon(address) else ""


def answered(case: Case, given: tuple[Claim, ...]) -> tuple[Decision | None, list[Step]]:
    """The decision for an answer to a duty list; None when it is none of whoever wrote it."""
    # Further up in the thread it only tells what was talked of before.
    claim = next((c for c in given if _answers(c)), None)
    if claim is None:
        return None, []
    here, agent = case.facts.duty, case.author.agent
    wrong = _not_theirs(case, claim)
    if wrong or here is None or agent is None:
        reason = f"the address of a duty list: {wrong or 'there is no such list'}"
        return None, [Step(step="duty", verdict="no evidence", reason=reason)]
    if here.asks:
        return _confirmed(case, here, agent), []
    orders, problems = duty.read(_orders_of(case, agent), len(here.items))
    problems = (*problems, *(w for order in orders if (w := _wrong(case, here, order, agent))))
    if problems:
        return _told(case, here, agent, "not understood", (*problems, "", NOTHING_DONE)), []
    return _weighed(case, here, agent, claim, orders), []


def _answers(claim: Claim) -> bool:
    return claim.sealed.token.purpose is Purpose.DUTY and claim.where != IN_REFERENCES


def _not_theirs(case: Case, claim: Claim) -> str:
    wrong = token.fault(claim.sealed, case.facts.keys, case.delivery.received)
    if wrong:
        return wrong
    agent = case.author.agent
    addresses = (agent.address, *agent.aliases) if agent else ()
    if claim.sealed.token.holder not in {token.holder_of(a) for a in addresses}:
        return "it was made for somebody else"
    return "" if agent in case.policy.on_duty else "its agent is not on duty any more"


def _orders_of(case: Case, agent: Agent) -> str:
    """The agent's own words without a signature below them."""
    lines = strip.own_words(case.mail.visible or case.mail.text).split("\n")
    known = (*agent.signature.split("\n"), agent.name, agent.name.partition(" ")[0])
    while lines and not commands.without_signature(lines[-1], known):
        lines.pop()
    return "\n".join(lines)


def _weighed(
    case: Case, here: DutyList, agent: Agent, claim: Claim, orders: tuple[Order, ...]
) -> Decision:
    """Done where two proofs speak for it; else the agent is asked."""
    shown = authorise.standing(
        lists.question(case, (Proof(claim=claim, number=0),)), lists.desk(agent)
    )
    waits = any(not _over(_item(here, o), case.delivery.received) for o in orders)
    if shown.power is Power.WIDEN or not waits:
        return _done(case, here, agent, orders, reason=shown.reason)
    why = shown.reason.replace("of this ticket", "of ours")
    if here.pending >= MOST_PENDING:
        reason = f"orders to duty list {here.id}: {why}; {here.pending} wait to be confirmed"
        return _decision(case, Outcome.IGNORED, reason, ())
    to = Recipient(address=agent.address, role="agent", why="can tell whether they are genuine")
    asked = Notify(
        notice=Notice.DUTY_ANSWER, to=(to,), words="\n".join(map(str, orders)), asks=True
    )
    reason = f"orders to duty list {here.id}: {why}; their agent is asked"
    return _decision(case, Outcome.IGNORED, reason, (AskDuty(duty=here.id, orders=orders), asked))


def _confirmed(case: Case, here: DutyList, agent: Agent) -> Decision:
    """The answer to our question: any words but a no let the orders take effect, once."""
    late = "they were carried out already" if here.settled else ""
    if case.delivery.received > here.expires:
        late = late or "the time for it is over"
    if case.author.stamp is Stamp.FAILED:
        late = late or case.author.stamp_reason
    if late:
        return _told(case, here, agent, late, (f"Nothing was done: {late}",))
    if denying.denies(_orders_of(case, agent)):
        return _told(case, here, agent, "denied", (denying.SAID_NO,))
    lost = [w for order in here.asks if (w := _wrong(case, here, order, agent))]
    if lost:
        return _told(case, here, agent, "not possible", (*lost, "", NOTHING_DONE))
    settled = SettleDuty(duty=here.id)
    return _done(case, here, agent, here.asks, reason="confirmed by reply", also=(settled,))


def _wrong(case: Case, here: DutyList, order: Order, agent: Agent) -> str:
    """Why an order cannot be carried out, whatever became of its mail; "" when it can."""
    if not 1 <= order.number <= len(here.items):
        return ""  # told already
    item = _item(here, order)
    why = ""
    if item.held is not None and not _works_on(case, agent, item.ticket or 0):
        why = _NOT_YOURS
    elif order.verb is Verb.TICKET:
        why = _no_move(case, item, order, agent)
    elif order.verb is Verb.BLOCK and not item.sender:
        why = "nobody knows who sent it"
    elif order.verb is Verb.BLOCK:
        why = never_blocked(item.sender, case.policy)
    return f"{order}: {why}" if why else ""


def _no_move(case: Case, item: DutyItem, order: Order, agent: Agent) -> str:
    if not _works_on(case, agent, order.ticket or 0):
        return _NO_TICKET.format(order.ticket)
    # An agent's words that waited on one ticket must not answer somebody on another.
    ours = item.owner or case.policy.agent_for(item.sender) or case.policy.own(item.sender)
    return "it is no customer's mail" if ours else ""


def _works_on(case: Case, agent: Agent, number: int) -> bool:
    """Whether there is such a ticket, and the agent works on it now."""
    view = case.facts.tickets.get(case.facts.merged.get(number, number))
    return view is not None and authorise.has_access(agent, view, case.policy)


def _done(
    case: Case,
    here: DutyList,
    agent: Agent,
    orders: tuple[Order, ...],
    *,
    reason: str,
    also: tuple[Effect, ...] = (),
) -> Decision:
    effects: list[Effect] = list(also)
    lines: list[str] = []
    for order in orders:
        item = _item(here, order)
        over = _over(item, case.delivery.received)
        lines.append(f"{order}: {f'nothing was done: {over}' if over else _said(item, order)}")
        if not over:
            effects.append(CarryOut(item=item, order=order, by=agent.address))
    why = f"orders to duty list {here.id}: {reason}"
    return _decision(case, Outcome.COMMAND, why, (*effects, _transcript(here, agent, lines)))


def _item(here: DutyList, order: Order) -> DutyItem:
    return here.items[order.number - 1]


def _over(item: DutyItem, now: datetime) -> str:
    """Why nothing can be decided about a mail any more; "" while it waits."""
    if item.state != duty.WAITING:
        return f"{item.state} already{f', by {item.by}' if item.by else ''}"
    if item.expires is not None and item.expires <= now:
        return "the time for it is over"
    return ""


def _said(item: DutyItem, order: Order) -> str:
    if order.verb is Verb.BLOCK:
        return f"dropped; mail from {folded(item.sender)} is ignored from now on"
    if order.verb is Verb.DROP:
        return "dropped"
    where = order.ticket or item.ticket
    if item.held is not None:
        return f"accepted; it takes effect on #{where}"
    again = "it is read again now, and stays in quarantine if that fails"
    return f"accepted for #{where}; {again}" if where else f"accepted; {again}"


def _told(
    case: Case, here: DutyList, agent: Agent, verdict: str, lines: tuple[str, ...]
) -> Decision:
    reason = f"orders to duty list {here.id}: {verdict}"
    return _decision(case, Outcome.COMMAND, reason, (_transcript(here, agent, lines),))


def _transcript(here: DutyList, agent: Agent, lines: list[str] | tuple[str, ...]) -> Notify:
    to = Recipient(address=agent.address, role="agent", why="answered a duty list")
    return Notify(notice=Notice.DUTY_ANSWER, to=(to,), words="\n".join(lines), duty=here.id)


def _decision(case: Case, outcome: Outcome, reason: str, effects: tuple[Effect, ...]) -> Decision:
    step = Step(step="duty", verdict=outcome.value, reason=reason)
    return Decision(outcome=outcome, reason=reason, effects=effects, trace=(*case.trace, step))
