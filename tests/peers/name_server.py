"""A name server on loopback, over UDP and TCP: answers from a table, and fails on purpose."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = Mapping[str, Mapping[str, list[str]]]  # name -> type -> values

FAILS = "SERVFAIL"  # as a type: every question about this name fails
SILENT = "SILENT"  # as a type: no question about this name is answered


class NameServer:
    """The table, and what was asked of it."""

    def __init__(self, records: Records) -> None:
        self.records: dict[str, Mapping[str, list[str]]] = dict(records)
        self.asked: list[tuple[str, str, str]] = []  # ("udp", name, type)
        self.port = 0

    def answer(self, wire: bytes, way: str) -> bytes | None:
        """The answer to one question, None where there is to be none."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((way, name, kind))
        reply = dns.message.make_response(query)
        known = self.records.get(name)
        if known is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            known = {}
        if SILENT in known:
            return None
        if FAILS in known:
            reply.set_rcode(dns.rcode.SERVFAIL)
        if values := known.get(kind, []):
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
        data = reply.to_wire()
        if way == "udp" and len(data) > 512:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            data = reply.to_wire()
        return data


def text(value: str) -> str:
    """A TXT value as it stands in a zone file, cut into strings of 250 octets."""
    return " ".join(f'"{value[at : at + 250]}"' for at in range(0, len(value), 250))


@contextmanager
def serving(records: Records) -> Iterator[NameServer]:
    """A running name server; its `port` is the same for UDP and TCP."""
    server = NameServer(records)

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, socket = self.request
            if (data := server.answer(wire, "udp")) is not None:
                socket.sendto(data, self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack("!H", self.rfile.read(2))
            if (data := server.answer(self.rfile.read(length), "tcp")) is not None:
                self.wfile.write(struct.pack("!H", len(data)) + data)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Datagram) as udp:
        server.port = udp.server_address[1]
        with socketserver.ThreadingTCPServer(("127.0.0.1", server.port), Stream) as tcp:
            loops = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in (udp, tcp)]
            for loop in loops:
                loop.start()
            try:
                yield server
            finally:
                udp.shutdown()
                tcp.shutdown()
                for loop in loops:
                    loop.join()
