"""From [[smtp]] and [limits] to what a listener is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.assembly import listener
from mailgate.config import Config, ConfigError, load
from mailgate.sources.smtp import Limits, ListenerSettings
from tests.shell.config_rig import HEAD


def loaded(folder: Path, text: str) -> Config:
    """The configuration in this text."""
    path = folder / "config.toml"
    path.write_text(text)
    return load(path)


def told(folder: Path, text: str) -> ListenerSettings:
    """What the first listener of this configuration is told."""
    config = loaded(folder, HEAD + text)
    return listener(config.smtp[0], config)


def test_the_defaults_are_safe_before_strangers(tmp_path: Path) -> None:
    settings = told(tmp_path, '[[smtp]]\nlisten = "0.0.0.0:25"\n')
    assert settings.refuse_bare_newlines
    assert settings.banner_delay == 0.3
    assert settings.trusts("127.0.0.1")
    assert not settings.trusts("192.0.2.1")
    assert not settings.is_proxy("127.0.0.1")
    assert settings.limits == Limits()


def test_every_key_arrives(tmp_path: Path) -> None:
    settings = told(
        tmp_path,
        '[[smtp]]\nlisten = "fd:smtp"\nproxy = ["10.0.0.5"]\nbanner_delay = 2\n'
        'bare_newlines = "keep"\n'
        '[limits]\nmax_size = "1 MiB"\nrecipients = 2\nconnections = 3\nconnections_per_ip = 4\n'
        'commands = 5\nerrors = 6\nidle_seconds = 7\nmin_rate = 0\nmemory = "2 MiB"\n',
    )
    assert settings.name == "smtp fd:smtp"
    assert settings.is_proxy("10.0.0.5")
    assert settings.banner_delay == 2.0
    assert not settings.refuse_bare_newlines
    assert settings.limits == Limits(
        size=1 << 20,
        recipients=2,
        connections=3,
        per_ip=4,
        commands=5,
        errors=6,
        idle=7.0,
        rate=0,
        memory=2 << 20,
    )


def test_a_socket_by_name_is_not_taken_for_loopback(tmp_path: Path) -> None:
    listen = loaded(tmp_path, HEAD + '[[smtp]]\nlisten = "fd:mail-in.4"\n').smtp[0].listen
    assert (str(listen), listen.inherited, listen.loopback) == ("fd:mail-in.4", "mail-in.4", False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[smtp]]\nlisten = "fd:"\n', "names no socket"),
        ('[[smtp]]\nlisten = "fd:a b"\n', "names no socket"),
        ('[web]\nlisten = "fd:web"\n', "is not host:port"),
        ('[[smtp]]\nlisten = ":25"\nbanner_delay = 11\n', "write at most 10"),
        ('[[smtp]]\nlisten = ":25"\nbanner_delay = true\n', "write a number without quotes"),
        ('[[smtp]]\nlisten = ":25"\nbanner_delay = "1s"\n', "write a number without quotes"),
        ('[[smtp]]\nlisten = ":25"\nbare_newlines = "fix"\n', "write 'refuse' or 'keep'"),
        ('[[smtp]]\nlisten = ":25"\nproxy = ["haproxy"]\n', "is not an IP address or network"),
        ('[[smtp]]\nlisten = "fd:x"\n[[smtp]]\nlisten = "fd:x"\n', "is taken by [smtp.0]"),
        ('[[smtp]]\nlisten = ":25"\n[limits]\nmin_rate = -1\n', "write at least 0"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, HEAD + text)
    (problem,) = refused.value.problems
    assert message in str(problem)
