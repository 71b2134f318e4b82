"""The root command: global options before or after the command, errors without tracebacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import typer

from mailgate import crash, journal
from mailgate.cli import (
    TEMPFAIL,
    commanding,
    held,
    keeping,
    keys,
    mails,
    operate,
    outboxes,
    quarantines,
    restripping,
    tickets,
    trusting,
)
from mailgate.cli.house import STATE, Failure, printable
from mailgate.config import ConfigError
from store.database import Unavailable, WeakDurability, WrongSchema

EPILOG = (
    "Every command takes --config FILE and --json, before or after its name. "
    "Without --config: $MAILGATE_CONFIG, ./config.toml, /etc/mailgate/config.toml."
)

app = typer.Typer(
    name="mailgate",
    help="Support that lives in e-mail: every mail it takes ends in exactly one recorded outcome.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
operate.register(app)
keeping.register(app)
mails.register(app)
restripping.register(app)
commanding.register(tickets.app)
app.add_typer(tickets.app, name="ticket")
app.add_typer(outboxes.app, name="outbox")
app.add_typer(quarantines.app, name="quarantine")
app.add_typer(held.app, name="held")
app.add_typer(keys.app, name="keys")
app.add_typer(trusting.app, name="trust")
app.add_typer(operate.rules_app, name="rules")
app.add_typer(operate.templates_app, name="templates")


def _version(asked: bool) -> None:
    if asked:
        try:
            typer.echo(f"mailgate {version('mailgate')}")
        except PackageNotFoundError:
            typer.echo("mailgate, run from a checkout")
        raise typer.Exit


@app.callback()
def options(
    config: str = typer.Option("", "--config", metavar="FILE", help="The configuration file."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON, one object a line for lists."),
    _show: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Support that lives in e-mail: every mail it takes ends in exactly one recorded outcome."""
    STATE.config = config
    STATE.json = as_json


def hoist(argv: Sequence[str]) -> list[str]:
    """Move the global options to the front, so that they may be written anywhere before `--`.

    Raises Failure when --config stands without its file.
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--json" or word.startswith("--config="):
            front.append(word)
        elif word == "--config":
            file = next(words, "")
            if not file:
                raise Failure("--config needs the name of a file", 2)
            front += [word, file]
        else:
            rest.append(word)
    return front + rest


def run(words: Sequence[str]) -> int:
    """Run one command and return its exit status; expected trouble is said in a line."""
    try:
        crash.arm(os.environ)
        with journal.troubles_on_stderr():
            app(hoist(words), prog_name="mailgate")
    except SystemExit as end:  # Typer's way to end; it has said what was wrong with the words
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (ConfigError, Failure, WrongSchema, WeakDurability, crash.BadPlan) as error:
        typer.echo("\n".join(map(printable, str(error).split("\n"))), err=True)
        return getattr(error, "status", 1)
    except Unavailable as error:
        typer.echo(f"the database cannot be used: {error}", err=True)
        return TEMPFAIL
    return 0
