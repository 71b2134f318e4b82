"""Delivery reports: who, what, and about which mail (RFC 3464)."""

from __future__ import annotations

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
