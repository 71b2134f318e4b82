"""Whatever the bytes are: the same tickets on SQLite and on PostgreSQL (reliability P4, P5)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailgate.cli import shapes
from mailgate.core.mail import Envelope, Inbound
from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import House

HEAD = b"From: Eve <eve@evil.test>\r\nTo: support@example.org\r\n"
CHARSETS = ("x-unknown", "idna", "undefined", "rot13", "utf-7", "unicode_escape", "utf-32le")
HOSTILE: dict[str, bytes] = {
    "P5-nul": b"Subject: a\0b\r\n\r\nc\0d\r\n",
    "P5-nul-in-name": b'Subject: n\r\nContent-Type: image/png; name="a\0b.png"\r\n\r\nx',
    "P5-octet": b"Subject: \xff\xfe\r\n\r\n\xff\xfe\r\n",
    "P5-surrogate": b"Subject: =?utf-8?b?7aCA?=\r\n\r\n\xed\xa0\x80 \xed\xb0\x80\r\n",
    "P5-half": b"Subject: \xc3\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xe2\x82",
    "P5-utf-16": b"Subject: =?utf-16?b?2AAA?=\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n"
    b"\xd8\x00\x00\x00a",
    "P5-ids": b"Subject: i\r\nMessage-ID: <a\0b@evil.test>\r\nReferences: <\xff@\xc3> <>\r\n\r\nx",
    "P5-astral": b"Subject: \xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\r\n\r\n\xef\xbf\xbf\xef\xbf\xbe",
    **{
        f"P4-{label}": b"Subject: =?%s?q?+ADw-=FF=00?=\r\n"
        b"Content-Type: text/plain; charset=%s\r\n\r\n+ADw-script+AD4- \xff\0\x1b$B\r\n"
        % (label.encode(), label.encode())
        for label in CHARSETS
    },
    "P8-dates": b"Subject: d\r\nDate: Fri, 31 Dec 9999 23:59:59 +0000\r\n\r\nx",
    "P8-no-date": b"Subject: d\r\nDate: 29:24:05\r\n\r\nx",
    "A1-nobody": b"From: other@evil.test\r\nSubject: two\r\n\r\nx",
    "A3-name": b'Subject: a\r\nReply-To: "agent@example.org" <eve@evil.test>\r\n\r\nx',
    "P2-bomb": b"Subject: p\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\n\r\n" * 2000,
}
NASTY = "\0 \ud800 \udcff \u202e \U0010ffff"


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    pool = Parsers(workers=2, seconds=30)
    yield pool
    pool.close()


def played(
    database: Database, parsers: Parsers, folder: Path, raws: Sequence[bytes]
) -> list[dict[str, Any]]:
    """Outcomes and tickets of these mails, as `import --json` and `ticket show --json` tell."""
    folder.mkdir()
    house = House(database, parsers, folder)
    try:
        waiting = []
        for number, raw in enumerate(raws):
            inbound = Inbound(
                raw=raw,
                source="import corpus",
                source_key=f"{number} {NASTY}",
                received=house.now - timedelta(days=1) + timedelta(seconds=number),
                envelope=Envelope(mail_from=NASTY, rcpt_tos=(NASTY,), peer=NASTY, helo=NASTY),
                live=False,
            )
            waiting.append(house.intake.submit(inbound))
        ids = [future.result() for future in waiting]
        house.settle()
    finally:
        house.close()
    with database.reading() as tx:
        rows = [row for row in map(tx.inbox.get, ids) if row is not None]
        assert [tx.blobs.get(row.digest) for row in rows] == list(raws)
        assert None not in {row.outcome for row in rows}
        told = [shapes.mail_line(row) for row in rows]
        found = sorted(tx.tickets.find(limit=10_000), key=lambda row: row.view.number)
        for number in [row.view.number for row in found]:
            row = tx.tickets.get(number)
            assert row is not None
            told.append(shapes.ticket(row, tx.tickets.messages(number), tx.tickets.events(number)))
    assert json.dumps(told, ensure_ascii=False).encode()
    return told


@pytest.mark.peer
def test_p4_p5_hostile_mail_gives_the_same_tickets_on_both(
    sqlite_database: Database, postgres_database: Database, parsers: Parsers, tmp_path: Path
) -> None:
    raws = [HEAD + mail for mail in HOSTILE.values()]
    one = played(sqlite_database, parsers, tmp_path / "one", raws)
    two = played(postgres_database, parsers, tmp_path / "two", raws)
    assert one == two
    outcomes = dict(zip(HOSTILE, one, strict=False))
    assert outcomes["P2-bomb"]["outcome"] == "quarantined"
    assert {told["outcome"] for name, told in outcomes.items() if name != "P2-bomb"} == {"ticket"}
    text = json.dumps(one, ensure_ascii=False)
    assert "<script>" not in text


@pytest.mark.peer
def test_p5_the_corpus_gives_the_same_tickets_on_both(
    sqlite_database: Database,
    postgres_database: Database,
    parsers: Parsers,
    tmp_path: Path,
    corpus: Path,
) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    raws = [(corpus / name).read_bytes() for name in sorted(manifest["messages"])]
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(played, sqlite_database, parsers, tmp_path / "one", raws)
        second = threads.submit(played, postgres_database, parsers, tmp_path / "two", raws)
        one, two = first.result(), second.result()
    assert len(one) > len(raws)
    assert one == two
