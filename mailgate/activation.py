"""Listening sockets that the service manager opened for us, by name (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

_FIRST = 3  # after stdin, stdout and stderr


def inherited(env: Mapping[str, str] = os.environ) -> dict[str, list[socket.socket]]:
    """The sockets handed over to this process, by FileDescriptorName=; a name may have several.

    Call it once: each call makes new objects for the same sockets. Raises OSError when what was
    handed over is no listening TCP socket, or when the variables contradict each other.
    """
    if env.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = env.get("LISTEN_FDS", "")
    names = env["LISTEN_FDNAMES"].split(":") if "LISTEN_FDNAMES" in env else None
    if not count.isdecimal() or (names is not None and len(names) != int(count)):
        raise OSError("LISTEN_FDS and LISTEN_FDNAMES contradict each other")
    names = ["unknown"] * int(count) if names is None else names
    found: dict[str, list[socket.socket]] = {}
    for fd, name in enumerate(names, start=_FIRST):
        found.setdefault(name, []).append(_listening(fd, name))
    return found


def take(sockets: dict[str, list[socket.socket]], name: str) -> list[socket.socket]:
    """Those of this name, which are then no longer among them. Raises OSError: there is none."""
    if name not in sockets:
        raise OSError(f"systemd handed over no socket named {name!r}; is mailgate.socket active?")
    return sockets.pop(name)


def _listening(fd: int, name: str) -> socket.socket:
    os.set_inheritable(fd, False)  # not for our parser processes
    one = socket.socket(fileno=fd)
    tcp = one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM
    if not tcp or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        one.detach()
        raise OSError(f"the socket {name!r} does not listen for TCP connections")
    one.setblocking(False)
    return one
