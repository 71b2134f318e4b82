"""The proof that nothing was lost and nothing doubled: joins three ledgers with the database.

The load client says which mails were answered, the relay which copies it took, the database what
mailgate thinks of both. Whatever does not fit is a finding; no finding, no fault.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mailgate.core.decision import FINAL_STATES, CopyState, Outcome
from store.database import Database
from store.inbox import Settled
from store.outbox import OutboxRow, RecipientRow
from tests.faults.ledgers import read

IN_FLIGHT = 4  # copies a mailer carries at once: so many may be in the dot window of one kill


@dataclass(kw_only=True)
class Verdict:
    """What the judge found; `findings` is empty when all is well."""

    mails: int = 0  # handed in
    answered: int = 0  # with a final positive answer
    kills: int = 0
    lost: int = 0  # answered, and without an outcome or with other bytes
    doubled_tickets: int = 0
    doubled_notices: int = 0  # confirmations and other automatic mail
    repeats: int = 0  # of people's words, each in a dot window
    allowed: int = 0  # repeats that the kills and lost answers allow
    given_up: int = 0  # automatic copies whose fate nobody knows, never tried again
    copies: int = 0  # taken by the relay
    absorbed: int = 0  # second deliveries of the same mail
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, doubled, or left over."""
        return not self.findings


@dataclass(kw_only=True)
class _Handed:
    """A mail as the load client knows it."""

    uuid: str
    kind: str
    way: str
    sha256: str
    answer: str = ""  # the final one, if there was one


def judge(database: Database, load: Path, relay: Path, *, kills: int) -> Verdict:
    """Join the ledgers with the database; call it when nothing moves any more."""
    verdict = Verdict(kills=kills)
    handed = _handed(load)
    with database.reading() as tx:
        inbox = tx.inbox.find(limit=10_000_000)
        outbox = tx.outbox.list(limit=10_000_000)
        wire = {
            copy.id: hashlib.sha256(tx.outbox.wire_bytes(copy.id)).hexdigest()
            for row in outbox
            for copy in row.recipients
        }
        verdict.findings += [f"{one.what}: {one.detail}" for one in tx.stats.imbalances()]
        verdict.findings += [f"blob {digest}: {why}" for digest, why in tx.blobs.faults()]
    _judge_inbox(verdict, handed, inbox)
    _judge_tickets(verdict, inbox, outbox)
    _judge_outbox(verdict, outbox, wire, relay)
    return verdict


def _handed(load: Path) -> dict[str, _Handed]:
    mails: dict[str, _Handed] = {}
    for line in read(load):
        if "sha256" in line:
            mails.setdefault(
                line["uuid"],
                _Handed(
                    uuid=line["uuid"], kind=line["kind"], way=line["way"], sha256=line["sha256"]
                ),
            )
        elif line["answer"][0] in "25":
            mails[line["uuid"]].answer = line["answer"]
    return mails


def _judge_inbox(verdict: Verdict, handed: dict[str, _Handed], inbox: list[Settled]) -> None:
    rows: dict[str, list[Settled]] = {}
    for row in inbox:
        rows.setdefault(row.digest, []).append(row)
        verdict.outcomes[row.outcome.value if row.outcome else "waiting"] += 1
    verdict.mails = len(handed)
    verdict.absorbed = verdict.outcomes["duplicate"]
    for mail in handed.values():
        taken = rows.pop(mail.sha256, [])
        ends = [r for r in taken if r.outcome and r.outcome is not Outcome.DUPLICATE]
        what = f"mail {mail.uuid} ({mail.kind} by {mail.way})"
        if mail.answer.startswith("2"):
            verdict.answered += 1
            if not ends:
                verdict.lost += 1
                verdict.findings.append(f"lost: {what} was answered {mail.answer!r}")
        else:
            verdict.findings.append(f"unanswered: {what}: {mail.answer or 'no final answer'}")
        if len(ends) > 1:
            verdict.doubled_tickets += len(ends) - 1
            verdict.findings.append(f"doubled: {what} has {len(ends)} outcomes")
        if any(r.outcome is None for r in taken):
            verdict.findings.append(f"left over: {what} waits in the inbox")
    for digest, strange in rows.items():
        verdict.findings.append(f"from nowhere: inbox {strange[0].id} with {digest}")


def _judge_tickets(verdict: Verdict, inbox: list[Settled], outbox: list[OutboxRow]) -> None:
    numbers = Counter(r.ticket for r in inbox if r.outcome is Outcome.TICKET)
    for number, count in numbers.items():
        if count > 1:
            verdict.findings.append(f"ticket {number} was opened by {count} mails")
    notices = Counter((m.inbox, m.notice, c.address) for m in outbox for c in m.recipients)
    for (mail, notice, address), count in notices.items():
        if mail is not None and count > 1:
            verdict.doubled_notices += count - 1
            verdict.findings.append(f"mail {mail} caused {count} times {notice} to {address}")


def _copies(outbox: list[OutboxRow]) -> Iterator[tuple[OutboxRow, RecipientRow]]:
    for mail in outbox:
        for copy in mail.recipients:
            yield mail, copy


def _judge_outbox(
    verdict: Verdict, outbox: list[OutboxRow], wire: dict[int, str], relay: Path
) -> None:
    taken: Counter[tuple[str, str]] = Counter()
    lost_answers = 0
    for line in read(relay):
        lost_answers += "lost" in line
        for address in line.get("to", ()):
            taken[address, line["sha256"]] += 1
    verdict.copies = sum(taken.values())
    verdict.allowed = IN_FLIGHT * verdict.kills + lost_answers
    for mail, copy in _copies(outbox):
        count = taken.pop((copy.address, wire[copy.id]), 0)
        _judge_copy(verdict, mail, copy, count)
    if verdict.repeats > verdict.allowed:
        verdict.findings.append(f"{verdict.repeats} repeats, {verdict.allowed} were allowed")
    for address, digest in taken:
        verdict.findings.append(f"from nowhere: the relay took {digest} for {address}")


def _judge_copy(verdict: Verdict, mail: OutboxRow, copy: RecipientRow, count: int) -> None:
    what = f"copy {copy.id} ({mail.notice} to {copy.address}, {copy.state}, {copy.attempts} tries)"
    if count > 1 and mail.automatic:
        verdict.doubled_notices += count - 1
        verdict.findings.append(f"doubled: the relay took {count} times {what}")
    elif count > 1:
        verdict.repeats += count - 1
        if count > copy.attempts:
            verdict.findings.append(f"{count} acceptances without as many tries: {what}")
    _judge_state(verdict, mail, copy, count, what)


def _judge_state(
    verdict: Verdict, mail: OutboxRow, copy: RecipientRow, count: int, what: str
) -> None:
    if copy.state not in FINAL_STATES:
        verdict.findings.append(f"left over: {what}")
    if count == 0 and copy.state is CopyState.SENT:
        verdict.findings.append(f"never left: {what} counts as sent")
    if count == 0 and copy.state is CopyState.FAILED and not mail.automatic:
        verdict.findings.append(f"lost: people's words, {what}: {copy.text}")
    if copy.state is CopyState.FAILED and mail.automatic:
        verdict.given_up += 1
        bounced = count and copy.text.startswith("bounced: ")  # it had left, and came back
        if not bounced and "never repeated" not in copy.text:
            verdict.findings.append(f"failed for another reason: {what}: {copy.text}")
