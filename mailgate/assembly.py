"""Sections of the configuration -> what each room wants to be told."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

from mailgate import crash
from mailgate.apply import Desk
from mailgate.config import Config, ImapSection, OAuth2Section, RelaySection, SmtpSection, policy
from mailgate.config import load_rules as read_rules
from mailgate.gate import Caps
from mailgate.mailer import RelaySettings, Tls
from mailgate.parsing import Parsers
from mailgate.render import Renderer
from mailgate.resources import resource
from mailgate.sources.imap import ImapSettings
from mailgate.sources.oauth import OAuthSettings
from mailgate.sources.passwords import Logins
from mailgate.sources.smtp import Limits, ListenerSettings, Wire, server_tls
from mailgate.verifying import Verifier
from store.database import Database

INSTANCE = "instance"  # setting: this installation's id, in our loop header


def open_database(config: Config) -> Database:
    """The engine; the schema is not looked at yet."""
    return Database(
        config.database_url(),
        config.helpdesk.data_dir,
        blob_inline_max=config.database.blob_inline_max,
        step=crash.point,
        synced=not crash.weakened("fsync"),
    )


def ready_database(config: Config) -> Database:
    """The engine, with the schema made when it is empty. Raises WrongSchema or Unavailable."""
    database = open_database(config)
    database.ready()
    return database


def instance_of(database: Database) -> str:
    """This installation's id, made once."""
    with database.reading() as tx:
        known = tx.setting(INSTANCE)
    if known:
        return known
    with database.transaction() as tx:
        return tx.first_setting(INSTANCE, secrets.token_hex(8))


def template_dirs(config: Config, kind: Literal["mail", "web"]) -> list[Path]:
    """The operator's own folder first, if there is one, then the shipped one."""
    own = config.helpdesk.templates
    return [*([own / kind] if own else []), resource("templates") / kind]


def make_desk(config: Config, instance: str) -> Desk:
    """Policy, templates and caps. Raises ConfigError when the rules are broken."""
    renderer = Renderer(template_dirs(config, "mail"))
    rules = read_rules(config.helpdesk.rules, config) if config.helpdesk.rules else ()
    return Desk(
        policy=policy(config, rules, renderer.languages(), instance),
        renderer=renderer,
        caps=make_caps(config),
    )


def make_caps(config: Config) -> Caps:
    """[gate], who is told of trouble, and whether anything here can prove a sender."""
    leads = [agent.address for agent in config.agent if agent.lead]
    first = [agent.address for agent in config.agent[:1]]
    return Caps(
        **dict(config.gate),
        provable=bool(config.trust.authserv_id or config.trust.verify),
        ops=config.helpdesk.ops or tuple(leads or first),
    )


def make_parsers(config: Config) -> Parsers:
    """The pool of killable parse processes; it starts with the first mail."""
    return Parsers(seconds=config.limits.parse_seconds, memory=config.limits.parse_memory)


def make_verifier(desk: Desk) -> Verifier | None:
    """What checks SPF, DKIM and DMARC itself, where [trust] asks for it. Raises NotInstalled."""
    return Verifier(desk.policy.trust) if desk.policy.trust.verify else None


def relays(config: Config) -> list[RelaySettings]:
    """The routes out, in order."""
    return [_relay(section, config) for section in config.relay]


def _relay(section: RelaySection, config: Config) -> RelaySettings:
    return RelaySettings(
        host=section.host,
        port=section.port,
        tls=Tls(section.tls),
        username=section.username,
        password=section.secret(),
        rate=section.rate,
        timeout=section.timeout,
        ca_file=section.ca_file,
        helo=config.helpdesk.domain,
    )


def listener(section: SmtpSection, config: Config) -> ListenerSettings:
    """One [[smtp]]. Raises OSError when certificate or users file cannot be read."""
    tls = None
    if section.tls_cert and section.tls_key:
        tls = server_tls(section.tls_cert, section.tls_key)
    users = section.logins()
    limits = config.limits
    return ListenerSettings(
        name=f"{section.protocol} {section.listen}",
        host=section.listen.host,
        port=section.listen.port,
        protocol=Wire(section.protocol),
        hostname=config.helpdesk.domain,
        tls=tls,
        verify=Logins(users).verify if users else None,
        trusted=section.trusted,
        proxies=section.proxy,
        banner_delay=section.banner_delay,
        refuse_bare_newlines=section.bare_newlines == "refuse",
        limits=Limits(
            size=limits.max_size,
            recipients=limits.recipients,
            connections=limits.connections,
            per_ip=limits.connections_per_ip,
            commands=limits.commands,
            errors=limits.errors,
            idle=float(limits.idle_seconds),
            rate=limits.min_rate,
            memory=limits.memory,
        ),
    )


def imap(section: ImapSection, config: Config) -> ImapSettings:
    """One [[imap]]. Raises ConfigError when a secret cannot be read."""
    return ImapSettings(
        name=section.label,
        host=section.host,
        port=section.port,
        username=section.username,
        mailbox=section.mailbox,
        tls=section.tls,
        ca_file=str(section.ca_file) if section.ca_file else None,
        password=None if section.oauth2 else section.secret(),
        oauth=_oauth(section.oauth2, section.label, config) if section.oauth2 else None,
        folder=section.folder,
        sent=section.sent or None,
        processed=section.processed or None,
        failed=section.failed or None,
        poll_seconds=section.poll_seconds,
        idle=section.idle,
        max_bytes=config.limits.max_size,
    )


def _oauth(section: OAuth2Section, label: str, config: Config) -> OAuthSettings:
    refresh = ""
    if section.refresh_token_file:
        refresh = section.refresh_token_file.read_text(encoding="utf-8").strip()
    name = "".join(c if c.isalnum() else "-" for c in label)
    return OAuthSettings(
        mechanism="XOAUTH2" if section.mechanism == "xoauth2" else "OAUTHBEARER",
        token_url=section.token_url or "",
        client_id=section.client_id or "",
        client_secret=section.secret(),
        refresh_token=refresh,
        scope=section.scope,
        token_command=section.token_command,
        # Credentials handed over by systemd are read-only: rotated tokens live with our data.
        token_file=config.helpdesk.data_dir / f"oauth-{name}.token",
    )
