"""No log line, event, trace or listing holds a token, whatever mail comes (reliability: E5)."""

from __future__ import annotations

import io
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, date, datetime
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.core import token
from mailgate.core.people import Role
from store.database import Database
from tests.shell.cli_rig import Cli, letter

RUN = re.compile(r"(?<![a-z0-9])([a-z2-7]{56}|[a-z2-7]{47})(?![a-z0-9])", re.IGNORECASE)


def tokens(text: str) -> list[str]:
    """What in a text opens as a token."""
    return [found for found in RUN.findall(text) if token.open_(found)]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that the journal says, of the least importance too."""
    stream = io.StringIO()
    monkeypatch.setattr(journal, "troubles_on_stderr", nullcontext)
    kept = (journal._log.handlers[:], journal._log.level, journal._log.propagate)
    journal.configure(stream, level=logging.DEBUG)
    yield stream
    journal._log.handlers[:], level, journal._log.propagate = kept
    journal._log.setLevel(level)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = Cli(tmp_path, capsys, monkeypatch)
    text = cli.config.read_text("utf-8")
    cli.config.write_text(f'{text}\n[trust]\nplus_addressing = "yes"\n', "utf-8")
    return cli


def sent(cli: Cli) -> dict[str, str]:
    """The last mail to each address, as it goes over the wire."""
    database = Database("sqlite", cli.folder / "data")
    with database.reading() as tx:
        wires = {
            r.address: tx.outbox.wire_bytes(r.id).decode().replace("\r\n", "\n")
            for row in sorted(tx.outbox.list(), key=lambda row: row.id)
            for r in row.recipients
        }
    database.close()
    return wires


def field(mail: str, name: str) -> str:
    unfolded = re.sub(r"\n[ \t]+", " ", mail.partition("\n\n")[0])
    found = re.search(rf"(?mi)^{name}: (.*)$", unfolded)
    assert found is not None
    return found[1].strip()


def test_no_token_is_in_a_log_line_event_or_trace_E5(
    cli: Cli, log: io.StringIO, tmp_path: Path
) -> None:
    cli.take(letter("Hello"))
    first = sent(cli)
    mine, anas = first["carmen@example.com"], first["ana@example.org"]
    reply_to, message_id = field(anas, "Reply-To"), field(anas, "Message-ID")
    own = field(mine, "Reply-To")
    assert [len(tokens(text)) for text in (reply_to, message_id, own)] == [1, 1, 1]

    def to(address: str, subject: str, sender: str, *head: str) -> bytes:
        plain = letter(subject, sender=sender, head=[*head])
        return plain.replace(b"To: support@example.org", f"To: {address}".encode())

    genuine = tokens(own)[0]
    other = "b" if genuine[-2] == "a" else "a"  # of the MAC; the last letter has two bits alone
    forged = own.replace(genuine, f"{genuine[:-2]}{other}{genuine[-1]}")
    lines = cli.take(
        to(reply_to, "Re: answer", "ana@example.org", f"In-Reply-To: {message_id}"),
        to(own, "Re: more", "carmen@example.com"),
        to(own, "Re: stranger", "mallory@example.net"),
        to(reply_to, "Re: phone", "ana@phone.test"),
        to(forged, "Re: forged", "mallory@example.net"),
        letter(f"see {tokens(own)[0]}", sender="mallory@example.net", body=f"{own}\r\n"),
        mine.replace("\n", "\r\n").encode(),  # our own mail comes back
    )
    outcomes = [line["outcome"] for line in lines]
    assert outcomes == ["reply", "reply", "held", "held", "ticket", "ticket", "ignored"]
    said = log.getvalue()
    assert '"settled"' in said
    assert tokens(said) == []
    with closing(sqlite3.connect(tmp_path / "data" / "mailgate.db")) as conn:
        events = [row[0] for row in conn.execute("SELECT data FROM events")]
        traces = [row[0] for row in conn.execute("SELECT trace FROM inbox")]
        reasons = [row[0] for row in conn.execute("SELECT reason FROM inbox")]
        held = [row[0] for row in conn.execute("SELECT why FROM held")]
    assert len(events) > 10
    assert len(held) == 2
    for text in (*events, *traces, *reasons, *held):
        assert tokens(text) == [], json.loads(text) if text[:1] in "[{" else text
    # explained to operators, too
    for line in lines:
        out = cli.ok("explain", str(line["inbound"])).out
        assert tokens(out) == [], out


def test_a_mail_to_others_holds_nobody_elses_token_C8(cli: Cli) -> None:
    cli.take(letter("Hello", head=["Cc: luis@example.com"]))
    anas = sent(cli)["ana@example.org"]
    secret = {text.lower() for text in tokens(anas)}
    assert len(secret) == 2
    shown = message_from_string(anas, policy=default).get_body(("plain",))
    assert shown is not None
    quoted = "".join(f"> {line}\r\n" for line in shown.get_content().splitlines())
    told = f"Write to {field(anas, 'Reply-To')} again, about {field(anas, 'Message-ID')}."
    answer = letter(
        "Re: Hello",
        sender="ana@example.org",
        head=[f"In-Reply-To: {field(anas, 'Message-ID')}"],
        body=f"{told}\r\n\r\n{quoted}",
    )
    assert {text.lower() for text in tokens(told)} == secret
    [line] = cli.take(answer)
    assert line["outcome"] == "reply"
    mails = sent(cli)
    own: dict[str, set[str]] = {
        who: {t.lower() for t in tokens(mail)} for who, mail in mails.items()
    }
    for who in ("carmen@example.com", "luis@example.com"):
        assert "again" in mails[who]
        assert own[who]
        assert not own[who] & secret
    assert not own["carmen@example.com"] & own["luis@example.com"]


def test_a_token_at_the_edge_of_a_cut_field_is_blotted_out_E5(log: io.StringIO) -> None:
    made = token.Token(
        purpose=token.Purpose.BOUNCE,
        role=Role.CC,
        key=1,
        last_day=date(2030, 1, 1),
        number=7,
        holder=token.holder_of("bob@example.net"),
    )
    key = token.Key(id=1, secret=bytes(32), created=datetime(2026, 5, 1, tzinfo=UTC))
    text = token.seal(made, key)
    assert tokens(f"<support+{text.upper()}@example.org>") == [text.upper()]
    for before in range(200, 310):
        said = f"{'x' * before} <support+{text.upper()}@example.org>"
        journal.attempted(outbox=1, recipient=2, state="failed", code=550, text=said)
    low = log.getvalue().lower()
    assert low.count("support+") > 50
    assert text[:20] not in low
