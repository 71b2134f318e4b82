"""Real delivery reports, and real mail that is none (reliability: L4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.bounces import severity
from mailgate.core.mail import Envelope, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.screen import Treatment, screen
from tests.core.samples import POLICY

# Mailman knows these by its own return path alone: no header, and no word, says what they are.
BY_RETURN_PATH_ALONE = {
    f"mailman/inline/app-test_verp_{name}.eml"
    for name in (
        "in_to",
        "in_delivered_to",
        "in_envelope_to",
        "in_apparently_to",
        "with_empty_header",
        "with_non_match",
    )
}


@pytest.fixture(scope="module")
def mails(corpus: Path) -> dict[str, tuple[str, ParsedMail]]:
    """Each file: what it is, and how it parses."""
    messages: dict[str, dict[str, Any]] = json.loads((corpus / "manifest.json").read_text())[
        "messages"
    ]
    return {f: (e["outcome"], parse((corpus / f).read_bytes())) for f, e in messages.items()}


def test_bounces_are_known_as_such_and_nothing_else_is(
    mails: dict[str, tuple[str, ParsedMail]],
) -> None:
    known = {f for f, (outcome, _) in mails.items() if outcome == "bounce"}
    found = {
        f
        for f, (_, mail) in mails.items()
        if screen(mail, Envelope(), POLICY).treatment is Treatment.BOUNCE
    }
    assert len(found) == 16
    assert found == known - BY_RETURN_PATH_ALONE


def test_what_is_no_bounce_tells_of_no_delivery(mails: dict[str, tuple[str, ParsedMail]]) -> None:
    assert [f for f, (outcome, mail) in mails.items() if outcome != "bounce" and mail.reports] == []


@pytest.mark.parametrize(
    ("file", "want"),
    [
        ("mime4j-mimetools/badbound.eml", [("pnet@uscom.com", "failed", "soft")]),
        ("mikel-mail/multipart_report_emails/report_422.eml", [("", "delayed", "delay")]),
        ("mikel-mail/multipart_report_emails/report_530.eml", [("", "failed", "hard")]),
        ("salmon/bounce.eml", [("", "failed", "hard")]),
        ("rt/emails/multipart-report.eml", [("", "failed", "hard")]),
    ],
)
def test_real_reports_are_judged(
    mails: dict[str, tuple[str, ParsedMail]], file: str, want: list[tuple[str, str, str]]
) -> None:
    """Addresses are in the manifest, and compared elsewhere, where "" stands here."""
    got = [
        (r.recipient if name else "", r.action, str(severity(r)))
        for r, (name, *_) in zip(mails[file][1].reports, want, strict=True)
    ]
    assert got == want


def test_a_report_whose_head_is_broken_is_read_from_its_words(
    mails: dict[str, tuple[str, ParsedMail]],
) -> None:
    (report,) = mails["postal/postfix-bounce.eml"][1].reports
    assert (report.action, report.status) == ("failed", "5.1.1")
    assert "User unknown" in report.diagnostic
