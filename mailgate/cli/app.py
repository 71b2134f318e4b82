"""The root command: global options before or after the command, errors without tracebacks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

import click
import typer

from mailgate.cli import mails, operate, outboxes, quarantines, tickets
from mailgate.cli.house import STATE, Failure
from mailgate.config import ConfigError
from store.database import Unavailable, WrongSchema

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
mails.register(app)
app.add_typer(tickets.app, name="ticket")
app.add_typer(outboxes.app, name="outbox")
app.add_typer(quarantines.app, name="quarantine")
app.add_typer(operate.rules_app, name="rules")
app.add_typer(operate.templates_app, name="templates")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mailgate {version('mailgate')}")
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
    """Move the global options to the front, so that they may be written anywhere before `--`."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--json":
            front.append(word)
        elif word == "--config":
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.startswith("--config="):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; what went wrong is said on stderr."""
    try:
        result = app(hoist(sys.argv[1:] if argv is None else argv), standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        typer.echo("stopped", err=True)
        return 130
    except (ConfigError, Failure, WrongSchema) as error:
        typer.echo(str(error), err=True)
        return getattr(error, "status", 1)
    except Unavailable as error:
        typer.echo(f"the database cannot be used: {error}", err=True)
        return 75
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is no error of ours.
        sys.stderr.close()
        return 0
