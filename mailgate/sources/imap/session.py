"""One IMAP connection (RFC 3501), from the greeting to the drop: the only user of imapclient.

A tagged NO is an answer and becomes `Refused`; after anything else that goes wrong the two sides
may be out of step, so the caller drops the connection. Arguments are ints and configured names;
nothing that came by mail is ever sent.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, IMAPClientReadOnlyError, LoginError

from mailgate.sources.imap.settings import ImapSettings, refuse_control
from mailgate.sources.imap.wire import CONNECT_SECONDS, READ_SECONDS, Wire
from mailgate.sources.oauth import TokenSource

SLICE = 1 << 20  # octets of one partial fetch
WHOLE = 4 << 20  # a larger mail is fetched in slices
_WINDOW = 50_000  # UIDs asked for in one SEARCH: the answer stays below half of imaplib's line
_RANGE = 500  # UIDs named in one command
_NO = re.compile(r"\w+ failed: ")  # imapclient's words for a tagged NO, and for nothing else
_ATOM = re.compile(r"[^\s(){%*\"\\\]\x00-\x1f\x7f-\uffff]+")


class Refused(Exception):
    """The server answered NO; the connection is in step."""


class Insecure(Exception):
    """Going on would show credentials to someone who should not see them; none were sent."""


class LoginRefused(Exception):
    """The server did not accept the credentials."""


class Gone(Exception):
    """The mail is no longer in the folder."""


class Incomplete(Exception):
    """The server did not supply the mail it announced."""


class TooLarge(Exception):
    """The mail is above our limit; nothing of it was fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The folder at the moment of SELECT. `uidnext` is 0 where the server does not tell."""

    uidvalidity: int
    uidnext: int
    writable: bool


class _Client(IMAPClient):  # type: ignore[misc]
    """imapclient over our own wire."""

    def __init__(
        self, settings: ImapSettings, tls: ssl.SSLContext | None, stop: threading.Event
    ) -> None:
        implicit = settings.tls == "implicit"
        self._dial = partial(Wire, settings.host, settings.port, tls if implicit else None, stop)
        timeout = SocketTimeout(CONNECT_SECONDS, READ_SECONDS)
        super().__init__(settings.host, settings.port, ssl=implicit, timeout=timeout)
        self.normalise_times = False
        self._imap.debug = 0  # else each line and each literal is formatted for a log nobody reads

    def _create_IMAP4(self) -> Wire:
        return self._dial()


@contextmanager
def _answers() -> Iterator[None]:
    """Turn a tagged NO into Refused, leave everything else as it is."""
    try:
        yield
    except IMAPClientError as error:
        if type(error) is IMAPClientError and _NO.match(str(error)):
            raise Refused(str(error)) from None
        raise


class Session:
    """A logged-in connection. For one thread; any exception but those defined here
    means `close`. All methods raise TimeoutError, OSError, imaplib's errors and wire.Stopped."""

    def __init__(
        self, settings: ImapSettings, tokens: TokenSource | None, stop: threading.Event
    ) -> None:
        """Connect, secure, log in. Raises Insecure, LoginRefused, OAuthError, ssl.SSLError."""
        self._settings = settings
        # A token first: a token endpoint that hangs must not keep a connection waiting.
        token = refuse_control("access token", tokens.token()) if tokens else ""
        tls = None
        if settings.tls != "none":
            tls = ssl.create_default_context(cafile=settings.ca_file)
        self._client = _Client(settings, tls, stop)
        self._made: set[str] = set()
        self._tells_uidnext = False
        try:
            self._secure(tls)
            self._log_in(token)
            self._client.capabilities()  # now, not between SELECT and IDLE
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection. LOGOUT would mean to wait for an answer; no server needs it."""
        with suppress(OSError):
            self._client.shutdown()

    # --- getting in ----------------------------------------------------------------------

    def _secure(self, tls: ssl.SSLContext | None) -> None:
        if self._client.welcome.startswith(b"* PREAUTH"):
            # STARTTLS is impossible now, and whose mailbox this is was never asked (RFC 3501, 7.1).
            raise Insecure("the server greets with PREAUTH")
        if self._settings.tls != "starttls":
            return
        if not self._client.has_capability("STARTTLS"):
            raise Insecure("the server does not offer STARTTLS")
        try:
            self._client.starttls(tls)
        except IMAPClientError as error:
            raise Insecure(f"STARTTLS failed: {error}") from None

    def _log_in(self, token: str) -> None:
        client, settings = self._client, self._settings
        try:
            if settings.oauth:
                self._bearer(settings.oauth.mechanism, token)
            elif client.has_capability("AUTH=PLAIN"):
                client.plain_login(settings.username, settings.password)
            elif client.has_capability("LOGINDISABLED"):
                raise Insecure("the server allows no password on this connection")
            elif not (_ATOM.fullmatch(settings.username) and (settings.password or "").isascii()):
                raise LoginRefused("the server has no AUTH=PLAIN; LOGIN cannot send these words")
            else:
                client.login(settings.username, settings.password)
        except LoginError as error:
            raise LoginRefused(str(error)) from None

    def _bearer(self, mechanism: str, token: str) -> None:
        user = self._settings.username
        if mechanism == "XOAUTH2":
            first = f"user={user}\1auth=Bearer {token}\1\1"
        else:  # RFC 7628, section 3.1; the name is quoted as in RFC 5801, section 4
            name = user.replace("=", "=3D").replace(",", "=2C")
            first = f"n,a={name},\1auth=Bearer {token}\1\1"
        # A second challenge carries the reason of a refusal; \1 acknowledges it (section 3.2.3).
        words = iter([first.encode()])
        self._client.sasl_login(mechanism, lambda _challenge: next(words, b"\1"))

    # --- looking -------------------------------------------------------------------------

    def select(self, folder: str, *, writable: bool = True) -> Selected:
        """Select a folder, read-only if the server insists or nobody wants more. Raises Refused."""
        with _answers():
            try:
                answer = self._client.select_folder(folder, readonly=not writable)
            except IMAPClientReadOnlyError:
                writable = False
                answer = self._client.select_folder(folder, readonly=True)
        validity = answer.get(b"UIDVALIDITY")
        if not isinstance(validity, int):
            raise Incomplete("the server tells no UIDVALIDITY")
        uidnext = answer.get(b"UIDNEXT", 0)
        self._tells_uidnext = uidnext > 0
        return Selected(uidvalidity=validity, uidnext=uidnext, writable=writable)

    def search(self, first: int, uidnext: int, *flags: str) -> Iterator[list[int]]:
        """UIDs from `first` on, ascending, in lists of at most 500; `uidnext` 0 is no bound.

        `flags` are search keys such as UNFLAGGED (RFC 3501, section 6.4.4). Raises Refused.
        """
        if not uidnext:
            # `n:*` means at least the last mail, even where its UID is below n.
            yield from _lists(uid for uid in self._search(f"{first}:*", flags) if uid >= first)
            return
        width = _WINDOW
        while first < uidnext:
            last = min(first + width, uidnext) - 1
            found = [uid for uid in self._search(f"{first}:{last}", flags) if first <= uid <= last]
            yield from _lists(found)
            width = width if found else width * 2  # UIDs may be sparse up to 2^32
            first = last + 1

    def _search(self, span: str, flags: Sequence[str]) -> list[int]:
        with _answers():
            return sorted(set(self._client.search(["UID", span, *flags])))

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """RFC822.SIZE of each mail that is still there. Raises Refused."""
        answer = self._fetch(uids, "RFC822.SIZE")
        sizes = {uid: items.get(b"RFC822.SIZE") for uid, items in answer.items()}
        return {uid: size for uid, size in sizes.items() if isinstance(size, int)}

    # --- fetching ------------------------------------------------------------------------

    def bodies(self, sizes: dict[int, int]) -> dict[int, bytes]:
        """The mails that came whole in one FETCH; ask for the others one by one. Raises Refused."""
        answer = self._fetch(list(sizes), "BODY.PEEK[]")
        found = {uid: answer.get(uid, {}).get(b"BODY[]") for uid in sizes}
        return {
            uid: body
            for uid, body in found.items()
            if isinstance(body, bytes) and body and len(body) >= sizes[uid]
        }

    def body(self, uid: int, most: int) -> bytes:
        """One mail of at most so many octets, in slices if it is large.

        Raises Gone, TooLarge, Incomplete, Refused.
        """
        size = self.sizes([uid]).get(uid)
        if size is None:
            if not self._search(str(uid), ()):
                raise Gone
            raise Incomplete("the server tells no size")
        if size > most:
            raise TooLarge(f"{size} octets, the limit is {most}")
        body = b"".join(self._slices(uid, size)) if size > WHOLE else self._whole(uid)
        if len(body) < size:
            self._judge_short(uid, len(body), size)
        if not body:
            raise Incomplete("the server sent an empty mail")
        return body

    def _whole(self, uid: int) -> bytes:
        body = self._fetch([uid], "BODY.PEEK[]").get(uid, {}).get(b"BODY[]")
        if isinstance(body, bytes):
            return body
        if not self._search(str(uid), ()):
            raise Gone
        raise Incomplete("the server sent no body")

    def _slices(self, uid: int, size: int) -> Iterator[bytes]:
        for offset in range(0, size, SLICE):
            piece = self._piece(uid, offset, SLICE)
            if len(piece) > SLICE:
                raise Incomplete("the server does not honour partial fetches")
            yield piece
            if len(piece) < SLICE:
                return

    def _piece(self, uid: int, offset: int, octets: int) -> bytes:
        answer = self._fetch([uid], f"BODY.PEEK[]<{offset}.{octets}>").get(uid, {})
        piece = answer.get(f"BODY[]<{offset}>".encode())
        return piece if isinstance(piece, bytes) else b""

    def _judge_short(self, uid: int, got: int, size: int) -> None:
        """Some servers (Exchange) only estimate RFC822.SIZE: a little less, and nothing behind it,
        is the whole mail."""
        if got < size * 0.9 or self._piece(uid, got, 1024):
            raise Incomplete(f"the server sent {got} octets of {size}")

    def _fetch(self, uids: Sequence[int], item: str) -> dict[int, dict[bytes, Any]]:
        with _answers():
            return dict(self._client.fetch(list(uids), [item]))

    # --- putting away --------------------------------------------------------------------

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails, making the folder if need be (RFC 6851, or COPY as before). Raises Refused.

        Without MOVE and UIDPLUS they stay behind marked as deleted: a plain EXPUNGE would remove
        what others marked.
        """
        with _answers():
            self._make(folder)
            if self._client.has_capability("MOVE"):
                self._client.move(list(uids), folder)
                return
            self._client.copy(list(uids), folder)
            self._client.add_flags(list(uids), [rb"\Deleted"], silent=True)
            if self._client.has_capability("UIDPLUS"):
                self._client.uid_expunge(list(uids))

    def _make(self, folder: str) -> None:
        if folder in self._made:
            return
        # The answer to a name with `*` or `%` may hold other folders.
        if folder not in {name for *_, name in self._client.list_folders("", folder)}:
            self._client.create_folder(folder)
            self._client.subscribe_folder(folder)  # else most mail programs do not show it
        self._made.add(folder)

    def flag(self, uid: int) -> None:
        r"""Mark a mail \Flagged, for people to see. Raises Refused."""
        with _answers():
            self._client.add_flags([uid], [rb"\Flagged"], silent=True)

    # --- waiting -------------------------------------------------------------------------

    def can_idle(self) -> bool:
        """Whether the server has IDLE (RFC 2177), and tells at SELECT what is before IDLE."""
        return self._tells_uidnext and bool(self._client.has_capability("IDLE"))

    def idle(self) -> bool:
        """Begin IDLE. False when the server, having offered it, does not do it: use a new session
        and no IDLE."""
        try:
            self._client.idle()
        except IMAPClientError as error:
            if type(error) is IMAPClientError:
                return False
            raise
        return True

    def news(self, seconds: float) -> bool:
        """In IDLE: whether mail arrived within so many seconds. Raises ConnectionError on BYE."""
        wire: Wire = self._client._imap
        if not wire.wait(seconds):
            return False
        line = wire.readline()
        if line[:5].upper() == b"* BYE":
            raise ConnectionError(line[2:].decode("ascii", "replace").strip())
        return re.match(rb"\* \d+ EXISTS", line, re.IGNORECASE) is not None

    def idle_done(self) -> None:
        """End IDLE."""
        self._client.idle_done()


def _lists(uids: Iterator[int] | list[int]) -> Iterator[list[int]]:
    every = list(uids)
    for start in range(0, len(every), _RANGE):
        yield every[start : start + _RANGE]
