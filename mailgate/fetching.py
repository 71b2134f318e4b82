"""A file that was too large for an agent's notice, fetched by the link in it.

The link says which file it is and whom it was made for. Whether that agent may have it is asked
anew at every click: what the link was made for may have changed since.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from mailgate import journal
from mailgate.core import authorise, token
from mailgate.core.people import Agent
from mailgate.core.policy import Policy, folded
from mailgate.core.token import Token
from mailgate.parsing import Parsers, WorkerDied, parts_of
from store.blobs import BlobMissing
from store.database import Database, Tx
from store.files import StoredFile

SECONDS = 30.0  # for taking a file out of its mail; nothing but the one who asked waits for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Finds and reads files by their links; safe to use from many threads."""

    database: Database
    parsers: Parsers
    policy: Policy
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def find(self, text: str) -> StoredFile | None:
        """The file that this token leads its agent to now; None for whatever reason not.

        Raises store.database.Unavailable.
        """
        sealed = token.in_link(text)
        if sealed is None:
            return None
        with self.database.reading() as tx:
            if token.fault(sealed, tx.keys.all(), self.clock()):
                return None
            agent = self._agent(sealed.token)
            return self._seen(tx, sealed.token, agent) if agent else None

    def read(self, file: StoredFile) -> bytes | None:
        """The bytes of a file, None where they cannot be had any more: the journal says why.

        Raises Unavailable; CancelledError or RuntimeError when the pool ended meanwhile.
        """
        try:
            with self.database.reading() as tx:
                raw = tx.blobs.get(file.mail)
            data = self.parsers.call(parts_of, raw, [file.part], timeout=SECONDS)[0]
        except (BlobMissing, OSError, LookupError, MemoryError, WorkerDied) as error:
            journal.trouble(what="file", error=error, inbox=file.inbox, ticket=file.ticket)
            return None
        if sha256(data).hexdigest() != file.digest:
            why = "another part of the mail stands in its place"
            journal.trouble(what="file", error=why, inbox=file.inbox, ticket=file.ticket)
            return None
        return data

    def _agent(self, made: Token) -> Agent | None:
        """Whom the link was made for, if that is an agent still."""
        return next(
            (
                agent
                for agent in self.policy.agents
                if made.holder in map(token.holder_of, (agent.address, *agent.aliases))
            ),
            None,
        )

    def _seen(self, tx: Tx, made: Token, agent: Agent) -> StoredFile | None:
        """The file on a ticket that this agent works on, and has not lost the tokens of."""
        files = tx.files.of(made.number, made.nonce.hex())
        numbers = {file.ticket for file in files}
        views = tx.tickets.views(numbers)
        lost = tx.tickets.generations(numbers, [agent.address])
        return next(
            (
                file
                for file in files
                if file.ticket in views
                and authorise.has_access(agent, views[file.ticket], self.policy)
                and made.generation >= lost.get((file.ticket, folded(agent.address)), 0)
            ),
            None,
        )
