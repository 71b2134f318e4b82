"""OAuth 2.0 access tokens for mail servers: a refresh token or client credentials (RFC 6749).

A provider may send a new refresh token with each answer and forget the old one; the new one is
on stable storage before the access token that came with it is used. No token, secret or answer
of the token endpoint is ever part of an error or of the journal.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

Mechanism = Literal["XOAUTH2", "OAUTHBEARER"]

_EARLY = 60.0  # seconds before expiry at which a token is renewed
_DEFAULT_LIFE = 300.0  # seconds, when the answer names none
_MAX_ANSWER = 1 << 20  # octets
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class OAuthError(Exception):
    """No access token could be had. `code` is the error of RFC 6749, section 5.2, or ours."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        super().__init__(f"{code}: {detail}" if detail else code)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """How to get a token. Either `token_command` or `token_url` with a client is given.

    With `refresh_token` the grant is refresh_token and `token_file` keeps rotated ones (0600),
    without it client_credentials. `token_command` is an argument list; it prints the token.
    `timeout` is in seconds. Raises ValueError for a combination that cannot work.
    """

    mechanism: Mechanism = "XOAUTH2"
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    token_command: tuple[str, ...] = ()
    token_file: Path | None = None
    timeout: float = 20.0

    def __post_init__(self) -> None:
        if bool(self.token_command) == bool(self.token_url):
            raise ValueError("oauth2 needs either token_url or token_command")
        if self.token_command:
            return
        url = urllib.parse.urlsplit(self.token_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            raise ValueError("oauth2 token_url must be https")
        if not self.client_id:
            raise ValueError("oauth2 needs client_id")
        if self.refresh_token and self.token_file is None:
            raise ValueError("oauth2 with refresh_token needs token_file for rotated tokens")
        if not self.refresh_token and not self.client_secret:
            raise ValueError("oauth2 needs refresh_token or client_secret")


class TokenSource:
    """Access tokens of one account, cached until shortly before they expire. For one thread."""

    def __init__(self, settings: OAuthSettings) -> None:
        self._settings = settings
        self._token = ""
        self._expires = 0.0  # on the monotonic clock

    def token(self) -> str:
        """A token that is valid for another minute. Raises OAuthError."""
        if self._settings.token_command:
            return _from_command(self._settings)
        if not self._token or time.monotonic() >= self._expires - _EARLY:
            self._renew()
        return self._token

    def forget(self) -> None:
        """Drop the cached token: the server refused it."""
        self._token = ""

    def _renew(self) -> None:
        self._token = ""
        refresh = _current_refresh_token(self._settings)
        answer = _post(self._settings, _grant(self._settings, refresh))
        token = answer.get("access_token")
        if not isinstance(token, str) or not _one_word(token):
            raise OAuthError("no_token", "the token endpoint sent no usable access_token")
        rotated = answer.get("refresh_token")
        if refresh and isinstance(rotated, str) and rotated and rotated != refresh:
            _store_refresh_token(self._settings, rotated)
        self._token, self._expires = token, time.monotonic() + _lifetime(answer)


def _one_word(token: str) -> bool:
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def _lifetime(answer: Mapping[str, object]) -> float:
    try:
        return float(str(answer.get("expires_in", _DEFAULT_LIFE)))
    except ValueError:
        return _DEFAULT_LIFE


def _from_command(settings: OAuthSettings) -> str:
    program = settings.token_command[0]
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own argument list, no shell
            settings.token_command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=settings.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OAuthError("token_command", f"{program} took over {settings.timeout:g} s") from None
    except OSError as error:
        raise OAuthError("token_command", f"{program}: {error.strerror}") from None
    if done.returncode != 0:
        raise OAuthError("token_command", f"{program} exited with {done.returncode}")
    token = done.stdout.decode("ascii", "replace").strip()
    if not _one_word(token):
        raise OAuthError("token_command", f"{program} did not print one token")
    return token


def _grant(settings: OAuthSettings, refresh: str) -> dict[str, str]:
    form = {"client_id": settings.client_id, "client_secret": settings.client_secret}
    form["scope"] = settings.scope
    if refresh:
        form |= {"grant_type": "refresh_token", "refresh_token": refresh}
    else:
        form["grant_type"] = "client_credentials"
    return {key: value for key, value in form.items() if value}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the secrets to a place the operator did not name."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: object,
        newurl: str,
    ) -> None:
        """Refuse: urllib then reports the 3xx answer as an error."""


def _post(settings: OAuthSettings, form: Mapping[str, str]) -> Mapping[str, object]:
    request = urllib.request.Request(  # noqa: S310 - OAuthSettings allows https and loopback only
        settings.token_url,
        data=urllib.parse.urlencode(form).encode("ascii"),
        headers={"Accept": "application/json"},
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(
            request, timeout=settings.timeout
        ) as response:
            return _json(response.read(_MAX_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, _json(error.read(_MAX_ANSWER))) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise OAuthError("unreachable", f"token endpoint: {reason}") from None


def _json(body: bytes) -> Mapping[str, object]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refusal(status: int, answer: Mapping[str, object]) -> OAuthError:
    code = answer.get("error")
    if not isinstance(code, str) or not _one_word(code):
        return OAuthError("refused", f"the token endpoint answered {status}")
    return OAuthError(code[:60], f"the token endpoint answered {status}")


# --- the rotated refresh token -----------------------------------------------------------


def _origin(settings: OAuthSettings) -> str:
    """Names the configured token: a file that descends from another one is out of date."""
    return hashlib.sha256(settings.refresh_token.encode()).hexdigest()


def _current_refresh_token(settings: OAuthSettings) -> str:
    """The youngest refresh token: the stored one, unless the operator configured another since."""
    if not settings.refresh_token or settings.token_file is None:
        return settings.refresh_token
    try:
        stored = _json(settings.token_file.read_bytes())
    except FileNotFoundError:
        return settings.refresh_token
    except OSError as error:
        raise OAuthError("token_file", f"{settings.token_file}: {error.strerror}") from None
    token = stored.get("refresh_token")
    if stored.get("origin") != _origin(settings) or not isinstance(token, str) or not token:
        return settings.refresh_token
    return token


def _store_refresh_token(settings: OAuthSettings, token: str) -> None:
    """Replace the file in one step; after a crash it holds the old token or the new one."""
    path = settings.token_file
    if path is None:
        raise OAuthError("token_file", "no file for the rotated refresh token")
    content = json.dumps({"origin": _origin(settings), "refresh_token": token}).encode()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OAuthError("token_file", f"{path}: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
