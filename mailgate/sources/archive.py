"""Mail that lies in files: mbox, Maildir, folders of .eml, single files.

In a folder every `.eml` below it and every Maildir is taken, in order of name. An mbox is taken
only when it is named itself: anything may begin with "From ".

Mail in an mbox is parted by a line such as `From ana@example.org Mon May  4 09:00:00 2026` (RFC
4155) at the beginning or below an empty line. Not every program writes ">From " for a body's own
"From ", so a line without such a date parts nothing.
"""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from os.path import realpath
from pathlib import Path

from mailgate.core.mail import Inbound

_DATE = re.compile(rb"^Date:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\r?\n\r?\n")  # the end of the header block
_LINE = 65536  # octets of a line read at a time; a separator is far shorter
# The date as asctime(3) writes it or, with some programs, as RFC 5322 does; zones stand anywhere.
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?[ \t]+"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ \t]+"
_CLOCK = rb"\d{1,2}:\d\d(?::\d\d)?"
_ZONES = rb"(?:[ \t]+(?:[+-]\d{4}|[A-Z]{1,5})){0,2}"
_ASCTIME = _DAY + _MONTH + rb"\d{1,2}[ \t]+" + _CLOCK + _ZONES + rb"[ \t]+\d{4}"
_RFC5322 = _DAY + rb"\d{1,2}[ \t]+" + _MONTH + rb"\d{4}[ \t]+" + _CLOCK
_SEPARATOR = re.compile(
    # An address, a word, or what list archives make of an address: ana at example.org.
    rb'From[ \t]+(?:"[^"\r\n]{1,300}"@)?[^\s"]{1,400}(?: at \S{1,300})?[ \t]+'
    + rb"(?:%b|%b)%b(?:[ \t]+remote from \S{1,300})?[ \t]*\r?\n" % (_ASCTIME, _RFC5322, _ZONES)
)
_HEAD = 65536  # octets looked at for a Date
_EARLIEST = datetime(1982, 1, 1, tzinfo=UTC)  # RFC 822


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One mail in a file; `place` names it for people and for resuming."""

    path: Path
    place: str
    key: int | str = ""  # in an mbox (counted from 0) or Maildir
    span: tuple[int, int] | None = None  # in an mbox: where its bytes begin and end

    def read(self) -> bytes:
        """The exact bytes. Raises OSError, or KeyError when a Maildir lost it."""
        if self.span is not None:
            return _between(self.path, *self.span)
        if isinstance(self.key, str) and self.key:
            return mailbox.Maildir(self.path, create=False).get_bytes(self.key)
        if self.path.exists() and not self.path.is_file():
            raise OSError(f"{self.path}: not a regular file")  # a pipe would hold us up for ever
        return self.path.read_bytes()


def _between(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        raw = file.read(end - start)
    if len(raw) != end - start:
        raise OSError(f"{path}: the file became shorter while it was read")
    return raw


def _spans(path: Path) -> Iterator[tuple[int, int]]:
    """Where each mail of an mbox begins and ends: one pass, one line in memory at a time.

    A mail ends ahead of the blank line that stands before the next separator or the end.
    """
    start: int | None = None
    end = at = 0
    whole, blank = True, True  # the line before: whether it was ended, whether it was empty
    with path.open("rb") as file:
        while line := file.readline(_LINE):
            if whole and blank and _SEPARATOR.fullmatch(line):
                if start is not None:
                    yield start, end
                start = at + len(line)
            blank = whole and line in (b"\n", b"\r\n")
            whole = line.endswith(b"\n")
            end = max(at, start or 0) if blank else at + len(line)
            at += len(line)
    if start is not None:
        yield start, end


def items(paths: Sequence[Path]) -> Iterator[Item]:
    """Every mail below these paths, each once. Raises FileNotFoundError for a path that is not."""
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        for item in _folder(path) if path.is_dir() else _file(path):
            whole = Path(realpath(item.path)) / str(item.key)  # resolve() fails on a loop
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
            yield Item(path=path, place=realpath(path))


def _file(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        is_mbox = _SEPARATOR.fullmatch(file.readline(_LINE))
    if not is_mbox or path.name.lower().endswith(".eml"):
        yield Item(path=path, place=realpath(path))
        return
    for key, span in enumerate(_spans(path)):
        yield Item(path=path, place=f"{realpath(path)}#{key}", key=key, span=span)


def _maildir(folder: Path) -> Iterator[Item]:
    box = mailbox.Maildir(folder, create=False)
    for key in sorted(box.keys()):
        # The key is the name without its flags: those change when somebody reads the mail.
        yield Item(path=folder, place=f"{realpath(folder)}#{key}", key=key)
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
