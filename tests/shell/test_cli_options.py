"""Global options, help, exit statuses, and where the configuration is looked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import mailgate.config.reading
from mailgate.cli import command_of
from mailgate.cli.app import app, hoist
from mailgate.cli.house import Failure
from tests.shell.cli_rig import Cli, letter

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = (
    "init check serve deliver import parse explain raw ledger status migrate demo"
    " ticket:list,show,set,reply,note,close outbox:list,show,retry,cancel,pause,resume"
    " quarantine:list,show,release,drop rules:check,test templates:check,preview"
)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.delenv("MAILGATE_CONFIG", raising=False)
    return Cli(tmp_path, capsys, monkeypatch)


def commands() -> list[tuple[str, ...]]:
    """Every command there is, as its words."""
    found: list[tuple[str, ...]] = []
    for name, command in sorted(typer.main.get_command(app).commands.items()):  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [(name, word) for word in sorted(inner)] if inner else [(name,)]
    return found


def test_only_serve_waits_for_the_import_of_the_servers() -> None:
    words = "import mailgate.cli.app, sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "store.database" in loaded
    assert not loaded & {"mailgate.daemon", "mailgate.ops.demo", "uvicorn", "starlette"}


def test_the_contracts_commands_are_there() -> None:
    wanted: set[tuple[str, ...]] = set()
    for word in CONTRACT.split():
        name, _, inner = word.partition(":")
        wanted |= {(name, one) for one in inner.split(",")} if inner else {(name,)}
    assert wanted <= set(commands())


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_of_every_command_says_what_it_does_and_what_it_takes(
    cli: Cli, words: tuple[str, ...]
) -> None:
    done = cli(*words, "--help", config=False)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: mailgate {' '.join(words)}")
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", ""), f"{parameter.name} is not explained"
        shown = parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0]
        assert str(shown) in done.out


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_manual_names_every_command(words: tuple[str, ...]) -> None:
    manual = (ROOT / "docs" / "commands.md").read_text()
    assert f"mailgate {' '.join(words)}" in manual


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--config", "x.toml", "ticket", "list"],
        ["ticket", "list", "--json", "--config", "x.toml"],
        ["ticket", "--config", "x.toml", "list", "--json"],
    ],
)
def test_global_options_stand_before_or_after_the_command(words: list[str]) -> None:
    assert sorted(hoist(words)[:3]) == ["--config", "--json", "x.toml"]
    assert hoist(words)[3:] == ["ticket", "list"]
    assert command_of(words) == "ticket"


def test_what_follows_two_hyphens_is_left_alone() -> None:
    assert hoist(["parse", "--config=x", "--", "--json"]) == ["--config=x", "parse", "--", "--json"]


def test_config_without_a_file_does_not_swallow_the_command(cli: Cli) -> None:
    with pytest.raises(Failure, match="needs the name of a file"):
        hoist(["ticket", "list", "--config"])
    done = cli("ticket", "list", "--config", config=False)
    assert (done.status, done.err) == (2, "--config needs the name of a file\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["ticket", "bogus"], "No such command 'bogus'"),
        (["check", "--bogus"], "No such option: --bogus"),
        (["ticket", "show"], "Missing argument 'N'"),
        (["ticket", "show", "x"], "Invalid value for 'N'"),
        (["ticket", "show", "0"], "Invalid value for 'N'"),
        (["ticket", "show", "99999999999999999999"], "Invalid value for 'N'"),
        (["ticket", "list", "--limit", "-1"], "Invalid value for '--limit'"),
        (["ticket", "list", "--limit", "x"], "Invalid value for '--limit'"),
        (["outbox", "retry", "-1"], "No such option: -1"),
        (["outbox", "retry", "1", "x"], "'x' is not a number such as 17"),
        (["quarantine", "drop", "1", "²"], "'²' is not a number such as 17"),
        (["init"], "Missing argument 'DIR'"),
    ],
)
def test_wrong_words_are_2_with_a_line_and_no_traceback(
    cli: Cli, words: list[str], said: str
) -> None:
    done = cli(*words)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [[], ["ticket"], ["outbox"], ["rules"]])
def test_no_words_at_all_show_the_help(cli: Cli, words: list[str]) -> None:
    done = cli(*words, config=False)
    assert "Commands:" in done.out + done.err


def test_the_version_is_told(cli: Cli) -> None:
    done = cli("--version", config=False)
    assert done.status == 0
    assert done.out.startswith("mailgate")


def test_the_configuration_is_looked_for_in_the_contracts_order(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {}
    for name in ("option", "environment", "here", "etc"):
        folder = tmp_path / name
        folder.mkdir()
        places[name] = folder / "config.toml"
        places[name].write_text(cli.config.read_text())
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(mailgate.config.reading, "SYSTEM_WIDE", places["etc"])
    monkeypatch.setenv("MAILGATE_CONFIG", str(places["environment"]))

    def used(*words: str) -> str:
        done = cli("deliver", *words, stdin=letter(), config=False)
        assert done.status == 0, done.err
        (data,) = tmp_path.glob("*/data")
        data.rename(tmp_path / f"{data.parent.name}-was-used")
        return data.parent.name

    assert used("--config", str(places["option"])) == "option"
    (tmp_path / "option-was-used").rename(tmp_path / "done")
    assert used() == "environment"
    monkeypatch.delenv("MAILGATE_CONFIG")
    assert used() == "here"
    places["here"].unlink()
    assert used() == "etc"
    places["etc"].unlink()
    done = cli("status", config=False)
    assert done.status == 1
    assert "there is no configuration here" in done.err
