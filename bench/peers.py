"""mailgate and the bare sink under the load client: what was accepted, and when all had settled."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import quantiles
from typing import Any

from sqlalchemy import func, select

from bench.corpus import Mix
from bench.processes import ROOT, Failed, ask, end, run, served, weigh
from store.database import Database
from store.schema import inbox, metadata, outbox_recipients

PATIENCE = 300.0  # seconds for one run

_CONFIG = """\
[helpdesk]
domain = "example.org"
name = "Support"
data_dir = "data"

[database]
url = "{database}"

[[mailbox]]
address = "support@example.org"

[[smtp]]
listen = "127.0.0.1:{port}"

[[relay]]
host = "127.0.0.1"
port = {relay}
tls = "none"

[web]
listen = ""

[gate]
per_address_hour = 0
per_address_day = 0
changes_hour = 0
per_ticket_hour = 0
per_domain_hour = 0
total_hour = 0
copies_hour = 0
copies_day = 0
agent_hour = 0
agent_ticket_hour = 0
storm_mails = 0
"""

_NO_FLOODS = """
[limits]
flood_mails = 0
flood_domain_mails = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent, over how many connections."""

    mix: Mix
    connections: int
    mails: int
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run; rates are mails a second, waits are seconds, 0 is "not measured"."""

    accept: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    settle: float = 0.0
    cpu: float = 0.0  # seconds of all cores, per mail
    peak: int = 0  # octets
    sent: int = 0  # mails the relay was given


def bare_sink(load: Load, folder: Path) -> Result:
    """aiosmtpd and an fsync, nothing else."""
    mails = folder / "mails"
    mails.mkdir()
    with served("bench.sink", str(mails), errors=folder / "sink.log") as (process, port):
        before = weigh(process.pid)
        seen = _load(port, load)
        after = weigh(process.pid)
    kept = len(list(mails.iterdir()))
    if kept != load.mails:
        raise Failed(f"the sink kept {kept} of {load.mails} mails")
    return Result(
        **_accepted(seen, load), cpu=(after.cpu - before.cpu) / load.mails, peak=after.peak
    )


def mailgate(load: Load, folder: Path, database: str) -> Result:
    """A real daemon on an empty database; a few mails go ahead so that all its parts are up."""
    with (
        served("bench.relay", errors=folder / "relay.log") as (relay, relay_port),
        daemon(folder, relay_port, database) as (process, port, store),
    ):
        warm = Load(mix=Mix.PLAIN, connections=2, mails=6, seed=1_000_000)
        _load(port, warm)
        wait_until_settled(store, process)
        ahead, before = ask(relay)["count"], weigh(process.pid)
        seen = _load(port, load)
        wait_until_settled(store, process)
        after, caught = weigh(process.pid), ask(relay)
        done = max(caught["last"], _last_settled(store))
    return Result(
        **_accepted(seen, load),
        settle=load.mails / (done - seen["began"]),
        cpu=(after.cpu - before.cpu) / load.mails,
        peak=after.peak,
        sent=caught["count"] - ahead,
    )


@contextmanager
def daemon(
    folder: Path, relay: int, database: str, *, floods: bool = False
) -> Iterator[tuple[subprocess.Popen[bytes], int, Database]]:
    """`mailgate serve` on an empty database; `floods`: many mails of one sender are gathered."""
    port = free_port()
    config = folder / "config.toml"
    text = _CONFIG.format(port=port, relay=relay, database=database)
    config.write_text(text if floods else text + _NO_FLOODS, encoding="utf-8")
    store = Database(database, folder / "data")
    if not store.sqlite:
        _empty(store)
    with (folder / "daemon.log").open("wb") as log:
        words = [sys.executable, "-m", "mailgate", "--config", str(config), "serve"]
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=ROOT)
    try:
        wait_for_port(port, process)
        yield process, port, store
    finally:
        store.close()
        end(process)


def _empty(store: Database) -> None:
    """Make every run on a server begin with an empty database: all its tables are dropped."""
    with store.engine.begin() as conn:
        metadata.drop_all(conn)
        conn.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")


def free_port() -> int:
    """A TCP port of the loopback that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody listens. Raises Failed."""
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Failed(f"nobody listens on port {port}; see the log beside the configuration")


def _load(port: int, load: Load) -> dict[str, Any]:
    words = [sys.executable, "-m", "bench.load", port, load.connections, load.mails, load.seed]
    seen = json.loads(run([*map(str, words), load.mix], timeout=PATIENCE))
    if seen["refused"] or len(seen["waits"]) != load.mails:
        raise Failed(f"{len(seen['waits'])} of {load.mails} mails taken: {seen['refused'][:1]}")
    return dict(seen)


def _accepted(seen: dict[str, Any], load: Load) -> dict[str, Any]:
    cuts = quantiles(seen["waits"], n=100, method="inclusive")
    rate = load.mails / (seen["ended"] - seen["began"])
    return {"accept": rate, "p50": cuts[49], "p99": cuts[98]}


def wait_until_settled(store: Database, process: subprocess.Popen[bytes]) -> None:
    """Return when every mail has its outcome and is out. Raises Failed."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed("the daemon ended")
        with store.reading() as tx:
            r = outbox_recipients.c
            waiting = select(func.count()).where(inbox.c.outcome.is_(None))
            unsent = select(func.count()).where(r.state != "sent")
            if not tx.conn.execute(waiting).scalar() and not tx.conn.execute(unsent).scalar():
                return
        time.sleep(0.1)
    raise Failed(f"not all mail had settled after {PATIENCE:g} s")


def _last_settled(store: Database) -> float:
    with store.reading() as tx:
        return float(tx.conn.execute(select(func.max(inbox.c.settled))).scalar_one().timestamp())


def fresh(folder: Path) -> Path:
    """An empty folder."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
