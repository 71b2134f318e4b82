"""Mail that lies in files: mbox, Maildir, folders of .eml, single files.

In a folder every `.eml` below it and every Maildir is taken, in order of name. An mbox is taken
only when it is named itself: anything may begin with "From ".
"""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path

from mailgate.core.mail import Inbound

_DATE = re.compile(rb"^Date:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\r?\n\r?\n")  # the end of the header block
_HEAD = 65536  # octets looked at for a Date
_EARLIEST = datetime(1982, 1, 1, tzinfo=UTC)  # RFC 822


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One mail in a file; `place` names it for people and for resuming."""

    path: Path
    place: str
    key: int | str = ""  # in an mbox or Maildir

    def read(self) -> bytes:
        """The exact bytes. Raises OSError, or KeyError when a Maildir lost it."""
        if self.key == "":
            return self.path.read_bytes()
        if isinstance(self.key, int):
            return _mbox(self.path).get_bytes(str(self.key))
        return mailbox.Maildir(self.path, create=False).get_bytes(self.key)


class _Mbox(mailbox.mbox):
    """An mbox that is only read; keys are counted from 0 in order of the file."""

    def get_bytes(self, key: str, from_: bool = False) -> bytes:
        return super().get_bytes(int(key), from_)  # type: ignore[arg-type]


_open: dict[Path, _Mbox] = {}


def _mbox(path: Path) -> _Mbox:
    """The open mbox: finding where its mails begin costs a pass over the whole file."""
    if path not in _open:
        _open.clear()
        _open[path] = _Mbox(path, create=False)
    return _open[path]


def items(paths: Sequence[Path]) -> Iterator[Item]:
    """Every mail below these paths, each once. Raises FileNotFoundError for a path that is not."""
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        for item in _folder(path) if path.is_dir() else _file(path):
            whole = item.path.resolve() / str(item.key)
            if whole not in seen:
                seen.add(whole)
                yield item


def skipped(paths: Sequence[Path]) -> list[Path]:
    """mbox files inside folders, which are not taken unless they are named."""
    return [f for p in paths if p.is_dir() for f in sorted(p.rglob("*.mbox")) if f.is_file()]


def inbound(item: Item, raw: bytes, *, live: bool, now: datetime) -> Inbound:
    """A delivery. History keeps the date it has; the same file again is the same delivery."""
    digest = sha256(raw).hexdigest()
    return Inbound(
        raw=raw,
        source="import",
        source_key=f"import/{item.place}/{digest}",
        received=now if live else _dated(raw, item.path, now),
        live=live,
    )


def _folder(folder: Path) -> Iterator[Item]:
    if _is_maildir(folder):
        yield from _maildir(folder)
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _folder(path)
        elif path.name.lower().endswith(".eml"):  # also a file whose whole name is ".eml"
            yield Item(path=path, place=str(path.resolve()))


def _file(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        is_mbox = file.read(5) == b"From " and not path.name.lower().endswith(".eml")
    if not is_mbox:
        yield Item(path=path, place=str(path.resolve()))
        return
    for key in _mbox(path).keys():  # noqa: SIM118 - a mailbox iterates over messages, not keys
        yield Item(path=path, place=f"{path.resolve()}#{key}", key=int(key))


def _maildir(folder: Path) -> Iterator[Item]:
    box = mailbox.Maildir(folder, create=False)
    for key in sorted(box.keys()):
        # The key is the name without its flags: those change when somebody reads the mail.
        yield Item(path=folder, place=f"{folder.resolve()}#{key}", key=key)
    for name in sorted(box.list_folders()):
        yield from _maildir(folder / f".{name}")


def _is_maildir(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in ("cur", "new"))


def _dated(raw: bytes, path: Path, now: datetime) -> datetime:
    """When a historical mail was written: its Date if that can be true, else the file's date."""
    found = _DATE.search(_BLANK.split(raw[:_HEAD], maxsplit=1)[0])
    try:
        date = parsedate_to_datetime(found[1].decode("ascii", "replace")) if found else None
    except (ValueError, OverflowError):
        date = None
    if date is not None:
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        if _EARLIEST <= date <= now:
            return date.astimezone(UTC)
    return min(now, datetime.fromtimestamp(path.stat().st_mtime, UTC))
