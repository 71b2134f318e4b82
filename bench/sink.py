"""The yardstick of accepting: bare aiosmtpd that writes and fsyncs a file for each mail, no more.

A process of its own; prints its port, serves until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Files:
    """aiosmtpd calls a handler by the names of its methods."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep the mail, then say so."""
        with (self._folder / uuid4().hex).open("wb") as file:
            file.write(envelope.original_content or b"")
            file.flush()
            os.fsync(file.fileno())
        return "250 2.0.0 Taken"


async def _serve(folder: Path) -> None:
    handler = _Files(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
