"""What an IMAP source is told, and what it takes from its caller."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from mailgate.core.mail import Inbound
from mailgate.sources.oauth import OAuthSettings

Tls = Literal["implicit", "starttls", "none"]


def refuse_control(what: str, value: str) -> str:
    """`value`, or ValueError if it would end a command line and start another (CR, LF, NUL)."""
    if any(c in value for c in "\r\n\0"):
        raise ValueError(f"{what} must not contain CR, LF or NUL")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapSettings:
    """One folder of one account. Times are seconds, sizes octets.

    `ca_file` replaces the system's certificate authorities. `processed` and `failed` are folder
    names as the server spells them; None leaves mail where it is. Raises ValueError for a value
    that would be a second command on the wire, or when password and oauth are not exactly one.
    """

    name: str
    host: str
    port: int
    username: str
    mailbox: str  # our address this account receives for
    tls: Tls = "implicit"
    ca_file: str | None = None
    password: str | None = field(default=None, repr=False)
    oauth: OAuthSettings | None = None
    folder: str = "INBOX"
    sent: str | None = None  # the account's Sent folder, looked at beside `folder`
    of_sent: bool = False  # `folder` is one: read from now on, and never changed
    processed: str | None = None
    failed: str | None = None
    poll_seconds: float = 60.0
    idle: bool = True
    idle_seconds: float = 300.0  # renewed after this long, or up to 1.8 times that
    lease_seconds: float = 120.0
    max_bytes: int = 50 << 20  # a larger mail is set aside
    retry_first: float = 1.0  # back-off after the first failure; doubles, with jitter
    retry_max: float = 300.0

    def __post_init__(self) -> None:
        for what in ("host", "username", "password", "folder", "sent", "processed", "failed"):
            refuse_control(f"imap {self.name}: {what}", getattr(self, what) or "")
        if (self.password is None) == (self.oauth is None):
            raise ValueError(f"imap {self.name}: give either a password or oauth2")
        if self.folder in (self.processed, self.failed):
            raise ValueError(f"imap {self.name}: processed and failed must be other folders")
        if self.sent and self.sent in (self.folder, self.processed, self.failed):
            raise ValueError(f"imap {self.name}: sent must be another folder")

    @property
    def key(self) -> str:
        """Names the folder for cursors, leases and source keys, whatever `name` becomes."""
        return f"{self.host}/{self.username}/{self.folder}"

    @property
    def source(self) -> str:
        """The name its deliveries carry; the first word says what they are."""
        return f"{'sent' if self.of_sent else 'imap'} {self.name}"

    def for_sent(self) -> ImapSettings | None:
        """The same for the Sent folder: nothing is moved there."""
        if not self.sent:
            return None
        return replace(self, folder=self.sent, sent=None, of_sent=True, processed=None, failed=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Every mail of this UIDVALIDITY up to and including `last_uid` is committed or set aside."""

    uidvalidity: int
    last_uid: int


class Submit(Protocol):
    """Intake: the future resolves to the inbox id once the mail is committed."""

    def __call__(self, inbound: Inbound, /) -> Future[int]:
        """Raises, or its future raises, when the mail could not be committed."""
        ...


class Cursors(Protocol):
    """Where cursors and leases live: the database, never flags on the server."""

    def load(self, source: str, /) -> Cursor | None:
        """The cursor last saved, None if there is none."""
        ...

    def save(self, source: str, cursor: Cursor, /) -> None:
        """Commit the cursor before returning."""
        ...

    def lease(self, source: str, seconds: float, /) -> bool:
        """Take or prolong the lease; False while another node holds it."""
        ...


class Health(Protocol):
    """Told of each success and each failure."""

    def __call__(self, name: str, ok: bool, detail: str, /) -> None:
        """`detail` is for an operator; it holds no secret."""
        ...
