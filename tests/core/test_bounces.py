"""Which mail a delivery report is about, whether it is believed, and how bad it is (L4, L5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailgate.core import token
from mailgate.core.bounces import (
    Match,
    Severity,
    copy_number,
    failures,
    match,
    no_such_address,
    severity,
)
from mailgate.core.decision import Facts, SentCopy, SentMail
from mailgate.core.mail import DeliveryReport, Envelope, ParsedMail
from mailgate.core.parse import parse
from mailgate.core.people import Role
from mailgate.core.token import Key, Purpose, Token
from tests.core.bounced_mails import DEAD, OURS, SAMPLES
from tests.core.samples import NOW, mail, person

KEY = Key(id=7, secret=b"k" * 32, created=datetime(2026, 1, 1, tzinfo=UTC))
NUMBER = 123_456_789
COPY = SentCopy(
    outbox=3, recipient=31, ticket=7, address=DEAD, role="requester", notice="confirmation"
)
SENT = SentMail(outbox=3, ticket=7, notice="confirmation", recipients=(DEAD,))
GONE = DeliveryReport(recipient=DEAD, action="failed", status="5.1.1")
VICTIM = DeliveryReport(recipient="victim@bank.test", action="failed", status="5.1.1")


def return_path(**changes: Any) -> str:
    """The return path of Ann's copy, or one that says something else."""
    said: dict[str, Any] = {
        "purpose": Purpose.BOUNCE,
        "role": Role.REQUESTER,
        "key": KEY.id,
        "last_day": token.valid_through(NOW, 30),
        "number": NUMBER,
        "holder": token.holder_of(DEAD),
    }
    return token.address(
        token.seal(Token(**{**said, **changes}), KEY), "support@help.test", "help.test"
    )


def facts(**more: Any) -> Facts:
    return Facts(**{"keys": (KEY,), "copy": COPY, "sent": {OURS: SENT}, **more})


def report(*reports: DeliveryReport, **more: Any) -> ParsedMail:
    return mail("mailer-daemon@mx.test", "Undelivered", reports=reports, **more)


def envelope(*to: str) -> Envelope:
    return Envelope(mail_from="", rcpt_tos=to or ("support@help.test",))


def judged(given: ParsedMail, path: str = "", known: Facts | None = None) -> Match:
    """A report that came to this address."""
    return match(given, envelope(path) if path else envelope(), known or facts(), NOW)


# --- by the return path --------------------------------------------------------------------


@pytest.mark.parametrize("action", ["failed", "delayed", "delivered", "relayed", "expanded"])
def test_a_report_to_a_return_path_is_about_that_copy_L4(action: str) -> None:
    told = replace(GONE, action=action)
    got = judged(report(told), return_path())
    assert (got.outbox, got.recipient, got.ticket, got.address) == (3, 31, 7, DEAD)
    assert (got.how, got.genuine, got.reports) == ("return path", True, (told,))


@pytest.mark.parametrize("where", ["envelope", "to", "delivered-to", "upper case"])
def test_the_return_path_is_found_wherever_it_stands_L4(where: str) -> None:
    path = return_path()
    given, came = report(GONE), envelope()
    if where == "envelope":
        came = envelope("support@help.test", path)
    elif where == "to":
        given = replace(given, to=(person(path),))
    elif where == "delivered-to":
        given = replace(given, trail=(("delivered-to", path),))
    else:
        came = envelope(path.upper())
    assert copy_number(given, came) == NUMBER
    assert match(given, came, facts(), NOW).recipient == 31


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.BOUNCE])
def test_a_token_for_another_purpose_is_no_return_path_L5(purpose: Purpose) -> None:
    path = return_path(purpose=purpose)
    assert copy_number(report(GONE), envelope(path)) is None
    assert not judged(report(GONE), path).genuine


def test_a_forwarded_mail_that_fails_elsewhere_is_still_about_our_copy_L4() -> None:
    moved = DeliveryReport(recipient="box7@other.test", action="failed", status="5.1.1")
    assert judged(report(moved), return_path()).reports == (moved,)
    both = judged(report(moved, GONE), return_path())
    assert both.reports == (GONE,), "what is said of the address itself goes first"


def test_each_bit_of_a_return_path_matters_L5() -> None:
    local, _, domain = return_path().partition("@")
    sealed = local.partition("+")[2]
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    for at, letter in enumerate(sealed):
        for bit in range(5):
            changed = alphabet[alphabet.index(letter) ^ 1 << bit]
            path = f"support+{sealed[:at]}{changed}{sealed[at + 1 :]}@{domain}"
            assert not judged(report(GONE), path, facts(sent={})).genuine


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"keys": ()}, "not one of ours"),
        ({"keys": (replace(KEY, secret=b"x" * 32),)}, "not one of ours"),
        ({"keys": (replace(KEY, valid_until=NOW - timedelta(days=1)),)}, "withdrawn"),
        ({"copy": None}, "not there any more"),
        ({"copy": replace(COPY, address="victim@bank.test")}, "not there any more"),
    ],
)
def test_a_return_path_that_is_not_to_be_believed_changes_nothing_L5(
    changed: dict[str, Any], why: str
) -> None:
    got = judged(report(GONE), return_path(), facts(sent={}, **changed))
    assert (got.outbox, got.recipient, got.genuine, got.reports) == (None, None, False, ())
    assert why in got.reason


def test_an_old_return_path_has_expired_L5() -> None:
    path = return_path(last_day=NOW.date() - timedelta(days=1))
    assert "expired" in judged(report(GONE), path, facts(sent={})).reason


# --- by the Message-ID ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"reported_id": OURS}, id="reported"),
        pytest.param({"in_reply_to": (OURS,)}, id="in-reply-to"),
        pytest.param({"references": ("<other@x.test>", OURS)}, id="references"),
    ],
)
def test_a_report_that_names_our_mail_and_its_recipient_counts_L4(named: dict[str, Any]) -> None:
    got = judged(report(GONE, **named))
    assert (got.outbox, got.recipient, got.ticket, got.address) == (3, None, 7, DEAD)
    assert (got.how, got.genuine) == ("message id", True)


def test_it_may_name_the_recipient_in_any_case_or_only_as_what_it_became_L4() -> None:
    moved = DeliveryReport(recipient="box7@other.test", final=DEAD.upper(), action="failed")
    assert judged(report(moved, reported_id=OURS)).genuine


def test_a_report_that_names_nobody_is_about_the_one_whom_we_wrote_to_L4() -> None:
    nobody = DeliveryReport(recipient="", action="failed", diagnostic="gone")
    assert judged(report(nobody, reported_id=OURS)).address == DEAD
    shared = facts(sent={OURS: replace(SENT, recipients=(DEAD, "carl@customer.test"))})
    got = judged(report(nobody, reported_id=OURS), known=shared)
    assert (got.genuine, got.address) == (True, "")


def test_a_forged_report_about_a_victim_changes_nothing_L5() -> None:
    for given in (
        report(VICTIM),
        report(VICTIM, reported_id="<guessed@help.test>"),
        report(VICTIM, reported_id=OURS),  # the forger got a mail of ours, the victim did not
        report(VICTIM, in_reply_to=(OURS,)),
    ):
        got = judged(given)
        assert (got.outbox, got.recipient, got.genuine) == (None, None, False)
        assert (got.address, got.reports) == ("", ())


def test_of_several_recipients_only_ours_count_L5() -> None:
    got = judged(report(VICTIM, GONE, reported_id=OURS))
    assert (got.genuine, got.reports) == (True, (GONE,))


def test_a_bad_return_path_does_not_spoil_a_good_message_id() -> None:
    path = return_path(last_day=NOW.date() - timedelta(days=1))
    assert judged(report(GONE, reported_id=OURS), path).how == "message id"


@pytest.mark.parametrize("name", [name for name, sample in SAMPLES.items() if sample.returned])
def test_bounces_without_a_standard_are_matched_by_the_mail_they_return_L4(name: str) -> None:
    got = judged(parse(SAMPLES[name].raw))
    assert (got.outbox, got.address, got.genuine) == (3, DEAD, True)


# --- how bad -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "diagnostic", "want"),
    [
        ("5.1.1", "", Severity.HARD),
        ("5.1.0", "", Severity.HARD),
        ("5.1.6", "", Severity.HARD),
        ("5.1.10", "", Severity.HARD),
        ("5.2.1", "", Severity.HARD),
        ("5.1.7", "", Severity.SOFT),
        ("5.1.8", "", Severity.SOFT),
        ("5.2.2", "smtp; 552 5.2.2 Mailbox full", Severity.SOFT),
        ("5.7.1", "smtp; 550 spam", Severity.SOFT),
        ("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied", Severity.HARD),
        ("5.3.0", "SMTP; 553 5.3.0 <a@b.test>... Unknown E-Mail Address", Severity.HARD),
        ("5.0.0", "smtp; 550 5.1.1 gone", Severity.HARD),
        ("5.7.1", "smtp; 550 5.7.1 see 5.1.1 of our rules", Severity.SOFT),
        ("", "smtp; 550 Benutzer unbekannt", Severity.HARD),
        ("", "smtp; 550 no", Severity.SOFT),
        ("4.4.7", "given up after five days", Severity.SOFT),
        ("4.1.1", "user unknown for now", Severity.SOFT),
        ("5.1.0", "smtp; 550 5.1.0 Sender address rejected: User unknown", Severity.SOFT),
    ],
)
def test_how_bad_a_failure_is_L4(status: str, diagnostic: str, want: Severity) -> None:
    told = DeliveryReport(recipient=DEAD, action="failed", status=status, diagnostic=diagnostic)
    assert severity(told) is want
    assert failures([told]) == (told,)


@pytest.mark.parametrize(
    ("action", "status", "want"),
    [
        ("delayed", "4.4.1", Severity.DELAY),
        ("delayed", "", Severity.DELAY),
        ("delayed", "5.1.1", Severity.DELAY),
        ("", "4.2.2", Severity.DELAY),
        ("delivered", "2.0.0", Severity.SUCCESS),
        ("relayed", "", Severity.SUCCESS),
        ("expanded", "", Severity.SUCCESS),
        ("", "2.1.5", Severity.SUCCESS),
        ("fail", "5.1.1", Severity.HARD),
        ("", "5.1.1", Severity.HARD),
    ],
)
def test_what_is_no_failure_is_told_apart_L4(action: str, status: str, want: Severity) -> None:
    told = DeliveryReport(recipient=DEAD, action=action, status=status)
    assert severity(told) is want
    assert bool(failures([told])) == (want in (Severity.HARD, Severity.SOFT))


def test_samples_without_a_standard_are_judged_alike_L4() -> None:
    soft = {"postfix", "barracuda", "exim, with X-Failed-Recipients alone"}
    for name, sample in SAMPLES.items():
        (told,) = parse(sample.raw).reports
        want = Severity.SOFT if name in soft else Severity.HARD
        assert severity(told) is (Severity.DELAY if sample.action == "delayed" else want), name


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("5.1.1 <ann@customer.test>: Recipient address rejected: User unknown", True),
        ("No such user here", True),
        ("5.7.1 Relay access denied", False),
        ("5.1.0 <support@help.test>: Sender address rejected: Domain not found", False),
        ("spam from 5.1.1.7", False),
        ("4.1.1 try again", False),
    ],
)
def test_what_a_relay_says_is_read_alike(text: str, want: bool) -> None:
    assert no_such_address("", text) is want
