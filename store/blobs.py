"""Exact bytes by digest: small ones in the database, large ones as files in a folder.

A file is written under a temporary name, fsynced, renamed and its folder fsynced before the row
that names it is committed: a row without its bytes cannot exist, a file without a row is garbage.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, bindparam, select

from store.dialects import on, spelled
from store.schema import blobs

_PUT = spelled(lambda insert: insert(blobs).on_conflict_do_nothing())
_GET = select(blobs.c.data).where(blobs.c.digest == bindparam("digest"))


class BlobMissing(LookupError):
    """A row names bytes that are not there; the mail has to be restored from a backup."""


class BlobFolder:
    """The folder of large blobs: `<root>/ab/abcdef...`."""

    def __init__(self, root: Path, *, inline_max: int = 65536) -> None:
        self.root = root
        self.inline_max = inline_max

    def path(self, digest: str) -> Path:
        """Where a blob of this digest lives."""
        return self.root / digest[:2] / digest

    def write(self, digest: str, data: bytes) -> None:
        """Put the bytes on stable storage; harmless when they are there already."""
        path = self.path(digest)
        if not path.exists():
            self._create(path, data)
        # Also when another writer made the file or the folder just now: it may not have come here.
        _sync_folder(path.parent)
        _sync_folder(self.root)

    def _create(self, path: Path, data: bytes) -> None:
        if not self.root.exists():
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sync_folder(self.root.parent)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
        try:
            with open(temporary, "xb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

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
        for digest, data in dict(zip(digests, many, strict=True)).items():
            inline = len(data) <= self._folder.inline_max
            if not inline:
                self._folder.write(digest, data)
            stored = data if inline else None
            rows.append({"digest": digest, "size": len(data), "data": stored, "created": now})
        if rows:
            self._conn.execute(on(self._conn, _PUT), rows)
        return digests

    def get(self, digest: str) -> bytes:
        """The exact bytes. Raises BlobMissing."""
        row = self._conn.execute(_GET, {"digest": digest}).first()
        if row is None:
            raise BlobMissing(digest)
        return self._folder.read(digest) if row.data is None else bytes(row.data)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
