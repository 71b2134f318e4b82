"""The delivery that a mail on standard input is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailgate.sources.pipe import from_pipe

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, None),
        ("", ""),
        ("<>", ""),
        ("<a@example.com>", "a@example.com"),
        (" a@example.com ", "a@example.com"),
    ],
)
def test_the_sender_is_unknown_null_or_an_address(said: str | None, kept: str | None) -> None:
    got = from_pipe(b"x", sender=said, recipients=["<s@example.org>"], now=NOW)
    assert got.envelope.mail_from == kept
    assert got.envelope.rcpt_tos == ("s@example.org",)


def test_the_same_mail_again_is_a_delivery_of_its_own() -> None:
    first, second = (from_pipe(b"x", sender=None, recipients=[], now=NOW) for _ in range(2))
    assert first.source_key != second.source_key
    assert (first.raw, first.source, first.live, first.received) == (b"x", "pipe", True, NOW)
