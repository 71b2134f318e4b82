"""Exact bytes by digest: small ones in the database, large ones as files in a folder.

A file is written under a temporary name, fsynced, renamed and its folder fsynced before the row
that names it is committed: a row without its bytes cannot exist, a file without a row is garbage.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, bindparam, select

from store.dialects import on, spelled
from store.schema import blobs

_PUT = spelled(lambda insert: insert(blobs).on_conflict_do_nothing())
_KNOWN = select(blobs.c.size).where(blobs.c.digest == bindparam("digest"))
_GET = select(blobs.c.data).where(blobs.c.digest == bindparam("digest"))


# Called with the name of a step that a crash could part from the next one.
Step = Callable[[str], None]


def no_step(_name: str) -> None:
    """Nobody wants to know."""


class BlobMissing(LookupError):
    """A row names bytes that are not there; the mail has to be restored from a backup."""


class BlobDamaged(BlobMissing):
    """The bytes are there, but they are not those that were stored: their digest differs."""


class BlobFolder:
    """The folder of large blobs: `<root>/ab/abcdef...`."""

    def __init__(
        self, root: Path, *, inline_max: int = 65536, step: Step = no_step, synced: bool = True
    ) -> None:
        self.root = root
        self.inline_max = inline_max
        self._step = step
        self._synced = synced

    def path(self, digest: str) -> Path:
        """Where a blob of this digest lives."""
        return self.root / digest[:2] / digest

    def write(self, digest: str, data: bytes) -> None:
        """Put the bytes on stable storage; harmless when they are there already."""
        path = self.path(digest)
        try:
            os.utime(path)  # in use again: too young to be swept away
        except FileNotFoundError:
            self._create(path, data)
        self._step("in.blob_folder")
        # Also when another writer made the file or the folder just now: it may not have come here.
        self._sync_folder(path.parent)
        self._sync_folder(self.root)

    def _create(self, path: Path, data: bytes) -> None:
        if not self.root.exists():
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sync_folder(self.root.parent)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
        try:
            with open(temporary, "xb", opener=_private) as file:
                self._step("in.blob_tmp")
                file.write(data)
                file.flush()
                self._step("in.blob_fsync")
                if self._synced:
                    os.fsync(file.fileno())
            self._step("in.blob_rename")
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _sync_folder(self, folder: Path) -> None:
        if self._synced:
            sync_folder(folder)

    def aged(self, before: float) -> list[Path]:
        """Files last written or used before that Unix time."""
        return sorted(p for p in self.root.glob("??/*") if p.stat().st_mtime < before)

    def remove(self, path: Path, before: float) -> bool:
        """Remove a file, unless it came into use again."""
        if path.stat().st_mtime >= before:
            return False
        self._step("gc.delete")
        path.unlink()
        return True

    def read(self, digest: str) -> bytes:
        """The bytes. Raises BlobMissing."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissing(digest) from error


class Blobs:
    """Bytes by digest, inside one transaction."""

    def __init__(self, conn: Connection, folder: BlobFolder) -> None:
        self._conn = conn
        self._folder = folder

    def put(self, data: bytes, now: datetime) -> str:
        """Store bytes once; returns their sha256 in hexadecimal."""
        return self.put_many([data], now)[0]

    def put_many(self, many: list[bytes], now: datetime) -> list[str]:
        """Store several blobs with one statement; returns their digests in order."""
        digests = [hashlib.sha256(data).hexdigest() for data in many]
        rows = []
        # In one order everywhere: nodes that are given the same mails would wait for each other.
        for digest, data in sorted(dict(zip(digests, many, strict=True)).items()):
            inline = len(data) <= self._folder.inline_max
            if not inline:
                self._folder.write(digest, data)
            stored = data if inline else None
            rows.append({"digest": digest, "size": len(data), "data": stored, "created": now})
        if rows:
            self._conn.execute(on(self._conn, _PUT), rows)
        for digest, data in zip(digests, many, strict=True):
            # Now that the row keeps sweepers out: was the file swept away a moment ago?
            if len(data) > self._folder.inline_max and not self._folder.path(digest).exists():
                self._folder.write(digest, data)
        return digests

    def get(self, digest: str) -> bytes:
        """The exact bytes. Raises BlobMissing, or BlobDamaged when they changed on the disk."""
        row = self._conn.execute(_GET, {"digest": digest}).first()
        if row is None:
            raise BlobMissing(digest)
        data = self._folder.read(digest) if row.data is None else bytes(row.data)
        if hashlib.sha256(data).hexdigest() != digest:
            raise BlobDamaged(digest)
        return data

    def size(self, digest: str) -> int:
        """Octets, whether the bytes are there or not; 0 where nobody knows the digest."""
        found = select(blobs.c.size).where(blobs.c.digest == digest)
        return int(self._conn.execute(found).scalar() or 0)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Read every blob: (digest, what is wrong) of those that are missing or damaged."""
        for digest in list(self._conn.scalars(select(blobs.c.digest).order_by(blobs.c.digest))):
            try:
                self.get(digest)
            except BlobDamaged:
                yield digest, "the bytes differ from those that were stored"
            except BlobMissing:
                yield digest, "the file is missing"

    def strays(self, before: datetime) -> list[Path]:
        """Files older than that which no row names: a crash between a file and its row."""
        aged = self._folder.aged(before.timestamp())
        return [path for path in aged if not self._known(path.name)]

    def sweep(self, strays: Sequence[Path], before: datetime) -> int:
        """Remove these files unless they came into use meanwhile; returns how many went."""
        if self._conn.dialect.name == "postgresql":
            # No writer may add a row to a file that is being removed; SQLite has but one writer.
            self._conn.exec_driver_sql("LOCK TABLE blobs IN SHARE ROW EXCLUSIVE MODE")
        gone = [
            path
            for path in strays
            if not self._known(path.name) and self._folder.remove(path, before.timestamp())
        ]
        return len(gone)

    def _known(self, digest: str) -> bool:
        return self._conn.execute(_KNOWN, {"digest": digest}).first() is not None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on stable storage."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
