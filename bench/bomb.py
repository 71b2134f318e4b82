"""A mail bomb beside ordinary mail: how much longer ordinary mail then takes (L9).

The load client is this module run as a program: it sends each mail at its moment, over a connection
of its own, and prints when it said MAIL. The pace is that of 10,000 mails in five minutes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import quantiles

from sqlalchemy import select

from bench.corpus import QUEUE, Mail, Mix, make
from bench.load import say
from bench.peers import PATIENCE, daemon, wait_until_settled
from bench.processes import Failed, run, served
from store.database import Database
from store.schema import inbox

SECONDS = 15
OTHERS = 10  # ordinary mails a second
BOMB = 10_000 / 300  # mails of the bomb a second


class Phase(StrEnum):
    """What comes beside the ordinary mail."""

    CALM = "nothing"
    SENDER = "one sender"
    DOMAIN = "one domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds from MAIL to the outcome, of ordinary mail alone."""

    p50: float
    p95: float


def bombed(folder: Path, database: str) -> dict[Phase, Waits]:
    """The same ordinary mail alone and beside each bomb, one after the other on one daemon."""
    with (
        served("bench.relay", errors=folder / "relay.log") as (_relay, relay_port),
        daemon(folder, relay_port, database, floods=True) as (process, port, store),
    ):
        _send(port, Phase.CALM, seed=100)  # all its parts are up
        wait_until_settled(store, process)
        waits: dict[Phase, Waits] = {}
        for seed, phase in enumerate(Phase, start=1):
            began = _send(port, phase, seed)
            wait_until_settled(store, process)
            waits[phase] = _waits(store, began)
    return waits


def _send(port: int, phase: Phase, seed: int) -> dict[str, float]:
    said = run([sys.executable, "-m", "bench.bomb", str(port), phase, str(seed)], timeout=PATIENCE)
    began: dict[str, float] = json.loads(said)
    if len(began) != SECONDS * OTHERS:
        raise Failed(f"{len(began)} of {SECONDS * OTHERS} ordinary mails were taken")
    return began


def _waits(store: Database, began: Mapping[str, float]) -> Waits:
    c = inbox.c
    known = [message_id.strip("<>") for message_id in began]
    with store.reading() as tx:
        rows = tx.conn.execute(select(c.message_id, c.settled).where(c.settled.is_not(None))).all()
    ended = {row.message_id.strip("<>"): row.settled.timestamp() for row in rows}
    waits = [
        ended[one] - start for one, start in zip(known, began.values(), strict=True) if one in ended
    ]
    if len(waits) != len(began):
        raise Failed(f"{len(waits)} of {len(began)} ordinary mails were found again")
    cuts = quantiles(waits, n=100, method="inclusive")
    return Waits(p50=cuts[49], p95=cuts[94])


def _others(seed: int) -> list[Mail]:
    """Ordinary mail of many people, no two of one domain: none of it is a flood."""
    stream = make(SECONDS * OTHERS, seed=seed, mix=Mix.PLAIN)
    return [_from(mail, mail.sender.replace("@", f"@{at}.")) for at, mail in enumerate(stream)]


def _bomb(phase: Phase, seed: int) -> list[Mail]:
    if phase is Phase.CALM:
        return []
    who = "bomber{}@bomb.example.com" if phase is Phase.DOMAIN else "bomber@bomb.example.com"
    stream = make(round(SECONDS * BOMB), seed=1000 + seed, mix=Mix.PLAIN)
    return [_from(mail, who.format(place)) for place, mail in enumerate(stream)]


def _from(mail: Mail, sender: str) -> Mail:
    raw = mail.raw.replace(mail.sender.encode(), sender.encode())
    return Mail(
        kind=mail.kind,
        message_id=mail.message_id,
        sender=sender,
        subject=mail.subject,
        answers="",
        raw=raw,
    )


async def _one(port: int, mail: Mail, wait: float) -> float:
    """Send one mail after `wait` seconds; returns when MAIL was said, in seconds of the epoch."""
    await asyncio.sleep(wait)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await say(reader, writer, b"", b"220")
    await say(reader, writer, b"EHLO bench.example.net\r\n", b"250")
    began = time.time()
    await say(reader, writer, f"MAIL FROM:<{mail.sender}>\r\n".encode(), b"250")
    await say(reader, writer, f"RCPT TO:<{QUEUE}>\r\n".encode(), b"250")
    await say(reader, writer, b"DATA\r\n", b"354")
    await say(reader, writer, mail.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n", b"250")
    writer.write(b"QUIT\r\n")
    await reader.readline()
    writer.close()
    return began


async def _all(port: int, phase: Phase, seed: int) -> dict[str, float]:
    others, bomb = _others(seed), _bomb(phase, seed)
    beside = [_one(port, mail, place / BOMB) for place, mail in enumerate(bomb)]
    ours = [_one(port, mail, place / OTHERS) for place, mail in enumerate(others)]
    done = await asyncio.gather(*ours, *beside)
    return dict(zip((mail.message_id for mail in others), done, strict=False))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all(int(sys.argv[1]), Phase(sys.argv[2]), int(sys.argv[3])))))
