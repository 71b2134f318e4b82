"""Keys to sign mail with, as OpenSSL makes them."""

from __future__ import annotations

import base64
import shutil
import subprocess

import pytest

Keys = tuple[bytes, str]  # private as PEM, public as in DNS


def rsa_keys() -> Keys:
    """A new pair; the test is skipped where there is no openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make keys with")
    private = _openssl("genrsa", "-traditional", "2048")
    public = _openssl("rsa", "-pubout", "-outform", "DER", given=private)
    return private, base64.b64encode(public).decode("ascii")


def _openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout
