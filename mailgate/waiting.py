"""What a duty list shows: mail in quarantine and held mail, numbered, with links of one tap.

It comes from people whom nobody has judged yet: their words are a short text without tokens,
control characters, or addresses that a mail program would make into links.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from mailgate.core import authorise, duty, onduty, token
from mailgate.core.decision import HeldMail, Outcome
from mailgate.core.duty import WaitingMail
from mailgate.core.parse import headers_only
from mailgate.core.people import Agent
from mailgate.core.policy import Policy, folded
from mailgate.core.token import Key
from mailgate.surroundings import mailto
from mailgate.wire import body_text, header_text
from store.blobs import BlobMissing
from store.database import Tx
from store.inbox import Settled

SHOWN = 50  # mails of one list; of more, their number is told
_MOST = 1000  # rows looked at
_LARGEST = 5 << 20  # octets of a mail whose head is looked into
_BODY = 4000  # octets of its body
_WORDS = 200  # characters of a mail's words
_LINK = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:)")
_TAG = re.compile(r"<[^<>]{0,500}>")
_HEADER = re.compile(r"(?i)content-[a-z-]+:|--|boundary=|charset=")
Rows = dict[str, object]


def gather(tx: Tx, agent: Agent, policy: Policy) -> tuple[tuple[WaitingMail, ...], tuple[int, int]]:
    """The mails of this agent's next list, and how many more there are: in quarantine, held."""
    waits = list(reversed(tx.inbox.find(outcome=Outcome.QUARANTINED, limit=_MOST)))
    kept = _held(tx, agent, policy)
    room = SHOWN - min(len(kept), SHOWN // 2)
    first = waits[:room]
    second = kept[: SHOWN - len(first)]
    mails = [_quarantined(tx, row) for row in first]
    mails += [_on_ticket(tx, row) for row in second]
    numbered = tuple(make(number) for number, make in enumerate(mails, start=1))
    return numbered, (len(waits) - len(first), len(kept) - len(second))


def _held(tx: Tx, agent: Agent, policy: Policy) -> list[HeldMail]:
    """Held mail that this agent may accept; what waits for somebody else's word is theirs."""
    mails = tx.held.list(limit=_MOST)
    views = tx.tickets.views({mail.ticket for mail in mails})
    low = folded(agent.address)
    return [
        m
        for m in mails
        if m.owner == low
        or (
            not m.owner
            and m.ticket in views
            and authorise.has_access(agent, views[m.ticket], policy)
        )
    ]


_Make = Callable[[int], WaitingMail]


def _quarantined(tx: Tx, row: Settled) -> _Make:
    raw, size = _bytes(tx, row.digest)
    mail = headers_only(raw, "in quarantine")
    sender = mail.from_[0].addr if len(mail.from_) == 1 else ""
    return lambda number: WaitingMail(
        number=number,
        inbox=row.id,
        held=None,
        ticket=None,
        sender=sender,
        subject=mail.subject,
        received=row.received,
        size=size,
        reason=row.reason,
        words=_prose(raw),
    )


def _on_ticket(tx: Tx, row: HeldMail) -> _Make:
    message = tx.background.message(row.message)
    found = tx.inbox.get(row.inbox)
    size = tx.blobs.size(found.digest) if found else 0
    return lambda number: WaitingMail(
        number=number,
        inbox=row.inbox,
        held=row.id,
        ticket=row.ticket,
        sender=row.author,
        subject=message.subject,
        received=row.created,
        size=size,
        reason=row.why,
        words=message.visible or message.text,
    )


def _bytes(tx: Tx, digest: str) -> tuple[bytes, int]:
    """A mail, as far as it is there and small enough to be looked into; and its size."""
    size = tx.blobs.size(digest)
    if size > _LARGEST:
        return b"", size
    try:
        return tx.blobs.get(digest), size
    except (BlobMissing, OSError):  # it may be why the mail is in quarantine
        return b"", size


def _prose(raw: bytes) -> str:
    """Lines of a body that read as words: no parser of ours could tell what they are."""
    _, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = body[:_BODY].decode("utf-8", "replace").split("\n")
    plain = (_TAG.sub("", line).strip() for line in lines if not _HEADER.search(line[:200]))
    return " ".join(line for line in plain if _reads_as_words(line[:500]))


def _reads_as_words(line: str) -> bool:
    return sum(word.strip(".,:;!?()'\"’").isalpha() for word in line.split()) > 1


def sections(
    waiting: tuple[WaitingMail, ...],
    more: tuple[int, int],
    reply_to: str,
    keys: tuple[Key, ...],
    policy: Policy,
) -> tuple[Rows, ...]:
    """Both lists as their template reads them; `reply_to` "" makes no links."""
    shown = [
        ("quarantined", [m for m in waiting if m.held is None], more[0]),
        ("held-mail", [m for m in waiting if m.held is not None], more[1]),
    ]
    return tuple(
        {
            "name": name,
            "rows": tuple(_row(mail, reply_to, keys, policy) for mail in mails),
            "more": rest,
        }
        for name, mails, rest in shown
        if mails or rest
    )


def _row(mail: WaitingMail, reply_to: str, keys: tuple[Key, ...], policy: Policy) -> Rows:
    def safe(text: str, limit: int) -> str:
        return inert(header_text(token.scrubbed(body_text(text[:8000]), keys), limit))

    return {
        "number": mail.number,
        "sender": safe(mail.sender, 120),
        "subject": safe(mail.subject, 120),
        "date": _local(mail.received, policy),
        "size": f"{max(1, mail.size // 1024)} KiB",
        "reason": safe(mail.reason, 200),
        "ticket": mail.ticket or 0,
        "words": safe(mail.words, _WORDS),
        "actions": _actions(mail, reply_to, policy) if reply_to else {},
    }


def _actions(mail: WaitingMail, reply_to: str, policy: Policy) -> dict[str, str]:
    """A mail that only has to be sent; for a ticket its number has to be written."""
    orders = [f"{mail.number} {verb.value}" for verb in duty.Verb]
    names = ("accept", "ticket", "drop", "drop-sender")
    links = {
        name: mailto(reply_to, order, f"{order} " if name == "ticket" else order)
        for name, order in zip(names, orders, strict=True)
    }
    if not mail.sender or onduty.never_blocked(mail.sender, policy):
        del links["drop-sender"]
    return links


def inert(text: str) -> str:
    """A text in which a mail program finds no link."""
    return _LINK.sub(lambda found: re.sub(r"[:.]", r"[\g<0>]", found[0], count=1), text)


def _local(at: datetime, policy: Policy) -> str:
    return f"{at.astimezone(policy.zone):%Y-%m-%d %H:%M}"
