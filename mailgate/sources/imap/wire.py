"""The connection below imapclient: bounded, and never deaf to a stop for longer than a moment.

imaplib reads through a buffered file. Bytes that wait in its buffer are invisible to `poll`, so
news that arrives in one packet with the answer to IDLE would go unnoticed; and it allocates
whatever a server announces. Here the buffer is ours, and one command may cost only so much.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_SLICE = 0.1  # seconds between two looks at the stop event
_MAX_LINE = 1_000_000  # octets; imaplib's own bound
_MAX_COMMAND = 32 << 20  # octets a server may send per line of ours
_MAX_LINES = 20_000  # in answer to one line of ours
_CHUNK = 1 << 18


class Stopped(Exception):
    """The stop event was set while waiting for the server."""


class Wire(imaplib.IMAP4):
    """An IMAP connection whose reads end at a limit, at a deadline, or at the stop event."""

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, stop: threading.Event
    ) -> None:
        self._tls = tls
        self._stop = stop
        self._buffer = bytearray()
        self._filled_from: socket.socket | None = None
        self._received = self._lines = 0
        super().__init__(host, port, CONNECT_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), timeout)
        # imapclient sends a command in pieces; each would wait for the server's delayed ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._tls is None:
            return sock
        return self._tls.wrap_socket(sock, server_hostname=self.host)

    def read(self, size: int) -> bytes:
        """Exactly `size` octets of a literal. Raises abort, TimeoutError, Stopped."""
        self._distrust()
        if size > _MAX_COMMAND:
            raise self.abort(f"the server announced a literal of {size} octets")
        while len(self._buffer) < size:
            self._fill()
        return self._take(size)

    def readline(self) -> bytes:
        """One line with its end. Raises abort, TimeoutError, Stopped."""
        self._distrust()
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > _MAX_LINE:
                raise self.abort(f"the server sent a line over {_MAX_LINE} octets")
            self._fill()
        self._lines += 1
        if self._lines > _MAX_LINES:
            raise self.abort(f"the server sent over {_MAX_LINES} lines in answer to one command")
        return self._take(end + 1)

    def send(self, data: ReadableBuffer) -> None:
        """Send, and give the answer a fresh allowance."""
        self._received = self._lines = 0
        super().send(data)

    def wait(self, seconds: float) -> bool:
        """Whether the server has said something, waiting at most so long. Raises as `read`."""
        self._distrust()
        return bool(self._buffer) or self._receive(time.monotonic() + seconds)

    def _distrust(self) -> None:
        """What came in clear, after the answer to STARTTLS, was not said under TLS."""
        if self._filled_from is not self.sock:
            if self._buffer:
                raise self.abort("the server sent plain text past STARTTLS")
            self._filled_from = self.sock

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> None:
        if not self._receive(time.monotonic() + READ_SECONDS):
            raise TimeoutError(f"the server was silent for {READ_SECONDS:g} s")

    def _receive(self, deadline: float) -> bool:
        while not self._stop.is_set():
            chunk = self._chunk(min(_SLICE, deadline - time.monotonic()))
            if chunk is not None:
                self._keep(chunk)
                return True
            if time.monotonic() >= deadline:
                return False
        raise Stopped

    def _chunk(self, seconds: float) -> bytes | None:
        self.sock.settimeout(max(seconds, 0.001))
        try:
            return self.sock.recv(_CHUNK)
        except TimeoutError:
            return None
        finally:
            self.sock.settimeout(READ_SECONDS)

    def _keep(self, chunk: bytes) -> None:
        if not chunk:
            raise self.abort("socket error: EOF")
        self._received += len(chunk)
        if self._received > _MAX_COMMAND:
            raise self.abort(f"the server sent over {_MAX_COMMAND} octets in answer to one command")
        self._buffer += chunk
