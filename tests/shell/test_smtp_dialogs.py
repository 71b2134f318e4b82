"""Every file in `dialogs/` is a conversation, held with a real listener over loopback.

Lines of a dialog: `C: ` is sent with CRLF, `B: ` without (both know \\r \\n \\0 \\xNN), `S: ` is
what comes back (`*` at the end: the rest may be anything), `X` means that the server closes,
`EOF` that we close our sending half, `= {...}` one mail that must be in the journal afterwards
(all of them, in order), `@ key value` changes a setting or a limit, `#` is a remark.
"""

from __future__ import annotations

import json
import socket
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from mailgate.sources.smtp import Limits, Wire
from tests.shell.smtp_rig import Client, Rig

DIALOGS = sorted((Path(__file__).parent / "dialogs").glob("*.txt"))
LIMITS = {field.name for field in fields(Limits)}


def octets(text: str) -> bytes:
    return (
        text.encode().decode("unicode_escape").encode("latin-1") if "\\" in text else text.encode()
    )


def step(client: Client, mark: str, text: str) -> None:
    match mark:
        case "C":
            client.send(octets(text) + b"\r\n")
        case "B":
            client.send(octets(text))
        case "S":
            said = client.line()
            good = said.startswith(text[:-1]) if text.endswith("*") else said == text
            assert good, f"said {said!r}, not {text!r}"
        case "X":
            assert client.at_end()
        case "EOF":
            client.socket.shutdown(socket.SHUT_WR)
        case _:
            raise AssertionError(f"no such line: {mark}: {text}")


def setting(key: str, value: str) -> Any:
    match key:
        case "protocol":
            return Wire(value)
        case "trusted" | "proxies":
            return (ip_network(value),)
        case "banner_delay":
            return float(value)
        case _:
            return value == "yes"


def read(path: Path) -> tuple[dict[str, Any], list[tuple[str, str]], list[dict[str, Any]]]:
    settings: dict[str, Any] = {}
    limits: dict[str, int | float] = {}
    steps, mails = [], []
    for line in path.read_text().splitlines():
        if line.startswith("@ "):
            _, key, value = line.split()
            if key in LIMITS:
                limits[key] = float(value) if "." in value else int(value)
            else:
                settings[key] = setting(key, value)
        elif line.startswith("= "):
            mails.append(json.loads(line[2:]))
        elif line and not line.startswith("#"):
            mark, _, text = line.partition(": ")
            steps.append((mark, text))
    return settings | {"limits": Limits(**limits)}, steps, mails  # type: ignore[arg-type]


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_dialog(path: Path, tmp_path: Path) -> None:
    settings, steps, mails = read(path)
    with Rig(tmp_path, **settings) as rig:
        with rig.client() as client:
            for mark, text in steps:
                step(client, mark, text)
        taken = [mail | {"raw": mail["raw"].decode("latin-1")} for mail in rig.intake.mails()]
    assert len(taken) == len(mails)
    assert [
        {key: got[key] for key in want} for got, want in zip(taken, mails, strict=True)
    ] == mails
