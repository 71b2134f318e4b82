"""Attachments that want out of their folder, out of their header, or out of their archive."""

from __future__ import annotations

import ast
import hashlib
import zipfile
from base64 import b64encode
from email import message_from_bytes, policy
from io import BytesIO
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.core.decision import CopyState
from mailgate.core.filename import clean_name
from mailgate.core.parse import parse, parts_bytes
from mailgate.wire import Part, body
from tests.peers.relay_sink import RelaySink
from tests.shell.mailer_rig import Desk, relay

ROOT = Path(__file__).resolve().parents[2]
HEAD = b"From: eve@evil.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
NAMES = [
    b'filename="../../../etc/passwd"',
    b"filename*=utf-8''%2e%2e%2f%2e%2e%2fx.sh",
    b"filename*0*=utf-8''..%2F; filename*1=..%2Fx",
    b'filename="=?utf-8?q?=2E=2E=2Fx?="',
    b'filename="..\\..\\boot.ini"',
    b'filename="a\0b.txt"',
    b"filename*=utf-8''a%0d%0aContent-Type:%20text/html%0d%0a%0d%0a<script>",
    b'filename="CON.txt"',
    b'filename="' + b"x" * 4096 + b'.pdf"',
    "filename=\"invoice\u202efdp.exe\"".encode(),
    b"filename*=utf-8''%ed%a0%80.txt",
    b'filename="a\\"; filename=\\"b"',
    b'filename="..."',
    b'filename=""',
]  # fmt: skip


def with_file(head: bytes, data: bytes) -> bytes:
    coded = b64encode(data)
    return (
        HEAD
        + b"--b\r\n\r\nHello\r\n--b\r\nContent-Disposition: attachment; "
        + head
        + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + coded
        + b"\r\n--b--\r\n"
    )


@pytest.mark.parametrize("head", NAMES, ids=range(len(NAMES)))
def test_f1_a_name_stays_in_its_folder_and_in_its_header(head: bytes) -> None:
    (attached,) = parse(with_file(head, b"data")).attachments
    name = attached.filename
    assert name
    assert name == clean_name(name)
    assert not set("/\\\0\r\n:") & set(name)
    assert name not in (".", "..")
    assert len(name.encode()) <= 240
    sent = body("x", "<p>x</p>", [Part(filename=name, content_type="x/y", data=b"1")], "seed")
    assert b"\r\n" in sent
    assert sent.isascii()
    message = message_from_bytes(sent, policy=policy.default)
    (part,) = message.iter_attachments()
    assert part.get_filename() == " ".join(name.split())
    assert part.keys() == [
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
    ]


def bomb() -> bytes:
    """A zip of zeros, in a zip."""
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50 << 20))
    outer = BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", inner.getvalue())
    return outer.getvalue()


def test_f2_an_archive_is_octets() -> None:
    data = bomb()
    raw = with_file(b'filename="bomb.zip"', data)
    (attached,) = parse(raw).attachments
    assert (attached.size, attached.digest) == (len(data), hashlib.sha256(data).hexdigest())
    assert parts_bytes(raw, [attached.part]) == [data]


def test_f2_nothing_here_can_unpack() -> None:
    unpackers = {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zlib"}
    found = set()
    for path in [*(ROOT / "mailgate").rglob("*.py"), *(ROOT / "store").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if unpackers & set(names):
                found.add((path.relative_to(ROOT).as_posix(), *names))
    # A backup is our own archive, never one that came by mail.
    assert {f for f in found if not f[0].startswith("mailgate/ops/")} == set()


def test_f3_five_hundred_parts_of_fifty_kilobytes() -> None:
    part = (
        b"--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    raw = HEAD + b"".join(
        part + b64encode(b"%d" % i + b"\xff" * 37_000) + b"\r\n" for i in range(500)
    )
    mail = parse(raw + b"--b--\r\n")
    assert len(mail.attachments) == 500
    assert len({a.digest for a in mail.attachments}) == 500
    assert "too-complex" not in mail.defects


def test_f3_one_file_of_twenty_five_megabytes() -> None:
    data = bytes(range(256)) * 75_000
    (attached,) = parse(with_file(b"filename=big.bin", data)).attachments
    assert (attached.size, attached.digest) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_f4_a_mail_without_its_bytes_is_not_sent(desk: Desk) -> None:
    raw = b"Subject: large\r\n\r\n" + b"x" * 100_000 + b"\r\n"
    desk.queue("ann@example.net", raw=raw)
    desk.queue("bert@example.net")
    with desk.database.reading() as tx:
        large = min(tx.outbox.list(), key=lambda row: row.id)
    desk.database.folder.path(large.digest).unlink()
    before = journal.COUNTS["trouble", "outbox"]
    with RelaySink() as sink:
        with desk.sending(relay(sink)):
            desk.wait_for("bert@example.net", "sent")
            lost = desk.wait_for("ann@example.net", "failed")
        assert "bytes of this mail are missing" in lost.text
        assert desk.events("undeliverable") == ["ann@example.net"]
        assert journal.COUNTS["trouble", "outbox"] == before + 1
        assert [mail.rcpt_tos for mail in sink.mails] == [("bert@example.net",)]
        desk.database.folder.write(large.digest, raw)
        with desk.database.transaction() as tx:
            tx.outbox.retry([large.id], large.created)
        with desk.sending(relay(sink)):
            desk.wait_for("ann@example.net", "sent")


def test_f4_too_large_for_the_relay_is_told_on_the_ticket(desk: Desk) -> None:
    with RelaySink() as sink:
        sink.offers = ["SIZE 1000"]
        desk.queue("ann@example.net", raw=b"Subject: x\r\n\r\n" + b"x" * 2000 + b"\r\n")
        with desk.sending(relay(sink)):
            row = desk.wait_for("ann@example.net", "failed")
        assert (row.code, row.due) == (552, None)
        assert "the relay takes 1000" in row.text
        assert desk.events("undeliverable") == ["ann@example.net"]
        assert desk.state("ann@example.net") is CopyState.FAILED
        assert sink.seen("MAIL") == 0
