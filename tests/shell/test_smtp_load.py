"""S6 and S7 on the real daemon: many large mails at once, floods, and others who want in."""

from __future__ import annotations

import os
import smtplib
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate import worker as worker_room
from mailgate.apply import Desk
from mailgate.assembly import make_desk
from mailgate.config import load, starter
from mailgate.core import peek as peek_room
from mailgate.core.mail import Envelope, Inbound
from mailgate.intake import commit
from mailgate.parsing import Parsers
from mailgate.worker import Worker
from store.database import Database
from tests.peers.daemon_rig import Serving, Site, mail, until
from tests.shell.smtp_rig import Client
from tests.store.samples import NOW

FULL = os.environ.get("MAILGATE_TEST_FULL") == "1"
UPLOADS = 30 if FULL else 12
MIB = 1 << 20
# What the listener may hold ([limits].memory), two groups of the worker's and intake's (32 MiB
# and the mail that fills it), and what a daemon needs with nothing to do.
BOUND_MIB = 256 + 2 * 57 + 130


def large(number: int) -> bytes:
    """A mail of nearly 25 MiB, every one different."""
    line = f"{number} ".encode().ljust(76, b"x") + b"\r\n"
    return mail(f"large {number}") + line * (24 * MIB // len(line))


def resident(pid: int, key: str = "VmHWM") -> int:
    """Memory of a process in MiB: VmHWM is its highest, VmRSS its present one."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) // 1024


def upload(port: int, number: int) -> Counter[int]:
    """Send one large mail, again and again until it is taken; counts the answers."""
    answers: Counter[int] = Counter()
    raw = large(number)
    while not answers[250]:
        with smtplib.SMTP("127.0.0.1", port, timeout=120) as client:
            client.ehlo()
            client.mail("a@example.com")
            client.rcpt("support@example.org")
            answers[client.data(raw)[0]] += 1
            assert answers.keys() <= {250, 452}, answers
    return answers


@pytest.mark.peer
@pytest.mark.timeout(600)
def test_s6_many_large_mails_at_once_are_taken_in_bounded_memory(
    tmp_path: Path,
) -> None:
    with Serving(tmp_path, Site()) as daemon:
        assert daemon.process is not None
        pid = daemon.process.pid
        idle = resident(pid)
        with ThreadPoolExecutor(UPLOADS) as pool:
            answers = sum(
                pool.map(lambda number: upload(daemon.site.smtp, number), range(UPLOADS)),
                Counter[int](),
            )
        daemon.settled(UPLOADS, seconds=500)
        peak, after = resident(pid), resident(pid, "VmRSS")
        assert answers[250] == UPLOADS
        assert daemon.outcomes() == {"ticket": UPLOADS}
        assert peak < BOUND_MIB
        assert after < idle + 150


@pytest.mark.peer
def test_s6_a_gigabyte_without_a_line_end_moves_nothing(tmp_path: Path) -> None:
    block = b"x" * MIB
    with Serving(tmp_path, Site()) as daemon:
        assert daemon.process is not None
        before = resident(daemon.process.pid)
        sent = 0
        with Client(daemon.site.smtp) as client:
            client.expect("220")
            client.ask("EHLO client.example.com", "250")
            client.ask("MAIL FROM:<alice@example.com>", "250")
            client.ask("RCPT TO:<support@example.org>", "250")
            client.ask("DATA", "354")
            try:
                while sent < 1024:
                    client.send(block)
                    sent += 1
            except OSError:
                pass
        assert sent < 100  # MiB until the door is closed; a mail may have 25
        assert resident(daemon.process.pid) < before + 64
        daemon.send(mail("the next one"))
        daemon.settled(1)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A daemon to whom everybody on this machine is a stranger."""
    daemon = Serving(tmp_path_factory.mktemp("strict"), Site())
    text = daemon.config.read_text()
    keys = 'protocol = "smtp"\ntrusted = []\nbanner_delay = 0\n'
    daemon.config.write_text(text.replace('protocol = "smtp"\n', keys))
    with daemon:
        yield daemon


@pytest.mark.peer
def test_s7_20000_recipients(strict: Serving) -> None:
    with Client(strict.site.smtp) as client:
        client.expect("220")
        client.ask("EHLO client.example.com", "250")
        client.ask("MAIL FROM:<alice@example.com>", "250")
        said = answers_to(client, b"RCPT TO:<support@example.org>\r\n", 20_000)
        assert said["250 2.1.5"] == 100
        # The last answers may be lost: who still sends when the door closes gets a reset.
        assert said["452 4.5.3"] <= 898
        assert said.keys() <= {"250 2.1.5", "452 4.5.3", "421 4.7.0"}
    until("the end to be logged", lambda: '"too many commands"' in strict.log())


@pytest.mark.peer
def test_s7_the_recipients_that_were_accepted_get_the_mail(strict: Serving) -> None:
    taken = len(strict.rows())
    with Client(strict.site.smtp) as client:
        client.expect("220")
        client.ask("EHLO client.example.com", "250")
        client.ask("MAIL FROM:<alice@example.com>", "250")
        client.send(b"".join(b"RCPT TO:<support+%d@example.org>\r\n" % n for n in range(150)))
        codes = [client.line()[:3] for _ in range(150)]
        assert codes == ["250"] * 100 + ["452"] * 50
        client.ask("DATA", "354")
        client.send(mail("to many") + b".\r\n")
        client.expect("250")
    rows = strict.settled(taken + 1)
    assert len(rows[-1].envelope.rcpt_tos) == 100


@pytest.mark.peer
def test_s7_5000_noops(strict: Serving) -> None:
    with Client(strict.site.smtp) as client:
        client.expect("220")
        said = answers_to(client, b"NOOP\r\n", 5_000)
        assert said["250 2.0.0"] <= 1000
        assert said.keys() <= {"250 2.0.0", "421 4.7.0"}


@pytest.mark.peer
def test_s7_400_connections_from_one_address_and_one_from_another(strict: Serving) -> None:
    greetings: Counter[str] = Counter()
    taken = len(strict.rows())
    with ExitStack() as crowd:
        for _ in range(400):
            client = crowd.enter_context(Client(strict.site.smtp, "127.0.0.2"))
            greetings[client.line()[:3]] += 1
        assert greetings == {"220": 20, "421": 380}
        with smtplib.SMTP(
            "127.0.0.1", strict.site.smtp, timeout=30, source_address=("127.0.0.3", 0)
        ) as other:
            other.sendmail("b@example.com", ["support@example.org"], mail("let me in"))
    assert strict.settled(taken + 1)[-1].envelope.peer == "127.0.0.3"

    def free_again() -> bool:
        with Client(strict.site.smtp, "127.0.0.2") as client:
            return client.line().startswith("220")

    until("room for the first address", free_again)


def answers_to(client: Client, line: bytes, times: int) -> Counter[str]:
    """Send a line many times, without waiting; counts the answers until the server closes."""
    client.socket.settimeout(60)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_all, client.socket, line * times)
        said = Counter(answer[:9] for answer in iter(client.line, ""))
        sending.result()
    return said


def send_all(connection: socket.socket, data: bytes) -> None:
    """Send until all is gone or nobody listens any more."""
    try:
        connection.sendall(data)
    except ConnectionError:
        return


# --- what keeps memory small ---------------------------------------------------------------


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b"ab"]), max_size=40).map(b"".join),
    st.integers(1, 6),
)
def test_s6_a_fingerprint_in_blocks_is_that_of_the_whole(body: bytes, block: int) -> None:
    before = peek_room._BLOCK
    peek_room._BLOCK = block
    try:
        blocks = list(peek_room._with_lf(body, 1))
    finally:
        peek_room._BLOCK = before
    assert b"".join(blocks) == body[1:].replace(b"\r\n", b"\n")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(load(starter(tmp_path / "desk")[0]), "here")


def test_s6_the_worker_claims_few_large_mails_at_a_time(
    sqlite_database: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_room, "WINDOW_BYTES", 100_000)
    raws = [mail(f"mail {n}", body="x" * 70 + "\n") + b"y" * 40_000 for n in range(8)]
    envelope = Envelope(mail_from="a@example.com", rcpt_tos=("support@example.org",))
    commit(
        sqlite_database,
        [
            Inbound(raw=raw, source="smtp test", source_key=str(n), received=NOW, envelope=envelope)
            for n, raw in enumerate(raws)
        ],
    )
    parsers = Parsers(workers=1)
    held: list[int] = []
    worker = Worker(database=sqlite_database, parsers=parsers, desk=desk)
    try:
        while worker.step():
            held.append(sum(len(job.raw) for job in worker._jobs))
        with sqlite_database.reading() as tx:
            rows = tx.inbox.find(limit=100)
    finally:
        parsers.close()
    assert max(held) < 150_000
    assert [(row.outcome, row.attempts) for row in rows] == [("ticket", 1)] * 8
