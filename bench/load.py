"""The load client, a process of its own: sends a stream over SMTP and prints what it saw as JSON.

Each connection is kept and sends mail after mail, one command at a time, as an MTA without
PIPELINING does. The clock of a mail runs from MAIL to the answer to the final dot.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from bench.corpus import QUEUE, Mail, Mix, make


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the client saw; times are seconds since the epoch, `waits` seconds per mail."""

    began: float = 0.0
    ended: float = 0.0
    waits: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Refused(Exception):
    """The server gave another answer than the one that lets the conversation go on."""


async def say(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, good: bytes
) -> None:
    """Send `data` if there is any, and read the reply. Raises Refused where it is not `good`."""
    if data:
        writer.write(data)
        await writer.drain()
    while (line := await reader.readline())[3:4] == b"-":
        continue
    if not line.startswith(good):
        raise Refused(line.decode(errors="replace").strip())


async def _connection(port: int, mails: Iterator[Mail], seen: Seen) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await say(reader, writer, b"", b"220")
    await say(reader, writer, b"EHLO bench.example.net\r\n", b"250")
    for mail in mails:  # shared with the other connections
        data = mail.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        started = time.perf_counter()
        try:
            await say(reader, writer, f"MAIL FROM:<{mail.sender}>\r\n".encode(), b"250")
            await say(reader, writer, f"RCPT TO:<{QUEUE}>\r\n".encode(), b"250")
            await say(reader, writer, b"DATA\r\n", b"354")
            await say(reader, writer, data, b"250")
        except Refused as error:
            seen.refused.append(str(error))
            break
        seen.waits.append(time.perf_counter() - started)
    writer.write(b"QUIT\r\n")
    await reader.readline()
    writer.close()


async def _send(port: int, stream: list[Mail], connections: int) -> Seen:
    seen = Seen(began=time.time())
    mails = iter(stream)
    await asyncio.gather(*(_connection(port, mails, seen) for _ in range(connections)))
    seen.ended = time.time()
    return seen


def main(mix: str, port: int, connections: int, count: int, seed: int) -> None:
    """Make the stream, send it, print what was seen."""
    stream = make(count, seed=seed, mix=Mix(mix))
    json.dump(asdict(asyncio.run(_send(port, stream, connections))), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[5], *map(int, sys.argv[1:5]))
