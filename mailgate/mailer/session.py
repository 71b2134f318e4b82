"""One SMTP connection to a relay, and one transaction after the other on it (RFC 5321)."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException

from mailgate import crash
from mailgate.core.charset import one_line
from mailgate.core.decision import CopyState
from store.outbox import Queued

_PIECE = 64 * 1024  # octets handed to the transport at a time
_PROBE = 10.0  # seconds an idle connection has to answer RSET
_GOODBYE = 1.0  # seconds we wait for the answer to QUIT

_LINE_END = re.compile(rb"\r\n|\r|\n")
_DOT = re.compile(rb"^\.", re.M)
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f<>]")  # ends or splits the path of MAIL and RCPT


class Tls(StrEnum):
    """How a connection is protected; never "if the relay happens to offer it"."""

    NONE = "none"
    STARTTLS = "starttls"  # RFC 3207; a relay that does not offer it gets no mail
    IMPLICIT = "implicit"  # RFC 8314, port 465


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """One [[relay]]. Certificates are always verified, against `ca_file` alone if it is given."""

    host: str
    port: int = 25
    tls: Tls = Tls.NONE
    username: str = ""  # "" does not log in
    password: str = field(default="", repr=False)
    rate: int = 0  # mails a minute, 0 is no limit
    timeout: float = 60.0  # seconds for the answer to one command
    ca_file: Path | None = None
    helo: str = "localhost"  # the name we give in EHLO

    @property
    def name(self) -> str:
        """How the route is called in the outbox, the journal and /health."""
        return f"{self.host}:{self.port}"


class RouteDown(Exception):
    """No transaction can be started on this relay: connect, greeting, TLS, EHLO or AUTH failed.

    `code` is what the relay said, 0 when it said nothing; `refused` tells a live relay that does
    not want us from one that cannot be reached.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(one_line(text))
        self.code = code

    @property
    def refused(self) -> bool:
        """Whether a machine answered and said no: trying again at once would annoy it."""
        return self.code != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer that decided a transaction; the fields are those of Attempt.

    `text` is one line that any database and terminal takes, whatever octets the relay sent.
    """

    code: int
    text: str
    uncertain: bool = False
    about_us: bool = False

    def __post_init__(self) -> None:
        # What is not UTF-8 reaches us as lone surrogates, which no database takes.
        object.__setattr__(self, "text", one_line(self.text))


def wire(data: bytes) -> bytes:
    """A mail as DATA carries it: every line ends in CRLF, dots are stuffed (RFC 5321, 4.5.2).

    A CR or LF of its own is a line end here, so that no relay can read an end of data in it.
    """
    lines = _LINE_END.sub(b"\r\n", data)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return _DOT.sub(b"..", lines)


class Session:
    """A connection that is ready for MAIL. Dropped for good after anything unexpected.

    aiosmtplib's own `is_connected` stays true after a 421 or a cancelled command, and the next
    command would then read the answer to an earlier one: hence `usable`.
    """

    def __init__(self, client: SMTP, settings: RelaySettings) -> None:
        self._client = client
        self._timeout = settings.timeout
        self.usable = True
        self.dotted = False  # the end of the data has left: from here on the relay may have it

    @classmethod
    async def open(cls, settings: RelaySettings) -> Session:
        """Connect, greet, secure, log in. Raises RouteDown."""
        client = None
        try:
            client = await _client(settings)
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except SMTPResponseException as error:
            _abort(client)
            raise RouteDown(f"{settings.name}: {error.code} {error.message}", error.code) from error
        except (SMTPException, OSError, ValueError) as error:
            _abort(client)
            raise RouteDown(f"{settings.name}: {error}") from error
        except asyncio.CancelledError:
            _abort(client)
            raise
        return cls(client, settings)

    async def reset(self) -> bool:
        """RSET: whether the connection is alive and takes a new transaction."""
        self.usable = False
        with suppress(SMTPException, OSError):
            limit = min(self._timeout, _PROBE)
            self.usable = (await self._client.execute_command(b"RSET", timeout=limit)).code == 250
        return self.usable

    async def deliver(self, copy: Queued) -> Reply:
        """One transaction for one copy. A lost connection is a Reply with code 0.

        The caller's deadline may cancel this; `dotted` then says whether the mail was complete.
        """
        self.usable, self.dotted = False, False
        try:
            reply = await self._transaction(copy)
        except SMTPResponseException as error:  # an answer that is not SMTP
            return Reply(code=0, text=error.message, uncertain=self.dotted)
        except (SMTPException, OSError) as error:
            return Reply(code=0, text=str(error) or "no answer in time", uncertain=self.dotted)
        self.usable = reply.code != 421
        return reply

    async def _transaction(self, copy: Queued) -> Reply:
        missing = self._missing(copy)
        if missing:
            return missing
        crash.point("out.mail")
        answer = await self._command(b"MAIL FROM:", copy.mail_from, *self._options(copy))
        if not _good(answer):
            return Reply(code=answer.code, text=answer.message, about_us=True)
        crash.point("out.rcpt")
        answer = await self._command(b"RCPT TO:", copy.address)
        if _good(answer):
            crash.point("out.data")
            answer = await self._client.execute_command(b"DATA", timeout=self._timeout)
            if answer.code == 354:
                answer = await self._data(wire(copy.data))
        return Reply(code=answer.code, text=answer.message)

    async def _command(self, verb: bytes, address: str, *options: bytes) -> SMTPResponse:
        path = verb + b"<" + address.encode() + b">"
        return await self._client.execute_command(path, *options, timeout=self._timeout)

    async def _data(self, data: bytes) -> SMTPResponse:
        """Write everything, then wait: no timeout here but the deadline of the whole attempt.

        Giving up early is what makes duplicates (RFC 5321, 4.5.3.2.6).
        """
        protocol, transport = self._client.protocol, self._client.transport
        if protocol is None or not isinstance(transport, asyncio.WriteTransport):
            raise ConnectionResetError("connection lost after DATA")
        last = max(len(data) - 1, 0) // _PIECE * _PIECE
        for at in range(0, last, _PIECE):
            protocol.write(data[at : at + _PIECE])
            while transport.get_write_buffer_size() > _PIECE:
                await asyncio.sleep(0.005)
        crash.point("out.before_dot")
        self.dotted = True
        protocol.write(data[last:] + b".\r\n")
        crash.point("out.after_dot")
        answer = await protocol.read_response()
        crash.point("out.got_250")
        return answer

    def _missing(self, copy: Queued) -> Reply | None:
        """What keeps this copy from being sent through this relay at all."""
        if _UNWRITABLE.search(copy.address) or _UNWRITABLE.search(copy.mail_from):
            return Reply(code=553, text="5.1.3 not sent: the address cannot be written in SMTP")
        if _utf8(copy) and not self._offers("smtputf8"):
            return Reply(code=553, text="5.6.7 not sent: the relay does not offer SMTPUTF8")
        if not copy.data.isascii() and not self._offers("8bitmime"):
            return Reply(code=554, text="5.6.3 not sent: the relay does not offer 8BITMIME")
        limit = self._client.esmtp_extensions.get("size", "").strip()
        if limit.isdigit() and 0 < int(limit) < len(copy.data):
            size = f"{len(copy.data)} octets, the relay takes {limit}"
            return Reply(code=552, text=f"5.3.4 not sent: the mail has {size}")
        return None

    def _options(self, copy: Queued) -> list[bytes]:
        options = []
        if self._offers("size"):
            options.append(b"SIZE=%d" % len(copy.data))
        if not copy.data.isascii():
            options.append(b"BODY=8BITMIME")
        if _utf8(copy):
            options.append(b"SMTPUTF8")
        return options

    def _offers(self, extension: str) -> bool:
        return self._client.supports_extension(extension)

    async def quit(self) -> None:
        """End in good order; whatever happens, the connection is closed."""
        with suppress(SMTPException, OSError):
            if self.usable:
                await self._client.execute_command(b"QUIT", timeout=_GOODBYE)
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self.usable = False
        _abort(self._client)


async def _client(settings: RelaySettings) -> SMTP:
    context = None
    if settings.tls is not Tls.NONE:
        # Read again for each connection, so that a renewed ca_file counts at once.
        context = await asyncio.to_thread(ssl.create_default_context, cafile=settings.ca_file)
    return SMTP(
        hostname=settings.host,
        port=settings.port,
        username=settings.username or None,
        password=settings.password or None,
        local_hostname=settings.helo,
        timeout=settings.timeout,
        use_tls=settings.tls is Tls.IMPLICIT,
        start_tls=settings.tls is Tls.STARTTLS,  # False, unlike None, is "never"
        tls_context=context,
    )


def _abort(client: SMTP | None) -> None:
    if client is None:
        return
    if isinstance(client.transport, asyncio.WriteTransport):
        client.transport.abort()
    client.close()


def _good(answer: SMTPResponse) -> bool:
    return 200 <= answer.code < 300


def _utf8(copy: Queued) -> bool:
    """Whether this is an internationalised mail: addresses or header not ASCII (RFC 6531)."""
    if not (copy.address.isascii() and copy.mail_from.isascii()):
        return True
    return not copy.data.partition(b"\r\n\r\n")[0].isascii()


async def send_once(settings: RelaySettings, mail_from: str, address: str, data: bytes) -> Reply:
    """One mail on a connection of its own, past the outbox: for probes. Raises RouteDown."""
    session = await Session.open(settings)
    copy = Queued(
        id=0,
        outbox=0,
        ticket=None,
        notice="probe",
        message_id="",
        automatic=True,
        mail_from=mail_from,
        address=address,
        role="",
        data=data,
        attempts=1,
        queued=datetime.now(UTC),
        before=CopyState.PENDING,
    )
    try:
        return await session.deliver(copy)
    finally:
        await session.quit()
