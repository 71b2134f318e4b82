"""Checks of secrets and of the files that hold them: one way to give each, readable only by us."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mailgate.config import logins
from mailgate.config.channels import ImapSection, OAuth2Section, RelaySection, SmtpSection
from mailgate.config.fields import is_loopback
from mailgate.config.models import Config
from mailgate.config.positions import Loc
from mailgate.config.problems import Problem
from mailgate.config.site import Site


def secret_files(config: Config, site: Site) -> Iterator[Problem]:
    """Passwords, keys and certificates of [[smtp]], [[imap]] and [[relay]]."""
    for at, listener in enumerate(config.smtp):
        yield from _smtp(listener, ("smtp", at), site)
    for at, account in enumerate(config.imap):
        loc: Loc = ("imap", at)
        yield from _password(account, loc, site)
        if not (_ways(account, "password") or account.oauth2):
            remedy = "write password_file, password, password_env or an [imap.oauth2]"
            yield site.problem(loc, "has no password", remedy)
        if account.oauth2:
            for way in _ways(account, "password"):
                message = "a password and oauth2 are both set"
                yield site.problem((*loc, way), message, "keep one of them")
            yield from _oauth2(account.oauth2, (*loc, "oauth2"), site)
    for at, relay in enumerate(config.relay):
        yield from _password(relay, ("relay", at), site)
        yield from _relay_login(relay, ("relay", at), site)


def warnings(path: Path, config: Config) -> tuple[Problem, ...]:
    """What works but should not stay so; for `check` to print. Never a reason not to start."""
    found = []
    accounts: list[ImapSection | RelaySection] = [*config.imap, *config.relay]
    inline = any(account.password is not None for account in accounts)
    if inline and path.stat().st_mode & stat.S_IROTH:
        message = "holds a password and anybody on this machine may read it"
        remedy = f"run `chmod o-r {path}` or move the password into a password_file"
        found.append(Problem(file=str(path), message=message, remedy=remedy))
    if not config.relay:
        remedy = "write a [[relay]]"
        found.append(Problem(file=str(path), message="no mail can leave", remedy=remedy))
    if not config.agent:
        remedy = "write an [[agent]]"
        found.append(Problem(file=str(path), message="nobody answers tickets", remedy=remedy))
    elif config.agents.digest and not (config.agents.duty or any(a.lead for a in config.agent)):
        remedy = "write `lead = true` for an [[agent]], or [agents].duty"
        message = "nobody is told in the morning what is held or in quarantine"
        found.append(Problem(file=str(path), message=message, remedy=remedy))
    for at, relay in enumerate(config.relay):
        if relay.username and relay.tls == "none" and not is_loopback(relay.host):
            found.append(
                Problem(
                    file=str(path),
                    key=f"[relay.{at}].tls",
                    message="the password crosses the network in the clear",
                    remedy='write tls = "starttls"',
                )
            )
    return (*found, *_pages(path, config))


def _pages(path: Path, config: Config) -> Iterator[Problem]:
    if config.helpdesk.public_url and not config.web.listen:
        message = "no page is served there: agents get no links to large files"
        yield Problem(
            file=str(path),
            key="[helpdesk].public_url",
            message=message,
            remedy='write listen = "127.0.0.1:8025" into [web], or leave public_url out',
        )


def _ways(section: object, name: str) -> list[str]:
    """Which of NAME, NAME_file and NAME_env are set."""
    keys = (name, f"{name}_file", f"{name}_env")
    return [key for key in keys if getattr(section, key) not in (None, "")]


def _one_way(section: object, name: str, loc: Loc, site: Site) -> Iterator[Problem]:
    ways = _ways(section, name)
    if len(ways) > 1:
        message = f"{' and '.join(ways)} are both set"
        yield site.problem((*loc, ways[-1]), message, "keep one of them")
    variable = getattr(section, f"{name}_env")
    if variable and variable not in os.environ:
        message = f"the environment has no variable {variable}"
        yield site.problem((*loc, f"{name}_env"), message, "set it, or write a file instead")
    yield from _private(getattr(section, f"{name}_file"), (*loc, f"{name}_file"), site)


def _password(section: ImapSection | RelaySection, loc: Loc, site: Site) -> Iterator[Problem]:
    yield from _one_way(section, "password", loc, site)
    yield from _readable(section.ca_file, (*loc, "ca_file"), site)


def _relay_login(relay: RelaySection, loc: Loc, site: Site) -> Iterator[Problem]:
    ways = _ways(relay, "password")
    if ways and not relay.username:
        yield site.problem((*loc, ways[0]), "there is no username for it", "write username")
    if relay.username and not ways:
        remedy = "write password_file, or remove username"
        yield site.problem((*loc, "username"), "there is no password for it", remedy)


def _oauth2(oauth2: OAuth2Section, loc: Loc, site: Site) -> Iterator[Problem]:
    yield from _one_way(oauth2, "client_secret", loc, site)
    yield from _private(oauth2.refresh_token_file, (*loc, "refresh_token_file"), site)
    if oauth2.token_command:
        if oauth2.token_url:
            message = "token_command and token_url are both set"
            yield site.problem((*loc, "token_url"), message, "keep one of them")
        return
    if not (_ways(oauth2, "client_secret") or oauth2.refresh_token_file):
        remedy = "write client_secret_file or refresh_token_file"
        yield site.problem(loc, "has neither client secret nor refresh token", remedy)
    for key in ("token_url", "client_id"):
        if getattr(oauth2, key) is None:
            yield site.problem((*loc, key), "is missing", f"write {key}, or a token_command")
    if not _private_url(oauth2.token_url or "https://"):
        message = "a secret would cross the network in the clear"
        yield site.problem((*loc, "token_url"), message, "write an https:// address")


def _private_url(url: str) -> bool:
    """Whether nobody between us and the server can read along."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _smtp(listener: SmtpSection, loc: Loc, site: Site) -> Iterator[Problem]:
    cert, key = listener.tls_cert, listener.tls_key
    if (cert is None) != (key is None):
        given, other = ("tls_cert", "tls_key") if cert else ("tls_key", "tls_cert")
        yield site.problem((*loc, given), f"needs {other} beside it", f"write {other} too")
    yield from _readable(cert, (*loc, "tls_cert"), site)
    yield from _private(key, (*loc, "tls_key"), site)
    if listener.auth and cert is None and not listener.listen.loopback:
        message = "passwords would cross the network in the clear"
        yield site.problem((*loc, "auth"), message, "write tls_cert and tls_key")
    if isinstance(listener.auth, Path):
        yield from _users(listener.auth, (*loc, "auth"), site)


def _users(file: Path, loc: Loc, site: Site) -> Iterator[Problem]:
    problems = list(_private(file, loc, site))
    yield from problems
    if problems:
        return
    try:
        entries = logins.entries_of(file)
    except UnicodeDecodeError:
        yield site.problem(loc, f"{file} is not UTF-8", "save it as UTF-8")
        return
    for line, entry in entries.items():
        if not logins.is_login(entry):
            remedy = 'write "login:scrypt$..."'
            yield Problem(file=str(file), line=line, message="is not login:hash", remedy=remedy)


def _readable(file: Path | None, loc: Loc, site: Site) -> Iterator[Problem]:
    if file is None:
        return
    if not file.is_file():
        yield site.problem(loc, f"there is no file {file}", "create it or mend the path")
    elif not os.access(file, os.R_OK):
        remedy = "let the user that runs mailgate read it"
        yield site.problem(loc, f"{file} may not be read by us", remedy)


def _private(file: Path | None, loc: Loc, site: Site) -> Iterator[Problem]:
    problems = list(_readable(file, loc, site))
    yield from problems
    if file is not None and not problems and file.stat().st_mode & stat.S_IROTH:
        message = f"anybody on this machine may read {file}"
        yield site.problem(loc, message, f"run `chmod o-rwx {file}`")
