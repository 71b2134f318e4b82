"""What screening makes of a mail: the marks of machines, of lists, of reports and of ourselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mailgate.core.mail import Address, DeliveryReport, Envelope, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.policy import Policy
from mailgate.core.robots import DAEMONS, NO_REPLY, PROGRAMS
from mailgate.core.screen import CHECKS, MAX_HOPS, REPORT_SUBJECTS, Treatment, screen
from mailgate.core.vacation import MARKERS
from tests.core.samples import ENVELOPE, POLICY, headers, mail

NULL = Envelope(mail_from="", rcpt_tos=("support@help.test",))
FILE = Envelope()  # a source without an envelope
REPORT = DeliveryReport(recipient="rita@customer.test", action="failed", status="5.1.1")


def judged(given: ParsedMail, envelope: Envelope = ENVELOPE, policy: Policy = POLICY) -> str:
    verdict = screen(given, envelope, policy)
    assert verdict.reason
    return f"{verdict.treatment} {verdict.kind} {verdict.check}"


def test_the_order_of_the_checks_is_the_policy() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "own_loop",
        "own_id",
        "own_sender",
        "too_many_hops",
        "delivery_report",
        "auto_submitted",
        "marker_header",
        "report_other",
        "vacation_answer",
        "mailing_list",
        "bulk",
        "null_sender",
        "calendar_reply",
        "vacation_like",
        "suppressed",
        "other_desk",
        "no_reply_sender",
    ]


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        pytest.param(mail(), "accept normal default", id="a person writes"),
        pytest.param(
            mail(headers={"x-roundup-loop": ("hello",)}),
            "quiet normal other-desk",
            id="another help desk: in full, but unconfirmed",
        ),
        pytest.param(mail(""), "accept normal default", id="nobody knows who wrote"),
        # --- ourselves (A9, L8)
        pytest.param(
            mail(headers=headers(x_mailgate_loop=" house-1 ")),
            "drop normal own-loop",
            id="our own loop header",
        ),
        pytest.param(
            mail(headers=headers(x_mailgate_loop="house-2")),
            "quiet normal other-desk",
            id="another house's loop header: a person at another desk (L8)",
        ),
        pytest.param(mail("support@help.test"), "drop normal own-sender", id="our own address"),
        pytest.param(mail("Hilfe@help.test"), "drop normal own-sender", id="an alias of ours"),
        pytest.param(
            mail("support+7.abc@help.test"), "drop normal own-sender", id="our address with a tag"
        ),
        pytest.param(
            mail("other@help.test"), "accept normal default", id="somebody else in our domain"
        ),
        pytest.param(
            mail(headers={"received": ("by x",) * MAX_HOPS}),
            "accept normal default",
            id="as many hops as may be",
        ),
        pytest.param(
            mail(headers={"received": ("by x",) * (MAX_HOPS + 1)}),
            "drop normal hops",
            id="round in circles",
        ),
        # --- delivery reports
        pytest.param(
            mail(reports=(REPORT,), top_type="multipart/report"),
            "bounce bounce delivery-report",
            id="RFC 3464",
        ),
        pytest.param(
            mail(reports=(REPORT,), top_type="multipart/mixed"),
            "accept normal default",
            id="a person who attaches a report asks for help",
        ),
        pytest.param(
            mail(
                top_type="multipart/report",
                headers=headers(content_type='multipart/report; report-type="Delivery-Status"'),
            ),
            "bounce bounce delivery-report",
            id="a report whose parts are broken",
        ),
        pytest.param(
            mail(headers=headers(x_failed_recipients="rita@customer.test")),
            "bounce bounce failed-recipients",
            id="Exim's bounce",
        ),
        pytest.param(
            mail("postmaster@customer.test"), "quiet normal no-reply", id="postmaster writes"
        ),
        # --- RFC 3834 (L2)
        pytest.param(
            mail(headers=headers(auto_submitted="no")), "accept normal default", id="explicit no"
        ),
        pytest.param(
            mail(headers=headers(auto_submitted="No (a person)")),
            "accept normal default",
            id="no with a comment",
        ),
        pytest.param(
            mail(headers=headers(auto_submitted="")), "accept normal default", id="no value"
        ),
        pytest.param(
            mail(headers=headers(auto_submitted="auto-replied")),
            "quiet auto_reply auto-submitted",
            id="vacation",
        ),
        pytest.param(
            mail(headers=headers(auto_submitted="auto-generated; owner-email=x@y.test")),
            "quiet auto_reply auto-submitted",
            id="generated, with parameters",
        ),
        pytest.param(
            mail(headers=headers(auto_submitted="Auto-Notified (sieve)")),
            "quiet auto_reply auto-submitted",
            id="notified, with a comment",
        ),
        # --- MS-OXCMAIL
        pytest.param(
            mail(headers=headers(x_auto_response_suppress="DR, OOF, AutoReply")),
            "quiet normal auto-response-suppress",
            id="Exchange asks for no out-of-office",
        ),
        pytest.param(
            mail(headers=headers(x_auto_response_suppress="All")),
            "quiet normal auto-response-suppress",
            id="Exchange asks for nothing at all",
        ),
        pytest.param(
            mail(headers=headers(x_auto_response_suppress="DR, RN")),
            "accept normal default",
            id="Exchange asks for no receipts only",
        ),
        # --- other reports
        pytest.param(
            mail(top_type="multipart/report", headers=headers(content_type="multipart/report")),
            "quiet auto_reply report",
            id="a read receipt",
        ),
        # --- lists
        *(
            pytest.param(
                mail(headers={name: ("<users.lists.test>",)}), f"quiet list {name}", id=f"by {name}"
            )
            for name in (
                "list-id",
                "list-post",
                "x-mailing-list",
                "x-mailman-version",
                "list-unsubscribe",
            )
        ),
        pytest.param(
            mail(headers={"precedence": ("first-class", "List")}),
            "quiet list precedence",
            id="the second Precedence counts too",
        ),
        # --- the null sender in the header of a source without an envelope
        pytest.param(
            mail(headers=headers(return_path="<>")),
            "accept normal default",
            id="a Return-Path from outside says nothing against the envelope",
        ),
        # --- the stronger check comes first
        pytest.param(
            mail("support@help.test", headers=headers(auto_submitted="auto-replied")),
            "drop normal own-sender",
            id="our own automatic mail",
        ),
        pytest.param(
            mail(
                reports=(REPORT,),
                top_type="multipart/report",
                headers=headers(auto_submitted="auto-replied"),
            ),
            "bounce bounce delivery-report",
            id="a report carries automatic marks too",
        ),
        pytest.param(
            mail(headers=headers(list_id="<l.test>", auto_submitted="auto-replied")),
            "quiet auto_reply auto-submitted",
            id="a vacation sent through a list",
        ),
        pytest.param(
            mail("no-reply@shop.test", headers=headers(list_id="<l.test>")),
            "quiet list list-id",
            id="a list that reads no answers",
        ),
        # --- a marker as a cloak (L3): kept like any mail, only nobody is told
        pytest.param(
            mail(subject="My printer burns", headers=headers(auto_submitted="auto-replied")),
            "quiet auto_reply auto-submitted",
            id="a request in disguise is not dropped",
        ),
    ],
)
def test_screen(given: ParsedMail, verdict: str) -> None:
    assert judged(given) == verdict


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in MARKERS for value in values or ("whatever",)],
)
def test_every_marker_is_known_in_any_case_and_place(name: str, value: str) -> None:
    expected = f"quiet auto_reply {name}"
    assert judged(mail(headers={name: (f" {value.upper()} ",)})) == expected
    assert judged(mail(headers={name: ("first", value)})) == expected


@pytest.mark.parametrize("name", [name for name, values in MARKERS if values is not None])
def test_a_marker_with_another_value_says_nothing(name: str) -> None:
    verdict = judged(mail(headers={name: ("first-class",)}))
    assert verdict in ("accept normal default", "quiet normal other-desk")


@pytest.mark.parametrize("local", sorted(DAEMONS))
def test_a_mailer_daemon_sends_reports(local: str) -> None:
    given = mail(f"{local.upper()}@relay.test")
    assert judged(given) == "bounce bounce mailer-daemon"


@pytest.mark.parametrize("words", REPORT_SUBJECTS)
def test_a_postmasters_returned_mail_is_a_report(words: str) -> None:
    given = mail("postmaster@relay.test", subject=f"Re: {words.title()}")
    assert judged(given) == "bounce bounce mailer-daemon"


@pytest.mark.parametrize("local", sorted(NO_REPLY | PROGRAMS))
def test_who_reads_no_answers_gets_none(local: str) -> None:
    assert judged(mail(f"{local}@shop.test")) == "quiet normal no-reply"


@pytest.mark.parametrize(
    ("envelope", "return_path", "verdict"),
    [
        pytest.param(NULL, "", "quiet auto_reply null-sender", id="empty in the envelope"),
        pytest.param(FILE, "<>", "quiet auto_reply null-sender", id="no envelope, empty header"),
        pytest.param(FILE, "<rita@customer.test>", "accept normal default", id="no envelope"),
        pytest.param(FILE, "", "accept normal default", id="neither"),
    ],
)
def test_the_null_sender(envelope: Envelope, return_path: str, verdict: str) -> None:
    given = mail(headers=headers(return_path=return_path) if return_path else {})
    assert judged(given, envelope) == verdict


def test_a_postmaster_with_the_null_sender_reports() -> None:
    assert judged(mail("postmaster@relay.test"), NULL) == "bounce bounce mailer-daemon"


def test_without_an_instance_id_no_loop_header_is_ours() -> None:
    given = mail(headers=headers(x_mailgate_loop=""))
    assert judged(given, policy=Policy()) == "accept normal default"


def test_several_authors_are_judged_by_the_first() -> None:
    """No identity, but one mailer-daemon among the authors makes it a report."""
    authors = (Address(addr="mailer-daemon@relay.test"), Address(addr="rita@customer.test"))
    assert judged(mail("", from_=authors)) == "bounce bounce mailer-daemon"


# --- real mail ---------------------------------------------------------------------------

# Where we read a mail of the corpus otherwise than its manifest.
OTHERWISE: Mapping[str, str] = {
    # 93 Received headers, added for length; a mail that really came so far goes in circles.
    "mime4j/long-headers.eml": "drop normal",
}


def _entries(corpus: Path) -> Mapping[str, Any]:
    found = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    messages: Mapping[str, Any] = found["messages"]
    return messages


def _judge_file(corpus: Path, file: str) -> str:
    verdict = screen(parse((corpus / file).read_bytes()), Envelope(), POLICY)
    return f"{verdict.treatment} {verdict.kind}"


# What a mail of the corpus with this outcome must never be taken for.
FORBIDDEN: Mapping[str, tuple[Treatment, ...]] = {
    "bounce": (Treatment.ACCEPT, Treatment.DROP),
    "auto_reply": (Treatment.ACCEPT, Treatment.DROP),
    "list": (Treatment.ACCEPT, Treatment.BOUNCE, Treatment.DROP),
    "normal": (Treatment.BOUNCE, Treatment.DROP),
}


def test_real_mail_is_screened_as_its_sources_say(corpus: Path) -> None:
    """A list that reads like an answering machine is fine: both are kept and never answered."""
    wrong = {}
    for file, entry in _entries(corpus).items():
        found = _judge_file(corpus, file)
        if found.startswith(FORBIDDEN.get(entry["outcome"], ())):
            wrong[file] = found
    assert wrong == OTHERWISE
