"""Mail in files: what is found, what is not, how it is read and dated."""

from __future__ import annotations

import mailbox
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailgate.sources import archive

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
MAIL = b"From: a@example.com\r\nSubject: \xff\r\n\r\nbare \r, \n and \0\r\n"


def found(*paths: Path) -> list[archive.Item]:
    return list(archive.items(paths))


def names(items: Sequence[archive.Item], folder: Path) -> list[str]:
    return [str(item.path.relative_to(folder)) for item in items]


def test_every_eml_below_a_folder_in_order_of_name(tmp_path: Path) -> None:
    for name in ("b.eml", "a/2.EML", "a/1.eml", "a/.eml", "c.txt", "d.eml.bak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(MAIL)
    assert names(found(tmp_path), tmp_path) == ["a/.eml", "a/1.eml", "a/2.EML", "b.eml"]
    assert all(item.read() == MAIL for item in found(tmp_path))


def test_a_mail_named_twice_is_taken_once(tmp_path: Path) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(MAIL)
    (tmp_path / "link.eml").symlink_to(file)
    assert len(found(file, tmp_path, tmp_path / ".." / tmp_path.name)) == 1


def test_a_file_named_itself_needs_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "mail").write_bytes(MAIL)
    assert [item.read() for item in found(tmp_path / "mail")] == [MAIL]


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none: no such file or folder"):
        found(tmp_path / "none")


def test_an_mbox_is_taken_when_named_and_told_of_when_not(tmp_path: Path) -> None:
    first, second = b"Subject: 1\n\none\n", b"Subject: 2\n\n>From two\n"
    line = b"From a@example.com Sun Nov 22 08:00:00 2026\n"
    box = tmp_path / "old.mbox"
    box.write_bytes(line + first + b"\n" + line + second + b"\n")
    assert found(tmp_path) == []
    assert archive.skipped([tmp_path]) == [box]
    items = found(box)
    assert [item.read() for item in items] == [first, second]
    assert [item.place for item in items] == [f"{box}#0", f"{box}#1"]


def test_an_eml_with_an_envelope_line_is_one_mail(tmp_path: Path) -> None:
    raw = b"From a@example.com Sun Nov 22 08:00:00 2026\nSubject: x\n\ny\n"
    (tmp_path / "a.eml").write_bytes(raw)
    assert [item.read() for item in found(tmp_path / "a.eml")] == [raw]


def test_a_maildir_keeps_its_names_when_flags_change(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box", create=True)
    inner = box.add_folder("Old")
    box.add(b"Subject: 1\n\nx\n")
    inner.add(b"Subject: 2\n\ny\n")
    before = found(tmp_path)
    assert [item.read() for item in before] == [b"Subject: 1\n\nx\n", b"Subject: 2\n\ny\n"]
    [file] = (tmp_path / "box" / "new").iterdir()
    file.rename(tmp_path / "box" / "cur" / f"{file.name}:2,S")
    assert [item.place for item in found(tmp_path)] == [item.place for item in before]
    assert [item.read() for item in found(tmp_path)] == [b"Subject: 1\n\nx\n", b"Subject: 2\n\ny\n"]


@pytest.mark.parametrize(
    ("date", "received"),
    [
        ("Mon, 5 Oct 2020 10:00:00 +0200", datetime(2020, 10, 5, 8, tzinfo=UTC)),
        ("Mon, 5 Oct 2020 10:00:00 -0000", datetime(2020, 10, 5, 10, tzinfo=UTC)),
        pytest.param("Mon, 5 Oct 2099 10:00:00 +0000", None, id="not yet"),
        pytest.param("Mon, 5 Oct 1970 10:00:00 +0000", None, id="before there was mail"),
        pytest.param("32 Oct 2020 25:61:00", None, id="no date"),
        pytest.param("", None, id="empty"),
    ],
)
def test_history_has_the_date_of_the_mail_or_else_of_the_file(
    tmp_path: Path, date: str, received: datetime | None
) -> None:
    file = tmp_path / "a.eml"
    raw = f"Subject: x\r\nDate: {date}\r\n\r\nDate: Sun, 1 Jan 2006 00:00:00 +0000\r\n".encode()
    file.write_bytes(raw)
    written = datetime(2015, 1, 1, tzinfo=UTC)
    os.utime(file, (written.timestamp(), written.timestamp()))
    [item] = found(file)
    assert archive.inbound(item, raw, live=False, now=NOW).received == (received or written)
    assert archive.inbound(item, raw, live=True, now=NOW).received == NOW


def test_a_date_in_the_body_dates_nothing(tmp_path: Path) -> None:
    raw = b"Subject: x\r\n\r\nDate: Sun, 1 Jan 2006 00:00:00 +0000\r\n"
    (tmp_path / "a.eml").write_bytes(raw)
    os.utime(tmp_path / "a.eml", (0, 1_000_000_000))
    [item] = found(tmp_path)
    got = archive.inbound(item, raw, live=False, now=NOW).received
    assert got == datetime.fromtimestamp(1_000_000_000, UTC)


def test_the_same_file_again_is_the_same_delivery_and_other_bytes_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(MAIL)
    [item] = found(tmp_path)
    key = archive.inbound(item, MAIL, live=False, now=NOW).source_key
    assert archive.inbound(item, MAIL, live=True, now=NOW).source_key == key
    assert archive.inbound(item, MAIL + b".", live=False, now=NOW).source_key != key


# --- mbox --------------------------------------------------------------------------------

LINE = b"From c@example.com Mon May  4 09:00:00 2026\n"


def mbox(folder: Path, raw: bytes) -> list[bytes]:
    """The mails of an mbox with these bytes."""
    box = folder / "box"
    box.write_bytes(raw)
    return [item.read() for item in found(box)]


def test_a_sentence_that_begins_with_from_does_not_split_a_mail(tmp_path: Path) -> None:
    below_a_line = b"Subject: 1\n\nHello.\nFrom my point of view this is one mail.\n"
    below_a_gap = b"Subject: 2\n\nHello.\n\nFrom here on it is quiet.\n\n\nFrom Mon to Tue\n"
    dated = b"Subject: 3\n\nit came\nFrom d@example.com Mon May  4 09:00:00 2026\nas I said\n"
    long = b"Subject: 4\n\n" + b"x" * 65536 + LINE + b"\n"
    mails = [below_a_line, below_a_gap, dated, long]
    assert mbox(tmp_path, b"".join(LINE + mail + b"\n" for mail in mails)) == mails


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"From a@example.com Mon May 04 09:00:00 2026", id="zero before the day"),
        pytest.param(b"From - Mon May  4 09:00:00 2026", id="no address"),
        pytest.param(b"From MAILER-DAEMON Mon May  4 09:00:00 2026", id="a word"),
        pytest.param(b"From 1@xxx Mon May 04 09:00:00 +0000 2026", id="zone before the year"),
        pytest.param(b"From a@example.com Mon May  4 09:00:00 CEST 2026", id="zone by name"),
        pytest.param(b"From a@example.com Mon May  4 09:00:00 2026 +0200", id="zone at the end"),
        pytest.param(b"From a at example.com  Mon May  4 09:00:00 2026", id="a at b"),
        pytest.param(b'From "a b"@example.com Mon May  4 09:00:00 2026', id="a quoted name"),
        pytest.param(b"From a@example.com Mon May  4 09:00 2026 remote from b", id="UUCP"),
        pytest.param(b"From a@example.com Mon, 4 May 2026 09:00:00 +0200", id="RFC 5322"),
        pytest.param(b"From a@example.com Mon May  4 09:00:00 2026\r", id="CRLF"),
    ],
)
def test_the_separators_that_programs_write_part_mails(tmp_path: Path, line: bytes) -> None:
    first, second = b"Subject: 1\n\none\n", b"Subject: 2\n\ntwo\n"
    raw = line + b"\n" + first + b"\n" + line + b"\n" + second + b"\n"
    assert mbox(tmp_path, raw) == [first, second]


@pytest.mark.parametrize(
    "mails",
    [
        pytest.param([b"Subject: 1\n\none\n\n\n", b"Subject: 2\n\n\ntwo\n"], id="blank lines"),
        pytest.param([b"Subject: 1\r\n\r\none\r\n", b"Subject: 2\r\n\r\n\xff\0\r\n"], id="CRLF"),
        pytest.param([b"Subject: 1\n\n>From a\n", b"Subject: 2\n\n>>From b\n"], id=">From"),
        pytest.param([b"Subject: 1\n\n", b"", b"Subject: 3\n\n"], id="empty ones"),
        pytest.param([b"Subject: 1\n\n" + b"\r" * 70_000 + b"\n"], id="no line"),
    ],
)
def test_the_bytes_of_a_mail_in_an_mbox_are_kept(tmp_path: Path, mails: list[bytes]) -> None:
    raw = b"".join(LINE + mail + (b"\r\n" if b"\r\n" in mail else b"\n") for mail in mails)
    assert mbox(tmp_path, raw) == mails


def test_the_last_mail_of_an_mbox_needs_no_end(tmp_path: Path) -> None:
    assert mbox(tmp_path, LINE + b"Subject: 1\n\none") == [b"Subject: 1\n\none"]
    assert mbox(tmp_path, LINE) == [b""]


def test_a_mail_named_itself_that_only_begins_with_from_is_one_mail(tmp_path: Path) -> None:
    raw = b"From me to you\nSubject: x\n\n" + LINE + b"y\n"
    assert mbox(tmp_path, raw) == [raw]


def test_an_mbox_that_grew_keeps_the_places_of_what_was_there(tmp_path: Path) -> None:
    mbox(tmp_path, LINE + b"Subject: 1\n\n1\n\n")
    before = found(tmp_path / "box")
    mbox(tmp_path, LINE + b"Subject: 1\n\n1\n\n" + LINE + b"Subject: 2\n\n2\n\n")
    assert found(tmp_path / "box")[:1] == before


def test_an_mbox_that_shrank_gives_no_half_mail(tmp_path: Path) -> None:
    mbox(tmp_path, LINE + b"Subject: 1\n\none\n")
    [item] = found(tmp_path / "box")
    (tmp_path / "box").write_bytes(LINE)
    with pytest.raises(OSError, match="became shorter"):
        item.read()


def test_a_real_mbox_is_parted_as_the_standard_library_parts_it(corpus: Path) -> None:
    box = corpus / "mime4j" / "mbox" / "rlug.mbox"
    told = mailbox.mbox(box, create=False)
    wanted = [told.get_bytes(key) for key in told.keys()]  # noqa: SIM118
    told.close()
    assert [item.read() for item in found(box)] == wanted
