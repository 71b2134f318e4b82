"""The kinds of value a key can have: addresses, listeners, networks, paths, sizes, durations.

Each validator says what is wrong and what to write. Relative paths are relative to the folder of
the configuration file, which arrives in the validation context as `base`; `env` is the environment.
"""

from __future__ import annotations

import ipaddress
import os
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)
from pydantic import StrictBool as StrictBool
from pydantic.types import StrictInt

from mailgate.config.problems import wrong

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+@[^\s@]+")
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_FD_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_SIZE = re.compile(r"(\d+)\s*(B|[KMG]i?B)?", re.IGNORECASE)
_FACTORS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DURATION = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a TCP port to listen on; port 0 takes any free one.

    With `inherited` a listening socket of that name comes from the service manager instead.
    """

    host: str
    port: int
    inherited: str = ""

    def __str__(self) -> str:
        if self.inherited:
            return f"fd:{self.inherited}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or IP address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def domain_of(value: str) -> str | None:
    """A domain in lower case and A-label form (RFC 5890), or None when it is none."""
    try:
        ascii_form = value if value.isascii() else value.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    ok = _DOMAIN.fullmatch(ascii_form) and len(ascii_form) <= 253
    return ascii_form.lower().rstrip(".") if ok else None


def address_of(value: str) -> str | None:
    """An addr-spec in lower case, its domain in A-label form, or None when it is none.

    ASCII letters only, as the parser does it: addresses are compared by these bytes.
    A light check on purpose: `root@localhost` and `a@b.test` are addresses too.
    """
    if not _ADDRESS.fullmatch(value) or len(value) > 254:
        return None
    local, _, host = value.rpartition("@")
    domain = domain_of(host)
    low = "".join(c.lower() if c.isascii() else c for c in local)
    return f"{low}@{domain}" if domain and len(local) <= 64 else None


def _address(value: str) -> str:
    found = address_of(value.strip())
    if found is None:
        raise wrong(f"{value!r} is not a mail address", 'write one like "support@example.org"')
    return found


def _domain(value: str) -> str:
    found = domain_of(value.strip())
    if found is None:
        raise wrong(f"{value!r} is not a domain", 'write one like "example.org"')
    return found


def _line(value: str) -> str:
    if not value.isprintable():
        raise wrong("holds a control character", "write it in one line of plain text")
    return value.strip()


def _text(value: str) -> str:
    if not value.strip():
        raise wrong("is empty", "write a value or remove the key")
    return _line(value)


def _endpoint(value: object) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\s]*):(\d{1,5})", value if isinstance(value, str) else "")
    if match is None or int(match[2]) > 65535:
        raise wrong("is not host:port", 'write one like "127.0.0.1:2525" or "[::1]:2525"')
    return Endpoint(match[1].strip("[]") or "0.0.0.0", int(match[2]))  # noqa: S104 - as written


def _endpoint_or_inherited(value: object) -> Endpoint:
    if not isinstance(value, str) or not value.startswith("fd:"):
        return _endpoint(value)
    name = value.removeprefix("fd:")
    if not _FD_NAME.fullmatch(name):
        raise wrong("names no socket", 'write one like "fd:smtp", its FileDescriptorName=')
    return Endpoint("", 0, name)


def _endpoint_or_none(value: object) -> Endpoint | None:
    return None if value in ("", None) else _endpoint(value)


def _network(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        message = f"{value!r} is not an IP address or network"
        raise wrong(message, 'write one like "10.0.0.0/8"') from None


def _size(value: object) -> object:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return int(match[1]) * _FACTORS[(match[2] or "")[:1].lower()]
    if isinstance(value, str):
        raise wrong(f"{value!r} is not a size", 'write octets, or a size like "25 MiB"')
    return value


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("is not a duration", 'write one like "30m", "4h" or "2d"')
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{value!r} is not a time zone"
        raise wrong(message, 'write one like "UTC" or "Europe/Madrid"') from None
    return value


def surroundings(info: ValidationInfo) -> tuple[Path, Mapping[str, str]]:
    """The folder that relative paths start from, and the environment."""
    context = info.context or {}
    return context.get("base", Path.cwd()), context.get("env", os.environ)


def path_of(value: object, info: ValidationInfo) -> Path:
    """A path as written; a relative one starts at the folder of the configuration."""
    if isinstance(value, str) and not value.strip():
        raise wrong("is empty", "write a path or remove the key")
    if not isinstance(value, str | Path):
        raise wrong("is not a path", "write it as text in quotes")
    if "\0" in str(value):
        raise wrong("holds a control character", "write the path of a file")
    base, _env = surroundings(info)
    return base / Path(value)


def _credential(value: object, info: ValidationInfo) -> Path:
    _base, env = surroundings(info)
    folder = env.get("CREDENTIALS_DIRECTORY", "")
    if folder and isinstance(value, str) and value.strip():
        loaded = Path(folder) / value
        if not Path(value).is_absolute() and "\0" not in value and loaded.is_file():
            return loaded
    return path_of(value, info)


def _data_dir(value: object, info: ValidationInfo) -> Path:
    if value != Path():
        return path_of(value, info)
    # systemd's StateDirectory= may name several, separated by colons; the first is ours.
    base, env = surroundings(info)
    state = env.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(state) if state else base / "data"


def _rules_file(value: object, info: ValidationInfo) -> Path | None:
    if value is not None:
        return path_of(value, info)
    default = surroundings(info)[0] / "rules.yaml"
    return default if default.exists() else None


Line = Annotated[str, AfterValidator(_line)]
Text = Annotated[str, AfterValidator(_text)]
MailAddress = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(_domain)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
Tag = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,19})?$")]
_AS_TEXT = PlainSerializer(lambda listen: str(listen or ""), return_type=str)
ListenOrInherited = Annotated[Endpoint, PlainValidator(_endpoint_or_inherited), _AS_TEXT]
ListenOrNone = Annotated[Endpoint | None, PlainValidator(_endpoint_or_none), _AS_TEXT]
TrustedNetwork = Annotated[Network, PlainValidator(_network)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Count = Annotated[StrictInt, Field(ge=0)]
Positive = Annotated[StrictInt, Field(ge=1)]
Moment = Annotated[float, Field(strict=True, ge=0, le=10)]  # seconds
Size = Annotated[StrictInt, BeforeValidator(_size), Field(ge=1)]
Duration = Annotated[timedelta, PlainValidator(_duration)]
ConfigPath = Annotated[Path, PlainValidator(path_of)]
CredentialPath = Annotated[Path, PlainValidator(_credential)]
DataDir = Annotated[Path, PlainValidator(_data_dir)]
RulesFile = Annotated[Path | None, PlainValidator(_rules_file)]
