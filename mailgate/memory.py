"""The C library's memory, told to give large blocks back as soon as they are free."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3  # mallopt(3)
_LARGE = 256 * 1024  # octets


def return_large_blocks() -> bool:
    """Map every large block by itself, so that a mail's memory is the system's again after it.

    Left alone, glibc keeps the room of large mails in its heaps: after a burst a daemon would stay
    at several times the size it needs. False where the C library has no such setting.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE))
