"""475 mails that nobody on this project wrote: all are read, most as their sources expect.

What is read otherwise is listed by name with the reason; a name that starts to agree fails too, so
that the lists stay true.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.mail import ParsedMail
from mailgate.core.parse import parse, part_bytes

Expected = dict[str, Any]

SUBJECTS = {
    # KOI8-R octets and no charset anywhere: the source guesses, we show Windows-1252.
    "rt/emails/russian-subject-no-content-type.eml",
}
ATTACHMENTS = {
    # The source counts what is inside an attached mail; to us that is one attachment.
    "mikel-mail/attachment_emails/attachment_message_rfc822.eml",
    # A colon is no letter of a file name on every system.
    "roundup/multipart_msg_rfc822.eml",
}
PEOPLE = {
    # Domains become A-labels and small letters.
    "mikel-mail/rfc6532/utf8_headers.eml",
    "mikel-mail/error_emails/cant_parse_from.eml",
}
IDS = {
    # White space inside an id is a fold of the sender's, so "<invalid. something@bar.net>" counts,
    # and two References headers are one.
    "mikel-mail/error_emails/multiple_references_with_one_invalid.eml",
}
MANIFEST_IDS = {
    # A line that is no header ends the header block; the manifest read on.
    "mikel-mail/plain_emails/raw_email_incorrect_header.eml",
}


@cache
def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found["messages"]  # type: ignore[no-any-return]


@cache
def _read(folder: Path, file: str) -> tuple[bytes, ParsedMail]:
    raw = (folder / file).read_bytes()
    return raw, parse(raw)


def _expected(folder: Path, key: str) -> list[tuple[str, Expected]]:
    """Files with an expectation about `key`."""
    out = []
    for file, entry in _manifest(folder).items():
        if entry.get("expected_file"):
            expected = json.loads((folder / entry["expected_file"]).read_text(encoding="utf-8"))
            if key in expected:
                out.append((file, expected))
    assert out
    return out


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.timeout(60)
def test_every_mail_is_read(corpus: Path) -> None:
    for file, entry in _manifest(corpus).items():
        raw, mail = _read(corpus, file)
        assert mail.digest == entry["sha256"], file
        assert not any(d.startswith(("too-complex", "parser-failed")) for d in mail.defects), file
        for attached in mail.attachments:
            assert len(part_bytes(raw, attached.part)) == attached.size, file


def test_subjects(corpus: Path) -> None:
    wrong = {
        file
        for file, want in _expected(corpus, "subject")
        if _squeeze(_read(corpus, file)[1].subject) != _squeeze(want["subject"])
    }
    assert wrong == SUBJECTS


def test_texts(corpus: Path) -> None:
    for file, want in _expected(corpus, "text"):
        assert _squeeze(_read(corpus, file)[1].text) == _squeeze(want["text"]), file
    for file, want in _expected(corpus, "text_contains"):
        for part in _list(want["text_contains"]):
            assert _squeeze(part) in _squeeze(_read(corpus, file)[1].text), file
    for file, want in _expected(corpus, "text_starts"):
        assert _read(corpus, file)[1].text.lstrip().startswith(want["text_starts"]), file


def test_html(corpus: Path) -> None:
    for file, want in _expected(corpus, "html"):
        assert _squeeze(_read(corpus, file)[1].html) == _squeeze(want["html"]), file
    for file, want in _expected(corpus, "html_contains"):
        assert all(x in _read(corpus, file)[1].html for x in _list(want["html_contains"])), file


def _has(raw: bytes, mail: ParsedMail, want: Expected) -> bool:
    """Whether one of the attachments is the one that is wanted."""
    return any(
        want.get("name", a.filename) == a.filename
        and want.get("size", a.size) == a.size
        and want.get("content_type", a.content_type) == a.content_type
        and ("content" not in want or part_bytes(raw, a.part) == want["content"].encode())
        for a in mail.attachments
    )


def test_attachments(corpus: Path) -> None:
    wrong = set()
    for file, want in _expected(corpus, "attachments"):
        raw, mail = _read(corpus, file)
        if not all(_has(raw, mail, one) for one in want["attachments"]):
            wrong.add(file)
    for file, want in _expected(corpus, "attachment_count"):
        if len(_read(corpus, file)[1].attachments) != want["attachment_count"]:
            wrong.add(file)
    assert wrong == ATTACHMENTS


def test_people(corpus: Path) -> None:
    wrong = set()
    for key in ("from", "to", "cc"):
        for file, want in _expected(corpus, key):
            mail = _read(corpus, file)[1]
            got = {"from": mail.from_, "to": mail.to, "cc": mail.cc}[key]
            if [a.addr for a in got] != want[key]:
                wrong.add(file)
    assert wrong == PEOPLE
    for file, want in _expected(corpus, "from_name"):
        assert _read(corpus, file)[1].from_[0].name == want["from_name"], file


def test_dates(corpus: Path) -> None:
    for file, want in _expected(corpus, "date"):
        assert _read(corpus, file)[1].date == datetime.fromisoformat(want["date"]), file


def test_ids(corpus: Path) -> None:
    wrong = set()
    for key in ("references", "in_reply_to"):
        for file, want in _expected(corpus, key):
            mail = _read(corpus, file)[1]
            got = mail.references if key == "references" else mail.in_reply_to
            if list(got) != [f"<{i}>" for i in want[key]]:
                wrong.add(file)
    assert wrong == IDS
    known = {f: e["message_id"] for f, e in _manifest(corpus).items() if e["message_id"]}
    other = {f for f, i in known.items() if _read(corpus, f)[1].message_id != f"<{i}>"}
    assert other == MANIFEST_IDS


def test_delivery_reports(corpus: Path) -> None:
    known = {f: e["bounce"] for f, e in _manifest(corpus).items() if e.get("bounce")}
    assert len(known) == 11
    for file, want in known.items():
        got = _read(corpus, file)[1].reports
        people = want["original_recipients"] or want["final_recipients"]
        assert [r.recipient for r in got] == [p.strip("<>").lower() for p in people], file
        assert [r.action for r in got] == want["actions"], file
        assert [r.status for r in got if r.status] == want["statuses"], file


@pytest.mark.parametrize(
    ("file", "defect"),
    [
        ("mikel-mail/plain_emails/raw_email_with_at_display_name.eml", "from-several"),
        ("mikel-mail/error_emails/bad_date_header2.eml", "date-invalid"),
        ("mikel-mail/plain_emails/raw_email10.eml", "charset-unknown"),
        ("rt/inline/CVE-2014-9472-decode-dos-0.eml", "charset-broken"),
        ("mailman/files/bad_email_3.eml", "message-id-repaired"),
        ("mime4j-mimetools/badbound.eml", "mime-no-parts"),
    ],
)
def test_nasty_mails_say_what_is_wrong(corpus: Path, file: str, defect: str) -> None:
    assert defect in _read(corpus, file)[1].defects


def test_evil_names_stay_in_their_folder(corpus: Path) -> None:
    mail = _read(corpus, "mime4j-mimetools/multi-2evil.eml")[1]
    assert mail.attachments
    for attached in mail.attachments:
        assert not set('/\\:<>"') & set(attached.filename)
        assert len(attached.filename) <= 150
