"""An IMAP server that lies, breaks off and refuses on demand; just enough of RFC 3501 for a poller.

    with FakeImap({1: raw}) as server:
        server.faults[1] = "nil"

`faults` say what happens to a FETCH of that mail's body: "nil" NIL, "no" a tagged NO, "short" half
of the octets, "empty" an empty literal, "cut" the connection ends inside the literal, "huge" a
literal of 4 GiB is announced, "flood" untagged lines without end, "whole" partial fetches are
answered with the whole mail, "garbage" an answer out of all grammar, "silent" no answer ever. A
number in `times` limits how often.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Self

_FLOOD = b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 4000


class FakeImap:
    """Serves one folder; the mails, the faults and the capabilities may change while it runs."""

    def __init__(self, mails: Mapping[int, bytes] | None = None) -> None:
        self.mails: dict[int, bytes] = dict(mails or {})
        self.sizes: dict[int, int] = {}  # RFC822.SIZE where it is not the truth
        self.faults: dict[int, str] = {}
        self.times: dict[int, int] = {}
        self.capability = "IMAP4rev1 AUTH=PLAIN IDLE MOVE UIDPLUS"
        self.greeting = "* OK ready"
        self.on_idle = "news"  # or "bye", "eof", "no"
        self.late: dict[int, bytes] = {}  # arrives just as IDLE begins, told in the same packet
        self.meanwhile: dict[str, dict[int, bytes]] = {}  # arrives during a command with that word
        self.tls: ssl.SSLContext | None = None  # for STARTTLS, or from the start
        self.implicit = False
        self.injected = b""  # in clear, in one packet with the answer to STARTTLS
        self.access = "READ-WRITE"
        self.uidnext = True
        self.refused: set[str] = set()  # verbs answered NO
        self.folders: dict[str, list[bytes]] = {}
        self.flags: dict[int, list[str]] = {}
        self.commands: list[str] = []  # as they came, without tags
        self.sessions = 0
        self.changed = threading.Condition()
        self._closing = False
        self._server = _Server(("127.0.0.1", 0), lambda sock: _Session(self, sock).serve())
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self._closing = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def closing(self) -> bool:
        """The test is over."""
        return self._closing

    def append(self, uid: int, raw: bytes) -> None:
        """New mail; idling clients are told."""
        with self.changed:
            self.mails[uid] = raw
            self.changed.notify_all()

    def count(self, verb: str) -> int:
        """How many commands began so."""
        return sum(command.upper().startswith(verb) for command in self.commands)

    def fault(self, uid: int) -> str:
        """What is to go wrong now with a mail, "" for nothing."""
        if uid in self.times:
            self.times[uid] -= 1
            if self.times[uid] < 0:
                return ""
        return self.faults.get(uid, "")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    block_on_close = True

    def __init__(self, address: tuple[str, int], serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._open: set[socket.socket] = set()
        super().__init__(address, socketserver.BaseRequestHandler)

    def finish_request(self, request: object, client_address: object) -> None:  # noqa: ARG002
        assert isinstance(request, socket.socket)
        self._open.add(request)
        try:
            self._serve(request)
        except (OSError, EOFError):
            return  # the client went away, as it may
        finally:
            self._open.discard(request)

    def server_close(self) -> None:
        for sock in list(self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by its own session meanwhile
        super().server_close()


class _Session:
    def __init__(self, fake: FakeImap, sock: socket.socket) -> None:
        self._fake = fake
        self._sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = sock.makefile("rb")
        self._known = 0  # how many mails the client was told of
        fake.sessions += 1

    def say(self, text: str) -> None:
        self._sock.sendall(text.encode() + b"\r\n")

    def line(self) -> str:
        line = self._lines.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")

    def serve(self) -> None:
        if self._fake.implicit:
            self.encrypt()
        try:
            self.say(self._fake.greeting)
            while True:
                tag, _, command = self.line().partition(" ")
                self._fake.commands.append(command)
                self.answer(tag, command)
        finally:
            self._lines.close()
            self._sock.close()

    def encrypt(self) -> None:
        assert self._fake.tls
        self._lines.close()
        self._sock = self._fake.tls.wrap_socket(self._sock, server_side=True)
        self._lines = self._sock.makefile("rb")

    def answer(self, tag: str, command: str) -> None:
        words = command.split(" ")
        verb = words[0].upper()
        if verb == "UID":
            verb = words[1].upper()
        if verb in self._fake.refused:
            self.say(f"{tag} NO [SERVERBUG] not today")
            return
        method = getattr(self, f"do_{verb.lower()}", None)
        if method is None:
            self.say(f"{tag} BAD unknown command")
            return
        if method(tag, command) is None:
            self.tell_arrivals(command)
            self.say(f"{tag} OK done")

    def tell_arrivals(self, command: str) -> None:
        for word in [word for word in self._fake.meanwhile if word in command]:
            self._fake.mails |= self._fake.meanwhile.pop(word)
            self._known = len(self._fake.mails)
            self.say(f"* {self._known} EXISTS")

    # --- commands: each returns True when it has sent the tagged answer itself -----------

    def do_capability(self, _tag: str, _command: str) -> None:
        self.say(f"* CAPABILITY {self._fake.capability}")

    def do_starttls(self, tag: str, _command: str) -> bool:
        self._sock.sendall(f"{tag} OK begin\r\n".encode() + self._fake.injected)
        self.encrypt()
        return True

    def do_authenticate(self, _tag: str, _command: str) -> None:
        self.say("+ ")
        self._fake.commands.append("credentials " + self.line())

    def do_login(self, _tag: str, _command: str) -> None:
        """Anyone may."""

    def do_select(self, tag: str, _command: str) -> bool:
        fake = self._fake
        self._known = len(fake.mails)
        self.say(r"* FLAGS (\Seen \Deleted \Flagged)")
        self.say(f"* {self._known} EXISTS")
        self.say("* 0 RECENT")
        self.say("* OK [UIDVALIDITY 7] ")
        if fake.uidnext:
            self.say(f"* OK [UIDNEXT {max(fake.mails, default=0) + 1}] ")
        self.say(f"{tag} OK [{fake.access}] selected")
        return True

    def do_examine(self, tag: str, command: str) -> bool:
        self._fake.access = "READ-ONLY"
        return self.do_select(tag, command)

    def do_search(self, _tag: str, command: str) -> None:
        fake = self._fake
        found = _uids(fake, command.split(" ")[3])
        if "UNFLAGGED" in command:
            found = [uid for uid in found if "\\Flagged" not in fake.flags.get(uid, [])]
        if "UNDELETED" in command:
            found = [uid for uid in found if "\\Deleted" not in fake.flags.get(uid, [])]
        self.say(" ".join(["* SEARCH", *map(str, found)]))

    def do_fetch(self, tag: str, command: str) -> bool | None:
        fake = self._fake
        for uid in _uids(fake, command.split(" ")[2]):
            if "RFC822.SIZE" in command:
                size = fake.sizes.get(uid, len(fake.mails[uid]))
                self.say(f"* 1 FETCH (UID {uid} RFC822.SIZE {size})")
            elif (fault := fake.fault(uid)) == "no":
                self.say(f"{tag} NO [SERVERBUG] cannot read {uid}")
                return True
            else:
                self.send_body(uid, fault, command)
        return None

    def send_body(self, uid: int, fault: str, command: str) -> None:
        raw = self._fake.mails[uid]
        name = "BODY[]"
        if span := re.search(r"<(\d+)\.(\d+)>", command):
            start, octets = int(span[1]), int(span[2])
            name = f"BODY[]<{start}>"
            raw = raw if fault == "whole" else raw[start : start + octets]
        if fault == "short":
            raw = raw[: len(raw) // 2]
        elif fault == "empty":
            raw = b""
        self.send_item(f"* 1 FETCH (UID {uid} {name} ", raw, fault)

    def send_item(self, head: str, raw: bytes, fault: str) -> None:
        size = {"huge": 4294967295}.get(fault, len(raw))
        if fault == "nil":
            self.say(f"{head}NIL)")
        elif fault == "garbage":
            self.say(f"{head}((( NIL")
        elif fault == "flood":
            while True:
                self._sock.sendall(_FLOOD)
        elif fault == "silent":
            self._sock.recv(1)
        elif fault == "cut":
            self._sock.sendall(f"{head}{{{size}}}\r\n".encode() + raw[: len(raw) // 2])
            raise EOFError
        else:
            self._sock.sendall(f"{head}{{{size}}}\r\n".encode() + raw + b")\r\n")

    def do_list(self, _tag: str, command: str) -> None:
        name = command.split(" ")[-1].strip('"')
        if name in self._fake.folders:
            self.say(f'* LIST () "/" "{name}"')

    def do_create(self, _tag: str, command: str) -> None:
        self._fake.folders[command.split(" ")[1].strip('"')] = []

    def do_subscribe(self, _tag: str, _command: str) -> None:
        """Nothing to do."""

    def do_copy(self, _tag: str, command: str) -> None:
        _, _, uids, folder = command.split(" ")
        kept = self._fake.folders[folder.strip('"')]
        kept.extend(self._fake.mails[uid] for uid in _uids(self._fake, uids))

    def do_move(self, tag: str, command: str) -> None:
        self.do_copy(tag, command)
        for uid in _uids(self._fake, command.split(" ")[2]):
            del self._fake.mails[uid]

    def do_store(self, _tag: str, command: str) -> None:
        words = command.split(" ")
        for uid in _uids(self._fake, words[2]):
            self._fake.flags.setdefault(uid, []).extend(" ".join(words[4:]).strip("()").split())

    def do_expunge(self, _tag: str, command: str) -> None:
        for uid in _uids(self._fake, command.split(" ")[2]):
            if "\\Deleted" in self._fake.flags.get(uid, []):
                del self._fake.mails[uid]

    def do_idle(self, tag: str, _command: str) -> bool | None:
        fake = self._fake
        if fake.on_idle == "no":
            self.say(f"{tag} NO not now")
            return True
        with fake.changed:
            fake.mails |= fake.late
        news = f"\r\n* {len(fake.mails)} EXISTS" if fake.late else ""
        fake.late = {}
        self.say(f"+ idling{news}")
        if fake.on_idle == "bye":
            self.say("* BYE maintenance")
        if fake.on_idle in ("bye", "eof"):
            raise EOFError
        self.tell_news()
        return None

    def tell_news(self) -> None:
        self._sock.settimeout(0.02)
        try:
            while True:
                with self._fake.changed:
                    count = len(self._fake.mails)
                if count != self._known:
                    self.say("* OK Still here")
                    self.say(f"* {count} EXISTS")
                    self._known = count
                if self.done():
                    return
        finally:
            self._sock.settimeout(None)

    def done(self) -> bool:
        try:
            octets = self._sock.recv(6, socket.MSG_PEEK)
        except TimeoutError:
            return False
        if self._fake.closing or not octets:
            raise EOFError
        return self.line() == "DONE"


def _uids(fake: FakeImap, spans: str) -> list[int]:
    """The UIDs a set names, as a server reads it: `n:*` holds the last mail whatever n is."""
    found: set[int] = set()
    last = max(fake.mails, default=0)
    for span in spans.split(","):
        first, _, end = span.partition(":")
        bounds = [last if bound == "*" else int(bound) for bound in (first, end or first)]
        low, high = min(bounds), max(bounds)
        found |= {uid for uid in fake.mails if low <= uid <= high}
    return sorted(found)
