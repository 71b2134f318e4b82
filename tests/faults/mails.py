"""The mails of a run: each carries a uuid of its own, and its bytes are known by their digest."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from uuid import UUID

from tests.faults.node import AGENT, QUEUE

PHONE = "ana.at.home@example.com"  # whence the agent writes, and nobody knows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What is handed in. `kind` is new, big, auto, reply, lent or dsn."""

    uuid: str
    kind: str
    sender: str  # of the envelope
    raw: bytes

    @property
    def sha256(self) -> str:
        """The digest of the exact bytes."""
        return hashlib.sha256(self.raw).hexdigest()


class Writer:
    """Makes mails; the same seed makes the same uuids."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a run has to be repeatable
        self._number = 0

    def new(self, *, size: int = 0, auto: bool = False) -> Mail:
        """A stranger's request; with `size` octets of attachment, or from a machine."""
        self._number += 1
        sender = f"customer{self._number}@example.com"
        body, extra = "My printer is on fire.", ["Auto-Submitted: auto-generated"] if auto else []
        if size:
            extra = ['Content-Type: multipart/mixed; boundary="b"', "MIME-Version: 1.0"]
            line = "0123456789abcdef" * 4
            body = "\r\n".join(
                [
                    "--b\r\nContent-Type: text/plain\r\n\r\nSee the log.\r\n--b",
                    "Content-Type: application/octet-stream",
                    'Content-Disposition: attachment; filename="log.bin"\r\n',
                    *(line for _ in range(size // 66 + 1)),
                    "--b--",
                ]
            )
        kind = "big" if size else "auto" if auto else "new"
        return self._mail(kind, sender, f"Request {self._number}", body, extra)

    def reply(self, notice_id: str) -> Mail:
        """An agent's answer to a notice, which proves the agent."""
        headers = [f"In-Reply-To: {notice_id}", f"References: {notice_id}"]
        return self._mail("reply", AGENT, "Re: your notice", "Switch it off.", headers)

    def lent(self, notice_id: str) -> Mail:
        """An answer to an agent's notice from another address: the agent is asked about it."""
        headers = [f"In-Reply-To: {notice_id}", f"References: {notice_id}"]
        return self._mail("lent", PHONE, "Re: your notice", "Leave it off.", headers)

    def bounce(self, message_id: str, recipient: str) -> Mail:
        """A delivery report about a mail of ours to this recipient, whose mailbox is full.

        RFC 3464.
        """
        headers = [
            'Content-Type: multipart/report; report-type=delivery-status; boundary="r"',
            "MIME-Version: 1.0",
            "Auto-Submitted: auto-replied",
        ]
        body = "\r\n".join(
            [
                "--r\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n--r",
                "Content-Type: message/delivery-status\r\n",
                "Reporting-MTA: dns; mx.example.com\r\n",
                f"Final-Recipient: rfc822; {recipient}",
                "Action: failed\r\nStatus: 5.2.2\r\n\r\n--r",
                "Content-Type: text/rfc822-headers\r\n",
                f"Message-ID: {message_id}\r\nSubject: ours\r\n\r\n--r--",
            ]
        )
        return self._mail("dsn", "", "Undelivered Mail Returned to Sender", body, headers)

    def _mail(self, kind: str, sender: str, subject: str, body: str, extra: list[str]) -> Mail:
        uuid = str(UUID(int=self._dice.getrandbits(128), version=4))
        author = sender or "mailer-daemon@mx.example.com"
        lines = [
            f"From: {author}",
            f"To: {QUEUE}",
            f"Subject: {subject}",
            f"Message-ID: <{uuid}@example.com>",
            "Date: Sun, 22 Nov 2026 08:00:00 +0000",
            f"X-Uuid: {uuid}",
            *extra,
            "",
            body,
            "",
        ]
        return Mail(uuid=uuid, kind=kind, sender=sender, raw="\r\n".join(lines).encode())
