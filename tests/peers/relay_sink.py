"""A relay that misbehaves as told: refuses, hangs up, stalls, or takes a mail and says nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mailgate.ops.catching import CatchingRelay, CaughtMail, Conversation, Hangup


class Mood(Enum):
    """What a relay can do instead of answering."""

    HANGUP = "hang up"
    STALL = "say nothing and keep the connection"


# A reply, a mood, or something to do before going on.
What = str | Mood | Callable[[], None]


@dataclass(slots=True)
class Rule:
    """At `step` (of Conversation.objection), for `who` (any if ""), do `what`, `times` times."""

    step: str
    what: What
    times: int
    who: str


class _Conversation(Conversation):
    relay: RelaySink

    def extensions(self) -> list[str]:
        secure = self.writer.get_extra_info("sslcontext") is not None
        offers = list(self.relay.offers)
        if self.relay.starttls and not secure:
            offers.append("STARTTLS")
        if self.relay.login:
            offers.append("AUTH PLAIN LOGIN")
        return offers

    async def say(self, *lines: str) -> None:
        # Lone surrogates in a scripted reply stand for octets that are not UTF-8.
        self.writer.write("".join(f"{a}\r\n" for a in lines).encode("utf-8", "surrogateescape"))
        await self.writer.drain()

    async def run(self) -> None:
        self.relay.connections += 1
        self.number = self.relay.connections
        self.commands = {**self.commands, "STARTTLS": self._starttls, "AUTH": self._auth}
        await super().run()

    async def objection(self, step: str, argument: str) -> str | None:
        self.relay.steps.append((self.number, step, argument))
        what = self.relay.rule_for(step, argument)
        if what is Mood.HANGUP:
            raise Hangup
        if what is Mood.STALL:
            await self.relay.closing.wait()
            raise Hangup
        if callable(what):
            what()
        return what if isinstance(what, str) else None

    async def _starttls(self, _argument: str) -> None:
        refusal = await self.objection("STARTTLS", "")
        await self.say(refusal or "220 2.0.0 go ahead")
        if not refusal and self.relay.tls:
            try:
                await self.writer.start_tls(self.relay.tls)
            except OSError:  # the client did not like our certificate
                raise Hangup from None

    async def _auth(self, argument: str) -> None:
        method, _, initial = argument.partition(" ")
        refusal = await self.objection("AUTH", method)
        given = base64.b64decode(initial).decode().split("\0")[1:] if method == "PLAIN" else []
        if refusal or tuple(given) != self.relay.login:
            await self.say(refusal or "535 5.7.8 wrong name or password")
        else:
            await self.say("235 2.7.0 welcome")


class RelaySink(CatchingRelay):
    """A CatchingRelay with a script, TLS, one login, and a ledger on disk.

    `with RelaySink() as sink: sink.script("RCPT", "550 5.1.1 no", who="a@example.net")`. The ledger
    has one JSON line for each mail taken: to, from, sha256 and size of its bytes; it is synced
    before the mail is acknowledged.
    """

    conversation = _Conversation

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Path | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(port=port, on_mail=self._write_ledger)
        self.ledger = ledger
        self.tls = tls
        self.implicit = implicit
        self.starttls = tls is not None and not implicit
        self.login = login
        self.offers = ["SIZE 10485760", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        self.rules: list[Rule] = []
        self.steps: list[tuple[int, str, str]] = []  # (connection, step, argument), as they came
        self.connections = 0

    async def listen(self) -> asyncio.Server:
        """Open the port, with TLS from the first octet if `implicit`."""
        return await asyncio.start_server(
            self._connected,
            self.host,
            self.port,
            limit=1024 * 1024,
            ssl=self.tls if self.implicit else None,
        )

    def script(self, step: str, what: What, *, times: int = 10**9, who: str = "") -> None:
        """Add a rule; the first one that fits and is not used up counts."""
        self.rules.append(Rule(step, what, times, who))

    def rule_for(self, step: str, argument: str) -> What | None:
        """What to do at a step, counting it as done."""
        for rule in self.rules:
            if rule.step == step and rule.times > 0 and rule.who in ("", argument):
                rule.times -= 1
                return rule.what
        return None

    def to(self, address: str) -> list[CaughtMail]:
        """What was taken for an address."""
        return [mail for mail in self.mails if address in mail.rcpt_tos]

    def seen(self, step: str) -> int:
        """How often a step was reached."""
        return sum(1 for _connection, name, _argument in self.steps if name == step)

    def _write_ledger(self, mail: CaughtMail) -> None:
        if self.ledger is None:
            return
        line = {
            "to": list(mail.rcpt_tos),
            "from": mail.mail_from,
            "sha256": hashlib.sha256(mail.data).hexdigest(),
            "size": len(mail.data),
        }
        with self.ledger.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def eventually(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until `holds()`; a test that waits in vain fails here."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {seconds:g} s")
        time.sleep(0.01)
