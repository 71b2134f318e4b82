"""The trace of an audience: who is told what, who is left out, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailgate.core.case import Case
from mailgate.core.decision import TO_AGENTS, Notice, Notify, Recipient, Step
from mailgate.core.mail import Kind
from mailgate.core.screen import Treatment, Verdict


def told_steps(told: Sequence[Notify], case: Case) -> list[Step]:
    """One step for each person who is told, and for each who is not."""
    if case.quiet:
        why = "history is silent" if not case.delivery.live else case.verdict.reason
        return [Step(step="audience", verdict="nobody", reason=why)]
    return [step for notify in told for step in _steps(notify)]


def _steps(notify: Notify) -> list[Step]:
    told = [_step(f"{notify.notice} to", person) for person in notify.to]
    return told + [_step(f"no {notify.notice} to", person) for person in notify.left_out]


def _step(what: str, person: Recipient) -> Step:
    return Step(step="audience", verdict=f"{what} {person.address}", reason=person.why)


def allowed(told: tuple[Notify, ...], verdict: Verdict) -> tuple[Notify, ...]:
    """RFC 3834, section 2: a list or a machine's address is never answered by a machine.

    Nor is anything sent on to customers because of a list.
    """
    if verdict.kind is Kind.LIST:
        return tuple(n for n in told if n.notice in TO_AGENTS)
    if verdict.treatment is Treatment.QUIET:
        return tuple(n for n in told if n.notice is not Notice.CONFIRMATION)
    return told


def read_by(told: tuple[Notify, ...], approver: str) -> tuple[Notify, ...]:
    """The same without whoever approved a held mail: they have read it."""
    return tuple(_unless(notify, approver) for notify in told)


def _unless(notify: Notify, approver: str) -> Notify:
    out = tuple(replace(p, why="approved it") for p in notify.to if p.address == approver)
    to = tuple(p for p in notify.to if p.address != approver)
    return replace(notify, to=to, left_out=(*notify.left_out, *out))
