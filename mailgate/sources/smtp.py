"""The SMTP and LMTP way in: listens, counts its guests, and hands each mail to intake.

A mail is answered 250 only when intake says that it is on stable storage. A commit once begun
is never undone by a client that hangs up; that client's second try is a second delivery, and
recognising it is the worker's business.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from ipaddress import IPv6Address, ip_address

from mailgate import crash, journal
from mailgate.core.mail import Inbound
from mailgate.sources.smtp_connection import FULL, TAKEN, TROUBLE, Connection
from mailgate.sources.smtp_guesses import Guesses
from mailgate.sources.smtp_session import Session
from mailgate.sources.smtp_settings import Limits, ListenerSettings, Wire, server_tls
from mailgate.sources.smtp_wire import Refused
from store.database import no_room

__all__ = ["Limits", "Listener", "ListenerSettings", "Submit", "Wire", "server_tls"]

Submit = Callable[[Inbound], Future[int]]

_BACKLOG = 512
_LAST_STEPS = 1.0  # seconds for connections to end after they were dropped


class Listener:
    """One listening port, run in the caller's event loop.

    `accepts(address)` says at RCPT if a recipient is ours. `submit(mail)` must return at once;
    its future gives the inbox row's number after the commit, or raises: then the peer is asked
    to come again. Both are called in the event loop's thread.
    """

    def __init__(
        self, settings: ListenerSettings, accepts: Callable[[str], bool], submit: Submit
    ) -> None:
        self.settings = settings
        self.accepts = accepts
        self._submit = submit
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._nets: dict[Connection, str] = {}
        self._per_net: Counter[str] = Counter()
        self._commits: set[asyncio.Task[str]] = set()
        self._held = 0
        self._changed = asyncio.Event()
        self._guesses = Guesses(settings.limits)

    @property
    def port(self) -> int:
        """The TCP port, also where the settings left the choice to the system."""
        for server in self._servers:
            for one in server.sockets:
                return int(one.getsockname()[1])
        return self.settings.port

    async def start(self, inherited: Sequence[socket.socket] = ()) -> None:
        """Listen, on `inherited` sockets if there are any instead of on host and port.

        Raises OSError when the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        host, port = self.settings.host, self.settings.port

        def session() -> Session:
            return Session(self, loop)

        for one in inherited:
            server = await loop.create_server(session, sock=one, backlog=_BACKLOG)
            self._servers.append(server)
        if not inherited:
            server = await loop.create_server(session, host, port, backlog=_BACKLOG)
            self._servers.append(server)
        journal.started(what=self._what, where=self._where())

    @property
    def _what(self) -> str:
        return f"{self.settings.protocol} listener"

    def _where(self) -> str:
        bound = [one.getsockname() for server in self._servers for one in server.sockets]
        return " ".join(f"[{a[0]}]:{a[1]}" if ":" in a[0] else f"{a[0]}:{a[1]}" for a in bound)

    def renew(self, settings: ListenerSettings) -> None:
        """Take the certificate and the logins of `settings` for sessions that begin from now on."""
        self.settings = replace(self.settings, tls=settings.tls, verify=settings.verify)
        journal.renewed(what=self._what, where=self._where())

    async def stop(self, grace: float) -> None:
        """Stop listening, let mails under way be answered, and close, within `grace` seconds.

        A mail whose commit has begun may still become an inbox row after that.
        """
        if not self._servers:
            return
        # Not wait_closed(): since Python 3.12 it waits for every client to leave.
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.retire()
        last_steps = min(_LAST_STEPS, grace / 2)
        await self._wait_until_empty(grace - last_steps)
        cut = len(self._connections)
        for connection in tuple(self._connections):
            connection.abort()
        await self._wait_until_empty(last_steps)
        self._servers = []
        why = f"{cut} connections cut" if cut else ""
        journal.stopped(what=self._what, why=why)

    async def _wait_until_empty(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._connections or self._commits:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    # --- what a connection asks (the Door) -----------------------------------------------

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; False when there are too many in all."""
        if len(self._connections) >= self.settings.limits.connections:
            return False
        self._connections.add(connection)
        return True

    def place(self, connection: Connection) -> bool:
        """Count an admitted connection for its network; False when too many are from there."""
        net = _net(connection.ip)
        crowded = self._per_net[net] >= self.settings.limits.per_ip
        if crowded and not self.settings.trusts(connection.ip):
            return False
        self._nets[connection] = net
        self._per_net[net] += 1
        return True

    def leave(self, connection: Connection) -> None:
        """Forget a connection that was admitted."""
        self._connections.discard(connection)
        net = self._nets.pop(connection, None)
        if net is not None:
            self._per_net[net] -= 1
            if self._per_net[net] <= 0:
                del self._per_net[net]
        self._changed.set()

    def hold(self, octets: int) -> bool:
        """Count octets of mail kept in memory (or given back); False when that is too much."""
        self._held += octets
        return self._held <= self.settings.limits.memory

    def commit(self, mail: Inbound) -> asyncio.Task[str]:
        """Hand a mail to intake in a task of its own, which outlives the connection.

        The task gives the reply.
        """
        task = asyncio.get_running_loop().create_task(self._commit(mail))
        self._commits.add(task)
        task.add_done_callback(self._committed)
        return task

    def _committed(self, task: asyncio.Task[str]) -> None:
        self._commits.discard(task)
        self._changed.set()

    async def _commit(self, mail: Inbound) -> str:
        try:
            future = self._submit(mail)
        except Exception as error:
            journal.trouble(what="commit", error=error, source=mail.source)
            return self._deferred(mail, error)
        try:
            # The shield keeps a loop that shuts down from cancelling intake's own future.
            waited = asyncio.wrap_future(future)
            await (waited if crash.weakened("shield") else asyncio.shield(waited))
        except asyncio.CancelledError:
            if not future.cancelled():
                raise
            return self._deferred(mail)
        except Exception as error:
            # Whatever it was, intake has journalled it once for the whole group.
            return self._deferred(mail, error)
        return TAKEN

    def _deferred(self, mail: Inbound, error: Exception | None = None) -> str:
        full = error is not None and no_room(error)
        why = "no room" if full else "no stable storage"
        journal.deferred(source=mail.source, why=why, peer=mail.envelope.peer)
        return FULL if full else TROUBLE

    async def login(self, ip: str, login: str, password: str) -> bool:
        """Judge one SMTP AUTH attempt in a thread, after the wait that earlier failures cost.

        Raises Refused when the network has failed too often.
        """
        clock, net, verify = asyncio.get_running_loop().time, _net(ip), self.settings.verify
        await asyncio.sleep(self._guesses.wait(net, login, clock()))
        # Looked at after the wait: meanwhile others may have failed beside this one.
        if self._guesses.bars(net, clock()):
            journal.deferred(source=self.settings.name, why="locked out", peer=ip)
            raise Refused("454 4.7.0 Too many failed logins, please try again later")
        self._guesses.begun(net, login, clock())
        passed = verify is not None and await asyncio.to_thread(verify, login, password)
        if passed:
            self._guesses.passed(net, login)
        return passed


def _net(ip: str) -> str:
    """What counts as one peer: an IPv4 address, or the /64 an IPv6 address lies in."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_address(int(address) >> 64 << 64))
    return str(address)
