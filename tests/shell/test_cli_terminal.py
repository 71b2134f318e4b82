"""`mailgate demo` on a terminal: it stays up, can be sent a mail, and ends well on Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.daemon_rig import ROOT, run_cli, until

LAST = "ticket list` shows the tickets."


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_demo_stays_up_takes_the_mail_it_tells_of_and_ends_with_0_on_ctrl_c() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mailgate", "demo"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        start_new_session=True,
        # A shell starts what runs in its background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as demo:
        os.close(theirs)
        seen = ""
        while LAST not in seen:
            seen += os.read(ours, 4096).decode("utf-8", "replace")
        [line] = [line for line in seen.splitlines() if "curl -T -" in line]
        subprocess.run(["sh", "-c", line], check=True, capture_output=True)
        folder = re.findall(r"mailgate demo in (\S+)", seen)[0]
        config = Path(folder) / "config.toml"
        until(
            "the ticket of our own mail",
            lambda: b"you@example.net" in run_cli(config, "ticket", "list").stdout,
        )
        os.killpg(demo.pid, signal.SIGINT)  # as Ctrl-C does: to the daemon as well
        assert demo.wait(30) == 0
    os.close(ours)
    assert not Path(folder).exists()
