"""Commands for whoever runs it: init, check, serve, migrate, status, demo, rules, templates."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from mailgate import journal, storm
from mailgate.assembly import make_desk, open_database, ready_database, template_dirs
from mailgate.cli import shapes
from mailgate.cli.house import (
    STATE,
    Failure,
    configuration,
    database_only,
    house,
    one_line,
    print_json,
    print_table,
    printable,
)
from mailgate.config import Config, ConfigError, Problem, find, starter, warnings
from mailgate.core import rules
from mailgate.core.decision import Notice
from mailgate.core.mail import Envelope
from mailgate.core.screen import screen
from mailgate.parsing import Parsers
from mailgate.render import SAMPLES, Renderer
from mailgate.verifying import NotInstalled
from store.migrations import HEAD
from store.outbox import PAUSED

FOLDER = typer.Argument(
    ..., metavar="DIR", help="A folder for config.toml, rules.yaml, and later the data."
)
MAIL_FILE = typer.Argument(..., metavar="FILE.eml", help="A mail to try the rules on; - is stdin.")
REPLY = typer.Option(False, "--reply", help="As if it answered on a ticket that exists.")

rules_app = typer.Typer(help="Check rules.yaml, or try it on a mail.", no_args_is_help=True)
templates_app = typer.Typer(help="Check or preview mail templates.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Put these commands at the top level."""
    for command in (init, check, serve, migrate, status, demo):
        app.command()(command)


def init(folder: Path = FOLDER) -> None:
    """Write a config.toml and a rules.yaml that run unchanged."""
    written = starter(folder)
    if STATE.json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(f"now change what is marked CHANGE in {written[0]}, then run")
    for command in ("check", "serve"):
        typer.echo(f"  mailgate --config {written[0]} {command}")


def check() -> None:
    """Prove the configuration: every mistake at once, with file, line and remedy."""
    config = configuration()
    make_desk(config, "check")
    _check_templates(config)
    for warning in warnings(find(STATE.config or None), config):
        typer.echo(f"warning: {warning}", err=True)
    database = ready_database(config)
    try:
        version = database.version()
    finally:
        database.close()
    if STATE.json:
        print_json({"ok": True, "schema": version})
        return
    typer.echo(f"ok: {len(config.mailbox)} mailboxes, {len(config.agent)} agents")
    for section in config.smtp:
        typer.echo(f"ok: takes mail over {section.protocol.upper()} at {section.listen}")
    for account in config.imap:
        typer.echo(f"ok: takes mail from IMAP {account.label} at {account.host}")
    for relay in config.relay:
        typer.echo(f"ok: sends mail through {relay.host}:{relay.port} (TLS {relay.tls})")
    typer.echo(f"ok: database {database.engine.dialect.name}, schema {version}")
    if config.web.listen:
        typer.echo(f"ok: status page at http://{config.web.listen}/")


def serve() -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    # Only here, so that no other command waits for servers that it does not start.
    from mailgate.daemon import Daemon

    config = configuration()
    journal.configure()
    try:
        code = asyncio.run(Daemon(config).run())
    except (OSError, NotInstalled) as error:
        raise Failure(f"cannot start: {error}") from error
    if code:
        raise Failure("a part of mailgate failed; see the log above", code)


def migrate() -> None:
    """Bring the database to the schema of this version; take a backup first."""
    database = open_database(configuration())
    try:
        before = database.version()
        database.migrate()
    finally:
        database.close()
    done = (
        f"schema {before or 'none'} -> {HEAD}" if before != HEAD else f"schema {HEAD}: up to date"
    )
    if STATE.json:
        print_json({"before": before, "after": HEAD})
    else:
        typer.echo(done)


def status() -> None:
    """Show what waits, what failed, and how each source does."""
    with database_only() as database, database.reading() as tx:
        depths, health = tx.stats.depths(), tx.sources.health()
        by_status = tx.stats.tickets_by("status")
        paused = tx.setting(PAUSED) == "1"
        pause = storm.blowing(tx, datetime.now(UTC))
    shape = {
        "inbox": {"waiting": depths.inbox, "oldest": shapes.stamp(depths.inbox_oldest)},
        "outbox": {
            "waiting": depths.outbox,
            "oldest": shapes.stamp(depths.outbox_oldest),
            "failed": depths.outbox_failed,
            "paused": paused,
            "storm_until": shapes.stamp(pause.until if pause else None),
        },
        "quarantined": depths.quarantined,
        "tickets": by_status,
        "sources": [
            {
                "name": h.name,
                "ok": h.ok,
                "last_success": shapes.stamp(h.last_success),
                "last_failure": shapes.stamp(h.last_failure),
                "detail": h.detail,
            }
            for h in health
        ],
    }
    if STATE.json:
        print_json(shape)
        return
    typer.echo(f"inbox       {depths.inbox} waiting, {depths.quarantined} in quarantine")
    stopped = ", PAUSED (`mailgate outbox resume`)" if paused else ""
    typer.echo(f"outbox      {depths.outbox} waiting, {depths.outbox_failed} failed{stopped}")
    if pause:
        typer.echo(f"storm       {storm.sentence(pause)}")
    counts = ", ".join(f"{count} {name}" for name, count in by_status.items())
    typer.echo(f"tickets     {counts or 'none'}")
    for h in health:
        word = "ok" if h.ok else "FAILING"
        last = shapes.stamp(h.last_success) or "never"
        detail = "" if h.ok or not h.detail else f": {one_line(h.detail)}"
        typer.echo(f"source      {h.name}: {word}, last success {last}{detail}")


def demo() -> None:
    """Show the whole main job with real mail on this machine, in a scratch folder."""
    from mailgate.ops import demo as demonstration

    code = demonstration.run(as_json=STATE.json, stay=sys.stdin.isatty())
    if code:
        raise Failure("the demo did not end as it should; see the table above", code)


@rules_app.command("check")
def rules_check() -> None:
    """Check rules.yaml against the configuration."""
    with house() as home:
        count = len(home.desk.policy.rules)
    if STATE.json:
        print_json({"ok": True, "rules": count})
    else:
        typer.echo(f"ok: {count} rules")


@rules_app.command("test")
def rules_test(file: Path = MAIL_FILE, reply: bool = REPLY) -> None:
    """Show what each rule says of a mail; nothing is stored or sent."""
    config = configuration()
    policy = make_desk(config, "test").policy
    parsers = Parsers()
    try:
        mail = parsers.run(_bytes(file), policy.languages)
    finally:
        parsers.close()
    written = (policy.mailbox_for(a.addr) for a in (*mail.to, *mail.cc))
    box = next((b for b in written if b), policy.mailboxes[0])
    kind = screen(mail, Envelope(), policy).kind
    context = rules.RuleContext(queue=box.queue, is_new=not reply, kind=kind)
    result = rules.evaluate(mail, context, policy.rules)
    rows = [{"rule": s.reason, "verdict": s.verdict} for s in result.steps]
    if STATE.json:
        for row in rows:
            print_json(row)
        return
    print_table(rows, "there are no rules")
    if result.ignore is not None:
        typer.echo(printable(f"the mail would be ignored: {result.ignore}"))
    for effect in result.effects:
        typer.echo(printable(f"effect: {effect}"))


@templates_app.command("check")
def templates_check() -> None:
    """Render every notice in every language with plain and hostile values."""
    config = configuration()
    languages = _check_templates(config)
    if STATE.json:
        print_json({"ok": True, "languages": list(languages)})
    else:
        typer.echo(f"ok: every notice in {', '.join(languages)}")


@templates_app.command("preview")
def templates_preview(
    notice: str = typer.Argument(..., metavar="NOTICE", help="Such as confirmation or closure."),
    language: str = typer.Option("en", metavar="L", help="Such as es (ISO 639-1)."),
    html: bool = typer.Option(False, "--html", help="Print the HTML part."),
) -> None:
    """Print a notice made with sample values."""
    renderer = Renderer(template_dirs(configuration(), "mail"))
    if notice not in (known := [n.value for n in Notice]):
        raise Failure(f"{notice} is no notice; there are {', '.join(known)}", 2)
    rendered = renderer.notice(language, notice, SAMPLES["plain"])
    if STATE.json:
        print_json({"subject": rendered.subject, "text": rendered.text, "html": rendered.html})
    else:
        typer.echo(rendered.html if html else f"{rendered.subject}\n\n{rendered.text}")


def _check_templates(config: Config) -> tuple[str, ...]:
    renderer = Renderer(template_dirs(config, "mail"))
    wrong = [Problem(file=f.file, line=f.line, message=f.message) for f in renderer.check()]
    if wrong:
        raise ConfigError(wrong)
    return renderer.languages()


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from error
