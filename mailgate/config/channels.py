"""The sections that speak to other machines: [[smtp]], [[imap]] and [[relay]]."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, SecretStr, ValidationInfo

from mailgate.config import logins
from mailgate.config.fields import (
    ConfigPath,
    Count,
    CredentialPath,
    Line,
    ListenOrInherited,
    Moment,
    Port,
    Positive,
    StrictBool,
    Text,
    TrustedNetwork,
    is_loopback,
    path_of,
)
from mailgate.config.problems import ConfigError, Problem, wrong

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class Section(BaseModel):
    """What all sections share: they never change, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def resolved(inline: SecretStr | None, file: Path | None, variable: str) -> str:
    """A secret from whichever of the three is set, "" when none is.

    Read at each call, so that a rotated secret is taken up. Raises ConfigError when the file
    cannot be read or the variable is not set.
    """
    if inline is not None:
        return inline.get_secret_value()
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(file=str(file), message=_why(error))]) from None
    if variable and variable not in os.environ:
        raise ConfigError([Problem(file="environment", message=f"{variable} is not set")])
    return os.environ[variable] if variable else ""


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else "is not UTF-8"


class OAuth2Section(Section):
    """[imap.oauth2]: where an access token comes from (RFC 6749, sections 4.4 and 6; RFC 7628)."""

    mechanism: Literal["xoauth2", "oauthbearer"] = "xoauth2"
    token_url: Text | None = None
    client_id: Text | None = None
    client_secret: SecretStr | None = None
    client_secret_file: CredentialPath | None = None
    client_secret_env: Line = ""
    refresh_token_file: CredentialPath | None = None  # the first one; rotated ones are ours to keep
    scope: Line = ""
    token_command: tuple[Text, ...] = ()  # argv; prints an access token

    def secret(self) -> str:
        """The client secret, "" when there is none; see `resolved`."""
        return resolved(self.client_secret, self.client_secret_file, self.client_secret_env)

    def refresh_token(self) -> str:
        """The refresh token to start from, "" when the grant is client credentials."""
        return resolved(None, self.refresh_token_file, "")


class ImapSection(Section):
    """[[imap]]: a folder that is emptied into a mailbox."""

    name: Text | None = None
    host: Text
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    port: Port = Field(
        default_factory=lambda seen: 993 if seen.get("tls", "implicit") == "implicit" else 143
    )
    username: Text
    password: SecretStr | None = None
    password_file: CredentialPath | None = None
    password_env: Line = ""
    oauth2: OAuth2Section | None = None
    folder: Text = "INBOX"
    sent: Line = ""  # the account's Sent folder, read for answers; "" none
    processed: Line = "Processed"  # "" leaves mail where it is
    failed: Line = "Failed"
    mailbox: Line = ""  # after loading always the address of a mailbox
    poll_seconds: Positive = 60
    idle: StrictBool = True
    ca_file: ConfigPath | None = None

    @property
    def label(self) -> str:
        """What logs and source names call this account."""
        return self.name or f"{self.username}/{self.folder}"

    def secret(self) -> str:
        """The password; see `resolved`."""
        return resolved(self.password, self.password_file, self.password_env)


class RelaySection(Section):
    """[[relay]]: the server that takes our mail; the second one is the fallback route."""

    host: Text
    tls: Literal["none", "starttls", "implicit"] = Field(
        default_factory=lambda seen: "none" if is_loopback(seen.get("host", "")) else "starttls"
    )
    port: Port = Field(
        default_factory=lambda seen: {"none": 25, "starttls": 587}.get(seen.get("tls", ""), 465)
    )
    username: Line = ""
    password: SecretStr | None = None
    password_file: CredentialPath | None = None
    password_env: Line = ""
    rate: Count = 0  # mails a minute; 0 is no limit
    timeout: Positive = 60  # seconds for one answer
    ca_file: ConfigPath | None = None

    def secret(self) -> str:
        """The password, "" when there is none; see `resolved`."""
        return resolved(self.password, self.password_file, self.password_env)


def _auth(value: object, info: ValidationInfo) -> tuple[str, ...] | Path:
    if isinstance(value, Path):
        return value
    if isinstance(value, str) and value.strip():
        return path_of(value, info)
    if not isinstance(value, list | tuple):
        raise wrong("is neither a list nor a file", 'write ["login:hash"] or the path of a file')
    for at, entry in enumerate(value):
        if not (isinstance(entry, str) and logins.is_login(entry)):
            raise wrong(f"entry {at + 1} is not login:hash", 'write "login:scrypt$..."')
    return tuple(value)


class SmtpSection(Section):
    """[[smtp]]: a listener for SMTP (RFC 5321) or LMTP (RFC 2033)."""

    listen: ListenOrInherited
    protocol: Literal["smtp", "lmtp"] = "smtp"
    trusted: tuple[TrustedNetwork, ...] = _LOOPBACK
    proxy: tuple[TrustedNetwork, ...] = ()  # hops that begin with a PROXY header
    banner_delay: Moment = 0.3  # not for trusted peers
    bare_newlines: Literal["refuse", "keep"] = "refuse"  # of peers that are not trusted
    tls_cert: CredentialPath | None = None
    tls_key: CredentialPath | None = None
    auth: Annotated[tuple[str, ...] | Path, PlainValidator(_auth)] = Field(
        default=(), repr=False, exclude=True
    )

    def logins(self) -> Mapping[str, str]:
        """Login -> hash, from the list or the users file.

        Raises OSError when the file has gone since the configuration was loaded.
        """
        if isinstance(self.auth, Path):
            return logins.by_login(tuple(logins.entries_of(self.auth).values()))
        return logins.by_login(self.auth)
