"""Bytes by digest: in the database, in the folder, or missing."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from store.blobs import BlobFolder, BlobMissing
from store.database import Database
from store.schema import blobs
from tests.store.samples import NOW

EVERY_BYTE = bytes(range(256))
LARGE = EVERY_BYTE * 300  # over the 64 KiB that the database takes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(EVERY_BYTE, id="every byte"),
        pytest.param(b"x" * 65536, id="the largest in the database"),
        pytest.param(b"x" * 65537, id="the smallest in the folder"),
        pytest.param(LARGE, id="large"),
    ],
)
def test_bytes_come_back_exactly(database: Database, data: bytes) -> None:
    with database.transaction() as tx:
        digest = tx.blobs.put(data, NOW)
    assert digest == hashlib.sha256(data).hexdigest()
    assert database.folder.path(digest).exists() == (len(data) > 65536)
    with database.reading() as tx:
        assert tx.blobs.get(digest) == data
        assert tx.conn.execute(select(blobs.c.size)).scalar_one() == len(data)


def test_the_same_bytes_are_stored_once(database: Database) -> None:
    with database.transaction() as tx:
        digests = tx.blobs.put_many([b"a", LARGE, b"a"], NOW)
        assert digests == tx.blobs.put_many([b"a", LARGE, b"a"], NOW)
        assert tx.blobs.put_many([], NOW) == []
        assert tx.conn.execute(select(func.count()).select_from(blobs)).scalar_one() == 2
    assert digests[0] == digests[2] != digests[1]


def test_the_limit_is_a_setting(tmp_path: Path, sqlite_database: Database) -> None:
    small = Database(sqlite_database.url, tmp_path / "data", blob_inline_max=3)
    with small.transaction() as tx:
        inside, outside = tx.blobs.put_many([b"abc", b"abcd"], NOW)
    assert not small.folder.path(inside).exists()
    assert small.folder.path(outside).read_bytes() == b"abcd"
    small.close()


def test_missing_bytes_are_told(database: Database) -> None:
    with database.transaction() as tx:
        digest = tx.blobs.put(LARGE, NOW)
    database.folder.path(digest).unlink()
    with database.reading() as tx:
        with pytest.raises(BlobMissing, match=digest):
            tx.blobs.get(digest)
        with pytest.raises(BlobMissing, match="never"):
            tx.blobs.get("never")


def test_only_the_owner_reads_the_folder(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path / "blobs")
    folder.write("ab12", b"secret")
    path = folder.path("ab12")
    assert path == tmp_path / "blobs" / "ab" / "ab12"
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, folder.root)]
    assert modes == [0o600, 0o700, 0o700]


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = BlobFolder(tmp_path / "blobs")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(Path, "rename", full)
        with pytest.raises(OSError, match="No space left"):
            folder.write("ab12", LARGE)
    assert [p for p in folder.root.rglob("*") if p.is_file()] == []
    with pytest.raises(BlobMissing):
        folder.read("ab12")
    folder.write("ab12", LARGE)
    assert folder.read("ab12") == LARGE


def test_every_folder_above_a_new_file_is_on_stable_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    really = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    root = tmp_path / "blobs"
    BlobFolder(root).write("ab12", LARGE)
    assert {p for p in synced if p.suffix != ".tmp"} == {tmp_path, root, root / "ab"}
    assert [p.suffix for p in synced].count(".tmp") == 1
    # The one who comes second may be the first to commit: it waits for the folder too.
    synced.clear()
    BlobFolder(root).write("ab12", LARGE)
    assert set(synced) == {root, root / "ab"}


def test_writers_of_one_blob_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path / "blobs")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(folder.write, "ab12", LARGE) for _ in range(20)]:
            done.result()
    assert folder.read("ab12") == LARGE
    assert [p.name for p in folder.root.rglob("*") if p.is_file()] == ["ab12"]


def test_nodes_that_are_given_the_same_mails_in_another_order_do_not_lock_each_other(
    database: Database,
) -> None:
    groups = [[f"{round_} {n}".encode() for n in range(20)] for round_ in range(40)]
    meet = threading.Barrier(2, timeout=30)

    def put(*, turned: bool) -> None:
        for group in groups:
            meet.wait()
            with database.transaction() as tx:
                tx.blobs.put_many(group[::-1] if turned else group, NOW)

    with ThreadPoolExecutor(2) as nodes:
        for done in [nodes.submit(put, turned=turned) for turned in (False, True)]:
            done.result()
    with database.reading() as tx:
        for group in groups:
            assert [tx.blobs.get(hashlib.sha256(data).hexdigest()) for data in group] == group
