"""Delivery reports: who, what, and about which mail (RFC 3464)."""

from __future__ import annotations

import pytest

from mailgate.core.parse import parse

HEAD = (
    b"From: MAILER-DAEMON@mx.test\r\nMessage-ID: <dsn@mx.test>\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\n\r\nSorry.\r\n"
)
STATUS = (
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx.test\r\n\r\n"
    b"Original-Recipient: rfc822;Carla@acme.test\r\nFinal-Recipient: rfc822; box7@acme.test\r\n"
    b"Action: failed (dead)\r\nStatus: 5.1.1 (no such user)\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1\r\n  no such user\r\n\r\n"
    b"Final-Recipient: rfc822; <dan@acme.test>\r\nAction: delayed\r\nStatus: nonsense\r\n"
)


def test_each_recipient_has_a_report() -> None:
    first, second = parse(HEAD + STATUS + b"--b--\r\n").reports
    assert (first.recipient, first.action, first.status) == ("carla@acme.test", "failed", "5.1.1")
    assert first.diagnostic == "smtp; 550 5.1.1 no such user"
    assert (second.recipient, second.action, second.status) == ("dan@acme.test", "delayed", "")
    assert (first.final, second.final) == ("box7@acme.test", "")


def test_the_returned_mail_names_what_it_is_about() -> None:
    whole = (
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <ours@example.org>\r\n\r\nhi\r\n"
    )
    heads = whole.replace(b"message/rfc822", b"text/rfc822-headers")
    for returned in (whole, heads):
        got = parse(HEAD + STATUS + returned + b"--b--\r\n")
        assert got.reported_id == "<ours@example.org>"
        assert got.top_type == "multipart/report"
        assert got.text.strip() == "Sorry."


def test_an_attached_mail_is_no_report() -> None:  # T10
    raw = (
        b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + HEAD + STATUS + b"--b--\r\n--o--\r\n"
    )
    got = parse(raw)
    assert got.reports == ()
    assert got.reported_id == ""


@pytest.mark.parametrize("kind", ["message/delivery-status", "message/global-delivery-status"])
@pytest.mark.parametrize(
    "written",
    [
        "utf-8; grüße@bücher.test",
        r"utf-8; gr\x{FC}\x{DF}e@b\x{FC}cher.test",
        "UTF-8;grüße@xn--bcher-kva.test",
    ],
)
def test_internationalised_addresses_are_read_as_rfc_6533_has_them(kind: str, written: str) -> None:
    status = (
        f"--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"Reporting-MTA: dns; mx.test\r\n\r\nFinal-Recipient: {written}\r\n"
        "Action: failed\r\nStatus: 5.1.1\r\n--b--\r\n"
    )
    (report,) = parse(HEAD + status.encode()).reports
    assert report.recipient == "grüße@xn--bcher-kva.test"


@pytest.mark.parametrize("written", [r"\x{20}", r"\x{D800}", r"\x{110000}", r"\x{0}"])
def test_what_is_no_character_is_not_made_one(written: str) -> None:
    block = f"Final-Recipient: utf-8; a{written}@acme.test\r\nAction: failed\r\n--b--\r\n"
    status = "--b\r\nContent-Type: message/delivery-status\r\n\r\n" + block
    (report,) = parse(HEAD + status.encode()).reports
    assert report.recipient == f"a{written}@acme.test"


def test_every_action_is_told(subtests: pytest.Subtests) -> None:
    for action in ("failed", "delayed", "delivered", "relayed", "expanded"):
        with subtests.test(action):
            got = parse(HEAD + STATUS.replace(b"failed (dead)", action.encode()) + b"--b--\r\n")
            assert got.reports[0].action == action


@pytest.mark.parametrize(
    "copied",
    [
        "From: support@example.org\r\nMessage-ID: <ours@example.org>\r\n",
        "> Received: from x\r\n> Message-Id:\r\n>  <ours@example.org>\r\n".replace(">  <", " <"),
        "\tTo: ann@acme.test\r\n\tMESSAGE-ID: <ours@example.org>\r\n",
    ],
)
def test_a_header_that_was_copied_into_the_text_names_the_mail(copied: str) -> None:
    text = f"--b\r\nContent-Type: text/plain\r\n\r\nThis came back:\r\n\r\n{copied}"
    assert parse(HEAD + STATUS + text.encode() + b"--b--\r\n").reported_id == "<ours@example.org>"


@pytest.mark.parametrize("kind", ["disposition-notification", "feedback-report"])
def test_a_read_receipt_is_no_delivery_report_L2(kind: str) -> None:
    """Also where its subject speaks of delivery."""
    raw = (
        b"From: ann@acme.test\r\nSubject: Undeliverable: no, read\r\n"
        b"Content-Type: multipart/report; report-type=%b; boundary=b\r\n\r\n--b\r\n\r\n"
        b"Your message to support@example.org was read.\r\n--b\r\nContent-Type: message/%b\r\n"
        b"\r\nFinal-Recipient: rfc822;ann@acme.test\r\n\r\n--b--\r\n"
    ) % (kind.encode(), kind.encode())
    assert parse(raw).reports == ()


def test_a_report_without_its_second_part_is_read_from_its_words_L2() -> None:
    text = b"\r\nThe following address(es) failed:\r\n\r\n  ann@acme.test\r\n    user unknown\r\n"
    (report,) = parse(HEAD + text + b"--b--\r\n").reports
    assert (report.recipient, report.action) == ("ann@acme.test", "failed")
    assert "user unknown" in report.diagnostic


@pytest.mark.parametrize(
    ("sender", "subject"),
    [
        ("rita@customer.test", "A question"),
        ("rita@customer.test", "Re: [#7] Printer"),
        ("info@mailer-daemons.test", "Your parcel"),
    ],
)
def test_what_a_person_says_of_a_failure_is_no_report(sender: str, subject: str) -> None:
    raw = (
        f"From: {sender}\r\nSubject: {subject}\r\n\r\nI wrote to you, and got: your message "
        "could not be delivered to ann@acme.test, 550 5.1.1 user unknown.\r\n"
    )
    got = parse(raw.encode())
    assert (got.reports, got.reported_id) == ((), "")
