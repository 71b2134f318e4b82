"""The whole daemon on PostgreSQL: a conversation, and two nodes that share one database."""

from __future__ import annotations

import smtplib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from pathlib import Path

import pytest
import sqlalchemy

from tests.peers.daemon_rig import Serving, Site, mail, until
from tests.peers.postgres import PostgresServer
from tests.peers.relay_sink import RelaySink

pytestmark = pytest.mark.peer

CARMEN, LUIS, ANA = "carmen@example.com", "luis@example.com", "ana@example.net"


def told(relay: RelaySink, notice: str, address: str, serving: Serving, times: int = 1) -> str:
    """The Message-ID that a notice bore when the relay was given it, `times`, for an address."""

    def gone() -> str | None:
        found = [
            str(one["message_id"])
            for line in sorted(serving.json("outbox", "list"), key=lambda line: line["id"])
            for one in (line["recipients"] if line["kind"] == notice else ())
            if (one["address"], one["state"]) == (address, "sent")
        ]
        return found[-1] if len(found) >= times else None

    found = until(f"{notice} to {address}", gone)
    ids = [message_from_bytes(m.data)["Message-ID"] for m in relay.to(address)]
    assert ids.count(found) == 1
    return found


def test_a_conversation_on_postgresql(tmp_path: Path, postgres_database_url: str) -> None:
    site_url = postgres_database_url
    with (
        RelaySink() as relay,
        Serving(tmp_path, Site(url=site_url, relay=relay.port)) as serving,
    ):
        first = mail("Mi factura", body="¿Me pueden ayudar?\n", cc=LUIS)
        serving.send(first)
        [row] = serving.settled(1)
        number = row.ticket
        confirmation = told(relay, "confirmation", LUIS, serving)
        told(relay, "agent-new", ANA, serving)
        serving.send(mail(f"RE: [#{number}] Mi factura", body="Otra cosa.\n"), first)
        parent = {"In-Reply-To": confirmation, "References": confirmation}
        serving.send(mail("Otro asunto", sender=LUIS, headers=parent), sender=LUIS)
        serving.settled(4)
        notice = told(relay, "agent-message", ANA, serving, times=2)
        answer = {"In-Reply-To": notice, "References": notice}
        reply = mail(f"Re: [#{number}] Mi factura", sender=ANA, headers=answer, body="Hecho.\n")
        serving.send(reply, sender=ANA)
        rows = serving.settled(5)
        assert [str(r.outcome) for r in rows] == ["ticket", "reply", "duplicate", "reply", "reply"]
        assert {r.ticket for r in rows if r.outcome != "duplicate"} == {number}
        told(relay, "answer", CARMEN, serving)
        told(relay, "answer", LUIS, serving)
        done = serving.cli("ticket", "close", str(number), "-m", "Arreglado.")
        assert done.returncode == 0, done.stderr
        told(relay, "closure", CARMEN, serving)
        told(relay, "closure", LUIS, serving)
        serving.quiet()
        serving.balanced()
        [whole] = serving.json("ticket", "show", str(number))
        kinds = [m["kind"] for m in whole["messages"]]
    assert kinds == ["customer", "customer", "customer", "agent"]


def test_two_nodes_share_the_work_and_double_nothing(
    tmp_path: Path, postgres_database_url: str
) -> None:
    count = 30
    raws = [
        mail(f"mail {n}", sender=f"p{n}@example.com", message_id=f"<m{n}@x.test>")
        for n in range(count)
    ]
    with RelaySink() as relay:
        nodes = [
            Serving(
                tmp_path,
                Site(url=postgres_database_url, relay=relay.port),
                name=f"node{number}",
            )
            for number in (1, 2)
        ]
        with nodes[0] as first, nodes[1] as second, ThreadPoolExecutor(4) as clients:
            # Every mail goes to both, as from a sender whose first connection broke off.
            jobs = [
                clients.submit(node.send, *raws[at::2]) for node in (first, second) for at in (0, 1)
            ]
            for job in jobs:
                job.result()
            rows = first.settled(2 * count)
            first.quiet()
            second.balanced()
            tickets = second.json("ticket", "list", "--limit", "1000")
    assert Counter(str(row.outcome) for row in rows) == {"ticket": count, "duplicate": count}
    assert len({row.message_id for row in rows if row.outcome == "ticket"}) == count
    assert len(tickets) == count
    sources = {row.source for row in rows}
    assert len(sources) == 2, "each node took mail at its own port"
    copies = Counter(m.rcpt_tos for m in relay.mails if m.rcpt_tos[0].endswith("@example.com"))
    assert copies == {(f"p{n}@example.com",): 1 for n in range(count)}


def test_d4_a_restarted_postgresql_costs_no_mail(tmp_path: Path, postgres: PostgresServer) -> None:
    """Mail that comes while the database is away is put off (451), and is taken afterwards."""
    name = "mailgate_restart"
    engine = sqlalchemy.create_engine(postgres.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    with Serving(tmp_path, Site(url=postgres.url(name))) as serving:
        serving.send(mail("before"))
        serving.settled(1)
        postgres.stop()
        try:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                serving.send(mail("while away"))
            assert 400 <= refused.value.smtp_code < 500
            assert serving.cli("deliver", stdin=mail("by pipe")).returncode == 75
        finally:
            postgres.start()
        until("mail to be taken again", lambda: _sends(serving))
        serving.settled(2)
        serving.balanced()


def _sends(serving: Serving) -> bool:
    try:
        serving.send(mail("after", message_id="<after@x.test>"))
    except smtplib.SMTPException:
        return False
    return True
