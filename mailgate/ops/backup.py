"""Backup beside a running daemon, and restore into an empty place with the outbox paused.

A backup is a folder: `mailgate.db`, `blobs/ab/abcdef...`, `config.toml`, `rules.yaml` and, written
last, `manifest.json` with the digest of every file. A folder without a manifest is no backup.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailgate.config import Config
from store.backup import Snapshot, copy_database, disown_copies, sqlite_file
from store.blobs import BlobFolder, sync_folder
from store.database import Database
from store.migrations import HEAD
from store.outbox import PAUSED

VERSION = 1  # of the layout of a backup
MANIFEST = "manifest.json"
DATABASE = "mailgate.db"

_CHUNK = 1024 * 1024  # octets
# The only names that a manifest may hold: nothing in it leads out of a folder.
_NAME = re.compile(r"mailgate\.db|config\.toml|rules\.yaml|blobs/([0-9a-f]{2})/\1[0-9a-f]{62}")


class BackupError(Exception):
    """A backup cannot be made or restored; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds. `files` has path -> sha256 in hexadecimal."""

    version: int
    schema: str
    taken: str  # RFC 3339, UTC: everything committed before it is in the backup
    counts: Mapping[str, int]
    files: Mapping[str, str]
    lost: tuple[str, ...]  # digests of blobs that were missing or damaged already


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    disowned: int  # copies that were on the wire when the backup was taken


def backup(config: Config, config_file: Path, target: Path) -> Manifest:
    """Copy a SQLite installation to a new or empty folder, beside a daemon or without one.

    Raises BackupError, OSError, Unavailable or DamagedCopy; what was half copied is removed.
    """
    source = _database_file(config)
    if not source.exists():
        raise BackupError(f"there is no database at {source}: nothing to back up")
    made = not target.exists()
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise BackupError(f"{target} is not empty: name a folder that is new or empty")
    (target / "blobs").mkdir(mode=0o700)  # fails where another backup has just begun
    try:
        return _backup_into(target, config, config_file, source)
    except BaseException:
        _emptied(target)
        if made:
            target.rmdir()
        raise


def _backup_into(target: Path, config: Config, config_file: Path, source: Path) -> Manifest:
    taken = datetime.now(UTC)
    # The database first: a blob is on the disk before the row that names it.
    snapshot = copy_database(source, target / DATABASE)
    files = {DATABASE: _digest(target / DATABASE)}
    lost = _copy_blobs(snapshot, BlobFolder(config.helpdesk.data_dir / "blobs"), target, files)
    files["config.toml"] = _copied(config_file, target / "config.toml")
    if config.helpdesk.rules:
        files["rules.yaml"] = _copied(config.helpdesk.rules, target / "rules.yaml")
    manifest = Manifest(
        version=VERSION,
        schema=snapshot.schema,
        taken=taken.isoformat(timespec="seconds"),
        counts=snapshot.counts,
        files=files,
        lost=lost,
    )
    _sync_below(target)
    _write_manifest(target, manifest)
    return manifest


def _copy_blobs(
    snapshot: Snapshot, folder: BlobFolder, target: Path, files: dict[str, str]
) -> tuple[str, ...]:
    """Copy the files that rows name; returns the digests of those that were lost before."""
    lost = []
    for digest in snapshot.files:
        name = f"blobs/{digest[:2]}/{digest}"
        path = target / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            found = _copied(folder.path(digest), path)
        except FileNotFoundError:
            lost.append(digest)
            continue
        if found == digest:
            files[name] = digest
        else:
            path.unlink()
            lost.append(digest)
    return tuple(lost)


def restore(config: Config, source: Path, now: datetime) -> Restored:
    """Put a backup into the empty data folder of this configuration; the outbox is paused.

    Everything is proved before anything is written; what was half copied is removed.
    Raises BackupError, OSError or Unavailable.
    """
    file = _database_file(config)
    data = config.helpdesk.data_dir
    _refuse_where_served(file)
    _refuse_unless_empty(data, file)
    manifest = _proved(source)
    for folder in (data, file.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(file):
        _refuse_unless_empty(data, file)
        made: list[Path] = []
        try:
            disowned = _restore_into(config, source, manifest, made, now)
        except BaseException:
            for path in reversed(made):
                path.unlink(missing_ok=True)
            raise
    return Restored(manifest=manifest, disowned=disowned)


def _restore_into(
    config: Config, source: Path, manifest: Manifest, made: list[Path], now: datetime
) -> int:
    data, file = config.helpdesk.data_dir, _database_file(config)
    for name, digest in manifest.files.items():
        if name.startswith("blobs/"):
            path = data / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.append(path)
            _expect(_copied(source / name, path), digest, name)
    # Under its own name only once it is paused: nobody may ever serve it otherwise.
    fresh = file.with_name(f"{file.name}.restoring")
    made.extend(fresh.with_name(f"{fresh.name}{end}") for end in ("", "-wal", "-shm"))
    _expect(_copied(source / DATABASE, fresh), manifest.files[DATABASE], DATABASE)
    disowned = _paused(fresh, data, now)
    _sync_below(data)
    try:
        os.link(fresh, file)  # unlike a rename it never replaces what somebody made meanwhile
    except FileExistsError:
        raise BackupError(
            f"{file} was made meanwhile: stop whatever delivers mail here, then restore again"
        ) from None
    fresh.unlink()
    sync_folder(file.parent)
    return disowned


def _paused(file: Path, data: Path, now: datetime) -> int:
    database = Database(f"sqlite:///{file}", data)
    try:
        with database.transaction() as tx:
            tx.set_setting(PAUSED, "1")
            disowned = disown_copies(tx, now)
    finally:
        database.close()
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
    return disowned


# --- the manifest ------------------------------------------------------------------------


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    body: dict[str, Any] = asdict(manifest)
    text = json.dumps({**body, "sha256": _seal(body)}, indent=1)
    with open(folder / MANIFEST, "x", encoding="ascii", opener=_private) as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    sync_folder(folder.parent)


def _proved(folder: Path) -> Manifest:
    """The manifest of a backup, once every file has the digest it names. Raises BackupError."""
    manifest = _manifest(folder)
    for name, digest in manifest.files.items():
        try:
            found = _digest(folder / name)
        except FileNotFoundError:
            raise BackupError(f"{folder / name} is missing: take another backup") from None
        _expect(found, digest, name)
    return manifest


def _manifest(folder: Path) -> Manifest:
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise BackupError(f"{folder} is no backup: it has no {MANIFEST}") from None
    try:
        body = json.loads(text)
        seal = body.pop("sha256")
        manifest = Manifest(**{**body, "lost": tuple(body["lost"])})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BackupError(f"{folder / MANIFEST} is damaged: take another backup") from None
    if seal != _seal(body) or DATABASE not in manifest.files:
        raise BackupError(f"{folder / MANIFEST} is damaged: take another backup")
    if any(not _NAME.fullmatch(name) for name in manifest.files):
        raise BackupError(f"{folder / MANIFEST} names files that are no part of a backup")
    if manifest.version != VERSION or manifest.schema > HEAD:
        raise BackupError("this backup is of a newer mailgate: install that one first")
    return manifest


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _expect(found: str, digest: str, name: str) -> None:
    if found != digest:
        raise BackupError(f"{name} in the backup differs from what was stored: take another backup")


# --- places ------------------------------------------------------------------------------


def _database_file(config: Config) -> Path:
    file = sqlite_file(config.database_url())
    if file is None:
        raise BackupError(
            "this is for SQLite alone. On PostgreSQL take `pg_dump -Fc` of the database first and"
            f" then a copy of {config.helpdesk.data_dir / 'blobs'}; restore both, and run `mailgate"
            " outbox pause` before a daemon starts"
        )
    return file


def _refuse_where_served(file: Path) -> None:
    if file.with_name(f"{file.name}.lock").exists():
        with _alone(file):
            return


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold the lock that a daemon on this database holds. Raises BackupError."""
    # Closing any handle of this file gives up a record lock of this process: there is but one.
    with open(file.with_name(f"{file.name}.lock"), "ab", opener=_private) as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"a mailgate serves {file}: stop it first") from error
        yield


def _refuse_unless_empty(data: Path, file: Path) -> None:
    lock = file.with_name(f"{file.name}.lock")
    there = [path for path in data.iterdir() if path != lock] if data.exists() else []
    if there or file.exists():
        where = data if there else file
        raise BackupError(f"{where} holds data: move it away, restore overwrites nothing")


# --- files -------------------------------------------------------------------------------


def _copied(source: Path, target: Path) -> str:
    """Copy to a new private file, synced; returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as old, open(target, "xb", opener=_private) as new:
        while chunk := old.read(_CHUNK):
            digest.update(chunk)
            new.write(chunk)
        new.flush()
        os.fsync(new.fileno())
    return digest.hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_below(folder: Path) -> None:
    for path, _folders, _files in os.walk(folder):
        sync_folder(Path(path))


def _emptied(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
