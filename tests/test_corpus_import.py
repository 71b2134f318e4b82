"""Real mail through `mailgate import`: one outcome each, every byte kept, nobody answered wrongly.

By default the whole corpus folder and the first 300 mails of the list archive are imported, on
SQLite and on PostgreSQL; MAILGATE_TEST_FULL=1 takes all 1,500 of the archive.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.mail import Kind
from store.database import Database
from tests.peers.daemon_rig import ROOT, Serving, Site, run_cli, until

pytestmark = pytest.mark.timeout(900)

LIST_MAILS = 1500 if os.environ.get("MAILGATE_TEST_FULL") == "1" else 300
AGENTS = {"ana@example.net", "bruno@example.net"}
UNANSWERED = {Kind.BOUNCE.value, Kind.AUTO_REPLY.value, Kind.LIST.value}
# Files whose sender gets a confirmation although the manifest calls them one of UNANSWERED, each
# with the reason. A file that is no longer answered has to leave this list.
ANSWERED_ALL_THE_SAME: dict[str, str] = {}


@pytest.fixture(scope="session")
def archive(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list archive, unpacked; named in order of arrival."""
    folder = tmp_path_factory.mktemp("list")
    with tarfile.open(corpus / "uboot-list" / "uboot-list.tar.gz") as packed:
        wanted = sorted(m.name for m in packed if m.isfile() and m.name.endswith(".eml"))
        packed.extractall(folder, [packed.getmember(n) for n in wanted[:LIST_MAILS]], filter="data")
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Serving:
    """A fresh installation that nobody serves, on each engine."""
    if request.param == "sqlite":
        return Serving(tmp_path, Site())
    return Serving(tmp_path, Site(url=request.getfixturevalue("postgres_database_url")))


def eml_files(*folders: Path) -> list[Path]:
    """Every .eml below, also the one whose whole name is `.eml`."""
    return [p for f in folders for p in f.rglob("*") if p.is_file() and p.name.endswith(".eml")]


def import_mail(place: Serving, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """`mailgate import`, which must end with 0 and without a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "mailgate", "--config", place.config, "import", *words],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    assert b"Traceback" not in done.stdout + done.stderr
    return done


def sent_to_outsiders(database: Database) -> dict[int, set[str]]:
    """For each mail: the notices that it caused to people other than agents."""
    found: dict[int, set[str]] = defaultdict(set)
    with database.reading() as tx:
        for row in tx.inbox.find(limit=10_000):
            for mail in tx.outbox.list(inbox=row.id):
                if {copy.address for copy in mail.recipients} - AGENTS:
                    found[row.id].add(mail.notice)
    return found


def test_every_mail_of_the_corpus_ends_in_one_outcome_with_its_bytes(
    place: Serving, corpus: Path, archive: Path
) -> None:
    """The whole corpus folder, and 300 mails of the list archive (all with MAILGATE_TEST_FULL)."""
    files = {p: p.read_bytes() for p in eml_files(corpus, archive)}
    digests = Counter(sha256(raw).hexdigest() for raw in files.values())
    assert any(p.name == ".eml" for p in files), "the corpus has a file that is all suffix"
    done = import_mail(place, "--live", "--json", corpus, archive)
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert Counter(line["digest"] for line in lines) == digests
    assert all(line["outcome"] and line["reason"] for line in lines)
    assert len({line["inbound"] for line in lines}) == len(files)
    with place.database() as database:
        _no_two_mails_are_one(database, len(files))
        _raw_is_identical(database, digests)
        _nobody_is_answered_wrongly(database, corpus)
    for path in sorted(files)[:: len(files) // 3]:
        line = next(x for x in lines if x["digest"] == sha256(files[path]).hexdigest())
        assert place.cli("raw", str(line["inbound"])).stdout == files[path]
    place.balanced()


def _no_two_mails_are_one(database: Database, count: int) -> None:
    with database.reading() as tx:
        rows = {row.id: row for row in tx.inbox.find(limit=10_000)}
    assert len(rows) == count
    for row in rows.values():
        assert (row.outcome == "duplicate") == (row.duplicate_of is not None)
        if row.duplicate_of:
            assert rows[row.duplicate_of].digest == row.digest
            assert row.duplicate_of < row.id


def _raw_is_identical(database: Database, digests: Counter[str]) -> None:
    with database.reading() as tx:
        for digest in digests:
            assert sha256(tx.blobs.get(digest)).hexdigest() == digest


def _nobody_is_answered_wrongly(database: Database, corpus: Path) -> None:
    messages: dict[str, dict[str, Any]] = json.loads((corpus / "manifest.json").read_text())[
        "messages"
    ]
    silent = {e["sha256"]: file for file, e in messages.items() if e["outcome"] in UNANSWERED}
    told = sent_to_outsiders(database)
    with database.reading() as tx:
        rows = [row for row in tx.inbox.find(limit=10_000) if row.digest in silent]
    assert len(rows) >= 40, "the manifest names some"
    answered = {silent[row.digest] for row in rows if row.id in told}
    assert answered == set(ANSWERED_ALL_THE_SAME)
    assert told, "others are told of their ticket, so this test can fail"


def test_a_silent_import_sends_nothing_keeps_dates_and_adds_nothing_the_second_time(
    place: Serving, archive: Path
) -> None:
    files = sorted(eml_files(archive))[:60]
    first = import_mail(place, *files)
    assert first.stdout.decode().startswith("60 mails, 60 new: ")
    rows = place.rows()
    dates = {sha256(p.read_bytes()).hexdigest(): _date(p) for p in files}
    assert {row.digest: row.received for row in rows} == dates
    heads = {head["number"]: head for head in place.json("ticket", "list", "--limit", "1000")}
    for row in rows:
        if row.outcome == "ticket" and row.ticket:
            created = datetime.fromisoformat(heads[row.ticket]["created"])
            assert created == dates[row.digest].replace(microsecond=0)
    second = import_mail(place, *files)
    assert second.stdout.decode().startswith("60 mails, 0 new: ")
    assert place.rows() == rows
    with place.database() as database, database.reading() as tx:
        assert tx.outbox.list() == []
        assert tx.clocks.next_due() is None
    place.balanced()


def _date(path: Path) -> datetime:
    head = path.read_bytes().partition(b"\n\n")[0].decode("latin-1")
    [written] = [x[5:] for x in head.splitlines() if x.lower().startswith("date:")][:1]
    return parsedate_to_datetime(written.strip()).astimezone(UTC)


def test_an_interrupted_import_is_completed_by_running_it_again(
    place: Serving, archive: Path
) -> None:
    files = sorted(eml_files(archive))
    command = [sys.executable, "-m", "mailgate", "--config", str(place.config), "import"]
    assert run_cli(place.config, "status").returncode == 0
    with subprocess.Popen(
        [*command, str(archive)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts what runs in its background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        until("the first settled mails", lambda: any(row.outcome for row in place.rows()))
        process.send_signal(signal.SIGINT)
        _out, said = process.communicate()
    assert process.returncode == 130, said
    # A parse process that was just starting may lament the loss of its parent.
    assert b"mailgate/cli" not in said
    there = len(place.rows())
    assert 0 < there < len(files)
    done = import_mail(place, archive)
    assert done.stdout.decode().startswith(f"{len(files)} mails, {len(files) - there} new: ")
    rows = place.rows()
    assert Counter(row.digest for row in rows) == {
        sha256(p.read_bytes()).hexdigest(): 1 for p in files
    }
    assert all(row.outcome for row in rows)
    place.balanced()
