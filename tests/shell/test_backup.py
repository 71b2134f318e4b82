"""E3: a backup beside a daemon at work, and a restore that sends nothing by itself."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.peers.daemon_rig import Serving, Site, mail
from tests.peers.relay_sink import RelaySink
from tests.shell.cli_rig import Cli, letter

LARGE = "A line of a mail that is too large for the database.\r\n" * 2000
ENOUGH = 30  # mails that are in hand before the backup begins


@pytest.fixture
def here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """An installation with a small and a large mail."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "rules.yaml").write_text("rules: []\n")
    cli = Cli(tmp_path / "here", capsys, monkeypatch)
    cli.take(letter("small"), letter("large", sender="dora@example.com", body=LARGE))
    return cli


@pytest.fixture
def there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """A place to restore to."""
    (tmp_path / "there").mkdir()
    return Cli(tmp_path / "there", capsys, monkeypatch)


def files(folder: Path) -> set[str]:
    """The files below a folder."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


class Load(threading.Thread):
    """Sends mails, small and large, until it is told to stop; remembers what was acknowledged."""

    def __init__(self, serving: Serving) -> None:
        super().__init__(daemon=True)
        self.serving = serving
        self.acknowledged: list[str] = []
        self.enough = threading.Event()
        self.over = threading.Event()

    def run(self) -> None:
        """Send one mail after the other."""
        while not self.over.is_set():
            number = len(self.acknowledged)
            name = f"<{number}.{uuid4().hex}@example.com>"
            body = LARGE.replace("\r\n", "\n") + str(number) if number % 3 == 0 else "Hello\n"
            self.serving.send(mail(f"mail {number}", message_id=name, body=body))
            self.acknowledged.append(name)
            if len(self.acknowledged) >= ENOUGH:
                self.enough.set()


def test_e3_a_backup_under_load_is_whole_and_sends_nothing_until_it_is_told_to(
    tmp_path: Path,
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    copy = tmp_path / "backup"
    with Serving(tmp_path / "one", Site()) as one:  # it has no relay: all copies wait
        load = Load(one)
        load.start()
        assert load.enough.wait(60)
        before = list(load.acknowledged)
        (made,) = one.json("backup", str(copy))
        load.over.set()
        load.join(60)
        one.settled(len(load.acknowledged))
        refused = one.cli("restore", str(copy))
        assert refused.returncode == 1
        assert b"a mailgate serves" in refused.stderr
    assert len(load.acknowledged) >= len(before) > 0
    with RelaySink() as relay:
        two = Serving(tmp_path / "two", Site(relay=relay.port))
        done = two.cli("restore", str(copy))
        assert done.returncode == 0, done.stderr.decode()
        assert b"the outbox is PAUSED" in done.stdout
        assert b"mailgate outbox resume" in done.stdout
        deep = two.cli("ledger", "--check", "--deep")
        assert deep.returncode == 0, (deep.stdout + deep.stderr).decode()
        restored = {row.message_id for row in two.rows() if row.message_id}
        waiting = sum(1 for row in two.rows() if row.outcome is None)
        assert len(two.rows()) == made["counts"]["mails"]
        assert len(set(before) - restored) <= waiting  # a mail gets its id when it is settled
        with two:
            two.send(mail("after the restore", sender="nina@example.com"))
            rows = two.settled(made["counts"]["mails"] + 1)
            assert set(before) <= {row.message_id for row in rows}
            assert two.json("status")[0]["outbox"]["paused"] is True
            assert two.json("outbox", "list", "--unfinished")
            assert relay.mails == []
            assert two.cli("outbox", "resume").returncode == 0
            two.quiet()
            assert relay.to("nina@example.com")
            assert relay.to("carmen@example.com")


def test_e3_what_was_on_the_wire_is_uncertain_and_an_automatic_mail_fails(
    here: Cli, there: Cli, tmp_path: Path
) -> None:
    here.ok("ticket", "reply", "1001", "--as", "ana@example.org", "-m", "It is paid back.")
    with closing(sqlite3.connect(here.folder / "data" / "mailgate.db")) as database:
        database.execute(
            "UPDATE outbox_recipients SET state = 'sending', due = '2999-01-01 00:00:00.000000'"
        )
        database.commit()
    here.ok("backup", str(tmp_path / "copy"))
    (told,) = there.ok("--json", "restore", str(tmp_path / "copy")).lines
    with closing(sqlite3.connect(there.folder / "data" / "mailgate.db")) as database:
        states = database.execute(
            "SELECT automatic, state FROM outbox JOIN outbox_recipients r ON r.outbox = outbox.id"
        ).fetchall()
    assert set(states) == {(True, "failed"), (False, "uncertain")}
    assert told["outbox"] == "paused"
    assert told["disowned"] == len(states)
    there.ok("ledger", "--check", "--deep")


def test_e3_a_backup_is_private_and_holds_all_that_its_manifest_names(
    here: Cli, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    (told,) = here.ok("--json", "backup", str(copy)).lines
    manifest = json.loads((copy / "manifest.json").read_text())
    assert set(manifest["files"]) | {"manifest.json"} == files(copy)
    assert {"mailgate.db", "config.toml", "rules.yaml"} < set(manifest["files"])
    assert any(name.startswith("blobs/") for name in manifest["files"])
    assert told["counts"] == manifest["counts"]
    assert manifest["counts"]["mails"] == manifest["counts"]["tickets"] == 2
    assert (copy / "config.toml").read_bytes() == here.config.read_bytes()
    assert {p.stat().st_mode & 0o077 for p in (copy, *copy.rglob("*"))} == {0}


@pytest.mark.parametrize("name", ["mailgate.db", "blobs", "config.toml", "manifest.json"])
def test_e3_one_flipped_bit_refuses(here: Cli, there: Cli, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    here.ok("backup", str(copy))
    victim = min(copy.glob("blobs/??/*")) if name == "blobs" else copy / name
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    done = there("restore", str(copy))
    assert done.status == 1
    assert "take another backup" in done.err
    assert victim.name in done.err
    assert not (there.folder / "data" / "mailgate.db").exists()


@pytest.mark.parametrize("name", ["mailgate.db", "manifest.json"])
def test_e3_half_a_backup_is_none(here: Cli, there: Cli, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    here.ok("backup", str(copy))
    (copy / name).unlink()
    done = there("restore", str(copy))
    assert done.status == 1
    assert name in done.err


def test_e3_a_target_that_is_not_empty_refuses(here: Cli, there: Cli, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    here.ok("backup", str(copy))
    before = files(copy)
    again = here("backup", str(copy))
    assert again.status == 1
    assert "is not empty" in again.err
    assert files(copy) == before
    (there.folder / "data").mkdir()
    (there.folder / "data" / "mine").write_text("keep me")
    done = there("restore", str(copy))
    assert done.status == 1
    assert "holds data" in done.err
    assert files(there.folder / "data") == {"mine"}


def test_e3_bytes_that_were_lost_before_are_named_and_all_else_is_kept(
    here: Cli, there: Cli, tmp_path: Path
) -> None:
    lost = min((here.folder / "data" / "blobs").glob("??/*"))
    lost.unlink()
    done = here("--json", "backup", str(tmp_path / "copy"))
    assert done.status == 1
    assert done.lines[0]["lost"] == [lost.name]
    there.ok("restore", str(tmp_path / "copy"))
    assert there("ledger", "--check", "--deep").status == 1


def test_e3_a_backup_that_fails_leaves_nothing(here: Cli, tmp_path: Path) -> None:
    database = here.folder / "data" / "mailgate.db"
    database.write_bytes(b"no database" * 1000)
    done = here("backup", str(tmp_path / "copy"))
    assert done.status == 75
    assert not (tmp_path / "copy").exists()


def test_e3_postgresql_is_refused_with_the_way_to_do_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(tmp_path, capsys, monkeypatch, "postgresql+psycopg://nobody@127.0.0.1:9/none")
    for words in (("backup", str(tmp_path / "copy")), ("restore", str(tmp_path / "copy"))):
        done = cli(*words)
        assert done.status == 1
        assert "pg_dump" in done.err
        assert str(tmp_path / "data" / "blobs") in done.err
    assert not (tmp_path / "copy").exists()
