"""The whole daemon and a real Postfix: in by pipe(8) and LMTP, out through it as the relay."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.peers.daemon_rig import QUEUE, Serving, Site, mail, run_cli, until
from tests.peers.ports import free_port
from tests.peers.postfix import Postfix, missing
from tests.peers.relay_sink import RelaySink

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(missing()), reason=missing() or "Postfix runs"),
]

CARMEN, LUIS = "carmen@example.com", "luis@example.com"

# pipe(8) runs commands as neither root nor postfix, and such a user need not see the interpreter
# or the test's folder. So the command hands its words and its stdin to a thread of the test, which
# runs the real `mailgate deliver` with them and gives back its exit status and its stderr.
_COMMAND = """\
#!/bin/sh
job=$(mktemp -d {jobs}/XXXXXX) && chmod 755 "$job" || exit 75
cat > "$job/stdin"
printf '%s\\n' "$@" > "$job/words"
mkfifo -m 666 "$job/done" && touch "$job/ready"
read status < "$job/done"
cat "$job/stderr" >&2
exit "$status"
"""


class Pipe:
    """The command for pipe(8), and the thread that does its work."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.config = config
        self.statuses: list[int] = []
        self.jobs = folder / "jobs"
        self.jobs.mkdir()
        self.jobs.chmod(0o1777)
        self.command = folder / "deliver"
        self.command.write_text(_COMMAND.format(jobs=shlex.quote(str(self.jobs))))
        self.command.chmod(0o755)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipe")

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            for ready in sorted(self.jobs.glob("*/ready")):
                ready.unlink()
                self._deliver(ready.parent)

    def _deliver(self, job: Path) -> None:
        words = (job / "words").read_text().splitlines()
        done = run_cli(self.config, "deliver", *words, stdin=(job / "stdin").read_bytes())
        (job / "stderr").write_bytes(done.stderr)
        (job / "stderr").chmod(0o644)
        self.statuses.append(done.returncode)
        (job / "done").write_text(f"{done.returncode}\n")

    @contextmanager
    def working(self) -> Iterator[Pipe]:
        """While in the block, jobs are done."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


@contextmanager
def piping(config: Path) -> Iterator[tuple[Postfix, Pipe]]:
    """A Postfix whose mail for us goes into `mailgate deliver`."""
    with tempfile.TemporaryDirectory(prefix="pipe") as name:
        folder = Path(name)
        folder.chmod(0o755)
        words = ["--from", "${sender}", "--rcpt", "${recipient}"]
        with Pipe(folder, config).working() as pipe:
            command = [str(pipe.command), *words]
            with Postfix(domains=("example.org",), pipe_command=command) as postfix:
                yield postfix, pipe


def test_mail_through_pipe_becomes_a_ticket_of_the_running_daemon(tmp_path: Path) -> None:
    with (
        Serving(tmp_path, Site()) as serving,
        piping(serving.config) as (postfix, pipe),
    ):
        raw = mail("by pipe")
        postfix.send(raw, CARMEN, [QUEUE])
        postfix.wait_until_empty()
        [row] = serving.settled(1)
        taken = serving.cli("raw", "1").stdout
        serving.balanced()
    assert pipe.statuses == [0]
    assert (row.outcome, row.source) == ("ticket", "pipe")
    assert (row.envelope.mail_from, row.envelope.rcpt_tos) == (CARMEN, (QUEUE,))
    # Postfix puts its Received: on top and gives a pipe the line ends of its system.
    assert taken.endswith(raw.replace(b"\r\n", b"\n"))


def test_the_null_sender_comes_through_pipe_as_one(tmp_path: Path) -> None:
    serving = Serving(tmp_path, Site())
    with piping(serving.config) as (postfix, pipe):
        postfix.send(mail("report"), "", [QUEUE])
        postfix.wait_until_empty()
    assert pipe.statuses == [0]
    assert [row.envelope.mail_from for row in serving.rows()] == [""]


def test_e2_while_the_database_is_unusable_mail_waits_in_postfix(tmp_path: Path) -> None:
    serving = Serving(tmp_path, Site())
    data, away = tmp_path / "data", tmp_path / "away"
    assert run_cli(serving.config, "status").returncode == 0
    with piping(serving.config) as (postfix, pipe):
        data.rename(away)
        data.write_text("a file where the folder was")
        postfix.send(mail("patience"), CARMEN, [QUEUE])
        postfix.wait_until_deferred()
        data.unlink()
        away.rename(data)
        assert serving.rows() == []
        text = serving.config.read_text()
        serving.config.write_text(text.replace("domain", "domian"))
        postfix.queue_flush()
        until("a second try", lambda: pipe.statuses == [75, 75])
        postfix.wait_until_deferred()
        serving.config.write_text(text)
        postfix.queue_flush()
        postfix.wait_until_empty()
        log = postfix.log()
    assert pipe.statuses == [75, 75, 0]
    assert "status=bounced" not in log
    with serving:
        assert [str(row.outcome) for row in serving.settled(1)] == ["ticket"]


def test_lmtp_in_and_the_same_postfix_out_each_gets_one_confirmation(tmp_path: Path) -> None:
    lmtp = free_port()
    with (
        RelaySink() as world,
        Postfix(domains=("example.org",), lmtp_port=lmtp, relay_to=world.port) as postfix,
        Serving(tmp_path, Site(lmtp=lmtp, relay=postfix.port)) as serving,
    ):
        raw = mail("by LMTP", cc=LUIS)
        postfix.send(raw, CARMEN, [QUEUE])
        [row] = serving.settled(1)
        serving.quiet()
        postfix.wait_until_empty()
        [whole] = serving.json("ticket", "show", str(row.ticket))
        serving.balanced()
        assert serving.cli("raw", "1").stdout.endswith(raw)
    assert row.source.startswith("lmtp ")
    assert whole["cc"] == [LUIS]
    told = Counter(mail.rcpt_tos for mail in world.mails)
    assert told[(CARMEN,)] == told[(LUIS,)] == 1
    for person in (CARMEN, LUIS):
        [copy] = world.to(person)
        notice = message_from_bytes(copy.data)
        assert f"#{row.ticket}" in notice["Subject"]
        assert notice["Auto-Submitted"] == "auto-replied"
        assert copy.mail_from.startswith("support+")  # a return path of its own


def test_what_postfix_cannot_deliver_comes_back_as_a_bounce_on_the_outbox(tmp_path: Path) -> None:
    lmtp = free_port()
    with (
        RelaySink() as world,
        Postfix(domains=("example.org",), lmtp_port=lmtp, relay_to=world.port) as postfix,
        Serving(tmp_path, Site(lmtp=lmtp, relay=postfix.port)) as serving,
    ):
        postfix.send(mail("hello"), CARMEN, [QUEUE])
        serving.settled(1)
        serving.quiet()
        postfix.wait_until_empty()
        world.script("RCPT", "550 5.1.1 no such person", who=CARMEN)
        done = serving.cli("ticket", "reply", "1001", "--as", "ana@example.net", "-m", "Done.")
        assert done.returncode == 0, done.stderr
        rows = serving.settled(2)
        postfix.wait_until_empty()
        serving.balanced()
        [whole] = serving.json("ticket", "show", "1001")
    assert [str(row.outcome) for row in rows] == ["ticket", "bounce"]
    [bounce] = [event for event in whole["events"] if event["kind"] == "bounce"]
    assert bounce["inbound"] == rows[1].id


def test_the_command_is_what_the_shell_says(tmp_path: Path) -> None:
    """The rig itself: words, bytes and status come through unchanged."""
    pipe = Pipe(tmp_path, tmp_path / "none.toml")
    with pipe.working():
        done = subprocess.run(
            [str(pipe.command), "--from", ""], input=b"a\r\n\0b", capture_output=True, check=False
        )
    assert done.returncode == 75
    assert b"none.toml: cannot be read" in done.stderr
    [job] = pipe.jobs.iterdir()
    assert (job / "words").read_text() == "--from\n\n"
    assert (job / "stdin").read_bytes() == b"a\r\n\0b"
