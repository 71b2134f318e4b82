"""The commands of SMTP (RFC 5321) and LMTP (RFC 2033), as far as a helpdesk needs them."""

from __future__ import annotations

import asyncio
import uuid
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailgate import crash
from mailgate.core.mail import Envelope, Inbound
from mailgate.sources.smtp_connection import BLOCK, TAKEN, TROUBLE, Connection, Door
from mailgate.sources.smtp_settings import Wire
from mailgate.sources.smtp_wire import Content, Path, Refused, has_bare_newline, read_path


@dataclass(slots=True, kw_only=True)
class Transaction:
    """The envelope as far as MAIL and RCPT have filled it."""

    mail_from: str | None = None
    utf8: bool = False
    rcpt_tos: list[str] = field(default_factory=list)


class Session(Connection):
    """A conversation in one of the two protocols, as the door's settings say."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop)
        self.secured()
        self._failed_logins = 0
        lmtp = door.settings.protocol is Wire.LMTP
        self.verbs = {"LHLO": self._ehlo} if lmtp else {"EHLO": self._ehlo, "HELO": self._helo}
        self.verbs |= {
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "VRFY": self._vrfy,
            "QUIT": self._quit,
        }
        if door.settings.tls is not None:
            self.verbs["STARTTLS"] = self._starttls
            if door.settings.verify is not None:
                self.verbs["AUTH"] = self._auth

    def secured(self) -> None:
        """Start afresh, as at the beginning and when TLS has begun."""
        self._transaction = Transaction()
        self._peer_name = ""  # as it gave itself in EHLO, LHLO or HELO
        self._login = ""

    @property
    def _in_tls(self) -> bool:
        return self._tls_protocol is not None

    # --- greetings and small talk --------------------------------------------------------

    def _greet(self, name: str) -> None:
        if not name or len(name) > 255 or not name.isprintable():
            raise Refused("501 5.5.4 Say who you are")
        self._transaction = Transaction()
        self._peer_name = name

    async def _helo(self, arg: str) -> None:
        self._greet(arg)
        await self.push(f"250 {self.hostname}")

    async def _ehlo(self, arg: str) -> None:
        self.check_in_step()
        self._greet(arg)
        lines = [self.hostname, f"SIZE {self.door.settings.limits.size}", "8BITMIME", "SMTPUTF8"]
        lines += ["PIPELINING", "ENHANCEDSTATUSCODES"]
        if "STARTTLS" in self.verbs and not self._in_tls:
            lines.append("STARTTLS")
        if "AUTH" in self.verbs and self._in_tls:
            lines.append("AUTH PLAIN LOGIN")
        await self.push("".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}")

    async def _rset(self, _arg: str) -> None:
        self._transaction = Transaction()
        await self.push("250 2.0.0 Forgotten")

    async def _noop(self, _arg: str) -> None:
        await self.push("250 2.0.0 Still here")

    async def _vrfy(self, _arg: str) -> None:
        await self.push("252 2.5.0 Send mail and see")

    async def _quit(self, _arg: str) -> None:
        self.last_words("221 2.0.0 Bye")

    async def _starttls(self, arg: str) -> None:
        if arg:
            raise Refused("501 5.5.4 STARTTLS takes no argument")
        if self._in_tls:
            raise Refused("503 5.5.1 Already in TLS")
        # Whatever came in the clear after this command was not said by the peer inside TLS.
        self.check_in_step()
        await self.smtp_STARTTLS("")

    # --- the envelope --------------------------------------------------------------------

    async def _mail(self, arg: str) -> None:
        if not self._peer_name:
            raise Refused("503 5.5.1 Say who you are first")
        if self._transaction.mail_from is not None:
            raise Refused("503 5.5.1 One sender at a time")
        path = read_path(arg, "FROM:")
        if path.address and not path.domain:
            raise Refused("553 5.1.7 The sender needs a domain")
        self._check_mail_params(path)
        self._transaction.mail_from = path.address
        self._transaction.utf8 = "SMTPUTF8" in path.params
        await self.push("250 2.1.0 Sender noted")

    def _check_mail_params(self, path: Path) -> None:
        params = path.params
        known = {"SIZE", "BODY", "SMTPUTF8"} | ({"AUTH"} & self.verbs.keys())
        if not params.keys() <= known:
            raise Refused("555 5.5.4 Parameter not recognised")
        size = params.get("SIZE", "0")
        if (
            params.get("SMTPUTF8")
            or params.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME")
            or not (size.isdigit() and len(size) <= 20)
        ):
            raise Refused("501 5.5.4 Bad parameters")
        if int(size) > self.door.settings.limits.size:
            self.log_refused("too big")
            raise Refused(self._too_big())
        if not path.address.isascii() and "SMTPUTF8" not in params:
            raise Refused("553 5.6.7 That address needs SMTPUTF8")

    def _too_big(self) -> str:
        """People read it in the bounce that their own server makes."""
        most = self.door.settings.limits.size
        return f"552 5.3.4 Message too big, {most} octets at most; send large files another way"

    async def _rcpt(self, arg: str) -> None:
        if self._transaction.mail_from is None:
            raise Refused("503 5.5.1 Name the sender first")
        path = read_path(arg, "TO:")
        if not path.domain and path.address.lower() != "postmaster":
            raise Refused("501 5.1.3 The recipient needs an address")
        if path.params:
            raise Refused("555 5.5.4 Parameter not recognised")
        if not path.address.isascii() and not self._transaction.utf8:
            raise Refused("553 5.6.7 That address needs SMTPUTF8")
        if len(self._transaction.rcpt_tos) >= self.door.settings.limits.recipients:
            self.log_deferred("too many recipients")
            raise Refused("452 4.5.3 Too many recipients, send the rest separately")
        if not self.door.accepts(path.address):
            self.log_refused("unknown recipient")
            raise Refused("550 5.1.1 No such mailbox here; check the address")
        self._transaction.rcpt_tos.append(path.address)
        await self.push("250 2.1.5 Recipient noted")

    # --- the mail ------------------------------------------------------------------------

    async def _data(self, arg: str) -> None:
        if not self._transaction.rcpt_tos:
            raise Refused("503 5.5.1 Name a recipient first")
        if arg:
            raise Refused("501 5.5.4 DATA takes no argument")
        self.check_in_step()
        content = Content(limit=self.door.settings.limits.size)
        self.in_mail = True
        try:
            await self.push("354 End with a dot on a line of its own")
            if await self._receive(content):
                await self._conclude(content)
        finally:
            self.in_mail = False
            self.door.hold(-content.kept)

    async def _receive(self, content: Content) -> bool:
        """Read up to the final dot; False when the conversation broke off before it."""
        limits = self.door.settings.limits
        began, counted = self.loop.time(), 0
        # All there is, which the stream keeps small, so that nothing stays behind in it.
        while block := await self._reader.read(1 << 30):
            rest = self._feed(content, block)
            if rest is not None:
                self._reader._buffer.extend(rest)  # type: ignore[attr-defined]
                return True
            if content.received > 2 * limits.size + BLOCK:
                self.log_refused("too big")
                self.last_words(f"{self._too_big()}; closing the connection")
                return False
            self._reset_timeout()
            now = self.loop.time()
            if now - began >= limits.window:
                if content.received - counted < limits.rate * (now - began):
                    self._timeout_cb()
                    return False
                began, counted = now, content.received
        return False

    def _feed(self, content: Content, block: bytes) -> bytes | None:
        """Feed a block; under memory pressure a large mail goes, so that small ones still pass."""
        before = content.kept
        rest = content.feed(block)
        room = self.door.hold(content.kept - before)
        if not room and content.kept > self.door.settings.limits.small:
            self.door.hold(-content.kept)
            content.let_go()
        return rest

    async def _conclude(self, content: Content) -> None:
        settings = self.door.settings
        if content.too_big:
            self.log_refused("too big")
            reply = self._too_big()
        elif content.gone:
            self.log_deferred("too many mails under way")
            reply = "452 4.3.1 Too many mails under way, please try again later"
        else:
            reply = await self._deliver(content.raw())
        # The recipients share the fate of the one mail: one commit, one answer for each.
        times = len(self._transaction.rcpt_tos) if settings.protocol is Wire.LMTP else 1
        self._transaction = Transaction()
        self._reset_timeout()
        crash.point("in.before_reply")
        await self.push("\r\n".join([reply] * times))
        crash.point("in.after_reply")

    async def _deliver(self, raw: bytes) -> str:
        """Wait for stable storage: only a commit that is known earns a 250."""
        settings = self.door.settings
        strict = settings.refuse_bare_newlines and not settings.trusts(self.ip)
        if strict and has_bare_newline(raw):
            self.log_refused("bare newline")
            return "550 5.6.11 A line ends with a bare CR or LF, write CRLF instead"
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()  # the peer has done its part; this wait is ours
        task = self.door.commit(self._inbound(raw))
        try:
            async with asyncio.timeout(settings.limits.commit):
                # The shield keeps a client that hangs up from undoing what intake has begun.
                reply = await (task if crash.weakened("shield") else asyncio.shield(task))
        except TimeoutError:
            self.log_deferred("slow commit")
            return TROUBLE
        if reply == TAKEN:
            self.commands = 0
        return reply

    def _inbound(self, raw: bytes) -> Inbound:
        return Inbound(
            raw=raw,
            source=self.door.settings.name,
            source_key=uuid.uuid4().hex,
            received=datetime.now(UTC),
            envelope=Envelope(
                mail_from=self._transaction.mail_from,
                rcpt_tos=tuple(dict.fromkeys(self._transaction.rcpt_tos)),
                peer=self.ip,
                helo=self._peer_name,
                login=self._login,
            ),
        )

    # --- AUTH ----------------------------------------------------------------------------

    async def _auth(self, arg: str) -> None:
        """PLAIN and LOGIN, inside TLS only (RFC 4954, RFC 4616)."""
        mechanism, _, initial = arg.partition(" ")
        if not self._in_tls:
            raise Refused("538 5.7.11 Start TLS first")
        if self._login or not self._peer_name or self._transaction.mail_from is not None:
            raise Refused("503 5.5.1 Not now")
        if mechanism.upper() == "PLAIN":
            login, password = await self._ask_plain(initial)
        elif mechanism.upper() == "LOGIN":
            login, password = await self._ask_login(initial)
        else:
            raise Refused("504 5.5.4 Mechanism not known")
        await self._judge(login, password)

    async def _ask(self, challenge: bytes, initial: str = "") -> str:
        if not initial:
            await self.push(b"334 " + b64encode(challenge))
            initial = (await self.read_line()).strip().decode("ascii", "replace")
        if initial == "*":
            raise Refused("501 5.7.0 Login given up")
        try:
            return b64decode("" if initial == "=" else initial, validate=True).decode()
        except ValueError as error:
            raise Refused("501 5.5.2 Not base64 of UTF-8") from error

    async def _ask_plain(self, initial: str) -> tuple[str, str]:
        fields = (await self._ask(b"", initial)).split("\0")
        if len(fields) != 3 or fields[0] not in ("", fields[1]):
            raise Refused("501 5.5.2 Bad credentials")
        return fields[1], fields[2]

    async def _ask_login(self, initial: str) -> tuple[str, str]:
        login = await self._ask(b"Username:", initial)
        return login, await self._ask(b"Password:")

    async def _judge(self, login: str, password: str) -> None:
        if await self.door.login(self.ip, login, password):
            self._login = login
            await self.push("235 2.7.0 Welcome")
            return
        self.log_refused("bad login")
        self._failed_logins += 1
        if self._failed_logins >= self.door.settings.limits.logins:
            self.last_words("421 4.7.0 Too many failed logins, closing the connection")
        else:
            raise Refused("535 5.7.8 Login or password is wrong")
