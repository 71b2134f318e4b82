"""Refusing is a word in the SMTP session, never a mail to an address that a header names (L10)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mailgate.core import token
from mailgate.core.people import Role
from mailgate.core.token import Key, Purpose, Token
from mailgate.parsing import Parsers
from mailgate.sources.smtp import Limits
from store.database import Database
from tests.shell.apply_rig import NOW
from tests.shell.smtp_rig import Client, Rig
from tests.shell.worker_rig import house

VICTIM = "victim@bank.test"
QUEUE = "support@example.org"
AGENTS = {"ana@example.org", "ben@example.org"}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a client says after EHLO, and the answer to the last of it."""

    says: tuple[str, ...]
    answer: str


_MAIL, _RCPT = "MAIL FROM:<victim@bank.test>", f"RCPT TO:<{QUEUE}>"
_HEAD = f"From: {VICTIM}\r\nReply-To: {VICTIM}\r\nSubject: x\r\n\r\n"
_DATA = (_MAIL, _RCPT, "DATA")
REFUSALS: dict[str, Refusal] = {
    "unknown recipient": Refusal(says=(_MAIL, "RCPT TO:<nobody@example.org>"), answer="550"),
    "relaying": Refusal(says=(_MAIL, f"RCPT TO:<{VICTIM}>"), answer="550"),
    "sender that is no address": Refusal(says=("MAIL FROM:<a b@bank.test>",), answer="5"),
    "recipient that is no address": Refusal(says=(_MAIL, "RCPT TO:<>"), answer="5"),
    "declared too large": Refusal(says=(f"{_MAIL} SIZE=99999999",), answer="552"),
    "too large": Refusal(
        says=(*_DATA, f"{_HEAD}{'x' * 70}\r\n" + "x" * 9000 + "\r\n."), answer="552"
    ),
    "a bare line feed": Refusal(says=(*_DATA, f"{_HEAD}a\nb\r\n."), answer="550"),
    "an unknown parameter": Refusal(says=(f"{_MAIL} NOSUCH=1",), answer="555"),
    "no recipient": Refusal(says=(_MAIL, "DATA"), answer="503"),
    "an unknown command": Refusal(says=("SEND",), answer="500"),
}


def said(client: Client, words: str) -> str:
    """The answer to words that may hold whole lines."""
    client.send(words.encode() + b"\r\n")
    return client.line()


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused_is_answered_with_5xx_and_by_nothing_else_L10(
    name: str, tmp_path: Path
) -> None:
    refusal = REFUSALS[name]
    limits = Limits(size=5000)
    with Rig(tmp_path, limits=limits, trusted=()) as rig:
        with rig.greeted() as client:
            answers = [said(client, words) for words in refusal.says]
        assert rig.intake.mails() == []
    assert answers[-1].startswith(refusal.answer), answers
    assert answers[-1][0] == "5"
    assert VICTIM not in answers[-1] or refusal.says[-1].startswith("RCPT")


def forgeries() -> dict[str, bytes]:
    """Mails that are taken and then not liked, each with a victim in every header."""
    head = (
        f"From: {VICTIM}\r\nReply-To: {VICTIM}\r\nSender: {VICTIM}\r\nReturn-Path: <{VICTIM}>\r\n"
        f"Disposition-Notification-To: {VICTIM}\r\nErrors-To: {VICTIM}\r\nTo: {QUEUE}\r\n"
        f"Return-Receipt-To: {VICTIM}\r\nMessage-ID: <one@bank.test>\r\n"
    )
    parts = "".join("--b\r\n\r\nx\r\n" for _ in range(1500))
    texts = {
        "our loop header": f"X-Mailgate-Loop: story\r\n{head}\r\nhi\r\n",
        "fifty-one hops": "Received: from a by b\r\n" * 51 + f"{head}\r\nhi\r\n",
        "too complex": f"{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n",
        "from ourselves": head.replace(f"From: {VICTIM}", f"From: {QUEUE}") + "\r\nhi\r\n",
        "automatic": f"Auto-Submitted: auto-replied\r\n{head}\r\nhi\r\n",
        "a list": f"List-Id: <l.test>\r\n{head}\r\nhi\r\n",
        "a report about nothing": f"X-Failed-Recipients: a@b.test\r\n{head}\r\nhi\r\n",
        "two authors": f"From: other@bank.test\r\n{head}\r\nhi\r\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def test_what_is_taken_and_not_liked_is_answered_to_nobody_L10(
    database: Database, tmp_path: Path
) -> None:
    """Neither a bounce nor a receipt is ever composed; whatever leaves goes to agents."""
    pool = Parsers(workers=1, seconds=30)
    try:
        with house(database, pool, tmp_path) as desk:
            ids = {name: desk.deliver(raw) for name, raw in forgeries().items()}
            desk.settle()
    finally:
        pool.close()
    with database.reading() as tx:
        ends = {name: row.outcome for name, i in ids.items() if (row := tx.inbox.get(i))}
        sent = {copy.address for row in tx.outbox.list() for copy in row.recipients}
    assert ends == {
        "our loop header": "ignored",
        "fifty-one hops": "ignored",
        "too complex": "quarantined",
        "from ourselves": "ignored",
        "automatic": "ticket",
        "a list": "ticket",
        "a report about nothing": "bounce",
        "two authors": "ticket",
    }
    assert sent <= AGENTS


def test_a_token_that_is_not_ours_is_answered_like_one_that_is_S9(tmp_path: Path) -> None:
    """No oracle: the listener answers alike, for each purpose of a token, word for word."""
    ours = Key(id=1, secret=b"a" * 32, created=NOW)
    forged = Key(id=1, secret=b"b" * 32, created=NOW)
    for purpose in Purpose:
        made = Token(
            purpose=purpose,
            role=Role.REQUESTER,
            key=1,
            last_day=token.valid_through(NOW, 30),
            number=1042,
            holder=token.holder_of("ann@customer.test"),
        )
        answers = set()
        with Rig(tmp_path) as rig:
            for key in (ours, forged):
                text = token.seal(made, key)
                for written in (text, text.upper(), f"{text[:-1]}!", "nonsense"):
                    with rig.greeted() as client:
                        client.ask(_MAIL, "250")
                        answers.add(said(client, f"RCPT TO:<support+{written}@example.org>"))
        assert {answer[:3] for answer in answers} == {"250"}
        assert len(answers) == 1
