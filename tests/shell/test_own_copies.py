"""Nobody's copy holds anybody else's token: not in a header, not in a body, not in a file."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailgate.core import token
from mailgate.core.token import Key, Purpose
from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.rig import START, House, Sent
from tests.shell.worker_rig import house, outcomes

RITA, CARL, ANA = "rita@customer.example", "carl@customer.example", "ana@example.org"
STRANGER = "stranger@elsewhere.example"
# Wherever letters stand that could be a token, however they are cut out of their surroundings.
_LETTERS = re.compile(r"[a-z2-7]+", re.IGNORECASE)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool, for all tests of this file."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def home(database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """Rita's ticket, with Carl on its CC list; all three have read a mail of ours."""
    with house(database, parsers, tmp_path) as found:
        write(found, RITA, "The printer is jammed.", cc=CARL)
        yield found


def write(
    home: House,
    sender: str,
    body: str,
    *,
    answers: Sent | None = None,
    cc: str = "",
    references: str = "",
    kind: str = "text/plain",
    login: str = "",
) -> str:
    """A mail is sent, to the address that `answers` names, and settled; returns its outcome."""
    to = answers.reply_to if answers else "support@example.org"
    number = home.now.strftime("%H%M")
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Cc: {cc}" if cc else "",
        "Subject: Printer",
        f"Date: {home.now:%a, %d %b %Y %H:%M:%S +0000}",
        f"Message-ID: <{number}@{sender.partition('@')[2]}>",
        f"In-Reply-To: {answers.message_id}" if answers else "",
        f"References: {references or (answers.message_id if answers else '')}" if answers else "",
        f"Content-Type: {kind}; charset=utf-8",
    ]
    head = "\r\n".join(line for line in lines if line)
    raw = f"{head}\r\n\r\n{body}\r\n".replace("\r\n", "\n").replace("\n", "\r\n")
    taken = home.deliver(raw.encode(), rcpt=[to], login=login)
    home.settle()
    home.now += timedelta(minutes=1)
    return outcomes(home.database, [taken])[0]


def texts(copy: Sent) -> Iterator[str]:
    """All that a reader of a copy can get at: the bytes, each header, each part decoded."""
    yield copy.path
    yield copy.raw.decode()
    message = email.message_from_bytes(copy.raw, policy=email.policy.default)
    for part in message.walk():
        assert isinstance(part, EmailMessage)
        for name, value in part.items():
            yield f"{name}: {value}"
        data = part.get_payload(decode=True)
        if isinstance(data, bytes):
            yield data.decode("utf-8", "replace")


def holders(copy: Sent, keys: tuple[Key, ...]) -> set[bytes]:
    """Whose tokens are in a copy, wherever and in whatever letters."""
    found = set()
    for text in texts(copy):
        for joined in (text, re.sub(r"\s+", "", text)):
            for run in _LETTERS.findall(joined):
                for size in (47, 56):
                    for at in range(len(run) - size + 1):
                        sealed = token.open_(run[at : at + size])
                        if sealed and not token.fault(sealed, keys, START):
                            found.add(sealed.token.holder)
    return found


def assert_apart(home: House, *people: str) -> None:
    """Each mail that went to one of them holds tokens, and no other than their own."""
    with home.database.reading() as tx:
        keys = tx.keys.all()
    for address in people:
        copies = home.sent(address)
        assert copies
        for copy in copies:
            assert holders(copy, keys) == {token.holder_of(address)}, (address, copy.notice)


def quoted(copy: Sent) -> str:
    """A whole mail as some clients quote it: with its headers, each line marked."""
    body = copy.mail.get_body(("plain",))
    assert body is not None
    lines = [*shown_head(copy), "", *body.get_content().splitlines()]
    return "\n".join(f"> {line}" for line in lines)


def shown_head(copy: Sent) -> list[str]:
    """The headers that a client shows above what it quotes."""
    names = ("From", "Reply-To", "To", "Subject", "Message-ID")
    return [f"{name}: {copy.mail[name]}" for name in names]


def ours(copy: Sent) -> list[str]:
    """Our own ids, with tokens, that a copy refers to."""
    ids = f"{copy.mail['In-Reply-To']} {copy.mail['References']}".split()
    return [one for one in ids if token.in_id(one)]


# --- the talk of customers ---------------------------------------------------------------


def test_what_a_customer_answered_with_is_nobody_elses_T5(home: House) -> None:
    """Carl's copy refers to his own copies of the same mails, so that his thread holds, too."""
    confirmed = {who: home.last(who) for who in (RITA, CARL)}
    mine = confirmed[RITA]
    assert write(home, RITA, f"It still is.\n\n{quoted(mine)}", answers=mine) == "reply"
    got = home.last(CARL)
    assert got.notice == "copy"
    assert ours(got) == [confirmed[CARL].message_id]
    for secret in (mine.message_id, mine.reply_to, mine.path):
        assert secret not in got.raw.decode()
    assert_apart(home, RITA, CARL, ANA)

    line = f"{confirmed[CARL].message_id} {got.message_id}"
    assert write(home, CARL, "Here too.", answers=got, references=line) == "reply"
    back = home.last(RITA)
    assert back.notice == "copy"
    # Rita was sent no copy of her own words: what she has of the line is the confirmation.
    assert ours(back) == [mine.message_id]
    assert_apart(home, RITA, CARL, ANA)


def test_an_agents_answer_goes_on_with_each_readers_own_thread(home: House) -> None:
    write(home, RITA, "It still is.", answers=home.last(RITA))
    assert write(home, ANA, "Switch it off.", answers=home.last(ANA)) == "reply"
    first = {who: home.last(who) for who in (RITA, CARL)}
    assert write(home, ANA, "And on again.", answers=home.last(ANA)) == "reply"
    for who in (RITA, CARL):
        assert home.last(who).notice == "answer"
        assert home.last(who).mail["In-Reply-To"] == first[who].message_id
    assert_apart(home, RITA, CARL, ANA)


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(str.upper, id="in capitals"),
        pytest.param(lambda one: one.replace("@example.org", "@EXAMPLE.org"), id="another domain"),
        pytest.param(lambda one: one.replace("<mg.", "<x.mg."), id="something before it"),
    ],
)
def test_an_id_of_ours_that_is_misspelled_goes_to_nobody(home: House, spelled: object) -> None:
    """It cannot be translated, and for whoever reads it, it would be a token all the same."""
    assert callable(spelled)
    mine = home.last(RITA)
    references = f"<kept@customer.example> {spelled(mine.message_id)}"
    assert write(home, RITA, "Still.", answers=mine, references=references) == "reply"
    assert "<kept@customer.example>" in str(home.last(CARL).mail["References"])
    assert_apart(home, CARL, ANA)


# --- an agent's answer over everything that we wrote to them -----------------------------


def marked(copy: Sent) -> str:
    """As most clients do it."""
    return f"On Monday, Support wrote:\n{quoted(copy)}"


def headed(copy: Sent) -> str:
    """As Outlook does it: headers in words, nothing marked."""
    body = copy.mail.get_body(("plain",))
    assert body is not None
    return "\n".join(
        ["-----Original Message-----", *shown_head(copy), "", body.get_content().strip()]
    )


def pasted(copy: Sent) -> str:
    """As nobody can tell from the agent's own words: no heading, no marker line."""
    body = copy.mail.get_body(("plain",))
    assert body is not None
    words = [line for line in body.get_content().splitlines() if "##-" not in line]
    return "\n".join([f"It is {copy.reply_to} and {copy.message_id} again!", *words])


def linked(copy: Sent) -> str:
    """As the address book of a client writes addresses."""
    return f"Write to {copy.reply_to.upper()} <mailto:{copy.reply_to}?subject=x> or {copy.release}!"


@pytest.mark.parametrize("way", [marked, headed, pasted, linked])
@pytest.mark.parametrize("login", ["", ANA], ids=["by token", "by login"])
def test_an_agent_answers_over_the_whole_notice_C8(home: House, way: object, login: str) -> None:
    """The notice holds two addresses that are Ana's alone: one answers, one releases held mail."""
    assert callable(way)
    assert write(home, STRANGER, "Let me in.", answers=home.last(RITA)) == "held"
    notice = home.last(ANA)
    assert notice.notice == "agent-held"
    secrets = {notice.reply_to, notice.message_id, notice.path, notice.release}
    assert len(secrets) == 4
    released = token.in_address(notice.release)
    assert released
    assert released.token.purpose is Purpose.RELEASE

    told = f"Please switch it off.\n\n{way(notice)}"
    assert write(home, ANA, told, answers=notice, login=login) == "reply"
    for who in (RITA, CARL):
        got = home.last(who)
        assert got.notice == "answer"
        body = got.mail.get_body(("plain",))
        assert body is not None
        assert body.get_content().startswith("Please switch it off.")
        assert not any(secret in text for text in texts(got) for secret in secrets)
    assert_apart(home, RITA, CARL)
    if way in (marked, headed):  # what an agent alone may read is gone with the notice
        assert "Let me in." not in home.last(RITA).raw.decode()


def test_an_agent_answers_in_html_alone_over_the_whole_notice_C8(home: House) -> None:
    write(home, STRANGER, "Let me in.", answers=home.last(RITA))
    notice = home.last(ANA)
    page = notice.mail.get_body(("html",))
    assert page is not None
    shown = "<br>".join(shown_head(notice)).replace("<mg", "&lt;mg").replace("<support", "&lt;s")
    told = f"<p>Please switch it off.</p><div>{shown}</div>{page.get_content()}"
    assert write(home, ANA, told, answers=notice, kind="text/html") == "reply"
    assert "Please switch it off." in home.last(RITA).raw.decode()
    assert_apart(home, RITA, CARL)


def test_a_mail_of_ours_that_an_agent_attaches_stays_with_us_C8(home: House) -> None:
    notice = home.last(ANA)
    attached = (
        "--b\nContent-Type: text/plain\n\nSee the file.\n--b\nContent-Type: message/rfc822\n"
        f"Content-Disposition: attachment; filename=mail.eml\n\n{notice.raw.decode()}\n--b--"
    )
    kind = 'multipart/mixed; boundary="b"'
    assert write(home, ANA, attached, answers=notice, kind=kind) == "reply"
    assert "See the file." in home.last(RITA).raw.decode()
    assert list(home.last(RITA).mail.iter_attachments()) == []
    assert_apart(home, RITA, CARL)
