"""Ports for servers that cannot choose one by themselves."""

from __future__ import annotations

import socket

_RESERVED: list[socket.socket] = []


def free_port() -> int:
    """A loopback port on which nobody listens, and that nobody else is given while we live.

    We keep a socket bound to it and never listen. Linux then hands the port to no other process
    that asks for any port, and to no outgoing connection; a server that binds it with SO_REUSEADDR,
    as servers do, may listen, and be stopped and started.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    _RESERVED.append(reserved)
    return int(reserved.getsockname()[1])
