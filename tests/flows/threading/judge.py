"""Whether a mail went where it had to, judged by what it named and by who sent it.

Two judges: one for single mails, by the rules of the design, and one for a whole archive, by pairs
of mails that are on one ticket and in one thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from mailgate.core.decision import Outcome
from tests.flows.threading.letters import Letter
from tests.flows.threading.talk import AGENT, Came, Evidence, Talk


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was known of a mail when it came."""

    sender: str
    evidence: Evidence
    participants: Mapping[int, frozenset[str]]  # of the tickets that it names

    def may_write(self, number: int) -> bool:
        """Whether the sender is one of the people on it, or the agent with a token of it."""
        if self.sender == AGENT:
            return number in self.evidence.tokens
        return self.sender in self.participants[number]


def wrong(before: Before, came: Came) -> str:
    """What is wrong with an outcome, "" when nothing is."""
    wanted = _wanted(before)
    if came.joined:
        if came.ticket not in wanted:
            return f"joined #{came.ticket} and not {sorted(wanted)}"
        taken = before.may_write(came.ticket)
        right = Outcome.REPLY if taken else Outcome.HELD
        return "" if came.outcome is right else f"{came.outcome} and not {right}"
    if came.outcome is not Outcome.TICKET:
        return f"neither on an old ticket nor on a new one: {came.outcome}"
    if came.ticket in before.participants:
        return f"#{came.ticket} is not new"
    return f"did not join one of {sorted(wanted)}" if wanted else ""


def judged(talk: Talk, letter: Letter) -> tuple[Came, str]:
    """Deliver a mail; what became of it, and what is wrong with that."""
    evidence = talk.evidence(letter)
    there = {n: frozenset(talk.participants(n)) for n in evidence.all}
    came = talk.deliver(letter)
    fault = wrong(Before(sender=letter.sender, evidence=evidence, participants=there), came)
    for number, people in there.items():
        if talk.participants(number) != people and letter.sender not in people:
            fault = fault or f"a stranger changed who is on #{number}"
    return came, fault


def _wanted(before: Before) -> frozenset[int]:
    """The tickets that the best evidence names, of those where it counts: in the fixed order."""
    given = before.evidence
    for kind in (given.address, given.ours, given.known, given.subject):
        counts = frozenset(n for n in kind if before.may_write(n) or n in given.tokens)
        if counts:
            return counts
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Pairs of mails on one ticket (found), in one thread (wanted), and both."""

    found: int
    wanted: int
    both: int

    @property
    def precision(self) -> float:
        """How many of the pairs found are right."""
        return self.both / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """How many of the pairs wanted are found."""
        return self.both / self.wanted if self.wanted else 1.0


def score(found: Mapping[str, Hashable], wanted: Mapping[str, Hashable]) -> Score:
    """Compare two partitions of the same mails, pair by pair."""
    if found.keys() != wanted.keys():
        raise ValueError("not the same mails")
    return Score(
        found=_pairs(list(found.values())),
        wanted=_pairs(list(wanted.values())),
        both=_pairs([(found[name], wanted[name]) for name in found]),
    )


def groups(parts: Mapping[str, Hashable]) -> set[frozenset[str]]:
    """A partition without the names of its parts."""
    by: dict[Hashable, set[str]] = {}
    for name, part in parts.items():
        by.setdefault(part, set()).add(name)
    return {frozenset(names) for names in by.values()}


def _pairs(parts: list[Hashable]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(parts).values())
