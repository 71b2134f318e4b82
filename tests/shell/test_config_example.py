"""The shipped files and the manual agree with the models: every key, every default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from mailgate.config import Config, ConfigError, OAuth2Section, load, load_rules, starter
from mailgate.config.rulesfile import ACTION_KEYS, CONDITION_KEYS, ON, RULE_KEYS, Names, read_rules
from mailgate.config.translation import model_at
from mailgate.core.ticket import TRANSITIONS
from mailgate.resources import resource

EXAMPLE = resource("config.example.toml").read_text(encoding="utf-8")
DOCS = Path(__file__).resolve().parents[2] / "docs"
# Shown with an example instead of the default: there is none, or it depends on something else.
EXAMPLES = {
    *("agent.name", "helpdesk.rules", "helpdesk.templates", "helpdesk.data_dir"),
    *("imap.mailbox", "imap.oauth2", "relay.port", "relay.tls", "sla.hours", "sla.answer"),
    *("sla.resolve", "tickets.groups", "tickets.transitions", "trust.reply_domain"),
}


def uncommented() -> dict[str, Any]:
    """The example with every key set: each `#key = ...` without its `#`."""
    return tomllib.loads(re.sub(r"(?m)^#(?=\S)", "", EXAMPLE))


def sections() -> Iterator[tuple[str, type[BaseModel], dict[str, Any]]]:
    """Name, model and example values of every section."""
    data = uncommented()
    for name in Config.model_fields:
        values = data[name][0] if isinstance(data[name], list) else data[name]
        yield name, model_at(Config, (name,)), values
    yield "imap.oauth2", OAuth2Section, data["imap"][0]["oauth2"]


def test_the_example_loads_as_it_is() -> None:
    config = load(resource("config.example.toml"))
    assert len(load_rules(config.helpdesk.rules, config)) == 3


@pytest.mark.parametrize(("name", "model", "values"), [*sections()])
def test_the_example_has_every_key(
    name: str, model: type[BaseModel], values: dict[str, Any]
) -> None:
    assert set(values) == set(model.model_fields), name


@pytest.mark.parametrize(("name", "model", "values"), [*sections()])
def test_the_example_shows_the_defaults(
    name: str, model: type[BaseModel], values: dict[str, Any]
) -> None:
    needed = {k: v for k, v in values.items() if model.model_fields[k].is_required()}
    bare = model.model_validate(needed)
    for key, shown in values.items():
        default = getattr(bare, key)
        if key in needed or default is None or f"{name}.{key}" in EXAMPLES:
            continue
        assert getattr(model.model_validate({**needed, key: shown}), key) == default, key


def test_the_example_shows_the_default_life_cycle() -> None:
    shown = uncommented()["tickets"]["transitions"]
    assert {old: tuple(new) for old, new in shown.items()} == TRANSITIONS


def test_the_whole_example_is_valid_but_for_files_and_doubled_secrets(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"(?m)^#(?=\S)", "", EXAMPLE), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path)
    said = ("there is no file", "both set", "cannot be read", "is not a folder", "no username")
    others = [str(p) for p in refused.value.problems if not any(s in p.message for s in said)]
    assert others == []


def test_the_shipped_examples_of_rules_are_valid(tmp_path: Path) -> None:
    text = resource("rules.yaml").read_text(encoding="utf-8").partition("# More examples:")[2]
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n" + re.sub(r"(?m)^# ?", "  ", text))
    assert len(read_rules(path, Names())) == 3


def test_the_starter_runs_as_it_is(tmp_path: Path) -> None:
    written = starter(tmp_path / "new" / "desk")
    assert [path.name for path in written] == ["config.toml", "rules.yaml"]
    config = load(written[0])
    assert config.database.url == "sqlite"
    assert [str(s.listen) for s in config.smtp] == ["127.0.0.1:2525"]
    assert [(r.host, r.port, r.tls) for r in config.relay] == [("127.0.0.1", 25, "none")]
    assert [m.address for m in config.mailbox] == ["support@example.org"]
    assert str(config.web.listen) == "127.0.0.1:8025"
    assert config.helpdesk.rules == written[1]
    assert load_rules(written[1], config)
    assert config.helpdesk.data_dir == tmp_path / "new" / "desk" / "data"


def test_the_starter_says_what_to_change_and_nothing_it_leaves_out(tmp_path: Path) -> None:
    text = starter(tmp_path)[0].read_text(encoding="utf-8")
    assert text.count("CHANGE") == 5
    assert not re.search(r"(?m)^#\S", text)
    assert len(text.splitlines()) < 40
    active = {line for line in EXAMPLE.splitlines() if line and line[0] not in "#["}
    assert active <= set(text.splitlines())


@pytest.mark.parametrize("there", ["config.toml", "rules.yaml"])
def test_the_starter_overwrites_nothing(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        starter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_the_starter_says_where_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: "):
        starter(tmp_path / "file" / "desk")


# --- the manual --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "model", "values"), [*sections()])
def test_the_manual_names_every_key(
    name: str, model: type[BaseModel], values: dict[str, Any]
) -> None:
    manual = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert f"[{name}]" in manual
    assert [key for key in model.model_fields if f"`{key}`" not in manual] == []


def test_the_manual_names_every_part_of_a_rule() -> None:
    manual = (DOCS / "rules.md").read_text(encoding="utf-8")
    words = {*RULE_KEYS, *CONDITION_KEYS, *ACTION_KEYS, *ON}
    assert sorted(word for word in words if f"`{word}`" not in manual) == []


def test_the_manual_s_rules_are_valid(tmp_path: Path) -> None:
    manual = (DOCS / "rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    assert blocks
    for block in blocks:
        assert yaml.safe_load(block)
        path = tmp_path / "rules.yaml"
        path.write_text(block, encoding="utf-8")
        assert read_rules(path, Names())
