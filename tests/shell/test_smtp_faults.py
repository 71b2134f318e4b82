"""What happens when the store fails, the client leaves, or somebody takes too much."""

from __future__ import annotations

import errno
import smtplib
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from mailgate.core.mail import Inbound
from mailgate.sources.smtp import Limits, Wire
from tests.shell.smtp_rig import Rig

FULL = "452 4.3.1 No room for it now, please try again later"
TROUBLE = "451 4.3.0 Temporary trouble, please try again later"


def wait_until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.01)


def raise_now(_mail: Inbound) -> Future[int]:
    raise OSError(errno.EIO, "Input/output error", "/var/lib/secret/path")


def raise_later(_mail: Inbound) -> Future[int]:
    future: Future[int] = Future()
    future.set_exception(RuntimeError("(sqlite3.OperationalError) database is locked"))
    return future


def let_go(_mail: Inbound) -> Future[int]:
    future: Future[int] = Future()
    future.cancel()
    return future


@pytest.mark.parametrize("submit", [raise_now, raise_later, let_go])
def test_s3_trouble_is_a_fixed_451_and_the_session_goes_on(tmp_path: Path, submit: object) -> None:
    with Rig(tmp_path, submit=submit) as rig, rig.ready() as client:  # type: ignore[arg-type]
        client.send(b"x\r\n.\r\n")
        assert client.reply() == [TROUBLE]
        client.ask("MAIL FROM:<alice@example.com>", "250")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_d3_no_room_is_a_fixed_452_and_the_session_goes_on(tmp_path: Path, number: int) -> None:
    def full(_mail: Inbound) -> Future[int]:
        raise OSError(number, "told nobody", "/var/lib/secret/path")

    with Rig(tmp_path, submit=full) as rig, rig.ready() as client:
        client.send(b"x\r\n.\r\n")
        assert client.reply() == [FULL]
        client.ask("MAIL FROM:<alice@example.com>", "250")


def test_s3_trouble_in_the_list_of_mailboxes_is_the_same_451(tmp_path: Path) -> None:
    def broken(_address: str) -> bool:
        raise KeyError("internal table name")

    with Rig(tmp_path) as rig, rig.greeted() as client:
        rig.listener.accepts = broken
        client.ask("MAIL FROM:<alice@example.com>", "250")
        client.say("RCPT TO:<support@example.org>")
        assert client.reply() == [TROUBLE]


def test_s10_trouble_is_answered_once_for_each_recipient(tmp_path: Path) -> None:
    three = ("support@example.org", "sales@example.org", "billing@example.org")
    with (
        Rig(tmp_path, submit=raise_later, protocol=Wire.LMTP) as rig,
        rig.ready(*three) as client,
    ):
        client.send(b"x\r\n.\r\n")
        assert [client.line() for _ in range(3)] == [TROUBLE] * 3
        client.ask("RSET", "250")


def leave(how: str, connection: socket.socket) -> None:
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_s4_a_client_that_leaves_during_the_commit_does_not_undo_it(
    tmp_path: Path, how: str
) -> None:
    begun, go = threading.Event(), threading.Event()

    def hold(_mail: Inbound) -> None:
        begun.set()
        assert go.wait(20)

    with Rig(tmp_path) as rig:
        rig.intake.before = hold
        client = rig.ready()
        client.send(b"only once\r\n.\r\n")
        assert begun.wait(20)
        client._file.close()
        leave(how, client.socket)
        go.set()
        with rig.ready() as other:  # the listener has seen the other one leave by now
            other.send(b"next\r\n.\r\n")
            other.expect("250")
        assert [mail["raw"] for mail in rig.intake.mails()] == [b"only once\r\n", b"next\r\n"]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_s4_a_client_that_leaves_does_not_cancel_what_intake_still_has_to_do(
    tmp_path: Path, how: str
) -> None:
    asked: list[Future[int]] = []

    def queue(_mail: Inbound) -> Future[int]:
        asked.append(Future())
        return asked[-1]

    with Rig(tmp_path, submit=queue) as rig:
        client = rig.ready()
        client.send(b"x\r\n.\r\n")
        wait_until(lambda: bool(asked))
        client._file.close()
        leave(how, client.socket)
        wait_until(lambda: how == "close" or not rig.listener._connections)
        with rig.greeted() as other:
            other.ask("NOOP", "250")
        assert len(rig.listener._commits) == 1
        assert asked[0].set_running_or_notify_cancel()
        asked[0].set_result(1)
        wait_until(lambda: not rig.listener._commits)


def test_s4_a_loop_that_shuts_down_does_not_cancel_what_intake_still_has_to_do(
    tmp_path: Path,
) -> None:
    stuck: Future[int] = Future()

    async def cancel_all(rig: Rig) -> None:
        for task in tuple(rig.listener._commits):
            task.cancel()

    with Rig(tmp_path, submit=lambda _mail: stuck) as rig, rig.ready() as client:
        client.send(b"x\r\n.\r\n")
        wait_until(lambda: bool(rig.listener._commits))
        rig.run(cancel_all(rig))
        assert client.at_end()
        assert stuck.set_running_or_notify_cancel()
        stuck.set_result(1)


def test_s5_a_slow_commit_outlives_the_idle_timer_and_is_still_answered(tmp_path: Path) -> None:
    reached = threading.Event()

    def slow(_mail: Inbound) -> None:
        reached.wait(0.6)

    with Rig(tmp_path, limits=Limits(idle=0.2)) as rig:
        rig.intake.before = slow
        with rig.ready() as client:
            client.send(b"x\r\n.\r\n")
            client.expect("250")


def test_s5_a_commit_that_never_ends_is_a_451_and_its_result_is_not_cancelled(
    tmp_path: Path,
) -> None:
    stuck: Future[int] = Future()
    with (
        Rig(tmp_path, limits=Limits(commit=0.1), submit=lambda _mail: stuck) as rig,
        rig.ready() as client,
    ):
        client.send(b"x\r\n.\r\n")
        assert client.reply() == [TROUBLE]
        assert not stuck.cancelled()
        stuck.set_result(1)


def test_s5_a_steady_upload_may_take_longer_than_the_idle_time(tmp_path: Path) -> None:
    pause = threading.Event()
    with Rig(tmp_path, limits=Limits(idle=0.5, window=0.3, rate=100)) as rig, rig.ready() as client:
        for _ in range(12):
            client.send(b"x" * 98 + b"\r\n")
            pause.wait(0.1)
        client.send(b".\r\n")
        client.expect("250")
        assert len(rig.intake.mails()[0]["raw"]) == 1200


def test_s5_a_trickle_is_cut(tmp_path: Path) -> None:
    with Rig(tmp_path, limits=Limits(idle=20, window=0.1, rate=1000)) as rig, rig.ready() as client:
        client.socket.settimeout(0.05)
        said = b""
        while not said:
            client.send(b"x")
            try:
                said = client.socket.recv(200)
            except TimeoutError:
                continue
        assert said.startswith(b"421 4.4.2 ")
        assert rig.intake.mails() == []


@pytest.mark.parametrize("where", ["greeting", "command", "data", "after a mail"])
def test_s5_silence_is_cut(tmp_path: Path, where: str) -> None:
    with Rig(tmp_path, limits=Limits(idle=0.1)) as rig, rig.client() as client:
        client.expect("220")
        if where != "greeting":
            client.ask("HELO client.example.com", "250")
        if where in ("data", "after a mail"):
            client.say("MAIL FROM:<alice@example.com>\r\nRCPT TO:<support@example.org>\r\nDATA")
            assert [client.line()[:3] for _ in range(3)] == ["250", "250", "354"]
        if where == "after a mail":
            client.send(b"x\r\n.\r\n")
            client.expect("250")
        client.expect("421 4.4.2")
        assert client.at_end()


def test_s6_endless_data_without_a_line_end_takes_no_memory(tmp_path: Path) -> None:
    block = b"x" * (1 << 20)

    def flood(connection: socket.socket) -> int:
        for sent in range(256):
            try:
                connection.sendall(block)
            except OSError:
                return sent
        return 256

    with Rig(tmp_path, limits=Limits(size=8 << 20)) as rig, rig.ready() as client:
        tracemalloc.start()
        try:
            sent = flood(client.socket)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sent < 64
        assert peak < 16 << 20
        with rig.ready() as other:
            other.send(b"another session goes on\r\n.\r\n")
            other.expect("250")


def test_s6_many_mails_at_once_are_bounded_and_the_one_too_many_is_put_off(tmp_path: Path) -> None:
    body = b"x" * 98 + b"\r\n"
    with (
        Rig(tmp_path, limits=Limits(memory=150_000, small=60_000)) as rig,
        rig.ready() as first,
        rig.ready() as second,
        rig.ready() as third,
    ):
        first.send(body * 1000)
        wait_until(lambda: rig.listener._held > 99_990)
        second.send(body * 1000 + b".\r\n")
        second.expect("452 4.3.1")
        third.send(body * 550 + b".\r\n")
        third.expect("250")
        first.send(b".\r\n")
        first.expect("250")
        wait_until(lambda: rig.listener._held == 0)
        assert sorted(len(mail["raw"]) for mail in rig.intake.mails()) == [55_000, 100_000]


def test_s6_a_mail_of_25_mib_comes_through_unchanged(tmp_path: Path) -> None:
    line = bytes(33 + i % 90 for i in range(76)) + b"\r\n"
    raw = line * ((25 << 20) // len(line))
    with Rig(tmp_path) as rig, smtplib.SMTP("127.0.0.1", rig.port) as client:
        client.sendmail("alice@example.com", ["support@example.org"], raw, ["BODY=8BITMIME"])
        assert rig.intake.mails()[0]["raw"] == raw


def test_s7_connections_from_one_address_are_limited(tmp_path: Path) -> None:
    with Rig(tmp_path, limits=Limits(per_ip=2)) as rig, rig.greeted(), rig.greeted() as second:
        with rig.client() as third:
            third.expect("421 4.7.0")
            assert third.at_end()
        second.ask("QUIT", "221")
        assert second.at_end()
        with rig.greeted() as fourth:
            fourth.ask("NOOP", "250")


def test_s7_a_flood_of_recipients_ends_with_421(tmp_path: Path) -> None:
    with Rig(tmp_path, limits=Limits(commands=300)) as rig, rig.greeted() as client:
        client.ask("MAIL FROM:<alice@example.com>", "250")
        client.send(b"RCPT TO:<support@example.org>\r\n" * 2000)
        codes = [client.line()[:9] for _ in range(299)]
        assert codes == ["250 2.1.5"] * 100 + ["452 4.5.3"] * 198 + ["421 4.7.0"]


def test_s7_an_accepted_mail_earns_new_commands(tmp_path: Path) -> None:
    with Rig(tmp_path, limits=Limits(commands=5)) as rig, rig.greeted() as client:
        for _ in range(4):
            client.ask("MAIL FROM:<alice@example.com>", "250")
            client.ask("RCPT TO:<support@example.org>", "250")
            client.ask("DATA", "354")
            client.send(b"x\r\n.\r\n")
            client.expect("250")
        assert len(rig.intake.mails()) == 4


def test_stop_answers_the_mail_under_way_and_says_goodbye_to_the_rest(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def hold(_mail: Inbound) -> None:
        begun.set()
        assert go.wait(20)

    with Rig(tmp_path) as rig, rig.greeted() as idle, rig.ready() as busy:
        rig.intake.before = hold
        busy.send(b"x\r\n.\r\n")
        assert begun.wait(20)
        stopper = threading.Thread(target=lambda: rig.run(rig.listener.stop(10.0)))
        stopper.start()
        idle.expect("421 4.3.2")
        with pytest.raises(ConnectionRefusedError):
            rig.client()
        go.set()
        busy.expect("250")
        busy.expect("421 4.3.2")
        stopper.join()


def test_stop_cuts_what_does_not_end_in_time(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, rig.ready() as client:
        client.send(b"half a mail")
        rig.run(rig.listener.stop(0.2))
        assert client.at_end()
        assert rig.intake.mails() == []
