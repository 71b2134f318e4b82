"""Links to files are for agents alone: no answer carries one out, and none proves anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest

from mailgate.parsing import Parsers
from store.database import Database
from tests.flows.private import copies, leaks
from tests.flows.rig import House
from tests.flows.test_file_links import ANA, CONFIG, NAME, RITA, URL, link, page, with_file, words

SAM = "sam@supplier.example"
Open = Callable[..., House]


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """The real pool."""
    pool = Parsers(workers=1, seconds=30)
    yield pool
    pool.close()


@pytest.fixture
def house(sqlite_database: Database, parsers: Parsers, tmp_path: Path) -> Iterator[House]:
    """A house to which Rita has sent a file."""
    house = House(sqlite_database, parsers, tmp_path, config=CONFIG)
    house.deliver(with_file())
    house.settle()
    yield house
    house.close()


def answered(house: House, text: str, html: str = "", *, login: str = "") -> None:
    """A mail of Ana's in answer to her last notice."""
    to = house.last(ANA).reply_to
    head = (
        f"From: Ana <{ANA}>\nTo: {to}\nSubject: Re: Lamp\nMIME-Version: 1.0\n"
        f"In-Reply-To: {house.last_notice(ANA)}\n"
    )
    plain = f"Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    other = f"--a\nContent-Type: text/html; charset=utf-8\n\n{html}\n--a--\n"
    body = f'Content-Type: multipart/alternative; boundary="a"\n\n--a\n{plain}{other}'
    raw = f"{head}{body if html else plain}".replace("\n", "\r\n")
    house.deliver(raw.encode(), rcpt=[to], login=login)
    house.settle()


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def carried(house: House, secret: str) -> list[str]:
    """Whose copies say the link, of those who are no agents."""
    with house.database.reading() as tx:
        outside = [copy for copy in copies(tx) if copy.role != "agent"]
    words = {copy.address: copy.words.lower() for copy in outside}
    return [who for who, said in words.items() if secret in said or "/file/" in said]


ANSWER = "Please send a picture of the plug."


def bottom(house: House) -> tuple[str, str]:
    text = f"Support wrote:\n{quoted(words(house))}\n{ANSWER}\n"
    return text, ""


def between(house: House) -> tuple[str, str]:
    lines = quoted(words(house)).splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if URL in line) + 1
    return f"Support wrote:\n{''.join(lines[:at])}\n{ANSWER}\n\n{''.join(lines[at:])}", ""


def above_with_html(house: House) -> tuple[str, str]:
    notice = page(house)
    html = f"<p>{ANSWER}</p><blockquote type=cite>{notice}</blockquote>"
    return f"{ANSWER}\n\nSupport wrote:\n{quoted(words(house))}", html


def below_with_html(house: House) -> tuple[str, str]:
    text, _ = bottom(house)
    return text, f"<blockquote type=cite>{page(house)}</blockquote><p>{ANSWER}</p>"


def pasted(house: House) -> tuple[str, str]:
    return f"{ANSWER} See {URL}{link(house)} there", ""


def pasted_html(house: House) -> tuple[str, str]:
    url = f"{URL}{link(house)}"
    return f"{ANSWER} See the film", f'<p>{ANSWER} See <a href="{url}">the film</a></p>'


def wrapped(house: House) -> tuple[str, str]:
    url = quote(f"{URL}{link(house)}", safe="")
    safe = f"https://eur01.safelinks.example/?url={url}&data=05%7C02%7C&reserved=0"
    html = f'<p>{ANSWER} See <a href="{escape(safe)}">the film</a></p>'
    return f"{ANSWER} See the film<{safe}>", html


def token_alone(house: House) -> tuple[str, str]:
    return f"{ANSWER} See {link(house)}.", ""


SHAPES = [
    *(bottom, between, above_with_html, below_with_html, pasted, pasted_html, wrapped, token_alone)
]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_answer_carries_a_link_out(
    house: House, shape: Callable[[House], tuple[str, str]]
) -> None:
    secret = link(house)
    answered(house, *shape(house))
    assert ANSWER in words(house, RITA)
    assert carried(house, secret) == []
    assert leaks(house.database, house.desk.policy) == []


def test_an_answer_typed_into_an_unmarked_copy_is_not_sent_with_it(house: House) -> None:
    secret = link(house)
    lines = words(house).splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if URL in line) + 1
    before = house.sent(RITA)
    answered(house, f"{''.join(lines[:at])}\n{ANSWER}\n\n{''.join(lines[at:])}")
    assert house.sent(RITA) == before  # it is handed back: nobody can tell it from the notice
    assert carried(house, secret) == []


def test_no_third_party_gets_a_link(house: House) -> None:
    secret = link(house)
    text, _ = bottom(house)
    answered(house, f"#side {SAM}\n\n{ANSWER} {URL}{secret}\n\n{text}", login=ANA)
    assert ANSWER in words(house, SAM)
    assert carried(house, secret) == []
    assert leaks(house.database, house.desk.policy) == []


@pytest.mark.parametrize("sender", ["eve@stranger.example", RITA, ANA])
def test_a_forward_of_the_link_proves_nothing(house: House, sender: str) -> None:
    secret = link(house)
    raw = (
        f"From: X <{sender}>\nTo: support@example.org\nSubject: Fwd: {NAME}\n"
        f"References: <mg.{secret}@example.org>\n\n#close\n{URL}{secret}\n\n"
        f"---------- Forwarded message ---------\n{words(house)}\n"
    )
    house.deliver(
        raw.replace("\n", "\r\n").encode(),
        rcpt=[f"support+{secret}@example.org", "support@example.org"],
    )
    house.settle()
    with house.database.reading() as tx:
        row = tx.tickets.get(1001)
        assert row is not None
        assert row.view.status == "new"
        public = [m for m in tx.tickets.messages(1001) if m.kind == "customer"]
    assert len(public) == 1
    assert carried(house, secret) == []


def test_held_mail_has_its_files_linked_too(house: House) -> None:
    reply = house.last(RITA).reply_to
    raw = with_file('"more.mp4"', b"m" * 5000).replace(RITA.encode(), b"eve@stranger.example")
    house.deliver(raw, rcpt=[reply])
    house.settle()
    held = next(m for m in reversed(house.sent(ANA)) if m.notice == "agent-held")
    body = held.mail.get_body(("plain",))
    assert body is not None
    said = str(body.get_content()).replace("\r\n", "\n")
    assert f"Not attached: more.mp4 (5 kB)\n{URL}" in said
