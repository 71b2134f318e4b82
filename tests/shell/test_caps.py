"""[gate], [helpdesk].ops and [trust] -> what the gate is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.assembly import make_caps
from mailgate.caps import Caps
from mailgate.config import ConfigError, GateSection, load

HEAD = """\
[helpdesk]
domain = "example.org"
{ops}
[[mailbox]]
address = "support@example.org"
aliases = ["Help@example.org"]
"""
AGENT = '[[agent]]\naddress = "{name}@example.org"\nlead = {lead}\n'


def caps(folder: Path, *sections: str, ops: str = "") -> Caps:
    path = folder / "config.toml"
    path.write_text("\n".join([HEAD.format(ops=ops), *sections]), encoding="utf-8")
    return make_caps(load(path))


def agent(name: str, *, lead: bool = False) -> str:
    return AGENT.format(name=name, lead=str(lead).lower())


@pytest.mark.parametrize(
    ("ops", "agents", "told"),
    [
        pytest.param("", [], (), id="nobody"),
        pytest.param("", [agent("a"), agent("b")], ("a@example.org",), id="the first agent"),
        pytest.param(
            "",
            [agent("a"), agent("b", lead=True), agent("c", lead=True)],
            ("b@example.org", "c@example.org"),
            id="leads",
        ),
        pytest.param(
            'ops = ["root@example.net"]',
            [agent("a"), agent("b", lead=True)],
            ("root@example.net",),
            id="who is named",
        ),
    ],
)
def test_alerts_go_to_somebody(
    tmp_path: Path, ops: str, agents: list[str], told: tuple[str, ...]
) -> None:
    assert caps(tmp_path, *agents, ops=ops).ops == told


def test_alerts_must_not_come_back_to_us(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        caps(tmp_path, ops='ops = ["root@example.net", "help@example.org"]')
    assert "config.toml:3: [helpdesk].ops: help@example.org is a mailbox" in str(caught.value)


@pytest.mark.parametrize(
    ("trust", "provable"),
    [
        ("", False),
        ('[trust]\nauthserv_id = "mx.example.org"', True),
        ("[trust]\nverify = true", True),
    ],
)
def test_a_sender_is_provable_where_somebody_looks(
    tmp_path: Path, trust: str, provable: bool
) -> None:
    assert caps(tmp_path, trust).provable is provable


@pytest.mark.parametrize("key", [k for k in GateSection.model_fields if k != "confirm_cc"])
def test_every_key_reaches_the_gate(tmp_path: Path, key: str) -> None:
    changed = caps(tmp_path, f"[gate]\n{key} = 77")
    assert getattr(changed, key) == 77
    assert caps(tmp_path) == Caps(), "the defaults are the same in both"


def test_confirmations_to_cc_can_be_turned_off(tmp_path: Path) -> None:
    assert caps(tmp_path, "[gate]\nconfirm_cc = false").confirm_cc is False
