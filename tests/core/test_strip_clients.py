"""Answers as the clients of common mail write them, in each of the ways people answer.

A folder below `replies` is a client; `gmx/interleaved.eml` is what it sends, `gmx/interleaved.want`
what is made of it. Half of the mails have text and HTML, the others HTML alone. `--update-goldens`
renews the `.want` files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mailgate.core.mail import ParsedMail
from mailgate.parsing import read_mail
from tests.conftest import Golden

HERE = Path(__file__).parent / "replies"
WAYS = ("top", "bottom", "interleaved", "signature", "phone")
CLIENTS = sorted(path.name for path in HERE.iterdir())
REPLIES = [(client, way) for client in CLIENTS for way in WAYS]
# Below a mail that was copied without marks, new words cannot be told from it: nothing is cut.
NOTHING_CUT = {
    (client, "bottom")
    for client in ("lotus-notes", "outlook-desktop", "outlook-web", "samsung", "zimbra")
}
# A few lines at the end, without a delimiter and without an element of their own, may be words.
SIGNATURE_STAYS = {("outlook-desktop", "signature")}


def lines_of(text: str) -> Counter[str]:
    return Counter(line for line in text.split("\n") if line.strip())


def reading(client: str, way: str) -> ParsedMail:
    return read_mail((HERE / client / f"{way}.eml").read_bytes(), ("en",))


def shown(mail: ParsedMail) -> str:
    out = ["cuts", *(f"  {cut}" for cut in mail.cuts)]
    for name in ("visible", "quoted", "signature"):
        lines = getattr(mail, name).split("\n")
        out += [name, *(f"  | {line}".rstrip() for line in lines if line.strip())]
    return "\n".join(out) + "\n"


@pytest.mark.parametrize(("client", "way"), REPLIES)
def test_reply(client: str, way: str, golden: Golden) -> None:
    golden(HERE / client / f"{way}.want", shown(reading(client, way)))


@pytest.mark.parametrize(("client", "way"), REPLIES)
def test_no_reply_loses_a_line(client: str, way: str) -> None:
    mail = reading(client, way)
    parts = lines_of(mail.visible) + lines_of(mail.quoted) + lines_of(mail.signature)
    assert parts == lines_of(mail.text)


@pytest.mark.parametrize(("client", "way"), REPLIES)
def test_a_reply_is_cut_where_it_can_be_told(client: str, way: str) -> None:
    mail = reading(client, way)
    said = len([line for line in mail.visible.split("\n") if line.strip()])
    if way == "interleaved":  # greeting, two answers, and the first question at least
        assert said >= 4
        return
    whole = (client, way) in NOTHING_CUT
    assert bool(mail.quoted) is not whole
    signed = way in ("signature", "phone") and (client, way) not in SIGNATURE_STAYS
    assert bool(mail.signature) is signed
    beside = 2 if (client, way) in SIGNATURE_STAYS else 0
    assert whole or said == 2 + beside


def test_there_are_clients() -> None:
    assert len(CLIENTS) >= 12
