"""`keys ...`: rotated in peace, revoked in need, and never shown (reliability: E4, E5)."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailgate.core import token
from mailgate.core.people import Role
from mailgate.core.token import Key, Purpose, Token
from store.database import Database
from tests.shell.cli_rig import Cli


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


@pytest.fixture
def beside(cli: Cli, tmp_path: Path) -> Database:
    """The database as a daemon has it that runs all the while."""
    cli.ok("keys", "rotate")
    return Database("sqlite", tmp_path / "data")


def sealed(key: Key, now: datetime) -> str:
    made = Token(
        purpose=Purpose.REPLY,
        role=Role.AGENT,
        key=key.id,
        last_day=token.valid_through(now, 365),
        number=1042,
        holder=token.holder_of("ana@example.org"),
    )
    return token.seal(made, key)


def fault(database: Database, text: str, at: datetime) -> str:
    found = token.open_(text)
    assert found is not None
    with database.reading() as tx:
        return token.fault(found, tx.keys.all(), at)


def made_now(database: Database) -> str:
    now = datetime.now(UTC)
    with database.transaction() as tx:
        return sealed(tx.keys.current(now), now)


def test_after_a_rotation_old_tokens_hold_for_the_grace_time_and_no_longer_E4(
    cli: Cli, beside: Database
) -> None:
    old = made_now(beside)
    [line] = cli.ok("keys", "rotate", "--grace", "10", "--json").lines
    end = datetime.fromisoformat(line["older_valid_until"])
    now = datetime.now(UTC)
    assert timedelta(days=9) < end - now < timedelta(days=11)
    assert fault(beside, old, now) == ""
    assert fault(beside, old, end - timedelta(minutes=1)) == ""
    assert fault(beside, old, end + timedelta(minutes=1)) == "its key has been withdrawn"
    new = made_now(beside)
    assert fault(beside, new, end + timedelta(minutes=1)) == ""


def test_revoking_voids_every_token_at_once_also_for_a_running_daemon_E4(
    cli: Cli, beside: Database
) -> None:
    old = [made_now(beside)]
    cli.ok("keys", "rotate")
    old.append(made_now(beside))
    assert [fault(beside, text, datetime.now(UTC)) for text in old] == ["", ""]
    done = cli.ok("keys", "revoke", "--yes")
    assert "also by a running daemon" in done.out
    now = datetime.now(UTC)
    assert {fault(beside, text, now) for text in old} == {"its key has been withdrawn"}
    assert fault(beside, made_now(beside), now) == ""
    states = [line["state"] for line in cli.ok("keys", "list", "--json").lines]
    assert states == ["in use", "void", "void"]


def test_revoking_wants_to_be_meant(cli: Cli, beside: Database) -> None:
    old = made_now(beside)
    done = cli("keys", "revoke")
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith("mailgate keys revoke --yes\n")
    assert fault(beside, old, datetime.now(UTC)) == ""


def test_no_command_shows_a_secret_E5(cli: Cli, tmp_path: Path) -> None:
    said = [cli.ok("keys", "list")]
    assert said[0].out.startswith("there is no key yet")
    said += [cli.ok("keys", "rotate", *words) for words in ((), ("--json",))]
    said += [
        cli.ok("keys", "revoke", "--yes"),
        cli.ok("keys", "list"),
        cli("--json", "keys", "list"),
    ]
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn:
        secrets = [row[0] for row in conn.execute("SELECT secret FROM keys")]
    assert [len(secret) for secret in secrets] == [32] * 3
    everything = "".join(done.out + done.err for done in said).lower()
    for secret in secrets:
        spelled = (secret.hex(), base64.b64encode(secret).decode().lower(), repr(secret).lower())
        assert not any(spelling[:12] in everything for spelling in spelled)


def test_each_change_is_in_the_audit_trail(cli: Cli, tmp_path: Path) -> None:
    cli.ok("keys", "rotate")
    cli.ok("keys", "revoke", "--yes")
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn:
        rows = list(conn.execute("SELECT kind, actor, data FROM events ORDER BY id"))
    assert rows == [
        ("keys-rotated", "command line", '{"key": 1}'),
        ("keys-revoked", "command line", '{"key": 2}'),
    ]
